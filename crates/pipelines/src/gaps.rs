//! What the guardrail makes of its windows: findings and a verdict a source.
//!
//! A source that falls silent is one finding, however many windows that takes: the silence is one event to whoever has to
//! look at it, and a row for each ten minutes of it would bury everything else.

use std::collections::BTreeMap;

use nsc_core::UtcWindow;
use nsc_transforms::guardrail::{Fired, GuardrailSource, Judgement, Tag, WindowMeasure};

use crate::Verdict;
use crate::exceptions::Finding;
use nsc_contracts::status::verdict;

/// One judged window of one source.
pub(crate) struct JudgedWindow {
    pub(crate) source: GuardrailSource,
    pub(crate) window: UtcWindow,
    pub(crate) measure: WindowMeasure,
    pub(crate) judgement: Judgement,
}

impl JudgedWindow {
    fn rows(&self) -> i64 {
        self.measure.counts.event_count
    }

    fn silences(&self) -> impl Iterator<Item = &Fired> {
        let fired = self.judgement.fired.iter();
        fired.filter(|f| matches!(f.tag, Tag::SourceStale | Tag::EventDropSuspected))
    }

    fn is_silent(&self) -> bool {
        self.silences().next().is_some()
    }
}

/// The findings of one source's consecutive windows, oldest first.
pub(crate) fn findings(windows: &[JudgedWindow]) -> Vec<Finding> {
    let mut found = Vec::new();
    for run in windows.chunk_by(|a, b| a.is_silent() == b.is_silent()) {
        // A run that judges a single window says what each metric said: whether more is to come it cannot know.
        let gap = Gap::of(run).filter(|_| windows.len() > 1);
        for judged in run {
            let of_gap = |f: &&Fired| gap.is_some() && judged.silences().any(|s| s.tag == f.tag);
            let fired = judged.judgement.fired.iter().filter(|f| !of_gap(f));
            found.extend(fired.map(|fired| finding(judged, fired)));
        }
        found.extend(gap.map(|gap| gap.finding()));
    }
    found
}

/// Consecutive windows in which a source is silent, at least one of them empty.
struct Gap<'a> {
    windows: &'a [JudgedWindow],
    source: GuardrailSource,
    span: UtcWindow,
    /// What stands for it: the gravest finding of its tag.
    fired: &'a Fired,
}

impl<'a> Gap<'a> {
    fn of(windows: &'a [JudgedWindow]) -> Option<Self> {
        let (first, last) = (windows.first()?, windows.last()?);
        if windows.iter().all(|w| w.rows() > 0) {
            return None;
        }
        let all = || windows.iter().flat_map(JudgedWindow::silences);
        let is_drop = all().any(|f| f.tag == Tag::EventDropSuspected);
        let tag = if is_drop {
            Tag::EventDropSuspected
        } else {
            Tag::SourceStale
        };
        let of_tag = all().filter(|f| f.tag == tag);
        Some(Self {
            windows,
            source: first.source,
            span: UtcWindow {
                start: first.window.start,
                end: last.window.end,
            },
            fired: of_tag.max_by_key(|f| (f.severity, f.value))?,
        })
    }

    fn finding(&self) -> Finding {
        let all = self.windows.iter().flat_map(JudgedWindow::silences);
        let severity = all.map(|f| f.severity).max().unwrap_or(self.fired.severity);
        let empty = self.windows.iter().filter(|w| w.rows() == 0).count();
        let rows: i64 = self.windows.iter().map(JudgedWindow::rows).sum();
        let oldest = self.windows.iter().filter_map(|w| w.measure.freshness_sec).max();
        Finding {
            date: self.span.start.date_kst(),
            domain: "dq",
            exception_type: self.fired.tag.as_str(),
            severity,
            source_table: self.source.table().to_owned(),
            window: self.span,
            metric: self.fired.metric,
            metric_value: Some(self.fired.value.millionths()),
            message: serde_json::json!({
                "metric": self.fired.metric, "value": self.fired.value.to_string(), "rule_id": self.fired.rule_id,
                "from": self.span.start.to_string(), "to": self.span.end.to_string(),
                "windows": self.windows.len().to_string(), "empty_windows": empty.to_string(),
                "event_count": rows.to_string(), "freshness_sec": oldest.map(|s| s.to_string()),
            }),
            rule_id: Some(self.fired.rule_id.clone()),
            subject: None,
        }
    }
}

