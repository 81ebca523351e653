//! The sink: from messages to committed rows and dead letters. The one way into the store, for Kafka, for a backfill
//! and for a replay.
//!
//! A batch is one transaction. What is a violation goes into it as a dead letter. When the database refuses the batch
//! because of a row, the batch is halved until the row is alone: it becomes a dead letter, the rest is written. Any other
//! failure says nothing about the messages: no database, a full disk, a database that refuses what the contract allows.
//! A consumer waits until it is over; a command waits for what passes by itself, and ends with the rest.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nsc_contracts::event::EventAliases;
use nsc_core::Clock;
use nsc_store::{Applied, Store, StoreError};
use nsc_telemetry::{ConsumerMetrics, PairingMetrics};
use tokio_util::sync::CancellationToken;

use crate::dlq::FileQueue;
use crate::error::ConsumerError;
use crate::message::Message;
use crate::options::{DeadLetterBackend, Services, SinkOptions};
use crate::parse::Reading;
use crate::retry::Backoff;
use crate::worker::{GivenUp, Sink};

mod outcome;
mod pace;
mod prepared;

use pace::Pace;
use prepared::Prepared;
pub(crate) use prepared::Window;

/// How long the attempt under way may still take once asked to stop: all of a stop is done within 25 s.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// Writing was given up between two attempts; nothing of the messages is lost, some may have been written.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// It was told to.
    Asked,
    /// The set-up of the database is at fault, and this is a command.
    AtFault(StoreError),
}

/// What became of some messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SinkCounts {
    pub(crate) written: u64,
    pub(crate) stale: u64,
    pub(crate) dead_letters: u64,
    pub(crate) tombstones: u64,
    /// Outside the window.
    pub(crate) outside: u64,
    /// The dead letters by class.
    pub(crate) classes: BTreeMap<String, u64>,
}

/// A message whose row the database refuses.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) offset: i64,
    pub(crate) reason: String,
}

/// What happens to a message whose row the database refuses.
enum Refusals<'a> {
    /// It becomes a dead letter.
    DeadLetters,
    /// It is one already; the caller hears of it.
    Told(&'a mut Vec<Refused>),
}

impl AddAssign for SinkCounts {
    fn add_assign(&mut self, other: Self) {
        self.written += other.written;
        self.stale += other.stale;
        self.dead_letters += other.dead_letters;
        self.tombstones += other.tombstones;
        self.outside += other.outside;
        for (class, n) in other.classes {
            *self.classes.entry(class).or_default() += n;
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct StoreSink {
    store: Store,
    reading: Reading,
    clock: ClockHandle,
    metrics: ConsumerMetrics,
    pairing: PairingMetrics,
    options: SinkOptions,
    /// When dead letters do not go into the database.
    file: Option<FileQueue>,
    health: Health,
    pace: Pace,
    total: Total,
    window: Window,
    /// It belongs to a command, and ends with a fault that does not pass by itself.
    ends_with_faults: bool,
}

/// Whether the last attempt of any worker succeeded; for whoever asks if the process is ready.
#[derive(Debug, Clone, Default)]
pub(crate) struct Health(Arc<std::sync::atomic::AtomicU32>);

impl Health {
    pub(crate) fn waiting(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed) > 0
    }

    /// Counts as waiting until the guard is dropped.
    fn wait(&self) -> Waiting {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Waiting(self.clone())
    }
}

/// What became of all messages so far; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Total(Arc<Mutex<SinkCounts>>);

impl Total {
    fn add(&self, counts: SinkCounts) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += counts;
    }

    pub(crate) fn get(&self) -> SinkCounts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Waiting(Health);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }
}

/// A clock that can be in a `Debug` type.
#[derive(Clone)]
struct ClockHandle(Arc<dyn Clock>);

impl std::fmt::Debug for ClockHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// What became of a piece.
enum PieceResult {
    Applied(Applied),
    /// A row of it can never be stored.
    Refused(StoreError),
    /// It is more than the database does in the time a statement may take.
    TooMuch,
}

/// How an attempt failed.
#[derive(Debug)]
enum Failure {
    /// A row of it can never be stored.
    Poison(StoreError),
    /// A statement was ended because it took too long.
    CutShort(String),
    /// The database refuses for a reason that does not pass by itself and is none of the rows'.
    SetUp(StoreError),
    /// Anything else: wait.
    Other(String),
}

impl Sink for StoreSink {
    async fn write(&self, messages: &[Message], give_up: &CancellationToken) -> Result<(), GivenUp> {
        self.write_all(messages, give_up)
            .await
            .map(drop)
            .map_err(|_| GivenUp)
    }
}

/// A piece in two, the first half last.
fn halves(piece: &[Message]) -> [&[Message]; 2] {
    let (first, second) = piece.split_at(piece.len() / 2);
    [second, first]
}

