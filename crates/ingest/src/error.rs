//! Why a load stopped, and what the operator can do about it.

use std::io;
use std::path::PathBuf;

use nsc_core::{ErrorCode, OperatorError};
use nsc_lake::LakeError;

use crate::left_out::{LeftOut, UnreadableFile};

/// Files that a message names before it says how many more there are.
const MOST_NAMED: usize = 10;

/// Why inputs were not loaded. Inputs that were committed before the failing one stay loaded and are skipped
/// when the command is repeated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// No such file.
    #[error("input {} does not exist", path.display())]
    NotFound {
        /// As given.
        path: PathBuf,
    },
    /// The system refuses to open it.
    #[error("input {} cannot be opened", path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system failed while it was read.
    #[error("input {input} cannot be read at line {line}")]
    Read {
        /// The input.
        input: String,
        /// The first line not read.
        line: u64,
        /// What the system said.
        source: io::Error,
    },
    /// A directory without a file this loader takes.
    #[error("directory {} holds no input file", path.display())]
    EmptyDirectory {
        /// The directory.
        path: PathBuf,
        /// What it holds instead.
        left_out: Vec<LeftOut>,
    },
    /// A directory with data in a form that is not read.
    #[error("directory {} holds data that cannot be read: {}", path.display(), named(files))]
    UnreadableData {
        /// The directory.
        path: PathBuf,
        /// The files.
        files: Vec<UnreadableFile>,
    },
    /// A pattern no file matches.
    #[error("no file matches {pattern}")]
    NoMatch {
        /// The pattern.
        pattern: String,
    },
    /// A pattern that says nothing.
    #[error("pattern {pattern} is not valid")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        source: glob::PatternError,
    },
    /// Nothing was named.
    #[error("no input is named")]
    NoInput,
    /// Standard input can be read only once.
    #[error("standard input (-) is named twice")]
    StdinTwice,
    /// The content is not text.
    #[error("input {input} is not text")]
    NotText {
        /// The input.
        input: String,
        /// What it looks like.
        found: &'static str,
    },
    /// None of the lines has what the table requires, or they are those of another table.
    #[error("the lines of {input} are not those of {table}")]
    OtherTable {
        /// The input.
        input: String,
        /// The source it was to be loaded as.
        table: &'static str,
        /// Required fields of it that no line has.
        missing: Vec<&'static str>,
        /// Fields that lines have.
        seen: Vec<String>,
        /// The source whose required fields are all there.
        looks_like: Option<&'static str>,
    },
    /// The name says compressed, the content is not.
    #[error("input {input} is not {format} as its name says")]
    NotCompressed {
        /// The input.
        input: String,
        /// The format.
        format: &'static str,
    },
    /// The compressed content ends before its end, or something follows it that is too short to tell.
    #[error("compressed input {input} is cut off, or followed by stray bytes, after line {line}")]
    Truncated {
        /// The input.
        input: String,
        /// The last line that could be read.
        line: u64,
    },
    /// The compressed content cannot be decompressed.
    #[error("compressed input {input} is damaged after line {line}")]
    Damaged {
        /// The input.
        input: String,
        /// The last line that could be read.
        line: u64,
        /// What the decompressor said.
        source: io::Error,
    },
    /// Somebody wrote to the file meanwhile.
    #[error("input {input} changed while it was read")]
    Changed {
        /// The input.
        input: String,
    },
    /// A value for every row that is too long for that.
    #[error("{option} is {bytes} bytes long")]
    OptionTooLong {
        /// `batch_id` or `source_system`.
        option: &'static str,
        /// Its length.
        bytes: usize,
    },
    /// The source has no Bronze table in the contract.
    #[error("source {name} has no Bronze table")]
    NoContract {
        /// The source.
        name: &'static str,
    },
    /// The client of the brokers cannot be made, or is thrown out for good.
    #[error("the brokers cannot be read from")]
    Broker {
        /// What the library said.
        reason: String,
    },
    /// The lake refused.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A defect of this program: a part of the load ended without a result.
    #[error("the load of {input} ended unexpectedly")]
    Defect {
        /// The input.
        input: String,
        /// What is known of it.
        reason: String,
    },
}

