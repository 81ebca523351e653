//! Which days other pipelines have to compute again because Silver changed their rows.
//!
//! A run announces a day before it commits the change, and its success makes the announced days due: a crash between
//! the two loses no day. A day stops being due when the pipeline has computed it (lakehouse contract 3, "re-run B and
//! C for those days").

use std::collections::BTreeMap;

use nsc_core::DateKst;
use serde::{Deserialize, Serialize};

use crate::Days;

/// Days to be computed again, by pipeline; part of Silver's row of `gold.pipeline_state`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeats {
    /// Days a run that has not succeeded yet changes, or may have changed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    announced: BTreeMap<String, Days>,
    /// Days a successful run has changed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    due: BTreeMap<String, Days>,
}

impl Repeats {
    /// Whether nothing is to be repeated.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.announced.is_empty() && self.due.is_empty()
    }

    /// Days a pipeline has to compute again.
    #[must_use]
    pub fn due(&self, pipeline: &str) -> Days {
        self.due.get(pipeline).cloned().unwrap_or_default()
    }

    /// Announces a change of some days.
    pub fn announce(&mut self, pipeline: &str, days: impl IntoIterator<Item = DateKst>) {
        self.announced
            .entry(pipeline.to_owned())
            .or_default()
            .extend(days);
        self.announced.retain(|_, days| !days.is_empty());
    }

    /// The run that announced them has succeeded: the days are due. Returns them.
    pub fn promote(&mut self) -> Days {
        let mut all = Days::default();
        for (pipeline, days) in std::mem::take(&mut self.announced) {
            all.extend(days.iter());
            self.due.entry(pipeline).or_default().extend(days.iter());
        }
        all
    }

    /// A pipeline has computed days from rows that changed meanwhile: they are due once more.
    pub fn again(&mut self, pipeline: &str, days: impl IntoIterator<Item = DateKst>) {
        self.due.entry(pipeline.to_owned()).or_default().extend(days);
        self.due.retain(|_, days| !days.is_empty());
    }

    /// A pipeline has computed a day.
    pub fn done(&mut self, pipeline: &str, day: DateKst) {
        if let Some(days) = self.due.get_mut(pipeline) {
            days.remove(day);
        }
        self.due.retain(|_, days| !days.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const B: &str = "pipeline_b";

    #[test]
    fn a_day_is_due_from_success_until_it_is_computed_and_a_new_announcement_outlives_that() {
        let day = DateKst::from_days(20_458);
        let mut repeats = Repeats::default();
        repeats.announce(B, [day]);
        assert!(repeats.due(B).is_empty(), "not before the run has succeeded");
        repeats.promote();
        assert!(repeats.due(B).contains(day));
        // Another run begins to change the day while B computes it.
        repeats.announce(B, [day]);
        repeats.done(B, day);
        assert!(repeats.due(B).is_empty());
        repeats.promote();
        assert!(repeats.due(B).contains(day));
        repeats.done(B, day);
        assert!(repeats.is_empty());
    }
}
