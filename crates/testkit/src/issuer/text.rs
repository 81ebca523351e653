//! Base64 for URLs, and JSON objects over one another.

use serde_json::{Map, Value};

/// `changes` over `base`; null takes a member away.
pub(super) fn merged(base: Value, changes: Value) -> Value {
    let (Value::Object(mut base), Value::Object(changes)) = (base, changes) else {
        return Value::Object(Map::new());
    };
    for (name, value) in changes {
        if value.is_null() {
            base.remove(&name);
        } else {
            base.insert(name, value);
        }
    }
    Value::Object(base)
}

/// Without padding.
pub(super) fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte))
            << (8 * (3 - group.len()));
        for at in 0..=group.len() {
            let six = usize::try_from((bits >> (18 - 6 * at)) & 0x3f).unwrap_or_default();
            text.extend(ALPHABET.get(six).map(|c| char::from(*c)));
        }
    }
    text
}
