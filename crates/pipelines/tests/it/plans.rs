//! What records of results say their plans were: a version that somebody has to raise, held to the texts of the SQL.

use std::path::Path;

/// The number in `PLANS_VERSION` and the SQL that it stands for.
const HELD: (&str, &str) = ("8", "1566819326013cd61e3c08ba776c26cf");

/// Statements without comments and layout: those change no result.
fn statement(sql: &str) -> String {
    let code = sql
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default());
    let words: Vec<&str> = code.flat_map(str::split_whitespace).collect();
    words.join(" ")
}

#[test]
fn plans_do_not_change_without_a_new_version() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let derivation = std::fs::read_to_string(crates.join("pipelines/src/derivation.rs")).unwrap();
    let version = derivation
        .lines()
        .find_map(|line| {
            line.split_once("PLANS_VERSION: &str = ")?
                .1
                .split_once("\"/")?
                .1
                .split_once('"')
        })
        .map(|(number, _)| number)
        .unwrap();
    let mut files: Vec<_> = ["transforms/src/sql", "pipelines/src"]
        .into_iter()
        .flat_map(|folder| std::fs::read_dir(crates.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "sql"))
        .collect();
    files.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
    assert!(files.len() > 10, "the SQL is kept elsewhere now: {files:?}");
    let mut hasher = blake3::Hasher::new();
    for file in files {
        let sql = statement(&std::fs::read_to_string(&file).unwrap());
        hasher
            .update(&(sql.len() as u64).to_le_bytes())
            .update(sql.as_bytes());
    }
    let hash = hasher.finalize().to_hex();
    assert_eq!(
        (version, &hash[..32]),
        HELD,
        "raise PLANS_VERSION in crates/pipelines/src/derivation.rs when the statements say something else than they did, or \
         unchanged days keep their old result; then say here what it stands for"
    );
}
