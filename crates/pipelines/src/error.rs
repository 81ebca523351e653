//! Why a run stops.

use std::collections::BTreeSet;
use std::fmt;

use nsc_contracts::rule::RuleError;
use nsc_core::{DateKst, ErrorCode, OperatorError, UtcMicros};
use nsc_lake::{Holder, LakeError};
use nsc_transforms::TransformError;

/// An error that ends a run.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The hard gate of B and C (`UpstreamReadiness`).
    #[error("pipeline_silver has not processed {date} yet")]
    UpstreamNotReady {
        /// The day the run needs.
        date: DateKst,
        /// Which of the three checks failed.
        reason: String,
    },
    /// Pipeline Silver's fail-fast.
    #[error("too many bad records in {source_table}: {}", bad_of(*bad, *total, load.as_deref()))]
    BadRecordsRate {
        /// Bronze table.
        source_table: String,
        /// Quarantined rows.
        bad: u64,
        /// Good and quarantined rows, before duplicates collapse.
        total: u64,
        /// The rule that says so.
        rule_id: String,
        /// Its threshold.
        threshold: f64,
        /// The load that is over it itself.
        load: Option<Box<BadLoad>>,
    },
    /// Another run of the pipeline is under way.
    #[error("{pipeline} is held by run {}", holder.run_id)]
    Held {
        /// Pipeline.
        pipeline: String,
        /// Who holds it.
        holder: Holder,
    },
    /// A window that cannot be processed.
    #[error("window is not valid: {reason}")]
    Window {
        /// What is wrong.
        reason: String,
    },
    /// A run that would judge a day that is not over.
    #[error("{date} is not over yet")]
    Future {
        /// The day.
        date: DateKst,
        /// The run's now.
        now: UtcMicros,
    },
    /// A table that was there at an earlier success does not exist any more.
    #[error("{table} is gone")]
    OutputGone {
        /// Table, `<layer>.<name>`.
        table: String,
        /// The first day that was processed.
        first: DateKst,
        /// The last one.
        last: DateKst,
    },
    /// Bronze tables that Silver was made from do not exist any more.
    #[error("{} gone", are(tables))]
    SourceGone {
        /// The tables, `bronze.<name>`.
        tables: Vec<String>,
    },
    /// A rule is missing or malformed.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A plan cannot be built.
    #[error(transparent)]
    Transform(TransformError),
    /// The stored lakehouse.
    #[error(transparent)]
    Lake(LakeError),
    /// A task of the run died.
    #[error("a task of the run died: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// A total past 38 digits.
    #[error("amounts do not fit in 38 digits{}: {what}", day.map(|d| format!(" on {d}")).unwrap_or_default())]
    AmountOverflow {
        /// Which total.
        what: String,
        /// The day that was computed.
        day: Option<DateKst>,
        /// The rows that carry the largest amounts.
        rows: Vec<LargeAmount>,
    },
    /// A user to hide, and no salt to do it with.
    #[error("there is no salt for user_key, and {date} has payment orders with users")]
    SaltMissing {
        /// The day.
        date: DateKst,
    },
    /// The dummy salt outside the local environment.
    #[error("the local dummy salt is refused in environment {environment}")]
    DummySalt {
        /// Environment name.
        environment: String,
    },
}

/// A row whose amount is among the largest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LargeAmount {
    /// The entry or the snapshot.
    pub what: String,
    /// Its wallet.
    pub wallet: String,
    /// Its business day.
    pub day: String,
    /// Its amount.
    pub amount: String,
    /// The line it came from.
    pub source_ref: Option<String>,
    /// The load that brought it.
    pub load_id: Option<String>,
}

impl fmt::Display for LargeAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            wallet,
            day,
            amount,
            ..
        } = self;
        write!(f, "{what} of wallet {wallet} on {day}: {amount}")?;
        let from = [
            self.source_ref.clone(),
            self.load_id.as_ref().map(|id| format!("load {id}")),
        ];
        let from: Vec<String> = from.into_iter().flatten().collect();
        if from.is_empty() {
            Ok(())
        } else {
            write!(f, " ({})", from.join(", "))
        }
    }
}

/// What takes rows with absurd amounts out again, or puts them right.
fn ways_out(rows: &[LargeAmount]) -> String {
    let loads: BTreeSet<&str> = rows.iter().filter_map(|r| r.load_id.as_deref()).collect();
    let retract = match loads.first() {
        Some(load) => format!("nsc loads retract {load} --reason WHY"),
        None => "nsc loads list, then nsc loads retract ID --reason WHY".to_owned(),
    };
    format!(
        "take a wrong file back ({retract}), or load a corrected version of the rows; then nsc run e2e, or Silver and the control of the day"
    )
}

/// A load with too many bad records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLoad {
    /// Its id.
    pub load_id: String,
    /// The file, where it is recorded.
    pub input: Option<String>,
    /// Quarantined rows among those the run took of it.
    pub bad: u64,
    /// All the run took of it.
    pub total: u64,
    /// Why, the most frequent reason first.
    pub reasons: Vec<(String, u64)>,
}

fn bad_of(bad: u64, total: u64, load: Option<&BadLoad>) -> String {
    match load {
        None => format!("{bad} of {total}"),
        Some(load) => {
            let input = load.input.as_deref().unwrap_or("a file");
            format!(
                "{} of {} in load {} ({input})",
                load.bad, load.total, load.load_id
            )
        }
    }
}

/// Why records are bad, in short.
fn reasons_of(load: &BadLoad) -> String {
    let reasons = load.reasons.iter().take(3);
    let named: Vec<String> = reasons
        .map(|(reason, count)| format!("{reason} {count}"))
        .collect();
    let more = load.reasons.len().saturating_sub(named.len());
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{more}", named.join(", "))
}

