//! The sync as examples, and its laws under arbitrary histories.

use std::collections::BTreeMap;

use nsc_core::UtcMicros;
use proptest::prelude::*;

use super::super::definition::tests::rule;
use super::super::{Rule, RuleError, RuleSet, RuleVersion};
use super::{SyncPlan, plan_sync};

fn at(t: i64) -> UtcMicros {
    UtcMicros::new(t)
}

/// What the table holds after a plan: rows are upserted by rule id.
fn applied(stored: &[RuleVersion], plan: &SyncPlan) -> Vec<RuleVersion> {
    let mut by_id: BTreeMap<String, RuleVersion> = stored
        .iter()
        .map(|v| (v.rule.rule_id.clone(), v.clone()))
        .collect();
    for row in plan.rows() {
        by_id.insert(row.rule.rule_id.clone(), row.clone());
    }
    by_id.into_values().collect()
}

fn synced(stored: &[RuleVersion], wanted: &[Rule], t: i64, bump: bool) -> Vec<RuleVersion> {
    applied(stored, &plan_sync(stored, wanted, at(t), bump).unwrap())
}

fn shown(versions: &[RuleVersion]) -> Vec<String> {
    let end = |v: &RuleVersion| {
        v.effective_end
            .map_or("..".to_owned(), |e| e.micros().to_string())
    };
    versions
        .iter()
        .map(|v| {
            format!(
                "{} {}-{} {}",
                v.rule.rule_id,
                v.effective_start.micros(),
                end(v),
                v.is_current
            )
        })
        .collect()
}

#[test]
fn a_new_id_takes_over_its_metric() {
    let stored = synced(
        &[],
        &[rule("x_v1", "dq.x", 1.0), rule("y", "dq.y", 1.0)],
        10,
        false,
    );
    let stored = synced(&stored, &[rule("x_v2", "dq.x", 2.0)], 20, false);
    assert_eq!(
        shown(&stored),
        ["x_v1 10-20 false", "x_v2 20-.. true", "y 10-.. true"]
    );
}

#[test]
fn a_second_sync_changes_nothing() {
    let file = super::super::default_rules().unwrap();
    let stored = synced(&[], &file, 10, false);
    let plan = plan_sync(&stored, &file, at(20), false).unwrap();
    assert!(plan.is_empty());
    assert_eq!(plan.unchanged, file.len());
}

#[test]
fn a_changed_definition_under_its_id_shows_the_difference() {
    let stored = synced(&[], &[rule("x", "dq.x", 1.0)], 10, false);
    let error = plan_sync(&stored, &[rule("x", "dq.x", 2.0)], at(20), false).unwrap_err();
    let RuleError::Changed { changes, .. } = &error else {
        panic!("{error:?}")
    };
    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["threshold: 1 -> 2", "severity_map.crit: 1 -> 2"]);
}

#[test]
fn a_bump_stores_the_next_id_once() {
    let stored = synced(&[], &[rule("x_default", "dq.x", 1.0)], 10, false);
    let changed = [rule("x_default", "dq.x", 2.0)];
    let plan = plan_sync(&stored, &changed, at(20), true).unwrap();
    assert_eq!(
        plan.bumped,
        [("x_default".to_owned(), "x_default_v2".to_owned())].into()
    );
    let stored = applied(&stored, &plan);
    assert_eq!(
        shown(&stored),
        ["x_default 10-20 false", "x_default_v2 20-.. true"]
    );
    for bump in [true, false] {
        assert!(plan_sync(&stored, &changed, at(30), bump).unwrap().is_empty());
    }
    let stored = synced(&stored, &[rule("x_default", "dq.x", 3.0)], 30, true);
    assert_eq!(
        shown(&stored),
        [
            "x_default 10-20 false",
            "x_default_v2 20-30 false",
            "x_default_v3 30-.. true"
        ]
    );
}

#[test]
fn a_closed_id_is_not_opened_again() {
    let stored = synced(&[], &[rule("x_v1", "dq.x", 1.0)], 10, false);
    let stored = synced(&stored, &[rule("x_v2", "dq.x", 2.0)], 20, false);
    let back = [rule("x_v1", "dq.x", 1.0)];
    let error = plan_sync(&stored, &back, at(30), false).unwrap_err();
    assert_eq!(
        error,
        RuleError::Closed {
            rule_id: "x_v1".into(),
            closed_at: at(20)
        }
    );
    assert_eq!(
        shown(&synced(&stored, &back, 30, true)),
        ["x_v1 10-20 false", "x_v2 20-30 false", "x_v3 30-.. true"]
    );
}

