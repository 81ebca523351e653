//! A topic's worker: it gathers the records of its partitions into batches and commits each to the Bronze table, with the
//! positions, by compare and set.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use nsc_core::{Clock, UtcMicros};
use nsc_lake::{Commit, LakeError, Staged, Table};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::batch::{Batch, restamped};
use super::client::Command;
use super::halt::Halt;
use super::options::StreamOptions;
use super::position::{Position, PositionNames};
use super::record::Record;
use super::summary::TopicSummary;
use crate::error::IngestError;
use crate::files::add_columns;
use crate::pipeline::discard;

/// A batch that is not committed so long after it was stamped is stamped again: A must not judge a window before its rows
/// are there.
const STAMP_AGE: Duration = Duration::from_secs(10);
/// Commits between two checkpoints, which are made beside the stream.
const CHECKPOINT_EVERY: u64 = 100;
/// Between two attempts while the storage is away.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
];

/// What the client tells a worker, in order.
#[derive(Debug)]
pub(super) enum Event {
    /// Partitions that are ours now, and where Bronze has them.
    Assigned(Vec<(i32, Standing)>),
    /// A record of one of them.
    Record(Record),
    /// The brokers do not have what comes next.
    OutOfRange(i32),
    /// Partitions that leave; `done` is told when nothing of them is under way any more.
    Revoked(Vec<i32>, std::sync::mpsc::Sender<()>),
}

/// Where a partition stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) position: Option<Position>,
    pub(super) epoch: u64,
    /// The record before the position is to come first, and to be the one that was taken.
    pub(super) is_checked: bool,
    pub(super) halt: Option<Halt>,
}

impl Standing {
    /// A partition that is read from its position on, or from its beginning.
    pub(super) const fn at(position: Option<Position>, epoch: u64) -> Self {
        Self {
            position,
            epoch,
            is_checked: position.is_none(),
            halt: None,
        }
    }

    /// The first offset to be fetched: the last record that was taken comes again.
    pub(super) fn fetched_from(&self) -> Option<i64> {
        self.position.map(|p| p.next - 1)
    }

    fn next(&self) -> Option<i64> {
        self.position.map(|p| p.next)
    }
}

/// See the module.
pub(super) struct Worker {
    /// Its place among the topics.
    pub(super) topic: usize,
    pub(super) names: PositionNames,
    pub(super) table: Table,
    pub(super) options: Arc<StreamOptions>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) commands: std::sync::mpsc::Sender<Command>,
    pub(super) partitions: BTreeMap<i32, Standing>,
    pub(super) batch: Batch,
    /// When the first record of the batch came.
    pub(super) begun: Instant,
    pub(super) last_ingested: UtcMicros,
    /// Races lost without a commit in between.
    pub(super) lost: u32,
    pub(super) summary: TopicSummary,
    pub(super) stop: CancellationToken,
}

impl Worker {
    /// Works until the client has nothing more to say; what is left then is committed.
    pub(super) async fn run(
        mut self,
        mut events: mpsc::Receiver<Event>,
    ) -> Result<TopicSummary, IngestError> {
        loop {
            let wait = self.options.batch_wait.saturating_sub(self.begun.elapsed());
            let event = if self.batch.is_empty() {
                events.recv().await
            } else {
                match tokio::time::timeout(wait, events.recv()).await {
                    Ok(event) => event,
                    Err(_) => {
                        self.commit().await?;
                        continue;
                    }
                }
            };
            match event {
                None => break,
                Some(Event::Record(record)) => self.take(&record).await?,
                Some(Event::Assigned(partitions)) => self.assigned(partitions),
                Some(Event::OutOfRange(partition)) => self.halt(partition, Halt::OutOfRange),
                Some(Event::Revoked(partitions, done)) => {
                    self.commit().await?;
                    self.partitions.retain(|p, _| !partitions.contains(p));
                    // The client may have stopped waiting.
                    let _ = done.send(());
                }
            }
        }
        self.commit().await?;
        Ok(self.summary)
    }

    fn assigned(&mut self, partitions: Vec<(i32, Standing)>) {
        let halted: Vec<(i32, Halt)> = partitions
            .iter()
            .filter_map(|(p, s)| Some((*p, s.halt?)))
            .collect();
        self.partitions.extend(partitions);
        for (partition, why) in halted {
            self.halt(partition, why);
        }
    }

