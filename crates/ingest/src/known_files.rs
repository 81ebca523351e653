//! What is known of files that were loaded before, so that they need not be read again to be recognised.
//!
//! A record of a table beside the lake: by path, what a file looked like and which content it had. It only saves reading:
//! whether that content's delivery is loaded is asked of the table's log, and a record that is lost costs one reading.

use std::collections::BTreeMap;

use nsc_contracts::TableContract;
use nsc_core::{MICROS_PER_SECOND, UtcMicros};
use nsc_lake::Lake;
use serde::{Deserialize, Serialize};

use crate::located::{FileStamp, Located};

/// A file that was written less than this before it was read may have been written again without looking different.
const RACY: i64 = 2 * MICROS_PER_SECOND;
/// Files remembered of a table: those not named for the longest time are forgotten first.
const MOST: usize = 20_000;

/// A content that was read from a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownFile {
    stamp: FileStamp,
    /// When it was read, in microseconds.
    read_at: i64,
    pub(crate) content: String,
    /// Uncompressed bytes.
    pub(crate) bytes: u64,
    /// Whether every row carries a mark of its own.
    pub(crate) is_carried: bool,
    /// When a command last named it, in microseconds.
    named_at: i64,
}

/// The files of one table.
#[derive(Debug, Default)]
pub(crate) struct KnownFiles {
    stored: BTreeMap<String, KnownFile>,
    /// What this command has learnt.
    news: BTreeMap<String, KnownFile>,
}

fn record_name(contract: &TableContract) -> String {
    format!("ingest-{}", contract.name)
}

impl KnownFiles {
    pub(crate) async fn read(lake: &Lake, contract: &TableContract) -> Self {
        let stored = match lake.derivation(&record_name(contract)).await {
            Ok(found) => found
                .and_then(|v| serde_json::from_value(v).ok())
                .unwrap_or_default(),
            Err(error) => {
                tracing::debug!(%error, "files known before cannot be read; all are read again");
                BTreeMap::default()
            }
        };
        Self {
            stored,
            news: BTreeMap::default(),
        }
    }

    /// What is known of a file that still looks as it did when it was read.
    pub(crate) fn recall(&mut self, input: &Located, now: UtcMicros) -> Option<KnownFile> {
        let (path, stamp) = (input.real_path.as_ref()?, input.stamp?);
        let known = self.stored.get(path)?;
        if known.stamp != stamp || known.read_at - stamp.newest().micros() < RACY {
            return None;
        }
        let known = KnownFile {
            named_at: now.micros(),
            ..known.clone()
        };
        self.news.insert(path.clone(), known.clone());
        Some(known)
    }

    /// Remembers which content a file had that was read from `read_at` on.
    pub(crate) fn learn(
        &mut self,
        input: &Located,
        content: &str,
        bytes: u64,
        is_carried: bool,
        read_at: UtcMicros,
    ) {
        let (Some(path), Some(stamp)) = (&input.real_path, input.stamp) else {
            return;
        };
        let known = KnownFile {
            stamp,
            read_at: read_at.micros(),
            content: content.to_owned(),
            bytes,
            is_carried,
            named_at: read_at.micros(),
        };
        self.news.insert(path.clone(), known);
    }

    /// Stores what was learnt, beside what other commands have learnt meanwhile.
    pub(crate) async fn store(self, lake: &Lake, contract: &TableContract) {
        if self.news.is_empty() {
            return;
        }
        let mut files = Self::read(lake, contract).await.stored;
        files.extend(self.news);
        if files.len() > MOST {
            let mut times: Vec<i64> = files.values().map(|f| f.named_at).collect();
            times.sort_unstable();
            let oldest = times.get(files.len() - MOST).copied();
            files.retain(|_, f| Some(f.named_at) >= oldest);
        }
        let stored = match serde_json::to_value(&files) {
            Ok(record) => lake.store_derivation(&record_name(contract), &record).await,
            Err(_) => Ok(()),
        };
        if let Err(error) = stored {
            tracing::debug!(%error, "what was learnt of files is not kept; they are read again next time");
        }
    }
}
