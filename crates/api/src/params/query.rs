//! The pairs of a query: known names only, each once.

use super::percent::decoded;
use super::{ParameterError, Place};

/// How much of a name the client made up is repeated.
const SHOWN_NAME_CHARS: usize = 32;
const UNKNOWN: &str = "is not a parameter of this request";
const REPEATED: &str = "is given more than once";
const NO_TEXT: &str = "must be percent-encoded UTF-8 without NUL";

/// The values of the known names, in the order of `names`, and what was wrong.
pub(super) fn pairs<const N: usize>(
    raw: Option<&str>,
    names: [&'static str; N],
) -> ([Option<String>; N], Vec<ParameterError>) {
    let mut values = [const { None }; N];
    let mut errors = Vec::new();
    for pair in raw
        .filter(|q| !q.is_empty())
        .into_iter()
        .flat_map(|q| q.split('&'))
    {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let known = decoded(name).and_then(|name| names.iter().position(|n| *n == name));
        let Some((slot, name)) = known.and_then(|at| Some((values.get_mut(at)?, names.get(at)?))) else {
            errors.push(ParameterError::malformed(Place::Query, shown(name), UNKNOWN));
            continue;
        };
        match decoded(value) {
            Some(_) if slot.is_some() => {
                errors.push(ParameterError::malformed(Place::Query, *name, REPEATED))
            }
            Some(text) => *slot = Some(text),
            None => errors.push(ParameterError::malformed(Place::Query, *name, NO_TEXT)),
        }
    }
    (values, errors)
}

/// For a request that takes no query.
///
/// # Errors
/// One for each parameter there is.
pub fn no_query(raw: Option<&str>) -> Result<(), Vec<ParameterError>> {
    let ([], errors) = pairs(raw, []);
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn shown(name: &str) -> String {
    name.chars().take(SHOWN_NAME_CHARS).collect()
}

/// The query as it may be kept: values of unknown names are left out, for they may be tokens (`access_token=...`).
pub(crate) fn redacted(raw: &str, names: &[&str], max_chars: usize) -> String {
    let mut kept = String::with_capacity(raw.len().min(max_chars));
    for pair in raw.split('&') {
        if !kept.is_empty() {
            kept.push('&');
        }
        match pair.split_once('=') {
            Some((name, _)) if decoded(name).is_some_and(|name| names.contains(&name.as_str())) => {
                kept.push_str(pair);
            }
            Some((name, _)) => {
                kept.push_str(&shown(name));
                kept.push_str("=[redacted]");
            }
            None => kept.push_str(&shown(pair)),
        }
        if kept.len() >= max_chars {
            break;
        }
    }
    kept.chars().take(max_chars).collect()
}

#[cfg(test)]
mod tests {
    use super::{no_query, pairs, redacted};

    #[test]
    fn each_known_name_is_taken_once() {
        let (values, errors) = pairs(Some("to=b&from=a%2Bc"), ["from", "to", "limit"]);
        assert_eq!(values, [Some("a+c".to_owned()), Some("b".to_owned()), None]);
        assert_eq!(errors, []);
        assert_eq!(pairs(Some(""), ["from"]), ([None], vec![]));
        assert_eq!(pairs(None, ["from"]), ([None], vec![]));
    }

    #[test]
    fn unknown_and_repeated_names_and_broken_values_are_named() {
        let text = |query: &str| {
            pairs(Some(query), ["from", "limit"])
                .1
                .iter()
                .map(|e| e.to_string())
                .collect::<Vec<_>>()
                .join("; ")
        };
        assert_eq!(
            text("limit=1&limit=2"),
            "query parameter \"limit\" is given more than once"
        );
        assert_eq!(
            text("from=%FF&Limit=1"),
            "query parameter \"from\" must be percent-encoded UTF-8 without NUL; \
             query parameter \"Limit\" is not a parameter of this request"
        );
        assert!(text("limit=1&").contains("\"\""));
        assert!(text(&"x".repeat(100)).len() < 100);
        assert!(no_query(Some("verbose=1")).is_err());
        assert_eq!(no_query(Some("")), Ok(()));
    }

    #[test]
    fn what_may_be_a_token_is_not_kept() {
        let kept = |query: &str| redacted(query, &["from", "limit"], 60);
        assert_eq!(kept("from=2026&limit=5"), "from=2026&limit=5");
        assert_eq!(
            kept("access_token=abc.def&limit=5"),
            "access_token=[redacted]&limit=5"
        );
        // A name the request may spell in code is a known one here too: what was asked must be read from the row.
        assert_eq!(
            kept("%66rom=2026&fro%6d%00=1"),
            "%66rom=2026&fro%6d%00=[redacted]"
        );
        assert_eq!(kept(&format!("from={}", "9".repeat(500))).len(), 60);
        assert_eq!(kept(&"y".repeat(500)).len(), 32);
    }
}
