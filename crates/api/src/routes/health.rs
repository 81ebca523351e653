//! `GET /healthz`: the process answers. `GET /readyz`: it can do its work.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::found;
use crate::app::Shared;
use crate::problem::{Problem, ProblemKind};

/// All is well.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

const OK: Health = Health { status: "ok" };

/// Whether the process lives
#[utoipa::path(get, path = "/healthz", operation_id = "getHealth", tag = "operation",
    responses((status = 200, description = "It answers.", body = Health)))]
pub(crate) async fn healthz() -> Result<Response, Problem> {
    found(&OK, 0)
}

/// Whether requests can be answered
///
/// The database is reachable, has the schema this program needs and lets it read and audit; the issuer's keys are at
/// hand; no shutdown is under way.
#[utoipa::path(get, path = "/readyz", operation_id = "getReadiness", tag = "operation",
    responses((status = 200, description = "They can.", body = Health)))]
pub(crate) async fn readyz(State(app): State<Shared>) -> Result<Response, Problem> {
    match app.readiness.check(&app.auth, &app.store, &app.shutdown).await {
        Ok(()) => found(&OK, 0),
        Err(reason) => Err(Problem::new(ProblemKind::NotReady, reason)),
    }
}
