//! The lakehouse on disk or object store: Delta tables opened against their contracts, read as DataFusion
//! tables and changed in one commit each. Owns how rows are stored; knows nothing about what they mean.

mod data_file;
mod days;
mod each_file;
mod each_part;
mod error;
mod fingerprint;
mod key_range;
mod lock;
mod lookup;
mod maintenance;
mod memory_pool;
mod overwrite;
mod provider;
mod repeats;
mod root;
mod rules;
mod run_log;
mod scope;
mod session;
mod state;
mod statistics;
mod stored_rows;
mod table;
mod time_travel;
mod upsert;
mod writer;

pub use data_file::DataFile;
pub use days::Days;
pub use error::LakeError;
pub use lock::{Holder, PipelineLock};
pub use maintenance::{Compacted, Expired};
pub use provider::FilesTable;
pub use repeats::Repeats;
pub use root::{Lake, LakeOptions, StoreWrapper};
pub use run_log::RunLogEntry;
pub use scope::{Conflict, Scope};
pub use session::{SessionOptions, session};
pub use state::{PipelineState, PipelineStates};
pub use table::{Commit, Table};
pub use upsert::{StagedUpsert, Upsert, UpsertOutcome, UpsertPart, UpsertWriter};
pub use writer::{Staged, StagedWriter};
