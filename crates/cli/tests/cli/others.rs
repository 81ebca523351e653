//! What other programs and hands do to a lake between two nights.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::stderr;
use super::world::lake;

fn entry(dir: &Path, tx: &str, wallet: &str, day: &str) -> String {
    let file = dir.join(format!("{tx}.jsonl"));
    let line = format!(
        r#"{{"tx_id":"{tx}","wallet_id":"{wallet}","type":"HOLD","amount":"1.00","created_at":"{day}T10:00:00+09:00","ingested_at":"{day}T01:01:00Z"}}"#
    );
    std::fs::write(&file, line + "\n").unwrap();
    file.to_string_lossy().into_owned()
}

/// A root with rules, and the directory for inputs.
fn begun(dir: &Path) -> PathBuf {
    let root = dir.join("lake");
    std::fs::create_dir(&root).unwrap();
    lake(&root, &["run", "sync-rules", "--now", "2026-01-01T00:00:00Z"]);
    root
}

#[test]
fn a_damaged_log_is_one_line_that_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let root = begun(dir.path());
    let file = entry(dir.path(), "t1", "u1", "2026-01-05");
    lake(&root, &["ingest", "transaction_ledger", &file]);
    let newest = root.join("bronze/transaction_ledger_raw/_delta_log/00000000000000000001.json");
    let whole = std::fs::read(&newest).unwrap();
    for harm in [&whole[..whole.len() / 2], &whole[..0]] {
        std::fs::write(&newest, harm).unwrap();
        let query = "SELECT count(*) FROM bronze.transaction_ledger_raw";
        let output = Command::new(env!("CARGO_BIN_EXE_nsc"))
            .arg("--root")
            .arg(&root)
            .args(["sql", query])
            .env_clear()
            .env("HOME", dir.path())
            // As an operator's shell may have it.
            .env("RUST_BACKTRACE", "1")
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(6));
        let said = stderr(&output);
        let errors: Vec<&str> = said.lines().filter(|l| !l.starts_with("HINT")).collect();
        assert_eq!(errors.len(), 1, "{said}");
        assert!(
            errors[0].contains("NSC0108") && errors[0].contains("00000000000000000001.json"),
            "{said}"
        );
    }
}