    fn name(&self) -> &str {
        self.options
            .topics
            .get(self.topic)
            .map_or("", |t| t.topic.as_str())
    }

    async fn take(&mut self, record: &Record) -> Result<(), IngestError> {
        let Some(standing) = self.partitions.get_mut(&record.partition) else {
            return Ok(());
        };
        if standing.epoch != record.epoch || standing.halt.is_some() {
            return Ok(());
        }
        let next = standing.next();
        if !standing.is_checked
            && let Some(position) = standing.position
        {
            standing.is_checked = true;
            if record.offset + 1 == position.next && record.fingerprint() != position.fingerprint {
                self.halt(record.partition, Halt::Recreated);
                return Ok(());
            }
        }
        if next.is_some_and(|next| record.offset < next) {
            return Ok(());
        }
        if self.batch.is_empty() {
            self.begun = Instant::now();
        }
        let from = next;
        self.batch.push(record, from)?;
        if let Some(standing) = self.partitions.get_mut(&record.partition) {
            standing.position = Some(Position {
                next: record.offset + 1,
                fingerprint: 0,
            });
        }
        if self.batch.len() >= self.options.batch_rows || self.batch.bytes >= self.options.batch_bytes {
            self.commit().await?;
        }
        Ok(())
    }

    /// Takes nothing more of a partition; the others go on.
    fn halt(&mut self, partition: i32, why: Halt) {
        let topic = self.name().to_owned();
        if let Some(standing) = self.partitions.get_mut(&partition) {
            standing.halt = Some(why);
            let next = standing.next();
            tracing::error!(topic, partition, next, "{why}");
            self.summary.halted.insert(partition, why.to_string());
        }
    }

