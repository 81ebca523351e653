//! One input through reader and parsers into data files that are not yet committed.
//!
//! A reader thread cuts chunks; as many threads as there are cores parse them and write the rows into files of
//! their own ([`crate::files`]). Channels are bounded, so memory does not grow with the input.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use nsc_lake::{LakeError, Staged, Table};
use tokio::task::{JoinError, spawn_blocking};

use crate::chunk::Chunker;
use crate::columns::Registry;
use crate::content;
use crate::error::IngestError;
use crate::files::{Files, Target};
use crate::fingerprint::Fingerprinting;
use crate::located::Located;
use crate::parse::{Chunk, ChunkParser, LineCounts, LoadStamp, ParseError};
use crate::survey::Seen;

/// Bytes parsed at once.
const CHUNK_BYTES: usize = 4 << 20;

/// What an observer is told of.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Bytes read from disk.
    pub(crate) bytes: Arc<AtomicU64>,
    pub(crate) lines: AtomicU64,
}

/// An input parsed and written, not committed.
#[derive(Debug)]
pub(crate) struct Streamed {
    /// The table with the columns the files need.
    pub(crate) table: Table,
    pub(crate) staged: Staged,
    pub(crate) counts: LineCounts,
    /// Rows of JSON objects that carry no mark of their delivery.
    unmarked: u64,
    /// The columns with a value.
    pub(crate) seen: Seen,
    /// Uncompressed bytes.
    pub(crate) bytes: u64,
    /// The content's fingerprint, where it was asked for.
    pub(crate) content: Option<String>,
    pub(crate) new_columns: Vec<String>,
}

impl Streamed {
    /// Whether every row says itself which delivery it is of.
    pub(crate) fn is_carried(&self) -> bool {
        self.counts.rows > self.counts.malformed && self.unmarked == 0
    }
}

/// What the threads of one input share.
struct Shared {
    input: Located,
    fingerprint: bool,
    registry: Arc<Registry>,
    stamp: Arc<LoadStamp>,
    target: Arc<Target>,
    chunks: Mutex<Receiver<Chunk>>,
    stop: AtomicBool,
    progress: Arc<Progress>,
}

impl Shared {
    /// The next chunk in the order they were cut; `None` at the end, or when another thread failed.
    fn chunk(&self) -> Option<Chunk> {
        let chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        chunks.recv().ok().filter(|_| !self.stop.load(Ordering::Relaxed))
    }

    fn defect(&self, reason: &str) -> IngestError {
        IngestError::Defect {
            input: self.input.shown(),
            reason: reason.to_owned(),
        }
    }
}

/// Stops all threads of an input when one of them fails, or when nobody waits for them any more.
struct StopOnDrop(Option<Arc<Shared>>);

impl StopOnDrop {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            shared.stop.store(true, Ordering::Relaxed);
            shared.registry.abort();
        }
    }
}

/// Why a parser thread gave up.
enum Failure {
    /// Another thread failed and has the reason.
    Stopped,
    Error(IngestError),
}

impl From<ParseError> for Failure {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::Aborted => Self::Stopped,
            ParseError::Arrow(e) => Self::Error(LakeError::Arrow(e).into()),
        }
    }
}

/// What a parser thread leaves.
struct Part {
    staged: Staged,
    counts: LineCounts,
    unmarked: u64,
    seen: Seen,
    failure: Option<Failure>,
}

/// Reads an input into new files of the table. On failure the files are removed.
pub(crate) async fn stream(
    table: &Table,
    input: &Located,
    stamp: LoadStamp,
    fingerprint: bool,
    progress: &Arc<Progress>,
) -> Result<Streamed, IngestError> {
    let parsers = parsers(input);
    let (full, chunks) = mpsc::sync_channel(parsers);
    let (empty, spare) = mpsc::channel();
    let registry = Arc::new(Registry::new(table.contract(), &table.schema()));
    let shared = Arc::new(Shared {
        input: input.clone(),
        fingerprint,
        target: Arc::new(Target::new(table.clone(), Arc::clone(&registry))),
        registry,
        stamp: Arc::new(stamp),
        chunks: Mutex::new(chunks),
        stop: AtomicBool::new(false),
        progress: Arc::clone(progress),
    });
    let guard = StopOnDrop(Some(Arc::clone(&shared)));
    let parsers: Vec<_> = (0..parsers)
        .map(|_| {
            let (shared, empty) = (Arc::clone(&shared), empty.clone());
            spawn_blocking(move || parse(&shared, &empty))
        })
        .collect();
    let reader = spawn_blocking({
        let shared = Arc::clone(&shared);
        move || read(&shared, &full, &spare)
    });
    let parts = futures::future::join_all(parsers).await;
    let read = reader.await;
    guard.disarm();
    collect(&shared, parts, read).await
}

