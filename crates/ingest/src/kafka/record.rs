//! A message as it came, and what tells it from another one at its offset.

use nsc_core::UtcMicros;

/// A message of one partition.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) partition: i32,
    pub(super) offset: i64,
    /// When it was sent, or appended by the broker.
    pub(super) sent_at: Option<UtcMicros>,
    pub(super) key: Option<Vec<u8>>,
    /// None for a tombstone.
    pub(super) payload: Option<Vec<u8>>,
    /// Counts the seeks of its partition: what was fetched before one is not taken after it.
    pub(super) epoch: u64,
}

impl Record {
    /// Bytes it takes.
    pub(super) fn size(&self) -> usize {
        let of = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        of(&self.key) + of(&self.payload)
    }

    /// A hash of offset, time, key and payload that fits the version of an application transaction: a topic that was made
    /// anew has another record at the offset, and nothing else would tell (sources contract 3.1).
    pub(super) fn fingerprint(&self) -> i64 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.offset.to_be_bytes());
        hasher.update(&self.sent_at.map_or(-1, UtcMicros::micros).to_be_bytes());
        for part in [&self.key, &self.payload] {
            // No length is that of an absent part.
            let length = part.as_ref().map_or(u64::MAX, |bytes| bytes.len() as u64);
            hasher.update(&length.to_be_bytes());
            hasher.update(part.as_deref().unwrap_or_default());
        }
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        i64::from_be_bytes(first) & i64::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_told_from_every_other_at_its_offset() {
        let record = |offset, at, key: Option<&str>, payload: Option<&str>| Record {
            partition: 0,
            offset,
            sent_at: Some(UtcMicros::new(at)),
            key: key.map(|k| k.as_bytes().to_vec()),
            payload: payload.map(|p| p.as_bytes().to_vec()),
            epoch: 0,
        };
        let one = record(99, 1, Some("k"), Some("v")).fingerprint();
        assert!(one >= 0);
        assert_eq!(record(99, 1, Some("k"), Some("v")).fingerprint(), one);
        for other in [
            record(98, 1, Some("k"), Some("v")),
            record(99, 2, Some("k"), Some("v")),
            record(99, 1, Some("kv"), Some("")),
            record(99, 1, Some("k"), None),
            record(99, 1, None, Some("kv")),
        ] {
            assert_ne!(other.fingerprint(), one, "{other:?}");
        }
    }
}
