//! What is open now: `nsc findings list`, and the view `gold.open_findings`.

use std::path::Path;

use serde_json::Value;

use crate::{nsc, stderr, stdout};

fn list(dir: &Path, arguments: &[&str]) -> Vec<String> {
    let output = nsc(
        dir,
        &[&["findings", "list", "--format", "json"], arguments].concat(),
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or("-").to_owned();
    rows.iter()
        .map(|r| {
            format!(
                "{} {} {}",
                text(r, "date_kst"),
                text(r, "exception_type"),
                text(r, "subject")
            )
        })
        .collect()
}

/// Two nights: on the first a wallet drifts and another one misses its snapshot; the second night's late entry explains the drift.
fn two_nights() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let file =
        |name: &str, lines: &[String]| std::fs::write(dir.path().join(name), lines.join("\n")).unwrap();
    let snapshot = |user: &str, balance: &str, at: &str| {
        format!(
            r#"{{"user_id":"{user}","balance":"{balance}","frozen_amount":"0","ingested_at":"{at}","source_extracted_at":"{at}"}}"#
        )
    };
    let charge = |id: &str, wallet: &str, amount: &str, ingested: &str| {
        format!(
            r#"{{"tx_id":"{id}","wallet_id":"{wallet}","type":"CHARGE","amount":"{amount}","created_at":"2026-01-05T01:00:00Z","ingested_at":"{ingested}"}}"#
        )
    };
    let (start, end) = ("2026-01-04T15:00:00Z", "2026-01-05T15:00:00Z");
    let snapshots = [
        snapshot("w", "0", start),
        snapshot("w", "7", end),
        snapshot("v", "0", start),
    ];
    file("w.jsonl", &snapshots);
    file(
        "1.jsonl",
        &[
            charge("t1", "w", "5", "2026-01-05T01:05:00Z"),
            charge("t2", "v", "1", "2026-01-05T01:05:00Z"),
        ],
    );
    file("2.jsonl", &[charge("t3", "w", "2", "2026-01-05T16:00:00Z")]);
    for line in [
        "rules sync",
        "ingest user_wallets w.jsonl",
        "ingest transaction_ledger 1.jsonl",
        "run silver --date-kst 2026-01-05 --now 2026-01-06T00:00:00Z",
        "run b --date-kst 2026-01-05 --now 2026-01-06T00:20:00Z",
    ] {
        let output = nsc(dir.path(), &line.split_whitespace().collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(0), "{line}: {}", stderr(&output));
    }
    dir
}

#[test]
fn a_finding_is_listed_until_a_run_no_longer_finds_it() {
    let dir = two_nights();
    let dir = dir.path();
    let drift = "2026-01-05 RECON_DRIFT_HIGH w";
    let missed = "2026-01-05 RECON_SNAPSHOT_MISSING v";
    let supply = "2026-01-05 SUPPLY_MISMATCH -";
    assert_eq!(list(dir, &[]), [drift, missed, supply]);
    assert_eq!(list(dir, &["--severity", "Warn"]), [missed]);
    assert_eq!(list(dir, &["--type", "recon_drift_high"]), [drift]);
    assert_eq!(
        list(dir, &["--since", "2026-01-05", "--severity", "critical"]),
        [drift, supply]
    );
    assert!(list(dir, &["--since", "2026-01-06"]).is_empty());
    for line in [
        "ingest transaction_ledger 2.jsonl",
        "run silver --date-kst 2026-01-05 --now 2026-01-06T01:00:00Z",
        "run b --date-kst 2026-01-05 --now 2026-01-06T01:20:00Z",
    ] {
        assert_eq!(
            nsc(dir, &line.split_whitespace().collect::<Vec<_>>())
                .status
                .code(),
            Some(0),
            "{line}"
        );
    }
    assert_eq!(list(dir, &[]), [missed]);
    // The view is the same list, and can be joined, counted and filtered as any table.
    let asked = |sql: &str| stdout(&nsc(dir, &["sql", sql, "--format", "csv"]));
    assert_eq!(
        asked(
            "SELECT exception_type, subject, message LIKE '%\"wallet\":\"v\"%' AS told FROM gold.open_findings"
        ),
        "exception_type,subject,told\nRECON_SNAPSHOT_MISSING,v,true\n"
    );
    assert_eq!(
        asked(
            "SELECT count(*) AS n FROM gold.open_findings o JOIN gold.recon_daily_snapshot_flow r ON r.user_id = o.subject AND r.date_kst = o.date_kst WHERE o.date_kst >= DATE '2026-01-05'"
        ),
        "n\n1\n"
    );
    assert!(asked("SHOW TABLES").contains(",open_findings,"));
}

