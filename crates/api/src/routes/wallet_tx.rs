//! `GET /admin/wallets/{wallet_id}/tx`: a wallet's entries, newest first, in pages.

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use nsc_store::{EntryCursor, WalletQuery};

use super::{found, store_failed};
use crate::app::Shared;
use crate::cursor::{Cursor, Position};
use crate::endpoint::id_segment;
use crate::params::{path_id, wallet_parameters};
use crate::problem::Problem;
use crate::view::{Transaction, WalletTransactions};

/// List a wallet's transactions
///
/// Newest first, then by `tx_id`; `[from, to)`. An unknown wallet has no entries. Pages are stable: entries that
/// arrive meanwhile neither repeat nor hide others. Give `from` and `to` again with every `cursor`.
#[utoipa::path(
    get,
    path = "/admin/wallets/{wallet_id}/tx",
    operation_id = "listWalletTransactions",
    tag = "admin",
    params(
        ("wallet_id" = String, Path, description = "Id of the wallet, percent-encoded (`/` as `%2F`).",
            min_length = 1, max_length = 255, example = "user-1"),
        ("from" = Option<String>, Query, format = DateTime, description = "First instant of the window: RFC 3339 with an offset or `Z`.",
            example = "2026-01-05T00:00:00+09:00"),
        ("to" = Option<String>, Query, format = DateTime, description = "First instant after the window: RFC 3339 with an offset or `Z`.",
            example = "2026-01-06T00:00:00+09:00"),
        ("limit" = Option<i32>, Query, description = "Entries of a page; 20 when not given.", minimum = 1, maximum = 100, example = 20),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before, of the same wallet and window.",
            max_length = 1500),
    ),
    responses((status = 200, description = "A page, empty when there is nothing.", body = WalletTransactions))
)]
pub(crate) async fn wallet_tx(State(app): State<Shared>, uri: Uri) -> Result<Response, Problem> {
    let wallet_id = path_id("wallet_id", id_segment(uri.path())).map_err(|e| Problem::parameters(vec![e]))?;
    let asked = wallet_parameters(&wallet_id, uri.query()).map_err(Problem::parameters)?;
    let page = usize::from(asked.limit);
    let query = WalletQuery {
        from: asked.from,
        to: asked.to,
        // One more than the page tells whether another page follows.
        limit: u32::from(asked.limit) + 1,
        after: asked.after.map(|at| EntryCursor {
            event_time: at.event_time,
            tx_id: at.tx_id,
        }),
        wallet_id,
    };
    let mut entries = app
        .store
        .wallet_entries(&query)
        .await
        .map_err(|e| store_failed(&e))?;
    let more = entries.len() > page;
    entries.truncate(page);
    let next_cursor = entries.last().filter(|_| more).map(|last| {
        Cursor::new(&query.wallet_id, query.from, query.to).write(&Position {
            event_time: last.entry.event_time,
            tx_id: last.entry.tx_id.clone(),
        })
    });
    let now = app.clock.now();
    let entries: Vec<_> = entries
        .into_iter()
        .map(|view| Transaction::new(view, now))
        .collect();
    let count = entries.len();
    let body = WalletTransactions {
        wallet_id: query.wallet_id,
        entries,
        count,
        next_cursor,
    };
    found(&body, count)
}
