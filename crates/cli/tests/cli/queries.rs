//! A lakehouse from the sample, queried every way.

use std::path::Path;

use serde_json::Value;

use crate::{nsc, stderr, stdout};

fn done(dir: &Path, arguments: &[&str]) -> String {
    let output = nsc(dir, arguments);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{arguments:?}: {}",
        stderr(&output)
    );
    stdout(&output)
}

fn json(dir: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&done(dir, &[arguments, &["--format", "json"]].concat())).unwrap()
}

/// A small world in Bronze.
fn loaded() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    done(
        path,
        &[
            "sample",
            "generate",
            "--out",
            "data",
            "--wallets",
            "50",
            "--entries-per-day",
            "500",
            "--faults",
        ],
    );
    done(
        path,
        &[
            "ingest",
            "orders",
            "data/orders.jsonl",
            "--ingested-at",
            "2026-01-05T16:00:00Z",
        ],
    );
    done(
        path,
        &[
            "ingest",
            "transaction_ledger",
            "data/transaction_ledger.jsonl",
            "--ingested-at",
            "2026-01-05T16:00:00Z",
        ],
    );
    dir
}

#[test]
fn tables_are_queried_and_travelled() {
    let dir = loaded();
    let path = dir.path();
    let again = json(path, &["ingest", "orders", "data/orders.jsonl"]);
    assert_eq!(
        (again["already_loaded"].as_u64(), again["rows"].as_u64()),
        (Some(1), Some(0))
    );
    let count = |sql: &str| json(path, &["sql", sql])[0]["n"].as_i64().unwrap();
    let now = count("SELECT count(*) AS n FROM bronze.orders_raw");
    assert!(now > 0);
    assert_eq!(
        count("SELECT count(*) AS n FROM version_of('bronze.orders_raw', 0)"),
        0
    );
    assert_eq!(
        count("SELECT count(*) AS n FROM version_of('orders_raw', 1)"),
        now
    );
    assert_eq!(
        count("SELECT count(*) AS n FROM as_of('bronze.orders_raw', '2100-01-01T00:00:00Z')"),
        now
    );
    let unknown = nsc(
        path,
        &["sql", "SELECT * FROM version_of('bronze.orders_raw', 99)"],
    );
    assert_eq!(unknown.status.code(), Some(2), "{}", stderr(&unknown));
    assert!(
        stderr(&unknown).contains("has no version 99; its newest is 1"),
        "{}",
        stderr(&unknown)
    );
    let early = nsc(
        path,
        &[
            "sql",
            "SELECT * FROM as_of('bronze.orders_raw', '2001-01-01T00:00:00Z')",
        ],
    );
    assert!(
        stderr(&early).contains("has no version at 2001-01-01T00:00:00Z"),
        "{}",
        stderr(&early)
    );
    assert_eq!(
        json(
            path,
            &[
                "sql",
                "SELECT 0.10 AS amount, TIMESTAMP '2026-01-05T00:00:00Z' AS t, DATE '2026-01-05' AS d"
            ]
        )[0]["amount"],
        "0.10"
    );
    for statement in [
        "SHOW TABLES",
        "DESCRIBE bronze.orders_raw",
        "EXPLAIN SELECT * FROM bronze.orders_raw",
        "SHOW COLUMNS FROM bronze.orders_raw",
    ] {
        assert!(
            !json(path, &["sql", statement]).as_array().unwrap().is_empty(),
            "{statement}"
        );
    }
}

#[test]
fn tables_are_cared_for() {
    let dir = loaded();
    let path = dir.path();
    let rows = |sql: &str| json(path, &["sql", sql]);
    let everything = "SELECT * FROM bronze.transaction_ledger_raw ORDER BY source_ref, load_id";
    done(
        path,
        &[
            "ingest",
            "transaction_ledger",
            "data/transaction_ledger.jsonl",
            "--force",
            "--ingested-at",
            "2026-01-05T17:00:00Z",
        ],
    );
    let before = rows(everything);
    let optimized = json(path, &["table", "optimize", "transaction_ledger_raw"]);
    // One file per day of ingest is left, where every load had left one.
    let files = |name: &str| optimized[0][name].as_u64().unwrap();
    assert!(
        files("files_after") * 2 == files("files_before") && files("files_after") > 0,
        "{optimized}"
    );
    assert_eq!(rows(everything), before);
    assert_eq!(
        json(path, &["table", "optimize", "transaction_ledger_raw"])[0]["files_before"].as_u64(),
        Some(0)
    );
    done(path, &["table", "checkpoint", "transaction_ledger_raw"]);
    assert_eq!(rows(everything), before);
    let vacuum = json(path, &["table", "vacuum", "transaction_ledger_raw", "--apply"]);
    assert_eq!(
        vacuum[0]["files"].as_u64(),
        Some(0),
        "nothing is past its retention: {vacuum}"
    );
    let history = json(path, &["table", "history", "transaction_ledger_raw"]);
    assert_eq!(history[0]["operation"], "OPTIMIZE", "{history}");
    let migrated = json(path, &["table", "migrate"]);
    assert!(migrated.as_array().unwrap().iter().all(|t| t["added"].is_null()));
    assert_eq!(nsc(path, &["doctor"]).status.code(), Some(0));
}

