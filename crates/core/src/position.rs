//! Where a row stood in its source, as a key that sorts: the last part of "newest".

use std::fmt::Write as _;

/// The position in a `source_ref` as text that sorts in source order; different references have different keys.
///
/// - `file:<name>#<line>`: names in natural order (`part-9` before `part-10`), then the line as a number.
/// - `kafka:<topic>/<partition>/<offset>`, `cdc:<table>/<lsn>/<seq>`: the last two parts as numbers.
/// - Other texts are compared as they are.
#[must_use]
pub fn source_position(source_ref: &str) -> String {
    let mut key = String::with_capacity(source_ref.len() + 16);
    push_source_position(&mut key, source_ref);
    key
}

/// Appends the key of [`source_position`].
pub fn push_source_position(key: &mut String, source_ref: &str) {
    match source_ref.split_once(':') {
        Some(("file", _)) => match source_ref.rsplit_once('#') {
            Some((name, line)) => {
                push_natural(key, name);
                key.push('#');
                push_part(key, line);
            }
            None => push_natural(key, source_ref),
        },
        Some(("kafka" | "cdc", _)) => push_last_two(key, source_ref),
        _ => key.push_str(source_ref),
    }
}

/// Appends a text with every run of digits as a number.
fn push_natural(key: &mut String, text: &str) {
    let mut is_exact = true;
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let end = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
        let (digits, behind) = from.split_at(end);
        key.push_str(before);
        is_exact &= push_number(key, digits);
        rest = behind;
    }
    key.push_str(rest);
    // `07` and `7` are one number and two names: the text itself tells them apart.
    if !is_exact {
        key.push('\0');
        key.push_str(text);
    }
}

/// Appends a text whose last two parts are numbers where they are.
fn push_last_two(key: &mut String, text: &str) {
    let mut parts = text.rsplitn(3, '/');
    let (Some(last), Some(middle), Some(head)) = (parts.next(), parts.next(), parts.next()) else {
        return key.push_str(text);
    };
    key.push_str(head);
    for part in [middle, last] {
        key.push('/');
        push_part(key, part);
    }
}

/// Appends a part that usually is a number.
fn push_part(key: &mut String, part: &str) {
    if part.bytes().all(|b| b.is_ascii_digit()) {
        push_natural(key, part);
    } else {
        key.push_str(part);
    }
}

/// Appends digits so that text order is that of the numbers: how many they are, then they, without leading zeros. `false`
/// when zeros were left out.
fn push_number(key: &mut String, digits: &str) -> bool {
    let zeros = digits.bytes().take_while(|b| *b == b'0').count();
    let significant = digits.get(zeros.min(digits.len() - 1)..).unwrap_or(digits);
    // Writing to a String cannot fail. A thousand digits and more are no number of anything: they only stay distinct.
    let _ = write!(key, "{:03}", significant.len().min(999));
    key.push_str(significant);
    significant.len() == digits.len() && significant.len() < 999
}

#[cfg(test)]
mod tests {
    use super::source_position;

    #[test]
    fn files_lines_and_offsets_sort_as_people_count() {
        for (earlier, later) in [
            ("file:a.jsonl#9", "file:a.jsonl#10"),
            ("file:a.jsonl#10", "file:b.jsonl#2"),
            ("file:a#1.jsonl#2", "file:a#1.jsonl#11"),
            ("file:part-9.jsonl#7", "file:part-10.jsonl#1"),
            ("file:part-0009.jsonl#7", "file:part-010.jsonl#1"),
            ("file:2026-01-05-h9.jsonl#1", "file:2026-01-05-h10.jsonl#1"),
            ("file:part-09.jsonl#99", "file:part-9.jsonl#1"),
            ("file:00#1", "file:0#1"),
            ("file:가-2#1", "file:가-11#1"),
            ("kafka:orders/2/99", "kafka:orders/10/3"),
            ("kafka:orders/2/99", "kafka:orders/2/100"),
            ("cdc:wallets/7/1", "cdc:wallets/30/0"),
            ("cdc:w/0/16B3748/9", "cdc:w/0/16B3748/10"),
            ("kafka:t/18446744073709551615/0", "kafka:t/18446744073709551616/0"),
        ] {
            assert!(
                source_position(earlier) < source_position(later),
                "{earlier} {later}"
            );
        }
        for text in ["", "elsewhere", "manual 7", "kafka:t/5", "file:a#b"] {
            assert_eq!(source_position(text), text);
        }
    }

    #[test]
    fn different_references_never_share_a_key() {
        let mut refs: Vec<String> = Vec::new();
        for name in ["a7", "a07", "a007", "a0", "a00", "a", "a7#", "a7#0", "a\u{660}7"] {
            for line in ["1", "01", "10", ""] {
                refs.push(format!("file:{name}#{line}"));
                refs.push(format!("kafka:{name}/{line}/1"));
            }
        }
        refs.push(format!("file:{}#1", "1".repeat(1_200)));
        refs.push(format!("file:{}#1", "1".repeat(1_201)));
        let mut keys: Vec<String> = refs.iter().map(|r| source_position(r)).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), refs.len());
    }
}
