//! One line of the file.

use std::io;

use nsc_core::UtcMicros;
use nsc_store::{DeadLetter, StoredDeadLetter};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Line {
    dlq_id: i64,
    topic: String,
    partition: i32,
    offset: i64,
    key: Option<Bytes>,
    payload: Option<Bytes>,
    error_class: String,
    error: String,
    correlation_id: Option<String>,
    ingested_at: String,
    replayed_at: Option<String>,
}

/// Text where it is text, so that the file can be read by people; exact in any case.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Bytes {
    Text(String),
    Binary { hex: String },
}

impl Bytes {
    fn of(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(e) => Self::Binary {
                hex: e.as_bytes().iter().map(|b| format!("{b:02x}")).collect(),
            },
        }
    }

    fn bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.into_bytes()),
            Self::Binary { hex } => {
                let pairs = hex.as_bytes().chunks(2);
                let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
                pairs.map(byte).collect()
            }
        }
    }
}

pub(super) fn write(stored: &StoredDeadLetter) -> io::Result<String> {
    let letter = stored.letter.clone();
    let line = Line {
        dlq_id: stored.dlq_id,
        topic: letter.topic,
        partition: letter.partition,
        offset: letter.offset,
        key: letter.key.map(Bytes::of),
        payload: letter.payload.map(Bytes::of),
        error_class: letter.error_class,
        error: letter.error,
        correlation_id: letter.correlation_id,
        ingested_at: stored.ingested_at.to_string(),
        replayed_at: stored.replayed_at.map(|t| t.to_string()),
    };
    serde_json::to_string(&line).map_err(io::Error::other)
}

/// None when the line is not one of ours.
pub(in crate::dlq) fn read(text: &str) -> Option<StoredDeadLetter> {
    let line: Line = serde_json::from_str(text).ok()?;
    let bytes = |b: Option<Bytes>| b.map_or(Some(None), |b| b.bytes().map(Some));
    Some(StoredDeadLetter {
        dlq_id: line.dlq_id,
        ingested_at: UtcMicros::parse(&line.ingested_at)?,
        replayed_at: match line.replayed_at {
            Some(text) => Some(UtcMicros::parse(&text)?),
            None => None,
        },
        letter: DeadLetter {
            topic: line.topic,
            partition: line.partition,
            offset: line.offset,
            key: bytes(line.key)?,
            payload: bytes(line.payload)?,
            error_class: line.error_class,
            error: line.error,
            correlation_id: line.correlation_id,
        },
    })
}
