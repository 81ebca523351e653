//! Names of columns for fields whose own name may not be a column's.

use std::fmt::Write as _;

/// The column that keeps, as one JSON object, the fields that get no column of their own.
pub(crate) const EXTRA: &str = "_extra";

/// Longest column name; a field whose name needs more goes into [`EXTRA`].
pub(super) const MAX_NAME_BYTES: usize = 200;

/// What the engine's names of its own columns begin with (`__common_expr_1`): in a table they end its plans.
const OF_THE_ENGINE: &str = "__";

/// Characters Delta refuses in a column name, and those no tool shows well.
fn forbidden(c: char) -> bool {
    matches!(
        c,
        ' ' | ',' | ';' | '{' | '}' | '(' | ')' | '=' | '`' | '"' | '/' | '\\'
    ) || c.is_control()
}

/// The name of a column for a field, before names already taken are looked at: equal names for equal fields
/// only.
pub(super) fn encoded(field: &str) -> String {
    if field.is_empty() {
        return "_empty_".to_owned();
    }
    let mut name = String::with_capacity(field.len());
    for (at, c) in field.char_indices() {
        let rest = field.get(at..).unwrap_or_default();
        let is_first = at == 0 && (field == "_empty_" || field.starts_with(OF_THE_ENGINE));
        if forbidden(c) || (c == '_' && (looks_encoded(rest) || is_first)) {
            // Formatting into a String cannot fail.
            let _ = write!(name, "_x{:04X}_", u32::from(c));
        } else {
            name.push(c);
        }
    }
    name
}

/// True for text that begins as one of our own escapes.
fn looks_encoded(text: &str) -> bool {
    let b = text.as_bytes();
    let hex = b.iter().skip(2).take_while(|b| b.is_ascii_hexdigit()).count();
    b.get(1) == Some(&b'x') && hex >= 4 && b.get(2 + hex) == Some(&b'_')
}

/// The `number`th name tried for a field.
pub(super) fn numbered(name: &str, number: usize) -> String {
    if number < 2 {
        name.to_owned()
    } else {
        format!("{name}__{number}")
    }
}

/// Whether a name could be mistaken for a [`numbered`] one; such a field begins at `__2` itself.
pub(super) fn looks_numbered(name: &str) -> bool {
    name.rsplit_once("__")
        .is_some_and(|(_, digits)| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{encoded, looks_numbered};

    #[test]
    fn names_delta_refuses_are_written_so_that_it_takes_them() {
        for (field, column) in [
            ("plain_Name-1.x", "plain_Name-1.x"),
            ("금액", "금액"),
            ("a b", "a_x0020_b"),
            (
                "a,;{}()\n\t=b",
                "a_x002C__x003B__x007B__x007D__x0028__x0029__x000A__x0009__x003D_b",
            ),
            ("", "_empty_"),
            ("_empty_", "_x005F_empty_"),
            ("a_x0020_b", "a_x005F_x0020_b"),
            ("a_x00_b", "a_x00_b"),
            ("\u{0}", "_x0000_"),
            ("__common_expr_1", "_x005F__common_expr_1"),
            ("__", "_x005F__"),
            ("_one", "_one"),
            ("a__b", "a__b"),
        ] {
            assert_eq!(encoded(field), column, "{field:?}");
        }
    }

    #[test]
    fn no_field_can_have_the_name_of_a_column_of_the_plans() {
        // `nsc_transforms::silver` names its own columns with a slash.
        for field in ["nsc/check", "nsc/", "/", "a/b", "nsc_x002F_check"] {
            assert!(!encoded(field).contains('/'), "{field}");
        }
    }

    #[test]
    fn numbered_names_are_told_apart() {
        for (name, numbered) in [
            ("a__2", true),
            ("a__2__3", true),
            ("a__", false),
            ("a_2", false),
            ("__7", true),
            ("a__x", false),
        ] {
            assert_eq!(looks_numbered(name), numbered, "{name}");
        }
    }
}