fn finding(judged: &JudgedWindow, fired: &Fired) -> Finding {
    let counts = &judged.measure.counts;
    Finding {
        date: judged.window.start.date_kst(),
        domain: "dq",
        exception_type: fired.tag.as_str(),
        severity: fired.severity,
        source_table: judged.source.table().to_owned(),
        window: judged.window,
        metric: fired.metric,
        metric_value: Some(fired.value.millionths()),
        message: serde_json::json!({
            "metric": fired.metric, "value": fired.value.to_string(), "rule_id": fired.rule_id,
            "event_count": counts.event_count.to_string(), "repeats": counts.repeats.to_string(), "bad_rows": counts.bad_rows.to_string(),
            "zero_windows": judged.measure.zero_windows.to_string(),
            "freshness_sec": judged.measure.freshness_sec.map(|s| s.to_string()),
        }),
        rule_id: Some(fired.rule_id.clone()),
        subject: None,
    }
}

/// What the guardrail says of one source's windows; `None` when it judged none.
pub(crate) fn verdict(windows: &[JudgedWindow]) -> Option<Verdict> {
    let (first, last) = (windows.first()?, windows.last()?);
    let mut said: BTreeMap<&str, usize> = BTreeMap::new();
    for judged in windows {
        let tag = judged.judgement.dq_tag.map_or(verdict::OK, Tag::as_str);
        *said.entry(tag).or_default() += 1;
    }
    let rows: i64 = windows.iter().map(JudgedWindow::rows).sum();
    // Without a row up to the end of the last window there is no age either.
    let has_rows = rows > 0 || last.measure.freshness_sec.is_some();
    let gravest = windows.iter().filter_map(|w| w.judgement.severity).max();
    let said: Vec<String> = said.iter().map(|(tag, n)| format!("{n} {tag}")).collect();
    let counted = format!(
        "{} window{}",
        windows.len(),
        if windows.len() == 1 { "" } else { "s" }
    );
    let detail = if has_rows {
        format!("{counted}, {rows} rows: {}", said.join(", "))
    } else {
        format!("{counted}, and not a row up to the end")
    };
    Some(Verdict {
        control: format!("A {}", first.source.table()),
        subject: UtcWindow {
            start: first.window.start,
            end: last.window.end,
        }
        .to_string(),
        verdict: match gravest {
            _ if !has_rows => verdict::NO_DATA.to_owned(),
            Some(severity) => severity.name().to_owned(),
            None => verdict::OK.to_owned(),
        },
        detail,
    })
}

#[cfg(test)]
mod tests {
    use nsc_core::UtcMicros;
    use nsc_transforms::guardrail::{GuardrailRules, WindowCounts, judge, zero_windows_after};
    use nsc_transforms::rules::SeverityRule;

    use super::*;

    const TEN_MINUTES: i64 = 600_000_000;

    fn rules() -> GuardrailRules {
        let rule = |id: &str, t, w, c| SeverityRule::new(id, t, Some(w), Some(c)).unwrap();
        GuardrailRules {
            freshness_sec: rule("fresh", 300.0, 300.0, 600.0),
            dup_rate: rule("dup", 0.001, 0.001, 0.01),
            zero_windows: rule("zero", 3.0, 1.0, 3.0),
            bad_records_rate: rule("bad", 0.01, 0.001, 0.01),
        }
    }

