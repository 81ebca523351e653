//! Opens an input: decompresses it, refuses what is not text, counts what is read.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::compressed::Compression;
use crate::error::IngestError;
use crate::located::Located;

/// So much of the text is looked at before it is believed to be text.
const HEAD_BYTES: u64 = 8 << 10;
/// So many bytes say how a content is compressed.
const MAGIC_BYTES: u64 = 4;
/// How files begin that are no text at all, whatever share of them looks like it.
const SIGNATURES: [(&[u8], &str); 13] = [
    (&[0xff, 0xfe], "it looks like UTF-16"),
    (&[0xfe, 0xff], "it looks like UTF-16"),
    (b"PAR1", "it looks like Parquet"),
    (b"Obj\x01", "it looks like Avro"),
    (b"PK\x03\x04", "it looks like a zip archive"),
    (b"BZh", "it looks like bzip2"),
    (&[0xfd, b'7', b'z', b'X', b'Z'], "it looks like xz"),
    (b"SQLite format 3\0", "it looks like an SQLite database"),
    (&[0x04, 0x22, 0x4d, 0x18], "it looks like lz4"),
    (b"7z\xbc\xaf\x27\x1c", "it looks like 7-Zip"),
    (b"Rar!\x1a\x07", "it looks like a rar archive"),
    (b"ORC", "it looks like ORC"),
    (b"ARROW1", "it looks like Arrow"),
];
/// Where the header of a tar archive says so.
const TAR_MAGIC: std::ops::Range<usize> = 257..262;

/// The text of an input.
pub(crate) struct Content {
    pub(crate) text: Box<dyn Read + Send>,
    /// Decompression can fail where the file ends too early.
    pub(crate) compressed: bool,
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content")
            .field("compressed", &self.compressed)
            .finish_non_exhaustive()
    }
}

/// Opens an input; `read` counts the bytes taken from disk.
pub(crate) fn open(input: &Located, read: &Arc<AtomicU64>) -> Result<Content, IngestError> {
    let raw: Box<dyn Read + Send> = match &input.path {
        None => Box::new(io::stdin()),
        Some(path) => Box::new(File::open(path).map_err(|source| IngestError::Unreadable {
            path: path.clone(),
            source,
        })?),
    };
    content(
        Counting {
            inner: raw,
            read: Arc::clone(read),
        },
        &input.shown(),
        input.path.as_deref(),
    )
}

fn content(
    mut raw: impl Read + Send + 'static,
    shown: &str,
    path: Option<&Path>,
) -> Result<Content, IngestError> {
    let unreadable = |source| IngestError::Read {
        input: shown.to_owned(),
        line: 1,
        source,
    };
    // What the content is decides, not its name: piped content has none.
    let magic = head(&mut raw, MAGIC_BYTES).map_err(unreadable)?;
    let compression = Compression::of(&magic);
    let raw = Cursor::new(magic).chain(raw);
    let compressed = compression.is_some();
    let mut text: Box<dyn Read + Send> = if let Some(compression) = compression {
        compression.open(raw).map_err(unreadable)?
    } else {
        let named = |ending: &str| {
            path.and_then(Path::extension)
                .is_some_and(|e| e.eq_ignore_ascii_case(ending))
        };
        for (ending, format) in [("gz", "gzip"), ("zst", "zstd")] {
            if named(ending) {
                return Err(IngestError::NotCompressed {
                    input: shown.to_owned(),
                    format,
                });
            }
        }
        Box::new(raw)
    };
    let first = head(&mut text, HEAD_BYTES).map_err(|e| read_error(e, compressed, shown, 0))?;
    if let Some(found) = not_text(&first) {
        return Err(IngestError::NotText {
            input: shown.to_owned(),
            found,
        });
    }
    Ok(Content {
        text: Box::new(Cursor::new(first).chain(text)),
        compressed,
    })
}

/// What a file looks like whose name says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// It begins with an object, compressed or not.
    JsonLines,
    /// Any other text.
    Text,
    /// No text, and no form of data that is known.
    NotText,
    /// Data in a form that is not read.
    Unreadable(&'static str),
}

