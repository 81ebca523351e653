//! What ends a consumer, a backfill or a replay. A broker or a database that is away is not among it.

use std::path::PathBuf;

use nsc_contracts::event::ProfileError;
use nsc_core::{ErrorCode, OperatorError};
use nsc_kafka::PropertyError;
use nsc_store::StoreError;

use crate::form::OtherForm;

/// An error an operator has to do something about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumerError {
    /// The profile does not say which event is which.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A property of librdkafka that cannot be set.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// The client could not be made, or the group threw it out for good.
    #[error("the Kafka client cannot go on: {reason}")]
    Broker {
        /// What the library said.
        reason: String,
    },
    /// An input of a backfill.
    #[error("input {file} cannot be read: {source}")]
    Input {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An input of a backfill that is not lines of JSON.
    #[error("input {file} is not lines of JSON: it is {}", form.what)]
    OtherForm {
        /// The file.
        file: PathBuf,
        /// What it is.
        form: OtherForm,
    },
    /// The file of dead letters.
    #[error("dead letters in {file} cannot be used: {reason}")]
    DeadLetterFile {
        /// The file.
        file: PathBuf,
        /// What was seen.
        reason: String,
    },
    /// A line of a file to import that is no dead letter.
    #[error("dead letters of {file} cannot be imported: line {line}: {reason}")]
    Import {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// No dead letter has this id.
    #[error("there is no dead letter {id}")]
    NoDeadLetter {
        /// What was asked for.
        id: i64,
    },
    /// A defect of this program.
    #[error("the consumer ended unexpectedly: {0}")]
    Defect(String),
}

impl OperatorError for ConsumerError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Profile(e) => e.code(),
            Self::Store(e) => e.code(),
            Self::Property(_) => ErrorCode::Configuration,
            Self::Broker { .. } => ErrorCode::Broker,
            Self::OtherForm { form, .. } if form.is_text => ErrorCode::InputNotJsonLines,
            Self::OtherForm { .. } => ErrorCode::InputNotText,
            Self::Input { .. } => ErrorCode::InputUnreadable,
            Self::DeadLetterFile { .. } => ErrorCode::Storage,
            Self::Import { .. } => ErrorCode::ForeignFile,
            Self::NoDeadLetter { .. } => ErrorCode::Usage,
            Self::Defect(_) => ErrorCode::Unexpected,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::Profile(e) => e.detail(),
            Self::Store(e) => e.detail(),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Profile(e) => return e.hint(),
            Self::Store(e) => return e.hint(),
            Self::Property(_) => "remove it from the configuration",
            Self::Broker { .. } => "check the brokers' address, the credentials and group.instance.id",
            Self::OtherForm { form, .. } => form.remedy,
            Self::Input { .. } => "check its name and whether this user may read it",
            Self::DeadLetterFile { .. } => "check the disk and whether this user may write there",
            Self::Import { .. } => {
                "each line is an object with topic, payload and error, as the first implementation or the file backend wrote it"
            }
            Self::NoDeadLetter { .. } => "nsc dlq list shows those there are",
            Self::Defect(_) => return None,
        };
        Some(hint.to_owned())
    }
}
