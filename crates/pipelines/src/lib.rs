//! The pipelines: Silver, A (guardrail), B (controls), C (analytics), the rules sync and the whole chain.
//!
//! A pipeline reads through `nsc-lake`, computes through `nsc-transforms`, and commits table by table. Each run
//! is single-flight, ends in a [`RunReport`], and leaves its state in `gold.pipeline_state`.

mod analytics;
mod chain;
mod context;
mod controls;
mod cursors;
mod daily;
mod days_of_work;
mod derivation;
mod engine;
mod error;
mod evidence;
mod exceptions;
mod gaps;
mod gate;
mod guardrail;
mod held_rows;
mod loads;
mod period;
mod pipeline;
mod progress;
mod record;
mod report;
mod rules;
mod silver;

pub use analytics::Analytics;
pub use chain::{CHAIN, run_chain};
pub use context::{Invocation, RunContext, RunSettings, Salt};
pub use controls::Controls;
pub use engine::run;
pub use error::{BadLoad, LargeAmount, PipelineError};
pub use evidence::{Evidence, Standing};
pub use guardrail::Guardrail;
pub use loads::rows_by_day;
pub use period::{Period, RunMode};
pub use pipeline::{Extent, Pipeline};
pub use progress::Progress;
pub use record::interrupted;
pub use report::{ExceptionCount, RunReport, StepReport, TableReport, Verdict, report_schema};
pub use rules::{ACTOR, EFFECTIVE, REASON, RuleSource, SyncReport, SyncRules, sync_rules};
pub use silver::Silver;
