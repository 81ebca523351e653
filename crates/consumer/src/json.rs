//! Reads the members of one JSON object, strictly (RFC 8259): numbers keep their digits, strings are unescaped, what
//! nests is checked and left out. The grammar is `serde_json`'s, over raw values: none of its types holds every number
//! as it was written, nor a string with half a surrogate pair.

use std::borrow::Cow;
use std::fmt;

use nsc_contracts::event::JsonValue;
use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::Deserializer;
use serde_json::value::RawValue;

#[cfg(test)]
mod tests;

/// Arrays and objects inside each other, at most.
const MAX_DEPTH: usize = 128;

/// Why a text is not one JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JsonError {
    /// Not JSON.
    Malformed {
        /// Byte it was noticed at, from 0.
        at: usize,
        /// What was expected there, or is not allowed.
        what: String,
    },
    /// Another JSON value.
    NotAnObject(&'static str),
}

/// Gives each member of the object to `member`, in order; of a repeated key each.
///
/// # Errors
/// When the text is not one JSON object with nothing behind it. Members before the error were given.
pub(crate) fn read_object<'a>(
    text: &'a str,
    member: impl FnMut(&str, JsonValue<'a>),
) -> Result<(), JsonError> {
    if let Some(at) = too_deep(text) {
        let what = format!("it nests too deeply, {MAX_DEPTH} levels are taken");
        return Err(JsonError::Malformed { at, what });
    }
    let malformed = |error| malformed(text, &error);
    if !text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{') {
        let value: &RawValue = serde_json::from_str(text).map_err(malformed)?;
        return Err(JsonError::NotAnObject(value_of(value).type_name()));
    }
    let mut read = Deserializer::from_str(text);
    read.deserialize_map(Object(member)).map_err(malformed)?;
    read.end().map_err(malformed)
}

/// Where a text first opens more arrays and objects inside each other than are taken. It need not be JSON.
fn too_deep(text: &str) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Some(at);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

struct Object<F>(F);

impl<'de, F: FnMut(&str, JsonValue<'de>)> Visitor<'de> for Object<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        while let Some((key, value)) = members.next_entry::<&RawValue, &RawValue>()? {
            // A key that no text can be is none that matters.
            if let Some(key) = text_of(key.get()) {
                (self.0)(&key, value_of(value));
            }
        }
        Ok(())
    }
}

/// What a value is; that it is JSON was seen.
fn value_of(value: &RawValue) -> JsonValue<'_> {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'"') => text_of(text).map_or(JsonValue::HalfCharacter, JsonValue::Text),
        Some(b'{') => JsonValue::Object,
        Some(b'[') => JsonValue::Array,
        Some(b't') => JsonValue::Bool(true),
        Some(b'f') => JsonValue::Bool(false),
        Some(b'n') | None => JsonValue::Null,
        Some(_) => JsonValue::Number(text),
    }
}

/// A string without its quotes and escapes; none for one that holds half a surrogate pair, which the grammar of JSON
/// allows and no text can hold.
fn text_of(quoted: &str) -> Option<Cow<'_, str>> {
    let plain = quoted.strip_prefix('"')?.strip_suffix('"')?;
    if plain.contains('\\') {
        serde_json::from_str(quoted).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(plain))
    }
}

/// The library counts lines and bytes in them; people look for a byte of a message.
fn malformed(text: &str, error: &serde_json::Error) -> JsonError {
    let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    let before: usize = lines.map(str::len).sum();
    let said = error.to_string();
    JsonError::Malformed {
        at: before + error.column().saturating_sub(1),
        what: said
            .rsplit_once(" at line ")
            .map_or(&*said, |(what, _)| what)
            .to_owned(),
    }
}
