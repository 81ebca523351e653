//! Names of the columns the plans add beside a source's own.
//!
//! A source may call its fields anything, and each becomes a Bronze column. All names here hold a `/`, which ingest
//! writes as `_x002F_` (`ingest::columns`): no field of a source can be taken for one of them, or hide it.

/// What each of the names begins with.
pub(super) const PREFIX: &str = "nsc/";
/// The result of the source's check.
pub(super) const CHECK: &str = "nsc/check";
/// A row's place among the versions of its key.
pub(super) const RANK: &str = "nsc/rank";
/// What a ledger entry says, as one text.
pub(super) const FACT: &str = "nsc/fact";

/// The `i`-th part of the key that repeats are looked for by.
#[must_use]
pub fn key_column(i: usize) -> String {
    format!("nsc/key{i}")
}

/// The same part on the side of the keys that repeat.
pub(super) fn repeated_column(i: usize) -> String {
    format!("nsc/repeated{i}")
}

/// SQL of a field of the check's result.
macro_rules! checked {
    ($field:literal) => {
        concat!("\"nsc/check\"['", $field, "']")
    };
}
pub(super) use checked;
