//! What can go wrong between a plan's inputs and its output.

use datafusion::error::DataFusionError;

/// A transform that cannot be planned or read.
#[derive(Debug, thiserror::Error)]
pub enum TransformError {
    /// DataFusion refused the plan or failed while running it.
    #[error("the plan of {what} failed: {source}")]
    Plan {
        /// Output the plan is for.
        what: &'static str,
        /// DataFusion's own message.
        #[source]
        source: Box<DataFusionError>,
    },
    /// A control without a SQL file.
    #[error("there is no src/sql/{0}.sql: a control's rows are the file named after its table")]
    NoPlan(&'static str),
    /// The result of a plan is not what its reader expects.
    #[error("the result of {what} has no usable column {column}")]
    Column {
        /// Output.
        what: &'static str,
        /// Column that is absent or of another type.
        column: String,
    },
    /// The windows of a guardrail run are empty, reversed, unsorted or overlap.
    #[error("guardrail windows must be non-empty, sorted and disjoint: {0}")]
    Windows(String),
    /// A rule's number cannot be a threshold.
    #[error("{0} is not a threshold: it must be a finite number")]
    Threshold(f64),
    /// A rule of the rules table cannot be used.
    #[error(transparent)]
    Rule(#[from] nsc_contracts::rule::RuleError),
    /// A source the guardrail does not know.
    #[error("the guardrail has no definition for source {0}")]
    Source(String),
}

impl TransformError {
    /// Names the output a DataFusion error belongs to.
    pub(crate) fn plan(what: &'static str) -> impl FnOnce(DataFusionError) -> Self {
        move |source| Self::Plan {
            what,
            source: Box::new(source),
        }
    }
}
