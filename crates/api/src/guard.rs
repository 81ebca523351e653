//! What stands before every admin route, the unknown ones included: a place, limits, who asks and may they, a time
//! limit, a net under a panic. And behind it: no answer leaves before its audit row is committed.
//! Follows serving contract 7.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::header::CONTENT_LENGTH;
use nsc_auth::{AuthFailure, MAX_TOKEN_BYTES, TokenError};
use tokio::time::timeout;
use tracing::Instrument;

use crate::app::{App, Shared};
use crate::attempt::Attempt;
use crate::loopback_host::is_for_loopback;
use crate::options::Limits;
use crate::problem::{Problem, ProblemKind};

/// A client that hangs up drops its request; the attempt goes on in a task of its own, so that it is audited.
pub(crate) async fn guard(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let attempt = audited(Arc::clone(&app), request, next).in_current_span();
    let answer = app.attempts.spawn(attempt).await;
    answer.unwrap_or_else(|_| Problem::internal().into_response())
}

async fn audited(app: Shared, request: Request, next: Next) -> Response {
    let mut attempt = Attempt::begin(&app, &request);
    let answer = answer(&app, &mut attempt, request, next).await;
    match app.audit.record(attempt.row(&answer)).await {
        Ok(()) => answer,
        Err(error) => {
            // The line stands in for the row; the ids are those of the span.
            tracing::error!(%error, status = answer.status().as_u16(), "an attempt could not be audited");
            let detail = "nothing is answered that is not audited; try again";
            Problem::new(ProblemKind::AuditUnavailable, detail).into_response()
        }
    }
}

async fn answer(app: &App, attempt: &mut Attempt, request: Request, next: Next) -> Response {
    let work = AssertUnwindSafe(admitted(app, attempt, request, next)).catch_unwind();
    match timeout(app.limits.request_timeout, work).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Ok(Err(problem))) => problem.into_response(),
        Ok(Err(_panic)) => {
            tracing::error!("a request made the server panic");
            Problem::internal().into_response()
        }
        Err(_elapsed) => Problem::new(ProblemKind::TimedOut, "try again").into_response(),
    }
}

async fn admitted(
    app: &App,
    attempt: &mut Attempt,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let _place = app
        .places
        .try_acquire()
        .map_err(|_| Problem::new(ProblemKind::Overloaded, "try again in a moment"))?;
    within_limits(&request, &app.limits)?;
    if app.auth.needs_loopback_host() && !is_for_loopback(&request) {
        let detail = "without authentication only requests to localhost, 127.0.0.1 or [::1] are answered";
        return Err(Problem::new(ProblemKind::Misdirected, detail));
    }
    let principal = app
        .auth
        .authenticate(request.headers(), app.clock.now())
        .await
        .map_err(|failure| match failure {
            AuthFailure::Token(error) => {
                if error == TokenError::TooLong {
                    tracing::warn!(limit = MAX_TOKEN_BYTES, "a token is longer than is read");
                }
                Problem::unauthenticated(error)
            }
            AuthFailure::KeysUnavailable { retry_after } => Problem::new(
                ProblemKind::KeysUnavailable,
                "the token cannot be judged; try again",
            )
            .retry_after(retry_after),
        })?;
    let principal = attempt.by(principal);
    if !principal.may_read() {
        if principal.is_cut {
            tracing::warn!(
                "a token without the roles asked for says that the issuer left roles or groups out of it"
            );
        }
        return Err(Problem::forbidden(principal.is_cut));
    }
    Ok(next.run(request).await)
}

fn within_limits(request: &Request, limits: &Limits) -> Result<(), Problem> {
    let headers = request.headers();
    let target = request.uri().path_and_query().map_or(0, |p| p.as_str().len());
    let header_bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    let body_bytes = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok())
        .unwrap_or(0);
    let refused = |kind, what: &str, most: u64| {
        Err(Problem::new(
            kind,
            format!("{what} may have at most {most} bytes"),
        ))
    };
    if target > limits.target_bytes {
        return refused(
            ProblemKind::TargetTooLong,
            "path and query",
            limits.target_bytes as u64,
        );
    }
    if header_bytes > limits.header_bytes {
        tracing::warn!(
            header_bytes,
            limit = limits.header_bytes,
            "a request's headers are longer than is read"
        );
        return refused(
            ProblemKind::HeadersTooLarge,
            "the headers",
            limits.header_bytes as u64,
        );
    }
    if body_bytes > limits.body_bytes {
        return refused(ProblemKind::BodyTooLarge, "a body", limits.body_bytes);
    }
    Ok(())
}
