//! The registry of operator-facing errors: every code an operator can meet, its title and the exit code of `nsc`.
//!
//! A library error that an operator may see implements [`OperatorError`]; the command line prints it the way
//! PostgreSQL does (ERROR / DETAIL / HINT) and exits with the code's number. Every code has a page,
//! `docs/errors/NSCnnnn.md`, which is part of the program (`nsc explain error NSCnnnn`).

use std::fmt;

/// How the process ends (the contract of `nsc` with whoever starts it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ExitStatus {
    /// Everything was done.
    Ok = 0,
    /// A defect of this program, or something nobody foresaw.
    Unexpected = 1,
    /// The command, the configuration, the rules or the named input is not usable.
    Usage = 2,
    /// What this step builds on has not been done yet.
    UpstreamNotReady = 3,
    /// The data is too bad to go on.
    DataQuality = 4,
    /// Another run holds the pipeline.
    Held = 5,
    /// The lakehouse's storage or a table in it is not usable.
    Storage = 6,
    /// The run succeeded and found warnings (only with `--fail-on warn`).
    FoundWarning = 10,
    /// The run succeeded and found critical breaches (only with `--fail-on`).
    FoundCritical = 11,
    /// The run succeeded and a control of it had nothing to judge (only with `--fail-on`).
    FoundNoData = 12,
    /// Told to stop before the end: what is done is done, the rest is done when it is run again.
    Interrupted = 130,
}

