//! Which days a daily pipeline computes: those of its period and, where asked for, those Silver changed since it last
//! computed them (lakehouse contract 3, "re-run B and C for those days") and those a night left to it that ended too early.

use std::collections::BTreeSet;

use datafusion::prelude::SessionContext;
use nsc_core::{DateKst, UtcMicros, UtcWindow};
use nsc_lake::{Days, PipelineState, PipelineStates};

use crate::gate::{ANALYTICS, SILVER, Success};
use crate::{Period, PipelineError, RunContext};

const SNAPSHOTS: &str = "silver.wallet_snapshot";
/// What a log may leave open of the time of a snapshot on midnight.
const OPENING_MICROS: i64 = 1000;

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
        let due = silver.map(|s| s.repeats.due(pipeline)).unwrap_or_default();
        if extent == Extent::WithDue {
            let is_ready = |d: &DateKst| silver.is_some_and(|s| s.processed_dates.contains(*d));
            let all = due.iter().chain(missed(run, &states, pipeline).await?);
            days.extend(all.filter(is_ready).filter(|d| d.end() <= run.now));
        }
        Ok(Self {
            settled: Settled {
                days: days.iter().copied().collect(),
                silver: silver.map(mark),
            },
            days: days.into_iter().collect(),
        })
    }

    /// The run's success.
    pub(crate) fn success<'a>(&'a self, pipeline: &'a str) -> Success<'a> {
        Success {
            pipeline,
            end: self.days.last().map(|d| d.end()),
            days: self.settled.days.clone(),
            settled: Some(&self.settled),
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

/// Days with rows that the pipeline has not computed since its first one: a night that ended after Silver owes them. One
/// that has only ever failed owes all of them, and one that never ran nothing but what it is asked for.
async fn missed(
    run: &RunContext,
    states: &PipelineStates,
    pipeline: &str,
) -> Result<Vec<DateKst>, PipelineError> {
    let Some(own) = states.get(pipeline) else {
        return Ok(Vec::new());
    };
    let done = &own.processed_dates;
    let first = done.iter().next();
    let with_rows = days_with_rows(run, pipeline).await?.into_iter();
    let owed = |d: &DateKst| first.is_none_or(|first| first < *d) && !done.contains(*d);
    Ok(with_rows.filter(owed).collect())
}

/// The days with rows in the tables a pipeline reads, from their logs: what lies between two such days costs nothing.
async fn days_with_rows(run: &RunContext, pipeline: &str) -> Result<BTreeSet<DateKst>, PipelineError> {
    let tables: &[&str] = match pipeline {
        ANALYTICS => &["silver.order_events"],
        _ => &["silver.order_events", "silver.ledger_entries", SNAPSHOTS],
    };
    let mut days = BTreeSet::new();
    for name in tables {
        let Some(table) = run.existing(name).await? else {
            continue;
        };
        for file in table.files()? {
            let Some(day) = file.partition_date() else {
                continue;
            };
            if *name != SNAPSHOTS {
                days.insert(day);
                continue;
            }
            // A snapshot on midnight closes the day before, and is all there is of many a last day.
            let may_hold = |first, last| file.may_hold_instant("snapshot_ts", first, last);
            if may_hold(day.start(), day.start()) {
                days.insert(day.previous());
            }
            if may_hold(day.start().plus(OPENING_MICROS), day.end()) {
                days.insert(day);
            }
        }
    }
    Ok(days)
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
