//! From the members of an object to the typed value of a field.

use std::fmt::Debug;

use nsc_core::{Money, UtcMicros};

use super::violation::quoted;
use super::{EventField, FieldNames, FieldType, JsonValue, Members, Violation, ViolationClass};

/// Reads one value; `key` is the name it came under.
pub(super) type ReadValue<T> = fn(&EventField, &str, &JsonValue<'_>) -> Result<T, Violation>;

/// The fields of one message.
pub(super) struct Reader<'a> {
    pub(super) names: &'a FieldNames,
    pub(super) members: &'a Members<'a>,
}

impl Reader<'_> {
    /// The value of a field, or the violation that it is missing.
    pub(super) fn required<T: PartialEq>(
        &self,
        field: &EventField,
        read: ReadValue<T>,
    ) -> Result<T, Violation> {
        self.optional(field, read)?.ok_or_else(|| {
            let text = format!("{} is missing, null or blank", field.name);
            Violation::of_field(ViolationClass::MissingField, field.name, text)
        })
    }

    /// The first value that is not missing among the field's names; every other one must agree, as a value
    /// (`"1.0"` agrees with `1.00`), except keys that are fields of their own.
    pub(super) fn optional<T: PartialEq>(
        &self,
        field: &EventField,
        read: ReadValue<T>,
    ) -> Result<Option<T>, Violation> {
        let mut first: Option<(T, &str)> = None;
        for source in self.names.sources(field) {
            let Some(value) = self.members.get(source.slot) else {
                continue;
            };
            if first.is_some() && source.fills_in {
                continue;
            }
            let key = self.names.key(source.slot);
            let value = read(
                field,
                key,
                self.names.word(field, value).as_ref().unwrap_or(value),
            )?;
            match &first {
                None => first = Some((value, key)),
                Some((winner, _)) if *winner == value => {}
                Some((_, winner_key)) => {
                    let text = format!("{winner_key} and {key} are both given and differ");
                    return Err(Violation::of_field(
                        ViolationClass::AliasDisagreement,
                        field.name,
                        text,
                    ));
                }
            }
        }
        Ok(first.map(|(value, _)| value))
    }
}

fn wrong_type(field: &EventField, key: &str, value: &JsonValue<'_>) -> Violation {
    let text = match value {
        JsonValue::Number(digits) => format!(
            "{key} is the number {}, expected {}",
            quoted(digits),
            field.ty.expected()
        ),
        JsonValue::HalfCharacter => {
            let text = format!("{key} is {}", value.type_name());
            return Violation::of_field(ViolationClass::InvalidValue, field.name, text);
        }
        _ => format!("{key} is {}, expected {}", value.type_name(), field.ty.expected()),
    };
    Violation::of_field(ViolationClass::WrongType, field.name, text)
}

fn invalid(field: &EventField, key: &str, value: &str, why: impl Debug + std::fmt::Display) -> Violation {
    let text = format!("{key} is {}: {why}", quoted(value));
    Violation::of_field(ViolationClass::InvalidValue, field.name, text)
}

/// Ids and texts.
pub(super) fn text(field: &EventField, key: &str, value: &JsonValue<'_>) -> Result<String, Violation> {
    let text = match value {
        JsonValue::Text(text) => text.trim(),
        _ if field.ty == FieldType::Id => value.integer().ok_or_else(|| wrong_type(field, key, value))?,
        _ => return Err(wrong_type(field, key, value)),
    };
    let refused = |class, what: String| Err(Violation::of_field(class, field.name, what));
    if text.contains('\0') {
        return refused(
            ViolationClass::NulCharacter,
            format!("{key} holds a NUL character: {}", quoted(text)),
        );
    }
    let limit = FieldType::MAX_TEXT_CHARS;
    // A text has at most as many characters as bytes, so most need no counting.
    if text.len() > limit {
        let count = text.chars().count();
        if count > limit {
            return refused(
                ViolationClass::TooLong,
                format!("{key} has {count} characters, at most {limit} can be stored"),
            );
        }
    }
    if field.ty == FieldType::UpperCase && text.chars().any(char::is_lowercase) {
        return refused(
            ViolationClass::NotUpperCase,
            format!("{key} is {}, expected upper case", quoted(text)),
        );
    }
    Ok(text.to_owned())
}

/// Amounts: exact in `numeric(18,2)`.
pub(super) fn amount(field: &EventField, key: &str, value: &JsonValue<'_>) -> Result<Money, Violation> {
    let written = match value {
        JsonValue::Number(digits) => *digits,
        JsonValue::Text(text) => text,
        _ => return Err(wrong_type(field, key, value)),
    };
    let money = Money::parse(written).map_err(|e| invalid(field, key, written, e))?;
    if money.units().abs() >= FieldType::AMOUNT_LIMIT_UNITS {
        return Err(invalid(
            field,
            key,
            written,
            "over 16 digits before the decimal point",
        ));
    }
    if field.ty == FieldType::PositiveAmount && money <= Money::ZERO {
        return Err(invalid(field, key, written, "not above zero"));
    }
    Ok(money)
}

/// Times.
pub(super) fn time(field: &EventField, key: &str, value: &JsonValue<'_>) -> Result<UtcMicros, Violation> {
    let JsonValue::Text(text) = value else {
        return Err(wrong_type(field, key, value));
    };
    let text = text.trim();
    UtcMicros::parse(text).ok_or_else(|| invalid(field, key, text, "not an RFC 3339 time"))
}

/// Versions.
pub(super) fn version(field: &EventField, key: &str, value: &JsonValue<'_>) -> Result<i64, Violation> {
    let digits = value.integer().ok_or_else(|| wrong_type(field, key, value))?;
    digits
        .parse()
        .map_err(|_| invalid(field, key, digits, "over 64 bits"))
}
