//! `GET /admin/payment-orders/{order_id}`: one payment order and a page of its ledger entries.

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use nsc_store::{EntryCursor, OrderQuery};

use super::{found, not_found, store_failed};
use crate::app::Shared;
use crate::cursor::{Cursor, Position};
use crate::endpoint::id_segment;
use crate::params::{order_parameters, path_id};
use crate::problem::Problem;
use crate::view::PaymentOrder;

/// Look one payment order up
///
/// The order and its ledger entries, newest first, in pages: hardly any order has more than one. Pages are stable, as a
/// wallet's are.
#[utoipa::path(
    get,
    path = "/admin/payment-orders/{order_id}",
    operation_id = "getPaymentOrder",
    tag = "admin",
    params(
        ("order_id" = String, Path, description = "Id of the payment order, percent-encoded (`/` as `%2F`).",
            min_length = 1, max_length = 255, example = "po-77"),
        ("limit" = Option<i32>, Query, description = "Entries of a page; 100 when not given.", minimum = 1, maximum = 100, example = 100),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before, of the same order.",
            max_length = 1500),
    ),
    responses((status = 200, description = "The order.", body = PaymentOrder))
)]
pub(crate) async fn payment_order(State(app): State<Shared>, uri: Uri) -> Result<Response, Problem> {
    let order_id = path_id("order_id", id_segment(uri.path())).map_err(|e| Problem::parameters(vec![e]))?;
    let asked = order_parameters(&order_id, uri.query()).map_err(Problem::parameters)?;
    let page = usize::from(asked.limit);
    let query = OrderQuery {
        // One more than the page tells whether another page follows.
        limit: u32::from(asked.limit) + 1,
        after: asked.after.map(|at| EntryCursor {
            event_time: at.event_time,
            tx_id: at.tx_id,
        }),
        order_id,
    };
    let view = app.store.order(&query).await.map_err(|e| store_failed(&e))?;
    let mut view = view.ok_or_else(|| not_found("no payment order has this id"))?;
    let more = view.entries.len() > page;
    view.entries.truncate(page);
    let next_cursor = view.entries.last().filter(|_| more).map(|last| {
        Cursor::of_order(&query.order_id).write(&Position {
            event_time: last.event_time,
            tx_id: last.tx_id.clone(),
        })
    });
    let order = PaymentOrder::new(view, next_cursor, app.clock.now());
    found(&order, order.entries())
}
