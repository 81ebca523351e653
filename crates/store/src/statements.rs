//! The SQL files, by the name under which their duration is measured.

use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{Decode, Row, Type};

use crate::error::StoreError;

/// A statement with its arguments.
pub(crate) type Bound<'q> = Query<'q, Postgres, PgArguments>;

/// Settings of every connection.
pub const SETTINGS: &[(&str, &str)] = &[
    ("timezone", "UTC"),
    // What a batch writes relies on each statement seeing what was committed before it.
    ("default_transaction_isolation", "read committed"),
    // A writer that vanished must not hold its locks for hours.
    ("idle_in_transaction_session_timeout", "60s"),
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
    // A statement is planned once a connection and always goes by keys and indexes, from few rows to few rows: a plan
    // made while a table was empty would otherwise read all of it when it no longer is.
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_material", "off"),
    ("jit", "off"),
];

/// One statement.
#[derive(Debug, Clone, Copy)]
pub struct Statement {
    /// Name in metrics and errors.
    pub name: &'static str,
    /// Text.
    pub sql: &'static str,
}

impl Statement {
    /// The statement, to bind arguments to.
    pub(crate) fn bound<'q>(self) -> Bound<'q> {
        sqlx::query(self.sql)
    }

    /// A column of the one row a statement gives.
    pub(crate) fn only<'r, T>(self, rows: &'r [PgRow], column: usize) -> Result<T, StoreError>
    where
        T: Decode<'r, Postgres> + Type<Postgres>,
    {
        let value = rows
            .first()
            .ok_or(sqlx::Error::RowNotFound)
            .and_then(|row| row.try_get(column));
        value.map_err(|source| self.failed(source))
    }

    /// What of the rows cannot be read is an error of the statement.
    pub(crate) fn failed(self, source: sqlx::Error) -> StoreError {
        StoreError::of_statement(self.name, source)
    }
}

/// Declares the statements and the list of all of them.
macro_rules! statements {
    ($($constant:ident = $name:literal, $sql:expr;)+) => {
        $(pub(crate) const $constant: Statement = Statement { name: $name, sql: $sql };)+

        /// Every statement that is prepared, for the test that prepares them all.
        pub const ALL: &[Statement] = &[$($constant),+];
    };
}

statements! {
    UPSERT_LEDGER = "upsert_ledger_entries", include_str!("../sql/upsert_ledger_entries.sql");
    UPSERT_ORDERS = "upsert_payment_orders", include_str!("../sql/upsert_payment_orders.sql");
    CORRECTED_ENTRIES = "corrected_entries", include_str!("../sql/corrected_entries.sql");
    KEEP_FORMER_LEGS = "keep_former_legs", include_str!("../sql/keep_former_legs.sql");
    OPEN_PAIRS = "open_pairs", include_str!("../sql/open_pairs.sql");
    RECOMPUTE_PAIRS = "recompute_pairs", include_str!("../sql/recompute_pairs.sql");
    KNOWN_PAIRS = "known_pairs", include_str!("../sql/known_pairs.sql");
    PAIR_LEGS = "pair_legs", include_str!("../sql/pair_legs.sql");
    LOCK_ORDERS = "lock_orders", include_str!("../sql/lock_orders.sql");
    INSERT_DEAD_LETTERS = "insert_dead_letters", include_str!("../sql/insert_dead_letters.sql");
    CORRECT_ENTRY_VERSION = "correct_entry_version", include_str!("../sql/correct_entry_version.sql");
    CORRECT_ORDER_VERSION = "correct_order_version", include_str!("../sql/correct_order_version.sql");
    LIST_DEAD_LETTERS = "list_dead_letters", include_str!("../sql/list_dead_letters.sql");
    SHOW_DEAD_LETTER = "show_dead_letter", include_str!("../sql/show_dead_letter.sql");
    MARK_REPLAYED = "mark_replayed", include_str!("../sql/mark_replayed.sql");
    PURGE_DEAD_LETTERS = "purge_dead_letters", include_str!("../sql/purge_dead_letters.sql");
    INSERT_AUDIT_ROWS = "insert_audit_rows", include_str!("../sql/insert_audit_rows.sql");
    LIST_AUDIT_ROWS = "list_audit_rows", include_str!("../sql/list_audit_rows.sql");
    NEWEST_AUDIT_ROWS = "newest_audit_rows", include_str!("../sql/newest_audit_rows.sql");
    AUDIT_CHAIN = "audit_chain", include_str!("../sql/audit_chain.sql");
    TX = "tx_lookup", include_str!("../sql/tx.sql");
    ORDER = "order_lookup", include_str!("../sql/order.sql");
    WALLET_ENTRIES = "wallet_entries", include_str!("../sql/wallet_entries.sql");
    PAIRING_HEALTH = "pairing_health", include_str!("../sql/pairing_health.sql");
    REPLICATION_LAG = "replication_lag", include_str!("../sql/replication_lag.sql");
    LACKING_FOR_ANSWERS = "lacking_for_answers", include_str!("../sql/lacking_for_answers.sql");
    SCHEMA_VERSION = "schema_version", include_str!("../sql/schema_version.sql");
}
