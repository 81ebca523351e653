//! What came of a stream.

use std::collections::BTreeMap;

use serde::Serialize;

/// What came of a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TopicSummary {
    /// Its name.
    pub topic: String,
    /// The table, `bronze.<name>`.
    pub table: String,
    /// Messages that are committed: rows + tombstones.
    pub messages: u64,
    /// Rows, the malformed among them.
    pub rows: u64,
    /// Rows that keep a message that is not a JSON object.
    pub malformed: u64,
    /// Messages without a payload.
    pub tombstones: u64,
    /// Commits.
    pub commits: u64,
    /// The table's version after the last one.
    pub version: Option<u64>,
    /// Partitions of which nothing more is taken, and why.
    pub halted: BTreeMap<i32, String>,
}
