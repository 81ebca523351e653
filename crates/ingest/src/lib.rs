//! Loads JSON lines into the Bronze tables (lakehouse contract 2): scalars kept as written, unknown fields as
//! new columns, malformed lines kept, each delivery once, each input in one commit.
//!
//! Decisions a reader of Bronze should know:
//! - A line ends at a line feed (a carriage return before it is not part of the line). A byte order mark at the
//!   start is skipped. Blank lines are counted and numbered, and leave no row.
//! - A malformed line is anything but one whole JSON object of RFC 8259 in UTF-8, nested at most 128 deep, at
//!   most 1 MiB long. Bytes that are not UTF-8 are kept as U+FFFD. A lone surrogate (`"\ud800"`) in a field of
//!   the contract makes a line malformed: no text says it, and putting U+FFFD in its place could make two ids one. In any
//!   other field the value is kept as it is written, quotes included; in a name, so is the name.
//! - A carried `ingested_at` or `source_extracted_at` that is not a time counts as absent; its text is kept in
//!   `ingested_at__2` or `source_extracted_at__2`.
//! - Which column any other field is kept in: `columns`.

mod chunk;
mod columns;
mod commit;
mod compressed;
mod content;
mod delivery;
mod directory;
mod error;
mod files;
mod fingerprint;
mod inputs;
mod kafka;
mod known_files;
mod left_out;
mod load;
mod located;
mod parse;
mod pipeline;
mod request;
mod summary;
mod survey;

pub use error::IngestError;
pub use kafka::{StreamOptions, TopicSource, TopicSummary, stream_topics};
pub use left_out::{LeftOut, LeftOutReason, UnreadableFile};
pub use load::load;
pub use parse::LineCounts;
pub use request::{Input, LoadObserver, LoadRequest};
pub use summary::{FileOutcome, FileSummary, LoadSummary, Reason};
