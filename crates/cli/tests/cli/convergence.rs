//! Whatever the order, the split or the repetition of the input, and however often it runs: one final state.

use std::path::Path;

use super::world::{SOURCES, assert_same, chain_steps, dump, generate, ingest_arguments, lake, load_all};

const DAYS: [&str; 3] = ["2026-01-05", "2026-01-06", "2026-01-07"];
/// Where a row came from differs between loads of the same lines in another order.
const LINEAGE: [&str; 5] = ["source_ref", "batch_id", "run_id", "input_versions", "last_run_id"];

fn world(dir: &Path) -> std::path::PathBuf {
    generate(dir, &["--seed", "11", "--wallets", "60", "--entries-per-day", "600", "--days", "3", "--first-date-kst", DAYS[0], "--faults", "--bad-rate", "0.009"])
}

fn run_chain(root: &Path) {
    for step in chain_steps(&DAYS) {
        lake(root, &step);
    }
}

/// A small generator of pseudo-random numbers: the tests are the same on every machine.
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }
}

/// Lines whose newest version is decided by their position alone: shuffling them changes the answer by contract.
fn is_position_tie(line: &str, lines: &[String]) -> bool {
    let key = |l: &str| -> Option<(String, String, String)> {
        let row: serde_json::Map<String, serde_json::Value> = serde_json::from_str(l).ok()?;
        let text = |k: &str| row.get(k).map(ToString::to_string).unwrap_or_default();
        let id = ["order_id", "tx_id", "user_id"].iter().find_map(|k| row.get(*k)).map(ToString::to_string)?;
        Some((id, text("updated_at") + &text("source_extracted_at"), text("ingested_at")))
    };
    let Some(own) = key(line) else { return false };
    lines.iter().filter(|l| *l != line && key(l).as_ref() == Some(&own)).count() > 0
}

#[test]
fn running_twice_writes_no_data_file_and_changes_no_row() {
    let dir = tempfile::tempdir().unwrap();
    let world = world(dir.path());
    let root = dir.path().join("lake");
    load_all(&root, &world);
    run_chain(&root);
    let before = dump(&root, &[]);
    let files = |root: &Path| -> Vec<String> {
        let mut found: Vec<String> = walk(root).into_iter().filter(|p| p.ends_with(".parquet") && !p.contains("pipeline_state") && !p.contains("_delta_log")).collect();
        found.sort();
        found
    };
    let files_before = files(&root);
    load_all(&root, &world);
    run_chain(&root);
    assert_eq!(files(&root), files_before);
    let mut after = dump(&root, &[]);
    // pipeline_state holds the last run's id and the input versions, which are the same here.
    assert_same(&after, &before);
    after.clear();
}

fn walk(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push(path.to_string_lossy().into_owned());
        }
    }
    found
}

#[test]
fn shuffled_split_and_repeated_input_ends_in_the_same_rows() {
    let dir = tempfile::tempdir().unwrap();
    let world = world(dir.path());
    let whole = dir.path().join("whole");
    let mixed = dir.path().join("mixed");
    let mut random = Lcg(7);
    let parts = dir.path().join("parts");
    std::fs::create_dir(&parts).unwrap();
    for source in SOURCES {
        let text = std::fs::read_to_string(world.join(format!("{source}.jsonl"))).unwrap();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut kept: Vec<String> = lines.iter().filter(|l| !is_position_tie(l, &lines) || lines.iter().filter(|o| o == l).count() > 1).cloned().collect();
        let plain = parts.join(format!("{source}.jsonl"));
        std::fs::write(&plain, kept.join("\n")).unwrap();
        lake(&whole, &ingest_arguments(source, &plain));
        for i in (1..kept.len()).rev() {
            kept.swap(i, random.below(i + 1));
        }
        let cut = kept.len() / 3;
        for (n, part) in [&kept[..cut], &kept[cut..], &kept[..cut]].into_iter().enumerate() {
            // The third file repeats the first with one blank line more, so that its content is new.
            let text = part.join("\n") + if n == 2 { "\n\n" } else { "\n" };
            let file = parts.join(format!("{source}-{n}.jsonl"));
            std::fs::write(&file, text).unwrap();
            lake(&mixed, &ingest_arguments(source, &file));
        }
    }
    for root in [&whole, &mixed] {
        run_chain(root);
    }
    // A repeated bad line is a second bad record with its own source_ref: compared as a set.
    let as_sets = |root: &Path| {
        let mut tables = dump(root, &LINEAGE);
        for (name, rows) in &mut tables {
            if name == "silver.bad_records" {
                rows.dedup();
            }
        }
        tables.remove("gold.pipeline_state");
        tables
    };
    assert_same(&as_sets(&mixed), &as_sets(&whole));
}

#[test]
fn one_run_over_three_days_equals_three_runs() {
    let dir = tempfile::tempdir().unwrap();
    let world = world(dir.path());
    let (apart, at_once) = (dir.path().join("apart"), dir.path().join("at_once"));
    for root in [&apart, &at_once] {
        load_all(root, &world);
    }
    run_chain(&apart);
    lake(&at_once, &chain_steps(&[])[0]);
    for pipeline in ["silver", "b", "c"] {
        let words = format!("run {pipeline} --date-kst-start {} --date-kst-end {} --now 2026-01-20T00:00:00Z", DAYS[0], DAYS[2]);
        lake(&at_once, &words.split_whitespace().collect::<Vec<_>>());
    }
    let rows = |root: &Path| {
        let mut tables = dump(root, &LINEAGE);
        tables.remove("gold.pipeline_state");
        tables
    };
    assert_same(&rows(&at_once), &rows(&apart));
}
