//! Tables the pipelines keep for themselves: derived, rebuilt when missing or stale, no part of the contract.

use crate::ColumnType::{Date, Dec2, Text, Timestamp};
use crate::{Column, Layer, TableContract, WriteStrategy};

const AS_OF: Column = Column::required(
    "as_of_date_kst",
    Date,
    "State strictly before the start of this day",
);
const FINGERPRINT: Column = Column::required(
    "fingerprint",
    Text,
    "Of the Silver data files the state was computed from",
);

/// Each wallet's newest snapshot before a day, and what has flowed since: what makes a day's controls cost the
/// day and not the history.
pub static WALLET_POSITION: TableContract = TableContract {
    layer: Layer::Internal,
    name: "wallet_position",
    description: "One row per wallet and day: its newest snapshot before the day and the flow since.",
    columns: &[
        AS_OF,
        FINGERPRINT,
        Column::required("user_id", Text, "Wallet"),
        Column::new(
            "snapshot_ts",
            Timestamp,
            "Newest snapshot before the day; null when the wallet never had one",
        ),
        Column::new("balance_total", Dec2, "Its balance"),
        Column::required("flow_after", Dec2, "Entries from the snapshot to the day's start"),
    ],
    key: &[],
    partition: &["as_of_date_kst"],
    write: WriteStrategy::OverwritePartitions,
    identity: &[],
    lineage: &[],
    lookup: None,
    statistics: &["user_id"],
};

/// The issued supply before a day; also says for which Silver files the day's wallet positions hold.
pub static SUPPLY_POSITION: TableContract = TableContract {
    layer: Layer::Internal,
    name: "supply_position",
    description: "One row per day: the supply issued before it.",
    columns: &[
        AS_OF,
        FINGERPRINT,
        Column::required(
            "issued_supply",
            Dec2,
            "MINT + CHARGE - BURN - WITHDRAW before the day",
        ),
    ],
    key: &[],
    partition: &["as_of_date_kst"],
    write: WriteStrategy::OverwritePartitions,
    identity: &[],
    lineage: &[],
    lookup: None,
    statistics: &[],
};
