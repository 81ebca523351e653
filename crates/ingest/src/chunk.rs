//! Cuts a stream of bytes into chunks of whole lines, in bounded memory however long a line is.

use std::io::{self, Read};

use crate::parse::{Chunk, MAX_LINE_BYTES};

/// Bytes read ahead of a chunk's end belong to the next one; a line longer than this is cut.
const LONGEST_KEPT: usize = MAX_LINE_BYTES + 2;

/// Reads chunks of about `target` bytes.
pub(crate) struct Chunker<R> {
    reader: R,
    target: usize,
    /// Read behind the last chunk's end.
    carry: Vec<u8>,
    next_line: u64,
    next_index: u64,
    at_end: bool,
}

impl<R: Read> Chunker<R> {
    pub(crate) fn new(reader: R, target: usize) -> Self {
        Self {
            reader,
            target: target.max(1),
            carry: Vec::new(),
            next_line: 1,
            next_index: 0,
            at_end: false,
        }
    }

    /// The line the next chunk begins with.
    pub(crate) fn next_line(&self) -> u64 {
        self.next_line
    }

    /// What the chunks were read from.
    pub(crate) fn into_inner(self) -> R {
        self.reader
    }

    /// The next chunk, in a buffer that may have been used before; `None` at the end.
    pub(crate) fn next(&mut self, mut buffer: Vec<u8>) -> io::Result<Option<Chunk>> {
        // A used buffer keeps its old content, so that only what it grows by must be cleared.
        let mut filled = 0;
        grow(&mut buffer, self.carry.len());
        put(&mut buffer, &mut filled, &self.carry);
        self.carry.clear();
        loop {
            let wanted = self.target.max(filled + self.target.div_ceil(8));
            self.fill(&mut buffer, &mut filled, wanted)?;
            let text = buffer.get(..filled).unwrap_or_default();
            if self.at_end {
                return Ok(if filled == 0 {
                    None
                } else {
                    Some(self.chunk(buffer, filled))
                });
            }
            if let Some(feed) = memchr::memrchr(b'\n', text) {
                self.carry
                    .extend_from_slice(text.get(feed + 1..).unwrap_or_default());
                return Ok(Some(self.chunk(buffer, feed + 1)));
            }
            if filled > LONGEST_KEPT {
                return self.cut_line(buffer, filled).map(Some);
            }
        }
    }

    /// Reads until `wanted` bytes are there or the input ends.
    fn fill(&mut self, buffer: &mut Vec<u8>, filled: &mut usize, wanted: usize) -> io::Result<()> {
        grow(buffer, wanted);
        while !self.at_end && *filled < wanted {
            let Some(space) = buffer.get_mut(*filled..wanted) else {
                break;
            };
            match self.reader.read(space) {
                Ok(0) => self.at_end = true,
                Ok(count) => *filled += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn chunk(&mut self, mut bytes: Vec<u8>, length: usize) -> Chunk {
        bytes.truncate(length);
        let feeds = memchr::memchr_iter(b'\n', &bytes).count() as u64;
        let lines = feeds + u64::from(bytes.last().is_some_and(|b| *b != b'\n'));
        self.numbered(bytes, None, lines)
    }

    fn numbered(&mut self, bytes: Vec<u8>, cut_line_bytes: Option<u64>, lines: u64) -> Chunk {
        let chunk = Chunk {
            index: self.next_index,
            first_line: self.next_line,
            bytes,
            cut_line_bytes,
        };
        self.next_index += 1;
        self.next_line += lines;
        chunk
    }

    /// Skips to the end of a line that is too long, keeping its beginning.
    fn cut_line(&mut self, mut head: Vec<u8>, filled: usize) -> io::Result<Chunk> {
        head.truncate(filled);
        let mut length = filled as u64;
        let mut last = head.last().copied();
        let mut buffer = vec![0; self.target.clamp(1, 1 << 20)];
        while !self.at_end {
            let wanted = buffer.len();
            let mut used = 0;
            self.fill(&mut buffer, &mut used, wanted)?;
            let read = buffer.get(..used).unwrap_or_default();
            let feed = memchr::memchr(b'\n', read);
            let of_line = read.get(..feed.unwrap_or(used)).unwrap_or_default();
            length += of_line.len() as u64;
            last = of_line.last().copied().or(last);
            if let Some(feed) = feed {
                self.carry
                    .extend_from_slice(read.get(feed + 1..).unwrap_or_default());
                break;
            }
        }
        length -= u64::from(last == Some(b'\r'));
        Ok(self.numbered(head, Some(length), 1))
    }
}

fn grow(buffer: &mut Vec<u8>, length: usize) {
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
}

fn put(buffer: &mut [u8], filled: &mut usize, bytes: &[u8]) {
    if let Some(space) = buffer.get_mut(*filled..*filled + bytes.len()) {
        space.copy_from_slice(bytes);
        *filled += bytes.len();
    }
}
