//! Replaying dead letters: the same reading and the same way into the store as the first time.

use std::sync::Arc;

use nsc_contracts::event::{EventKind, EventProfile};
use nsc_core::UtcMicros;
use nsc_store::{DeadLetterFilter, Place, StoredDeadLetter};
use tokio_util::sync::CancellationToken;

use crate::dlq::DeadLetterQueue;
use crate::error::ConsumerError;
use crate::message::{BACKFILL_TOPIC, Message, REFUSED_BY_DATABASE};
use crate::options::{Services, SinkOptions};
use crate::sink::{SinkCounts, Stopped, StoreSink};

/// Letters read at once.
const PAGE: u32 = 200;

/// Which dead letters to replay; all that were not replayed, unless narrowed.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// Says which topic carried which event.
    pub profile: EventProfile,
    /// How they are written, and where the dead letters are.
    pub sink: SinkOptions,
    /// Only this one.
    pub id: Option<i64>,
    /// Only those stored at or after this instant.
    pub since: Option<UtcMicros>,
    /// Only those of this topic.
    pub topic: Option<String>,
    /// Only say what would become of them.
    pub dry_run: bool,
}

/// A dead letter that still cannot be written, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StillBad {
    /// Its id.
    pub dlq_id: i64,
    /// As `error_class`.
    pub class: String,
    /// For people.
    pub reason: String,
}

/// What became of the dead letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplaySummary {
    /// Letters looked at.
    pub seen: u64,
    /// Letters that are events now; written and marked, unless it was a dry run.
    pub replayed: u64,
    /// Of these, rows that were written.
    pub written: u64,
    /// Of these, events older than what is stored.
    pub stale: u64,
    /// The letter asked for by id was replayed before; nothing was done.
    pub already_replayed: bool,
    /// Whether it was told to stop before the end.
    pub interrupted: bool,
    /// Letters that are none; they stay as they are.
    pub still_bad: Vec<StillBad>,
}

impl ReplaySummary {
    /// Whether there were letters to replay and none of them could be.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.replayed == 0 && !self.still_bad.is_empty()
    }
}

/// Writes dead letters again. An event without `updated_at` and `source_version` goes by arrival, so it replaces what
/// came after it the first time.
///
/// # Errors
/// [`ConsumerError::NoDeadLetter`]; when the dead letters or the database cannot be used.
pub async fn replay(
    options: &ReplayOptions,
    services: &Services,
    stop: &CancellationToken,
) -> Result<ReplaySummary, ConsumerError> {
    if !options.dry_run {
        services.store.ready().await?;
    }
    let queue = DeadLetterQueue::of(&options.sink.dead_letters.backend, &services.store);
    let aliases = options.profile.aliases();
    let replay = Replay {
        sink: StoreSink::new(services, aliases, options.sink.clone()).of_a_command(),
        options,
        services,
        queue: &queue,
    };
    let mut summary = ReplaySummary::default();
    if let Some(id) = options.id {
        let letter = queue.show(id).await?;
        summary.already_replayed = letter.replayed_at.is_some();
        if !summary.already_replayed {
            replay.page(vec![letter], &mut summary, stop).await?;
        }
        return Ok(summary);
    }
    let mut filter = DeadLetterFilter {
        topic: options.topic.clone(),
        since: options.since,
        replayed: Some(false),
        after: None,
        limit: PAGE,
    };
    loop {
        summary.interrupted |= stop.is_cancelled();
        if summary.interrupted {
            break;
        }
        let page = queue.list(&filter).await?;
        let Some(last) = page.last() else { break };
        filter.after = Some(last.dlq_id);
        replay.page(page, &mut summary, stop).await?;
    }
    Ok(summary)
}

struct Replay<'a> {
    sink: StoreSink,
    options: &'a ReplayOptions,
    services: &'a Services,
    queue: &'a DeadLetterQueue,
}

impl Replay<'_> {
    async fn page(
        &self,
        letters: Vec<StoredDeadLetter>,
        summary: &mut ReplaySummary,
        stop: &CancellationToken,
    ) -> Result<(), ConsumerError> {
        summary.seen += letters.len() as u64;
        let mut messages = Vec::new();
        for letter in letters {
            match self.message(letter) {
                Ok(message) => messages.push(message),
                Err(bad) => summary.still_bad.push(bad),
            }
        }
        let mut counts = SinkCounts::default();
        if !self.options.dry_run && !messages.is_empty() {
            // Interrupted: what was written stays, nothing is marked, and a later replay is harmless.
            let (done, refused) = match self.sink.write_again(&messages, stop).await {
                Ok(done) => done,
                Err(Stopped::AtFault(error)) => return Err(error.into()),
                Err(Stopped::Asked) => {
                    summary.interrupted = true;
                    return Ok(());
                }
            };
            counts = done;
            messages.retain(|m| refused.iter().all(|r| r.offset != m.offset));
            summary.still_bad.extend(refused.into_iter().map(|r| StillBad {
                dlq_id: r.offset,
                class: REFUSED_BY_DATABASE.to_owned(),
                reason: r.reason,
            }));
            let ids = messages.iter().map(|m| m.offset).collect();
            self.queue.mark_replayed(ids, self.services.clock.now()).await?;
        }
        summary.replayed += messages.len() as u64;
        summary.written += counts.written;
        summary.stale += counts.stale;
        Ok(())
    }

    /// The message a letter was; its id stands in for the offset, which is not unique over topics.
    fn message(&self, stored: StoredDeadLetter) -> Result<Message, StillBad> {
        let dlq_id = stored.dlq_id;
        let bad = |class: &str, reason: String| StillBad {
            dlq_id,
            class: class.to_owned(),
            reason,
        };
        let kind = self.kind(&stored).ok_or_else(|| {
            let topic = &stored.letter.topic;
            bad(
                "unknown_topic",
                format!(
                    "{topic} is not a topic of profile {}",
                    self.options.profile.name()
                ),
            )
        })?;
        let payload = stored.letter.payload.unwrap_or_default();
        let now = self.services.clock.now();
        let parsed = self.sink.reading().parse(kind, &payload, None, now);
        if let Err(violation) = parsed.event {
            return Err(bad(violation.class.name(), violation.text));
        }
        let place = Place {
            partition: stored.letter.partition,
            offset: stored.letter.offset,
            taken_at: stored.ingested_at,
        };
        let is_line = stored.letter.topic.starts_with(BACKFILL_TOPIC);
        Ok(Message {
            kind,
            place: (!is_line).then_some(place),
            topic: Arc::from(stored.letter.topic),
            partition: stored.letter.partition,
            offset: dlq_id,
            key: stored.letter.key,
            payload: Some(payload),
            sent_at: None,
            correlation: parsed.correlation,
            epoch: 0,
        })
    }

    /// A topic says the kind; a line of a backfill carries it in place of a key.
    fn kind(&self, stored: &StoredDeadLetter) -> Option<EventKind> {
        let letter = &stored.letter;
        self.options.profile.kind_of(&letter.topic).or_else(|| {
            let of_backfill = letter.topic.starts_with(BACKFILL_TOPIC);
            let named = |k: &EventKind| letter.key.as_deref() == Some(k.contract().event.as_bytes());
            EventKind::ALL.into_iter().find(|k| of_backfill && named(k))
        })
    }
}
