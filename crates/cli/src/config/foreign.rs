//! Variables of the first implementation that nothing here corresponds to. Outside `local` they stop the commands of
//! their half: somebody relies on something that would not hold.

use nsc_core::ErrorCode;

use super::aliases::no_counterpart;
use super::notice::Notice;
use super::scope::Scope;
use crate::environment::Environment;
use crate::failure::OperatorMessage;

/// Overrides of the first implementation's own configuration files.
const PIPELINE_PREFIX: &str = "PIPELINE_CFG__";
const PIPELINE_WHY: &str =
    "rules are in the rules table (nsc rules), everything else in docs/configuration.md";

/// A variable, values of it that say what holds here anyway, and what to do instead.
struct Lost {
    name: &'static str,
    harmless: &'static [&'static str],
    why: &'static str,
}

const fn lost(name: &'static str, why: &'static str) -> Lost {
    Lost {
        name,
        harmless: &[],
        why,
    }
}

/// Read by the services.
const LOST: &[Lost] = &[
    lost(
        "SERVICE_NAME",
        "in metrics and traces the services are nsc-api and nsc-consumer",
    ),
    lost(
        "AUDIT_MASK_QUERY_KEYS",
        "audit rows keep the values of from, to, limit and cursor; those of any other parameter are always masked",
    ),
    lost(
        "DB_SLOW_QUERY_MS",
        "slow statements show in the metric db_query_latency_seconds",
    ),
    lost("DB_POOL_TIMEOUT", "how long a connection is waited for is fixed"),
    lost("DB_POOL_RECYCLE", "how long a connection lives is fixed"),
    lost(
        "CONSUMER_POLL_TIMEOUT_MS",
        "the time a batch waits is NSC_BATCH_WAIT_MS",
    ),
    lost(
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "metrics are scraped from /metrics, or sent to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names",
    ),
    Lost {
        name: "AUTH_ALGORITHM",
        harmless: &["RS256", "ES256"],
        why: "tokens are signed with RS256 or ES256, and both are accepted",
    },
    Lost {
        name: "AUTH_ACTOR_ID_CLAIMS",
        harmless: &["oid,sub"],
        why: "the actor is oid, else sub",
    },
];

/// What stops a command of this scope, and what is only said.
pub(super) fn judge(
    env: &Environment,
    scope: Scope,
    is_local: bool,
) -> (Option<OperatorMessage>, Vec<Notice>) {
    let (mut lost, mut notices) = (Vec::new(), Vec::new());
    let mut add = |name: &str, why: &'static str, matters: bool| {
        if matters && !is_local {
            lost.push((name.to_owned(), why));
        } else {
            notices.push(Notice::loud(
                name,
                format!("nothing here corresponds to it: {why}"),
            ));
        }
    };
    for Lost { name, harmless, why } in LOST {
        let value = env.get(name).map(str::trim).unwrap_or_default();
        if !value.is_empty() && !harmless.contains(&value) {
            add(name, why, scope.has_serving());
        }
    }
    for (name, _) in env.with_prefix(PIPELINE_PREFIX) {
        add(name, PIPELINE_WHY, scope.has_lakehouse());
    }
    (objection(&lost), notices)
}

/// All of them at once: whoever comes from there has several.
fn objection(lost: &[(String, &str)]) -> Option<OperatorMessage> {
    match lost {
        [] => None,
        [(name, why)] => Some(no_counterpart(name, why)),
        several => {
            let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
            let each = several.iter().map(|(name, why)| format!("{name}: {why}"));
            let all = names.join(", ");
            let refusal = OperatorMessage::new(
                ErrorCode::NoCounterpart,
                format!("{all} say something that nothing here corresponds to"),
            );
            Some(
                refusal
                    .with_detail(each.collect::<Vec<_>>().join("\n"))
                    .with_hint(
                        "Unset them. Those that belong to other software are named in NSC_IGNORED_VARIABLES.",
                    ),
            )
        }
    }
}

/// Whether a name is one of these.
pub(super) fn is_lost(name: &str) -> bool {
    name.starts_with(PIPELINE_PREFIX) || LOST.iter().any(|lost| lost.name == name)
}
