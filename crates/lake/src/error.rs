//! What can go wrong between the pipelines and the stored tables.

use std::fmt::Display;

use datafusion::error::DataFusionError;
use deltalake::DeltaTableError;
use deltalake::kernel::transaction::TransactionError;
use nsc_contracts::SchemaDifference;
use nsc_core::{ErrorCode, OperatorError};

use crate::Direction;

/// An error of the stored lakehouse.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The root is not a directory or URL that can be used.
    #[error("lakehouse root {root} cannot be used")]
    Root {
        /// The root as given.
        root: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A directory of the lakehouse that may not be looked at.
    #[error("{path} cannot be looked at: {reason}")]
    Forbidden {
        /// The directory.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// The table was never created.
    #[error("table {table} does not exist yet")]
    Missing {
        /// `<layer>.<name>`.
        table: String,
    },
    /// The stored schema is not the contract's.
    #[error("table {table} disagrees with its contract")]
    Schema {
        /// `<layer>.<name>`.
        table: String,
        /// Every difference.
        differences: Vec<SchemaDifference>,
    },
    /// Null where the contract forbids it: a defect of the pipeline, never written.
    #[error("null in {table}.{column}, which is never null")]
    Null {
        /// `<layer>.<name>`.
        table: String,
        /// Column.
        column: String,
    },
    /// Another writer committed first.
    #[error("another writer changed {table}")]
    Conflict {
        /// `<layer>.<name>`.
        table: String,
        /// What the log said.
        reason: String,
    },
    /// A stored table uses a feature that is not implemented here.
    #[error("table {table} cannot be {}: it uses {feature}", .direction.participle())]
    Unsupported {
        /// `<layer>.<name>`.
        table: String,
        /// What is refused.
        direction: Direction,
        /// The Delta features.
        feature: String,
    },
    /// A time or date that no reader of the table could show.
    #[error("{table}.{column} would hold {value}, outside of the years 1 to 9999")]
    OutsideCalendar {
        /// `<layer>.<name>`.
        table: String,
        /// Column.
        column: String,
        /// The first such value.
        value: String,
    },
    /// A file of a table's log cannot be read.
    #[error("the log of table {table} is damaged: {file}: {reason}")]
    DamagedLog {
        /// `<layer>.<name>`.
        table: String,
        /// The file, relative to the table.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Data files of a table that its log names are not there.
    #[error("{}", missing(table, files))]
    DataFilesMissing {
        /// `<layer>.<name>`.
        table: String,
        /// The files that are known to be missing, relative to the table.
        files: Vec<String>,
    },
    /// A data file of a table is there and is not what was written: it was cut short, or its bytes mean nothing.
    #[error("a data file of table {table} is damaged: {file}: {reason}")]
    DataFileDamaged {
        /// `<layer>.<name>`.
        table: String,
        /// The file, relative to the table.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another run has taken the pipeline while this one could not renew its lease.
    #[error("the run lost the lease of {pipeline} and changes nothing any more")]
    LeaseLost {
        /// The pipeline.
        pipeline: String,
        /// Who has it.
        reason: String,
    },
    /// A stored value cannot be read back.
    #[error("stored value of {what} is not valid: {reason}")]
    Corrupt {
        /// Which value.
        what: String,
        /// Why.
        reason: String,
    },
    /// Delta refused or its log cannot be read.
    #[error("table {table}: {}", first_line(.source))]
    Delta {
        /// `<layer>.<name>`.
        table: String,
        /// The library's error.
        source: Box<DeltaTableError>,
    },
    /// The object store or disk failed.
    #[error("storage failed: {0}")]
    Store(#[source] object_store::Error),
    /// Parquet could not be written or read.
    #[error("parquet: {0}")]
    Parquet(#[source] parquet::errors::ParquetError),
    /// The engine failed.
    #[error("engine: {0}")]
    Engine(#[source] DataFusionError),
    /// Arrow could not convert a value.
    #[error("arrow: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A task died.
    #[error("a task died: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// How many files an error names.
const FILES_NAMED: usize = 3;

fn missing(table: &str, files: &[String]) -> String {
    let named = files.iter().take(FILES_NAMED).map(String::as_str);
    let named = named.collect::<Vec<_>>().join(", ");
    match files.len() {
        0 | 1 => format!("a data file of table {table} is missing: {named}"),
        n if n <= FILES_NAMED => format!("{n} data files of table {table} are missing: {named}"),
        n => format!("{n} data files of table {table} are missing: {named}, ..."),
    }
}

/// Wraps errors of the libraries, telling a file that is gone or damaged from other failures.
macro_rules! wrapped {
    ($($error:ty => $variant:ident;)+) => {
        $(impl From<$error> for LakeError {
            fn from(error: $error) -> Self {
                Self::of_lost_file(&error).unwrap_or(Self::$variant(error))
            }
        })+
    };
}

wrapped! {
    DataFusionError => Engine;
    object_store::Error => Store;
    parquet::errors::ParquetError => Parquet;
}

/// The library's errors repeat themselves, with a backtrace each time.
fn first_line(error: &DeltaTableError) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().trim_end().to_owned()
}

impl LakeError {
    /// Wraps an error of the Delta library, telling a lost race from other failures.
    pub(crate) fn delta(table: &str, error: DeltaTableError) -> Self {
        let table = table.to_owned();
        match error {
            DeltaTableError::Transaction {
                source: TransactionError::CommitConflict(c),
            } => Self::Conflict {
                table,
                reason: c.to_string(),
            },
            DeltaTableError::Transaction {
                source: TransactionError::MaxCommitAttempts(n),
            } => Self::Conflict {
                table,
                reason: format!("{n} attempts to commit were overtaken"),
            },
            DeltaTableError::VersionAlreadyExists(v) => Self::Conflict {
                table,
                reason: format!("version {v} exists already"),
            },
            source => Self::of_lost_file(&source).unwrap_or(Self::Delta {
                table,
                source: Box::new(source),
            }),
        }
    }

    /// True when reloading the table and doing the change again can succeed.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }
}

/// Whether a table holds what stands nowhere else in the lake: lines as they came, what was decided about loads.
fn is_original(table: &str) -> bool {
    table.starts_with("bronze.") || table.starts_with("ops.")
}

/// How a table comes to its files again.
fn rebuilt(table: &str) -> String {
    let again = match table.split_once('.') {
        Some(("bronze", _)) => {
            "no other table has what was in them: without a copy, move its directory away and load its inputs again (nsc loads list names them)"
        }
        Some(("silver" | "gold", _)) => {
            "without a copy, move its directory away and run the days again (silver, b, c with --date-kst-start and --date-kst-end)"
        }
        Some(("_nsc", _)) => "it is a cache: remove its directory, the next run makes it anew",
        _ => "there is no other copy of them in the lake",
    };
    format!("put the files back (a backup, another copy of the lake); {again}; nsc doctor names every table")
}

/// Joins hold one side in memory: when that does not fit, the engine gives up.
fn is_exhausted(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::ResourcesExhausted(_))
}

impl LakeError {
    /// Whether the bytes of some data file mean nothing, as far as the engine's error tells.
    #[must_use]
    pub fn is_of_content(&self) -> bool {
        match self {
            Self::Engine(error) => is_undecodable(error),
            Self::Task(error) => error.is_panic(),
            _ => false,
        }
    }
}

/// The bytes of a data file came and mean nothing; the engine does not say of which. (Bytes that are wrong in the right way
/// make its decoder panic.)
pub(crate) fn is_undecodable(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::ParquetError(_) => true,
        DataFusionError::ExecutionJoin(error) => error.is_panic(),
        DataFusionError::ArrowError(cause, _) => matches!(**cause, arrow::error::ArrowError::ParquetError(_)),
        _ => false,
    }
}

impl OperatorError for LakeError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Missing { .. } => ErrorCode::TableMissing,
            Self::Schema { .. } => ErrorCode::SchemaDisagrees,
            Self::Unsupported { .. } => ErrorCode::UnsupportedFeature,
            Self::OutsideCalendar { .. } => ErrorCode::OutsideCalendar,
            Self::DamagedLog { .. } => ErrorCode::DamagedLog,
            Self::DataFilesMissing { .. } | Self::DataFileDamaged { .. } => ErrorCode::DataFilesLost,
            Self::LeaseLost { .. } => ErrorCode::LeaseLost,
            Self::Conflict { .. } => ErrorCode::WriteConflict,
            Self::Engine(e) if is_exhausted(e) => ErrorCode::MemoryLimit,
            _ if self.is_of_content() => ErrorCode::DataFilesLost,
            Self::Null { .. } | Self::Engine(_) | Self::Arrow(_) | Self::Task(_) => ErrorCode::Unexpected,
            Self::Root { .. }
            | Self::Forbidden { .. }
            | Self::Corrupt { .. }
            | Self::Delta { .. }
            | Self::Store(_)
            | Self::Parquet(_) => ErrorCode::Storage,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::Root { reason, .. } | Self::Conflict { reason, .. } | Self::LeaseLost { reason, .. } => {
                Some(reason.clone())
            }
            Self::Schema { differences, .. } => Some(
                differences
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join("; "),
            ),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Root { .. } => {
                "name a directory you may write to, or an abfss:// URL with its credentials in the configuration"
            }
            Self::Forbidden { .. } => {
                "let the account that runs nsc enter and read every directory of the lakehouse (chown, chmod); nsc doctor looks at every table"
            }
            Self::Missing { .. } => "ingest a source or run the pipeline that writes the table first",
            Self::Schema { differences, .. }
                if differences
                    .iter()
                    .all(|d| matches!(d, SchemaDifference::MissingNullable(_))) =>
            {
                "nsc table migrate adds missing nullable columns"
            }
            Self::Schema { table, .. } if is_original(table) => {
                "another program changed the table, and no pipeline can make it again: put it back as it was (RESTORE of that program, or a copy)"
            }
            Self::Schema { .. } => {
                "the table was not written by this contract: move it away and let the pipelines rebuild it from Bronze"
            }
            Self::Conflict { .. } => "run the command again",
            Self::Unsupported { .. } => {
                "take the feature off the table with the program that put it there, or rebuild the table from Bronze"
            }
            Self::OutsideCalendar { .. } => "nothing was written; this is a defect, please report it",
            Self::DamagedLog { table, .. } if table.starts_with("_nsc.") => {
                return Some(format!(
                    "the table is a cache: remove its directory, {}, and it is made again",
                    table.replace('.', "/")
                ));
            }
            Self::DamagedLog { .. } => {
                "put the file back as it was (a backup, another copy of the lake); nsc doctor looks at every table"
            }
            Self::DataFilesMissing { table, .. } | Self::DataFileDamaged { table, .. } => {
                return Some(rebuilt(table));
            }
            Self::LeaseLost { .. } => {
                "what was committed before stands; the other run does the rest. Was this machine stopped, or cut off from the storage?"
            }
            _ if self.is_of_content() => {
                "a data file of one of the tables that were read is damaged: put the table's files back (a backup, another copy of the lake)"
            }
            Self::Store(_) | Self::Delta { .. } => {
                "nsc doctor checks the root, its permissions and every table"
            }
            Self::Engine(e) if is_exhausted(e) => {
                "give the engine more with --memory-limit (NSC_MEMORY_LIMIT), on a machine that has it; nothing was committed twice"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// The error of a file that is there and is not what was written.
pub(crate) fn damaged(table: &str, file: &str, reason: &impl Display) -> LakeError {
    LakeError::DataFileDamaged {
        table: table.to_owned(),
        file: file.to_owned(),
        reason: reason.to_string(),
    }
}

/// Why a file that has another size than the log says cannot be what was written.
pub(crate) fn other_size(found: u64, logged: u64) -> String {
    format!("it has {found} bytes and the log says {logged}")
}
