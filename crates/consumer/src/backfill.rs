//! Backfill: events from files of JSON lines, through the same reading and sink as those from Kafka (serving
//! contract 4). Run again after an interruption it does no harm: what is there is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nsc_contracts::event::{EventKind, EventProfile};
use nsc_core::UtcMicros;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::error::ConsumerError;
use crate::message::BACKFILL_TOPIC;
use crate::options::{Services, SinkOptions};
use crate::sink::{SinkCounts, Stopped, StoreSink, Window};

mod lines;

use lines::{Chunk, Source};

/// Characters of a file's name in the topic of its dead letters.
const TOPIC_FILE_CHARS: usize = 240;

/// The file name that stands for standard input.
const STDIN: &str = "-";

/// What to load.
#[derive(Debug, Clone)]
pub struct BackfillOptions {
    /// Says under which names the fields come.
    pub profile: EventProfile,
    /// How they are written, and where dead letters go.
    pub sink: SinkOptions,
    /// Ledger entries; `-` is standard input.
    pub ledger_file: Option<PathBuf>,
    /// Payment orders; `-` is standard input.
    pub payment_order_file: Option<PathBuf>,
    /// Only events whose own time (`updated_at`, else `event_time` or `created_at`) is at or after this.
    pub since: Option<UtcMicros>,
    /// Only events whose own time is before this.
    pub until: Option<UtcMicros>,
}

/// Where a backfill is.
#[derive(Debug, Clone, Copy)]
pub struct BackfillProgress<'a> {
    /// The file being loaded.
    pub file: &'a Path,
    /// What is in it.
    pub kind: EventKind,
    /// Lines of it that are done.
    pub lines: u64,
    /// Bytes of it that are done.
    pub bytes: u64,
    /// Its size, when that is known.
    pub total_bytes: Option<u64>,
}

/// What became of the lines: `lines = blank + outside + written + stale + dead_letters`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackfillSummary {
    /// Lines read.
    pub lines: u64,
    /// Lines with nothing on them.
    pub blank: u64,
    /// Events outside of since and until.
    pub outside: u64,
    /// Rows written.
    pub written: u64,
    /// Events older than, or the same as, what is stored or what else came.
    pub stale: u64,
    /// Lines that can never be events.
    pub dead_letters: u64,
    /// These by their class.
    pub classes: BTreeMap<String, u64>,
    /// Whether it was told to stop before the end.
    pub interrupted: bool,
    /// Files that had events to store, of which none could be.
    pub failed: Vec<FailedFile>,
}

/// A file of a backfill that is wrong from end to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedFile {
    /// The file.
    pub file: PathBuf,
    /// Its lines that can never be events.
    pub dead_letters: u64,
    /// These by their class.
    pub classes: BTreeMap<String, u64>,
}

impl BackfillSummary {
    /// Whether there was a file with events to store and none of them could be. What the other file held does not
    /// excuse it: one that was loaded before brings nothing but repeats.
    #[must_use]
    pub const fn failed(&self) -> bool {
        !self.failed.is_empty()
    }
}