impl ExitStatus {
    /// The number the process exits with.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// The number of a code: its four digits.
const fn digits_of(code: &str) -> u16 {
    let [b'N', b'S', b'C', a, b, c, d] = code.as_bytes() else {
        return 0;
    };
    digit(*a) * 1_000 + digit(*b) * 100 + digit(*c) * 10 + digit(*d)
}

const fn digit(byte: u8) -> u16 {
    (byte - b'0') as u16
}

/// Declares the codes once: the enum, the list of all, number, exit status and title.
macro_rules! registry {
    ($($(#[$doc:meta])+ $name:ident = $code:ident, $exit:ident, $title:literal;)+) => {
        /// An operator-facing error, as `NSCnnnn`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum ErrorCode {
            $($(#[$doc])+ $name = digits_of(stringify!($code)),)+
        }

        impl ErrorCode {
            /// Every code, in the order of its number.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The four digits after `NSC`.
            #[must_use]
            pub const fn number(self) -> u16 {
                self as u16
            }

            /// How the process ends when this error stops it.
            #[must_use]
            pub const fn exit_status(self) -> ExitStatus {
                match self {
                    $(Self::$name => ExitStatus::$exit,)+
                }
            }

            /// The heading of the code's page.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$name => $title,)+
                }
            }
        }
    };
}

registry! {
    /// A defect, or something nobody foresaw.
    Unexpected = NSC0001, Unexpected, "unexpected error";
    /// The command line does not say something that can be done.
    Usage = NSC0002, Usage, "command line not understood";
    /// The configuration file or an `NSC_` variable is not usable.
    Configuration = NSC0003, Usage, "configuration not usable";
    /// A variable of the first implementation says something that would not hold here.
    NoCounterpart = NSC0004, Usage, "variable without a counterpart";
    /// An older name of a setting and ours do not say the same.
    NamesDisagree = NSC0005, Usage, "two names of a setting disagree";
    /// A payment order needs a `user_key`, and there is no salt.
    SaltMissing = NSC0006, Usage, "no salt for user_key";
    /// Blanks around a salt: whether they are part of it is anybody's guess.
    SaltAmbiguous = NSC0007, Usage, "salt with blanks around it";

    /// The object store or disk refused or failed.
    Storage = NSC0101, Storage, "storage not usable";
    /// A stored table is not the table the contract declares.
    SchemaDisagrees = NSC0102, Storage, "table disagrees with its contract";
    /// A table that must exist does not.
    TableMissing = NSC0103, Storage, "table does not exist yet";
    /// Another writer committed first, again and again.
    WriteConflict = NSC0104, Storage, "another writer changed the table";
    /// The engine needs more memory than it may have, and cannot spill what it holds.
    MemoryLimit = NSC0105, Usage, "memory limit too small";
    /// A time or date that no reader could show would have been stored.
    OutsideCalendar = NSC0106, DataQuality, "time outside of the years 1 to 9999";
    /// A stored table uses a Delta feature that is not implemented.
    UnsupportedFeature = NSC0107, Storage, "table uses a feature that is not implemented";
    /// A file of a table's log is missing, empty or cut.
    DamagedLog = NSC0108, Storage, "log of a table is damaged";
    /// The lock of the run was taken by another one meanwhile.
    LeaseLost = NSC0109, Held, "lease lost to another run";
    /// The log of a table names data files that the storage does not have as they were written.
    DataFilesLost = NSC0110, Storage, "data files of a table are missing or damaged";

    /// A named input cannot be opened or read.
    InputUnreadable = NSC0201, Usage, "input cannot be read";
    /// A named input is not text.
    InputNotText = NSC0202, Usage, "input is not text";
    /// A compressed input ends before its end.
    InputTruncated = NSC0203, Usage, "compressed input is cut off or damaged";
    /// A pattern or directory that holds no input.
    NoInputFiles = NSC0204, Usage, "no input files";
    /// A table name that the contract does not have.
    UnknownTable = NSC0205, Usage, "unknown table";
    /// The lines of an input are those of another table.
    InputOfOtherTable = NSC0206, Usage, "input is of another table";
    /// A file that was to be written and cannot be.
    OutputUnwritable = NSC0207, Usage, "output cannot be written";
    /// The id of a load that is not recorded, or the beginning of several.
    UnknownLoad = NSC0220, Usage, "unknown load";
    /// A load that is to become what it is.
    LoadStateUnchanged = NSC0221, Usage, "load is in that state already";
    /// A load whose rows are not in Bronze.
    LoadNotCommitted = NSC0222, Usage, "load has no rows";

    /// A rule that a run needs is not in force.
    RuleMissing = NSC0301, Usage, "rule missing";
    /// A rule or the rules file does not say something usable.
    RuleMalformed = NSC0302, Usage, "rule malformed";
    /// A rule id names one immutable definition.
    RuleChanged = NSC0303, Usage, "rule definition changed under its id";

    /// The hard gate of B and C.
    UpstreamNotReady = NSC0401, UpstreamNotReady, "upstream not ready";
    /// The fail-fast of Pipeline Silver.
    BadRecordsRate = NSC0402, DataQuality, "bad-records rate exceeded";
    /// Single flight: a second run of a pipeline is refused.
    PipelineHeld = NSC0403, Held, "pipeline held by another run";
    /// A window that is reversed, empty or in the future.
    InvalidWindow = NSC0404, Usage, "window not valid";
    /// A sum of a control left `DECIMAL(38,2)`.
    AmountOverflow = NSC0405, DataQuality, "amount overflow in a control";
    /// The root is absent, or holds none of a lakehouse's tables.
    LakeMissing = NSC0406, Usage, "no lakehouse at the root";
    /// A stored report says something else than its run recorded.
    ReportChanged = NSC0407, Storage, "report differs from its record";

    /// A query that the engine refused or could not finish.
    Sql = NSC0501, Usage, "query failed";
    /// A statement that would change something.
    StatementNotAllowed = NSC0502, Usage, "statement not allowed";
    /// A number stands where a date is meant, or the other way round.
    NumberForDate = NSC0503, Usage, "number taken for a date";
    /// A sum, a product or a difference that its type does not hold.
    TooManyDigits = NSC0504, Usage, "result over the digits of its type";
    /// A text with more decimals than what it is compared with or converted to.
    DigitsLost = NSC0505, Usage, "text with more decimals than its type";
    /// A look that is to be recorded and cannot be.
    LookNotRecorded = NSC0506, Storage, "look cannot be recorded";

    /// PostgreSQL cannot be reached, refused the login, or failed.
    Database = NSC0601, Storage, "database not usable";
    /// The `bo` schema is older or newer than this program, or missing.
    DatabaseSchema = NSC0602, Usage, "database schema not the one this program needs";
    /// The database keeps texts in another encoding than UTF-8.
    DatabaseEncoding = NSC0603, Usage, "database not in UTF-8";
    /// A pooler between this program and PostgreSQL gives it no session of its own.
    DatabasePooler = NSC0604, Usage, "database behind a pooler without sessions";
    /// A row of the audit log was removed or changed.
    AuditBroken = NSC0605, Storage, "audit log changed";
    /// The Kafka brokers refused, or the client could not be set up.
    Broker = NSC0611, Storage, "broker not usable";
    /// Topics, aliases or a profile that do not say which event is which.
    EventProfile = NSC0612, Usage, "event profile not usable";
    /// Nothing of what was to be stored could be.
    NothingStored = NSC0613, DataQuality, "no event could be stored";
    /// An input that is text, and not lines of JSON.
    InputNotJsonLines = NSC0614, Usage, "input is not lines of JSON";
    /// A stored version that was to be corrected and is not there, or not above what it was to become.
    VersionNotCorrected = NSC0615, Usage, "stored version not corrected";
    /// A file of the first implementation that cannot be taken over as it is.
    ForeignFile = NSC0616, Usage, "file of the first implementation not usable";
    /// Who may use the API is not configured, or configured in a way this environment forbids.
    AuthConfiguration = NSC0621, Usage, "authentication not configured";
    /// The address to serve on cannot be used.
    Listen = NSC0622, Usage, "address cannot be served on";
    /// Secrets for the brokers, and no word on how the connection is protected.
    KafkaSecurityUnsaid = NSC0623, Usage, "protection of the brokers' connection not said";
}

impl ErrorCode {
    /// The code that an operator means by `NSC0401`, `nsc0401`, `0401` or `401`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_uppercase();
        let digits = name.strip_prefix("NSC").unwrap_or(&name);
        if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let number: u16 = digits.parse().ok()?;
        Self::ALL.iter().copied().find(|code| code.number() == number)
    }

    /// The command that prints the page.
    #[must_use]
    pub fn explained_by(self) -> String {
        format!("nsc explain error {self}")
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NSC{:04}", self.number())
    }
}

/// An error an operator reads: its `Display` is the primary message, one line without a trailing period.
pub trait OperatorError: std::error::Error {
    /// Which page explains it, and how the process ends.
    fn code(&self) -> ErrorCode;

