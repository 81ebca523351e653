//! The private PostgreSQL itself: it starts, is shared, is killed, is copied, and leaves nothing behind.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};

use super::{Postgres, PostgresError};

async fn number(url: &str, sql: &'static str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}

#[tokio::test]
async fn what_was_committed_outlives_a_kill_and_the_port_stays() {
    let postgres = Postgres::start().await.unwrap();
    let database = postgres.fresh_database().await.unwrap();
    database
        .execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
        .await
        .unwrap();
    for kill in [true, false] {
        let ended = if kill {
            postgres.kill().await
        } else {
            postgres.stop().await
        };
        ended.unwrap();
        assert!(PgConnection::connect(&database.url()).await.is_err());
        postgres.restart().await.unwrap();
        assert_eq!(number(&database.url(), "SELECT count(*) FROM t").await, 1);
    }
    assert_eq!(
        number(&postgres.socket_url(database.name()), "SELECT count(*) FROM t").await,
        1
    );
}

#[tokio::test]
async fn tests_at_the_same_time_share_a_cluster_and_have_databases_of_their_own() {
    let prepare = async |url: String| {
        let mut connection = PgConnection::connect(&url).await?;
        sqlx::raw_sql("CREATE TABLE prepared (a int)")
            .execute(&mut connection)
            .await
            .map(drop)
    };
    let tests = (0..8).map(|_| async {
        let postgres = Postgres::shared().await.unwrap();
        let database = postgres.database_like("prepared", prepare).await.unwrap();
        database.execute("INSERT INTO prepared VALUES (1)").await.unwrap();
        assert_eq!(number(&database.url(), "SELECT count(*) FROM prepared").await, 1);
        (postgres.port(), database)
    });
    let done = futures::future::join_all(tests).await;
    let names: std::collections::HashSet<_> = done.iter().map(|(_, database)| database.name()).collect();
    assert_eq!(names.len(), 8);
    assert!(done.iter().all(|(port, _)| *port == done[0].0));
}

#[tokio::test]
async fn a_template_that_cannot_be_prepared_is_an_error_and_can_be_tried_again() {
    let postgres = Postgres::shared().await.unwrap();
    let failed = postgres.database_like("twice", async |_| Err("no")).await;
    assert!(matches!(failed, Err(PostgresError::Template(reason)) if reason == "no"));
    postgres
        .database_like("twice", async |_| Ok::<_, &str>(()))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_replica_follows() {
    let postgres = Postgres::start().await.unwrap();
    let database = postgres.fresh_database().await.unwrap();
    let replica = postgres.replica().await.unwrap();
    database
        .execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
        .await
        .unwrap();
    let begun = Instant::now();
    while number(
        &replica.url(database.name()),
        "SELECT count(*) FROM pg_class WHERE relname = 't'",
    )
    .await
        == 0
    {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn nothing_stays_behind() {
    let postgres = Postgres::start().await.unwrap();
    let directory = postgres.shared.cluster.directory.clone();
    assert!(directory.join("data/postmaster.pid").exists());
    drop(postgres);
    assert!(!directory.exists());
}

const CHILD: &str = "postgres::tests::the_child_of_the_next_test_starts_a_cluster_and_waits";

/// Does nothing unless it is the only test asked for, which the next one does.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test asks how it was started")]
async fn the_child_of_the_next_test_starts_a_cluster_and_waits() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments == [CHILD, "--exact", "--nocapture"] {
        let postgres = Postgres::start().await.unwrap();
        println!("\ndirectory={}", postgres.shared.cluster.directory.display());
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
}

#[test]
fn nothing_stays_behind_when_the_process_is_killed() {
    use std::io::{BufRead, BufReader};

    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([CHILD, "--exact", "--nocapture"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = lines
        .map_while(Result::ok)
        .find_map(|line| Some(line.strip_prefix("directory=")?.to_owned()));
    let directory = std::path::PathBuf::from(said.unwrap());
    assert!(directory.join("data/postmaster.pid").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    let begun = Instant::now();
    while directory.exists() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{} is still there",
            directory.display()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
