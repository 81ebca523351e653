//! Functions over text: what a source wrote, read by the contract's rules.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BinaryBuilder, BooleanArray, Decimal128Array, Int64Array, StringViewArray,
    StringViewBuilder, TimestampMicrosecondArray,
};
use arrow::buffer::BooleanBuffer;
use arrow::compute::nullif;
use datafusion::common::Result;
use nsc_core::{Money, UtcMicros, is_blank, push_source_position};
use sha2::{Digest, Sha256};

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

/// Words as the ones they stand for; `lines` is one constant.
pub(super) fn alias(words: &StringViewArray, lines: &StringViewArray) -> ArrayRef {
    let lines = lines.iter().flatten().next().unwrap_or_default();
    let meanings: HashMap<&str, &str> = lines.lines().filter_map(|line| line.split_once('=')).collect();
    if meanings.is_empty() {
        return Arc::new(words.clone());
    }
    let meant = |word| meanings.get(word).copied().unwrap_or(word);
    Arc::new(
        words
            .iter()
            .map(|word| word.map(meant))
            .collect::<StringViewArray>(),
    )
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
                push_source_position(&mut key, text);
                out.append_value(&key);
            }
            None => out.append_null(),
        }
    }
    out.finish()
}

/// Ground rule "Newest" as bytes: three instants, the load, the position in `source_ref`; nulls lowest.
pub(super) fn version_key(
    instants: [&TimestampMicrosecondArray; 3],
    loads: &StringViewArray,
    refs: &StringViewArray,
) -> BinaryArray {
    let mut out = BinaryBuilder::with_capacity(refs.len(), refs.len() * 96);
    let (mut key, mut position) = (Vec::new(), String::new());
    for row in 0..refs.len() {
        key.clear();
        for instant in instants {
            push_instant(&mut key, instant.is_valid(row).then(|| instant.value(row)));
        }
        push_text(&mut key, loads.is_valid(row).then(|| loads.value(row)));
        position.clear();
        if refs.is_valid(row) {
            push_source_position(&mut position, refs.value(row));
        }
        push_text(&mut key, refs.is_valid(row).then_some(position.as_str()));
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

/// Null below every text, texts in their order: the byte behind them is below every byte of theirs.
fn push_text(key: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => {
            key.push(1);
            key.extend_from_slice(text.as_bytes());
            key.push(0);
        }
        None => key.push(0),
    }
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
    use super::user_key_hex;

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
