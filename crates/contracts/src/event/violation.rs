//! Why a message is not an event.

use std::fmt;

/// The kind of violation; `error_class` of a dead letter and a label of its count, so the list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ViolationClass {
    /// Longer than this program takes.
    TooLarge,
    /// Not UTF-8, which JSON must be and PostgreSQL can only store.
    InvalidUtf8,
    /// Not JSON; a bare `NaN` among others.
    MalformedJson,
    /// JSON, but not an object.
    NotAnObject,
    /// A required field is absent, null or blank.
    MissingField,
    /// A value of another JSON type than the field's.
    WrongType,
    /// A value that is not what its field holds: not an amount, not a time, out of range.
    InvalidValue,
    /// A value with lower-case letters where the contract has upper case.
    NotUpperCase,
    /// A text that is too long to be stored and found.
    TooLong,
    /// A text with a NUL character, which PostgreSQL cannot store.
    NulCharacter,
    /// Two names of one field with different values.
    AliasDisagreement,
    /// A time further ahead of when the message was sent than a clock can be wrong: its version would win for ever.
    FutureTime,
}

impl ViolationClass {
    /// Every class.
    pub const ALL: [Self; 12] = [
        Self::TooLarge,
        Self::InvalidUtf8,
        Self::MalformedJson,
        Self::NotAnObject,
        Self::MissingField,
        Self::WrongType,
        Self::InvalidValue,
        Self::NotUpperCase,
        Self::TooLong,
        Self::NulCharacter,
        Self::AliasDisagreement,
        Self::FutureTime,
    ];

    /// As stored in `error_class`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::MalformedJson => "malformed_json",
            Self::NotAnObject => "not_an_object",
            Self::MissingField => "missing_field",
            Self::WrongType => "wrong_type",
            Self::InvalidValue => "invalid_value",
            Self::NotUpperCase => "not_upper_case",
            Self::TooLong => "too_long",
            Self::NulCharacter => "nul_character",
            Self::AliasDisagreement => "alias_disagreement",
            Self::FutureTime => "future_time",
        }
    }
}

impl fmt::Display for ViolationClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A message that can never become an event, and why. Its text quotes at most a few characters of the message and
/// holds no control characters, so that it can be stored and shown anywhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Violation {
    /// Which rule of the contract is broken.
    pub class: ViolationClass,
    /// The field, by its own name, when it is about one.
    pub field: Option<&'static str>,
    /// For people: what was seen and what was expected.
    pub text: String,
}

impl Violation {
    /// About the message as a whole.
    #[must_use]
    pub fn of_message(class: ViolationClass, text: impl Into<String>) -> Self {
        Self {
            class,
            field: None,
            text: text.into(),
        }
    }

    /// About one field.
    pub(super) fn of_field(class: ViolationClass, field: &'static str, text: String) -> Self {
        Self {
            class,
            field: Some(field),
            text,
        }
    }
}

/// Characters of a value that a message quotes.
const QUOTED_CHARS: usize = 60;

/// A value for a message: quoted, escaped, cut.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS) {
        Some((end, _)) => format!("{:?}...", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}
