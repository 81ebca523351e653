//! The pipelines: Silver, A (guardrail), B (controls), C (analytics), the rules sync and the whole chain.
//!
//! A pipeline reads through `nsc-lake`, computes through `nsc-transforms`, and commits table by table. Each run
//! is single-flight, ends in a [`RunReport`], and leaves its state in `gold.pipeline_state`.

mod analytics;
mod chain;
mod context;
mod controls;
mod cursors;
mod derivation;
mod due;
mod error;
mod exceptions;
mod gaps;
mod gate;
mod guardrail;
mod loads;
mod period;
mod record;
mod refused;
mod report;
mod rules;
mod silver;

pub use chain::{Pipeline, run};
pub use context::{Invocation, RunContext, RunSettings, Salt};
pub use error::{BadLoad, LargeAmount, PipelineError};
pub use loads::rows_by_day;
pub use period::{Period, RunMode};
pub use record::interrupted;
pub use report::{ExceptionCount, RunReport, StepReport, TableReport, Verdict};
pub use rules::{RuleSource, SyncReport, sync_rules};
