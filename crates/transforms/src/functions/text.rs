//! Functions over text: what a source wrote, read by the contract's rules.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BinaryBuilder, BooleanArray, Decimal128Array, Int64Array, StringViewArray,
    StringViewBuilder, TimestampMicrosecondArray,
};
use arrow::buffer::BooleanBuffer;
use arrow::compute::nullif;
use datafusion::common::Result;
use nsc_core::{Money, UtcMicros, is_blank};
use sha2::{Digest, Sha256};

/// Width that holds every unsigned 64-bit number.
const POSITION_DIGITS: usize = 20;

pub(super) fn money(texts: &StringViewArray) -> Decimal128Array {
    let values = texts
        .iter()
        .map(|t| t.and_then(|t| Money::parse(t).ok()).map(Money::units));
    values.collect::<Decimal128Array>().with_data_type(super::DEC2)
}

pub(super) fn is_missing(texts: &StringViewArray) -> BooleanArray {
    BooleanArray::new(
        BooleanBuffer::from_iter(texts.iter().map(|t| t.is_none_or(is_blank))),
        None,
    )
}

/// Shares the text with its input; only the null mask may differ.
pub(super) fn clean(texts: &StringViewArray) -> Result<ArrayRef> {
    let blank = BooleanBuffer::from_iter(texts.iter().map(|t| t.is_some_and(is_blank)));
    if blank.count_set_bits() == 0 {
        return Ok(Arc::new(texts.clone()));
    }
    Ok(nullif(texts, &BooleanArray::new(blank, None))?)
}

pub(super) fn timestamp(texts: &StringViewArray) -> TimestampMicrosecondArray {
    let values = texts
        .iter()
        .map(|t| t.and_then(UtcMicros::parse).map(UtcMicros::micros));
    values.collect::<TimestampMicrosecondArray>().with_timezone("UTC")
}

pub(super) fn integer(texts: &StringViewArray) -> Int64Array {
    // Rust reads exactly `[+-]?digits`.
    texts
        .iter()
        .map(|t| t.and_then(|t| t.parse::<i64>().ok()))
        .collect()
}

pub(super) fn ref_key(refs: &StringViewArray) -> StringViewArray {
    let mut out = StringViewBuilder::with_capacity(refs.len());
    let mut key = String::new();
    for text in refs {
        match text {
            Some(text) => {
                key.clear();
                push_ref_key(&mut key, text);
                out.append_value(&key);
            }
            None => out.append_null(),
        }
    }
    out.finish()
}

/// Ground rule "Newest" as bytes: three instants, nulls lowest, then the position in `source_ref`; the reference
/// itself comes last, so that two references never share a key.
pub(super) fn version_key(instants: [&TimestampMicrosecondArray; 3], refs: &StringViewArray) -> BinaryArray {
    let mut out = BinaryBuilder::with_capacity(refs.len(), refs.len() * 64);
    let (mut key, mut position) = (Vec::new(), String::new());
    for row in 0..refs.len() {
        key.clear();
        for instant in instants {
            push_instant(&mut key, instant.is_valid(row).then(|| instant.value(row)));
        }
        if refs.is_valid(row) {
            position.clear();
            push_ref_key(&mut position, refs.value(row));
            key.push(1);
            key.extend_from_slice(position.as_bytes());
            key.push(0);
            key.extend_from_slice(refs.value(row).as_bytes());
        } else {
            key.push(0);
        }
        out.append_value(&key);
    }
    out.finish()
}

/// Null below every instant, instants in their order.
fn push_instant(key: &mut Vec<u8>, micros: Option<i64>) {
    match micros {
        Some(micros) => {
            key.push(1);
            // Flipping the sign bit makes the order of the bytes that of the numbers.
            key.extend_from_slice(&(micros ^ i64::MIN).to_be_bytes());
        }
        None => key.push(0),
    }
}

/// Pads the numbers of a reference so that text order is their order; other texts are left as they are.
fn push_ref_key(key: &mut String, text: &str) {
    let (head, numbers) = match text.split_once(':') {
        Some(("file", _)) => split_positions(text, '#', 1),
        Some(("kafka" | "cdc", _)) => split_positions(text, '/', 2),
        _ => (text, Vec::new()),
    };
    key.push_str(head);
    for (separator, number) in numbers {
        key.push(separator);
        if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
            // Writing to a String cannot fail.
            let _ = write!(key, "{number:0>POSITION_DIGITS$}");
        } else {
            key.push_str(number);
        }
    }
}

/// The last `count` parts after `separator`, in their order, and what stands before them.
fn split_positions(text: &str, separator: char, count: usize) -> (&str, Vec<(char, &str)>) {
    let mut head = text;
    let mut parts = Vec::with_capacity(count);
    for _ in 0..count {
        let Some((before, last)) = head.rsplit_once(separator) else {
            return (text, Vec::new());
        };
        head = before;
        parts.push((separator, last));
    }
    parts.reverse();
    (head, parts)
}

pub(super) fn user_key(users: &StringViewArray, salts: &StringViewArray) -> StringViewArray {
    let mut out = StringViewBuilder::with_capacity(users.len());
    for (user, salt) in users.iter().zip(salts) {
        match (user, salt) {
            (Some(user), Some(salt)) => out.append_value(user_key_hex(user, salt)),
            _ => out.append_null(),
        }
    }
    out.finish()
}

/// Lowercase hex SHA-256 of `user_id` followed by `salt` (contract, pipeline C).
pub(crate) fn user_key_hex(user: &str, salt: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(user.as_bytes());
    hash.update(salt.as_bytes());
    let mut hex = String::with_capacity(64);
    for byte in hash.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::{push_ref_key, user_key_hex};

    fn key(text: &str) -> String {
        let mut key = String::new();
        push_ref_key(&mut key, text);
        key
    }

    #[test]
    fn references_sort_by_file_then_line_and_partition_then_offset() {
        for pair in [
            ["file:a.jsonl#9", "file:a.jsonl#10"],
            ["file:a#1.jsonl#2", "file:a#1.jsonl#11"],
            ["kafka:t/2/5", "kafka:t/10/1"],
            ["kafka:t/1/99", "kafka:t/1/100"],
            ["cdc:wallets/99/1", "cdc:wallets/100/0"],
            ["cdc:w/0/16B3748/9", "cdc:w/0/16B3748/10"],
        ] {
            assert!(key(pair[0]) < key(pair[1]), "{pair:?}");
        }
        assert_eq!(key("file:a#12"), "file:a#00000000000000000012");
        for text in ["", "manual", "file:a.jsonl", "kafka:t/5", "ftp:a#1", "file:a#x1"] {
            assert_eq!(key(text), text);
        }
    }

    #[test]
    fn the_user_key_is_plain_sha_256() {
        // printf 'u-1local-salt-v1' | sha256sum
        assert_eq!(
            user_key_hex("abc", ""),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(user_key_hex("a", "bc"), user_key_hex("abc", ""));
    }
}
