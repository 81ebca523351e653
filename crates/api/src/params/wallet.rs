//! The query of a wallet's list: `from`, `to`, `limit` and `cursor`.

use nsc_core::UtcMicros;

use super::query::pairs;
use super::time::instant;
use super::{ParameterError, Place};
use crate::cursor::{Cursor, Position};

/// Entries of a page when the client does not say (contract section 6).
pub const DEFAULT_LIMIT: u16 = 20;
/// The most entries of a page.
pub const MAX_LIMIT: u16 = 100;

const NAMES: [&str; 4] = ["from", "to", "limit", "cursor"];
const TIME: &str = "must be an RFC 3339 time with an offset or Z, such as 2026-01-05T00:00:00+09:00";
const WINDOW: &str = "must be before \"to\"";
pub(super) const LIMIT: &str = "must be a whole number from 1 to 100, in digits";
const CURSOR: &str = "must be the next_cursor of a page of the same wallet, from and to";

/// What a wallet's list was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletParameters {
    /// First instant that is in the window.
    pub from: Option<UtcMicros>,
    /// First instant that is no longer in the window.
    pub to: Option<UtcMicros>,
    /// Entries of a page, 1 to [`MAX_LIMIT`].
    pub limit: u16,
    /// The entry after which the page begins.
    pub after: Option<Position>,
}

/// Reads the query of `GET /admin/wallets/{wallet_id}/tx`.
///
/// # Errors
/// Everything that is wrong with it; see [`ParameterError`].
pub fn wallet_parameters(
    wallet_id: &str,
    query: Option<&str>,
) -> Result<WalletParameters, Vec<ParameterError>> {
    let ([from, to, limit, cursor], mut errors) = pairs(query, NAMES);
    let mut refuse =
        |name: &str, detail| errors.push(ParameterError::unacceptable(Place::Query, name, detail));
    let mut bound = |name: &str, text: Option<String>| {
        let text = text?;
        let time = instant(&text);
        if time.is_none() {
            refuse(name, TIME);
        }
        time
    };
    let from = bound("from", from);
    let to = bound("to", to);
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        refuse("from", WINDOW);
    }
    let limit = match limit.as_deref().map(whole_number) {
        None => DEFAULT_LIMIT,
        Some(Some(n @ 1..=MAX_LIMIT)) => n,
        Some(_) => {
            refuse("limit", LIMIT);
            DEFAULT_LIMIT
        }
    };
    let cursor = cursor.map(|text| Cursor::new(wallet_id, from, to).read(&text));
    if cursor == Some(None) {
        refuse("cursor", CURSOR);
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(WalletParameters {
        from,
        to,
        limit,
        after: cursor.flatten(),
    })
}

/// Digits and nothing else; no sign, point, exponent or leading zero.
pub(super) fn whole_number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use nsc_core::UtcMicros;

    use super::{DEFAULT_LIMIT, WalletParameters, wallet_parameters};
    use crate::cursor::{Cursor, Position};

    fn refused(query: &str) -> String {
        match wallet_parameters("w-1", Some(query)) {
            Ok(parameters) => format!("{parameters:?}"),
            Err(errors) => errors
                .iter()
                .map(|e| e.parameter.as_str())
                .collect::<Vec<_>>()
                .join(","),
        }
    }

    #[test]
    fn without_a_query_it_is_the_newest_page() {
        let newest = WalletParameters {
            from: None,
            to: None,
            limit: DEFAULT_LIMIT,
            after: None,
        };
        assert_eq!(wallet_parameters("w-1", None), Ok(newest.clone()));
        assert_eq!(wallet_parameters("w-1", Some("")), Ok(newest));
    }

    #[test]
    fn a_plus_in_an_offset_is_taken_encoded_or_not() {
        for query in [
            "from=2026-01-05T09:00:00%2B09:00",
            "from=2026-01-05T09:00:00+09:00",
        ] {
            let from = wallet_parameters("w-1", Some(query)).map(|p| p.from);
            assert_eq!(from, Ok(UtcMicros::parse("2026-01-05T00:00:00Z")), "{query}");
        }
    }

    #[test]
    fn loose_values_are_refused_by_name() {
        for (query, names) in [
            ("from=2026-01-05T00:00:00", "from"),
            ("to=2026-01-05", "to"),
            ("from=1767571200", "from"),
            ("from=&to=", "from,to"),
            ("from=2026-01-06T00:00:00Z&to=2026-01-05T00:00:00Z", "from"),
            ("from=2026-01-05T00:00:00Z&to=2026-01-05T09:00:00%2B09:00", "from"),
            ("cursor=", "cursor"),
            ("cursor=AAAA", "cursor"),
            ("limit=5&limit=5", "limit"),
            ("offset=5", "offset"),
            ("limit=0&from=x", "from,limit"),
        ] {
            assert_eq!(refused(query), names, "{query}");
        }
        for limit in [
            "",
            "0",
            "-1",
            "101",
            "1e9",
            "1000000000",
            "10.0",
            "1e1",
            "+5",
            "%2B5",
            " 5",
            "5%20",
            "05",
            "0x5",
            "%EF%BC%95",
            "99999999999999999999",
        ] {
            assert_eq!(refused(&format!("limit={limit}")), "limit", "{limit}");
        }
    }

    #[test]
    fn a_cursor_is_bound_to_its_wallet_and_window() {
        let at = UtcMicros::parse("2026-01-05T00:00:00Z");
        let position = Position {
            event_time: UtcMicros::new(1_767_571_200_000_000),
            tx_id: "tx/1".to_owned(),
        };
        let cursor = Cursor::new("w-1", at, None).write(&position);
        let with = |wallet: &str, window: &str| {
            wallet_parameters(wallet, Some(&format!("cursor={cursor}{window}")))
                .ok()
                .and_then(|p| p.after)
        };
        let from = "&from=2026-01-05T00:00:00Z";
        assert_eq!(with("w-1", from), Some(position.clone()));
        assert_eq!(with("w-1", "&from=2026-01-05T09:00:00%2B09:00"), Some(position));
        assert_eq!(with("w-2", from), None);
        assert_eq!(with("w-1", ""), None);
        assert_eq!(with("w-1", "&to=2026-01-05T00:00:00Z"), None);
        assert_eq!(with("w-1", &format!("{from}&to=2026-02-01T00:00:00Z")), None);
    }
}
