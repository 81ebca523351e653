//! Decompression: every member of a gzip file, every frame of a zstd file, and what tools put between and behind them.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

/// Compressed bytes read at once.
const READ_BYTES: usize = 256 << 10;
/// The largest window a zstd file may need, as a power of two: what `zstd --long=31` writes. Its memory is used as far as
/// the content reaches.
const WINDOW_LOG_MAX: u32 = 31;

/// How an input is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    /// What the first bytes of a content say.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            // A frame, or one to be skipped: pzstd begins with such a one.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The text of a compressed content.
    pub(crate) fn open(self, raw: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
        let raw = BufReader::with_capacity(READ_BYTES, raw);
        Ok(match self {
            Self::Gzip => Box::new(Members {
                current: Some(GzDecoder::new(raw)),
            }),
            Self::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(raw)?;
                decoder.window_log_max(WINDOW_LOG_MAX)?;
                Box::new(decoder)
            }
        })
    }
}

/// The members of a gzip file one after the other. Zeros behind a member are padding: tapes and block devices write whole
/// blocks.
struct Members<R> {
    /// `None` behind the last one.
    current: Option<GzDecoder<R>>,
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.current {
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            if let Some(ended) = self.current.take() {
                let mut rest = ended.into_inner();
                self.current = behind_zeros(&mut rest)?.then(|| GzDecoder::new(rest));
            }
        }
        Ok(0)
    }
}

/// Skips zeros; `false` when nothing follows them.
fn behind_zeros(rest: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = match rest.fill_buf() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            bytes => bytes?,
        };
        let (zeros, length) = (bytes.iter().take_while(|b| **b == 0).count(), bytes.len());
        rest.consume(zeros);
        if zeros < length {
            return Ok(true);
        }
        if length == 0 {
            return Ok(false);
        }
    }
}
