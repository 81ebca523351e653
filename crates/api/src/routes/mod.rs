//! The handlers, and what their answers have in common.

pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod payment_order;
pub(crate) mod tx;
pub(crate) mod wallet_tx;

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use nsc_store::StoreError;
use serde::Serialize;

use crate::attempt::ResultCount;
use crate::problem::{Problem, ProblemKind};

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
