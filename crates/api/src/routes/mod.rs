//! The routes, and what each is called in metrics and audit rows.

pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod openapi_json;
pub(crate) mod payment_order;
pub(crate) mod tx;
pub(crate) mod wallet_tx;

use std::mem;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use nsc_store::StoreError;
use serde::Serialize;

use crate::app::Shared;
use crate::attempt::ResultCount;
use crate::edge::edge;
use crate::guard::guard;
use crate::problem::{Problem, ProblemKind};

/// Names of query parameters that any route knows.
pub(crate) const QUERY_NAMES: [&str; 4] = ["from", "to", "limit", "cursor"];

/// Where a request went. One table: what is not in it is neither routed nor described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Tx,
    PaymentOrder,
    WalletTx,
    Healthz,
    Readyz,
    Metrics,
    OpenApi,
    /// No route, or none below `/admin`. One name for all of them: clients invent paths.
    Unknown,
}

impl Endpoint {
    /// Every one that answers something of its own.
    pub(crate) const ROUTED: [Self; 7] = [
        Self::Tx,
        Self::PaymentOrder,
        Self::WalletTx,
        Self::Healthz,
        Self::Readyz,
        Self::Metrics,
        Self::OpenApi,
    ];

    pub(crate) fn of(matched: Option<&str>) -> Self {
        let known = Self::ROUTED
            .into_iter()
            .find(|endpoint| Some(endpoint.label()) == matched);
        known.unwrap_or(Self::Unknown)
    }

    /// The path as it is routed and described; also the name in metrics and log lines.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Tx => "/admin/tx/{tx_id}",
            Self::PaymentOrder => "/admin/payment-orders/{order_id}",
            Self::WalletTx => "/admin/wallets/{wallet_id}/tx",
            Self::Healthz => "/healthz",
            Self::Readyz => "/readyz",
            Self::Metrics => "/metrics",
            Self::OpenApi => "/openapi.json",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it is for administrators: guarded and audited. Deny by default: only what a machine asks is open.
    pub(crate) const fn is_guarded(self) -> bool {
        !matches!(self, Self::Healthz | Self::Readyz | Self::Metrics | Self::OpenApi)
    }

    fn handler(self) -> MethodRouter<Shared> {
        match self {
            Self::Tx => get(tx::tx),
            Self::PaymentOrder => get(payment_order::payment_order),
            Self::WalletTx => get(wallet_tx::wallet_tx),
            Self::Healthz => get(health::healthz),
            Self::Readyz => get(health::readyz),
            Self::Metrics => get(metrics::metrics),
            Self::OpenApi => get(openapi_json::openapi_json),
            Self::Unknown => any(no_such_route),
        }
    }

    /// In audit rows.
    pub(crate) const fn action(self) -> &'static str {
        match self {
            Self::Tx => "ADMIN_TX_LOOKUP",
            Self::PaymentOrder => "ADMIN_ORDER_LOOKUP",
            Self::WalletTx => "ADMIN_WALLET_TX_LOOKUP",
            _ => "UNKNOWN",
        }
    }

    /// What kind of thing is asked for, and the parameter that names it.
    pub(crate) const fn resource(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Tx => Some(("TX", "tx_id")),
            Self::PaymentOrder => Some(("PAYMENT_ORDER", "order_id")),
            Self::WalletTx => Some(("WALLET", "wallet_id")),
            _ => None,
        }
    }
}

/// The id's segment of an admin path, as it was sent: `/admin/KIND/ID...`.
pub(crate) fn id_segment(path: &str) -> &str {
    path.split('/').nth(3).unwrap_or_default()
}

/// Everything below `/admin` is guarded, whether there is a route or not.
pub(crate) fn router(app: Shared) -> Router {
    let (mut admin, mut open) = (Router::new(), Router::new());
    for endpoint in Endpoint::ROUTED {
        let table = if endpoint.is_guarded() {
            &mut admin
        } else {
            &mut open
        };
        *table = mem::take(table).route(endpoint.label(), endpoint.handler());
    }
    for path in ["/admin", "/admin/", "/admin/{*rest}"] {
        admin = admin.route(path, Endpoint::Unknown.handler());
    }
    let admin = admin
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(Arc::clone(&app), guard));
    open.method_not_allowed_fallback(method_not_allowed)
        .fallback(no_such_route)
        .merge(admin)
        .layer(from_fn_with_state(Arc::clone(&app), edge))
        .with_state(app)
}

async fn no_such_route() -> Problem {
    Problem::new(
        ProblemKind::NoSuchRoute,
        "see /openapi.json for the paths there are",
    )
}

async fn method_not_allowed(request: Request) -> Problem {
    let detail = match request.method().as_str() {
        "POST" | "PUT" | "PATCH" | "DELETE" => "nothing can be changed here; only GET is answered",
        _ => "only GET is answered",
    };
    Problem::new(ProblemKind::MethodNotAllowed, detail)
}

/// An answer with this many records in it.
fn found<T: Serialize>(body: &T, count: usize) -> Result<Response, Problem> {
    let json = serde_json::to_vec(body).map_err(|error| {
        tracing::error!(%error, "an answer cannot be written as JSON");
        Problem::internal()
    })?;
    let mut response = json.into_response();
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    response.extensions_mut().insert(ResultCount(count));
    Ok(response)
}

fn not_found(what: &'static str) -> Problem {
    Problem::new(ProblemKind::NotFound, what)
}

/// An error of the store: another try can help, or it is ours.
fn store_failed(error: &StoreError) -> Problem {
    if matches!(error, StoreError::Timeout { .. }) {
        tracing::warn!(%error, "the database is slow");
        Problem::new(
            ProblemKind::TimedOut,
            "the database did not answer in time; try again",
        )
    } else if error.is_transient() || is_before_any_answer(error) {
        tracing::warn!(%error, "the database does not answer");
        Problem::new(ProblemKind::DatabaseUnavailable, "try again in a moment")
    } else {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(%error, cause, "a lookup failed");
        Problem::internal()
    }
}

/// No lookup was asked: there is no connection, or none that could answer. A password that is replaced is one such moment.
fn is_before_any_answer(error: &StoreError) -> bool {
    error.is_fault_of_set_up() || matches!(error, StoreError::Schema { .. } | StoreError::Connect { .. })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::{Endpoint, id_segment};
    use crate::openapi_text;

    #[test]
    fn the_id_is_the_segment_after_its_kind() {
        assert_eq!(id_segment("/admin/tx/a%2Fb"), "a%2Fb");
        assert_eq!(id_segment("/admin/wallets/w-1/tx"), "w-1");
        assert_eq!(id_segment("/admin"), "");
    }

    #[test]
    fn a_path_nobody_made_has_the_one_label_of_its_kind() {
        assert_eq!(Endpoint::of(None).label(), "unknown");
        assert_eq!(Endpoint::of(Some("/admin/{*rest}")).label(), "unknown");
    }

    #[test]
    fn what_is_routed_is_described_and_what_is_guarded_says_so() {
        let document: Value = serde_json::from_str(&openapi_text()).expect("JSON");
        let described: BTreeSet<_> = document["paths"]
            .as_object()
            .into_iter()
            .flatten()
            .flat_map(|(path, item)| {
                let methods = item.as_object().into_iter().flatten();
                methods.map(move |(method, operation)| {
                    (method.as_str(), path.as_str(), operation["security"].is_array())
                })
            })
            .collect();
        let routed = Endpoint::ROUTED
            .iter()
            .map(|endpoint| ("get", endpoint.label(), endpoint.is_guarded()))
            .collect();
        assert_eq!(described, routed);
    }
}
