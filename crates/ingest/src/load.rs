//! Loads inputs one after the other, each in one commit, each delivery once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nsc_contracts::TableContract;
use nsc_core::{LoadId, UtcMicros};
use nsc_lake::{Lake, LakeError, Retry, StandingLoads, Table};

use crate::content;
use crate::delivery::{Delivery, content_app_id, former_app_id, load_prefix, version_of};
use crate::error::IngestError;
use crate::fingerprint::{self, Identity};
use crate::inputs::{Found, locate};
use crate::known_files::{KnownFile, KnownFiles};
use crate::left_out::LeftOutReason;
use crate::located::Located;
use crate::parse::LoadStamp;
use crate::pipeline::{Progress, discard, stream};
use crate::request::{LoadObserver, LoadRequest};
use crate::summary::{Earlier, FileSummary, LoadSummary, Reason};
use crate::survey;

/// How often an observer is told of progress.
const TICK: Duration = Duration::from_millis(100);
/// Longest `batch_id` or `source_system`: it is repeated in every row.
const MAX_OPTION_BYTES: usize = 1024;

/// Loads every input into the source's Bronze table. Inputs are checked before the first is loaded; each is one
/// atomic commit, so after a failure the command can simply be repeated.
///
/// # Errors
/// [`IngestError`]; the inputs before the failing one stay loaded.
pub async fn load(
    lake: &Lake,
    mut request: LoadRequest,
    observer: &dyn LoadObserver,
) -> Result<LoadSummary, IngestError> {
    let begun = Instant::now();
    // A variable that was never set is no mark: equal bytes of two days would be one delivery.
    for mark in [&mut request.batch_id, &mut request.source_system] {
        mark.take_if(|said| said.trim_ascii().is_empty());
    }
    let contract = request.source.bronze_contract().ok_or(IngestError::NoContract {
        name: request.source.name,
    })?;
    check_options(&request)?;
    let Found { inputs, left_out } = locate(&request.inputs)?;
    for file in left_out
        .iter()
        .filter(|f| f.reason == LeftOutReason::NamedOtherwise)
    {
        tracing::warn!(input = file.input, "left out: {}", file.reason);
    }
    let mut known = KnownFiles::read(lake, contract).await;
    for input in inputs.iter().filter(|i| i.size.is_some()) {
        if request.verify || known.recall(input, request.clock).is_none() {
            content::open(input, &Arc::new(AtomicU64::new(0)))?;
        }
    }
    observer.started(inputs.iter().map(|i| i.size).sum());
    let progress = Arc::new(Progress::default());
    let table = open(lake, contract).await?;
    // A later load is newer, on whatever machine and however its clock was set meanwhile.
    let last = table.newest_load()?.and_then(|id| LoadId::greatest_like(&id));
    let mut load = Load {
        lake,
        request: &request,
        begun,
        table,
        known,
        committed: HashMap::new(),
        standing: StandingLoads::default(),
        last,
        progress: Arc::clone(&progress),
    };
    let mut files = Vec::with_capacity(inputs.len());
    let mut ended = Ok(());
    for input in &inputs {
        match observed(load.input(input), &progress, observer).await {
            Ok(file) => {
                observer.file_finished(&file);
                files.push(file);
            }
            Err(error) => {
                ended = Err(error);
                break;
            }
        }
    }
    load.known.store(lake, contract).await;
    ended.map(|()| {
        let seconds = begun.elapsed().as_secs_f64();
        LoadSummary::of(contract.full_name(), files, left_out, seconds)
    })
}

fn check_options(request: &LoadRequest) -> Result<(), IngestError> {
    let options = [
        ("batch_id", &request.batch_id),
        ("source_system", &request.source_system),
    ];
    for (option, value) in options {
        if let Some(bytes) = value.as_ref().map(String::len).filter(|n| *n > MAX_OPTION_BYTES) {
            return Err(IngestError::OptionTooLong { option, bytes });
        }
    }
    Ok(())
}

