//! What an operator does by hand: loads files, looks at dead letters, corrects, stops; and what it all exits with.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nsc_testkit::Record;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use serde_json::{Value, json};
use sqlx::Row;

use super::process::{Ended, PATIENCE, Service, run};
use super::world::{LEDGER_TOPIC, World, migrated};

fn charge(tx_id: &str, more: &Value) -> Value {
    let mut event = json!({
        "tx_id": tx_id, "wallet_id": "w-1", "entry_type": "CHARGE", "amount": 1,
        "event_time": "2026-01-05T00:00:00Z", "updated_at": "2026-01-05T00:00:00Z",
    });
    if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
        event.extend(more.clone());
    }
    event
}

fn nsc(directory: &Path, line: &str, environment: &[(&str, &str)]) -> Ended {
    let arguments: Vec<&str> = line.split_whitespace().collect();
    run(directory, &arguments, environment)
}

#[tokio::test]
async fn a_backfill_and_a_replay_of_nothing_that_can_be_stored_are_failures_unless_allowed() {
    let directory = tempfile::tempdir().unwrap();
    let database = migrated(directory.path()).await;
    let url = database.url_of("nsc_consumer").await.unwrap();
    let environment = [("DATABASE_URL", url.as_str())];
    // As Korean Windows writes it, CP949: every line has a name.
    let line = b"{\"tx_id\":\"t\",\"memo\":\"\xbd\xba\xc5\xb8\"}\n";
    std::fs::write(directory.path().join("cp949.jsonl"), line.repeat(3)).unwrap();
    let load = "backfill --ledger-file cp949.jsonl";
    for (line, code) in [(load.to_owned(), 4), (format!("{load} --allow-dead-letters"), 0)] {
        let ended = nsc(directory.path(), &line, &environment);
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(ended.stdout.contains("3 dead letters"), "{ended:?}");
        assert!(ended.stderr.contains("invalid_utf8 3"), "{ended:?}");
    }
    let ended = nsc(directory.path(), load, &environment);
    assert!(
        ended.stderr.contains("ERROR NSC0613") && ended.stderr.contains("CP949"),
        "{ended:?}"
    );
    // A file that is wrong from end to end is not excused by another, be it new or a repeat.
    let good = charge("t-1", &json!({})).to_string();
    std::fs::write(directory.path().join("good.jsonl"), good).unwrap();
    let both = "backfill --ledger-file good.jsonl --payment-order-file cp949.jsonl";
    for (line, code) in [
        (both.to_owned(), 4),
        (both.to_owned(), 4),
        (format!("{both} --allow-dead-letters"), 0),
    ] {
        let ended = nsc(directory.path(), &line, &environment);
        assert_eq!(ended.code, Some(code), "{ended:?}");
        let named = ended
            .stderr
            .contains("none of 3 lines of cp949.jsonl could be stored");
        assert_eq!(named, code == 4, "{ended:?}");
    }
    for (line, code) in [
        ("dlq replay", 4),
        ("dlq replay --dry-run", 4),
        ("dlq replay --allow-dead-letters", 0),
        ("dlq replay --topic nothing-of-this", 0),
    ] {
        let ended = nsc(directory.path(), line, &environment);
        assert_eq!(ended.code, Some(code), "{line}: {ended:?}");
    }

    // What is not lines of JSON is named, and read no further.
    for (name, content, code, what) in [
        ("utf16", b"\xff\xfe{\0\"\0".to_vec(), "NSC0202", "UTF-16"),
        ("xz", b"\xfd7zXZ\0\0".to_vec(), "NSC0202", "xz"),
        ("csv", b"order_id,amount\no,1\n".to_vec(), "NSC0614", "CSV"),
        (
            "array",
            b"[{\"tx_id\":\"t\"}]\n".to_vec(),
            "NSC0614",
            "one JSON array",
        ),
    ] {
        std::fs::write(directory.path().join(name), content).unwrap();
        let ended = nsc(
            directory.path(),
            &format!("backfill --payment-order-file {name}"),
            &environment,
        );
        assert_eq!(ended.code, Some(2), "{name}: {ended:?}");
        assert!(
            ended.stderr.contains(code) && ended.stderr.contains(what),
            "{name}: {ended:?}"
        );
    }
    let letters = nsc(directory.path(), "dlq list --format json", &environment);
    let letters: Vec<Value> = serde_json::from_str(&letters.stdout).unwrap();
    // The three lines once as entries and once as orders, however often they came.
    assert_eq!(letters.len(), 6, "{letters:?}");
}