impl StoreSink {
    pub(crate) fn new(services: &Services, aliases: EventAliases, options: SinkOptions) -> Self {
        let file = match &options.dead_letters.backend {
            DeadLetterBackend::Database => None,
            DeadLetterBackend::File(path) => Some(FileQueue::new(path.clone())),
        };
        Self {
            store: services.store.clone(),
            reading: Reading {
                aliases,
                max_bytes: options.max_message_bytes,
                max_ahead: options.max_ahead,
            },
            clock: ClockHandle(Arc::clone(&services.clock)),
            metrics: services.metrics.consumer(),
            pairing: services.metrics.pairing(),
            options,
            file,
            health: Health::default(),
            pace: Pace::default(),
            total: Total::default(),
            window: Window::default(),
            ends_with_faults: false,
        }
    }

    /// Dead letters can be kept. Asked before anything is read: later it would be tried again for ever.
    ///
    /// # Errors
    /// When their file cannot be written.
    pub(crate) async fn ready(&self) -> Result<(), ConsumerError> {
        if let Some(file) = &self.file {
            file.append(Vec::new(), self.clock.0.now()).await?;
        }
        Ok(())
    }

    /// Only events of a window.
    pub(crate) fn within(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// Of a command: somebody is there to put the database right, and to begin again.
    pub(crate) fn of_a_command(mut self) -> Self {
        self.ends_with_faults = true;
        self
    }

    pub(crate) const fn reading(&self) -> &Reading {
        &self.reading
    }

    pub(crate) fn total(&self) -> Total {
        self.total.clone()
    }

    pub(crate) fn health(&self) -> Health {
        self.health.clone()
    }

    /// Writes messages, in their order. Returns when all of them are in the database or among the dead letters.
    ///
    /// # Errors
    /// When `give_up` is cancelled while nothing is under way; of a command, when the database's set-up is at fault.
    pub(crate) async fn write_all(
        &self,
        messages: &[Message],
        give_up: &CancellationToken,
    ) -> Result<SinkCounts, Stopped> {
        let counts = self
            .write_pieces(messages, give_up, Refusals::DeadLetters)
            .await?;
        self.total.add(counts.clone());
        Ok(counts)
    }

    /// As [`StoreSink::write_all`], for messages that are dead letters already: those that the database refuses are told
    /// by their offsets.
    pub(crate) async fn write_again(
        &self,
        messages: &[Message],
        give_up: &CancellationToken,
    ) -> Result<(SinkCounts, Vec<Refused>), Stopped> {
        let mut refused = Vec::new();
        let told = Refusals::Told(&mut refused);
        let counts = self.write_pieces(messages, give_up, told).await?;
        Ok((counts, refused))
    }

    async fn write_pieces(
        &self,
        messages: &[Message],
        give_up: &CancellationToken,
        mut refusals: Refusals<'_>,
    ) -> Result<SinkCounts, Stopped> {
        let mut counts = SinkCounts::default();
        // The pieces still to write, the next one last.
        let mut pieces: Vec<&[Message]> = messages.chunks(self.pace.messages()).rev().collect();
        while let Some(piece) = pieces.pop() {
            let read = Prepared::read(piece, &self.reading, self.window, self.clock.0.now());
            let prepared = self.with_letters(read);
            let begun = Instant::now();
            match (
                self.write_piece(&prepared, piece.len() > 1, give_up).await?,
                piece,
            ) {
                (PieceResult::Applied(applied), _) => {
                    self.pace.written(begun.elapsed());
                    counts += self.report(piece, &prepared, &applied);
                }
                (PieceResult::TooMuch, _) => {
                    tracing::warn!(
                        messages = piece.len(),
                        "a batch takes longer than the database lets a statement take; writing it in halves"
                    );
                    self.pace.too_much(piece.len());
                    pieces.extend(halves(piece));
                }
                (PieceResult::Refused(error), [alone]) => match &mut refusals {
                    Refusals::Told(refused) => refused.push(Refused {
                        offset: alone.offset,
                        reason: outcome::with_sources(&error),
                    }),
                    Refusals::DeadLetters => {
                        let prepared = self.with_letters(Prepared::refused(alone, &error));
                        match self.write_piece(&prepared, false, give_up).await? {
                            PieceResult::Applied(applied) => {
                                counts += self.report(piece, &prepared, &applied);
                            }
                            PieceResult::Refused(_) | PieceResult::TooMuch => pieces.push(piece),
                        }
                    }
                },
                (PieceResult::Refused(error), _) => {
                    tracing::debug!(messages = piece.len(), %error, "a row is refused; halving the batch");
                    pieces.extend(halves(piece));
                }
            }
        }
        Ok(counts)
    }

    /// Dead letters go into the transaction when they go into the database.
    fn with_letters(&self, mut prepared: Prepared) -> Prepared {
        if self.file.is_none() {
            prepared.batch.dead_letters.clone_from(&prepared.letters);
        }
        prepared
    }

    /// Tries until it is done, is refused for a row, is more than can be done (where it can be divided), or is told to give
    /// up.
    async fn write_piece(
        &self,
        prepared: &Prepared,
        is_divisible: bool,
        give_up: &CancellationToken,
    ) -> Result<PieceResult, Stopped> {
        let mut backoff = Backoff::new(self.options.retry_initial, self.options.retry_max);
        let mut waiting = None;
        let mut was_refused = false;
        loop {
            if give_up.is_cancelled() {
                return Err(Stopped::Asked);
            }
            let reason = match self.attempt(prepared, give_up).await {
                Ok(applied) => {
                    if backoff.failures > 0 {
                        tracing::info!(attempts = backoff.failures + 1, "the batch was written at last");
                    }
                    return Ok(PieceResult::Applied(applied));
                }
                // A fault of the set-up may have ended before it was asked after: one row is not given up unless it is refused
                // again by a database that took others in between.
                Err(Failure::Poison(error))
                    if !(is_divisible || was_refused || matches!(error, StoreError::Unstorable(_))) =>
                {
                    was_refused = true;
                    continue;
                }
                Err(Failure::Poison(error)) => return Ok(PieceResult::Refused(error)),
                Err(Failure::CutShort(_)) if is_divisible => return Ok(PieceResult::TooMuch),
                Err(Failure::SetUp(error)) if self.ends_with_faults => return Err(Stopped::AtFault(error)),
                Err(Failure::SetUp(error)) => format!(
                    "the database is not set up for events: {}",
                    outcome::with_sources(&error)
                ),
                Err(Failure::CutShort(reason) | Failure::Other(reason)) => reason,
            };
            waiting.get_or_insert_with(|| self.health.wait());
            let pause = backoff.pause();
            tracing::warn!(
                attempt = backoff.failures,
                pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                error = %reason,
                "a batch was not written; nothing is lost, trying again"
            );
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = give_up.cancelled() => return Err(Stopped::Asked),
            }
        }
    }

