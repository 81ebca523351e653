//! From a request to its handler, through the layers that all of its kind have.

use std::mem;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, any, get};

use crate::app::Shared;
use crate::edge::edge;
use crate::endpoint::Endpoint;
use crate::guard::guard;
use crate::openapi::openapi_json;
use crate::problem::{Problem, ProblemKind};
use crate::routes::{health, metrics, payment_order, tx, wallet_tx};

/// Everything below `/admin` is guarded, whether there is a route or not.
pub(crate) fn router(app: Shared) -> Router {
    let (mut admin, mut open) = (Router::new(), Router::new());
    for endpoint in Endpoint::ROUTED {
        let table = if endpoint.is_guarded() {
            &mut admin
        } else {
            &mut open
        };
        *table = mem::take(table).route(endpoint.label(), handler_of(endpoint));
    }
    for path in ["/admin", "/admin/", "/admin/{*rest}"] {
        admin = admin.route(path, handler_of(Endpoint::Unknown));
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

fn handler_of(endpoint: Endpoint) -> MethodRouter<Shared> {
    match endpoint {
        Endpoint::Tx => get(tx::tx),
        Endpoint::PaymentOrder => get(payment_order::payment_order),
        Endpoint::WalletTx => get(wallet_tx::wallet_tx),
        Endpoint::Healthz => get(health::healthz),
        Endpoint::Readyz => get(health::readyz),
        Endpoint::Metrics => get(metrics::metrics),
        Endpoint::OpenApi => get(openapi_json),
        Endpoint::Unknown => any(no_such_route),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use crate::endpoint::Endpoint;
    use crate::openapi_text;

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