/// Opens the table; of several loads that find it absent, one creates it. A table made before the contract had all of its
/// columns gets those it lacks, as it gets those that lines bring.
pub(crate) async fn open(lake: &Lake, contract: &'static TableContract) -> Result<Table, LakeError> {
    let mut retry = Retry::default();
    loop {
        match lake.table(contract).await {
            Err(e) if retry.is_worth_it(&e).await => {}
            Err(LakeError::Schema { .. }) => {
                let table = lake.unchecked(contract, None).await?;
                let mut table = table.ok_or_else(|| LakeError::Missing {
                    table: contract.full_name(),
                })?;
                let added = table.migrate().await?.added;
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

/// One input on its way.
pub(crate) struct Incoming<'a> {
    pub(crate) input: &'a Located,
    pub(crate) load_id: LoadId,
    /// When reading it began, by the machine's clock.
    read_at: UtcMicros,
    begun: Instant,
}

impl Incoming<'_> {
    /// What becomes of it when nothing is added.
    pub(crate) fn skipped(
        &self,
        content: &str,
        bytes: u64,
        reason: Reason,
        delivery: &Delivery,
    ) -> FileSummary {
        FileSummary {
            input: self.input.shown(),
            content: content.to_owned(),
            reason,
            delivery: delivery.to_string(),
            bytes,
            seconds: self.begun.elapsed().as_secs_f64(),
            ..FileSummary::default()
        }
    }
}

/// A command under way.
pub(crate) struct Load<'a> {
    pub(crate) lake: &'a Lake,
    pub(crate) request: &'a LoadRequest,
    begun: Instant,
    pub(crate) table: Table,
    known: KnownFiles,
    /// Deliveries committed by this very request, which not even `force` loads twice.
    pub(crate) committed: HashMap<String, LoadId>,
    /// Which of the loads that the table's log names have their rows in it.
    standing: StandingLoads,
    /// The load before this one.
    last: Option<LoadId>,
    progress: Arc<Progress>,
}

impl Load<'_> {
    async fn input(&mut self, located: &Located) -> Result<FileSummary, IngestError> {
        let input = located.as_it_is_now();
        // Whatever attempt succeeds, its place among the inputs is this one.
        let load_id = LoadId::after(self.last.as_ref());
        self.last = Some(load_id.clone());
        let elapsed = i64::try_from(self.begun.elapsed().as_micros()).unwrap_or_default();
        let incoming = Incoming {
            input: &input,
            load_id,
            read_at: self.request.clock.plus(elapsed),
            begun: Instant::now(),
        };
        if let Some(summary) = self.unread(&incoming).await? {
            return Ok(summary);
        }
        let identity = self.identity(&input).await?;
        if let Some(identity) = &identity
            && let Some(summary) = self.repeated(&incoming, identity).await?
        {
            return Ok(summary);
        }
        self.check_table(&incoming).await?;
        let mut retry = Retry::default();
        loop {
            match self.attempt(&incoming, identity.as_ref()).await {
                // Somebody else changed the table's columns: the files may not fit it any more.
                Err(IngestError::Lake(e)) if input.size.is_some() && retry.is_worth_it(&e).await => {
                    tracing::debug!(input = input.shown(), "reading it again");
                    self.table.reload().await?;
                }
                ended => return ended,
            }
        }
    }

    /// The end of a file that looks as it did when its content was read, and whose delivery is loaded.
    async fn unread(&mut self, incoming: &Incoming<'_>) -> Result<Option<FileSummary>, IngestError> {
        if self.request.verify || self.request.force {
            return Ok(None);
        }
        let Some(known) = self.known.recall(incoming.input, incoming.read_at) else {
            return Ok(None);
        };
        let KnownFile {
            content,
            bytes,
            is_carried,
            ..
        } = known;
        let delivery = self.delivery(incoming, &content, is_carried);
        let Some(earlier) = self.earlier(&delivery, &content).await? else {
            return Ok(None);
        };
        self.progress
            .bytes
            .fetch_add(incoming.input.size.unwrap_or_default(), Ordering::Relaxed);
        let skipped = incoming.skipped(&content, bytes, Reason::SameFile, &delivery);
        Ok(Some(skipped.after(&earlier)))
    }

    /// The end of a file whose content was loaded before as this delivery. Whether its rows carry marks is known of a known
    /// content only: its delivery was recorded as one or the other.
    async fn repeated(
        &mut self,
        incoming: &Incoming<'_>,
        identity: &Identity,
    ) -> Result<Option<FileSummary>, IngestError> {
        if !self.knows(&identity.content).await? {
            return Ok(None);
        }
        let mut asked = None;
        for is_carried in [true, false] {
            let delivery = self.delivery(incoming, &identity.content, is_carried);
            if asked.as_ref() == Some(&delivery) {
                continue;
            }
            if let Some(earlier) = self.earlier(&delivery, &identity.content).await? {
                self.progress.bytes.fetch_add(identity.bytes, Ordering::Relaxed);
                self.learn(incoming, &identity.content, identity.bytes, is_carried);
                let skipped =
                    incoming.skipped(&identity.content, identity.bytes, Reason::SameDelivery, &delivery);
                return Ok(Some(skipped.after(&earlier)));
            }
            asked = Some(delivery);
        }
        Ok(None)
    }

    /// Refuses a file whose lines are not those of the table, before anything of it is written.
    async fn check_table(&self, incoming: &Incoming<'_>) -> Result<(), IngestError> {
        if self.request.force || incoming.input.size.is_none() {
            return Ok(());
        }
        let (input, source) = (incoming.input.clone(), self.request.source);
        let (table, stamp) = (self.table.clone(), self.stamp(incoming));
        let looked = tokio::task::spawn_blocking(move || survey::look(&input, source, &table, stamp));
        let refusal = looked.await.map_err(|e| defect(incoming.input, &e))??;
        refusal.map_or(Ok(()), Err)
    }

    /// Reads and commits an input, once.
    async fn attempt(
        &mut self,
        incoming: &Incoming<'_>,
        identity: Option<&Identity>,
    ) -> Result<FileSummary, IngestError> {
        let input = incoming.input;
        let stamp = self.stamp(incoming);
        let streamed = stream(&self.table, input, stamp, identity.is_none(), &self.progress).await?;
        let has_changed = identity
            .zip(input.path.as_ref())
            .is_some_and(|(known, path)| !known.still_holds(path, streamed.bytes));
        let refusal = if has_changed {
            Some(IngestError::Changed { input: input.shown() })
        } else {
            let refusal = streamed.seen.refusal(self.request.source, input);
            refusal.filter(|_| !self.request.force)
        };
        if let Some(refusal) = refusal {
            discard(streamed.staged).await;
            return Err(refusal);
        }
        // One of the two was fingerprinted: the file before, or the stream while it was read.
        let content = identity
            .map(|i| i.content.clone())
            .or_else(|| streamed.content.clone())
            .unwrap_or_default();
        let is_carried = streamed.is_carried();
        let delivery = self.delivery(incoming, &content, is_carried);
        let bytes = streamed.bytes;
        let summary = self.commit(incoming, streamed, &content, &delivery).await?;
        self.learn(incoming, &content, bytes, is_carried);
        Ok(summary)
    }

    async fn identity(&self, input: &Located) -> Result<Option<Identity>, IngestError> {
        let located = input.clone();
        tokio::task::spawn_blocking(move || fingerprint::identity(&located))
            .await
            .map_err(|e| defect(input, &e))?
    }

    fn stamp(&self, incoming: &Incoming<'_>) -> LoadStamp {
        LoadStamp {
            source_ref: format!("file:{}#", incoming.input.name()),
            load_id: Some(incoming.load_id.clone()),
            ingested_at: self.request.ingested_at,
            source_extracted_at: self.request.source_extracted_at,
            batch_id: self.request.batch_id.clone(),
            source_system: self.request.source_system.clone(),
        }
    }

    fn delivery(&self, incoming: &Incoming<'_>, content: &str, is_carried: bool) -> Delivery {
        Delivery::new(
            self.request,
            incoming.input,
            content,
            is_carried,
            &incoming.load_id,
        )
    }

    fn learn(&mut self, incoming: &Incoming<'_>, content: &str, bytes: u64, is_carried: bool) {
        self.known
            .learn(incoming.input, content, bytes, is_carried, incoming.read_at);
    }

    /// Whether the table at hand has rows of a content, by whatever delivery.
    pub(crate) async fn knows(&self, content: &str) -> Result<bool, LakeError> {
        let known = self.table.application_version(&content_app_id(content)).await?;
        Ok(known.is_some()
            || self
                .table
                .application_version(&former_app_id(content))
                .await?
                .is_some())
    }

    /// The load that brought this very delivery and whose rows are there, as far as the table's version at hand knows.
    pub(crate) async fn earlier(
        &mut self,
        delivery: &Delivery,
        content: &str,
    ) -> Result<Option<Earlier>, LakeError> {
        let app_id = delivery.app_id();
        if let Some(load_id) = self.committed.get(&app_id) {
            return Ok(Some(Earlier::Load(load_prefix(version_of(load_id)))));
        }
        if self.request.force {
            return Ok(None);
        }
        if let Some(version) = self.table.application_version(&app_id).await? {
            let prefix = load_prefix(version);
            let stands = self.standing.has(self.lake, &self.table, &prefix).await?;
            return Ok(stands.then_some(Earlier::Load(prefix)));
        }
        let is_former = delivery.is_unmarked()
            && self
                .table
                .application_version(&former_app_id(content))
                .await?
                .is_some();
        Ok(is_former.then_some(Earlier::Former))
    }
}

fn defect(input: &Located, error: &tokio::task::JoinError) -> IngestError {
    IngestError::Defect {
        input: input.shown(),
        reason: error.to_string(),
    }
}
