//! A file of dead letters taken into the queue in use: of the first implementation, or of this one's file backend.
//!
//! The first implementation wrote one JSON object a line. Of a message it kept topic, partition, offset and key, the payload
//! as text; of a line of a backfill the payload as it was read, under a topic of its own.

use std::path::{Path, PathBuf};

use nsc_contracts::event::EventKind;
use nsc_core::UtcMicros;
use nsc_store::{Batch, DeadLetter};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::file::{FileQueue, read_line};
use crate::error::ConsumerError;
use crate::message::BACKFILL_TOPIC;
use crate::options::{DeadLetterBackend, Services};

/// Letters of one transaction.
const STEP: usize = 500;

/// A letter as the first implementation wrote it.
#[derive(Deserialize)]
struct Line<'a> {
    topic: String,
    partition: Option<i32>,
    offset: Option<i64>,
    key: Option<String>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    error: String,
    error_detail: Option<String>,
    correlation_id: Option<String>,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportSummary {
    /// Letters in it.
    pub letters: u64,
    /// Of these, letters that were not in the queue.
    pub imported: u64,
}

/// Adds the letters of a file to those of a backend; those that are there already are not added again.
///
/// # Errors
/// [`ConsumerError::Import`] with the first line that is no letter, and then nothing is added; when the queue cannot be
/// used.
pub async fn import(
    file: &Path,
    backend: &DeadLetterBackend,
    services: &Services,
) -> Result<ImportSummary, ConsumerError> {
    let path = file.to_path_buf();
    let read = tokio::task::spawn_blocking(move || letters(&path)).await;
    let letters = read.map_err(|e| ConsumerError::Defect(e.to_string()))??;
    let mut summary = ImportSummary::default();
    let now = services.clock.now();
    if *backend == DeadLetterBackend::Database {
        services.store.ready().await?;
    }
    for step in letters.chunks(STEP) {
        summary.letters += step.len() as u64;
        summary.imported += add(step.to_vec(), backend, services, now).await?;
    }
    Ok(summary)
}

async fn add(
    letters: Vec<DeadLetter>,
    backend: &DeadLetterBackend,
    services: &Services,
    now: UtcMicros,
) -> Result<u64, ConsumerError> {
    match backend {
        DeadLetterBackend::File(path) => FileQueue::new(path.clone()).append(letters, now).await,
        DeadLetterBackend::Database => {
            let batch = Batch {
                dead_letters: letters,
                ..Batch::default()
            };
            Ok(services.store.apply(&batch, now).await?.dead_letters)
        }
    }
}

fn letters(file: &PathBuf) -> Result<Vec<DeadLetter>, ConsumerError> {
    let text = std::fs::read_to_string(file).map_err(|source| ConsumerError::Input {
        file: file.clone(),
        source,
    })?;
    let mut letters = Vec::new();
    for (at, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let number = at + 1;
        let letter = letter(line, number).map_err(|reason| ConsumerError::Import {
            file: file.clone(),
            line: number,
            reason,
        })?;
        letters.push(letter);
    }
    Ok(letters)
}

fn letter(line: &str, number: usize) -> Result<DeadLetter, String> {
    if let Some(ours) = read_line(line) {
        return Ok(ours.letter);
    }
    // What serde says of a value may quote it; of the form it says enough.
    let read: Line<'_> = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let of_backfill = match read.topic.as_str() {
        "backfill-ledger" => Some(EventKind::LedgerEntry),
        "backfill-payment-order" => Some(EventKind::PaymentOrder),
        _ => None,
    };
    let payload = match read.payload.map(RawValue::get) {
        None | Some("null") => None,
        Some(text) if text.starts_with('"') => {
            Some(serde_json::from_str::<String>(text).map_err(|e| e.to_string())?)
        }
        Some(json) => Some(json.to_owned()),
    };
    Ok(DeadLetter {
        topic: match of_backfill {
            Some(_) => format!("{BACKFILL_TOPIC}{}", read.topic),
            None => read.topic,
        },
        partition: read.partition.unwrap_or(0),
        offset: read.offset.unwrap_or(number as i64),
        key: match of_backfill {
            // As ours: what the line was meant to be.
            Some(kind) => Some(kind.contract().event.as_bytes().to_vec()),
            None => read.key.map(String::into_bytes),
        },
        payload: payload.map(String::into_bytes),
        error_class: read.error.clone(),
        error: read.error_detail.unwrap_or(read.error),
        correlation_id: read.correlation_id,
    })
}

#[cfg(test)]
mod tests {
    use super::letter;

    #[test]
    fn a_letter_of_the_first_implementation_is_read_exactly() {
        let of_kafka = r#"{"topic": "cdc-events", "partition": 2, "offset": 417, "key": "tx-1", "payload": "{\"tx_id\": 1, \"amount\": 10.10}", "error": "parse_error", "error_detail": "no entry_type", "profile_id": "nsc-dev-v1", "correlation_id": null, "ingested_at": "2026-01-05T00:00:00+00:00"}"#;
        let read = letter(of_kafka, 1).expect("a letter");
        assert_eq!(
            (read.topic.as_str(), read.partition, read.offset),
            ("cdc-events", 2, 417)
        );
        assert_eq!(
            read.payload.as_deref(),
            Some(&br#"{"tx_id": 1, "amount": 10.10}"#[..])
        );
        assert_eq!(
            (read.error_class.as_str(), read.error.as_str()),
            ("parse_error", "no entry_type")
        );

        // A number keeps its digits.
        let of_backfill = r#"{"topic": "backfill-payment-order", "payload": {"order_id": "o", "amount": 10.10}, "error": "contract_core_violation"}"#;
        let read = letter(of_backfill, 7).expect("a letter");
        assert_eq!(
            (read.topic.as_str(), read.offset),
            ("backfill:backfill-payment-order", 7)
        );
        assert_eq!(read.key.as_deref(), Some(&b"PaymentOrderUpserted"[..]));
        assert_eq!(
            read.payload.as_deref(),
            Some(&br#"{"order_id": "o", "amount": 10.10}"#[..])
        );

        for line in [
            "",
            "[]",
            "{}",
            "no",
            r#"{"topic": 5, "error": "x"}"#,
            r#"{"tx_id": "t"}"#,
        ] {
            assert!(letter(line, 1).is_err(), "{line}");
        }
    }
}