#[test]
fn what_a_stranger_sent_reaches_no_terminal_as_control_sequences() {
    let directory = tempfile::tempdir().unwrap();
    let hostile = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}1m\u{202e}no dead letters\nx";
    let letter = json!({
        "dlq_id": 1, "topic": hostile, "partition": 0, "offset": 1, "key": hostile, "payload": hostile,
        "error_class": hostile, "error": hostile, "correlation_id": hostile,
        "ingested_at": "2026-01-05T00:00:00Z", "replayed_at": null,
    });
    std::fs::write(directory.path().join("dead-letters.jsonl"), format!("{letter}\n")).unwrap();
    let environment = [
        ("NSC_DLQ_BACKEND", "file"),
        ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/bo"),
    ];
    for line in ["dlq show 1", "dlq list", "dlq replay --dry-run"] {
        let ended = nsc(directory.path(), line, &environment);
        let said = format!("{}{}", ended.stdout, ended.stderr);
        let controls = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!said.contains(controls), "nsc {line}: {said:?}");
        assert!(said.contains("\\u{1b}"), "nsc {line}: {said:?}");
    }
    let shown = nsc(directory.path(), "dlq show 1", &environment).stdout;
    assert!(
        shown.lines().all(|l| !l.starts_with('x')),
        "no line of its own: {shown}"
    );
    // For machines it is exact.
    let exact = nsc(directory.path(), "dlq show 1 --format json", &environment).stdout;
    let exact: Value = serde_json::from_str(&exact).unwrap();
    assert_eq!(exact["payload"], hostile);
}

#[test]
fn a_retention_that_would_delete_everything_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let old = json!({
        "dlq_id": 1, "topic": "t", "partition": 0, "offset": 1, "key": null, "payload": "p", "error_class": "c",
        "error": "e", "correlation_id": null, "ingested_at": "2026-01-05T00:00:00Z", "replayed_at": null,
    });
    let file = directory.path().join("dead-letters.jsonl");
    std::fs::write(&file, format!("{old}\n")).unwrap();
    let base = [
        ("NSC_DLQ_BACKEND", "file"),
        ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/bo"),
    ];
    for (line, days, code) in [
        ("dlq purge", "0", "NSC0003"),
        ("dlq list", "0", "NSC0003"),
        ("consume --metrics-listen 127.0.0.1:0", "0", "NSC0003"),
        ("dlq purge", "-1", "NSC0003"),
        ("dlq purge", "4294967295", "NSC0003"),
        ("dlq purge --keep-days 0", "14", "NSC0002"),
        // So many that the instant before them could not be counted.
        ("dlq purge --keep-days 4294967295", "14", "NSC0002"),
    ] {
        let environment = [&base[..], &[("NSC_DLQ_RETENTION_DAYS", days)]].concat();
        let ended = nsc(directory.path(), line, &environment);
        assert_eq!(ended.code, Some(2), "{line}, {days} days: {ended:?}");
        assert!(ended.stderr.contains(code), "{line}, {days} days: {ended:?}");
    }
    assert!(std::fs::read_to_string(&file).unwrap().contains("\"dlq_id\":1"));
}

