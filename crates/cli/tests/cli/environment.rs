//! What the environment's variables say, and what is not said: NSC_ENV above all.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::{stderr, stdout};

/// Runs `nsc` with these variables and no other.
fn with(dir: &Path, line: &str, variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nsc"))
        .args(line.split_whitespace())
        .current_dir(dir)
        .env_clear()
        .env("HOME", dir)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

/// The same, with the exit code it has to end with.
pub(crate) fn ended(dir: &Path, line: &str, variables: &[(&str, &str)], code: i32) -> String {
    let output = with(dir, line, variables);
    let said = format!("{}{}", stdout(&output), stderr(&output));
    assert_eq!(
        output.status.code(),
        Some(code),
        "nsc {line} {variables:?}\n{said}"
    );
    said
}

/// A row of `nsc config show`: value and origin.
fn shown(dir: &Path, key: &str, variables: &[(&str, &str)]) -> String {
    let output = with(dir, "config show --format json", variables);
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let row = rows.iter().find(|row| row["key"] == key).unwrap();
    format!("{} | {}", row["value"], row["origin"])
}

const NIGHT: &str = "--date-kst 2026-01-05 --now 2026-01-05T15:30:00Z";
const LAKE: (&str, &str) = ("NSC_ROOT", "lake");
const LOCAL: (&str, &str) = ("NSC_ENV", "local");

#[test]
fn a_salt_is_asked_for_when_there_is_a_user_to_hide_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let entry = r#"{"tx_id":"t1","wallet_id":"u1","type":"CHARGE","amount":"100.00","created_at":"2026-01-05T10:00:00+09:00","ingested_at":"2026-01-05T01:01:00Z"}"#;
    std::fs::write(dir.join("ledger.jsonl"), entry).unwrap();
    ended(dir, "ingest transaction_ledger ledger.jsonl", &[LAKE], 0);
    // Nobody paid: nothing is hashed.
    ended(dir, "run e2e --now 2026-01-05T15:30:00Z", &[LAKE], 0);

    let order = r#"{"order_id":"p1","user_id":"u1","merchant_name":"m","amount":"10.00","status":"PAID","created_at":"2026-01-05T01:00:00Z","ingested_at":"2026-01-05T01:01:00Z"}"#;
    std::fs::write(dir.join("orders.jsonl"), order).unwrap();
    ended(dir, "ingest payment_orders orders.jsonl", &[LAKE], 0);
    ended(dir, &format!("run silver {NIGHT}"), &[LAKE], 0);
    let c = format!("run c {NIGHT}");
    for variables in [
        &[LAKE][..],
        &[LAKE, ("NSC_ENV", "prod")],
        &[LAKE, ("APP_ENV", "production")],
    ] {
        let said = ended(dir, &c, variables, 2);
        assert!(
            said.contains("ERROR NSC0006: ") && said.contains("2026-01-05"),
            "{said}"
        );
    }
    let count = "sql --format csv SELECT/**/count(*)/**/FROM/**/gold.fact_payment_anonymized";
    assert!(ended(dir, count, &[LAKE], 0).ends_with("\n0\n"));

    let dummy = "the published dummy salt local-salt-v1";
    let local = ended(dir, &c, &[LAKE, LOCAL], 0);
    assert!(
        local.contains(&format!("note: user_key is made with {dummy}")),
        "{local}"
    );
    assert!(local.contains("WARN"), "in the log as well: {local}");
    let runs = ended(dir, "runs list --format json", &[LAKE], 0);
    let runs: Vec<Value> = serde_json::from_str(&runs).unwrap();
    let run = runs
        .iter()
        .find(|run| run["pipeline"] == "pipeline_c" && run["status"] == "success");
    let run = run.and_then(|run| run["run_id"].as_str()).unwrap();
    assert!(ended(dir, &format!("runs show {run}"), &[LAKE], 0).contains(dummy));
    assert!(ended(dir, "doctor", &[LAKE, LOCAL], 0).contains("the published dummy"));

    // Under a salt of one's own, also under its older name, nothing of the kind is said.
    for name in ["NSC_SALT", "ANON_USER_KEY_SALT"] {
        let own = ended(dir, &c, &[LAKE, (name, "pepper")], 0);
        assert!(!own.contains("dummy"), "{own}");
        assert!(!ended(dir, "doctor", &[LAKE, (name, "pepper")], 0).contains("dummy"));
    }
    let refused = ended(dir, &c, &[LAKE, ("NSC_SALT", "local-salt-v1")], 2);
    assert!(refused.contains("NSC0003"), "{refused}");
}

