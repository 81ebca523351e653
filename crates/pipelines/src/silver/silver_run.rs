//! One run of Silver: what it begins with, and the steps that each hand their value to the next.

use datafusion::prelude::SessionContext;
use nsc_contracts::rule::RuleSet;
use nsc_core::UtcWindow;
use nsc_lake::{Days, PipelineStates};
use nsc_transforms::silver::Selection;

use super::affected::Affected;
use super::bronze::{self, BronzeInput};
use super::converge::{Convergence, Reach};
use super::extend::{self, Base};
use super::load_changes::LoadChanges;
use super::refused;
use super::rules::SilverRules;
use super::stage::Staging;
use super::{commit, conflicts, outputs};
use crate::derivation::Derivation;
use crate::gate::{self, SILVER, Success};
use crate::{Period, PipelineError, RunContext, RunReport, exceptions};

/// One run of Silver: what it begins with, and its steps.
pub(super) struct SilverRun<'a> {
    run: &'a RunContext,
    ctx: SessionContext,
    pub(super) window: UtcWindow,
    period: Period,
    rules: RuleSet,
    /// How far every pipeline has got.
    states: PipelineStates,
    /// Days before a scheduled run's window that no run has processed.
    missed: Days,
    /// Loads taken back or restored since the last success.
    loads: LoadChanges,
}

impl<'a> SilverRun<'a> {
    /// # Errors
    /// A window that is not over, no rules, and a Silver table that was filled and is gone.
    pub(super) async fn begin(
        run: &'a RunContext,
        period: Period,
        report: &mut RunReport,
    ) -> Result<Self, PipelineError> {
        let window = period.daily(run.now)?;
        let ctx = run.session()?;
        report.windows.push(window);
        let rules = report.judging_by(run.rules(&ctx).await?);
        let states = PipelineStates::load(&run.lake, &ctx).await?.unwrap_or_default();
        let mut missed = Days::default();
        if period == Period::Scheduled {
            missed = bronze::missed_days(&states, window);
            outputs::stand(run, &states).await?;
        }
        let loads = LoadChanges::since_success(run, &ctx, &states, report).await?;
        Ok(Self {
            run,
            ctx,
            window,
            period,
            rules,
            states,
            missed,
            loads,
        })
    }

    fn is_scheduled(&self) -> bool {
        self.period == Period::Scheduled
    }

    /// The Bronze files to read.
    pub(super) async fn inputs(&self, report: &mut RunReport) -> Result<Vec<BronzeInput>, PipelineError> {
        let (states, loads) = (&self.states, &self.loads);
        let is_scheduled = self.is_scheduled();
        bronze::inputs(
            self.run,
            states,
            self.window,
            is_scheduled,
            &self.missed,
            loads,
            report,
        )
        .await
    }

    /// What the window's Silver rows follow from: its Bronze files and the rules. The stored rows of other days are
    /// covered by the outputs, which must not have changed either.
    pub(super) fn derivation(&self, inputs: &[BronzeInput]) -> Result<Derivation, PipelineError> {
        let (start, end) = (self.window.start.micros(), self.window.end.micros());
        let rules = SilverRules::of(&self.rules)?;
        let derivation = Derivation::new(format!("silver-{start}-{end}"))
            .judging(self.window.dates_kst())
            .with(&format!("{rules:?}"));
        Ok(inputs.iter().fold(derivation, |d, input| {
            d.with(&input.taken_back().mark()).over(input.window_names())
        }))
    }

    /// The rows of the window, written where nobody sees them: what is new on top of the base, or all when that is shorter. Late
    /// rows are judged with them.
    pub(super) async fn staged(
        &self,
        inputs: &mut [BronzeInput],
        base: Option<Base>,
        report: &mut RunReport,
    ) -> Result<Staging, PipelineError> {
        let window = Selection::Window(self.window);
        let mut staging = Staging::begin(self.run, &self.rules, base).await?;
        staging.take(inputs, window, report).await?;
        if staging.needs_everything() {
            staging.discard().await?;
            extend::take_all(inputs);
            staging = Staging::begin(self.run, &self.rules, None).await?;
            staging.take(inputs, window, report).await?;
        }
        if self.is_scheduled() {
            staging.count_late(inputs, self.window, report).await?;
        }
        Ok(staging)
    }

