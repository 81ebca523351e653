//! Loads inputs one after the other, each in one commit, each content once.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nsc_contracts::TableContract;
use nsc_core::LoadId;
use nsc_lake::{Lake, LakeError, Table};
use serde_json::{Value, json};

use crate::content;
use crate::error::IngestError;
use crate::files::add_columns;
use crate::fingerprint::{self, Identity};
use crate::inputs::{Located, locate};
use crate::parse::{LineCounts, LoadStamp};
use crate::pipeline::{Progress, Streamed, discard, stream};
use crate::request::{LoadObserver, LoadRequest};
use crate::summary::{FileOutcome, FileSummary, LoadSummary, per_second};

/// How often an observer is told of progress.
const TICK: Duration = Duration::from_millis(100);
/// A load that other writers overtake is done again so often.
const ATTEMPTS: u32 = 10;
/// Longest `batch_id` or `source_system`: it is repeated in every row.
const MAX_OPTION_BYTES: usize = 1024;

/// Loads every input into the source's Bronze table. Inputs are checked before the first is loaded; each is one
/// atomic commit, so after a failure the command can simply be repeated.
///
/// # Errors
/// [`IngestError`]; the inputs before the failing one stay loaded.
pub async fn load(
    lake: &Lake,
    request: LoadRequest,
    observer: &dyn LoadObserver,
) -> Result<LoadSummary, IngestError> {
    let begun = Instant::now();
    let contract = request.source.bronze_contract().ok_or(IngestError::NoContract {
        name: request.source.name,
    })?;
    for (option, value) in [
        ("batch_id", &request.batch_id),
        ("source_system", &request.source_system),
    ] {
        if let Some(bytes) = value.as_ref().map(String::len).filter(|n| *n > MAX_OPTION_BYTES) {
            return Err(IngestError::OptionTooLong { option, bytes });
        }
    }
    let inputs = locate(&request.inputs)?;
    for input in inputs.iter().filter(|i| i.size.is_some()) {
        content::open(input, &Arc::new(AtomicU64::new(0)))?;
    }
    observer.started(inputs.iter().map(|i| i.size).sum());
    let progress = Arc::new(Progress::default());
    let table = open(lake, contract).await?;
    let mut load = Load {
        request: &request,
        table,
        committed: HashSet::new(),
        last: None,
        progress: Arc::clone(&progress),
    };
    let mut files = Vec::with_capacity(inputs.len());
    for input in &inputs {
        let file = observed(load.input(input), &progress, observer).await?;
        observer.file_finished(&file);
        files.push(file);
    }
    Ok(LoadSummary::of(
        contract.full_name(),
        files,
        begun.elapsed().as_secs_f64(),
    ))
}

/// Opens the table; of several loads that find it absent, one creates it. A table made before the contract had all of its
/// columns gets those it lacks, as it gets those that lines bring.
async fn open(lake: &Lake, contract: &'static TableContract) -> Result<Table, LakeError> {
    let mut attempt = 1;
    loop {
        match lake.table(contract).await {
            Err(e) if e.is_conflict() && attempt < ATTEMPTS => attempt += 1,
            Err(LakeError::Schema { .. }) => {
                let table = lake.unchecked(contract, None).await?;
                let mut table = table.ok_or_else(|| LakeError::Missing {
                    table: contract.full_name(),
                })?;
                let added = table.migrate().await?;
                tracing::info!(
                    table = contract.name,
                    ?added,
                    "columns the contract has gained were added"
                );
                return Ok(table);
            }
            opened => return opened,
        }
    }
}

/// Awaits a load, telling the observer how far it is.
async fn observed<T>(
    loading: impl Future<Output = T>,
    progress: &Progress,
    observer: &dyn LoadObserver,
) -> T {
    let tell = || {
        observer.progress(
            progress.bytes.load(Ordering::Relaxed),
            progress.lines.load(Ordering::Relaxed),
        )
    };
    let mut loading = std::pin::pin!(loading);
    loop {
        let done = tokio::time::timeout(TICK, &mut loading).await;
        tell();
        if let Ok(result) = done {
            return result;
        }
    }
}

struct Load<'a> {
    request: &'a LoadRequest,
    table: Table,
    /// Contents committed by this very request, which not even `force` loads twice.
    committed: HashSet<String>,
    /// The load before this one.
    last: Option<LoadId>,
    progress: Arc<Progress>,
}

