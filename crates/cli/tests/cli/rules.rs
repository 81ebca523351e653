//! Rules files of others, and rules that a lake already holds.

use std::path::Path;

use serde_json::Value;

use crate::{nsc, stderr, stdout};

/// Nine rules as the first implementation lists them: an array, without the ones it did not know.
const NINE: &str = r#"[
  {"rule_id": "dq_freshness_default", "domain": "dq", "metric": "freshness_sec", "threshold": 300, "severity_map": {"warn": 300, "crit": 600}},
  {"rule_id": "dq_dup_txid_default", "domain": "dq", "metric": "dup_rate_tx_id", "threshold": 0.001, "severity_map": {"warn": 0.001, "crit": 0.01}},
  {"rule_id": "dq_completeness_zero_windows_v1", "domain": "dq", "metric": "completeness_zero_windows", "threshold": 3, "severity_map": {"warn": 1, "crit": 3}},
  {"rule_id": "dq_contract_bad_records_default", "domain": "dq", "metric": "contract_bad_records_rate", "threshold": 0.01, "severity_map": {"warn": 0.001, "crit": 0.01}},
  {"rule_id": "ledger_recon_abs_default", "domain": "ledger", "metric": "drift_abs", "threshold": 0, "severity_map": {"crit": 0}},
  {"rule_id": "ledger_supply_diff_default", "domain": "ledger", "metric": "supply_diff_abs", "threshold": 0, "severity_map": {"crit": 0}},
  {"rule_id": "silver_bad_records_default", "domain": "silver", "metric": "bad_records_rate", "threshold": 0.01, "severity_map": {"fail": 0.01}},
  {"rule_id": "silver_entry_type_allowed_v1", "domain": "silver", "metric": "entry_type_allowed", "allowed_values": ["CHARGE", "WITHDRAW", "PAYMENT", "RECEIVE", "REFUND_OUT", "REFUND_IN", "HOLD", "RELEASE", "MINT", "BURN"]},
  {"rule_id": "silver_payment_status_allowed_v1", "domain": "silver", "metric": "payment_status_allowed", "allowed_values": ["PAID", "PENDING", "FAILED", "CANCELLED", "REFUNDED"]}
]"#;
const LACKING: [&str; 6] = [
    "dq.dup_rate_order_id",
    "dq.dup_rate_wallet_snapshot",
    "ledger.gate_tags",
    "ledger.gate_scope",
    "ops.payment_failed_status",
    "ops.payment_refunded_status",
];

fn with_nine() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("nine.json"), NINE).unwrap();
    dir
}

/// Exit code and stdout.
fn said(dir: &Path, line: &str) -> (i32, String) {
    let output = nsc(dir, &line.split_whitespace().collect::<Vec<_>>());
    assert!(output.stderr.is_empty(), "{line}: {}", stderr(&output));
    (output.status.code().unwrap(), stdout(&output))
}

fn json(dir: &Path, line: &str) -> Value {
    let (code, text) = said(dir, &format!("{line} --format json"));
    assert_eq!(code, 0, "{line}");
    serde_json::from_str(&text).unwrap()
}

fn ids(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap())
        .collect()
}

/// The rule id in force for a metric.
fn in_force(dir: &Path, metric: &str) -> String {
    let list = json(dir, "rules list");
    let rule = list.as_array().unwrap().iter().find(|r| r["metric"] == metric);
    rule.map_or("none", |r| r["rule_id"].as_str().unwrap()).to_owned()
}