#[test]
fn nothing_looked_at_is_not_nothing_found() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("lakehouse")).unwrap();
    let refused = nsc(dir.path(), &["findings", "list"]);
    assert_eq!(refused.status.code(), Some(6));
    assert!(
        stderr(&refused).contains("NSC0103: no run has looked for findings"),
        "{}",
        stderr(&refused)
    );
    let refused = nsc(dir.path(), &["sql", "SELECT * FROM gold.open_findings"]);
    assert!(stderr(&refused).contains("NSC0103"), "{}", stderr(&refused));
    // A misspelt type would be answered with an empty list.
    let refused = nsc(dir.path(), &["findings", "list", "--type", "RECON_DRIFT"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("RECON_DRIFT_HIGH"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(
        nsc(dir.path(), &["findings", "list", "--since", "2026-02-30"])
            .status
            .code(),
        Some(2)
    );
}

#[test]
fn a_day_without_findings_says_what_was_judged_and_one_that_was_not_judged_says_so() {
    let dir = two_nights();
    let path = dir.path();
    let explain = |day: &str, more: &[&str]| {
        nsc(
            path,
            &[&["explain", "exception", "--date-kst", day], more].concat(),
        )
    };
    let clean = explain("2026-01-05", &["--type", "ledger_entry_conflict"]);
    assert_eq!(clean.status.code(), Some(0), "{}", stderr(&clean));
    let said = stdout(&clean);
    assert!(
        said.contains("(none)") && said.contains("wallets_judged"),
        "{said}"
    );
    let unjudged = explain("2026-02-05", &[]);
    assert_eq!(unjudged.status.code(), Some(3), "{}", stdout(&unjudged));
    assert!(
        stderr(&unjudged).contains("have not judged 2026-02-05"),
        "{}",
        stderr(&unjudged)
    );
    // The worst comes first, and nothing is left out in silence.
    let first = explain("2026-01-05", &["--limit", "2", "--format", "json"]);
    let first: Value = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!(first["exceptions"][0]["severity"], "CRITICAL");
    assert_eq!(first["shown"][0]["shown"], 2);
    assert_eq!(first["shown"][0]["found"], 3);
    assert_eq!(explain("2026-01-05", &["--limit", "0"]).status.code(), Some(2));
    // A name that nothing has is not clean.
    let nobody = explain("2026-01-05", &["--subject", "nobody"]);
    assert_eq!(nobody.status.code(), Some(2), "{}", stdout(&nobody));
    assert!(stderr(&nobody).contains("nobody is no wallet, tx_id or merchant of 2026-01-05"));
    let misspelt = explain("2026-01-05", &["--type", "SUPPLY_MISMATH"]);
    assert_eq!(misspelt.status.code(), Some(2));
    assert!(
        stderr(&misspelt).contains("SUPPLY_MISMATCH"),
        "{}",
        stderr(&misspelt)
    );
}

#[test]
fn a_finding_is_explained_in_words_beside_its_numbers() {
    let dir = two_nights();
    let output = nsc(
        dir.path(),
        &[
            "explain",
            "exception",
            "--date-kst",
            "2026-01-05",
            "--type",
            "RECON_DRIFT_HIGH",
            "--format",
            "json",
        ],
    );
    let explained: Value = serde_json::from_slice(&output.stdout).unwrap();
    let meaning = &explained["meaning"][0];
    assert_eq!(meaning["name"], "RECON_DRIFT_HIGH", "{explained}");
    for words in ["means", "means_ko", "look_at", "look_at_ko"] {
        assert!(
            meaning[words].as_str().is_some_and(|text| !text.is_empty()),
            "{words}"
        );
    }
    assert_eq!(explained["control"][0]["name"], "B-1");
}

#[test]
fn the_doctor_says_what_is_overdue_and_a_monitor_can_tell() {
    let dir = two_nights();
    let path = dir.path();
    let doctor = |now: &str| nsc(path, &["doctor", "--fail-on", "warn", "--now", now]);
    let late = doctor("2026-03-01T00:00:00Z");
    assert_eq!(late.status.code(), Some(10), "{}", stdout(&late));
    assert!(
        stdout(&late).contains("overdue: 2026-02-28 is not processed"),
        "{}",
        stdout(&late)
    );
    assert_eq!(
        nsc(path, &["doctor", "--now", "2026-03-01T00:00:00Z"])
            .status
            .code(),
        Some(0)
    );
}
