//! What every single rule must satisfy, wherever it came from.

use nsc_core::nearest;

use super::words::asked;
use super::{KnownMetric, Rule, RuleError};

/// The severities a map may name.
const SEVERITIES: &[&str] = &["warn", "crit", "fail"];

impl Rule {
    /// Whether the rule is well formed in itself: names, numbers, order of its severities, values.
    ///
    /// # Errors
    /// Names the rule and the first thing that is wrong.
    pub fn check(&self) -> Result<(), RuleError> {
        self.problem()
            .map_or(Ok(()), |problem| Err(self.malformed(problem)))
    }

    fn problem(&self) -> Option<String> {
        let (metric, source) = self.metric_and_source();
        for (field, text) in [
            ("rule_id", Some(self.rule_id.as_str())),
            ("domain", Some(&self.domain)),
            ("metric", Some(metric)),
            ("source of the metric", source),
        ] {
            if text.is_some_and(|t| !is_name(t)) {
                return Some(format!("{field} must be 1 to 128 of a-z 0-9 _"));
            }
        }
        if let Some(name) = self
            .severity_map
            .keys()
            .find(|k| !SEVERITIES.contains(&k.as_str()))
        {
            return Some(format!("severity_map knows warn, crit and fail, not {name}"));
        }
        let levels = self
            .severity_map
            .iter()
            .map(|(k, v)| (format!("severity_map.{k}"), *v));
        for (field, value) in self
            .threshold
            .map(|t| ("threshold".to_owned(), t))
            .into_iter()
            .chain(levels)
        {
            if !value.is_finite() || value < 0.0 {
                return Some(format!("{field} is {value}, it must be a number of 0 or more"));
            }
        }
        if let (Some(warn), Some(crit)) = (self.severity_map.get("warn"), self.severity_map.get("crit"))
            && warn > crit
        {
            return Some(format!("warn {warn} is above crit {crit}"));
        }
        let may_be_empty = KnownMetric::of(self).is_some_and(|k| k.shape.may_be_empty());
        let says_nothing =
            self.threshold.is_none() && self.severity_map.is_empty() && self.allowed_values.is_empty();
        if says_nothing && !may_be_empty {
            return Some("it has neither threshold, severity_map nor allowed_values".to_owned());
        }
        self.problem_of_source().or_else(|| self.problem_of_values())
    }

    /// A source that no pipeline looks the metric up for: the rule would be stored and never judge anything.
    pub(super) fn problem_of_source(&self) -> Option<String> {
        let (metric, source) = self.metric_and_source();
        let (source, known) = (source?, KnownMetric::of(self)?);
        if known.sources.contains(&source) {
            return None;
        }
        let metric = format!("{}.{metric}", self.domain);
        if known.sources.is_empty() {
            return Some(format!("{metric} is one for all sources, it takes no @{source}"));
        }
        let said = format!(
            "{source} is no source of {metric}; its sources are {}",
            known.sources.join(", ")
        );
        Some(asked(said, nearest(source, known.sources.iter().copied())))
    }

    fn problem_of_values(&self) -> Option<String> {
        for (at, value) in self.allowed_values.iter().enumerate() {
            if nsc_core::is_blank(value) {
                return Some("allowed_values holds a blank value".to_owned());
            }
            if self.allowed_values.iter().skip(at + 1).any(|v| v == value) {
                return Some(format!("allowed_values holds {value} twice"));
            }
        }
        None
    }
}

fn is_name(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::super::definition::tests::rule;
    use super::Rule;

    #[test]
    fn a_source_that_nobody_looks_the_metric_up_for_is_named_with_those_that_are() {
        let said = |subject: &str| {
            let checked = rule("r", subject, 1.0).check();
            checked.err().map(|e| e.to_string()).unwrap_or_default()
        };
        for known in super::super::KNOWN_METRICS {
            for source in known.sources {
                assert_eq!(said(&format!("{}@{source}", known.subject())), "");
            }
            let other = said(&format!("{}@orders_raw", known.subject()));
            assert!(!other.is_empty(), "{}", known.subject());
        }
        assert_eq!(
            said("dq.freshness_sec@user_wallets"),
            "rule r (dq.freshness_sec@user_wallets) is malformed: user_wallets is no source of dq.freshness_sec; its sources are \
             transaction_ledger_raw, user_wallets_raw, payment_orders_raw; is user_wallets_raw meant?"
        );
        assert!(
            said("dq.dup_rate_tx_id@payment_orders_raw").contains("its sources are transaction_ledger_raw")
        );
        assert!(said("ledger.drift_abs@user_wallets_raw").contains("is one for all sources"));
        assert_eq!(
            said("dq.freshnes_sec@user_wallets_raw"),
            "",
            "a metric of another program, perhaps"
        );
    }

    #[test]
    fn each_fault_is_named() {
        let with = |change: fn(&mut Rule)| {
            let mut r = rule("r", "dq.x", 1.0);
            change(&mut r);
            r.check().err().map(|e| e.to_string()).unwrap_or_default()
        };
        assert_eq!(with(|_| ()), "");
        assert!(with(|r| r.rule_id = "A b".into()).contains("rule_id must be"));
        assert!(with(|r| r.metric = "x@".into()).contains("source of the metric"));
        assert!(with(|r| r.threshold = Some(f64::INFINITY)).contains("threshold is inf"));
        assert!(with(|r| r.threshold = Some(-0.5)).contains("threshold is -0.5"));
        assert!(
            with(|r| {
                r.severity_map.insert("warn".into(), 2.0);
            })
            .contains("warn 2 is above crit 1")
        );
        assert!(
            with(|r| {
                r.severity_map.insert("critical".into(), 2.0);
            })
            .contains("not critical")
        );
        assert!(
            with(|r| {
                r.threshold = None;
                r.severity_map.clear();
            })
            .contains("neither")
        );
        assert!(with(|r| r.allowed_values = vec!["P".into(), "Q".into(), "P".into()]).contains("P twice"));
        assert!(with(|r| r.allowed_values = vec!["\u{3000}".into()]).contains("blank"));
    }
}