impl Load<'_> {
    async fn input(&mut self, input: &Located) -> Result<FileSummary, IngestError> {
        let begun = Instant::now();
        let identity = self.identity(input).await?;
        if let Some(known) = &identity
            && self.is_loaded(&known.content).await?
        {
            self.progress.bytes.fetch_add(known.bytes, Ordering::Relaxed);
            return Ok(skipped(input, known.content.clone(), known.bytes, begun));
        }
        // Whatever attempt succeeds, its place among the inputs is this one.
        let load_id = LoadId::after(self.last.as_ref());
        self.last = Some(load_id.clone());
        let mut attempt = 1;
        loop {
            match self.attempt(input, identity.as_ref(), &load_id, begun).await {
                // Somebody else changed the table's columns: the files may not fit it any more.
                Err(IngestError::Lake(e))
                    if e.is_conflict() && input.size.is_some() && attempt < ATTEMPTS =>
                {
                    tracing::debug!(input = input.shown(), error = %e, attempt, "reading it again");
                    attempt += 1;
                    self.table.reload().await?;
                }
                ended => return ended,
            }
        }
    }

    /// Reads and commits an input, once.
    async fn attempt(
        &mut self,
        input: &Located,
        identity: Option<&Identity>,
        load_id: &LoadId,
        begun: Instant,
    ) -> Result<FileSummary, IngestError> {
        let streamed = stream(
            &self.table,
            input,
            self.stamp(input, load_id),
            identity.is_none(),
            &self.progress,
        )
        .await?;
        if identity
            .zip(input.path.as_ref())
            .is_some_and(|(known, path)| !known.still_holds(path, streamed.bytes))
        {
            discard(streamed.staged).await;
            return Err(IngestError::Changed { input: input.shown() });
        }
        // One of the two was fingerprinted: the file before, or the stream while it was read.
        let content = identity
            .map(|i| i.content.clone())
            .or_else(|| streamed.content.clone())
            .unwrap_or_default();
        let (counts, bytes, new_columns) = (streamed.counts, streamed.bytes, streamed.new_columns.clone());
        Ok(match self.commit(streamed, &content, input, load_id).await? {
            None => skipped(input, content, bytes, begun),
            Some(version) => {
                let seconds = begun.elapsed().as_secs_f64();
                FileSummary {
                    outcome: FileOutcome::Loaded,
                    load_id: Some(load_id.clone()),
                    version: Some(version),
                    counts,
                    new_columns,
                    seconds,
                    rows_per_second: per_second(counts.rows, seconds),
                    ..skipped(input, content, bytes, begun)
                }
            }
        })
    }

    async fn identity(&self, input: &Located) -> Result<Option<Identity>, IngestError> {
        let located = input.clone();
        let ended = |e: tokio::task::JoinError| IngestError::Defect {
            input: input.shown(),
            reason: e.to_string(),
        };
        tokio::task::spawn_blocking(move || fingerprint::identity(&located))
            .await
            .map_err(ended)?
    }

    fn stamp(&self, input: &Located, load_id: &LoadId) -> LoadStamp {
        LoadStamp {
            source_ref: format!("file:{}#", input.name()),
            load_id: load_id.clone(),
            ingested_at: self.request.ingested_at,
            source_extracted_at: self.request.source_extracted_at,
            batch_id: self.request.batch_id.clone(),
            source_system: self.request.source_system.clone(),
        }
    }

    async fn is_loaded(&self, content: &str) -> Result<bool, LakeError> {
        let before = !self.request.force && self.table.application_version(&app_id(content)).await?.is_some();
        Ok(before || self.committed.contains(content))
    }

    /// Commits the files of an input; `None` when its content turns out to be in the table already.
    async fn commit(
        &mut self,
        streamed: Streamed,
        content: &str,
        input: &Located,
        load_id: &LoadId,
    ) -> Result<Option<u64>, LakeError> {
        let Streamed {
            mut table,
            staged,
            counts,
            new_columns,
            bytes,
            ..
        } = streamed;
        let ready = async {
            // A field that was null on every line has a column, too, and no file that brought it.
            add_columns(&mut table, &new_columns).await?;
            table.reload().await?;
            table.application_version(&app_id(content)).await
        };
        let version = match ready.await {
            Ok(version) => version,
            Err(e) => {
                discard(staged).await;
                return Err(e);
            }
        };
        self.table = table;
        if self.is_loaded(content).await? {
            discard(staged).await;
            return Ok(None);
        }
        let transaction = (app_id(content), version.map_or(1, |v| v + 1));
        match self
            .table
            .commit_append(
                staged,
                Some(transaction),
                vec![(
                    "ingest".to_owned(),
                    record(input, content, load_id, counts, bytes),
                )],
            )
            .await
        {
            Ok(version) => {
                self.committed.insert(content.to_owned());
                Ok(Some(version))
            }
            Err(e) if e.is_conflict() => {
                self.table.reload().await?;
                if self.is_loaded(content).await? {
                    Ok(None)
                } else {
                    Err(e)
                }
            }
            Err(e) => Err(e),
        }
    }
}

/// The application transaction of a content.
fn app_id(content: &str) -> String {
    format!("ingest/{content}")
}

/// What the commit says of itself: the counts that the lines of a table are reconciled with.
fn record(input: &Located, content: &str, load_id: &LoadId, counts: LineCounts, bytes: u64) -> Value {
    json!({ "load_id": load_id, "file": input.name(), "blake3": content, "bytes": bytes, "counts": counts })
}

fn skipped(input: &Located, content: String, bytes: u64, begun: Instant) -> FileSummary {
    FileSummary {
        input: input.shown(),
        content,
        outcome: FileOutcome::AlreadyLoaded,
        load_id: None,
        version: None,
        counts: LineCounts::default(),
        new_columns: Vec::new(),
        bytes,
        seconds: begun.elapsed().as_secs_f64(),
        rows_per_second: 0.0,
    }
}
