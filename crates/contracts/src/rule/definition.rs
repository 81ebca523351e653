//! One rule, and what makes two definitions equal.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::FieldChange;

/// One rule as the rules file and a row of `gold.dim_rule_scd2` state it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rule {
    /// Names one immutable definition.
    pub rule_id: String,
    /// `dq`, `silver`, `ledger` or `ops`.
    pub domain: String,
    /// The metric, or `metric@source` for one source.
    pub metric: String,
    /// Threshold, where the metric has one.
    pub threshold: Option<f64>,
    /// `warn`, `crit`, `fail` to threshold.
    pub severity_map: BTreeMap<String, f64>,
    /// Allowed values, where the rule is a set.
    pub allowed_values: Vec<String>,
    /// What the rule is for; not part of the definition.
    pub comment: Option<String>,
    /// Where it was read, for errors; not part of the definition, and not stored.
    #[serde(skip)]
    pub place: Option<Place>,
}

/// Where a rules file has a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Name of the file.
    pub file: String,
    /// `line 3`, or `rule 2 of the file` where rules have no line of their own.
    pub at: String,
}

impl Rule {
    /// `domain.metric`, the name operators and errors use.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("{}.{}", self.domain, self.metric)
    }

    /// The metric without a source, and the source it is for alone.
    #[must_use]
    pub fn metric_and_source(&self) -> (&str, Option<&str>) {
        match self.metric.split_once('@') {
            Some((metric, source)) => (metric, Some(source)),
            None => (&self.metric, None),
        }
    }

    /// Whether both judge the same thing in the same way, under whichever id and comment.
    ///
    /// Allowed values are a set: their order says nothing.
    #[must_use]
    pub fn same_definition(&self, other: &Self) -> bool {
        self.changes_to(other).is_empty()
    }

    /// What differs in the definition, field by field, from this rule to `other`.
    #[must_use]
    pub fn changes_to(&self, other: &Self) -> Vec<FieldChange> {
        let mut changes = Vec::new();
        let mut note = |field: &str, from: String, to: String| {
            if from != to {
                changes.push(FieldChange {
                    field: field.to_owned(),
                    from,
                    to,
                });
            }
        };
        note("domain", self.domain.clone(), other.domain.clone());
        note("metric", self.metric.clone(), other.metric.clone());
        note("threshold", number(self.threshold), number(other.threshold));
        let names: BTreeSet<&String> = self
            .severity_map
            .keys()
            .chain(other.severity_map.keys())
            .collect();
        for name in names {
            let level = |rule: &Self| number(rule.severity_map.get(name).copied());
            note(&format!("severity_map.{name}"), level(self), level(other));
        }
        note(
            "allowed_values",
            set_text(&self.allowed_values),
            set_text(&other.allowed_values),
        );
        changes
    }
}

/// The shortest text that reads back as the same number; `-0` is `0`, absent is a dash.
fn number(value: Option<f64>) -> String {
    value.map_or_else(
        || "-".to_owned(),
        |v| if v == 0.0 { "0".to_owned() } else { v.to_string() },
    )
}

fn set_text(values: &[String]) -> String {
    let set: BTreeSet<&str> = values.iter().map(String::as_str).collect();
    if set.is_empty() {
        "-".to_owned()
    } else {
        format!("{set:?}")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::Rule;

    /// A rule with a threshold alone.
    pub(crate) fn rule(rule_id: &str, subject: &str, threshold: f64) -> Rule {
        let (domain, metric) = subject.split_once('.').unwrap();
        Rule {
            rule_id: rule_id.to_owned(),
            domain: domain.to_owned(),
            metric: metric.to_owned(),
            threshold: Some(threshold),
            severity_map: [("crit".to_owned(), threshold)].into(),
            allowed_values: Vec::new(),
            comment: None,
            place: None,
        }
    }

    #[test]
    fn order_of_values_comment_and_id_are_no_change() {
        let mut a = rule("a", "dq.x", 0.0);
        a.allowed_values = vec!["P".into(), "Q".into()];
        let mut b = a.clone();
        b.rule_id = "b".into();
        b.comment = Some("why".into());
        b.threshold = Some(-0.0);
        b.allowed_values.reverse();
        assert!(a.same_definition(&b));
    }

    #[test]
    fn every_field_of_the_definition_is_compared() {
        let a = rule("a", "dq.x", 1.0);
        let mut b = rule("a", "ops.y", 2.5);
        b.allowed_values = vec!["P".into()];
        b.severity_map.insert("warn".into(), 1.0);
        let shown: Vec<String> = a.changes_to(&b).iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "domain: dq -> ops",
                "metric: x -> y",
                "threshold: 1 -> 2.5",
                "severity_map.crit: 1 -> 2.5",
                "severity_map.warn: - -> 1",
                "allowed_values: - -> {\"P\"}",
            ]
        );
    }
}
