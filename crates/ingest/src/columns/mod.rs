//! Which column a source field is kept in.
//!
//! - A field of the contract goes into its column when spelled exactly so, and so do the four load fields
//!   (`ingested_at`, `source_extracted_at`, `batch_id`, `source_system`).
//! - Any other field gets a text column of its own, named as the field: characters Delta forbids are written
//!   `_xHHHH_` (as SQL/XML does), the empty name `_empty_`.
//! - Delta takes names that differ only by case for one column, and `source_ref`, `ingest_date`, `load_id`,
//!   `_corrupt_record` and `_extra` are ours. A field whose name is taken in that sense is kept in `<name>__2`,
//!   else `<name>__3`, and so on; so is the text of a carried time that is not a time. A case variant
//!   therefore never feeds a contract field, and no source can write what only the loader may.
//! - A table grows by at most 1,000 columns. Fields beyond, and fields with names over 200 bytes, are kept
//!   together as one JSON object in the text column `_extra`.
//!
//! The answer depends only on the table and the order of first sight, never on how the work was split.

mod names;
mod registry;
#[cfg(test)]
mod tests;

pub(crate) use registry::{Aborted, EXTRA_COLUMN, LoadField, Registry, Target};
