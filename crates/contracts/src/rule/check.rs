//! What every single rule must satisfy, wherever it came from.

use super::set::known_metric;
use super::{Rule, RuleError};

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
        let (metric, source) = match self.metric.split_once('@') {
            Some((metric, source)) => (metric, Some(source)),
            None => (self.metric.as_str(), None),
        };
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
        let may_be_empty = known_metric(self).is_some_and(|k| k.shape.may_be_empty());
        let says_nothing =
            self.threshold.is_none() && self.severity_map.is_empty() && self.allowed_values.is_empty();
        if says_nothing && !may_be_empty {
            return Some("it has neither threshold, severity_map nor allowed_values".to_owned());
        }
        self.problem_of_values()
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