/// Looks at the beginning of a file.
pub(crate) fn look_at(path: &Path) -> io::Result<Look> {
    let mut raw = File::open(path)?;
    let magic = head(&mut raw, MAGIC_BYTES)?;
    let compression = Compression::of(&magic);
    let raw = Cursor::new(magic).chain(raw);
    let first = match compression {
        Some(compression) => head(&mut compression.open(raw)?, HEAD_BYTES)?,
        None => head(&mut { raw }, HEAD_BYTES)?,
    };
    let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&first);
    Ok(if let Some(form) = other_form(&first) {
        Look::Unreadable(form)
    } else if is_no_text(&first) {
        Look::NotText
    } else if text.trim_ascii_start().starts_with(b"{") {
        Look::JsonLines
    } else {
        Look::Text
    })
}

/// An error met behind `lines` whole lines.
pub(crate) fn read_error(source: io::Error, compressed: bool, shown: &str, lines: u64) -> IngestError {
    let input = shown.to_owned();
    match source.kind() {
        io::ErrorKind::UnexpectedEof if compressed => IngestError::Truncated { input, line: lines },
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other if compressed => {
            IngestError::Damaged {
                input,
                line: lines,
                source,
            }
        }
        _ => IngestError::Read {
            input,
            line: lines + 1,
            source,
        },
    }
}

fn head(from: &mut impl Read, bytes: u64) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    from.take(bytes).read_to_end(&mut head)?;
    Ok(head)
}

/// What a head that is not text looks like. What counts is the share of bytes that are no characters: a stray NUL, or text
/// in another encoding than UTF-8, passes wherever it stands, and its lines are malformed one by one.
fn not_text(head: &[u8]) -> Option<&'static str> {
    other_form(head).or_else(|| is_no_text(head).then_some("over 30% of its beginning are not characters"))
}

/// The form of data that a head is the beginning of.
fn other_form(head: &[u8]) -> Option<&'static str> {
    if head.get(TAR_MAGIC).is_some_and(|magic| magic == b"ustar") {
        return Some("it looks like a tar archive");
    }
    let found = SIGNATURES.iter().find(|(bytes, _)| head.starts_with(bytes));
    found.map(|(_, form)| *form)
}

fn is_no_text(head: &[u8]) -> bool {
    let replaced = String::from_utf8_lossy(head)
        .chars()
        .filter(|c| *c == char::REPLACEMENT_CHARACTER)
        .count();
    let control = head
        .iter()
        .filter(|b| matches!(b, 0..=8 | 14..=26 | 28..=31 | 127))
        .count();
    // 10 bytes say nothing about their kind.
    head.len() > 10 && (replaced + control) * 10 > head.len() * 3
}