#[test]
fn rules_are_synced_once_and_kept_as_history() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let sync = |args: &[&str]| json(path, &[&["rules", "sync"], args].concat());
    assert_eq!(
        sync(&["--now", "2026-01-01T00:00:00Z"])["opened"]
            .as_array()
            .unwrap()
            .len(),
        20
    );
    assert_eq!(sync(&[])["unchanged"].as_u64(), Some(20));
    let one = "version: 1\nrules:\n  - {rule_id: ledger_recon_abs_default, domain: ledger, metric: drift_abs, threshold: 0.5, severity_map: {crit: 0.5}}\n";
    std::fs::write(path.join("one.yaml"), one).unwrap();
    let refused = nsc(path, &["rules", "sync", "one.yaml"]);
    insta::assert_snapshot!(stderr(&refused));
    assert_eq!(refused.status.code(), Some(2));
    let bumped = sync(&["one.yaml", "--bump", "--now", "2026-02-01T00:00:00Z"]);
    assert_eq!(
        (&bumped["opened"][0], &bumped["closed"][0]),
        (
            &"ledger_recon_abs_default_v2".into(),
            &"ledger_recon_abs_default".into()
        )
    );
    assert_eq!(sync(&["one.yaml"])["unchanged"].as_u64(), Some(1));
    let at = |t: &str| {
        let list = json(path, &["rules", "list", "--as-of", t]);
        let rules = list.as_array().unwrap();
        rules.iter().find(|r| r["metric"] == "ledger.drift_abs").unwrap()["threshold"].as_f64()
    };
    assert_eq!(
        (at("2026-01-15T00:00:00Z"), at("2026-02-01T00:00:00Z")),
        (Some(0.0), Some(0.5))
    );
    assert_eq!(
        json(path, &["rules", "history", "ledger.drift_abs"])
            .as_array()
            .unwrap()
            .len(),
        2
    );
    done(path, &["rules", "check"]);
}

#[test]
fn old_bad_records_go_when_asked() {
    let dir = loaded();
    let path = dir.path();
    done(path, &["rules", "sync"]);
    // The fault mix may be over the rate; the evidence is kept either way.
    let run = nsc(
        path,
        &[
            "run",
            "silver",
            "--date-kst",
            "2026-01-05",
            "--now",
            "2026-01-07T00:00:00Z",
            "--run-id",
            "r1",
        ],
    );
    assert!(matches!(run.status.code(), Some(0 | 4)), "{}", stderr(&run));
    assert_eq!(json(path, &["runs", "show", "r1"])["pipeline"], "pipeline_silver");
    let bad = || {
        json(
            path,
            &[
                "sql",
                "SELECT source_ref, source_table FROM silver.bad_records ORDER BY source_ref LIMIT 1",
            ],
        )
    };
    let first = bad()[0]["source_ref"].as_str().unwrap().to_owned();
    let explained = json(path, &["explain", "bad-record", &first]);
    assert_eq!(
        explained["source_row"][0]["source_ref"],
        first.as_str(),
        "{explained}"
    );
    let reason = explained["bad_record"][0]["reason"].as_str().unwrap();
    let meaning = nsc_contracts::reason::Reason::named(reason).unwrap().means;
    assert_eq!(explained["meaning"][0]["means"], meaning.en, "{explained}");
    assert_eq!(explained["meaning"][0]["means_ko"], meaning.ko, "{explained}");
    let vacuum = |args: &[&str]| json(path, &[&["table", "vacuum", "bad_records"], args].concat())[0].clone();
    assert_eq!(
        vacuum(&["--now", "2026-06-01T00:00:00Z", "--apply"])["rows"],
        0,
        "180 days are not over"
    );
    let dry = vacuum(&["--now", "2026-12-01T00:00:00Z"]);
    assert!(
        dry["rows"].as_u64().unwrap() > 0 && dry["removed"] == false && !bad().as_array().unwrap().is_empty()
    );
    assert_eq!(
        vacuum(&["--now", "2026-12-01T00:00:00Z", "--apply"])["rows"],
        dry["rows"]
    );
    assert!(bad().as_array().unwrap().is_empty());
}