    /// One transaction; dead letters that do not go into it are on the disk before it begins.
    async fn attempt(&self, prepared: &Prepared, give_up: &CancellationToken) -> Result<Applied, Failure> {
        let now = self.clock.0.now();
        let mut in_file = 0;
        if let Some(file) = &self.file
            && !prepared.letters.is_empty()
        {
            let appended = file.append(prepared.letters.clone(), now).await;
            in_file = appended.map_err(|e| Failure::Other(e.to_string()))?;
        }
        if prepared.batch.is_empty() {
            return Ok(Applied {
                dead_letters: in_file,
                ..Applied::default()
            });
        }
        let apply = self.store.apply(&prepared.batch, now);
        let asked_to_stop = async {
            give_up.cancelled().await;
            tokio::time::sleep(STOP_GRACE).await;
        };
        // Dropped, the transaction is rolled back unless its commit was sent: either way it may be repeated.
        let applied = tokio::select! {
            applied = tokio::time::timeout(self.options.attempt_timeout, apply) => applied,
            () = asked_to_stop => return Err(Failure::Other("no answer from the database in time to stop".to_owned())),
        };
        let Ok(applied) = applied else {
            let after_ms = self.options.attempt_timeout.as_millis();
            return Err(Failure::Other(format!(
                "no answer from the database within {after_ms} ms"
            )));
        };
        match applied {
            Ok(applied) => Ok(Applied {
                dead_letters: applied.dead_letters + in_file,
                ..applied
            }),
            Err(error) if error.is_refusal() && prepared.has_rows() => self.blame(error).await,
            Err(error) if !error.is_transient() => Err(Failure::SetUp(error)),
            Err(error) if error.is_cut_short() => Err(Failure::CutShort(outcome::with_sources(&error))),
            Err(error) => Err(Failure::Other(outcome::with_sources(&error))),
        }
    }

    /// A row is at fault only where the database takes others that the contract allows: whatever keeps the contract can
    /// be stored, so that a refusal is as likely the database's (a rule, a narrower column or an encoding of somebody's).
    async fn blame(&self, error: StoreError) -> Result<Applied, Failure> {
        if matches!(error, StoreError::Unstorable(_)) {
            return Err(Failure::Poison(error));
        }
        let asked = self.store.takes_rows_of_the_contract(self.clock.0.now());
        match tokio::time::timeout(self.options.attempt_timeout, asked).await {
            Ok(Ok(())) => Err(Failure::Poison(error)),
            Ok(Err(fault)) if fault.is_transient() => Err(Failure::Other(outcome::with_sources(&fault))),
            Ok(Err(fault)) => Err(Failure::SetUp(fault)),
            Err(_) => Err(Failure::Other("no answer from the database".to_owned())),
        }
    }
}