#[tokio::test]
async fn a_version_that_is_wrong_is_corrected_by_somebody_for_a_reason() {
    let world = World::new().await;
    let directory = world.directory.path();
    let wrong = charge(
        "tx-1",
        &json!({ "updated_at": "2099-01-01T00:00:00Z", "amount": 9 }),
    );
    let right = charge("tx-1", &json!({}));
    std::fs::write(directory.join("wrong.jsonl"), format!("{wrong}\n")).unwrap();
    std::fs::write(directory.join("right.jsonl"), format!("{right}\n")).unwrap();
    let url = world.database.url_of("nsc_consumer").await.unwrap();
    let consumer = [("DATABASE_URL", url.as_str())];
    // It does not come in by itself.
    let refused = nsc(directory, "backfill --ledger-file wrong.jsonl", &consumer);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.stderr.contains("future_time 1"), "{refused:?}");
    let unlimited = [consumer[0], ("NSC_EVENTS_MAX_AHEAD_HOURS", "0")];
    for (file, environment) in [("wrong", &unlimited[..]), ("right", &consumer[..])] {
        let ended = nsc(
            directory,
            &format!("backfill --ledger-file {file}.jsonl"),
            environment,
        );
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    let amount = "SELECT amount::bigint FROM bo.ledger_entries";
    assert_eq!(world.number(amount).await, 9, "it wins for ever");

    let correct = "correct-version ledger-entry tx-1 --by kim --reason ticket-812";
    let alone = nsc(directory, correct, &consumer);
    assert_eq!(alone.code, Some(6), "{alone:?}");
    assert!(alone.stderr.contains("nsc_api"), "{alone:?}");
    let owner = world.database.url_of("nsc_migrator").await.unwrap();
    let owner = [("DATABASE_URL", owner.as_str())];
    for line in [
        "correct-version ledger-entry tx-1 --by kim --reason=",
        "correct-version ledger-entry tx-1 --by kim",
    ] {
        assert_eq!(nsc(directory, line, &owner).code, Some(2), "{line}");
    }
    let unknown = nsc(
        directory,
        "correct-version payment-order tx-1 --by kim --reason x",
        &owner,
    );
    assert!(
        unknown.code == Some(2) && unknown.stderr.contains("NSC0615"),
        "{unknown:?}"
    );
    let made = nsc(directory, correct, &owner);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(
        made.stdout.contains("was 2099-01-01T00:00:00Z, and is none now"),
        "{made:?}"
    );
    assert_eq!(
        nsc(directory, "backfill --ledger-file right.jsonl", &consumer).code,
        Some(0)
    );
    assert_eq!(world.number(amount).await, 1);
    let audited = "SELECT actor_id, resource_id, request_query FROM bo.admin_audit_logs WHERE action = 'VERSION_CORRECTION'";
    let rows = world.rows(audited).await;
    assert_eq!(rows.len(), 1);
    let said: Value = serde_json::from_str(&rows[0].get::<String, _>(2)).unwrap();
    assert_eq!(
        (rows[0].get::<String, _>(0), rows[0].get::<String, _>(1)),
        ("kim".to_owned(), "tx-1".to_owned())
    );
    assert_eq!(
        (&said["reason"], &said["from"]["updated_at"]),
        (&json!("ticket-812"), &json!("2099-01-01T00:00:00Z"))
    );
}

#[tokio::test]
async fn a_rehearsal_consumes_so_many_messages_says_so_and_ends() {
    let world = World::new().await;
    let mut records: Vec<Record> = (0..5)
        .map(|n| Record::new("k", charge(&format!("tx-{n}"), &json!({})).to_string()).in_partition(0))
        .collect();
    records.push(Record::new("k", "no event").in_partition(0));
    world.broker.produce(LEDGER_TOPIC, records).await.unwrap();
    let bootstrap = world.broker.bootstrap();
    let environment = world.consumer_environment(&bootstrap);
    let ended = nsc(
        world.directory.path(),
        "consume --max-messages 2 --format json",
        &environment,
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let said: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&said["messages"], &said["written"]), (&json!(2), &json!(2)));
    let ended = nsc(
        world.directory.path(),
        "consume --max-idle-seconds 1",
        &environment,
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        ended.stdout,
        "4 messages = 3 written + 0 stale or repeated + 1 dead letters + 0 tombstones\n"
    );
    assert_eq!(world.committed(LEDGER_TOPIC), 6);
}

