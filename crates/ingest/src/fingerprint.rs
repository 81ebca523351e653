//! What an input is known by: the BLAKE3 of its uncompressed content.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

use crate::compressed::Compression;
use crate::error::IngestError;
use crate::located::Located;

/// Plain bytes read at once to fingerprint them: small enough to stay in the cache.
const HASH_READ: usize = 256 << 10;

/// Counts and, where it is not known yet, fingerprints the text as it is read.
pub(crate) struct Fingerprinting<R> {
    inner: R,
    hasher: Option<Box<blake3::Hasher>>,
    bytes: u64,
}

impl<R: Read> Fingerprinting<R> {
    pub(crate) fn new(inner: R, fingerprint: bool) -> Self {
        Self {
            inner,
            hasher: fingerprint.then(|| Box::new(blake3::Hasher::new())),
            bytes: 0,
        }
    }

    /// Bytes read and their fingerprint.
    pub(crate) fn finish(self) -> (u64, Option<String>) {
        (self.bytes, self.hasher.map(|h| h.finalize().to_hex().to_string()))
    }
}

impl<R: Read> Read for Fingerprinting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if let (Some(hasher), Some(read)) = (&mut self.hasher, buffer.get(..count)) {
            hasher.update(read);
        }
        self.bytes += count as u64;
        Ok(count)
    }
}

/// A plain file's identity, taken before it is parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) content: String,
    pub(crate) bytes: u64,
    modified: Option<SystemTime>,
}

/// Fingerprints a regular file that is not compressed; `None` for what can be read only once or must be
/// decompressed first (it is fingerprinted while it is parsed).
pub(crate) fn identity(input: &Located) -> Result<Option<Identity>, IngestError> {
    let (Some(path), Some(_)) = (&input.path, input.size) else {
        return Ok(None);
    };
    let unreadable = |source| IngestError::Unreadable {
        path: path.clone(),
        source,
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let modified = file.metadata().ok().and_then(|m| m.modified().ok());
    let mut buffer = vec![0; HASH_READ];
    let mut hasher = blake3::Hasher::new();
    let mut bytes = 0;
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(unreadable(source)),
        };
        let read = buffer.get(..count).unwrap_or_default();
        if bytes == 0 && Compression::of(read).is_some() {
            return Ok(None);
        }
        hasher.update(read);
        bytes += count as u64;
    }
    Ok(Some(Identity {
        content: hasher.finalize().to_hex().to_string(),
        bytes,
        modified,
    }))
}

impl Identity {
    /// Whether the file still is what was fingerprinted, after `read` bytes of it were parsed.
    pub(crate) fn still_holds(&self, path: &Path, read: u64) -> bool {
        let now = std::fs::metadata(path);
        let modified = now.as_ref().ok().and_then(|m| m.modified().ok());
        read == self.bytes && now.is_ok_and(|m| m.len() == self.bytes) && modified == self.modified
    }
}