#[test]
fn what_a_pipeline_needs_and_a_file_lacks_is_named_before_any_run() {
    let dir = with_nine();
    let dir = dir.path();
    let (code, checked) = said(dir, "rules check nine.json");
    assert_eq!(code, 2);
    let (code, synced) = said(dir, "rules sync nine.json");
    assert_eq!(code, 0);
    for metric in LACKING {
        assert!(
            checked.contains(&format!("no rule for {metric} is in force")),
            "{checked}"
        );
        assert!(synced.contains(&format!("missing {metric}\n")), "{synced}");
    }
    assert!(!checked.contains("drift_abs is"), "{checked}");
    assert!(synced.contains("--fill stores the shipped ones"), "{synced}");
    // What the run would have stopped at is the same.
    let run = nsc(
        dir,
        &[
            "run",
            "b",
            "--date-kst",
            "2026-01-05",
            "--now",
            "2026-01-06T00:00:00Z",
        ],
    );
    assert_ne!(run.status.code(), Some(0));

    let filled = json(dir, "rules sync nine.json --fill");
    assert_eq!(
        (filled["unchanged"].as_u64(), ids(&filled["opened"]).len()),
        (Some(9), 11)
    );
    assert!(ids(&filled["missing"]).is_empty());
    assert_eq!(said(dir, "rules check").0, 0);
    assert_eq!(said(dir, "rules check nine.json").0, 0);
    // The file's own rules stand; only what it lacks is the shipped one.
    assert_eq!(
        in_force(dir, "silver.payment_status_allowed"),
        "silver_payment_status_allowed_v1"
    );
    assert_eq!(in_force(dir, "ledger.system_wallets"), "ledger_system_wallets_v1");
    let again = json(dir, "rules sync nine.json --fill");
    assert_eq!(
        (again["unchanged"].as_u64(), ids(&again["opened"]).len()),
        (Some(9), 0)
    );
}

#[test]
fn a_run_that_syncs_an_incomplete_file_names_what_is_missing_too() {
    let dir = with_nine();
    let report = json(dir.path(), "run sync-rules --rules nine.json");
    assert_eq!(ids(&report["rules"]["missing"]), LACKING);
    let text = said(dir.path(), "run sync-rules --rules nine.json").1;
    assert!(text.contains("rules missing: dq.dup_rate_order_id, "), "{text}");
}

#[test]
fn a_file_of_one_team_over_a_complete_lake_is_complete() {
    let dir = with_nine();
    let dir = dir.path();
    json(dir, "rules sync");
    let one = "version: 1\nrules:\n  - {rule_id: ledger_recon_abs_v2, domain: ledger, metric: drift_abs, threshold: 1}\n";
    std::fs::write(dir.join("one.yaml"), one).unwrap();
    let (code, checked) = said(dir, "rules check one.yaml");
    assert_eq!(code, 0, "{checked}");
    assert!(
        checked.contains("stays as stored: ") && checked.contains("dq_freshness_default"),
        "{checked}"
    );
    assert!(ids(&json(dir, "rules sync one.yaml")["missing"]).is_empty());
}

#[test]
fn the_shipped_rules_and_those_of_the_first_implementation_take_over_from_one_another() {
    let dir = with_nine();
    let dir = dir.path();
    let status = |dir| in_force(dir, "silver.payment_status_allowed");
    json(dir, "rules sync nine.json --now 2026-01-01T00:00:00Z");
    let shipped = json(dir, "rules sync --now 2026-01-02T00:00:00Z");
    assert_eq!(ids(&shipped["closed"]), ["silver_payment_status_allowed_v1"]);
    assert!(ids(&shipped["opened"]).contains(&"silver_payment_status_allowed_v2"));
    assert_eq!(status(dir), "silver_payment_status_allowed_v2");
    assert_eq!(said(dir, "rules check").0, 0);

    // The other way round, in a lake of its own.
    let other = with_nine();
    let other = other.path();
    json(other, "rules sync --now 2026-01-01T00:00:00Z");
    let theirs = json(other, "rules sync nine.json --now 2026-01-02T00:00:00Z");
    assert_eq!(
        (ids(&theirs["opened"]), ids(&theirs["closed"])),
        (
            vec!["silver_payment_status_allowed_v1"],
            vec!["silver_payment_status_allowed_v2"]
        )
    );
}