/// Whether the engine says that an amount has too many digits: our own functions and, past 128 bits, its arithmetic.
fn is_overflow(said: &str) -> bool {
    ["over 38 digits", "Arithmetic overflow"]
        .iter()
        .any(|words| said.contains(words))
}

impl From<LakeError> for PipelineError {
    /// The engine hands errors of our own functions on as text: an amount past 38 digits is told by it.
    fn from(e: LakeError) -> Self {
        match &e {
            LakeError::Engine(engine) if is_overflow(&engine.to_string()) => Self::AmountOverflow {
                what: match engine.find_root() {
                    datafusion::error::DataFusionError::External(cause) => cause.to_string(),
                    root => root.to_string(),
                },
                day: None,
                rows: Vec::new(),
            },
            _ => Self::Lake(e),
        }
    }
}

impl From<TransformError> for PipelineError {
    /// A rule that is missing is told as such, wherever it was looked up.
    fn from(e: TransformError) -> Self {
        match e {
            TransformError::Rule(rule) => Self::Rule(rule),
            other => Self::Transform(other),
        }
    }
}

impl From<datafusion::error::DataFusionError> for PipelineError {
    fn from(e: datafusion::error::DataFusionError) -> Self {
        LakeError::from(e).into()
    }
}

impl From<datafusion::arrow::error::ArrowError> for PipelineError {
    fn from(e: datafusion::arrow::error::ArrowError) -> Self {
        Self::Lake(LakeError::Arrow(e))
    }
}

/// Names with their verb.
fn are(names: &[String]) -> String {
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", names.join(", "))
}

impl OperatorError for PipelineError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::UpstreamNotReady { .. } => ErrorCode::UpstreamNotReady,
            Self::BadRecordsRate { .. } => ErrorCode::BadRecordsRate,
            Self::Held { .. } => ErrorCode::PipelineHeld,
            Self::Window { .. } | Self::Future { .. } => ErrorCode::InvalidWindow,
            Self::Rule(e) => e.code(),
            Self::Lake(e) => e.code(),
            Self::AmountOverflow { .. } => ErrorCode::AmountOverflow,
            Self::OutputGone { .. } | Self::SourceGone { .. } => ErrorCode::DataFilesLost,
            Self::DummySalt { .. } => ErrorCode::Configuration,
            Self::SaltMissing { .. } => ErrorCode::SaltMissing,
            Self::Transform(_) | Self::Task(_) => ErrorCode::Unexpected,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::UpstreamNotReady { reason, .. } => Some(reason.clone()),
            Self::OutputGone { .. } => Some(
                "its directory does not exist, and earlier runs have filled it; nothing was changed"
                    .to_owned(),
            ),
            Self::SourceGone { .. } => {
                Some("loads of it are recorded and Silver has rows of it; nothing was changed".to_owned())
            }
            Self::BadRecordsRate {
                bad,
                total,
                rule_id,
                threshold,
                load,
                ..
            } => {
                let of_load = load
                    .as_ref()
                    .map(|l| format!("{}; {bad} of {total} over all loads; ", reasons_of(l)));
                Some(format!(
                    "{}rule {rule_id} allows a share of {threshold}, of a load as of a run; no Silver data table was changed, the bad rows are in silver.bad_records",
                    of_load.unwrap_or_default()
                ))
            }
            Self::Held { holder, .. } => Some(format!("process {}", holder.pid)),
            Self::AmountOverflow { rows, .. } if !rows.is_empty() => {
                let rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
                Some(format!("the largest amounts: {}", rows.join("; ")))
            }
            Self::Future { now, .. } => Some(format!("now is {now}")),
            Self::SaltMissing { .. } => Some(
                "no day of the fact was changed; the published dummy salt is for NSC_ENV=local only"
                    .to_owned(),
            ),
            Self::Rule(e) => e.detail(),
            Self::Lake(e) => e.detail(),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::UpstreamNotReady { date, .. } => Some(format!("nsc run silver --date-kst {date}")),
            Self::OutputGone { first, last, .. } => Some(format!(
                "put the directory back from a copy, or make the table again: nsc run silver --date-kst-start {first} --date-kst-end {last}, \
                 then b and c for the same days"
            )),
            Self::SourceGone { tables } => Some(format!(
                "put the directory back from a copy; without one, load its inputs again: nsc loads list --table {} names them",
                tables.first().map_or("TABLE", String::as_str)
            )),
            Self::BadRecordsRate { load: Some(load), .. } => Some(format!(
                "look at the rows: nsc loads show {id}; take a wrong file back with: nsc loads retract {id} --reason WHY, load the right one and run again; where the rows are right, change the rule (nsc rules sync)",
                id = load.load_id
            )),
            Self::BadRecordsRate { .. } => Some("look at the reasons with: nsc sql \"SELECT source_table, reason, count(*) FROM silver.bad_records GROUP BY 1, 2\"".to_owned()),
            Self::Held { .. } => Some("wait for that run to end; a dead run's lock is free at once".to_owned()),
            Self::AmountOverflow { rows, .. } => Some(ways_out(rows)),
            Self::Future { .. } => Some("name a past business day, or pass --now".to_owned()),
            Self::SaltMissing { .. } => Some("provide NSC_SALT_FILE (a mounted secret) or NSC_SALT, and run c again".to_owned()),
            Self::DummySalt { .. } => Some("set the salt in the secret store or the environment".to_owned()),
            Self::Rule(e) => e.hint(),
            Self::Lake(e) => e.hint(),
            _ => None,
        }
    }
}