    /// Commits what is staged, merges what is late, and makes right what was taken back.
    pub(super) async fn commit(
        &self,
        staging: Staging,
        inputs: &[BronzeInput],
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        let (run, window) = (self.run, self.window);
        let mut affected = Affected::begin(run, &self.ctx, &self.states, window, self.period);
        let refused = refused::days_of(run, &staging.ctx, &staging.refused_orders).await?;
        affected.note(refused.iter().copied());
        if let Some(ledger) = inputs.iter().find(|i| i.plan.source == "transaction_ledger") {
            let conflicts = staging.conflicts(ledger, window).await?;
            let words = &staging.rules().words;
            conflicts.record(run, ledger, words, report).await?;
        }
        let late = commit::all(run, window, staging, refused, &mut affected, report).await?;
        if self.is_scheduled() {
            late.merge(run, inputs, window, &mut affected, report).await?;
        } else {
            late.merge_undated(run, &mut affected, report).await?;
        }
        let convergence = Convergence {
            run,
            ctx: &self.ctx,
            rules: &late.rules,
            reach: self.reach(&affected),
        };
        convergence.run(inputs, &mut affected, report).await?;
        affected.report(report);
        Ok(())
    }

    /// How far Silver has got once this run succeeds.
    fn reach(&self, affected: &Affected) -> Reach {
        let before = self.states.get(SILVER).and_then(|s| s.last_processed_end);
        let mut days = affected.processed().clone();
        days.extend(self.window.dates_kst());
        Reach {
            end: before.map_or(self.window.end, |end| end.max(self.window.end)),
            days: (!self.is_scheduled()).then_some(days),
        }
    }

    /// The days whose refusals are overcome by a success.
    async fn completed(&self, report: &RunReport) -> Result<Days, PipelineError> {
        let before = self.states.get(SILVER);
        let parts = before.map(|s| s.processed_parts.clone());
        let mut days = parts.unwrap_or_default().complete(self.window);
        days.absorb(&self.missed);
        if self.is_scheduled() {
            // It leaves no earlier row behind: the days it merged late rows into are complete, those with rows of a run that
            // died as well, and those that were missed.
            let first = self.window.start.date_kst();
            let affected = report.affected_days.iter().copied();
            days.extend(affected.filter(|d| *d < first));
            let processed = before.map(|s| s.processed_dates.clone()).unwrap_or_default();
            let with_rows = outputs::days_with_rows(self.run).await?;
            days.extend(with_rows.filter(|d| *d < first && !processed.contains(*d)));
        }
        Ok(days)
    }

    /// Records the success: how far the run got, what it has seen, and that refusals of its days are overcome.
    pub(super) async fn succeeded(
        &self,
        inputs: &[BronzeInput],
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        let versions = bronze::versions(inputs);
        let days = self.completed(report).await?;
        let overcome = conflicts::overcome(days.clone());
        exceptions::record(self.run, Vec::new(), overcome, report).await?;
        let window = self.window;
        let success = Success {
            pipeline: SILVER,
            end: Some(window.end),
            days,
            cursors: None,
        };
        gate::succeeded(self.run, &self.ctx, success, report, |state| {
            // Pieces of days are put together: several runs may cover one.
            let whole = state.processed_parts.complete(window);
            state.processed_dates.absorb(&whole);
            // An explicit window says nothing of rows outside it, and a night that is run again nothing of later days: what
            // is late for them stays late until a scheduled run of theirs.
            let is_newest = self.is_scheduled() && state.last_processed_end == Some(window.end);
            if is_newest {
                // What was seen of loads is kept apart from the tables.
                state.input_versions.extend(versions.clone());
            }
            self.loads.record(&mut state.input_versions, is_newest);
        })
        .await
    }
}