    /// What exactly was seen, when the primary message does not hold it all.
    fn detail(&self) -> Option<String> {
        None
    }

    /// What the operator can do about it.
    fn hint(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{ErrorCode, ExitStatus};

    #[test]
    fn codes_are_in_order_and_print_as_nsc_and_four_digits() {
        let numbers: Vec<u16> = ErrorCode::ALL.iter().map(|c| c.number()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        assert_eq!(ErrorCode::Unexpected.to_string(), "NSC0001");
        assert_eq!(ErrorCode::Listen.to_string(), "NSC0622");
    }

    #[test]
    fn exit_numbers_are_those_of_the_contract() {
        let exit = |c: ErrorCode| c.exit_status().number();
        assert_eq!(exit(ErrorCode::Unexpected), 1);
        assert_eq!(exit(ErrorCode::Configuration), 2);
        assert_eq!(exit(ErrorCode::UpstreamNotReady), 3);
        assert_eq!(exit(ErrorCode::BadRecordsRate), 4);
        assert_eq!(exit(ErrorCode::PipelineHeld), 5);
        assert_eq!(exit(ErrorCode::WriteConflict), 6);
        assert_eq!(
            (
                ExitStatus::FoundWarning.number(),
                ExitStatus::FoundCritical.number()
            ),
            (10, 11)
        );
    }
}