    /// Consecutive windows with so many rows, and so many seconds from the newest row to their end.
    fn windows(measured: &[(i64, Option<i64>)]) -> Vec<JudgedWindow> {
        let mut zero = 0;
        let judged = (0..).zip(measured).map(|(n, (rows, freshness_sec))| {
            zero = zero_windows_after(zero, *rows);
            let measure = WindowMeasure {
                freshness_sec: *freshness_sec,
                counts: WindowCounts {
                    event_count: *rows,
                    keyed_rows: *rows,
                    ..WindowCounts::default()
                },
                zero_windows: zero,
            };
            JudgedWindow {
                source: GuardrailSource::Ledger,
                window: UtcWindow {
                    start: UtcMicros::new(n * TEN_MINUTES),
                    end: UtcMicros::new((n + 1) * TEN_MINUTES),
                },
                measure,
                judgement: judge(&measure, &rules()),
            }
        });
        judged.collect()
    }

    fn found(measured: &[(i64, Option<i64>)]) -> Vec<String> {
        let text = |f: &Finding| {
            let window = |t: UtcMicros| t.micros() / TEN_MINUTES;
            format!(
                "{} {} {}..{} {}",
                f.exception_type,
                f.severity.name(),
                window(f.window.start),
                window(f.window.end),
                f.message["windows"].as_str().unwrap_or("-")
            )
        };
        findings(&windows(measured)).iter().map(text).collect()
    }

    #[test]
    fn a_hole_is_one_finding_whatever_its_length() {
        let (busy, silent) = ((5, Some(10)), |n: i64| (0, Some(n * 600)));
        assert!(found(&[busy, busy, busy]).is_empty());
        assert_eq!(
            found(&[busy, silent(1), busy, busy]),
            ["EVENT_DROP_SUSPECTED CRITICAL 1..2 1"]
        );
        let mut days = vec![busy];
        days.extend((1..1_000).map(silent));
        days.push(busy);
        assert_eq!(found(&days), ["EVENT_DROP_SUSPECTED CRITICAL 1..1000 999"]);
        // Two holes are two.
        assert_eq!(found(&[silent(9), busy, silent(1)]).len(), 2);
    }

    #[test]
    fn a_hole_begins_and_ends_in_windows_that_have_rows() {
        assert_eq!(
            found(&[
                (5, Some(10)),
                (1, Some(500)),
                (0, Some(1_100)),
                (1, Some(400)),
                (5, Some(1))
            ]),
            ["EVENT_DROP_SUSPECTED CRITICAL 1..4 3"]
        );
    }

    #[test]
    fn a_source_that_is_only_slow_has_no_hole() {
        assert_eq!(
            found(&[(1, Some(400)), (1, Some(599)), (1, Some(299))]),
            ["SOURCE_STALE WARN 0..1 -", "SOURCE_STALE WARN 1..2 -"]
        );
    }

    #[test]
    fn one_window_alone_says_each_metric() {
        assert_eq!(
            found(&[(0, Some(700))]),
            ["SOURCE_STALE CRITICAL 0..1 -", "EVENT_DROP_SUSPECTED WARN 0..1 -"]
        );
    }

    #[test]
    fn a_source_that_never_had_a_row_is_no_data() {
        let said = |measured: &[(i64, Option<i64>)]| {
            let verdict = verdict(&windows(measured)).unwrap();
            format!("{}: {}", verdict.verdict, verdict.detail)
        };
        assert_eq!(
            said(&[(0, None)]),
            "no_data: 1 window, and not a row up to the end"
        );
        assert_eq!(said(&[(3, Some(1)), (2, Some(2))]), "ok: 2 windows, 5 rows: 2 ok");
        assert_eq!(
            said(&[(3, Some(1)), (0, Some(601))]),
            "CRITICAL: 2 windows, 3 rows: 1 SOURCE_STALE, 1 ok"
        );
    }
}