/// A pipe into which nobody writes.
#[tokio::test]
async fn a_backfill_that_waits_for_lines_ends_when_asked() {
    let directory = tempfile::tempdir().unwrap();
    let database = migrated(directory.path()).await;
    let url = database.url_of("nsc_consumer").await.unwrap();
    let path = directory.path().join("pipe");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let environment = [("DATABASE_URL", url.as_str())];
    let mut backfill = Service::start(
        directory.path(),
        &["backfill", "--ledger-file", "pipe"],
        &environment,
    );
    let begun = Instant::now();
    // It can be opened to write, without waiting, once somebody reads it.
    let _writer = loop {
        match rustix::fs::open(&path, OFlags::WRONLY | OFlags::NONBLOCK, Mode::empty()) {
            Ok(writer) => break writer,
            Err(e) => assert!(
                backfill.runs() && begun.elapsed() < PATIENCE,
                "{e}: {}",
                backfill.log()
            ),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let ended = backfill.stop();
    assert_eq!(ended.code, Some(130), "{ended:?}");
}

/// Where there are no namespaces of process ids for us, there is nothing to see.
#[test]
fn the_first_process_of_a_container_ends_when_asked() {
    let namespace = ["--pid", "--fork", "--mount-proc", "--kill-child"];
    let may = Command::new("unshare").args(namespace).arg("true").status();
    if !may.is_ok_and(|status| status.success()) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    // A server that accepts, and never says anything: the command waits.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://nobody@{}/bo", silent.local_addr().unwrap());
    let mut outer = Command::new("unshare")
        .args(namespace)
        .args(["--", env!("CARGO_BIN_EXE_nsc"), "migrate"])
        .current_dir(directory.path())
        .env_clear()
        .env("DATABASE_URL", &url)
        .spawn()
        .unwrap();
    let (_connection, _) = silent.accept().unwrap();
    let children = format!("/proc/{0}/task/{0}/children", outer.id());
    let first = std::fs::read_to_string(children).unwrap();
    let first = first
        .trim()
        .parse()
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .unwrap();
    rustix::process::kill_process(first, rustix::process::Signal::TERM).unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = outer.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < PATIENCE, "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(143));
}

#[test]
fn a_profile_file_of_the_first_implementation_is_converted_or_told_what_to_change() {
    let directory = tempfile::tempdir().unwrap();
    let theirs = "version: 1\nprofiles:\n  old-v1:\n    topics: {ledger: l, payment_order: o}\n    aliases:\n      ledger:\n        \
                  version: [version, source_version]\n";
    std::fs::write(directory.path().join("theirs.yaml"), theirs).unwrap();
    let converted = nsc(directory.path(), "config convert-profile theirs.yaml", &[]);
    assert_eq!(converted.code, Some(0), "{converted:?}");
    std::fs::write(directory.path().join("ours.yaml"), &converted.stdout).unwrap();
    let base = [
        ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/bo"),
        ("NSC_EVENT_PROFILE", "old-v1"),
    ];
    for (file, code) in [("ours.yaml", "NSC0601"), ("theirs.yaml", "NSC0612")] {
        let environment = [&base[..], &[("NSC_EVENT_PROFILES_FILE", file)]].concat();
        std::fs::write(directory.path().join("l.jsonl"), "").unwrap();
        let ended = nsc(directory.path(), "backfill --ledger-file l.jsonl", &environment);
        assert!(ended.stderr.contains(code), "{file}: {ended:?}");
    }
    let bad = theirs.replace("version: [version", "memo: [version");
    std::fs::write(directory.path().join("bad.yaml"), bad).unwrap();
    let refused = nsc(directory.path(), "config convert-profile bad.yaml", &[]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused.stderr.contains("profiles.old-v1.aliases.ledger.memo"),
        "{refused:?}"
    );
}
