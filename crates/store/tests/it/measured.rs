//! What the store measures of the database (serving contract 8).

use std::time::Duration;

use nsc_store::{Store, StoreOptions};
use nsc_telemetry::{Metrics, MetricsOptions};
use nsc_testkit::Postgres;

use crate::support::{at, consumer, entry, ledger, migrated, migrated_in, options, superuser, value_on};

#[tokio::test]
async fn statements_connections_and_waits_are_measured() {
    let database = migrated().await;
    let metrics = Metrics::start(&MetricsOptions::named("test")).unwrap();
    let options = StoreOptions {
        max_connections: 7,
        ..options(database.url_of("nsc_consumer").await.unwrap())
    };
    let store = Store::with_metrics(&options, metrics.db()).unwrap();
    store
        .apply(&ledger([entry("t", "PAYMENT", Some("o"))]), at(0))
        .await
        .unwrap();
    store.tx("t").await.unwrap();
    store.tx("unknown").await.unwrap();
    let shown = metrics.render();
    let samples = [
        "db_query_latency_seconds_count{query=\"tx_lookup\"",
        "db_query_latency_seconds_count{query=\"upsert_ledger_entries\"",
        "db_query_latency_seconds_count{query=\"open_pairs\"",
        "db_query_latency_seconds_count{query=\"commit\"",
        "db_pool_checkout_latency_seconds_count",
    ];
    for sample in samples {
        assert!(shown.contains(sample), "{sample}\n{shown}");
    }
    let value = |name: &str| {
        let line = shown.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
    };
    assert_eq!((value("db_pool_size"), value("db_pool_checked_out")), (7.0, 0.0));
    assert!(
        !shown.contains("db_replication_lag_seconds"),
        "there is no replica"
    );
}

#[tokio::test]
async fn the_lag_of_a_replica_is_measured_while_it_is_behind_and_not_while_nothing_happens() {
    let postgres = Postgres::start().await.unwrap();
    let database = migrated_in(&postgres).await;
    let replica = postgres.replica().await.unwrap();
    let metrics = Metrics::start(&MetricsOptions::named("test")).unwrap();
    let options = StoreOptions {
        replica_url: Some(replica.url(database.name()).into()),
        ..options(database.url_of("nsc_consumer").await.unwrap())
    };
    let store = Store::with_metrics(&options, metrics.db()).unwrap();
    // How far behind it is can be said once it has replayed something.
    store
        .apply(&ledger([entry("first", "CHARGE", None)]), at(0))
        .await
        .unwrap();
    let mut follower = superuser(&replica.url(database.name())).await;
    let replayed = "SELECT count(pg_last_xact_replay_timestamp()) FROM bo.ledger_entries";
    while value_on::<i64>(&mut follower, replayed).await == 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    replica
        .execute("SELECT pg_wal_replay_pause()".to_owned())
        .await
        .unwrap();
    store
        .apply(&ledger([entry("t", "CHARGE", None)]), at(0))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let behind = store.replication_lag().await.unwrap().unwrap();
    assert!(behind > 0.3, "{behind}");
    assert!(metrics.render().contains("db_replication_lag_seconds"));
    replica
        .execute("SELECT pg_wal_replay_resume()".to_owned())
        .await
        .unwrap();
    let mut tries = 0;
    while store.replication_lag().await.unwrap() != Some(0.0) {
        tries += 1;
        assert!(tries < 200, "still behind");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Nothing is written any more, and nothing is behind.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(store.replication_lag().await.unwrap(), Some(0.0));
}

#[tokio::test]
async fn without_a_replica_there_is_no_lag() {
    let database = migrated().await;
    assert_eq!(consumer(&database).await.replication_lag().await.unwrap(), None);
}
