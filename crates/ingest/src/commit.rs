//! The commit of one input: its files become visible together with the record that they are loaded.

use nsc_core::LoadId;
use nsc_lake::{LakeError, LoadRecord, LoadState};
use serde_json::{Value, json};

use crate::delivery::{Delivery, content_app_id, former_app_id, version_of};
use crate::files::add_columns;
use crate::load::{Incoming, Load};
use crate::located::Located;
use crate::parse::LineCounts;
use crate::pipeline::{Streamed, discard};
use crate::summary::{Earlier, FileOutcome, FileSummary, Reason, per_second};

impl Load<'_> {
    /// Commits the files of an input, unless its delivery turns out to be in the table already.
    pub(crate) async fn commit(
        &mut self,
        incoming: &Incoming<'_>,
        streamed: Streamed,
        content: &str,
        delivery: &Delivery,
    ) -> Result<FileSummary, LakeError> {
        let Streamed {
            mut table,
            staged,
            counts,
            new_columns,
            bytes,
            ..
        } = streamed;
        let skipped = |reason| incoming.skipped(content, bytes, reason, delivery);
        let ready = async {
            // A field that was null on every line has a column, too, and no file that brought it.
            add_columns(&mut table, &new_columns).await?;
            table.reload().await
        };
        if let Err(e) = ready.await {
            discard(staged).await;
            return Err(e);
        }
        self.table = table;
        let (earlier, reason) = match self.standing(delivery, content).await {
            Ok(standing) => standing,
            Err(e) => {
                discard(staged).await;
                return Err(e);
            }
        };
        if let Some(earlier) = earlier {
            discard(staged).await;
            return Ok(skipped(Reason::SameDelivery).after(&earlier));
        }
        let load_id = &incoming.load_id;
        let version = version_of(load_id);
        let transactions = vec![(delivery.app_id(), version), (content_app_id(content), version)];
        // Before the rows: no row is there that the record of loads does not know. Without rows it never happened.
        let of_load = self.record_of(incoming, content, delivery, counts, bytes);
        if let Err(e) = self.lake.record_load(&of_load).await {
            discard(staged).await;
            return Err(e);
        }
        let said = record(incoming.input, content, delivery, load_id, counts, bytes);
        let said = vec![("ingest".to_owned(), said)];
        match self.table.commit_append(staged, transactions, said).await {
            Ok(version) => {
                self.committed.insert(delivery.app_id(), load_id.clone());
                let skipped = skipped(reason);
                Ok(FileSummary {
                    outcome: FileOutcome::Loaded,
                    load_id: Some(load_id.clone()),
                    version: Some(version),
                    counts,
                    new_columns,
                    rows_per_second: per_second(counts.rows, skipped.seconds),
                    ..skipped
                })
            }
            Err(e) if e.is_conflict() => {
                self.table.reload().await?;
                match self.earlier(delivery, content).await? {
                    Some(earlier) => Ok(skipped(Reason::SameDelivery).after(&earlier)),
                    None => Err(e),
                }
            }
            Err(e) => Err(e),
        }
    }

    /// The load as `ops.load` keeps it.
    fn record_of(
        &self,
        incoming: &Incoming<'_>,
        content: &str,
        delivery: &Delivery,
        counts: LineCounts,
        bytes: u64,
    ) -> LoadRecord {
        let count = |n: u64| i64::try_from(n).ok();
        let input = incoming.input;
        LoadRecord {
            load_id: incoming.load_id.to_string(),
            table_name: self.table.name(),
            state: LoadState::Loaded,
            input: Some(input.name()),
            source_path: Some(input.shown()),
            content_blake3: Some(content.to_owned()),
            delivery: Some(delivery.to_string()),
            bytes: count(bytes),
            lines: count(counts.lines),
            rows: count(counts.rows),
            malformed: count(counts.malformed),
            file_size: input.size.and_then(count),
            file_modified: input.stamp.map(|s| s.modified()),
            ingested_at: Some(self.request.ingested_at),
            actor: Some(self.request.actor.clone()),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            reason: None,
            recorded_at: self.request.clock,
        }
    }

    /// The load that brought this delivery, if any, and what it is otherwise.
    async fn standing(
        &mut self,
        delivery: &Delivery,
        content: &str,
    ) -> Result<(Option<Earlier>, Reason), LakeError> {
        if !self.knows(content).await? {
            return Ok((None, Reason::NewContent));
        }
        if let Some(earlier) = self.earlier(delivery, content).await? {
            return Ok((Some(earlier), Reason::SameDelivery));
        }
        let known = async |app_id: String| self.table.application_version(&app_id).await;
        let is_same = known(delivery.app_id()).await?.is_some()
            || delivery.is_unmarked() && known(former_app_id(content)).await?.is_some();
        let reason = match is_same {
            true if self.request.force => Reason::Forced,
            true => Reason::RowsGone,
            false => Reason::NewDelivery,
        };
        Ok((None, reason))
    }
}

/// What the commit says of itself: the load, what marks it, and the counts that the lines of a table are reconciled with.
fn record(
    input: &Located,
    content: &str,
    delivery: &Delivery,
    load_id: &LoadId,
    counts: LineCounts,
    bytes: u64,
) -> Value {
    json!({
        "load_id": load_id,
        "file": input.name(),
        "blake3": content,
        "delivery": delivery.to_string(),
        "bytes": bytes,
        "counts": counts,
    })
}
