//! Dead letters by their class: what went wrong, when much or all of a backfill or a replay did.

use std::collections::BTreeMap;

use nsc_core::ErrorCode;

use crate::failure::OperatorMessage;

/// The classes with their numbers, on one line.
pub(super) fn line(classes: &BTreeMap<String, u64>) -> String {
    let listed: Vec<String> = classes.iter().map(|(class, n)| format!("{class} {n}")).collect();
    listed.join(", ")
}

/// The error of a command that was to store some things and could store none.
pub(super) fn nothing_stored(all: u64, things: &str, classes: &BTreeMap<String, u64>) -> OperatorMessage {
    let most = classes
        .iter()
        .max_by_key(|(_, n)| **n)
        .map(|(class, _)| class.as_str());
    let remedy = match most {
        Some("malformed_json" | "not_an_object") => "Is it a file of events, one JSON object a line?",
        Some("invalid_utf8") => "Is it UTF-8? Korean Windows writes CP949: iconv -f CP949 -t UTF-8 FILE.",
        Some("missing_field" | "wrong_type") => {
            "Are these events of this kind, and is it the right --profile? Fields are in docs/contract/serving.md, section 1."
        }
        Some("future_time") => {
            "Is the clock right, here and at the source? The limit is events.max_ahead_hours."
        }
        Some("not_upper_case") => {
            "Other words than the contract's are mapped by `values` of an event profile."
        }
        Some("refused_by_database") => "Was the schema bo changed by hand?",
        Some("unknown_topic") => "Name the --profile that these topics belong to.",
        _ => "The reasons are in the dead letters.",
    };
    OperatorMessage::new(
        ErrorCode::NothingStored,
        format!("none of {all} {things} could be stored"),
    )
    .with_detail(format!("by class: {}", line(classes)))
    .with_hint(format!(
        "{remedy} `nsc dlq list` shows each with its reason; --allow-dead-letters takes this for a success."
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use nsc_core::OperatorError;

    use super::nothing_stored;

    #[test]
    fn the_most_frequent_class_decides_what_is_advised() {
        let classes = BTreeMap::from([("invalid_utf8".to_owned(), 7), ("too_long".to_owned(), 2)]);
        let refusal = nothing_stored(9, "lines", &classes);
        assert_eq!(refusal.to_string(), "none of 9 lines could be stored");
        assert_eq!(
            refusal.detail().as_deref(),
            Some("by class: invalid_utf8 7, too_long 2")
        );
        assert!(refusal.hint().is_some_and(|h| h.contains("CP949")));
    }
}
