//! Loads: which of two versions is newer, what is a new delivery, and what evidence each leaves.
//! Holds lakehouse contract 2, "Deliveries".

use std::fmt::Write as _;
use std::path::Path;

use super::world::{Lcg, lake};
use super::{nsc, stderr, stdout};

const SILVER: &str = "run silver --date-kst 2026-01-05 --now 2026-01-07T00:00:00Z";
const INGESTED: &str = "2026-01-05T03:00:00Z";

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn ask(root: &Path, sql: &str) -> Vec<String> {
    let csv = stdout(&lake(root, &["sql", sql, "--format", "csv"]));
    csv.lines().skip(1).map(str::to_owned).collect()
}

fn write(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

/// Loads files in one command, by so many threads.
fn ingest(root: &Path, threads: usize, source: &str, files: &[String], options: &[&str]) {
    let threads = threads.to_string();
    let mut all = vec!["--threads", &threads, "ingest", source];
    all.extend(files.iter().map(String::as_str));
    all.extend(["--ingested-at", INGESTED]);
    all.extend(options);
    lake(root, &all);
}

fn silver(root: &Path, threads: usize) {
    let threads = threads.to_string();
    lake(root, &[&["--threads", &*threads], &*words(SILVER)].concat());
}

#[test]
fn of_two_files_of_one_name_the_one_named_last_wins_whatever_the_threads() {
    let dir = tempfile::tempdir().unwrap();
    let prices = |price: &str| -> String {
        (1..=200)
            .map(|i| format!("{{\"product_id\":{i},\"price_krw\":\"{price}\"}}\n"))
            .collect()
    };
    let files = [("d1", "100"), ("d2", "200")]
        .map(|(folder, price)| write(dir.path(), &format!("{folder}/part-0.jsonl"), &prices(price)));
    for (n, threads) in [1, 2, 4].into_iter().enumerate() {
        for (order, newest) in [([0, 1], "200.00"), ([1, 0], "100.00")] {
            let root = dir.path().join(format!("lake-{n}-{newest}"));
            ingest(&root, threads, "products", &order.map(|i| files[i].clone()), &[]);
            lake(&root, &words("rules sync"));
            silver(&root, threads);
            let found = ask(
                &root,
                "SELECT price_krw, count(*) FROM silver.products GROUP BY 1",
            );
            assert_eq!(found, [format!("{newest},200")], "{threads} threads");
        }
    }
}

/// Rows of 40 keys with one stamp, each row another version, and what the last one of each key says.
fn versions(source: &str, random: &mut Lcg) -> (Vec<String>, Vec<String>) {
    let mut last = vec![None; 40];
    let rows = (0..400).map(|version| {
        let key = random.below(40);
        last[key] = Some(version);
        match source {
            "products" => format!(r#"{{"product_id":{key},"price_krw":"{version}"}}"#),
            "order_items" => format!(r#"{{"item_id":{key},"order_id":1,"product_id":1,"price_at_purchase":"{version}"}}"#),
            "orders" => format!(r#"{{"order_id":{key},"total_amount":"{version}","created_at":"2026-01-05T01:00:00Z"}}"#),
            "user_wallets" => format!(
                r#"{{"user_id":"{key}","balance":"{version}","frozen_amount":"0","source_extracted_at":"2026-01-05T02:00:00Z"}}"#
            ),
            _ => format!(
                r#"{{"tx_id":"{key}","wallet_id":"w","type":"HOLD","amount":"1","status":"{version}.00","created_at":"2026-01-05T01:00:00Z"}}"#
            ),
        }
    });
    let rows = rows.collect();
    let newest = last
        .into_iter()
        .enumerate()
        .filter_map(|(key, version): (usize, Option<i32>)| Some(format!("{key},{}.00", version?)))
        .collect();
    (rows, newest)
}

/// The rows as so many files of one name, each in a folder of its own.
fn split(dir: &Path, source: &str, rows: &[String], parts: usize, random: &mut Lcg) -> Vec<String> {
    let mut cuts: Vec<usize> = (1..parts).map(|_| random.below(rows.len())).collect();
    cuts.extend([0, rows.len()]);
    cuts.sort_unstable();
    let file = |(n, cut): (usize, &[usize])| {
        let text = rows[cut[0]..cut[1]].join("\n");
        write(dir, &format!("{source}-{parts}/{n}/part-0.jsonl"), &text)
    };
    cuts.windows(2).enumerate().map(file).collect()
}

#[test]
fn any_split_of_rows_with_one_stamp_ends_in_the_last_version_of_each_key() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Lcg(4);
    let shown = [
        (
            "products",
            "SELECT product_id, price_krw FROM silver.products ORDER BY 1",
        ),
        (
            "order_items",
            "SELECT item_id, price_at_purchase FROM silver.order_items ORDER BY 1",
        ),
        (
            "orders",
            "SELECT order_ref, amount FROM silver.order_events ORDER BY CAST(order_ref AS INT)",
        ),
        (
            "user_wallets",
            "SELECT user_id, balance_available FROM silver.wallet_snapshot ORDER BY CAST(user_id AS INT)",
        ),
        (
            "transaction_ledger",
            "SELECT tx_id, status FROM silver.ledger_entries ORDER BY CAST(tx_id AS INT)",
        ),
    ];
    let worlds = shown.map(|(source, sql)| (source, sql, versions(source, &mut random)));
    for (threads, parts) in [(1, 1), (2, 3), (4, 11)] {
        let root = dir.path().join(format!("lake-{threads}"));
        for (source, _, (rows, _)) in &worlds {
            let files = split(dir.path(), source, rows, parts, &mut random);
            ingest(&root, threads, source, &files, &[]);
        }
        lake(&root, &words("rules sync"));
        // The second run finds what the first has stored.
        for _ in 0..2 {
            silver(&root, threads);
            for (source, sql, (_, newest)) in &worlds {
                assert_eq!(
                    &ask(&root, sql),
                    newest,
                    "{source} in {parts} files by {threads} threads"
                );
            }
        }
        // The same files once more, the other way round: now the last of the first file is the newest that there is.
        let (source, sql, (rows, _)) = &worlds[0];
        let again = split(dir.path(), source, rows, 1, &mut random);
        ingest(&root, threads, source, &again, &["--force"]);
        let one = write(dir.path(), "last/part-0.jsonl", &rows[0]);
        ingest(&root, threads, source, &[one], &[]);
        silver(&root, threads);
        let first: serde_json::Value = serde_json::from_str(&rows[0]).unwrap();
        let first = format!("{},0.00", first["product_id"]);
        assert!(ask(&root, sql).contains(&first), "{first}");
    }
}

#[test]
fn the_same_bad_line_in_a_file_of_one_name_leaves_evidence_of_every_load() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    for day in ["05", "06", "07"] {
        let mut text = r#"{"tx_id":null,"wallet_id":"u1","type":"CHARGE","amount":"5.00"}"#.to_owned();
        for i in 0..200 {
            write!(
                text,
                "\n{{\"tx_id\":\"t{day}{i}\",\"wallet_id\":\"u1\",\"type\":\"HOLD\",\"amount\":\"1.00\",\"created_at\":\"2026-01-{day}T10:00:00Z\"}}"
            )
            .unwrap();
        }
        let file = write(dir.path(), &format!("{day}/ledger.jsonl"), &text);
        let at = format!("2026-01-{day}T03:00:00Z");
        lake(
            &root,
            &["ingest", "transaction_ledger", &file, "--ingested-at", &at],
        );
        if day == "05" {
            lake(&root, &words("rules sync"));
        }
        // The second run finds nothing that the first has not quarantined.
        for _ in 0..2 {
            lake(
                &root,
                &words(&format!("run silver --now 2026-01-{day}T15:30:00Z")),
            );
        }
    }
    let evidence = "SELECT source_ref, count(*), count(DISTINCT load_id) FROM silver.bad_records GROUP BY 1";
    assert_eq!(ask(&root, evidence), ["file:ledger.jsonl#1,3,3"]);
    let lines = "SELECT count(DISTINCT load_id) FROM bronze.transaction_ledger_raw WHERE source_ref = 'file:ledger.jsonl#1'";
    assert_eq!(ask(&root, lines), ["3"]);
    let explained = lake(
        &root,
        &["--format", "json", "explain", "bad-record", "file:ledger.jsonl#1"],
    );
    let explained: serde_json::Value = serde_json::from_str(&stdout(&explained)).unwrap();
    for section in ["bad_record", "source_row"] {
        assert_eq!(explained[section].as_array().unwrap().len(), 3, "{explained}");
    }
}

#[test]
fn a_dump_whose_bytes_are_known_is_the_newest_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    let mut said = String::new();
    for (day, price) in [("05", "5000"), ("06", "4500"), ("07", "5000")] {
        let text = format!("{{\"product_id\":1,\"product_name\":\"latte\",\"price_krw\":\"{price}\"}}\n");
        let file = write(dir.path(), &format!("products-{day}.jsonl"), &text);
        let line = format!(
            "ingest products {file} --batch-id 2026-01-{day} --source-extracted-at 2026-01-{day}T12:00:00Z \
             --ingested-at 2026-01-{day}T12:01:00Z"
        );
        let load = || stdout(&lake(&root, &words(&line)));
        said = load();
        assert!(
            load().contains("was loaded before by load "),
            "the same delivery twice adds nothing"
        );
        if day == "05" {
            lake(&root, &words("rules sync"));
        }
        lake(
            &root,
            &words(&format!("run silver --now 2026-01-{day}T15:30:00Z")),
        );
    }
    let marks = "new delivery of known content (batch 2026-01-07, extracted 2026-01-07T12:00:00Z)";
    assert!(said.contains(marks), "{said}");
    assert_eq!(ask(&root, "SELECT price_krw FROM silver.products"), ["5000.00"]);
    assert_eq!(ask(&root, "SELECT count(*) FROM bronze.products_raw"), ["3"]);
}

#[test]
fn a_quiet_days_unchanged_extract_is_a_snapshot_and_shows_the_drift() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    // The extract of the third day equals that of the first; a charge of the second was lost in between.
    for (n, balance) in [(4, "0"), (5, "7"), (6, "0")] {
        let text = format!("{{\"user_id\":\"w\",\"balance\":\"{balance}\",\"frozen_amount\":\"0\"}}\n");
        let file = write(dir.path(), "wallets.jsonl", &text);
        let at = format!("2026-01-0{n}T15:00:00Z");
        lake(
            &root,
            &[
                "ingest",
                "user_wallets",
                &file,
                "--ingested-at",
                &at,
                "--source-system",
                "account-svc",
            ],
        );
    }
    let entry =
        r#"{"tx_id":"t","wallet_id":"w","type":"CHARGE","amount":"7","created_at":"2026-01-05T01:00:00Z"}"#;
    let file = write(dir.path(), "ledger.jsonl", entry);
    ingest(&root, 1, "transaction_ledger", &[file], &[]);
    lake(&root, &words("rules sync"));
    for day in ["05", "06"] {
        for pipeline in ["silver", "b"] {
            lake(
                &root,
                &words(&format!(
                    "run {pipeline} --date-kst 2026-01-{day} --now 2026-01-08T00:00:00Z"
                )),
            );
        }
    }
    let snapshots = "SELECT balance_total FROM silver.wallet_snapshot ORDER BY snapshot_ts";
    assert_eq!(ask(&root, snapshots), ["0.00", "7.00", "0.00"]);
    let drift = "SELECT date_kst, drift_abs FROM gold.recon_daily_snapshot_flow ORDER BY 1";
    assert_eq!(ask(&root, drift), ["2026-01-05,0.00", "2026-01-06,7.00"]);
}