#[test]
fn a_rule_never_moves_to_another_metric_under_its_id() {
    let stored = synced(&[], &[rule("x", "dq.x", 1.0)], 10, false);
    assert!(matches!(
        plan_sync(&stored, &[rule("x", "dq.y", 1.0)], at(20), false),
        Err(RuleError::Changed { .. })
    ));
    assert_eq!(
        shown(&synced(&stored, &[rule("x", "dq.y", 1.0)], 20, true)),
        ["x 10-.. true", "x_v2 20-.. true"]
    );
}

#[test]
fn a_sync_does_not_write_before_the_history() {
    let stored = synced(&[], &[rule("x_v1", "dq.x", 1.0)], 10, false);
    let error = plan_sync(&stored, &[rule("x_v2", "dq.x", 2.0)], at(9), false).unwrap_err();
    assert!(matches!(error, RuleError::TimeBeforeHistory { .. }));
    assert!(
        plan_sync(&stored, &[rule("x_v1", "dq.x", 1.0)], at(9), false)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn one_sync_has_one_rule_per_metric() {
    let twice = [rule("a", "dq.x", 1.0), rule("b", "dq.x", 1.0)];
    assert!(matches!(
        plan_sync(&[], &twice, at(1), false),
        Err(RuleError::Duplicate { .. })
    ));
}

#[test]
fn numbers_of_a_family() {
    use super::family_and_number as f;
    assert_eq!(
        [f("a_v2"), f("a"), f("a_v02"), f("_v2"), f("a_v2_v3"), f("a_vx")],
        [
            ("a", 2),
            ("a", 1),
            ("a_v02", 1),
            ("_v2", 1),
            ("a_v2", 3),
            ("a_vx", 1)
        ]
    );
}

/// One file of a history: ids and metrics from small sets, so that they meet often.
fn file() -> impl Strategy<Value = Vec<Rule>> {
    let one = (0..4_usize, 0..3_usize, 0..3_u8);
    prop::collection::vec(one, 1..4).prop_map(|picked| {
        let mut rules: Vec<Rule> = Vec::new();
        for (id, metric, value) in picked {
            let new = rule(
                ["a", "a_v2", "b", "c_v7"][id],
                ["dq.x", "dq.y", "ops.x"][metric],
                f64::from(value),
            );
            if rules
                .iter()
                .all(|r| r.rule_id != new.rule_id && r.subject() != new.subject())
            {
                rules.push(new);
            }
        }
        rules
    })
}

proptest! {
    #[test]
    fn every_history_keeps_the_laws(files in prop::collection::vec((file(), any::<bool>(), 0..3_i64), 1..12)) {
        let mut stored: Vec<RuleVersion> = Vec::new();
        let mut now = 0;
        for (wanted, bump, step) in files {
            now += step;
            let Ok(plan) = plan_sync(&stored, &wanted, at(now), bump) else {
                prop_assert!(!bump, "a bump always finds a way");
                continue;
            };
            let before = stored.clone();
            stored = applied(&stored, &plan);
            // What was stored is never redefined, only closed.
            for old in &before {
                let kept = stored.iter().find(|v| v.rule.rule_id == old.rule.rule_id).unwrap();
                prop_assert_eq!(&kept.rule, &old.rule);
                prop_assert_eq!(kept.effective_start, old.effective_start);
                prop_assert!(old.is_current || kept == old);
            }
            // Everything wanted is in force as wanted.
            let set = RuleSet::as_of(&stored, at(now)).unwrap();
            for rule in &wanted {
                let found = set.for_metric(&rule.domain, &rule.metric, None).unwrap();
                prop_assert!(found.same_definition(rule));
            }
            // A second sync changes nothing.
            prop_assert!(plan_sync(&stored, &wanted, at(now + 1), bump).unwrap().is_empty());
            laws_of(&stored)?;
        }
    }
}

/// One current version per metric, and no two of a metric overlap.
fn laws_of(stored: &[RuleVersion]) -> Result<(), TestCaseError> {
    for (i, a) in stored.iter().enumerate() {
        prop_assert_eq!(a.is_current, a.effective_end.is_none());
        for b in stored
            .iter()
            .skip(i + 1)
            .filter(|b| b.rule.subject() == a.rule.subject())
        {
            prop_assert!(!(a.is_current && b.is_current));
            let ends_before =
                |x: &RuleVersion, y: &RuleVersion| x.effective_end.is_some_and(|e| e <= y.effective_start);
            prop_assert!(ends_before(a, b) || ends_before(b, a), "{:?} {:?}", a, b);
        }
    }
    Ok(())
}
