//! The version of the schema `bo` (serving contract 5).

/// The newest schema version this program knows, and the one it needs. It runs on every later one too, up to a migration
/// that takes something away: those say "(contract)" at the end of their names.
pub const SCHEMA_VERSION: i64 = 6;
