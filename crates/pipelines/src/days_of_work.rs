//! Which days a daily pipeline computes: those of its period and, where asked for, those whose inputs changed since it last
//! succeeded (lakehouse contract 3, "re-run B and C for those days") and those a night left to it that ended too early.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::prelude::SessionContext;
use nsc_core::{DateKst, UtcMicros, UtcWindow};
use nsc_lake::{Days, PipelineStates};

use crate::cursors::{Input, Inputs};
use crate::gate::{SILVER, Success};
use crate::pipeline::Extent;
use crate::{Period, PipelineError, RunContext};

/// The days of one run.
pub(crate) struct Work {
    /// Oldest first: each day's positions build on the day before.
    pub(crate) days: Vec<DateKst>,
    /// What a success has seen of the pipeline's inputs.
    cursors: Option<BTreeMap<String, u64>>,
}

/// What a pipeline has not computed of what Silver has written.
struct Owed {
    days: BTreeSet<DateKst>,
    /// Days it has computed, now or ever.
    done: Days,
    /// The versions the days were found at.
    cursors: BTreeMap<String, u64>,
}

impl Owed {
    async fn of(
        run: &RunContext,
        states: &PipelineStates,
        (pipeline, inputs): (&str, &[Input]),
    ) -> Result<Self, PipelineError> {
        let own = states.get(pipeline);
        let done = own.map(|s| s.processed_dates.clone()).unwrap_or_default();
        let inputs = Inputs::open(run, inputs).await?;
        let with_rows = inputs.days_with_rows()?;
        let first = done.iter().next();
        let never_done = |d: &&DateKst| first.is_none_or(|first| first < **d) && !done.contains(**d);
        let mut days: BTreeSet<DateKst> = with_rows.iter().filter(never_done).copied().collect();
        let seen = own.map(|s| &s.input_versions).filter(|seen| !seen.is_empty());
        let changed = match seen {
            Some(seen) => inputs.changed_since(seen, &done).await?,
            None => None,
        };
        match changed {
            Some(changed) => days.extend(changed),
            // What was computed before may follow from anything.
            None => days.extend(done.iter().chain(with_rows)),
        }
        // A day that begins before the calendar does (a row of the first hours of year 1) has no window that could be stored.
        days.retain(|day| UtcMicros::FIRST <= day.start());
        Ok(Self {
            days,
            done,
            cursors: inputs.cursors()?,
        })
    }
}

impl Work {
    /// The days of a pipeline of that name, which reads those inputs.
    pub(crate) async fn of(
        run: &RunContext,
        ctx: &SessionContext,
        pipeline: (&str, &[Input]),
        period: Period,
        extent: Extent,
    ) -> Result<Self, PipelineError> {
        let mut days: BTreeSet<DateKst> = period.days(run.now)?.into_iter().collect();
        let states = PipelineStates::load(&run.lake, ctx).await?.unwrap_or_default();
        let silver = states.get(SILVER);
        let mut cursors = None;
        if extent == Extent::WithDue {
            let owed = Owed::of(run, &states, pipeline).await?;
            let is_ready = |d: &DateKst| silver.is_some_and(|s| s.processed_dates.contains(*d));
            let (ready, left): (BTreeSet<_>, BTreeSet<_>) = owed
                .days
                .into_iter()
                .partition(|d| is_ready(d) && d.end() <= run.now);
            days.extend(ready);
            // A day that cannot be computed yet is found by its rows when it can, unless it was computed before or lies before
            // all that were.
            let first = owed.done.iter().chain(days.iter().copied()).min();
            let is_lost = |d: &DateKst| owed.done.contains(*d) || first.is_some_and(|first| *d < first);
            cursors = (!left.iter().any(is_lost)).then_some(owed.cursors);
        }
        Ok(Self {
            days: days.into_iter().collect(),
            cursors,
        })
    }

    /// The run's success.
    pub(crate) fn success<'a>(&'a self, pipeline: &'a str) -> Success<'a> {
        Success {
            pipeline,
            end: self.days.last().map(|d| d.end()),
            days: self.days.iter().copied().collect(),
            cursors: self.cursors.as_ref(),
        }
    }

    /// The days as windows, neighbours joined.
    pub(crate) fn windows(&self) -> Vec<UtcWindow> {
        let mut windows: Vec<UtcWindow> = Vec::new();
        for day in &self.days {
            match windows.last_mut() {
                Some(before) if before.end == day.start() => before.end = day.end(),
                _ => windows.push(day.window()),
            }
        }
        windows
    }
}
