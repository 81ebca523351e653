//! Loads: which of two versions is newer, what is a new delivery, and what evidence each leaves.

use std::fmt::Write as _;
use std::path::Path;

use super::stdout;
use super::world::{Lcg, lake};

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
    for section in ["bad record", "source row"] {
        assert_eq!(explained[section].as_array().unwrap().len(), 3, "{explained}");
    }
}
