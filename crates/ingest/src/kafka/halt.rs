//! Why nothing more is taken of a partition until somebody has looked at it.

use std::fmt;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Halt {
    /// Messages were removed before they were taken.
    Gap {
        /// The first offset that is still there.
        start: i64,
    },
    /// The record before the position is another one than the one that was taken.
    Recreated,
    /// The brokers have nothing at the position, and say so.
    OutOfRange,
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap { start } => write!(
                f,
                "INGEST_GAP: messages were removed from the topic before they were taken; it begins at offset {start} now"
            ),
            Self::Recreated => f.write_str(
                "INGEST_TOPIC_RECREATED: the last record that was taken is another one now; the topic was made anew",
            ),
            Self::OutOfRange => f.write_str(
                "INGEST_TOPIC_RECREATED: the brokers have nothing at the position; the topic was made anew, or is behind a failover",
            ),
        }
    }
}
