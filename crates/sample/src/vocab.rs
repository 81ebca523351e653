//! The words of the world: names of merchants, products and categories.

const MERCHANT_FIRST: [&str; 16] = [
    "한빛", "온도", "새벽", "바다", "푸른", "달빛", "구름", "초록", "별담", "하루", "마루", "나래", "Blue",
    "Nova", "Mono", "Seoul",
];
const MERCHANT_TRADE: [&str; 12] = [
    "카페",
    "마트",
    "서점",
    "약국",
    "치킨",
    "분식",
    "베이커리",
    "문구",
    "Store",
    "Mall",
    "Deli",
    "Books",
];
const MERCHANT_BRANCH: [&str; 10] = [
    "강남점",
    "홍대점",
    "부산점",
    "제주점",
    "판교점",
    "본점",
    "온라인",
    "성수점",
    "#1",
    "#2",
];
const PRODUCT_KIND: [&str; 10] = [
    "유기농",
    "프리미엄",
    "미니",
    "빈티지",
    "클래식",
    "스마트",
    "국산",
    "수제",
    "Light",
    "Pro",
];
const PRODUCT_THING: [&str; 10] = [
    "사과",
    "셔츠",
    "립밤",
    "이어폰",
    "노트",
    "블록",
    "요가매트",
    "캐리어",
    "키보드",
    "머그컵",
];

/// Categories a product can have.
pub(crate) const CATEGORIES: [&str; 10] = [
    "식품",
    "패션",
    "뷰티",
    "가전",
    "도서",
    "완구",
    "스포츠",
    "여행",
    "디지털",
    "생활",
];

/// Names of so many merchants, all different: past the word lists' reach a number is added.
pub(crate) fn merchant_names(count: usize) -> Vec<String> {
    let reach = MERCHANT_FIRST.len() * MERCHANT_TRADE.len() * MERCHANT_BRANCH.len();
    (0..count)
        .map(|i| {
            // A step coprime to the reach visits every combination once, in no obvious order.
            let k = (i * 7919) % reach;
            let (first, trade, branch) = (
                MERCHANT_FIRST[k % MERCHANT_FIRST.len()],
                MERCHANT_TRADE[(k / MERCHANT_FIRST.len()) % MERCHANT_TRADE.len()],
                MERCHANT_BRANCH[k / (MERCHANT_FIRST.len() * MERCHANT_TRADE.len())],
            );
            if i < reach {
                format!("{first}{trade} {branch}")
            } else {
                format!("{first}{trade} {branch} {}", i / reach)
            }
        })
        .collect()
}

/// The name of the `i`-th product.
pub(crate) fn product_name(i: usize) -> String {
    format!("{} {} {i}", PRODUCT_KIND[i % 10], PRODUCT_THING[(i / 10) % 10])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn merchants_have_different_names_that_need_no_escape() {
        let names = merchant_names(5000);
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        assert!(names.iter().all(|name| !name.contains(['"', '\\'])));
    }
}
