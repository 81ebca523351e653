//! What a sync of a rules file changes: slowly changing dimension, type 2.
//!
//! Decisions, where the contract leaves room:
//! * Rules absent from the file stay in force: a file may hold only what one team changes, and a rule that
//!   vanished would stop every pipeline that needs it.
//! * A rule under a new id takes over its domain and metric: the version in force is closed, also when both
//!   definitions are equal (the operator renamed it).
//! * With `bump`, a changed definition is stored under the next free `_vN` of its id. Syncing the same file again
//!   finds that version in force and changes nothing, with or without `bump`.
//! * A comment is not part of the definition: editing it alone changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use nsc_core::UtcMicros;
use serde::Serialize;

use super::{Rule, RuleError, RuleSet, RuleVersion};

/// The rows a sync writes; all of them or none.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SyncPlan {
    /// Versions that go out of force, with their new end.
    pub close: Vec<RuleVersion>,
    /// Versions that come into force.
    pub open: Vec<RuleVersion>,
    /// Rules of the file that are in force already.
    pub unchanged: usize,
    /// Ids that were bumped, from the file's to the stored one.
    pub bumped: BTreeMap<String, String>,
}

impl SyncPlan {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.close.is_empty() && self.open.is_empty()
    }

    /// What is stored once the plan is done.
    #[must_use]
    pub fn applied(&self, stored: &[RuleVersion]) -> Vec<RuleVersion> {
        let is_closed = |v: &&RuleVersion| {
            self.close
                .iter()
                .any(|c| c.rule.rule_id == v.rule.rule_id && c.effective_start == v.effective_start)
        };
        let kept = stored.iter().filter(|v| !is_closed(v));
        kept.chain(self.rows()).cloned().collect()
    }

    /// What the opened rules would bring: rules that could not answer what a pipeline will ask, and words that contradict
    /// those of another rule in force `after` the plan. Stored, they would close good ones and stop every run.
    #[must_use]
    pub fn problems(&self, after: &RuleSet) -> Vec<RuleError> {
        let is_opened = |rule: &&Rule| self.open.iter().any(|v| v.rule.rule_id == rule.rule_id);
        let alone = self.open.iter().filter_map(|v| v.rule.cannot_answer());
        let together = after.contradictions().into_iter();
        let together = together
            .filter(|c| c.rules.iter().any(is_opened))
            .map(|c| c.error);
        alone.chain(together).collect()
    }

    /// The rows to upsert by `rule_id`.
    pub fn rows(&self) -> impl Iterator<Item = &RuleVersion> {
        self.close.iter().chain(&self.open)
    }
}

/// What syncing `wanted` at `now` does to the stored versions `stored` (all of them, closed ones too).
///
/// # Errors
/// A malformed or repeated wanted rule; without `bump`, a changed definition under a stored id or a closed id;
/// a `now` before the history of a metric it would change.
pub fn plan_sync(
    stored: &[RuleVersion],
    wanted: &[Rule],
    now: UtcMicros,
    bump: bool,
) -> Result<SyncPlan, RuleError> {
    let mut history = History::new(stored, wanted);
    let mut plan = SyncPlan::default();
    let mut subjects = BTreeSet::new();
    for rule in wanted {
        rule.check()?;
        if !subjects.insert(rule.subject()) {
            return Err(repeated(wanted, rule));
        }
        match history.step_for(rule, bump)? {
            Step::Keep => plan.unchanged += 1,
            Step::Open(opened) => {
                let opened = *opened;
                history.refuse_time_before(&opened, now)?;
                if let Some(closed) = history.current_of(&opened) {
                    plan.close.push(RuleVersion {
                        effective_end: Some(now),
                        is_current: false,
                        ..closed.clone()
                    });
                }
                if opened.rule_id != rule.rule_id {
                    plan.bumped.insert(rule.rule_id.clone(), opened.rule_id.clone());
                }
                plan.open.push(RuleVersion {
                    rule: opened,
                    effective_start: now,
                    effective_end: None,
                    is_current: true,
                });
            }
        }
    }
    Ok(plan)
}

