//! Which days a daily pipeline computes: those of its period and, where asked for, those Silver changed since it last
//! computed them (lakehouse contract 3, "re-run B and C for those days") and those a night left to it that ended too early.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::prelude::SessionContext;
use nsc_core::{DateKst, UtcMicros, UtcWindow};
use nsc_lake::{Days, PipelineState, PipelineStates};

use crate::cursors::Inputs;
use crate::gate::{SILVER, Success};
use crate::{Period, PipelineError, RunContext};

/// How far a run of B or C reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The period's days and nothing else: what an operator names.
    Period,
    /// The days that are due as well: a scheduled run, or a step of the chain.
    WithDue,
}

/// The days of one run.
pub(crate) struct Work {
    /// Oldest first: each day's positions build on the day before.
    pub(crate) days: Vec<DateKst>,
    settled: Settled,
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
    async fn of(run: &RunContext, states: &PipelineStates, pipeline: &str) -> Result<Self, PipelineError> {
        let own = states.get(pipeline);
        let done = own.map(|s| s.processed_dates.clone()).unwrap_or_default();
        let announced = states.get(SILVER).map(|s| s.repeats.due(pipeline));
        let announced: BTreeSet<DateKst> = announced.unwrap_or_default().iter().collect();
        let inputs = Inputs::open(run, pipeline).await?;
        let with_rows = inputs.days_with_rows()?;
        let first = done.iter().next();
        let never_done = |d: &&DateKst| first.is_none_or(|first| first < **d) && !done.contains(**d);
        let mut days: BTreeSet<DateKst> = with_rows.iter().filter(never_done).copied().collect();
        let seen = own.map(|s| &s.input_versions).filter(|seen| !seen.is_empty());
        if let Some(seen) = seen {
            match inputs.changed_since(seen, &done).await? {
                Some(changed) => {
                    compare(pipeline, &announced, &changed, states);
                    days.extend(changed);
                }
                None => days.extend(done.iter().chain(with_rows)),
            }
        }
        days.extend(announced);
        Ok(Self {
            days,
            done,
            cursors: inputs.cursors()?,
        })
    }
}

/// Says when what Silver announced and what the logs say are not the same days.
fn compare(
    pipeline: &str,
    announced: &BTreeSet<DateKst>,
    changed: &BTreeSet<DateKst>,
    states: &PipelineStates,
) {
    let is_ready = |d: &&DateKst| {
        states
            .get(SILVER)
            .is_some_and(|s| s.processed_dates.contains(**d))
    };
    let done = |d: &&DateKst| {
        states
            .get(pipeline)
            .is_some_and(|s| s.processed_dates.contains(**d))
    };
    let missing: Vec<&DateKst> = announced.difference(changed).filter(is_ready).collect();
    if !missing.is_empty() {
        tracing::warn!(pipeline, ?missing, "days were announced that no log names");
    }
    let more: Vec<&DateKst> = changed
        .difference(announced)
        .filter(is_ready)
        .filter(done)
        .collect();
    if !more.is_empty() {
        tracing::debug!(pipeline, ?more, "the logs name days that were not announced");
    }
}

/// What a run's success does to the days that are due.
pub(crate) struct Settled {
    /// The days it computed.
    days: Days,
    /// Silver's row as it was then, in short.
    silver: Option<(Option<String>, UtcMicros)>,
}

fn mark(state: &PipelineState) -> (Option<String>, UtcMicros) {
    (state.last_run_id.clone(), state.updated_at)
}

impl Settled {
    /// Takes the days off the list. When Silver has run meanwhile they may have been computed from rows that changed, so
    /// they are due once more: computing them again costs little.
    pub(crate) fn apply(&self, pipeline: &str, states: &mut PipelineStates) {
        let Some(now) = states.get(SILVER).map(mark) else {
            return;
        };
        let repeats = &mut states.row(SILVER).repeats;
        if Some(now) == self.silver {
            self.days.iter().for_each(|day| repeats.done(pipeline, day));
        } else {
            repeats.again(pipeline, self.days.iter());
        }
    }
}

impl Work {
    pub(crate) async fn of(
        run: &RunContext,
        ctx: &SessionContext,
        pipeline: &str,
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
            settled: Settled {
                days: days.iter().copied().collect(),
                silver: silver.map(mark),
            },
            days: days.into_iter().collect(),
            cursors,
        })
    }

    /// The run's success.
    pub(crate) fn success<'a>(&'a self, pipeline: &'a str) -> Success<'a> {
        Success {
            pipeline,
            end: self.days.last().map(|d| d.end()),
            days: self.settled.days.clone(),
            settled: Some(&self.settled),
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

#[cfg(test)]
mod tests {
    use super::*;

    const B: &str = "pipeline_b";

    fn states(run_id: &str, due: DateKst) -> PipelineStates {
        let mut states = PipelineStates::default();
        let silver = states.row(SILVER);
        silver.last_run_id = Some(run_id.to_owned());
        silver.repeats.again(B, [due]);
        states
    }

    #[test]
    fn days_computed_beside_a_silver_run_stay_due() {
        let (due, computed) = (DateKst::from_days(20_458), DateKst::from_days(20_459));
        let settled = Settled {
            days: [due, computed].into_iter().collect(),
            silver: states("silver-1", due).get(SILVER).map(mark),
        };
        let left = |mut states: PipelineStates| -> Vec<DateKst> {
            settled.apply(B, &mut states);
            states.row(SILVER).repeats.due(B).iter().collect()
        };
        assert!(left(states("silver-1", due)).is_empty());
        // Silver has succeeded since B began: what B read may have been of before or after.
        assert_eq!(left(states("silver-2", due)), [due, computed]);
    }
}