/// Threads worth starting: a small file is one chunk, and should become one data file.
fn parsers(input: &Located) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let plain_chunks = input
        .size
        .map(|size| usize::try_from(size / CHUNK_BYTES as u64).unwrap_or(cores));
    plain_chunks.map_or(cores, |chunks| cores.min(chunks + 1))
}

/// Puts the parts together, or says what went wrong first.
async fn collect(
    shared: &Shared,
    parts: Vec<Result<Part, JoinError>>,
    read: Result<Result<ReadEnd, IngestError>, JoinError>,
) -> Result<Streamed, IngestError> {
    let mut staged = Staged::default();
    let mut counts = LineCounts::default();
    let (mut unmarked, mut seen) = (0, Seen::default());
    let mut stopped = false;
    let mut failure = None;
    for part in parts {
        match part {
            Ok(part) => {
                staged = staged.merge(part.staged);
                counts += part.counts;
                unmarked += part.unmarked;
                seen.merge(part.seen);
                match part.failure {
                    Some(Failure::Error(error)) => failure = failure.or(Some(error)),
                    Some(Failure::Stopped) => stopped = true,
                    None => {}
                }
            }
            Err(error) => failure = Some(shared.defect(&error.to_string())),
        }
    }
    let read = read.unwrap_or_else(|error| Err(shared.defect(&error.to_string())));
    let failure = match (failure, read) {
        (None, Ok(end)) if !stopped => {
            let table = shared.target.table().await;
            let new_columns = shared.registry.added();
            return Ok(Streamed {
                table,
                staged,
                counts,
                unmarked,
                seen,
                bytes: end.0,
                content: end.1,
                new_columns,
            });
        }
        (Some(error), _) | (None, Err(error)) => error,
        (None, Ok(_)) => shared.defect("it was stopped"),
    };
    discard(staged).await;
    Err(failure)
}

/// Removes files that will not be committed; what cannot be removed is left to vacuum.
pub(crate) async fn discard(staged: Staged) {
    if let Err(error) = staged.discard().await {
        tracing::warn!(%error, "files of a load that was given up could not be removed; vacuum will");
    }
}

/// Bytes read and their fingerprint.
type ReadEnd = (u64, Option<String>);

/// The reader thread.
fn read(
    shared: &Arc<Shared>,
    full: &SyncSender<Chunk>,
    spare: &Receiver<Vec<u8>>,
) -> Result<ReadEnd, IngestError> {
    let guard = StopOnDrop(Some(Arc::clone(shared)));
    let opened = content::open(&shared.input, &shared.progress.bytes)?;
    let compressed = opened.compressed;
    let mut chunker = Chunker::new(Fingerprinting::new(opened.text, shared.fingerprint), CHUNK_BYTES);
    loop {
        let next = chunker.next(spare.try_recv().unwrap_or_default());
        let lines_before = chunker.next_line() - 1;
        let next =
            next.map_err(|e| content::read_error(e, compressed, &shared.input.shown(), lines_before))?;
        let Some(chunk) = next else { break };
        // When nobody takes chunks any more, a parser failed and says why.
        if shared.stop.load(Ordering::Relaxed) || full.send(chunk).is_err() {
            break;
        }
    }
    guard.disarm();
    Ok(chunker.into_inner().finish())
}

/// A parser thread.
fn parse(shared: &Arc<Shared>, empty: &Sender<Vec<u8>>) -> Part {
    let guard = StopOnDrop(Some(Arc::clone(shared)));
    let mut parser = ChunkParser::new(Arc::clone(&shared.registry), Arc::clone(&shared.stamp));
    let mut files = Files::new(Arc::clone(&shared.target));
    let mut seen = Seen::default();
    let mut failure = None;
    while failure.is_none() {
        let Some(chunk) = shared.chunk() else { break };
        let lines_before = parser.counts().lines;
        let write = |batch: RecordBatch| {
            seen.add(&batch);
            files.write(&batch).map_err(|e| Failure::Error(e.into()))
        };
        failure = parser.parse(&chunk, write).err();
        shared
            .progress
            .lines
            .fetch_add(parser.counts().lines - lines_before, Ordering::Relaxed);
        // The reader may be gone already; then the buffer is simply freed.
        let _ = empty.send(chunk.bytes);
    }
    if shared.stop.load(Ordering::Relaxed) {
        failure = failure.or(Some(Failure::Stopped));
    }
    if failure.is_none() {
        guard.disarm();
    } else {
        drop(guard);
    }
    let (staged, finished) = files.finish();
    let failure = failure.or_else(|| finished.err().map(|e| Failure::Error(e.into())));
    Part {
        staged,
        counts: parser.counts(),
        unmarked: parser.unmarked(),
        seen,
        failure,
    }
}