fn repeated(wanted: &[Rule], rule: &Rule) -> RuleError {
    let mut same = wanted
        .iter()
        .filter(|r| r.subject() == rule.subject())
        .map(|r| r.rule_id.clone());
    RuleError::Duplicate {
        file: "to sync".to_owned(),
        what: format!("the metric {}", rule.subject()),
        first: same.next().unwrap_or_default(),
        second: same.next().unwrap_or_default(),
    }
}

enum Step {
    Keep,
    Open(Box<Rule>),
}

struct History<'a> {
    stored: &'a [RuleVersion],
    /// Every id that is taken: stored, wanted, or handed out by a bump.
    taken: BTreeSet<String>,
}

impl<'a> History<'a> {
    fn new(stored: &'a [RuleVersion], wanted: &[Rule]) -> Self {
        let ids = stored
            .iter()
            .map(|v| &v.rule)
            .chain(wanted)
            .map(|r| r.rule_id.clone());
        Self {
            stored,
            taken: ids.collect(),
        }
    }

    fn step_for(&mut self, rule: &Rule, bump: bool) -> Result<Step, RuleError> {
        let Some(known) = self.stored.iter().find(|v| v.rule.rule_id == rule.rule_id) else {
            return Ok(Step::Open(Box::new(rule.clone())));
        };
        if known.is_current && known.rule.same_definition(rule) {
            return Ok(Step::Keep);
        }
        // The file still names the id an earlier bump moved on from.
        let moved_on = |c: &&RuleVersion| {
            family(&c.rule.rule_id) == family(&rule.rule_id) && c.rule.same_definition(rule)
        };
        if self.current_of(rule).filter(moved_on).is_some() {
            return Ok(Step::Keep);
        }
        if bump {
            return Ok(Step::Open(Box::new(Rule {
                rule_id: self.next_id(&rule.rule_id),
                ..rule.clone()
            })));
        }
        let rule_id = rule.rule_id.clone();
        let changes = known.rule.changes_to(rule);
        Err(match known.effective_end {
            Some(closed_at) if changes.is_empty() => RuleError::Closed { rule_id, closed_at },
            _ => RuleError::Changed { rule_id, changes },
        })
    }

    fn current_of(&self, rule: &Rule) -> Option<&'a RuleVersion> {
        self.stored
            .iter()
            .find(|v| v.is_current && v.rule.domain == rule.domain && v.rule.metric == rule.metric)
    }

    /// The metric's history must end at or before `now`, or its intervals would overlap.
    fn refuse_time_before(&self, rule: &Rule, now: UtcMicros) -> Result<(), RuleError> {
        let of_metric = self
            .stored
            .iter()
            .filter(|v| v.rule.domain == rule.domain && v.rule.metric == rule.metric);
        let latest = of_metric
            .map(|v| v.effective_end.unwrap_or(v.effective_start))
            .max();
        match latest {
            Some(latest) if latest > now => Err(RuleError::TimeBeforeHistory {
                subject: rule.subject(),
                latest,
                now,
            }),
            _ => Ok(()),
        }
    }

    fn next_id(&mut self, rule_id: &str) -> String {
        let (base, _) = family_and_number(rule_id);
        let highest = self
            .taken
            .iter()
            .map(|id| family_and_number(id))
            .filter(|(b, _)| *b == base)
            .map(|(_, n)| n)
            .max();
        let id = format!("{base}_v{}", highest.unwrap_or(1) + 1);
        self.taken.insert(id.clone());
        id
    }
}

/// `name_v3` is number 3 of `name`; `name` alone is number 1.
fn family_and_number(rule_id: &str) -> (&str, u64) {
    match rule_id.rsplit_once("_v") {
        Some((base, n)) if !base.is_empty() => match n.parse() {
            // Not `_v03` or `_v0`: those are names of their own.
            Ok(number) if number > 0 && number < u64::MAX && !n.starts_with(['0', '+']) => (base, number),
            _ => (rule_id, 1),
        },
        _ => (rule_id, 1),
    }
}

fn family(rule_id: &str) -> &str {
    family_and_number(rule_id).0
}

#[cfg(test)]
#[path = "sync_tests.rs"]
mod tests;
