//! A stored version is lowered by an operator, for a reason, with an audit row or not at all (serving contract 2).

use nsc_core::UtcMicros;
use nsc_store::{AuditRow, Correction, Store, StoreError, StoredKind, StoredVersion};
use nsc_testkit::Database;

use crate::support::{api, at, consumer, entry, ledger, lines, migrated, options, order, orders, value};

const NONE: StoredVersion = StoredVersion {
    updated_at: None,
    source_version: None,
};

/// A login that is a member of both roles.
async fn operator(database: &Database) -> Store {
    let role = "nsc_test_operator";
    let make = format!(
        "DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    );
    database.execute(&make).await.unwrap();
    // Another test may do the same at this moment.
    while database
        .execute(&format!("GRANT nsc_consumer, nsc_api TO {role}"))
        .await
        .is_err()
    {}
    Store::connect(&options(database.url_of(role).await.unwrap()))
        .await
        .unwrap()
}

fn audit(id: &str, former: StoredVersion) -> AuditRow {
    AuditRow {
        actor_id: Some("kim".to_owned()),
        actor_roles: vec!["OPERATOR".to_owned()],
        action: "VERSION_CORRECTION".to_owned(),
        resource_type: Some("TX".to_owned()),
        resource_id: Some(id.to_owned()),
        result: "CORRECTED".to_owned(),
        status_code: 200,
        request_method: "CLI".to_owned(),
        request_path: "nsc correct-version".to_owned(),
        request_query: Some(format!("{former:?}")),
        client_ip: None,
        user_agent: None,
        correlation_id: "c-1".to_owned(),
        duration_ms: 0,
        result_count: Some(1),
        requested_at: at(0),
    }
}

async fn correct(
    store: &Store,
    kind: StoredKind,
    id: &str,
    version: StoredVersion,
) -> Result<Correction, StoreError> {
    store
        .correct_version(kind, id, version, at(9), |former| audit(id, former))
        .await
}

fn far() -> UtcMicros {
    UtcMicros::parse("2099-01-01T00:00:00Z").unwrap()
}

#[tokio::test]
async fn an_entry_of_2099_gives_way_once_its_version_is_corrected() {
    let database = migrated().await;
    let (store, operator) = (consumer(&database).await, operator(&database).await);
    let mut wrong = entry("t-1", "PAYMENT", Some("o-1"));
    (wrong.updated_at, wrong.source_version) = (Some(far()), Some(7));
    wrong.wallet_id = "wrong".to_owned();
    store
        .apply(&ledger([wrong, entry("t-2", "RECEIVE", Some("o-1"))]), at(1))
        .await
        .unwrap();
    store.apply(&orders([order("o-1", "PAID")]), at(1)).await.unwrap();
    let right = ledger([entry("t-1", "PAYMENT", Some("o-1"))]);
    assert_eq!(
        store.apply(&right, at(2)).await.unwrap().ledger_stale,
        1,
        "it wins for ever"
    );

    let former = StoredVersion {
        updated_at: Some(far()),
        source_version: Some(7),
    };
    let made = correct(&operator, StoredKind::LedgerEntry, "t-1", NONE)
        .await
        .unwrap();
    assert_eq!(made, Correction::Made(former));
    let pair = async || {
        lines(
            &database,
            "payment_tx_id, receive_tx_id, payer_wallet_id, updated_at",
            "bo.payment_ledger_pairs",
        )
        .await
    };
    assert_eq!(
        pair().await,
        ["t-1|t-2|wrong|2026-01-01 00:00:00+00"],
        "what it says stays, its time is gone"
    );
    assert_eq!(store.apply(&right, at(3)).await.unwrap().ledger_written, 1);
    assert_eq!(pair().await, ["t-1|t-2|wallet-of-t-1|2026-01-01 00:00:00+00"]);
    let audited = lines(
        &database,
        "actor_id, action, resource_id, request_query",
        "bo.admin_audit_logs",
    )
    .await;
    assert_eq!(audited, [format!("kim|VERSION_CORRECTION|t-1|{former:?}")]);
}

#[tokio::test]
async fn an_order_is_corrected_to_a_version_in_between() {
    let database = migrated().await;
    let (store, operator) = (consumer(&database).await, operator(&database).await);
    let mut wrong = order("o-1", "FAILED");
    wrong.updated_at = Some(far());
    store.apply(&orders([wrong]), at(1)).await.unwrap();
    let between = StoredVersion {
        updated_at: Some(at(5)),
        source_version: None,
    };
    let made = correct(&operator, StoredKind::PaymentOrder, "o-1", between)
        .await
        .unwrap();
    assert!(matches!(made, Correction::Made(_)), "{made:?}");
    let with = |seconds: i64, status: &str| {
        let mut row = order("o-1", status);
        row.updated_at = Some(at(seconds));
        orders([row])
    };
    assert_eq!(
        store
            .apply(&with(4, "CREATED"), at(2))
            .await
            .unwrap()
            .orders_stale,
        1
    );
    // An event of this very version is the newer one.
    assert_eq!(
        store.apply(&with(5, "PAID"), at(2)).await.unwrap().orders_written,
        1
    );
}

#[tokio::test]
async fn a_version_is_only_ever_lowered_and_only_of_a_row_that_is_there() {
    let database = migrated().await;
    let (store, operator) = (consumer(&database).await, operator(&database).await);
    store
        .apply(&ledger([entry("t-1", "CHARGE", None)]), at(1))
        .await
        .unwrap();
    let stored = StoredVersion {
        updated_at: Some(at(0)),
        source_version: None,
    };
    let higher = StoredVersion {
        source_version: Some(0),
        ..stored
    };
    for version in [stored, higher] {
        let made = correct(&operator, StoredKind::LedgerEntry, "t-1", version)
            .await
            .unwrap();
        assert_eq!(made, Correction::NotBelow(stored));
    }
    for (kind, id) in [
        (StoredKind::LedgerEntry, "t-9"),
        (StoredKind::PaymentOrder, "t-1"),
    ] {
        assert_eq!(
            correct(&operator, kind, id, NONE).await.unwrap(),
            Correction::NoSuchRow
        );
    }
    assert_eq!(
        value::<i64>(&database, "SELECT count(*) FROM bo.admin_audit_logs").await,
        0
    );
    assert_eq!(
        lines(&database, "updated_at", "bo.ledger_entries").await,
        ["2026-01-01 00:00:00+00"]
    );
}

#[tokio::test]
async fn neither_the_consumer_nor_the_api_may_correct_a_version_alone() {
    let database = migrated().await;
    let store = consumer(&database).await;
    store
        .apply(&ledger([entry("t-1", "CHARGE", None)]), at(1))
        .await
        .unwrap();
    for login in [store, api(&database).await] {
        let refused = correct(&login, StoredKind::LedgerEntry, "t-1", NONE).await;
        assert!(
            matches!(refused, Err(StoreError::Privilege { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(
        lines(&database, "updated_at", "bo.ledger_entries").await,
        ["2026-01-01 00:00:00+00"]
    );
}
