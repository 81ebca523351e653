//! Dead letters in a file of JSON lines. Whatever is appended is on the disk before the call returns; a letter that
//! is there already is not appended again; a line cut off by a crash is cut away; several processes may share it.

use std::collections::HashSet;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nsc_core::UtcMicros;
use nsc_store::{DeadLetter, DeadLetterFilter, StoredDeadLetter};

use super::ConsumerError;

mod line;
mod place;

pub(in crate::dlq) use line::read as read_line;
#[cfg(test)]
mod tests;

/// Most that a list gives when it is not told.
const LIST: usize = 100;

/// See the module. Clones share what they know of the file.
#[derive(Debug, Clone)]
pub(crate) struct FileQueue {
    path: Arc<Path>,
    known: Arc<Mutex<Known>>,
}

/// What is in the file, as long as nobody else changed it.
#[derive(Debug, Default)]
struct Known {
    /// Which file, and how long.
    version: Option<(u64, u64)>,
    letters: HashSet<Identity>,
    last_id: i64,
}

/// What makes two letters the same: where the message came from, and what it holds (a topic may be made anew).
#[derive(Debug, PartialEq, Eq, Hash)]
struct Identity {
    topic: String,
    partition: i32,
    offset: i64,
    payload: u64,
}

impl Identity {
    fn of(letter: &DeadLetter) -> Self {
        let mut hasher = DefaultHasher::new();
        letter.payload.hash(&mut hasher);
        Self {
            topic: letter.topic.clone(),
            partition: letter.partition,
            offset: letter.offset,
            payload: hasher.finish(),
        }
    }
}

/// A line: a letter, or something else that is kept as it is.
struct Entry {
    text: String,
    letter: Option<StoredDeadLetter>,
}

