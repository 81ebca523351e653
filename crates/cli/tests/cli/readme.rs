//! What both READMEs tell a person to type works on the lake they have just made, and both say the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::demo;

/// Lines that are not run: a world of gigabytes, a session, words that stand for an id of the reader's, and what takes away the
/// evidence that later lines show (the sample day is older than its retention).
const NOT_RUN: [&str; 8] = [
    "--entries-per-day 2000000",
    "retract LOAD",
    "show LOAD",
    "restore LOAD",
    "vacuum --apply",
    "적재ID",
    "실행ID",
    "--out bad",
];
/// Blocks with one of these need services, which other tests run for real.
const OF_SERVICES: [&str; 4] = [".nsc/services/env", "DATABASE_URL", "make ", "nsc serve"];

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(project(path)).unwrap()
}

/// The lines of all blocks of a kind, a continued one as one line.
fn blocks(page: &str) -> Vec<String> {
    let fenced = page.split("```sh\n").skip(1);
    fenced
        .map(|rest| {
            rest.split("\n```")
                .next()
                .unwrap_or_default()
                .replace("\\\n", " ")
        })
        .collect()
}

/// A command without the remark behind it.
fn command(line: &str) -> Option<&str> {
    let line = line.split("  #").next().unwrap_or_default().trim();
    line.contains("nsc ")
        .then_some(line)
        .filter(|line| !line.starts_with('#'))
}

fn commands(page: &str) -> Vec<String> {
    let blocks = blocks(page);
    blocks
        .iter()
        .flat_map(|block| block.lines().filter_map(command))
        .map(str::to_owned)
        .collect()
}

/// The demo lake and the files that the examples name.
fn world(dir: &Path) {
    std::fs::create_dir(dir.join(".nsc")).unwrap();
    std::fs::rename(demo(dir), dir.join(".nsc/demo")).unwrap();
    std::fs::create_dir(dir.join("exports")).unwrap();
    for (source, name) in [
        ("user_wallets", "exports/wallets-1.jsonl"),
        ("user_wallets", "exports/user_wallets-1.jsonl"),
        ("transaction_ledger", "exports/transaction_ledger-1.jsonl"),
        ("payment_orders", "exports/payment_orders-1.jsonl"),
        ("orders", "exports/orders-1.jsonl"),
        ("order_items", "exports/order_items-1.jsonl"),
        ("products", "exports/products-1.jsonl"),
        ("orders", "orders.jsonl"),
    ] {
        // The first line again: a delivery of its own, which the day's numbers do not depend on.
        let day = read(&format!("config/sample/day/{source}.jsonl"));
        std::fs::write(dir.join(name), format!("{}\n", day.lines().next().unwrap())).unwrap();
        let zipped = Command::new("gzip").arg(dir.join(name)).status().unwrap();
        assert!(zipped.success());
    }
    std::fs::copy(project("config/rules.yaml"), dir.join("my-rules.yaml")).unwrap();
    let rule = r#"[{"rule_id": "ledger_recon_abs_default_v3", "domain": "ledger", "metric": "drift_abs", "threshold": 0.0}]"#;
    std::fs::write(dir.join("my-rules.json"), rule).unwrap();
    std::fs::write(dir.join("night.sql"), "SELECT 1; SELECT 2").unwrap();
}

/// Every lakehouse command of a page, in its order; those that may say what was found do.
fn runs_on_the_demo(page: &str) {
    let dir = tempfile::tempdir().unwrap();
    world(dir.path());
    let bin = Path::new(env!("CARGO_BIN_EXE_nsc")).parent().unwrap();
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let mut run = 0;
    for block in blocks(&read(page)) {
        if OF_SERVICES.iter().any(|mark| block.contains(mark)) {
            continue;
        }
        for line in block.lines().filter_map(command) {
            if line == "nsc sql" || NOT_RUN.iter().any(|mark| line.contains(mark)) {
                continue;
            }
            let output = Command::new("bash")
                .args(["-c", line])
                .current_dir(dir.path())
                .env_clear()
                .env("PATH", &path)
                .env("HOME", dir.path())
                .env("NSC_ENV", "local")
                .env("NSC_ROOT", ".nsc/demo")
                .output()
                .unwrap();
            let found =
                [10, 11, 12].contains(&output.status.code().unwrap_or(-1)) && line.contains("--fail-on");
            assert!(
                output.status.success() || found,
                "{page}: {line}\n{}\n{}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
            run += 1;
        }
    }
    assert!(run > 30, "{page}: only {run} commands were run");
}

#[test]
fn every_command_of_the_readme_works_on_the_demo() {
    runs_on_the_demo("README.md");
}

#[test]
fn every_command_of_the_korean_readme_works_on_the_demo() {
    runs_on_the_demo("README.ko.md");
}

#[test]
fn both_readmes_have_the_same_sections_and_commands() {
    let (english, korean) = (read("README.md"), read("README.ko.md"));
    let headings = |page: &str| page.lines().filter(|line| line.starts_with("## ")).count();
    assert_eq!(headings(&english), headings(&korean));
    let parts = |page: &str| page.lines().filter(|line| line.starts_with("**")).count();
    assert_eq!(parts(&english), parts(&korean));
    let known = commands(&korean);
    for command in commands(&english) {
        assert!(known.contains(&command), "README.ko.md lacks: {command}");
    }
}