impl OperatorError for IngestError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound { .. } | Self::Unreadable { .. } | Self::Read { .. } | Self::Changed { .. } => {
                ErrorCode::InputUnreadable
            }
            Self::NotText { .. } | Self::NotCompressed { .. } | Self::UnreadableData { .. } => {
                ErrorCode::InputNotText
            }
            Self::OtherTable { .. } => ErrorCode::InputOfOtherTable,
            Self::Truncated { .. } | Self::Damaged { .. } => ErrorCode::InputTruncated,
            Self::EmptyDirectory { .. } | Self::NoMatch { .. } => ErrorCode::NoInputFiles,
            Self::Pattern { .. } | Self::NoInput | Self::StdinTwice | Self::OptionTooLong { .. } => {
                ErrorCode::Usage
            }
            Self::NoContract { .. } => ErrorCode::UnknownTable,
            Self::Lake(error) => error.code(),
            Self::Broker { .. } => ErrorCode::Broker,
            Self::Defect { .. } => ErrorCode::Unexpected,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::Unreadable { source, .. } | Self::Read { source, .. } | Self::Damaged { source, .. } => {
                Some(source.to_string())
            }
            Self::Pattern { source, .. } => Some(source.to_string()),
            Self::NotText { found, .. } => Some((*found).to_owned()),
            Self::EmptyDirectory { left_out, .. } if !left_out.is_empty() => {
                let shown = left_out.iter().take(MOST_NAMED);
                let shown: Vec<String> = shown.map(LeftOut::to_string).collect();
                Some(shown.join("\n"))
            }
            Self::UnreadableData { files, .. } => {
                let shown = files.iter().take(MOST_NAMED);
                let shown: Vec<String> = shown.map(|f| format!("{}: {}", f.name, f.form)).collect();
                Some(shown.join("\n"))
            }
            Self::OtherTable {
                missing,
                seen,
                looks_like,
                ..
            } => Some(other_table(missing, seen, *looks_like)),
            Self::Truncated { .. } => {
                Some("the file ends inside a compressed block; nothing of it was loaded".to_owned())
            }
            Self::OptionTooLong { .. } => Some("it would be repeated in every row".to_owned()),
            Self::Broker { reason } | Self::Defect { reason, .. } => Some(reason.clone()),
            Self::Lake(error) => error.detail(),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotFound { .. } => {
                "check the path; a pattern such as 'day/*.jsonl' is given in quotes, - is standard input"
            }
            Self::Unreadable { .. } => "check that the file is there and that you may read it",
            Self::Read { .. } => "nothing of this input was loaded; repeat the command once it can be read",
            Self::EmptyDirectory { .. } => {
                "a directory stands for its *.jsonl, *.ndjson and *.json files, also .gz and .zst; subdirectories are not entered"
            }
            Self::NoMatch { .. } => {
                "check the pattern; * does not match the separator of directories, ** does"
            }
            Self::Pattern { .. } => "write [*] for the character * itself",
            Self::NoInput => "name files, patterns or directories, or - for standard input",
            Self::StdinTwice => "name - once",
            Self::NotText { .. } => {
                "the loader takes JSON lines in UTF-8, plain or compressed with gzip or zstd"
            }
            Self::OtherTable {
                looks_like: Some(other),
                ..
            } => {
                return Some(format!(
                    "nothing of it was loaded; nsc ingest {other} takes it, --force loads it here all the same"
                ));
            }
            Self::OtherTable { .. } => {
                "nothing of it was loaded; check the table and that each line is a JSON object, --force loads it all the same"
            }
            Self::UnreadableData { .. } => {
                "nothing was loaded; export them as JSON lines (gzip and zstd are read), or name the files to load with a pattern such as 'DIR/*.jsonl'"
            }
            Self::NotCompressed { .. } => "give the file the name of what it is",
            Self::Truncated { .. } | Self::Damaged { .. } => {
                "fetch the file again and compare its size and checksum with the origin's"
            }
            Self::Changed { .. } => "nothing of it was loaded; repeat the command when the file is complete",
            Self::OptionTooLong { .. } => "use at most 1024 bytes",
            Self::Broker { .. } => "check KAFKA_BROKERS and how this client is to log in (nsc config show)",
            Self::NoContract { .. } | Self::Defect { .. } => "this is a defect, please report it",
            Self::Lake(error) => return error.hint(),
        };
        Some(hint.to_owned())
    }
}

/// The first files of many.
fn named(files: &[UnreadableFile]) -> String {
    let shown: Vec<&str> = files.iter().take(MOST_NAMED).map(|f| f.name.as_str()).collect();
    let more = files.len().saturating_sub(MOST_NAMED);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    shown.join(", ") + &more
}

/// What separates the lines from the table they were named for.
fn other_table(missing: &[&str], seen: &[String], looks_like: Option<&str>) -> String {
    let mut parts = Vec::new();
    if !missing.is_empty() {
        parts.push(format!("no line has {}", missing.join(", ")));
    }
    parts.push(if seen.is_empty() {
        "no line has a field".to_owned()
    } else {
        format!("lines have {}", seen.join(", "))
    });
    parts.extend(looks_like.map(|other| format!("they look like {other}")));
    parts.join("; ")
}
