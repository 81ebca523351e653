//! Errors as clients see them: RFC 9457 `application/problem+json`.
//!
//! A handler gives a [`Problem`]; the outermost layer, which knows the correlation id, writes it (`edge`).

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use nsc_auth::TokenError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::params::{Fault, ParameterError};

/// The media type.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";
const RETRY_AFTER_SECONDS: u64 = 1;

/// Declares the kinds once: status, the last part of the type URI, and the title.
macro_rules! kinds {
    ($($name:ident = $status:literal, $slug:literal, $title:literal;)+) => {
        /// What kinds of errors there are.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum ProblemKind { $($name),+ }

        impl ProblemKind {
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];

            pub(crate) const fn status(self) -> u16 {
                match self { $(Self::$name => $status),+ }
            }

            pub(crate) const fn type_uri(self) -> &'static str {
                match self { $(Self::$name => concat!("urn:nsc:problem:", $slug)),+ }
            }

            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),+ }
            }
        }
    };
}

kinds! {
    Malformed = 400, "malformed-request", "The request is not understood";
    Unauthenticated = 401, "unauthenticated", "Who asks is not known";
    Forbidden = 403, "forbidden", "A role is missing";
    NotFound = 404, "not-found", "There is no such record";
    NoSuchRoute = 404, "no-such-route", "There is no such path";
    MethodNotAllowed = 405, "method-not-allowed", "The path does not take this method";
    BodyTooLarge = 413, "body-too-large", "The request body is too large";
    TargetTooLong = 414, "target-too-long", "Path and query are too long";
    Misdirected = 421, "misdirected-request", "The request is for another host";
    InvalidParameter = 422, "invalid-parameter", "A parameter is not acceptable";
    HeadersTooLarge = 431, "headers-too-large", "The request headers are too large";
    Internal = 500, "internal", "The server made a mistake";
    DatabaseUnavailable = 503, "database-unavailable", "The database does not answer";
    KeysUnavailable = 503, "keys-unavailable", "The issuer's keys cannot be fetched";
    AuditUnavailable = 503, "audit-unavailable", "The request cannot be audited";
    Overloaded = 503, "overloaded", "Too many requests at once";
    NotReady = 503, "not-ready", "Not ready to serve";
    TimedOut = 504, "timed-out", "The answer took too long";
}

/// An error to answer with.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    kind: ProblemKind,
    detail: Cow<'static, str>,
    errors: Vec<ParameterError>,
    challenge: Option<HeaderValue>,
    retry_after_seconds: u64,
}

/// What a client gets when a request is not answered (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// What kind of error this is; the same URI always means the same.
    #[serde(rename = "type")]
    #[schema(format = "uri", example = "urn:nsc:problem:invalid-parameter")]
    type_uri: &'static str,
    /// The kind in words.
    #[schema(example = "A parameter is not acceptable")]
    title: &'static str,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599, example = 422)]
    status: u16,
    /// What was wrong this time.
    #[schema(example = "parameter limit must be a whole number from 1 to 100, in digits")]
    detail: &'a str,
    /// To be named when asking about this request; as in the header `X-Correlation-ID`.
    #[schema(example = "01980f3a-7a52-7c05-9f4e-2f6f8d1c2b3a")]
    correlation_id: &'a str,
    /// The parameters that were refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ParameterProblem<'a>>,
}

/// A parameter that was refused.
#[derive(Serialize, ToSchema)]
pub(crate) struct ParameterProblem<'a> {
    /// Its name.
    #[schema(example = "limit")]
    parameter: &'a str,
    /// Where it stands.
    #[serde(rename = "in")]
    #[schema(example = "query")]
    place: &'static str,
    /// What is expected of it.
    #[schema(example = "must be a whole number from 1 to 100, in digits")]
    detail: &'static str,
}

impl Problem {
    pub(crate) fn new(kind: ProblemKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            challenge: None,
            retry_after_seconds: RETRY_AFTER_SECONDS,
        }
    }

    /// When another try is worth it, in place of soon; in whole seconds, never too early. Told with a 503 only.
    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        let begun = u64::from(wait.subsec_nanos() > 0);
        self.retry_after_seconds = (wait.as_secs() + begun).max(RETRY_AFTER_SECONDS);
        self
    }

    /// Parameters that were refused. One that is not understood at all makes the whole request malformed.
    pub(crate) fn parameters(errors: Vec<ParameterError>) -> Self {
        let malformed = errors.iter().any(|e| e.fault == Fault::Malformed);
        let kind = if malformed {
            ProblemKind::Malformed
        } else {
            ProblemKind::InvalidParameter
        };
        let detail = errors
            .first()
            .map_or_else(String::new, |e| format!("parameter {} {}", e.parameter, e.detail));
        Self {
            errors,
            ..Self::new(kind, detail)
        }
    }

    pub(crate) fn unauthenticated(error: TokenError) -> Self {
        // RFC 6750: no error is named to a client that did not know it needs a token.
        let challenge = match error {
            TokenError::Missing => "Bearer realm=\"nsc\"".to_owned(),
            error => format!(
                "Bearer realm=\"nsc\", error=\"invalid_token\", error_description=\"{}\"",
                error.to_string().replace('"', "'")
            ),
        };
        Self {
            challenge: HeaderValue::try_from(challenge).ok(),
            ..Self::new(ProblemKind::Unauthenticated, error.to_string())
        }
    }

    /// `is_cut`: the token says that not every role or group is in it.
    pub(crate) fn forbidden(is_cut: bool) -> Self {
        let detail = if is_cut {
            "one of the roles ADMIN_READ and ADMIN_AUDIT is required, and the issuer left roles or groups out of this token, there being too many"
        } else {
            "one of the roles ADMIN_READ and ADMIN_AUDIT is required"
        };
        let challenge = "Bearer realm=\"nsc\", error=\"insufficient_scope\"";
        Self {
            challenge: Some(HeaderValue::from_static(challenge)),
            ..Self::new(ProblemKind::Forbidden, detail)
        }
    }

    pub(crate) fn internal() -> Self {
        Self::new(ProblemKind::Internal, "the log has more under the correlation id")
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The body, which only the outermost layer can write.
    pub(crate) fn body(&self, correlation_id: &str) -> Body {
        let body = ProblemBody {
            type_uri: self.kind.type_uri(),
            title: self.kind.title(),
            status: self.kind.status(),
            detail: &self.detail,
            correlation_id,
            errors: self
                .errors
                .iter()
                .map(|e| ParameterProblem {
                    parameter: &e.parameter,
                    place: e.place.name(),
                    detail: e.detail,
                })
                .collect(),
        };
        serde_json::to_vec(&body).map_or_else(|_| Body::empty(), Body::from)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(challenge) = &self.challenge {
            headers.insert(WWW_AUTHENTICATE, challenge.clone());
        }
        if self.kind.status() == 503 {
            headers.insert(RETRY_AFTER, HeaderValue::from(self.retry_after_seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ProblemKind;

    #[test]
    fn every_kind_has_its_own_type() {
        let types: BTreeSet<_> = ProblemKind::ALL.iter().map(|k| k.type_uri()).collect();
        assert_eq!(types.len(), ProblemKind::ALL.len());
    }
}
