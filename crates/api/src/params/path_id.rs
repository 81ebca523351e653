//! An id in the path: any text of at most 255 characters, `/` included when it is written `%2F`.

use super::percent::decoded;
use super::{ParameterError, Place};
use crate::endpoint::MAX_ID_CHARS;

/// The id that a path segment stands for.
///
/// # Errors
/// When it is no percent-encoded UTF-8, holds a NUL, is empty, or is longer than [`MAX_ID_CHARS`].
pub fn path_id(parameter: &'static str, segment: &str) -> Result<String, ParameterError> {
    let id = decoded(segment).ok_or_else(|| {
        let detail = "must be percent-encoded UTF-8 without NUL";
        ParameterError::malformed(Place::Path, parameter, detail)
    })?;
    if id.is_empty() || id.chars().nth(MAX_ID_CHARS).is_some() {
        let detail = "must have 1 to 255 characters";
        return Err(ParameterError::unacceptable(Place::Path, parameter, detail));
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::{MAX_ID_CHARS, path_id};
    use crate::params::Fault;

    #[test]
    fn any_text_can_be_an_id() {
        for (segment, id) in [
            ("tx-1", "tx-1"),
            ("a%2Fb", "a/b"),
            ("..", ".."),
            ("1%27%20OR%20%271%27=%271", "1' OR '1'='1"),
            ("%F0%9F%92%B8", "\u{1f4b8}"),
        ] {
            assert_eq!(path_id("tx_id", segment).as_deref(), Ok(id));
        }
        let longest = "%EA%B0%80".repeat(MAX_ID_CHARS);
        assert!(path_id("tx_id", &longest).is_ok());
    }

    #[test]
    fn what_cannot_be_stored_is_refused_by_name() {
        let fault = |segment: &str| {
            path_id("wallet_id", segment)
                .err()
                .map(|e| (e.parameter, e.fault))
        };
        let malformed = Some(("wallet_id".to_owned(), Fault::Malformed));
        let unacceptable = Some(("wallet_id".to_owned(), Fault::Unacceptable));
        assert_eq!(fault("a%00"), malformed);
        assert_eq!(fault("%ff"), malformed);
        assert_eq!(fault("%4"), malformed);
        assert_eq!(fault(""), unacceptable);
        assert_eq!(fault(&"x".repeat(MAX_ID_CHARS + 1)), unacceptable);
        assert_eq!(fault(&"x".repeat(10_000)), unacceptable);
    }
}
