//! Every SQL file is a statement PostgreSQL takes, says what it is for, and is used.

use std::collections::BTreeSet;
use std::path::Path;

use nsc_store::statements::ALL;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::support::migrated;

fn files() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries
        .map(|e| {
            (
                e.file_name().into_string().unwrap(),
                std::fs::read_to_string(e.path()).unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn every_statement_is_prepared_against_the_schema() {
    let database = migrated().await;
    let mut connection = PgConnection::connect(&database.url()).await.unwrap();
    for statement in ALL {
        let prepare = format!("PREPARE \"{}\" AS {}", statement.name, statement.sql);
        sqlx::raw_sql(AssertSqlSafe(prepare))
            .execute(&mut connection)
            .await
            .unwrap_or_else(|e| panic!("{}: {e}", statement.name));
    }
    let names: BTreeSet<_> = ALL.iter().map(|s| s.name).collect();
    assert_eq!(names.len(), ALL.len(), "names are used in metrics and differ");
}

#[test]
fn every_sql_file_says_grain_and_contract_and_is_used() {
    for (name, text) in files() {
        let header: Vec<&str> = text.lines().take_while(|line| line.starts_with("--")).collect();
        let header = header.join("\n");
        assert!(
            header.contains("Grain: ") && header.contains("Contract: serving "),
            "{name}: {header}"
        );
        let used = ALL.iter().any(|statement| statement.sql.contains(&text)) || name == "grants.sql";
        assert!(used, "{name} is in no statement");
    }
}
