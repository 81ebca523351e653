//! The rules in force at an instant.

use std::collections::BTreeMap;

use nsc_core::UtcMicros;

use super::{KNOWN_METRICS, KnownMetric, Rule, RuleError, RuleVersion};

/// What was in force at one instant, by domain and metric.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSet {
    as_of: UtcMicros,
    by_subject: BTreeMap<String, Rule>,
}

impl RuleSet {
    /// As an instant, asks for the current versions: they are the ones without an end.
    pub const END_OF_TIME: UtcMicros = UtcMicros::new(i64::MAX);

    /// The current versions.
    ///
    /// # Errors
    /// When two versions of one metric are.
    pub fn current(versions: &[RuleVersion]) -> Result<Self, RuleError> {
        Self::as_of(versions, Self::END_OF_TIME)
    }

    /// The versions in force at `as_of`.
    ///
    /// # Errors
    /// When two versions of one metric are.
    pub fn as_of(versions: &[RuleVersion], as_of: UtcMicros) -> Result<Self, RuleError> {
        let mut by_subject: BTreeMap<String, Rule> = BTreeMap::new();
        for version in versions.iter().filter(|v| v.in_force_at(as_of)) {
            let subject = version.rule.subject();
            if let Some(other) = by_subject.insert(subject.clone(), version.rule.clone()) {
                let second = version.rule.rule_id.clone();
                return Err(RuleError::Ambiguous {
                    subject,
                    as_of,
                    first: other.rule_id,
                    second,
                });
            }
        }
        Ok(Self { as_of, by_subject })
    }

    /// The instant the set speaks of.
    #[must_use]
    pub fn instant(&self) -> UtcMicros {
        self.as_of
    }

    /// Every rule in force, by `domain.metric`.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.by_subject.values()
    }

    /// The rule of a metric; the one for `source` (`metric@source`) before the general one.
    ///
    /// # Errors
    /// When neither is in force.
    pub fn for_metric(&self, domain: &str, metric: &str, source: Option<&str>) -> Result<&Rule, RuleError> {
        let general = format!("{domain}.{metric}");
        let special = source.map(|s| format!("{general}@{s}"));
        special
            .as_ref()
            .and_then(|s| self.by_subject.get(s))
            .or_else(|| self.by_subject.get(&general))
            .ok_or_else(|| RuleError::Missing {
                subject: special.unwrap_or(general),
                as_of: self.as_of,
            })
    }

    /// The rule of a metric that may have none (`RuleShape::may_be_empty`).
    #[must_use]
    pub fn optional(&self, domain: &str, metric: &str) -> Option<&Rule> {
        self.by_subject.get(&format!("{domain}.{metric}"))
    }

    /// The metrics a pipeline needs a rule for and has none.
    pub fn missing(&self) -> impl Iterator<Item = &'static KnownMetric> {
        let needed = KNOWN_METRICS.iter().filter(|k| k.is_needed());
        needed.filter(|k| self.for_metric(k.domain, k.metric, None).is_err())
    }

    /// Everything a run would stumble over: metrics without a rule, rules that cannot answer. Empty when all is well.
    #[must_use]
    pub fn problems(&self) -> Vec<RuleError> {
        let mut found = Vec::new();
        for known in self.missing() {
            found.extend(self.for_metric(known.domain, known.metric, None).err());
        }
        for rule in self.iter() {
            found.extend(rule.cannot_answer());
        }
        found.extend(self.contradictions().into_iter().map(|c| c.error));
        found
    }
}

#[cfg(test)]
mod tests {
    use nsc_core::UtcMicros;

    use super::super::definition::tests::rule;
    use super::super::{RuleVersion, default_rules};
    use super::RuleSet;

    fn version(id: &str, subject: &str, from: i64, to: Option<i64>) -> RuleVersion {
        RuleVersion {
            rule: rule(id, subject, 1.0),
            effective_start: UtcMicros::new(from),
            effective_end: to.map(UtcMicros::new),
            is_current: to.is_none(),
        }
    }

    #[test]
    fn a_lookup_finds_the_version_of_its_instant() {
        let versions = [
            version("v1", "dq.x", 10, Some(20)),
            version("v2", "dq.x", 20, None),
        ];
        let at = |t| {
            let set = RuleSet::as_of(&versions, UtcMicros::new(t)).unwrap();
            set.for_metric("dq", "x", None)
                .map(|r| r.rule_id.clone())
                .map_err(|e| e.to_string())
        };
        assert_eq!(at(19).as_deref(), Ok("v1"));
        assert_eq!(at(20).as_deref(), Ok("v2"));
        assert_eq!(
            at(9).unwrap_err(),
            "no rule for dq.x is in force at 1970-01-01T00:00:00.000009Z"
        );
    }

    #[test]
    fn a_source_has_its_own_rule_or_the_general_one() {
        let versions = [
            version("g", "dq.x", 0, None),
            version("w", "dq.x@wallets", 0, None),
        ];
        let set = RuleSet::as_of(&versions, UtcMicros::new(1)).unwrap();
        let id = |source| set.for_metric("dq", "x", source).unwrap().rule_id.as_str();
        assert_eq!(
            [id(None), id(Some("wallets")), id(Some("ledger"))],
            ["g", "w", "g"]
        );
        assert!(
            set.for_metric("dq", "y", Some("s"))
                .unwrap_err()
                .to_string()
                .contains("dq.y@s")
        );
    }

    #[test]
    fn two_in_force_are_never_chosen_between() {
        let versions = [version("a", "dq.x", 0, None), version("b", "dq.x", 5, None)];
        assert!(RuleSet::as_of(&versions, UtcMicros::new(4)).is_ok());
        assert!(RuleSet::as_of(&versions, UtcMicros::new(5)).is_err());
    }

    #[test]
    fn the_current_ones_are_those_without_an_end() {
        let versions = [
            version("v1", "dq.x", 10, Some(20)),
            version("v2", "dq.x", 20, None),
        ];
        let set = RuleSet::current(&versions).unwrap();
        assert_eq!(set.for_metric("dq", "x", None).unwrap().rule_id, "v2");
        assert_eq!(
            set.for_metric("dq", "y", None).unwrap_err().to_string(),
            "no rule for dq.y is in force"
        );
    }

    #[test]
    fn the_shipped_rules_answer_every_lookup_and_none_is_without_use() {
        let opened = default_rules().unwrap().into_iter().map(|rule| RuleVersion {
            rule,
            effective_start: UtcMicros::new(0),
            effective_end: None,
            is_current: true,
        });
        let set = RuleSet::as_of(&opened.collect::<Vec<_>>(), UtcMicros::new(0)).unwrap();
        assert_eq!(set.problems(), []);
        assert_eq!(set.warnings(), [""; 0]);
        let needed = super::KNOWN_METRICS.iter().filter(|k| k.is_needed()).count();
        let none = RuleSet::as_of(&[], UtcMicros::new(0)).unwrap();
        assert_eq!((none.problems().len(), none.missing().count()), (needed, needed));
    }
}
