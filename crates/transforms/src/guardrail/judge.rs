//! The judgement of one window: plain arithmetic, no DataFusion.

use nsc_contracts::exception;
use nsc_contracts::rule::Severity;
use nsc_core::{MICROS_PER_SECOND, UtcMicros};

use super::{GuardrailRules, WindowCounts};
use crate::functions::rate_millionths;
use crate::rules::SeverityRule;

/// A value in six decimals, as a `DECIMAL(38,6)` column stores it: whole millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Rate(i128);

impl Rate {
    /// `numerator / denominator`, half-up; 0 when the denominator is 0.
    #[must_use]
    pub fn of(numerator: i64, denominator: i64) -> Self {
        Self(rate_millionths(numerator, denominator))
    }

    /// A whole number.
    #[must_use]
    pub fn whole(value: i64) -> Self {
        Self(i128::from(value) * 1_000_000)
    }

    /// In millionths.
    #[must_use]
    pub const fn millionths(self) -> i128 {
        self.0
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let units = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:06}", units / 1_000_000, units % 1_000_000)
    }
}

/// What the guardrail suspects; the order is the tag's priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tag {
    /// The newest row is too old.
    SourceStale,
    /// Too many repeated keys.
    DupSuspected,
    /// Too many empty windows in a row.
    EventDropSuspected,
    /// Too many rows break the Bronze contract.
    ContractViolation,
}

impl Tag {
    /// The text of `dq_tag` and `exception_type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SourceStale => exception::SOURCE_STALE,
            Self::DupSuspected => exception::DUP_SUSPECTED,
            Self::EventDropSuspected => exception::EVENT_DROP_SUSPECTED,
            Self::ContractViolation => exception::CONTRACT_VIOLATION,
        }
    }

    /// The metric that fires it.
    #[must_use]
    pub const fn metric(self) -> &'static str {
        match self {
            Self::SourceStale => "freshness_sec",
            Self::DupSuspected => "dup_rate",
            Self::EventDropSuspected => "zero_windows",
            Self::ContractViolation => "bad_records_rate",
        }
    }
}

/// One window of one source, measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowMeasure {
    /// Window end - newest row, floored; `None` when the source had no row by then.
    pub freshness_sec: Option<i64>,
    /// Rows, repeats and bad rows of the window.
    pub counts: WindowCounts,
    /// Consecutive empty windows up to and including this one.
    pub zero_windows: i64,
}

/// One metric over its rule's threshold: one exception.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fired {
    /// What is suspected; `exception_type`.
    pub tag: Tag,
    /// `metric`.
    pub metric: &'static str,
    /// `metric_value`.
    pub value: Rate,
    /// `severity`.
    pub severity: Severity,
    /// `rule_id`.
    pub rule_id: String,
}

/// The verdict on one window; the values of its `dq_status` row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Repeats / rows with a key.
    pub dup_rate: Rate,
    /// Rows breaking the contract / rows.
    pub bad_records_rate: Rate,
    /// The fired metrics, by priority of their tag.
    pub fired: Vec<Fired>,
    /// The first of the fired tags.
    pub dq_tag: Option<Tag>,
    /// The highest severity that fired.
    pub severity: Option<Severity>,
    /// The tag's rule.
    pub rule_id: Option<String>,
}

/// Whole seconds from the newest row to the window's end, floored.
#[must_use]
pub fn freshness_seconds(window_end: UtcMicros, newest: Option<UtcMicros>) -> Option<i64> {
    newest.map(|newest| {
        window_end
            .micros()
            .saturating_sub(newest.micros())
            .div_euclid(MICROS_PER_SECOND)
    })
}

/// Consecutive empty windows after one more window: a row ends the streak.
#[must_use]
pub fn zero_windows_after(carried: i64, event_count: i64) -> i64 {
    if event_count == 0 {
        carried.saturating_add(1)
    } else {
        0
    }
}

/// Judges one window (contract, pipeline A): `>=` crit is CRITICAL, else `>=` warn is WARN, else with no map `>=`
/// threshold is CRITICAL.
#[must_use]
pub fn judge(measure: &WindowMeasure, rules: &GuardrailRules) -> Judgement {
    let dup_rate = Rate::of(measure.counts.repeats, measure.counts.keyed_rows);
    let bad_records_rate = Rate::of(measure.counts.bad_rows, measure.counts.event_count);
    let metrics = [
        (
            Tag::SourceStale,
            measure.freshness_sec.map(Rate::whole),
            &rules.freshness_sec,
        ),
        (Tag::DupSuspected, Some(dup_rate), &rules.dup_rate),
        (
            Tag::EventDropSuspected,
            Some(Rate::whole(measure.zero_windows)),
            &rules.zero_windows,
        ),
        (
            Tag::ContractViolation,
            Some(bad_records_rate),
            &rules.bad_records_rate,
        ),
    ];
    let fired: Vec<Fired> = metrics
        .into_iter()
        .filter_map(|(tag, value, rule)| fire(tag, value?, rule))
        .collect();
    let first = fired.iter().min_by_key(|f| f.tag);
    Judgement {
        dup_rate,
        bad_records_rate,
        dq_tag: first.map(|f| f.tag),
        rule_id: first.map(|f| f.rule_id.clone()),
        severity: fired.iter().map(|f| f.severity).max(),
        fired,
    }
}