struct Counting<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::{IngestError, Read, content, not_text};
    use std::io::Write;

    fn text_of(bytes: Vec<u8>, name: &str) -> Result<String, IngestError> {
        let mut text = String::new();
        let mut opened = content(
            std::io::Cursor::new(bytes),
            name,
            Some(std::path::Path::new(name)),
        )?;
        let compressed = opened.compressed;
        opened
            .text
            .read_to_string(&mut text)
            .map_err(|e| super::read_error(e, compressed, name, 0))?;
        Ok(text)
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn content_decides_how_it_is_read() {
        let first = gzip("{\"a\":1}\n");
        // pzstd puts a frame to be skipped before each of its own; --long=31 asks for a window of 2 GiB.
        let frame = zstd::encode_all(&b"{}\n"[..], 1).unwrap();
        let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 9, 9, 9, 9], &*frame].concat();
        let mut long = zstd::Encoder::new(Vec::new(), 1).unwrap();
        long.window_log(31).unwrap();
        long.write_all(b"{}\n").unwrap();
        for (bytes, text) in [
            ([&*first, &[0; 512]].concat(), "{\"a\":1}\n"),
            ([&*first, &[0; 600_000]].concat(), "{\"a\":1}\n"),
            (
                [&*first, &[0; 7], &*first, &[0; 1]].concat(),
                "{\"a\":1}\n{\"a\":1}\n",
            ),
            (skipped.clone(), "{}\n"),
            ([&*skipped, &*skipped].concat(), "{}\n{}\n"),
            ([&*frame, &skipped[..12]].concat(), "{}\n"),
            (long.finish().unwrap(), "{}\n"),
        ] {
            assert_eq!(text_of(bytes, "-").unwrap(), text);
        }
        let two_members = [gzip("{\"a\":1}\n"), gzip("{\"a\":2}\n")].concat();
        assert_eq!(text_of(two_members, "-").unwrap(), "{\"a\":1}\n{\"a\":2}\n");
        assert_eq!(
            text_of(zstd::encode_all(&b"{}\n"[..], 1).unwrap(), "x.jsonl").unwrap(),
            "{}\n"
        );
        assert_eq!(text_of(b"{}".to_vec(), "x.jsonl").unwrap(), "{}");
        assert_eq!(text_of(Vec::new(), "x.jsonl").unwrap(), "");
        assert!(matches!(
            text_of(b"{}".to_vec(), "x.jsonl.GZ"),
            Err(IngestError::NotCompressed { format: "gzip", .. })
        ));
        assert!(matches!(
            text_of(Vec::new(), "x.zst"),
            Err(IngestError::NotCompressed { format: "zstd", .. })
        ));
    }

    #[test]
    fn cut_and_damaged_compression_is_told() {
        let long: String = (0..50_000)
            .map(|i| format!("{{\"a\":{}}}\n", i * 7_919 % 10_007))
            .collect();
        let whole = gzip(&long);
        for cut in [12, 100, whole.len() / 2, whole.len() - 1] {
            let found = text_of(whole[..cut].to_vec(), "x.gz");
            assert!(
                matches!(found, Err(IngestError::Truncated { .. })),
                "{cut}: {found:?}"
            );
        }
        let followed = [gzip(&long), b"stray".to_vec()].concat();
        let found = text_of(followed, "x.gz").unwrap_err();
        assert!(found.to_string().contains("followed by stray bytes"), "{found}");
        let padded_and_followed = [gzip(&long), vec![0; 512], b"something else altogether".to_vec()].concat();
        let found = text_of(padded_and_followed, "x.gz");
        assert!(matches!(found, Err(IngestError::Damaged { .. })), "{found:?}");
        let zstd = zstd::encode_all(long.as_bytes(), 1).unwrap();
        for cut in [5, 100, zstd.len() / 2, zstd.len() - 1] {
            let found = text_of(zstd[..cut].to_vec(), "x.zst");
            assert!(
                matches!(found, Err(IngestError::Truncated { .. })),
                "{cut}: {found:?}"
            );
        }
        let mut damaged = whole;
        let middle = damaged.len() / 2;
        damaged[middle..middle + 40].fill(0x55);
        let found = text_of(damaged, "x.gz");
        assert!(matches!(found, Err(IngestError::Damaged { .. })), "{found:?}");
    }

    #[test]
    fn binary_content_is_refused_and_text_of_any_kind_is_not() {
        for binary in [
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01".to_vec(),
            vec![0xff, 0xfe, b'{', 0],
            // UTF-16 without a mark, and a block of zeros.
            b"{\"tx_id\":1}\n".iter().flat_map(|b| [*b, 0]).collect(),
            vec![0; 4096],
            [b"PAR1".as_slice(), &[b'x'; 500]].concat(),
            (128..=255).collect(),
            [&[b'x'; 257][..], b"ustar\x0000", &[b'x'; 500]].concat(),
            b"7z\xbc\xaf\x27\x1c".to_vec(),
        ] {
            assert!(not_text(&binary).is_some(), "{binary:?}");
        }
        for text in [
            "",
            "a",
            "{\"이름\":\"가나다\"}\n",
            "\t\r\n\u{1b}[0m plain",
            "\0{\"tx_id\":\"1\"}\n",
            "{\"tx_id\":\"1\"}\0\0\0\n",
        ] {
            assert_eq!(not_text(text.as_bytes()), None, "{text:?}");
        }
        let euc_kr = [
            b"{\"tx_id\":\"tx-000000000001\",\"merchant_name\":\"".as_slice(),
            &[0xb0, 0xa1, 0xb3, 0xaa],
            b"\"}\n",
        ]
        .concat();
        assert_eq!(not_text(&euc_kr), None);
    }
}
