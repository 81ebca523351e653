//! Records of the operation: what people and programs did with the lake, in tables any Delta reader opens. They lie in a
//! folder of their own beside the three layers and are none of the contract's 23 tables (lakehouse contract 2, "Loads").

use crate::ColumnType::{BigInt, Text, Timestamp};
use crate::{Column, Layer, TableContract, WriteStrategy};

/// What was loaded when, from where and by whom, and what was taken back.
pub static LOAD: TableContract = TableContract {
    layer: Layer::Ops,
    name: "load",
    description: "One row per load and change of its state; the newest row of a load says what it is now.",
    columns: &[
        Column::required(
            "load_id",
            Text,
            "The load: a UUID of version 7, later loads sort later",
        ),
        Column::required("table_name", Text, "The Bronze table it went to, layer.name"),
        Column::required("state", Text, "LOADED, RETRACTED or RESTORED"),
        Column::new("input", Text, "Base name of the file, or -"),
        Column::new("source_path", Text, "The input as it was named"),
        Column::new("content_blake3", Text, "BLAKE3 of the uncompressed content"),
        Column::new("delivery", Text, "What marks the delivery, beside its content"),
        Column::new("bytes", BigInt, "Uncompressed bytes"),
        Column::new("lines", BigInt, "Lines, blank ones included"),
        Column::new("rows", BigInt, "Rows, malformed ones included"),
        Column::new("malformed", BigInt, "Rows that are not JSON objects"),
        Column::new("file_size", BigInt, "Bytes of the file as it lay there"),
        Column::new("file_modified", Timestamp, "Modification time of the file"),
        Column::new(
            "ingested_at",
            Timestamp,
            "The load's own time, for lines that carry none",
        ),
        Column::new("actor", Text, "Who did it: user@host"),
        Column::new("version", Text, "Version of the program"),
        Column::new("reason", Text, "Why it was taken back or restored"),
        Column::required(
            "recorded_at",
            Timestamp,
            "When the row was written; later for later rows of a load",
        ),
    ],
    key: &[],
    partition: &[],
    write: WriteStrategy::Append,
    identity: &["load_id", "state", "recorded_at"],
    lineage: &[],
    lookup: None,
    statistics: &["load_id", "table_name", "state", "recorded_at"],
};
