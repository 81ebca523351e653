//! What a request asks for: ids in the path, the query of a wallet's list, cursors.

use nsc_api::cursor::{Cursor, Position};
use nsc_api::params::{MAX_LIMIT, WalletParameters, no_query, path_id, wallet_parameters};
use nsc_core::UtcMicros;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{Outcome, canary, is_storable, prints_readably, split_line};

/// A line with the wallet's path segment, then by the first byte: `0` a query; `1` a query, and below it the time
/// (microseconds) and the tx id of a cursor that is added to it; `2` a cursor.
pub fn check(data: &[u8]) -> Outcome {
    let Some((choice, rest)) = data.split_first() else {
        return Outcome::Refused;
    };
    let (segment, rest) = split_line(rest);
    let (Ok(segment), Ok(rest)) = (std::str::from_utf8(segment), std::str::from_utf8(rest)) else {
        return Outcome::Refused;
    };
    let Some(wallet_id) = checked_id(segment) else {
        return Outcome::Refused;
    };
    Outcome::of(match choice % 3 {
        0 => check_query(&wallet_id, rest).is_some(),
        1 => check_query_with_cursor(&wallet_id, rest),
        _ => check_cursor(&wallet_id, rest),
    })
}

fn checked_id(segment: &str) -> Option<String> {
    let id = path_id("wallet_id", segment).ok()?;
    assert!(is_storable(&id), "{segment:?} was accepted as {id:?}");
    let again = path_id(
        "wallet_id",
        &utf8_percent_encode(&id, NON_ALPHANUMERIC).to_string(),
    );
    assert_eq!(again.as_deref(), Ok(id.as_str()));
    Some(id)
}

fn check_query(wallet_id: &str, query: &str) -> Option<WalletParameters> {
    assert_eq!(no_query(Some(query)).is_ok(), query.is_empty());
    let asked = match wallet_parameters(wallet_id, Some(query)) {
        Ok(asked) => asked,
        Err(errors) => {
            assert!(!errors.is_empty());
            // a refusal repeats at most the beginning of a name
            assert!(
                errors
                    .iter()
                    .all(|e| e.parameter.chars().count() <= 32 && e.to_string().len() < 400)
            );
            return None;
        }
    };
    assert!((1..=MAX_LIMIT).contains(&asked.limit));
    if let (Some(from), Some(to)) = (asked.from, asked.to) {
        assert!(from < to, "{query:?}");
    }
    if let Some(after) = &asked.after {
        assert!(is_storable(&after.tx_id), "{after:?}");
    }
    if let Some(written) = written(wallet_id, &asked) {
        let again = wallet_parameters(wallet_id, Some(&written));
        assert_eq!(again.as_ref(), Ok(&asked), "{query:?} written out as {written:?}");
    }
    canary(wallet_id.contains('\u{1f426}'));
    Some(asked)
}

/// The query again; `None` when a time in it has no text that can be read.
fn written(wallet_id: &str, asked: &WalletParameters) -> Option<String> {
    let mut query = format!("limit={}", asked.limit);
    for (name, bound) in [("from", asked.from), ("to", asked.to)] {
        if let Some(time) = bound {
            if !prints_readably(time) {
                return None;
            }
            query.push_str(&format!(
                "&{name}={}",
                utf8_percent_encode(&time.to_string(), NON_ALPHANUMERIC)
            ));
        }
    }
    if let Some(after) = &asked.after {
        query.push_str(&format!(
            "&cursor={}",
            Cursor::new(wallet_id, asked.from, asked.to).write(after)
        ));
    }
    Some(query)
}

/// A cursor that belongs to the list is accepted, with whatever else was asked; one of another list is not.
fn check_query_with_cursor(wallet_id: &str, rest: &str) -> bool {
    let (query, position) = rest.split_once('\n').unwrap_or((rest, ""));
    let (micros, tx_id) = position.split_once('\n').unwrap_or((position, ""));
    let Some(asked) = check_query(wallet_id, query).filter(|asked| asked.after.is_none()) else {
        return false;
    };
    let position = Position {
        event_time: UtcMicros::new(micros.parse().unwrap_or_default()),
        tx_id: tx_id.to_owned(),
    };
    let list = Cursor::new(wallet_id, asked.from, asked.to);
    let cursor = list.write(&position);
    let accepted = is_storable(tx_id).then_some(position);
    assert_eq!(list.read(&cursor), accepted);
    let other_wallet = format!("{wallet_id}.");
    let other_end = asked.to.map_or(Some(UtcMicros::new(0)), |to| Some(to.plus(1)));
    assert_eq!(
        Cursor::new(&other_wallet, asked.from, asked.to).read(&cursor),
        None
    );
    assert_eq!(Cursor::new(wallet_id, asked.from, other_end).read(&cursor), None);

    let joint = if query.is_empty() { "" } else { "&" };
    let next_page = wallet_parameters(wallet_id, Some(&format!("{query}{joint}cursor={cursor}")));
    let is_accepted = accepted.is_some();
    if is_accepted {
        let expected = WalletParameters {
            after: accepted,
            ..asked
        };
        assert_eq!(next_page, Ok(expected));
    } else {
        assert!(next_page.is_err(), "{tx_id:?} was accepted in a cursor");
    }
    is_accepted
}

/// A cursor that is accepted is the only text of its position.
fn check_cursor(wallet_id: &str, text: &str) -> bool {
    let list = Cursor::new(wallet_id, None, None);
    let Some(position) = list.read(text) else {
        return false;
    };
    assert!(is_storable(&position.tx_id), "{position:?}");
    assert_eq!(list.write(&position), text);
    true
}
