//! The query of a payment order: which page of its entries.

use super::query::pairs;
use super::wallet::{LIMIT, whole_number};
use super::{MAX_LIMIT, ParameterError, Place};
use crate::cursor::{Cursor, Position};

const NAMES: [&str; 2] = ["limit", "cursor"];
const CURSOR: &str = "must be the next_cursor of a page of the same order";

/// What of an order was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderParameters {
    /// Entries of a page, 1 to [`MAX_LIMIT`], which it is when the client does not say: hardly any order has more.
    pub limit: u16,
    /// The entry after which the page begins.
    pub after: Option<Position>,
}

/// Reads the query of `GET /admin/payment-orders/{order_id}`.
///
/// # Errors
/// Everything that is wrong with it; see [`ParameterError`].
pub fn order_parameters(order_id: &str, query: Option<&str>) -> Result<OrderParameters, Vec<ParameterError>> {
    let ([limit, cursor], mut errors) = pairs(query, NAMES);
    let mut refuse =
        |name: &str, detail| errors.push(ParameterError::unacceptable(Place::Query, name, detail));
    let limit = match limit.as_deref().map(whole_number) {
        None => MAX_LIMIT,
        Some(Some(n @ 1..=MAX_LIMIT)) => n,
        Some(_) => {
            refuse("limit", LIMIT);
            MAX_LIMIT
        }
    };
    let cursor = cursor.map(|text| Cursor::of_order(order_id).read(&text));
    if cursor == Some(None) {
        refuse("cursor", CURSOR);
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(OrderParameters {
        limit,
        after: cursor.flatten(),
    })
}

#[cfg(test)]
mod tests {
    use nsc_core::UtcMicros;

    use super::{OrderParameters, order_parameters};
    use crate::cursor::{Cursor, Position};

    #[test]
    fn a_page_is_taken_and_anything_loose_is_refused_by_name() {
        let whole = OrderParameters {
            limit: 100,
            after: None,
        };
        assert_eq!(order_parameters("po", None), Ok(whole));
        let at = Position {
            event_time: UtcMicros::new(5),
            tx_id: "tx".to_owned(),
        };
        let query = format!("limit=7&cursor={}", Cursor::of_order("po").write(&at));
        let page = OrderParameters {
            limit: 7,
            after: Some(at.clone()),
        };
        assert_eq!(order_parameters("po", Some(&query)), Ok(page));
        let wallets = format!("cursor={}", Cursor::new("po", None, None).write(&at));
        for (order, query, name) in [
            ("other", query.as_str(), "cursor"),
            ("po", &wallets, "cursor"),
            ("po", "limit=101", "limit"),
            ("po", "limit=0", "limit"),
            ("po", "limit=1&limit=1", "limit"),
            ("po", "from=2026-01-05T00:00:00Z", "from"),
        ] {
            let errors = order_parameters(order, Some(query)).unwrap_err();
            assert_eq!(errors[0].parameter, name, "{query}");
        }
    }
}
