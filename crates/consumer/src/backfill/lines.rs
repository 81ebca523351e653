//! Lines of a file as messages, a bounded chunk at a time.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use nsc_contracts::event::{EventKind, FieldNames};
use tokio::sync::mpsc;

use crate::form::{OtherForm, other_form};
use crate::message::Message;
use crate::options::SinkOptions;

/// Some editors and most of Windows begin a text with this.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// What was read to make a chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) lines: u64,
    pub(super) blank: u64,
    pub(super) bytes: u64,
}

/// Messages, and how much was read for them.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) messages: Vec<Message>,
    pub(super) read: Amount,
}

/// An open input.
pub(super) struct Source {
    reader: Box<dyn BufRead + Send>,
    total_bytes: Option<u64>,
}

impl Source {
    pub(super) fn open(file: &Path, stdin: bool) -> io::Result<Self> {
        if stdin {
            return Ok(Self {
                reader: Box::new(BufReader::new(io::stdin())),
                total_bytes: None,
            });
        }
        let file = File::open(file)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(Self {
            reader: Box::new(BufReader::with_capacity(256 << 10, file)),
            total_bytes: metadata.is_file().then_some(metadata.len()),
        })
    }

    pub(super) const fn total_bytes(&self) -> Option<u64> {
        self.total_bytes
    }

    /// The form it has instead of lines of JSON, as far as its start tells.
    pub(super) fn other_form(&mut self, names: &FieldNames) -> io::Result<Option<OtherForm>> {
        Ok(other_form(self.reader.fill_buf()?, names))
    }

    /// Reads to the end, or until nobody listens any more.
    pub(super) fn read(
        mut self,
        kind: EventKind,
        topic: Arc<str>,
        limits: &SinkOptions,
        to: &mpsc::Sender<Chunk>,
    ) -> io::Result<()> {
        let mut chunk = Chunk::default();
        let mut chunk_bytes = 0;
        let mut number = 0;
        while let Some((mut line, bytes)) = next_line(&mut self.reader, limits.max_message_bytes)? {
            number += 1;
            chunk.read.lines += 1;
            chunk.read.bytes += bytes;
            if number == 1 && line.starts_with(BYTE_ORDER_MARK) {
                line.drain(..BYTE_ORDER_MARK.len());
            }
            if line.iter().all(u8::is_ascii_whitespace) {
                chunk.read.blank += 1;
                continue;
            }
            let message = Message {
                kind,
                topic: Arc::clone(&topic),
                partition: 0,
                offset: number,
                // A line has no key; this tells a replay what the line was meant to be.
                key: Some(kind.contract().event.as_bytes().to_vec()),
                payload: Some(line),
                place: None,
                sent_at: None,
                correlation: None,
                epoch: 0,
            };
            chunk_bytes += message.size_bytes();
            chunk.messages.push(message);
            if chunk.messages.len() >= limits.batch_events || chunk_bytes >= limits.batch_bytes {
                chunk_bytes = 0;
                if to.blocking_send(std::mem::take(&mut chunk)).is_err() {
                    return Ok(());
                }
            }
        }
        // Nobody listening is the other side's business.
        let _ = to.blocking_send(chunk);
        Ok(())
    }
}

/// The next line without its end, and the bytes it took. Of a line that is too long only so much is kept that it is
/// seen to be too long.
fn next_line(reader: &mut impl BufRead, max_bytes: usize) -> io::Result<Option<(Vec<u8>, u64)>> {
    let keep = max_bytes as u64 + 2;
    let mut line = Vec::new();
    let mut bytes = reader.by_ref().take(keep).read_until(b'\n', &mut line)? as u64;
    if bytes == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') && bytes == keep {
        bytes += reader.skip_until(b'\n')? as u64;
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some((line, bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8], max: usize) -> Vec<(Vec<u8>, u64)> {
        let mut reader = BufReader::with_capacity(3, text);
        let mut all = Vec::new();
        while let Some(line) = next_line(&mut reader, max).expect("read") {
            all.push(line);
        }
        all
    }

    #[test]
    fn lines_end_with_or_without_a_line_feed_and_too_long_ones_are_cut() {
        let line = |text: &str, bytes: u64| (text.as_bytes().to_vec(), bytes);
        assert_eq!(
            lines(b"ab\n\r\ncd\r\nef", 10),
            [line("ab", 3), line("", 2), line("cd", 4), line("ef", 2)]
        );
        assert_eq!(lines(b"12345\nab\n", 5), [line("12345", 6), line("ab", 3)]);
        assert_eq!(
            lines(b"12345678901234\nab", 5),
            [line("1234567", 15), line("ab", 2)]
        );
        assert_eq!(lines(b"", 5), []);
    }

    #[tokio::test]
    async fn a_file_is_read_in_chunks_with_its_line_numbers() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("l.jsonl");
        std::fs::write(&file, "\u{feff}{1}\n\n{3}\n{4}\n").expect("written");
        let source = Source::open(&file, false).expect("open");
        assert_eq!(source.total_bytes(), Some(16));
        let limits = SinkOptions {
            batch_events: 2,
            ..SinkOptions::default()
        };
        let (send, mut chunks) = mpsc::channel(4);
        let read = tokio::task::spawn_blocking(move || {
            source.read(EventKind::LedgerEntry, "backfill:f".into(), &limits, &send)
        });
        let mut seen = Vec::new();
        while let Some(chunk) = chunks.recv().await {
            let texts = chunk
                .messages
                .iter()
                .map(|m| (m.offset, m.payload.clone().unwrap_or_default()));
            seen.push((texts.collect::<Vec<_>>(), chunk.read.lines, chunk.read.blank));
        }
        assert!(read.await.is_ok_and(|r| r.is_ok()));
        let text = |s: &str| s.as_bytes().to_vec();
        assert_eq!(
            seen,
            [
                (vec![(1, text("{1}")), (3, text("{3}"))], 3, 1),
                (vec![(4, text("{4}"))], 1, 0)
            ]
        );
        assert!(Source::open(directory.path(), false).is_err());
    }
}
