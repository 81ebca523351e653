//! `GET /admin/tx/{tx_id}`: one ledger entry and all that is known around it.

use axum::extract::State;
use axum::response::Response;
use http::Uri;

use super::{found, not_found, store_failed};
use crate::app::Shared;
use crate::endpoint::id_segment;
use crate::params::{no_query, path_id};
use crate::problem::Problem;
use crate::view::Transaction;

/// Look one transaction up
///
/// The ledger entry, the other half of its payment, and the payment order it belongs to.
#[utoipa::path(
    get,
    path = "/admin/tx/{tx_id}",
    operation_id = "getTransaction",
    tag = "admin",
    params(("tx_id" = String, Path, description = "Id of the ledger entry, percent-encoded (`/` as `%2F`).",
        min_length = 1, max_length = 255, example = "tx-901")),
    responses((status = 200, description = "The entry.", body = Transaction))
)]
pub(crate) async fn tx(State(app): State<Shared>, uri: Uri) -> Result<Response, Problem> {
    let tx_id = path_id("tx_id", id_segment(uri.path())).map_err(|e| Problem::parameters(vec![e]))?;
    no_query(uri.query()).map_err(Problem::parameters)?;
    let view = app.store.tx(&tx_id).await.map_err(|e| store_failed(&e))?;
    let view = view.ok_or_else(|| not_found("no ledger entry has this id"))?;
    found(&Transaction::new(view, app.clock.now()), 1)
}