#[test]
fn looking_at_a_root_that_does_not_exist_says_so_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let shown = done(
        dir.path(),
        &["--root", "lake", "table", "show", "silver.ledger_entries"],
    );
    assert!(shown.contains("not yet"), "{shown}");
    let list = done(dir.path(), &["--root", "lake", "table", "list"]);
    assert!(list.contains("absent"), "{list}");
    let health = done(dir.path(), &["--root", "lake", "doctor"]);
    assert!(health.contains("lake does not exist"), "{health}");
    for line in [
        "sql SELECT(1)",
        "runs list",
        "rules list",
        "table history silver.ledger_entries",
        "table optimize",
        "explain recon --date-kst 2026-01-05 --wallet u1",
    ] {
        let arguments: Vec<&str> = ["--root", "lake"].into_iter().chain(line.split(' ')).collect();
        let refused = nsc(dir.path(), &arguments);
        assert_eq!(refused.status.code(), Some(2), "{line}: {}", stderr(&refused));
        assert!(
            stderr(&refused).contains("there is no lakehouse at lake"),
            "{line}: {}",
            stderr(&refused)
        );
    }
    assert!(!dir.path().join("lake").exists());
    // A table that was never written leaves no empty directory either.
    std::fs::create_dir(dir.path().join("lake")).unwrap();
    done(dir.path(), &["--root", "lake", "table", "list"]);
    assert_eq!(std::fs::read_dir(dir.path().join("lake")).unwrap().count(), 0);
}

#[test]
fn an_unknown_wallet_is_explained_by_every_entry_that_is_pending() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    done(path, &["rules", "sync"]);
    let input = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/scenarios/wallet_unknown/input"
    );
    for table in ["user_wallets", "transaction_ledger"] {
        let at = ["--ingested-at", "2026-01-05T15:01:00Z"];
        done(
            path,
            &[&["ingest", table, &format!("{input}/{table}.jsonl")], &at[..]].concat(),
        );
    }
    let days = ["--date-kst-start", "2026-01-05", "--date-kst-end", "2026-01-06"];
    for pipeline in ["silver", "b"] {
        let now = ["--now", "2026-01-06T15:20:00Z"];
        done(path, &[&["run", pipeline], &days[..], &now[..]].concat());
    }
    let explained = json(
        path,
        &[
            "explain",
            "recon",
            "--date-kst",
            "2026-01-06",
            "--wallet",
            "ghost-321",
        ],
    );
    assert_eq!(explained["reconciliation"][0]["pending_flow"], "421.00");
    let entries = &explained["entries_up_to_the_end_of_the_day"];
    let signed: Vec<&str> = (entries.as_array().unwrap().iter())
        .map(|e| e["amount_signed"].as_str().unwrap())
        .collect();
    assert_eq!(signed, ["321.00", "100.00"]);
}

