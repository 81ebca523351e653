//! How far a partition is in Bronze. The Delta log of the table is the only memory of it: a commit that adds rows says, for
//! each partition it advances, the offset behind them and the fingerprint of the last record, as application
//! transactions (sources contract 3.1).

use nsc_lake::{LakeError, Table};

/// The partitions of a topic, as positions name them.
#[derive(Debug, Clone)]
pub(super) struct PositionNames {
    prefix: String,
}

/// Where a partition goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// The first offset that is not in the table.
    pub(super) next: i64,
    /// Of the record before it.
    pub(super) fingerprint: i64,
}

impl PositionNames {
    pub(super) fn new(cluster: &str, topic: &str) -> Self {
        // The generation: a topic that was made anew and is to be read from its beginning becomes another one.
        Self {
            prefix: format!("kafka/{cluster}/{topic}/1"),
        }
    }

    fn next(&self, partition: i32) -> String {
        format!("{}/{partition}", self.prefix)
    }

    fn fingerprint(&self, partition: i32) -> String {
        format!("{}/{partition}/fp", self.prefix)
    }

    /// What stands in this version of the table; `None` for a partition of which nothing was ever taken.
    pub(super) async fn read(&self, table: &Table, partition: i32) -> Result<Option<Position>, LakeError> {
        let next = table.application_version(&self.next(partition)).await?;
        let fingerprint = table.application_version(&self.fingerprint(partition)).await?;
        Ok(next.map(|next| Position {
            next,
            fingerprint: fingerprint.unwrap_or_default(),
        }))
    }

    /// The transactions that say it.
    pub(super) fn transactions(&self, partition: i32, position: Position) -> [(String, i64); 2] {
        [
            (self.next(partition), position.next),
            (self.fingerprint(partition), position.fingerprint),
        ]
    }
}
