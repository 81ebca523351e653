//! Where a row stood in its source, as a key that sorts: the last part of "newest".

/// The position in a `source_ref` as text that sorts in source order: every number after the name is padded
/// to 20 digits (`file:<name>#<line>`, `kafka:<topic>/<partition>/<offset>`, `cdc:<table>/<lsn>/<seq>`).
/// Other texts come back unchanged.
#[must_use]
pub fn source_position(source_ref: &str) -> String {
    let (name, numbers) = if source_ref.starts_with("file:") {
        source_ref
            .rsplit_once('#')
            .map_or((source_ref, None), |(n, line)| (n, Some(("#", vec![line]))))
    } else {
        let mut parts = source_ref.rsplitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(last), Some(middle), Some(name)) if name.contains(':') => {
                (name, Some(("/", vec![middle, last])))
            }
            _ => (source_ref, None),
        }
    };
    let Some((mark, numbers)) = numbers else {
        return source_ref.to_owned();
    };
    let mut key = name.to_owned();
    for number in numbers {
        key.push_str(mark);
        if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
            key.extend(std::iter::repeat_n('0', 20_usize.saturating_sub(number.len())));
        }
        key.push_str(number);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::source_position;

    #[test]
    fn lines_and_offsets_sort_as_numbers() {
        for (earlier, later) in [
            ("file:a.jsonl#9", "file:a.jsonl#10"),
            ("file:a.jsonl#10", "file:b.jsonl#2"),
            ("file:a#1.jsonl#2", "file:a#1.jsonl#11"),
            ("kafka:orders/2/99", "kafka:orders/10/3"),
            ("kafka:orders/2/99", "kafka:orders/2/100"),
            ("cdc:wallets/7/1", "cdc:wallets/30/0"),
        ] {
            assert!(
                source_position(earlier) < source_position(later),
                "{earlier} {later}"
            );
        }
        assert_eq!(source_position("elsewhere"), "elsewhere");
    }
}
