//! `GET /admin/payment-orders/{order_id}`: one payment order and its ledger entries.

use axum::extract::State;
use axum::response::Response;
use http::Uri;

use super::{found, id_segment, not_found, store_failed};
use crate::app::Shared;
use crate::params::{no_query, path_id};
use crate::problem::Problem;
use crate::view::PaymentOrder;

/// Look one payment order up
///
/// The order and its ledger entries, newest first.
#[utoipa::path(
    get,
    path = "/admin/payment-orders/{order_id}",
    operation_id = "getPaymentOrder",
    tag = "admin",
    params(("order_id" = String, Path, description = "Id of the payment order, percent-encoded (`/` as `%2F`).",
        min_length = 1, max_length = 255, example = "po-77")),
    responses((status = 200, description = "The order.", body = PaymentOrder))
)]
pub(crate) async fn payment_order(State(app): State<Shared>, uri: Uri) -> Result<Response, Problem> {
    let order_id = path_id("order_id", id_segment(uri.path())).map_err(|e| Problem::parameters(vec![e]))?;
    no_query(uri.query()).map_err(Problem::parameters)?;
    let view = app.store.order(&order_id).await.map_err(|e| store_failed(&e))?;
    let view = view.ok_or_else(|| not_found("no payment order has this id"))?;
    let order = PaymentOrder::new(view);
    found(&order, 1)
}