#[test]
fn a_file_of_another_table_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let order = r#"{"order_id":1,"user_id":"u","total_amount":"1","status":"PAID","created_at":"2026-01-05T00:00:00Z"}"#;
    write(dir.path(), "orders.jsonl", order);
    let refused = nsc(
        dir.path(),
        &["--root", "lake", "ingest", "transaction_ledger", "orders.jsonl"],
    );
    assert_eq!(refused.status.code(), Some(2));
    for part in [
        "ERROR NSC0206: the lines of orders.jsonl are not those of transaction_ledger",
        "no line has tx_id, wallet_id, type, amount; lines have created_at, order_id, status, total_amount, user_id",
        "nsc ingest orders takes it",
    ] {
        assert!(stderr(&refused).contains(part), "{}", stderr(&refused));
    }
}

#[test]
fn a_dump_delivered_anew_makes_no_day_due_that_it_does_not_change() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    let order = r#"{"order_id":"1","user_id":"u","merchant_name":"m","amount":"10","status":"PAID","created_at":"2026-01-05T01:00:00Z"}"#;
    let payments = write(dir.path(), "payments.jsonl", order);
    ingest(&root, 1, "payment_orders", &[payments], &[]);
    lake(&root, &words("rules sync"));
    let dump = |day: &str, quantity: u32| {
        let item = |id: u32, order: u32, quantity: u32| {
            format!(
                "{{\"item_id\":{id},\"order_id\":{order},\"product_id\":1,\"quantity\":{quantity},\"price_at_purchase\":\"5\"}}\n"
            )
        };
        let text = item(1, 1, quantity) + &item(2, 9, 1);
        let file = write(dir.path(), "items.jsonl", &text);
        let at = format!("2026-01-{day}T14:00:00Z");
        lake(
            &root,
            &[
                "ingest",
                "order_items",
                &file,
                "--batch-id",
                day,
                "--ingested-at",
                &at,
            ],
        );
    };
    let night = |day: &str| -> serde_json::Value {
        let now = format!("2026-01-{day}T15:30:00Z");
        let silver = lake(&root, &["--format", "json", "run", "silver", "--now", &now]);
        lake(&root, &["run", "c", "--now", &now]);
        serde_json::from_str(&stdout(&silver)).unwrap()
    };
    for (day, quantity, affected) in [("05", 2, 0), ("06", 2, 0), ("07", 3, 1), ("08", 3, 0)] {
        dump(day, quantity);
        let report = night(day);
        let days = report["affected_days"].as_array().map_or(0, Vec::len);
        assert_eq!(days, affected, "{day}: {report}");
        // The newest delivery stands in the rows, whatever it changes.
        let loads = "SELECT count(DISTINCT load_id) FROM silver.order_items WHERE load_id = (SELECT max(load_id) FROM bronze.order_items_raw)";
        assert_eq!(ask(&root, loads), ["1"]);
    }
}