impl FileQueue {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path: path.into(),
            known: Arc::default(),
        }
    }

    /// Appends letters; gives how many were not there yet.
    pub(crate) async fn append(&self, letters: Vec<DeadLetter>, at: UtcMicros) -> Result<u64, ConsumerError> {
        self.blocking(move |queue| queue.append_now(letters, at)).await
    }

    pub(super) async fn list(
        &self,
        filter: DeadLetterFilter,
    ) -> Result<Vec<StoredDeadLetter>, ConsumerError> {
        let limit = if filter.limit == 0 {
            LIST
        } else {
            filter.limit as usize
        };
        self.blocking(move |queue| {
            let letters = queue.entries()?.into_iter().filter_map(|e| e.letter);
            Ok(letters.filter(|l| matches(&filter, l)).take(limit).collect())
        })
        .await
    }

    pub(super) async fn show(&self, id: i64) -> Result<Option<StoredDeadLetter>, ConsumerError> {
        self.blocking(move |queue| {
            let mut letters = queue.entries()?.into_iter().filter_map(|e| e.letter);
            Ok(letters.find(|l| l.dlq_id == id))
        })
        .await
    }

    pub(super) async fn purge(&self, before: UtcMicros) -> Result<u64, ConsumerError> {
        self.blocking(move |queue| {
            queue.rewrite(|letter| {
                if letter.ingested_at < before {
                    Change::Remove
                } else {
                    Change::Keep
                }
            })
        })
        .await
    }

    pub(super) async fn mark_replayed(&self, ids: Vec<i64>, at: UtcMicros) -> Result<u64, ConsumerError> {
        let ids: HashSet<i64> = ids.into_iter().collect();
        self.blocking(move |queue| {
            queue.rewrite(|letter| {
                if letter.replayed_at.is_none() && ids.contains(&letter.dlq_id) {
                    letter.replayed_at = Some(at);
                    Change::Write
                } else {
                    Change::Keep
                }
            })
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Result<T, ConsumerError> {
        let queue = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&queue)).await;
        let done = done.unwrap_or_else(|e| Err(io::Error::other(e)));
        done.map_err(|e| ConsumerError::DeadLetterFile {
            file: self.path.to_path_buf(),
            reason: e.to_string(),
        })
    }

    fn append_now(&self, letters: Vec<DeadLetter>, at: UtcMicros) -> io::Result<u64> {
        let _lock = self.lock()?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let path = place::behind_links(&self.path)?;
        let existed = path.exists();
        let mut file = place::open(&path)?;
        // Once, when it is asked whether letters can be kept.
        if letters.is_empty()
            && let Some(mode) = place::open_to_others(&file)?
        {
            let (file, mode) = (path.display(), format!("{mode:o}"));
            tracing::warn!(%file, mode, "others than its owner may read the dead letters: chmod 600 unless that is meant");
        }
        self.learn(&mut known, &mut file)?;
        let length = file.metadata()?.len();
        let mut text = String::new();
        let mut added = Vec::new();
        for letter in letters {
            let identity = Identity::of(&letter);
            if known.letters.contains(&identity) || added.contains(&identity) {
                continue;
            }
            added.push(identity);
            text.push_str(&line::write(&StoredDeadLetter {
                dlq_id: known.last_id + added.len() as i64,
                letter,
                ingested_at: at,
                replayed_at: None,
            })?);
            text.push('\n');
        }
        if added.is_empty() {
            return Ok(0);
        }
        // Until this has succeeded nothing is known of the file any more.
        known.version = None;
        if let Err(error) = file.write_all(text.as_bytes()).and_then(|()| file.sync_data()) {
            // As far as it goes; what stays is seen as known or as cut off the next time.
            let _ = file.set_len(length);
            return Err(error);
        }
        if !existed {
            place::sync_directory(&path)?;
        }
        known.version = Some(version(&file)?);
        let count = added.len() as u64;
        known.last_id += added.len() as i64;
        known.letters.extend(added);
        Ok(count)
    }

    /// Reads the file anew unless it is as we left it; a last line without its end was cut off by a crash, its
    /// messages come again, and it is cut away.
    fn learn(&self, known: &mut Known, file: &mut File) -> io::Result<()> {
        if known.version == Some(version(file)?) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        if whole < bytes.len() {
            tracing::warn!(file = %self.path.display(), bytes = bytes.len() - whole, "cut off an unfinished line");
            file.set_len(whole as u64)?;
            bytes.truncate(whole);
        }
        let entries = entries_of(&self.path, &bytes);
        let letters = || entries.iter().filter_map(|e| e.letter.as_ref());
        known.last_id = letters().map(|l| l.dlq_id).max().unwrap_or(0).max(known.last_id);
        known.letters = letters().map(|l| Identity::of(&l.letter)).collect();
        known.version = Some(version(file)?);
        Ok(())
    }

    fn entries(&self) -> io::Result<Vec<Entry>> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(entries_of(&self.path, &bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(e),
        }
    }

    /// Changes letters, in a new file that takes the place of the old one; gives how many were changed.
    fn rewrite(&self, change: impl Fn(&mut StoredDeadLetter) -> Change) -> io::Result<u64> {
        let _lock = self.lock()?;
        let mut text = String::new();
        let mut changed = 0;
        for entry in self.entries()? {
            let Some(mut letter) = entry.letter else {
                text.push_str(&entry.text);
                text.push('\n');
                continue;
            };
            match change(&mut letter) {
                Change::Keep => text.push_str(&entry.text),
                Change::Write => {
                    changed += 1;
                    text.push_str(&line::write(&letter)?);
                }
                Change::Remove => {
                    changed += 1;
                    continue;
                }
            }
            text.push('\n');
        }
        if changed == 0 {
            return Ok(0);
        }
        place::replace(&place::behind_links(&self.path)?, text.as_bytes())?;
        Ok(changed)
    }

    /// Held by one process at a time, for one change.
    fn lock(&self) -> io::Result<File> {
        let file = place::open_lock(&place::behind_links(&self.path)?)?;
        file.lock()?;
        Ok(file)
    }
}

/// What happens to a line.
enum Change {
    Keep,
    Write,
    Remove,
}

fn version(file: &File) -> io::Result<(u64, u64)> {
    let metadata = file.metadata()?;
    Ok((metadata.ino(), metadata.len()))
}

fn entries_of(path: &Path, bytes: &[u8]) -> Vec<Entry> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().filter(|l| !l.trim().is_empty()).enumerate();
    lines
        .map(|(at, text)| {
            let letter = line::read(text);
            if letter.is_none() {
                tracing::warn!(file = %path.display(), line = at + 1, "not a dead letter; left as it is");
            }
            Entry {
                text: text.to_owned(),
                letter,
            }
        })
        .collect()
}

fn matches(filter: &DeadLetterFilter, letter: &StoredDeadLetter) -> bool {
    filter.topic.as_ref().is_none_or(|t| *t == letter.letter.topic)
        && filter.since.is_none_or(|since| letter.ingested_at >= since)
        && filter.replayed.is_none_or(|r| r == letter.replayed_at.is_some())
        && filter.after.is_none_or(|id| letter.dlq_id > id)
}