#[test]
fn several_statements_are_run_in_turn_and_none_when_one_is_refused() {
    let dir = loaded();
    let path = dir.path();
    let printed = done(
        path,
        &["sql", "--format", "csv", "SELECT 1 AS a; SELECT ';' AS b;"],
    );
    assert_eq!(printed, "a\n1\nb\n;\n");
    std::fs::write(
        path.join("two.sql"),
        "-- first; of two\nSELECT 1 AS a;\nSELECT 2 AS a",
    )
    .unwrap();
    let of_file = done(path, &["sql", "--format", "ndjson", "-f", "two.sql"]);
    assert_eq!(of_file, "{\"a\":1}\n{\"a\":2}\n");
    let of_commands = done(
        path,
        &[
            "sql",
            "--format",
            "ndjson",
            "-c",
            "SELECT 1 AS a",
            "-c",
            "SELECT 2 AS a",
        ],
    );
    assert_eq!(of_commands, of_file);
    let refused = nsc(path, &["sql", "SELECT 1 AS a; DROP TABLE silver.products"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("NSC0502") && stdout(&refused).is_empty());
    // Each text is read by itself: none goes on in the next one.
    let refused = nsc(path, &["sql", "-c", "SELECT 'a", "-c", "b'"]);
    assert!(
        stderr(&refused).contains("NSC0501") && stdout(&refused).is_empty(),
        "{}",
        stderr(&refused)
    );
    // A text of another system, and where an error of it stands.
    std::fs::write(path.join("two.sql"), "\u{feff}SELECT 1 AS a;\r\nSELECT b").unwrap();
    let failed = nsc(path, &["sql", "--format", "csv", "-f", "two.sql"]);
    assert_eq!(stdout(&failed), "a\n1\n");
    assert!(
        stderr(&failed).contains("two.sql, statement 2 of 2"),
        "{}",
        stderr(&failed)
    );
    let unread = nsc(path, &["sql", "-f", "none.sql"]);
    assert!(
        stderr(&unread).contains("none.sql cannot be read"),
        "{}",
        stderr(&unread)
    );
}

#[test]
fn what_a_reader_would_take_for_another_result_is_refused() {
    let dir = loaded();
    let path = dir.path();
    let twice = "SELECT a.n, b.n FROM (VALUES (1)) AS a(n) JOIN (VALUES (1)) AS b(n) ON a.n = b.n";
    for format in ["json", "ndjson"] {
        let refused = nsc(path, &["sql", "--format", format, twice]);
        assert_eq!(refused.status.code(), Some(2), "{}", stdout(&refused));
        assert!(
            stderr(&refused).contains("two columns of the result are called n"),
            "{}",
            stderr(&refused)
        );
    }
    assert_eq!(done(path, &["sql", "--format", "csv", twice]), "n,n\n1,1\n");
    let zone = "SELECT CAST('2026-01-05T00:00:00Z' AS TIMESTAMP) AT TIME ZONE 'Mars' AS t";
    let refused = nsc(path, &["sql", "--format", "csv", zone]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stdout(&refused).is_empty());
}

#[test]
fn a_table_may_be_named_without_its_layer_and_a_misspelt_one_is_suggested() {
    let dir = loaded();
    let path = dir.path();
    let count =
        |table: &str| json(path, &["sql", &format!("SELECT count(*) AS n FROM {table}")])[0]["n"].clone();
    assert_eq!(
        count("transaction_ledger_raw"),
        count("bronze.transaction_ledger_raw")
    );
    for (given, meant) in [
        ("gold.exception_leger", "gold.exception_ledger"),
        ("transaction_leger_raw", "transaction_ledger_raw"),
        ("silver.open_findings", "open_findings"),
    ] {
        let refused = nsc(path, &["sql", &format!("SELECT * FROM {given}")]);
        let said = stderr(&refused);
        assert!(said.contains(&format!("there is no table {given}")), "{said}");
        assert!(
            said.contains(&format!("Did you mean {meant}?")) && !said.contains("datafusion"),
            "{said}"
        );
    }
    // A column is not taken for a table.
    let column = nsc(
        path,
        &["sql", "SELECT user_ids FROM bronze.transaction_ledger_raw"],
    );
    assert!(!stderr(&column).contains("no table"), "{}", stderr(&column));
    let cte = nsc(path, &["sql", "WITH x AS (SELECT 1 AS n) SELECT m FROM x"]);
    assert!(!stderr(&cte).contains("no table"), "{}", stderr(&cte));
}

#[test]
fn times_are_shown_in_the_zone_people_work_in_and_are_utc_for_machines() {
    let dir = loaded();
    let path = dir.path();
    let instant = "SELECT TIMESTAMP '2026-01-05T15:00:00' AT TIME ZONE 'UTC' AS at";
    let shown = |arguments: &[&str]| done(path, &[&["sql", instant], arguments].concat());
    assert!(shown(&["--tz", "Asia/Seoul"]).contains("2026-01-06T00:00:00+09:00"));
    assert!(shown(&["--tz", "UTC"]).contains("2026-01-05T15:00:00Z"));
    for format in ["json", "csv", "ndjson"] {
        assert!(shown(&["--tz", "Asia/Seoul", "--format", format]).contains("2026-01-05T15:00:00Z"));
    }
    let asked = "SELECT TIMESTAMP '2026-01-05T15:00:00' AT TIME ZONE 'UTC' AT TIME ZONE 'Asia/Seoul' AS at";
    for format in ["table", "json"] {
        let said = done(path, &["sql", asked, "--format", format]);
        assert!(said.contains("2026-01-06T00:00:00+09:00"), "{said}");
    }
    let refused = nsc(path, &["sql", instant, "--tz", "Mars"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("display.time_zone (flag --tz)"),
        "{}",
        stderr(&refused)
    );
}