fn fire(tag: Tag, value: Rate, rule: &SeverityRule) -> Option<Fired> {
    let severity = rule.reached(value.millionths(), 6)?;
    Some(Fired {
        tag,
        metric: tag.metric(),
        value,
        severity,
        rule_id: rule.rule_id.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> GuardrailRules {
        let rule = |id: &str, t, w, c| SeverityRule::new(id, t, Some(w), Some(c)).unwrap();
        GuardrailRules {
            freshness_sec: rule("fresh", 300.0, 300.0, 600.0),
            dup_rate: rule("dup", 0.001, 0.001, 0.01),
            zero_windows: rule("zero", 3.0, 1.0, 3.0),
            bad_records_rate: rule("bad", 0.01, 0.001, 0.01),
        }
    }

    #[test]
    fn the_rules_know_the_tags_and_the_sources_that_are_judged() {
        use nsc_contracts::rule::{KNOWN_METRICS, TAGS};

        use super::super::GuardrailSource;

        let tags = [
            Tag::SourceStale,
            Tag::DupSuspected,
            Tag::EventDropSuspected,
            Tag::ContractViolation,
        ];
        assert_eq!(tags.map(Tag::as_str), TAGS);
        for known in KNOWN_METRICS.iter().filter(|known| known.domain == "dq") {
            let judged = GuardrailSource::ALL
                .into_iter()
                .filter(|s| !known.metric.starts_with("dup_rate_") || s.dup_rate_metric() == known.metric);
            let mut judged: Vec<&str> = judged.map(GuardrailSource::table).collect();
            let mut sources = known.sources.to_vec();
            judged.sort_unstable();
            sources.sort_unstable();
            assert_eq!(judged, sources, "{}", known.metric);
        }
    }

    fn measure(
        freshness_sec: Option<i64>,
        rows: i64,
        repeats: i64,
        bad_rows: i64,
        zero_windows: i64,
    ) -> WindowMeasure {
        let counts = WindowCounts {
            event_count: rows,
            keyed_rows: rows,
            repeats,
            bad_rows,
        };
        WindowMeasure {
            freshness_sec,
            counts,
            zero_windows,
        }
    }

    #[test]
    fn a_quiet_window_fires_nothing_and_the_edge_fires() {
        let quiet = judge(&measure(Some(299), 10_000, 9, 9, 0), &rules());
        assert_eq!(
            (quiet.dq_tag, quiet.severity, quiet.rule_id, quiet.fired.len()),
            (None, None, None, 0)
        );
        assert_eq!(quiet.dup_rate.to_string(), "0.000900");
        let edge = judge(&measure(Some(300), 10_000, 10, 10, 0), &rules());
        let tags: Vec<_> = edge.fired.iter().map(|f| (f.tag.as_str(), f.severity)).collect();
        assert_eq!(
            tags,
            [
                ("SOURCE_STALE", Severity::Warn),
                ("DUP_SUSPECTED", Severity::Warn),
                ("CONTRACT_VIOLATION", Severity::Warn)
            ]
        );
    }

    #[test]
    fn the_tag_is_the_first_by_priority_and_the_severity_the_highest() {
        let j = judge(&measure(Some(10), 1_000, 1, 10, 0), &rules());
        assert_eq!(
            (j.dq_tag, j.severity, j.rule_id.as_deref()),
            (Some(Tag::DupSuspected), Some(Severity::Critical), Some("dup"))
        );
        let stale = judge(&measure(Some(700), 0, 0, 0, 3), &rules());
        assert_eq!(
            (stale.dq_tag, stale.severity),
            (Some(Tag::SourceStale), Some(Severity::Critical))
        );
        assert_eq!(stale.fired[1].value.to_string(), "3.000000");
        assert_eq!(
            (stale.dup_rate, stale.bad_records_rate),
            (Rate::default(), Rate::default())
        );
    }

    #[test]
    fn an_empty_table_is_a_drop_not_stale() {
        let j = judge(&measure(None, 0, 0, 0, 1), &rules());
        assert_eq!(
            (j.dq_tag, j.severity),
            (Some(Tag::EventDropSuspected), Some(Severity::Warn))
        );
    }

    #[test]
    fn seconds_are_floored_and_a_row_ends_the_streak() {
        let at = UtcMicros::new;
        assert_eq!(freshness_seconds(at(5_999_999), Some(at(0))), Some(5));
        assert_eq!(freshness_seconds(at(5), None), None);
        assert_eq!([zero_windows_after(2, 0), zero_windows_after(2, 1)], [3, 0]);
    }
}