#[test]
fn an_environment_that_is_not_said_is_shown_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert_eq!(shown(dir, "environment", &[]), r#""unset" | "default""#);
    assert_eq!(
        shown(dir, "environment", &[LOCAL]),
        r#""local" | "environment NSC_ENV""#
    );
    assert!(ended(dir, "doctor", &[], 0).contains("as strict as prod"));
}

#[test]
fn the_log_variable_of_other_rust_programs_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for value in [
        "info",
        "INFO",
        "hyper=warn",
        "hyper",
        "info,h2",
        "warn,nsc=debug",
        "tower=loud",
        "info/x",
    ] {
        let output = with(dir.path(), "config show", &[("RUST_LOG", value)]);
        assert_eq!(output.status.code(), Some(0), "{value}: {}", stderr(&output));
        let lines = stderr(&output)
            .lines()
            .filter(|line| line.contains("RUST_LOG"))
            .count();
        let is_ours = matches!(value, "info" | "INFO" | "warn,nsc=debug");
        assert_eq!(lines, usize::from(!is_ours), "{value}: {}", stderr(&output));
    }
}

#[test]
fn older_names_are_shown_with_what_they_are_read_as() {
    let dir = tempfile::tempdir().unwrap();
    let sasl = [
        ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),
        ("KAFKA_SASL_USERNAME", "$ConnectionString"),
        ("KAFKA_SASL_PASSWORD", "s3cret"),
    ];
    assert_eq!(
        shown(dir.path(), "kafka.security", &sasl),
        r#""plain" | "environment KAFKA_SECURITY_PROTOCOL, read as KAFKA_SECURITY""#
    );
    assert_eq!(
        shown(dir.path(), "kafka.password", &sasl),
        r#""********" | "environment KAFKA_SASL_PASSWORD, read as KAFKA_PASSWORD""#
    );
}

#[test]
fn what_would_silently_not_hold_is_shown_and_then_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let lost = ("AUDIT_MASK_QUERY_KEYS", "token");
    for environment in ["prod", "dev", ""] {
        let said = ended(dir, "config show", &[lost, ("NSC_ENV", environment)], 2);
        assert!(said.contains("kafka.brokers"), "it is shown all the same: {said}");
        assert!(said.contains("ERROR NSC0004: AUDIT_MASK_QUERY_KEYS"), "{said}");
    }
    let said = ended(dir, "config show", &[lost, LOCAL], 0);
    assert!(said.contains("AUDIT_MASK_QUERY_KEYS"), "{said}");
    ended(
        dir,
        "config show",
        &[lost, ("NSC_IGNORED_VARIABLES", "AUDIT_MASK_QUERY_KEYS")],
        0,
    );
    // The lakehouse does not audit queries.
    ended(dir, "run sync-rules", &[lost, LAKE], 0);
}

#[test]
fn variables_of_other_software_stop_nothing_and_are_not_misspelt_ones() {
    let dir = tempfile::tempdir().unwrap();
    let others = [
        ("KAFKA_HOME", "/opt/kafka"),
        ("KAFKA_PORT", "tcp://10.0.0.7:9092"),
        ("KAFKA_PORT_9092_TCP_ADDR", "10.0.0.7"),
        ("DATABASE_PORT", "5432"),
        ("POSTGRES_SERVICE_HOST", "10.0.0.9"),
        ("NSC_API_SERVICE_HOST", "10.0.0.8"),
        ("NSC_API_PORT", "tcp://10.0.0.8:8080"),
    ];
    let output = with(dir.path(), "config show", &others);
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    for (name, meant) in [
        ("OIDC_ROLE_CLAIM", "OIDC_ROLES_CLAIM"),
        ("OIDC_JWKS", "OIDC_JWKS_URL"),
        ("KAFKA_BROKER", "KAFKA_BROKERS"),
        ("DATABASE_URI", "DATABASE_URL"),
    ] {
        let output = with(dir.path(), "config show", &[(name, "s3cret")]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(
            said.contains(name) && said.contains(&format!("is {meant} meant?")),
            "{said}"
        );
        assert!(!said.contains("s3cret"), "{said}");
    }
}