#[test]
fn a_lake_of_the_id_before_keeps_its_rule_at_night_and_changes_it_when_told() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // As it was shipped before: the same set under the first id.
    let before = "version: 1\nrules:\n  - {rule_id: silver_payment_status_allowed_v1, domain: silver, metric: payment_status_allowed, \
                  allowed_values: [PAID, PENDING, FAILED, CANCELLED, REFUNDED, SETTLED]}\n";
    std::fs::write(dir.join("before.yaml"), before).unwrap();
    json(dir, "rules sync before.yaml --fill --now 2026-01-01T00:00:00Z");
    assert_eq!(said(dir, "init").0, 0);
    let night = nsc(dir, &["run", "e2e", "--now", "2026-01-06T00:00:00Z"]);
    assert_eq!(night.status.code(), Some(0), "{}", stderr(&night));
    assert_eq!(
        in_force(dir, "silver.payment_status_allowed"),
        "silver_payment_status_allowed_v1"
    );
    let told = json(dir, "rules sync");
    assert_eq!(
        (ids(&told["opened"]), ids(&told["closed"])),
        (
            vec!["silver_payment_status_allowed_v2"],
            vec!["silver_payment_status_allowed_v1"]
        )
    );
    // What an operator has bumped to that id is another definition, and is not overwritten without a word.
    let bumped = tempfile::tempdir().unwrap();
    let bumped = bumped.path();
    std::fs::write(
        bumped.join("own.yaml"),
        before.replace("_v1", "_v2").replace(", SETTLED", ""),
    )
    .unwrap();
    json(bumped, "rules sync own.yaml");
    let refused = nsc(bumped, &["rules", "sync"]);
    assert!(stderr(&refused).contains("NSC0303"), "{}", stderr(&refused));
    let third = json(bumped, "rules sync --bump");
    assert!(ids(&third["opened"]).contains(&"silver_payment_status_allowed_v3"));
}

#[test]
fn an_alias_that_cannot_be_meant_is_not_stored() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    json(dir, "rules sync");
    for (values, problem) in [
        ("[BUY]", "is not SOURCE_WORD=CONTRACT_WORD"),
        ("[BUY=CHARGE, BUY=PAYMENT]", "stands for two words"),
        ("[BUY=CHARGE, CHARGE=MINT]", "a word is looked up once"),
        ("[BUY=CHARG]", "is CHARGE meant?"),
        (
            "[BUY=charge]",
            "is none of the words of silver_entry_type_allowed_v1",
        ),
        ("[HOLD=PAYMENT]", "gives another meaning to HOLD"),
    ] {
        let file = format!(
            "version: 1\nrules:\n  - {{rule_id: silver_entry_type_alias_v2, domain: silver, metric: entry_type_alias, allowed_values: {values}}}\n"
        );
        std::fs::write(dir.join("alias.yaml"), file).unwrap();
        for command in ["sync", "check"] {
            let refused = nsc(dir, &["rules", command, "alias.yaml"]);
            let text = stdout(&refused) + &stderr(&refused);
            assert_eq!(refused.status.code(), Some(2), "{text}");
            assert!(
                text.contains(
                    "NSC0302: rules file alias.yaml is not usable: rule silver_entry_type_alias_v2 (line 3)"
                ) && text.contains(problem),
                "{command}: {text}"
            );
        }
    }
    assert_eq!(
        in_force(dir, "silver.entry_type_alias"),
        "silver_entry_type_alias_v1"
    );
    // The file has the list alone, and the alias that it contradicts is stored.
    let rule = |id: &str, values: &str| {
        format!(
            "version: 1\nrules:\n  - {{rule_id: silver_{id}_v9, domain: silver, metric: {id}, allowed_values: {values}}}\n"
        )
    };
    std::fs::write(dir.join("alias.yaml"), rule("entry_type_alias", "[BUY=CHARGE]")).unwrap();
    json(dir, "rules sync alias.yaml");
    std::fs::write(dir.join("list.yaml"), rule("entry_type_allowed", "[MINT, BURN]")).unwrap();
    let refused = nsc(dir, &["rules", "sync", "list.yaml"]);
    let text = stderr(&refused);
    assert!(
        text.contains("rules file list.yaml is not usable: rule silver_entry_type_allowed_v9 (line 3)")
            && text.contains("of silver_entry_type_alias_v9"),
        "{text}"
    );
}

