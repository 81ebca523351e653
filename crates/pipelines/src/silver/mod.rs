//! Pipeline Silver: Bronze to Silver, validated, deduplicated, quarantined (lakehouse contract 3).
//!
//! All new data files of all tables are written first and stay invisible; only when every source is under the
//! bad-records rate are they committed. A run that refuses leaves no Silver data table changed.

mod affected;
pub(crate) mod bronze;
mod changed_orders;
mod commit;
mod conflicts;
mod converge;
mod extend;
mod late;
mod load_changes;
mod outputs;
pub(crate) mod refused;
mod row_counts;
mod row_stream;
mod rules;
pub(crate) mod scope;
mod silver_run;
mod stage;

use std::time::Instant;

use async_trait::async_trait;

use crate::derivation::{self, UNCHANGED};
use crate::gate::SILVER;
use crate::pipeline::{Extent, Pipeline};
use crate::{Period, PipelineError, RunContext, RunReport};

use bronze::BronzeInput;
use extend::Base;
use silver_run::SilverRun;

/// Pipeline Silver.
#[derive(Debug, Clone, Copy)]
pub struct Silver;

#[async_trait]
impl Pipeline for Silver {
    fn name(&self) -> &'static str {
        SILVER
    }

    async fn run(
        &self,
        run: &RunContext,
        period: Period,
        _: Extent,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        let since = Instant::now();
        let this = SilverRun::begin(run, period, report).await?;
        let mut inputs = this.inputs(report).await?;
        let derivation = this.derivation(&inputs)?;
        // Rows beside the window's are taken whatever was computed of the window.
        let has_rows_beside = inputs.iter().any(|i| i.has_late() || !i.retracted().is_empty());
        let mut known = None;
        if !has_rows_beside {
            known = derivation.recall(run, &outputs::hash(run).await?).await?;
        }
        if let Some(record) = known.as_ref().filter(|r| derivation.is_unchanged(r)) {
            record.clone().report(report);
            report.step(UNCHANGED, since, 0, 0);
            return this.succeeded(&inputs, report).await;
        }
        let base = known.and_then(|record| Base::of(&record, &mut inputs));
        let mark = derivation::mark(report);

        let staging = this.staged(&mut inputs, base, report).await?;
        let bytes = inputs.iter().map(BronzeInput::bytes).sum();
        report.step("validate and stage", since, staging.lines(), bytes);
        let offenders = staging.offenders()?;
        if !offenders.is_empty() {
            let refusals = commit::refuse(run, staging, &offenders, this.window, report).await?;
            return refusals.into_iter().next().map_or(Ok(()), Err);
        }
        let since = Instant::now();
        this.commit(staging, &inputs, report).await?;
        let changed = report.tables.iter().map(|t| t.outcome.changed()).sum();
        report.step("commit", since, changed, 0);

        if !has_rows_beside {
            let outputs = outputs::hash(run).await?;
            derivation.keep(run, outputs, report, mark).await?;
        }
        this.succeeded(&inputs, report).await
    }
}