    /// Commits the batch, once: where another writer was faster, it is dropped and read again from where Bronze stands.
    async fn commit(&mut self) -> Result<(), IngestError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let mut stamped = Instant::now();
        let at = self.now();
        let mut rows = self.batch.rows(at)?;
        let mut failures = 0;
        loop {
            if stamped.elapsed() > STAMP_AGE {
                stamped = Instant::now();
                let at = self.now();
                rows = rows
                    .map(|rows| restamped(&rows, at))
                    .transpose()
                    .map_err(LakeError::from)?;
            }
            match self.attempt(rows.as_ref()).await {
                Ok(Attempt::Committed(version)) => return self.committed(version),
                Ok(Attempt::Lost) => return self.start_over().await,
                Err(error) if is_transient(&error) && !self.stop.is_cancelled() => {
                    let pause = PAUSES
                        .get(failures)
                        .or(PAUSES.last())
                        .copied()
                        .unwrap_or_default();
                    failures += 1;
                    tracing::warn!(topic = self.name(), %error, failures, "a batch was not committed; nothing is lost, trying again");
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = self.stop.cancelled() => {}
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes the rows to files and commits them if every partition stands where the batch begins.
    async fn attempt(&mut self, rows: Option<&RecordBatch>) -> Result<Attempt, LakeError> {
        let staged = match rows {
            Some(rows) => self.stage(rows).await?,
            None => Staged::default(),
        };
        self.table.reload().await?;
        match self.stands().await? {
            Stands::Before => {}
            Stands::Behind => {
                // An attempt whose answer was lost.
                discard(staged).await;
                return Ok(Attempt::Committed(self.table.version()));
            }
            Stands::Elsewhere => {
                discard(staged).await;
                return Ok(Attempt::Lost);
            }
        }
        let commit = Commit {
            staged,
            transactions: self.transactions(),
            metadata: vec![("ingest".to_owned(), self.said())],
            is_one_of_many: true,
            ..Commit::default()
        };
        match self.table.commit(commit).await {
            Ok(version) => Ok(Attempt::Committed(version)),
            Err(error) => {
                // It may have been committed all the same, or somebody else was faster.
                self.table.reload().await?;
                match self.stands().await? {
                    Stands::Behind => Ok(Attempt::Committed(self.table.version())),
                    Stands::Elsewhere => Ok(Attempt::Lost),
                    Stands::Before => Err(error),
                }
            }
        }
    }

    async fn stage(&mut self, rows: &RecordBatch) -> Result<Staged, LakeError> {
        add_columns(&mut self.table, &self.batch.registry.added()).await?;
        let mut writer = self.table.writer()?;
        writer.write(rows).await?;
        writer.finish().await
    }

    /// Where the loaded version of the table has the partitions of the batch.
    async fn stands(&self) -> Result<Stands, LakeError> {
        let (mut before, mut behind) = (true, true);
        for (partition, range) in &self.batch.ranges {
            let stored = self.names.read(&self.table, *partition).await?;
            before &= stored.map(|p| p.next) == range.from;
            behind &= stored == Some(range.to);
        }
        Ok(match (before, behind) {
            (true, _) => Stands::Before,
            (_, true) => Stands::Behind,
            _ => Stands::Elsewhere,
        })
    }

    fn transactions(&self) -> Vec<(String, i64)> {
        let ranges = self.batch.ranges.iter();
        ranges
            .flat_map(|(partition, range)| self.names.transactions(*partition, range.to))
            .collect()
    }

    /// What the commit says of itself.
    fn said(&self) -> serde_json::Value {
        let ranges = self.batch.ranges.iter();
        let offsets: BTreeMap<String, [Option<i64>; 2]> = ranges
            .map(|(partition, range)| (partition.to_string(), [range.from, Some(range.to.next)]))
            .collect();
        json!({
            "topic": self.name(),
            "offsets": offsets,
            "counts": self.batch.counts(),
            "tombstones": self.batch.tombstones,
        })
    }

    fn committed(&mut self, version: u64) -> Result<(), IngestError> {
        self.lost = 0;
        let counts = self.batch.counts();
        self.summary.messages += self.batch.len() as u64;
        self.summary.rows += counts.rows;
        self.summary.malformed += counts.malformed;
        self.summary.tombstones += self.batch.tombstones;
        self.summary.commits += 1;
        self.summary.version = Some(version);
        tracing::debug!(
            topic = self.name(),
            version,
            rows = counts.rows,
            "a batch is committed"
        );
        for (partition, range) in &self.batch.ranges {
            if let Some(standing) = self.partitions.get_mut(partition) {
                standing.position = Some(range.to);
            }
            let stored = Command::Committed {
                topic: self.topic,
                partition: *partition,
                next: range.to.next,
            };
            // Only for whoever watches the lag.
            let _ = self.commands.send(stored);
        }
        self.batch = Batch::new(self.name(), &self.table);
        if self.summary.commits.is_multiple_of(CHECKPOINT_EVERY) {
            let table = self.table.clone();
            tokio::spawn(async move {
                if let Err(error) = table.checkpoint().await {
                    tracing::warn!(%error, "a checkpoint was not made; the next one will be");
                }
            });
        }
        Ok(())
    }

    /// Another writer has taken what is in the batch: it is dropped, and all partitions go on where Bronze stands.
    async fn start_over(&mut self) -> Result<(), IngestError> {
        self.lost += 1;
        if self.lost > 1 {
            tracing::warn!(
                topic = self.name(),
                lost = self.lost,
                "another process writes the same partitions; stop one of them"
            );
        }
        self.batch = Batch::new(self.name(), &self.table);
        for (partition, standing) in &mut self.partitions {
            let position = self.names.read(&self.table, *partition).await?;
            let halt = standing.halt;
            *standing = Standing {
                halt,
                ..Standing::at(position, standing.epoch + 1)
            };
            let seek = Command::Seek {
                topic: self.topic,
                partition: *partition,
                to: standing.fetched_from(),
                epoch: standing.epoch,
            };
            // The client has ended: so will this.
            let _ = self.commands.send(seek);
        }
        Ok(())
    }

    /// Now, and never before what was taken in last.
    fn now(&mut self) -> UtcMicros {
        self.last_ingested = self.clock.now().max(self.last_ingested);
        self.last_ingested
    }
}

enum Attempt {
    Committed(u64),
    /// Another writer was faster.
    Lost,
}

/// Where the table stands to a batch.
enum Stands {
    /// Where the batch begins.
    Before,
    /// Where it ends.
    Behind,
    Elsewhere,
}

/// The storage failed: it may work again.
fn is_transient(error: &LakeError) -> bool {
    matches!(
        error,
        LakeError::Store(_) | LakeError::Delta { .. } | LakeError::Conflict { .. } | LakeError::Parquet(_)
    )
}