#[test]
fn a_rule_that_could_never_be_looked_up_is_refused_with_its_line_and_the_names_there_are() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    json(dir, "rules sync");
    for (metric, problem) in [
        ("freshness_sec@user_wallets", "is user_wallets_raw meant?"),
        (
            "freshness_sec@wallets",
            "its sources are transaction_ledger_raw, user_wallets_raw, payment_orders_raw",
        ),
        (
            "dup_rate_tx_id@payment_orders_raw",
            "its sources are transaction_ledger_raw",
        ),
    ] {
        let file = format!(
            "version: 1\nrules:\n  - rule_id: dq_own_v1\n    domain: dq\n    metric: {metric}\n    threshold: 1\n"
        );
        std::fs::write(dir.join("own.yaml"), file).unwrap();
        for command in [
            "rules sync own.yaml",
            "rules check own.yaml",
            "run sync-rules --rules own.yaml",
        ] {
            let refused = nsc(dir, &command.split(' ').collect::<Vec<_>>());
            let text = stderr(&refused);
            assert_eq!(refused.status.code(), Some(2), "{command}: {text}");
            assert!(
                text.contains("NSC0302: rules file own.yaml is not usable: rule dq_own_v1 (line 3)")
                    && text.contains(problem),
                "{command}: {text}"
            );
        }
    }
    assert_eq!(in_force(dir, "dq.freshness_sec@user_wallets"), "none");
}

#[test]
fn what_is_most_likely_not_meant_is_warned_of_wherever_rules_are_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    json(dir, "rules sync");
    let file = "version: 1\nrules:\n  - {rule_id: dq_own_v1, domain: dq, metric: freshnes_sec, threshold: 1}\n\
                \x20 - {rule_id: ops_failed_v2, domain: ops, metric: payment_failed_status, allowed_values: [FAILED, CANCELED]}\n";
    std::fs::write(dir.join("own.yaml"), file).unwrap();
    let checked = said(dir, "rules check own.yaml");
    let synced = said(dir, "rules sync own.yaml");
    let stored = said(dir, "rules check");
    for (code, text) in [checked, synced, stored] {
        assert_eq!(code, 0, "{text}");
        for warning in [
            "is freshness_sec meant?",
            "counts CANCELED, which",
            "is CANCELLED meant?",
        ] {
            assert!(text.contains(warning), "{warning}: {text}");
        }
    }
    let report = json(dir, "rules sync own.yaml");
    assert_eq!(ids(&report["warnings"]).len(), 2);
}

#[test]
fn a_list_that_loses_the_word_of_a_stored_alias_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    json(dir, "rules sync");
    let own = |id: &str, metric: &str, values: &str| {
        let rule =
            format!("  - {{rule_id: {id}, domain: silver, metric: {metric}, allowed_values: [{values}]}}\n");
        std::fs::write(dir.join("own.yaml"), format!("version: 1\nrules:\n{rule}")).unwrap();
        let output = nsc(dir, &["rules", "sync", "own.yaml"]);
        (output.status.code().unwrap(), stderr(&output))
    };
    assert_eq!(own("alias_v2", "payment_status_alias", "READY=PENDING").0, 0);
    let (code, text) = own(
        "allowed_v3",
        "payment_status_allowed",
        "PAID, FAILED, CANCELLED, REFUNDED",
    );
    assert!(
        code == 2 && text.contains("READY=PENDING stands for PENDING"),
        "{text}"
    );
    // Other rules are synced as ever.
    assert_eq!(own("rate", "entry_type_alias", "BUY=CHARGE").0, 0);
}
