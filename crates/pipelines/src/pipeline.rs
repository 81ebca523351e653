//! What a pipeline is to the engine that runs it.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::{Period, PipelineError, RunContext, RunReport};

/// How far a run of B or C reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The period's days and nothing else: what an operator names.
    Period,
    /// The days that are due as well: a scheduled run, or a step of the chain.
    WithDue,
}

/// Work that one run at a time does. The lock, the report, the record of the run and of its failure are the engine's.
#[async_trait]
pub trait Pipeline: Debug + Send + Sync {
    /// Name in reports, locks and `gold.pipeline_state`.
    fn name(&self) -> &'static str;

    /// Whether it follows from the sources: then it does not begin where one of them is lost, and its failure stands in
    /// `gold.pipeline_state`.
    fn follows_from_sources(&self) -> bool {
        true
    }

    /// Does the work, holding the lock; `report` says what was done, also when it fails half-way.
    ///
    /// # Errors
    /// Whatever ends the run; what it has committed until then stands, and running it again does the rest.
    async fn run(
        &self,
        run: &RunContext,
        period: Period,
        extent: Extent,
        report: &mut RunReport,
    ) -> Result<(), PipelineError>;
}
