//! Whatever the order, the split or the repetition of the input, and however often it runs: one final state.
//! Holds lakehouse contract 1, "Idempotent".

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::world::{
    Lcg, SOURCES, allow_bad_records, assert_same, chain_steps, dump, generate, ingest_arguments, lake,
    load_all,
};

const DAYS: [&str; 3] = ["2026-01-05", "2026-01-06", "2026-01-07"];
/// Where a row came from differs between loads of the same lines in another order.
const LINEAGE: [&str; 6] = [
    "source_ref",
    "load_id",
    "batch_id",
    "run_id",
    "input_versions",
    "last_run_id",
];

fn world(dir: &Path) -> std::path::PathBuf {
    generate(
        dir,
        &[
            "--seed",
            "11",
            "--wallets",
            "60",
            "--entries-per-day",
            "3000",
            "--days",
            "3",
            "--first-date-kst",
            DAYS[0],
            "--faults",
        ],
    )
}

fn run_chain(root: &Path) {
    for step in chain_steps(&DAYS) {
        lake(root, &step);
    }
}

/// Id and every time of a line: lines that agree on them are put in order by their position alone.
fn version(line: &str) -> Option<String> {
    let row: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).ok()?;
    let text = |k: &str| row.get(k).map(ToString::to_string).unwrap_or_default();
    let id = ["tx_id", "item_id", "order_id", "product_id", "user_id"]
        .iter()
        .find_map(|k| row.get(*k))
        .map(ToString::to_string)?;
    Some(
        [
            id,
            text("updated_at"),
            text("source_extracted_at"),
            text("ingested_at"),
        ]
        .join("|"),
    )
}

/// The lines without those that shuffling would, by contract, decide otherwise.
fn without_ties(lines: &[&str]) -> Vec<String> {
    let mut spellings: HashMap<String, HashSet<&str>> = HashMap::new();
    for line in lines {
        if let Some(key) = version(line) {
            spellings.entry(key).or_default().insert(line);
        }
    }
    let is_tie = |line: &str| version(line).is_some_and(|k| spellings[&k].len() > 1);
    lines
        .iter()
        .filter(|l| !is_tie(l))
        .map(|l| (*l).to_owned())
        .collect()
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
        let mut found: Vec<String> = walk(root)
            .into_iter()
            .filter(|p| p.ends_with(".parquet") && !p.contains("pipeline_state") && !p.contains("_delta_log"))
            .collect();
        found.sort();
        found
    };
    let files_before = files(&root);
    load_all(&root, &world);
    run_chain(&root);
    assert_eq!(files(&root), files_before);
    assert_same(&dump(&root, &[]), &before);
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
        let mut kept = without_ties(&text.lines().collect::<Vec<_>>());
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
        let steps = chain_steps(&DAYS);
        lake(root, &steps[0]);
        // Each load is judged by itself: of some parts more than one line in a hundred is bad.
        allow_bad_records(root);
        steps[1..].iter().for_each(|step| _ = lake(root, step));
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
        let words = format!(
            "run {pipeline} --date-kst-start {} --date-kst-end {} --now 2026-01-20T00:00:00Z",
            DAYS[0], DAYS[2]
        );
        lake(&at_once, &words.split_whitespace().collect::<Vec<_>>());
    }
    let rows = |root: &Path| {
        let mut tables = dump(root, &LINEAGE);
        tables.remove("gold.pipeline_state");
        tables
    };
    assert_same(&rows(&at_once), &rows(&apart));
}

#[test]
fn carried_positions_can_be_thrown_away_at_any_time() {
    let dir = tempfile::tempdir().unwrap();
    let world = world(dir.path());
    let root = dir.path().join("lake");
    load_all(&root, &world);
    run_chain(&root);
    let before = dump(&root, &[]);
    for cache in ["wallet_position", "supply_position"] {
        std::fs::remove_dir_all(root.join("_nsc").join(cache)).unwrap();
    }
    // The last day alone: its positions are rolled forward again from the first.
    let again = format!(
        "run b --date-kst {} --now 2026-01-20T00:00:00Z --run-id again",
        DAYS[2]
    );
    lake(&root, &again.split_whitespace().collect::<Vec<_>>());
    let rows = |mut tables: std::collections::BTreeMap<String, Vec<String>>| {
        tables.remove("gold.pipeline_state");
        tables
    };
    assert_same(&rows(dump(&root, &[])), &rows(before));
}
