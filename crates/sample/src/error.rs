//! Why a sample could not be generated.

use std::io;
use std::path::PathBuf;

/// Why [`generate`](crate::generate) refused the options or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError {
    /// Merchants, users and the fault mix each need a few wallets of their own.
    #[error("wallets must be at least {least}, got {given}")]
    TooFewWallets {
        /// The fewest the world works with.
        least: usize,
        /// What was asked for.
        given: usize,
    },
    /// More wallets than ids.
    #[error("wallets must be at most {most}, got {given}")]
    TooManyWallets {
        /// The most the ids have room for.
        most: usize,
        /// What was asked for.
        given: usize,
    },
    /// More entries than any disk holds.
    #[error("entries_per_day must be at most {most}, got {given}")]
    TooManyEntries {
        /// The most a day can have.
        most: u64,
        /// What was asked for.
        given: u64,
    },
    /// A run covers one day or more.
    #[error("days must be at least 1")]
    NoDays,
    /// A clean world has no bad lines to set a rate for.
    #[error("bad_rate needs faults: a clean world has no bad lines")]
    BadRateWithoutFaults,
    /// A rate is a share of lines.
    #[error("bad_rate must be between 0 and 1, got {given}")]
    BadRateOutOfRange {
        /// What was asked for.
        given: f64,
    },
    /// The first day is not a date.
    #[error("first_date_kst must be a date written YYYY-MM-DD, got {given:?}")]
    InvalidDate {
        /// What was asked for.
        given: String,
    },
    /// The files write years with four digits.
    #[error("the days from {first} on must stay within the years {first_year} to {last_year}")]
    DateOutOfRange {
        /// The first day asked for.
        first: String,
        /// First year the files can hold.
        first_year: i64,
        /// Last year the files can hold.
        last_year: i64,
    },
    /// The output directory holds what no run of this program wrote.
    #[error("{} holds files that are not of a sample: {}", path.display(), listed(names))]
    ForeignFiles {
        /// The directory.
        path: PathBuf,
        /// Their names.
        names: Vec<String>,
    },
    /// The output directory could not be looked into.
    #[error("cannot use the output directory {}", path.display())]
    OutputDirectory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The output directory could not be made.
    #[error("cannot create the output directory {}", path.display())]
    CreateDirectory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An output file could not be opened for writing.
    #[error("cannot create {}", path.display())]
    CreateFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An output file could not be written to.
    #[error("cannot write {}", path.display())]
    WriteFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The first names of many.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = names.len().saturating_sub(SHOWN);
    let rest = format!("and {more} more");
    if more > 0 {
        shown.push(&rest);
    }
    shown.join(", ")
}
