//! Whose fault a refusal is: a database that refuses what the contract allows is set up wrong (contract, section 4).

use nsc_store::LedgerRow;

use crate::support::{at, consumer, entry, ledger, migrated, value};

const ROWS: &str = "SELECT (SELECT count(*) FROM bo.ledger_entries) + (SELECT count(*) FROM bo.payment_orders) \
     + (SELECT count(*) FROM bo.payment_ledger_pairs)";

/// What another release may have added, or a person, and how it is taken away.
const FAULTS: [(&str, &str); 10] = [
    (
        "ALTER TABLE bo.ledger_entries ADD COLUMN theirs text NOT NULL",
        "ALTER TABLE bo.ledger_entries DROP COLUMN theirs",
    ),
    (
        "ALTER TABLE bo.payment_orders ADD COLUMN theirs text NOT NULL",
        "ALTER TABLE bo.payment_orders DROP COLUMN theirs",
    ),
    (
        "ALTER TABLE bo.ledger_entries ALTER COLUMN wallet_id TYPE varchar(100)",
        "ALTER TABLE bo.ledger_entries ALTER COLUMN wallet_id TYPE varchar(255)",
    ),
    (
        "ALTER TABLE bo.payment_orders ALTER COLUMN amount TYPE numeric(8, 2)",
        "ALTER TABLE bo.payment_orders ALTER COLUMN amount TYPE numeric(18, 2)",
    ),
    (
        "ALTER TABLE bo.ledger_entries ALTER COLUMN related_id SET NOT NULL",
        "ALTER TABLE bo.ledger_entries ALTER COLUMN related_id DROP NOT NULL",
    ),
    (
        "ALTER TABLE bo.ledger_entries ADD CONSTRAINT theirs CHECK (entry_type = 'NEVER')",
        "ALTER TABLE bo.ledger_entries DROP CONSTRAINT theirs",
    ),
    (
        "CREATE TABLE bo.theirs (wallet_id varchar(255) PRIMARY KEY);
         ALTER TABLE bo.ledger_entries ADD CONSTRAINT theirs FOREIGN KEY (wallet_id) REFERENCES bo.theirs",
        "ALTER TABLE bo.ledger_entries DROP CONSTRAINT theirs; DROP TABLE bo.theirs",
    ),
    (
        "CREATE INDEX theirs ON bo.ledger_entries ((wallet_id::bigint))",
        "DROP INDEX bo.theirs",
    ),
    // As a database answers whose encoding does not hold a text.
    (
        "CREATE FUNCTION bo.theirs() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'no equivalent' USING ERRCODE = '22P05'; END $$;
         CREATE TRIGGER theirs BEFORE INSERT ON bo.ledger_entries FOR EACH ROW
            WHEN (NEW.wallet_id ~ '[^[:ascii:]]') EXECUTE FUNCTION bo.theirs()",
        "DROP TRIGGER theirs ON bo.ledger_entries; DROP FUNCTION bo.theirs()",
    ),
    (
        "REVOKE INSERT ON bo.ledger_entries FROM nsc_consumer",
        "GRANT INSERT ON bo.ledger_entries TO nsc_consumer",
    ),
];

#[tokio::test]
async fn rows_of_the_contract_are_tried_and_never_kept() {
    let database = migrated().await;
    let store = consumer(&database).await;
    store.takes_rows_of_the_contract(at(0)).await.unwrap();
    assert_eq!(value::<i64>(&database, ROWS).await, 0);
}

#[tokio::test]
async fn a_fault_of_the_set_up_is_told_from_a_row_at_fault() {
    let database = migrated().await;
    let store = consumer(&database).await;
    for (fault, mend) in FAULTS {
        database.execute(fault).await.unwrap();
        let refused = store.takes_rows_of_the_contract(at(0)).await.unwrap_err();
        assert!(!refused.is_transient(), "{fault}: {refused:?}");
        database.execute(mend).await.unwrap();
        store.takes_rows_of_the_contract(at(0)).await.unwrap();
    }
    // A rule that somebody added refuses the rows that break it.
    for rule in [
        "ALTER TABLE bo.ledger_entries ADD CONSTRAINT theirs CHECK (wallet_id <> 'forbidden')",
        "ALTER TABLE bo.ledger_entries DROP CONSTRAINT theirs;
         CREATE FUNCTION bo.theirs() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'forbidden'; END $$;
         CREATE TRIGGER theirs BEFORE INSERT ON bo.ledger_entries FOR EACH ROW
            WHEN (NEW.wallet_id = 'forbidden') EXECUTE FUNCTION bo.theirs()",
    ] {
        database.execute(rule).await.unwrap();
        let forbidden = LedgerRow {
            wallet_id: "forbidden".to_owned(),
            ..entry("f", "CHARGE", None)
        };
        let error = store.apply(&ledger([forbidden]), at(0)).await.unwrap_err();
        assert!(error.is_refusal(), "{rule}: {error:?}");
        store.takes_rows_of_the_contract(at(0)).await.unwrap();
    }
    assert_eq!(value::<i64>(&database, ROWS).await, 0);
}

/// A damaged page says nothing of the row that was to be written into it.
#[tokio::test]
async fn what_the_server_says_of_itself_is_no_refusal() {
    let database = migrated().await;
    let damage = "CREATE FUNCTION bo.theirs() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'invalid page' USING ERRCODE = 'XX001'; END $$;
         CREATE TRIGGER theirs BEFORE INSERT ON bo.ledger_entries FOR EACH ROW
            WHEN (NEW.wallet_id = 'here') EXECUTE FUNCTION bo.theirs()";
    database.execute(damage).await.unwrap();
    let store = consumer(&database).await;
    let row = LedgerRow {
        wallet_id: "here".to_owned(),
        ..entry("t", "CHARGE", None)
    };
    let error = store.apply(&ledger([row]), at(0)).await.unwrap_err();
    assert!(!error.is_refusal() && !error.is_transient(), "{error:?}");
    store.takes_rows_of_the_contract(at(0)).await.unwrap();
}
