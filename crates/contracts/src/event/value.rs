//! A member of a JSON object, as far as an event needs to know it.

use std::borrow::Cow;

/// A JSON value: numbers as written, so that no digit is lost; what nests only by its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonValue<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, exactly as written.
    Number(&'a str),
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// A string that holds half a surrogate pair: JSON by its grammar, and no text.
    HalfCharacter,
    /// An array; its elements do not matter.
    Array,
    /// An object; its members do not matter.
    Object,
}

impl JsonValue<'_> {
    /// True for what the contract calls missing: null, an empty and an all-blank string.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => nsc_core::is_blank(text),
            _ => false,
        }
    }

    /// What it is, for a message.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::HalfCharacter => "a string with half a surrogate pair, which is no character",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }

    /// Whether a number is written as an integer: digits, perhaps after a minus, and nothing else.
    pub(super) fn integer(&self) -> Option<&str> {
        match self {
            Self::Number(digits)
                if digits
                    .strip_prefix('-')
                    .unwrap_or(digits)
                    .bytes()
                    .all(|b| b.is_ascii_digit()) =>
            {
                Some(digits)
            }
            _ => None,
        }
    }
}
