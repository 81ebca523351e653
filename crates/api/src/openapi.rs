//! The API's description (OpenAPI 3.1): the handlers say what is theirs, this module what every operation has.
//! `docs/openapi.json` is the committed copy; a test holds the two together.

use std::sync::LazyLock;

use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;
use serde_json::json;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Content, ContentBuilder, Header, ObjectBuilder, OpenApi as Document, Ref, RefOr, Required, Response,
    ResponseBuilder, Type,
};
use utoipa::{Modify, OpenApi};

use crate::problem::{PROBLEM_JSON, ParameterProblem, ProblemBody, ProblemKind};
use crate::routes;

const BEARER: &str = "bearer";
const CORRELATION: &str = "X-Correlation-ID";
const EXAMPLE_ID: &str = "01980f3a-7a52-7c05-9f4e-2f6f8d1c2b3a";
const NOT_READY: &str = "NotReady";
/// What a lookup may be answered with when it is not answered.
const ADMIN_PROBLEMS: [u16; 12] = [400, 401, 403, 404, 413, 414, 421, 422, 431, 500, 503, 504];

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Admin API",
        description = "What happened to this transaction, this payment order, in this wallet. Read only; every attempt is audited.\n\nAn error is a problem (RFC 9457). What is no HTTP/1.1 request, has more than 100 header lines or a head over 128 KiB is refused before it is read: 400 or 431 (or the connection just ends), without a body, a correlation id and an audit row.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        routes::tx::tx,
        routes::payment_order::payment_order,
        routes::wallet_tx::wallet_tx,
        routes::health::healthz,
        routes::health::readyz,
        routes::metrics::metrics,
        openapi_json,
    ),
    components(schemas(ProblemBody, ParameterProblem)),
    tags(
        (name = "admin", description = "Lookups. They need a bearer token with the role ADMIN_READ or ADMIN_AUDIT."),
        (name = "operation", description = "For those who run this.")
    ),
    modifiers(&Everywhere)
)]
struct Api;

/// The description as it is served and committed.
#[must_use]
pub fn openapi_text() -> String {
    let mut text = Api::openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

static TEXT: LazyLock<String> = LazyLock::new(openapi_text);

/// This description
#[utoipa::path(get, path = "/openapi.json", operation_id = "getOpenApi", tag = "operation",
    responses((status = 200, description = "OpenAPI 3.1.", body = Object)))]
pub(crate) async fn openapi_json() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], TEXT.as_str())
}

/// What every operation has.
struct Everywhere;

impl Modify for Everywhere {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some(
                "A token of the configured OpenID Connect issuer, signed with RS256 or ES256.",
            ))
            .build();
        components.add_security_scheme(BEARER, SecurityScheme::Http(scheme));
        for status in ADMIN_PROBLEMS {
            let of_admin = |kind: &ProblemKind| kind.status() == status && *kind != ProblemKind::NotReady;
            components
                .responses
                .insert(name_of(status), RefOr::T(problem(status, of_admin)));
        }
        let not_ready = problem(503, |kind| *kind == ProblemKind::NotReady);
        components
            .responses
            .insert(NOT_READY.to_owned(), RefOr::T(not_ready));
        for (path, item) in &mut document.paths.paths {
            if let Some(operation) = item.get.as_mut() {
                complete(path, operation);
            }
        }
    }
}

fn name_of(status: u16) -> String {
    format!("Problem{status}")
}

fn complete(path: &str, operation: &mut Operation) {
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            add_response_headers(response);
        }
    }
    let mut refer = |status: u16, name: String| {
        let response = RefOr::Ref(Ref::from_response_name(name));
        operation.responses.responses.insert(status.to_string(), response);
    };
    if path.starts_with("/admin/") {
        for status in ADMIN_PROBLEMS {
            refer(status, name_of(status));
        }
        operation.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>(BEARER, [])]);
    } else {
        refer(500, name_of(500));
        if path == "/readyz" {
            refer(503, NOT_READY.to_owned());
        }
    }
    add_request_headers(operation);
}

/// Anything may be sent: what is not well-formed is replaced and not refused.
fn add_request_headers(operation: &mut Operation) {
    let header = |name: &str, description: &str, example: &str| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(description))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .example(Some(json!(example)))
            .build()
    };
    operation.parameters.get_or_insert_default().extend([
        RefOr::T(header(
            CORRELATION,
            "1 to 128 of `A-Z a-z 0-9 . _ : -`; anything else is replaced by a fresh id.",
            EXAMPLE_ID,
        )),
        RefOr::T(header(
            "traceparent",
            "W3C Trace Context. The answer and the log carry the trace on.",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )),
    ]);
}

fn add_response_headers(response: &mut Response) {
    let mut add = |name: &str, description: &str, example: &str| {
        response
            .headers
            .insert(name.to_owned(), RefOr::T(text_header(description, example)));
    };
    add(
        CORRELATION,
        "To be named when asking about this request.",
        EXAMPLE_ID,
    );
    add("Cache-Control", "Never kept.", "no-store");
}

fn text_header(description: &str, example: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some(description))
        .example(Some(json!(example)))
        .build()
}

/// The answer with this status, with an example of every kind of problem it can be.
fn problem(status: u16, may_be: impl Fn(&ProblemKind) -> bool) -> Response {
    let kinds: Vec<ProblemKind> = ProblemKind::ALL.iter().copied().filter(may_be).collect();
    let titles: Vec<_> = kinds.iter().map(|kind| kind.title()).collect();
    let mut response = ResponseBuilder::new()
        .description(format!("{}.", titles.join("; or: ")))
        .content(PROBLEM_JSON, examples(&kinds))
        .build();
    add_response_headers(&mut response);
    let particular = match status {
        401 | 403 => Some(("WWW-Authenticate", "RFC 6750.", "Bearer realm=\"nsc\"")),
        503 => Some(("Retry-After", "Seconds.", "1")),
        _ => None,
    };
    if let Some((name, description, example)) = particular {
        let header = RefOr::T(text_header(description, example));
        response.headers.insert(name.to_owned(), header);
    }
    response
}

fn examples(kinds: &[ProblemKind]) -> Content {
    let of = |kind: &ProblemKind| {
        let value = json!({
            "type": kind.type_uri(), "title": kind.title(), "status": kind.status(),
            "detail": "what was wrong this time", "correlation_id": EXAMPLE_ID,
        });
        let name = kind.type_uri().rsplit(':').next().unwrap_or_default();
        let example = ExampleBuilder::new()
            .summary(kind.title())
            .value(Some(value))
            .build();
        (name.to_owned(), RefOr::T(example))
    };
    ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .examples_from_iter(kinds.iter().map(of))
        .build()
}
