//! The cursor of a list of entries, a wallet's or an order's: the last entry of a page, for the page that follows it.
//!
//! Opaque to clients. It holds the position and a sum over position and list (whose it is, and its window), so that a cursor of another
//! list, an altered one or one of another version is refused instead of answered with the wrong entries. It is
//! no secret and grants nothing: whoever could forge one may ask for the entries anyway.

use nsc_auth::base64url;
use nsc_core::UtcMicros;

use crate::endpoint::MAX_ID_CHARS;

/// Layout: version, sum, event time in microseconds (big-endian), tx id.
const VERSION: u8 = 1;
const SUM_BYTES: usize = 8;
/// A text longer than this holds no position: 255 characters of four bytes, the sum and the time.
const MAX_TEXT_BYTES: usize = 1_500;

/// An entry's place in the order of the list: event time descending, then tx id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// When it happened.
    pub event_time: UtcMicros,
    /// Which of those at that instant.
    pub tx_id: String,
}

/// The list a cursor belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    kind: &'static str,
    id: &'a str,
    from: Option<UtcMicros>,
    to: Option<UtcMicros>,
}

impl<'a> Cursor<'a> {
    /// Cursors of this wallet and window.
    #[must_use]
    pub const fn new(wallet_id: &'a str, from: Option<UtcMicros>, to: Option<UtcMicros>) -> Self {
        Self {
            kind: "nsc-api wallet cursor v1",
            id: wallet_id,
            from,
            to,
        }
    }

    /// Cursors of this order.
    #[must_use]
    pub const fn of_order(order_id: &'a str) -> Self {
        Self {
            kind: "nsc-api order cursor v1",
            id: order_id,
            from: None,
            to: None,
        }
    }

    /// The cursor after this position.
    #[must_use]
    pub fn write(&self, position: &Position) -> String {
        let mut bytes = Vec::with_capacity(1 + SUM_BYTES + 8 + position.tx_id.len());
        bytes.push(VERSION);
        bytes.extend(self.sum(position));
        bytes.extend(position.event_time.micros().to_be_bytes());
        bytes.extend(position.tx_id.as_bytes());
        base64url::encode(&bytes)
    }

    /// The position of a cursor of this list; `None` for anything else.
    #[must_use]
    pub fn read(&self, text: &str) -> Option<Position> {
        if text.len() > MAX_TEXT_BYTES {
            return None;
        }
        let bytes = base64url::decode(text.as_bytes())?;
        let (version, rest) = bytes.split_first()?;
        let (sum, rest) = rest.split_first_chunk::<SUM_BYTES>()?;
        let (micros, tx_id) = rest.split_first_chunk::<8>()?;
        let tx_id = std::str::from_utf8(tx_id).ok()?;
        let storable =
            !tx_id.is_empty() && !tx_id.contains('\0') && tx_id.chars().nth(MAX_ID_CHARS).is_none();
        let position = Position {
            event_time: UtcMicros::new(i64::from_be_bytes(*micros)),
            tx_id: tx_id.to_owned(),
        };
        (*version == VERSION && storable && self.sum(&position) == *sum).then_some(position)
    }

    /// Every part with its length or its presence before it, so that no two lists give the same bytes.
    fn sum(&self, position: &Position) -> [u8; SUM_BYTES] {
        let mut hasher = blake3::Hasher::new_derive_key(self.kind);
        hasher.update(&(self.id.len() as u64).to_be_bytes());
        hasher.update(self.id.as_bytes());
        for bound in [self.from, self.to] {
            hasher.update(&[u8::from(bound.is_some())]);
            hasher.update(&bound.map_or(0, UtcMicros::micros).to_be_bytes());
        }
        hasher.update(&position.event_time.micros().to_be_bytes());
        hasher.update(position.tx_id.as_bytes());
        let mut sum = [0; SUM_BYTES];
        hasher.finalize_xof().fill(&mut sum);
        sum
    }
}

#[cfg(test)]
mod tests {
    use nsc_core::UtcMicros;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::{Cursor, Position};
    use nsc_auth::base64url;

    fn position(micros: i64, tx_id: &str) -> Position {
        Position {
            event_time: UtcMicros::new(micros),
            tx_id: tx_id.to_owned(),
        }
    }

    #[test]
    fn any_changed_bit_is_noticed() {
        let cursor = Cursor::new("w-1", None, Some(UtcMicros::new(7)));
        let text = cursor.write(&position(1_767_571_200_000_000, "tx-1"));
        let bytes = base64url::decode(text.as_bytes()).unwrap_or_default();
        assert!(cursor.read(&text).is_some());
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(cursor.read(&base64url::encode(&changed)), None, "bit {bit}");
        }
    }

    #[test]
    fn wallet_and_window_are_told_apart() {
        let there = position(1, "tx");
        let text = Cursor::new("ab", None, None).write(&there);
        for other in [
            Cursor::new("a", None, None),
            Cursor::new("ab", Some(UtcMicros::new(0)), None),
            Cursor::new("ab", None, Some(UtcMicros::new(0))),
            Cursor::of_order("ab"),
        ] {
            assert_eq!(other.read(&text), None);
        }
    }

    proptest! {
        #[test]
        fn a_cursor_leads_back_to_its_position(wallet in ".{1,20}", micros in any::<i64>(), tx_id in "[^\0]{1,255}") {
            let cursor = Cursor::new(&wallet, None, None);
            let there = position(micros, &tx_id);
            prop_assert_eq!(cursor.read(&cursor.write(&there)), Some(there));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}") {
            let _ = Cursor::new("w", None, None).read(&text);
        }
    }
}
