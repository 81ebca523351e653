//! One value of a result.

use std::fmt;

use nsc_core::UtcMicros;
use serde_json::Value;

/// A value as it is printed. Decimals, times and dates are exact text already.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// No value.
    Null,
    /// Text.
    Text(String),
    /// Whole number.
    Int(i64),
    /// Whole number above `i64`.
    UInt(u64),
    /// Approximate number; never money.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// Exact decimal, time of the wall or ISO date: text everywhere, a string in JSON.
    Exact(String),
    /// An instant, as RFC 3339 in UTC for machines; people see it in the zone they work in.
    Instant(String),
    /// A nested value.
    Json(Value),
}

impl Cell {
    /// Text.
    pub(crate) fn text(value: &str) -> Self {
        Self::Text(value.to_owned())
    }

    /// Text, or null.
    pub(crate) fn text_or_null(value: Option<&str>) -> Self {
        value.map_or(Self::Null, Self::text)
    }

    /// Something whose text form is exact (money, a time, a date).
    pub(crate) fn exact(value: impl fmt::Display) -> Self {
        Self::Exact(value.to_string())
    }

    /// An instant.
    pub(crate) fn instant(at: UtcMicros) -> Self {
        Self::Instant(at.to_string())
    }

    /// An instant that is written down in UTC, or null.
    pub(crate) fn time_or_null(text: Option<&str>) -> Self {
        text.map_or(Self::Null, |text| Self::Instant(text.to_owned()))
    }

    /// A count.
    pub(crate) fn count(value: impl TryInto<u64>) -> Self {
        value.try_into().map_or(Self::Null, Self::UInt)
    }

    /// The value in JSON.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Text(t) | Self::Exact(t) | Self::Instant(t) => Value::String(t.clone()),
            Self::Int(n) => Value::from(*n),
            Self::UInt(n) => Value::from(*n),
            // JSON has no NaN or infinity: they are kept as text rather than lost as null.
            Self::Float(x) if !x.is_finite() => Value::String(x.to_string()),
            Self::Float(x) => Value::from(*x),
            Self::Bool(b) => Value::Bool(*b),
            Self::Json(v) => v.clone(),
        }
    }
}

impl fmt::Display for Cell {
    /// As a table or CSV shows it; null is empty.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Text(t) | Self::Exact(t) | Self::Instant(t) => f.write_str(t),
            Self::Int(n) => n.fmt(f),
            Self::UInt(n) => n.fmt(f),
            Self::Float(x) => x.fmt(f),
            Self::Bool(b) => b.fmt(f),
            Self::Json(v) => v.fmt(f),
        }
    }
}