/// Loads files, ledger entries first. A database that is away once it has begun is waited for.
///
/// # Errors
/// When a file cannot be read or is not lines of JSON, when database or dead letters cannot be used at the start, or when
/// the database refuses ordinary rows.
pub async fn backfill(
    options: &BackfillOptions,
    services: &Services,
    stop: &CancellationToken,
    mut progress: impl FnMut(BackfillProgress<'_>),
) -> Result<BackfillSummary, ConsumerError> {
    services.store.ready().await?;
    let window = Window {
        since: options.since,
        until: options.until,
    };
    let sink = StoreSink::new(services, options.profile.aliases(), options.sink.clone())
        .within(window)
        .of_a_command();
    sink.ready().await?;
    let files = [
        (EventKind::LedgerEntry, &options.ledger_file),
        (EventKind::PaymentOrder, &options.payment_order_file),
    ];
    let mut summary = BackfillSummary::default();
    for (kind, file) in files {
        if let Some(file) = file
            && !summary.interrupted
        {
            let loaded = load(kind, file, &sink, options, stop, &mut progress).await?;
            summary.add_file(file, loaded);
        }
    }
    Ok(summary)
}

async fn load(
    kind: EventKind,
    file: &Path,
    sink: &StoreSink,
    options: &BackfillOptions,
    stop: &CancellationToken,
    progress: &mut impl FnMut(BackfillProgress<'_>),
) -> Result<BackfillSummary, ConsumerError> {
    let mut summary = BackfillSummary::default();
    let unreadable = |source| ConsumerError::Input {
        file: file.to_path_buf(),
        source,
    };
    let Some(source) = open(kind, file, options, stop).await? else {
        summary.interrupted = true;
        return Ok(summary);
    };
    let total_bytes = source.total_bytes();
    let topic = Arc::from(dead_letter_topic(file));
    let limits = options.sink.clone();
    // The next chunk is read while one is written.
    let (send, mut chunks) = mpsc::channel(1);
    let reading = tokio::task::spawn_blocking(move || source.read(kind, topic, &limits, &send));
    let mut bytes = 0;
    loop {
        // Nothing may come for a long time: standard input, a pipe.
        let chunk = tokio::select! {
            biased;
            chunk = chunks.recv() => chunk,
            () = stop.cancelled() => {
                summary.interrupted = true;
                break;
            }
        };
        let Some(Chunk { messages, read }) = chunk else {
            break;
        };
        let counts = match sink.write_all(&messages, stop).await {
            Ok(counts) => counts,
            Err(Stopped::Asked) => {
                summary.interrupted = true;
                break;
            }
            Err(Stopped::AtFault(error)) => return Err(error.into()),
        };
        bytes += read.bytes;
        summary.add(read.lines, read.blank, counts);
        progress(BackfillProgress {
            file,
            kind,
            lines: summary.lines,
            bytes,
            total_bytes,
        });
    }
    drop(chunks);
    if summary.interrupted {
        // Standard input may never come to an end; the reader finds nobody listening when it does.
        return Ok(summary);
    }
    let read = reading.await.map_err(|e| ConsumerError::Defect(e.to_string()))?;
    read.map_err(unreadable)?;
    Ok(summary)
}

/// An open input of lines of JSON; none when told to stop while there is nothing of it yet, as of a pipe.
async fn open(
    kind: EventKind,
    file: &Path,
    options: &BackfillOptions,
    stop: &CancellationToken,
) -> Result<Option<Source>, ConsumerError> {
    let (path, aliases) = (file.to_path_buf(), options.profile.aliases());
    let opening = tokio::task::spawn_blocking(move || {
        let mut source = Source::open(&path, path == Path::new(STDIN))?;
        let form = source.other_form(aliases.of(kind))?;
        Ok((source, form))
    });
    let opened = tokio::select! {
        opened = opening => opened.map_err(|e| ConsumerError::Defect(e.to_string()))?,
        () = stop.cancelled() => return Ok(None),
    };
    let file = file.to_path_buf();
    match opened {
        Ok((source, None)) => Ok(Some(source)),
        Ok((_, Some(form))) => Err(ConsumerError::OtherForm { file, form }),
        Err(source) => Err(ConsumerError::Input { file, source }),
    }
}

/// `backfill:` and the file's name, of a long one the end: a topic is stored with up to 255 characters.
fn dead_letter_topic(file: &Path) -> String {
    let name = file.display().to_string().replace(char::is_control, "?");
    let cut = name
        .char_indices()
        .rev()
        .nth(TOPIC_FILE_CHARS - 1)
        .map_or(0, |(at, _)| at);
    format!("{BACKFILL_TOPIC}{}", name.get(cut..).unwrap_or_default())
}

impl BackfillSummary {
    fn add(&mut self, lines: u64, blank: u64, counts: SinkCounts) {
        self.lines += lines;
        self.blank += blank;
        self.outside += counts.outside;
        self.written += counts.written;
        self.stale += counts.stale;
        self.dead_letters += counts.dead_letters;
        for (class, n) in counts.classes {
            *self.classes.entry(class).or_default() += n;
        }
    }

    /// Adds what became of a whole file, which is judged by itself.
    fn add_file(&mut self, file: &Path, loaded: Self) {
        if loaded.dead_letters > 0 && loaded.written == 0 && loaded.stale == 0 {
            self.failed.push(FailedFile {
                file: file.to_path_buf(),
                dead_letters: loaded.dead_letters,
                classes: loaded.classes.clone(),
            });
        }
        self.lines += loaded.lines;
        self.blank += loaded.blank;
        self.outside += loaded.outside;
        self.written += loaded.written;
        self.stale += loaded.stale;
        self.dead_letters += loaded.dead_letters;
        for (class, n) in loaded.classes {
            *self.classes.entry(class).or_default() += n;
        }
        self.interrupted |= loaded.interrupted;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::dead_letter_topic;

    #[test]
    fn the_topic_of_a_files_dead_letters_can_be_stored() {
        assert_eq!(
            dead_letter_topic(Path::new("data/l.jsonl")),
            "backfill:data/l.jsonl"
        );
        assert_eq!(dead_letter_topic(Path::new("-")), "backfill:-");
        let long = dead_letter_topic(Path::new(&format!("{}/l.jsonl", "가".repeat(300))));
        assert_eq!(long.chars().count(), 249);
        assert!(long.ends_with("가/l.jsonl"));
    }
}
