//! One attempt on an admin route, as the audit log will have it.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use http::header::USER_AGENT;
use nsc_auth::{Principal, READING_ROLES};
use nsc_store::AuditRow;

use crate::app::App;
use crate::context::RequestContext;
use crate::endpoint::{Endpoint, QUERY_NAMES, id_segment};
use crate::params::{self, MAX_ID_CHARS};

/// Whatever a client sends is kept in part: enough to recognise it by, too little to fill a disk.
const MAX_PATH_CHARS: usize = 1_024;
const MAX_QUERY_CHARS: usize = 1_024;
const MAX_AGENT_CHARS: usize = 256;
/// With room for how many more there were below the 1,000 characters of the column.
const MAX_ROLES_CHARS: usize = 960;

/// How many records an answer holds; handlers leave it in the response's extensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResultCount(pub(crate) u32);

pub(crate) struct Attempt {
    context: Option<Arc<RequestContext>>,
    endpoint: Endpoint,
    row: AuditRow,
    principal: Option<Principal>,
}

impl Attempt {
    pub(crate) fn begin(app: &App, request: &Request) -> Self {
        let context = request.extensions().get::<Arc<RequestContext>>().cloned();
        let endpoint = context.as_ref().map_or(Endpoint::Unknown, |c| c.endpoint);
        let peer = request.extensions().get::<ConnectInfo<std::net::SocketAddr>>();
        let headers = request.headers();
        let row = AuditRow {
            actor_id: None,
            actor_roles: Vec::new(),
            action: endpoint.action().to_owned(),
            resource_type: endpoint.resource().map(|(kind, _)| kind.to_owned()),
            resource_id: resource_id(endpoint, request.uri().path()),
            result: String::new(),
            status_code: 0,
            request_method: cut(request.method().as_str(), 16),
            request_path: cut(request.uri().path(), MAX_PATH_CHARS),
            request_query: request
                .uri()
                .query()
                .map(|query| params::redacted(query, &QUERY_NAMES, MAX_QUERY_CHARS)),
            client_ip: peer.map(|peer| app.trusted_proxies.client(peer.0, headers).to_string()),
            user_agent: headers
                .get(USER_AGENT)
                .map(|agent| cut(&String::from_utf8_lossy(agent.as_bytes()), MAX_AGENT_CHARS)),
            correlation_id: context
                .as_ref()
                .map_or_else(String::new, |c| c.correlation_id.as_str().to_owned()),
            duration_ms: 0,
            result_count: None,
            requested_at: context
                .as_ref()
                .map_or_else(|| app.clock.now(), |c| c.requested_at),
        };
        Self {
            context,
            endpoint,
            row,
            principal: None,
        }
    }

    /// It is known who attempts.
    pub(crate) fn by(&mut self, principal: Principal) -> &Principal {
        self.principal.insert(principal)
    }

    /// What came of it.
    pub(crate) fn row(self, answer: &Response) -> AuditRow {
        let status_code = answer.status().as_u16();
        let told = answer.extensions().get::<ResultCount>().map(|count| count.0);
        // Looked for and not there is none.
        let result_count = told.or((status_code == 404 && self.endpoint.resource().is_some()).then_some(0));
        let (actor_id, actor_roles) = self
            .principal
            .map_or((None, Vec::new()), |p| (Some(p.actor_id), kept_roles(p.roles)));
        let elapsed = self.context.map_or(0, |c| c.elapsed().as_millis());
        AuditRow {
            actor_id,
            actor_roles,
            result: result(self.endpoint, status_code, result_count).to_owned(),
            status_code,
            result_count,
            duration_ms: u64::try_from(elapsed).unwrap_or(u64::MAX),
            ..self.row
        }
    }
}

/// The outcome in a word, for those who search the audit log.
const fn result(endpoint: Endpoint, status: u16, count: Option<u32>) -> &'static str {
    match (status, count) {
        (200, Some(0)) if matches!(endpoint, Endpoint::WalletTx) => "EMPTY",
        (200, _) => "FOUND",
        (400 | 422, _) => "INVALID",
        (401, _) => "UNAUTHENTICATED",
        (403, _) => "FORBIDDEN",
        (404, _) => "NOT_FOUND",
        (..500, _) => "REFUSED",
        _ => "ERROR",
    }
}

/// The roles that counted first, then as many of the others as the column holds, and how many more there were.
fn kept_roles(mut roles: Vec<String>) -> Vec<String> {
    roles.sort_by_key(|role| !READING_ROLES.contains(&role.as_str()));
    let mut chars = 0;
    let fit = roles.iter().take_while(|role| {
        chars += role.chars().count() + 1;
        chars <= MAX_ROLES_CHARS
    });
    let kept = fit.count();
    let more = roles.len() - kept;
    roles.truncate(kept);
    if more > 0 {
        roles.push(format!("and {more} more"));
    }
    roles
}

/// The id asked for; as it was sent when it is no id.
fn resource_id(endpoint: Endpoint, path: &str) -> Option<String> {
    let (_, parameter) = endpoint.resource()?;
    let segment = id_segment(path);
    Some(params::path_id(parameter, segment).unwrap_or_else(|_| cut(segment, MAX_ID_CHARS)))
}

fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => text.get(..end).unwrap_or(text).to_owned(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{cut, kept_roles, resource_id};
    use crate::endpoint::Endpoint;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("\u{ac00}\u{ac01}\u{ac02}", 2), "\u{ac00}\u{ac01}");
        assert_eq!(cut("ab", 2), "ab");
    }

    #[test]
    fn of_many_roles_those_that_count_are_kept_and_the_others_counted() {
        let few = ["b", "ADMIN_READ"].map(str::to_owned).to_vec();
        assert_eq!(kept_roles(few), ["ADMIN_READ", "b"]);
        let mut many: Vec<String> = (0..500).map(|i| format!("role-{i:03}")).collect();
        many.push("ADMIN_AUDIT".to_owned());
        let kept = kept_roles(many);
        assert_eq!(kept[0], "ADMIN_AUDIT");
        assert_eq!(kept.last().map(String::as_str), Some("and 395 more"));
        assert!(kept.join(",").len() <= 1_000);
    }

    #[test]
    fn an_id_is_kept_decoded_and_what_is_none_as_it_was_sent() {
        let kept = |path| resource_id(Endpoint::Tx, path);
        assert_eq!(kept("/admin/tx/a%2Fb").as_deref(), Some("a/b"));
        assert_eq!(kept("/admin/tx/a%00b").as_deref(), Some("a%00b"));
        assert_eq!(
            kept(&format!("/admin/tx/{}", "x".repeat(9_000))).map(|id| id.len()),
            Some(255)
        );
        assert_eq!(resource_id(Endpoint::Unknown, "/admin/secret"), None);
    }
}
