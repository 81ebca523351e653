//! `sync_rules`: the rules file into `gold.dim_rule_scd2`, as SCD2.

use std::time::Instant;

use async_trait::async_trait;
use nsc_contracts::rule::{KnownMetric, Rule, RuleError, RuleSet, RuleVersion, default_rules, plan_sync};
use nsc_lake::session;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::pipeline::{Extent, Pipeline};
use crate::{Period, PipelineError, RunContext, RunReport};

/// The rules sync, with the wanted rules.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncRules(pub RuleSource);

#[async_trait]
impl Pipeline for SyncRules {
    fn name(&self) -> &'static str {
        "sync_rules"
    }

    fn follows_from_sources(&self) -> bool {
        false
    }

    async fn run(
        &self,
        run: &RunContext,
        _: Period,
        _: Extent,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        let begun = Instant::now();
        let done = sync_rules(run, &self.0, false).await?;
        let rows = done.unchanged as u64 + done.opened.len() as u64;
        report.step("sync rules", begun, rows, 0);
        report.rules = Some(done);
        Ok(())
    }
}

/// What a sync did.
#[derive(Debug, Clone, Default, JsonSchema, Serialize)]
pub struct SyncReport {
    /// Rules that came into force.
    pub opened: Vec<String>,
    /// Rules that went out of force.
    pub closed: Vec<String>,
    /// Rules of the file that were in force already.
    pub unchanged: usize,
    /// `domain.metric` that a pipeline needs a rule for and, after the sync, has none.
    pub missing: Vec<String>,
    /// What is in force after the sync and most likely not meant: rules that no pipeline looks up, words nothing matches.
    pub warnings: Vec<String>,
}

/// Which rules a chain syncs.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleSource {
    /// A file: it is synced whole.
    File(Vec<Rule>),
    /// A file, and the shipped rule for every metric that has none in it nor is stored with one.
    Filled(Vec<Rule>),
    /// The shipped rules: only metrics that have no rule yet get one, so what operators have set stays.
    Shipped(Vec<Rule>),
}

impl RuleSource {
    /// The rules to sync, given what is stored.
    ///
    /// # Errors
    /// Never in a released build: the shipped rules are read by a test.
    fn wanted(&self, stored: &[RuleVersion]) -> Result<Vec<Rule>, RuleError> {
        let has_rule = |rule: &Rule| {
            stored
                .iter()
                .any(|v| v.is_current && v.rule.subject() == rule.subject())
        };
        Ok(match self {
            Self::File(rules) => rules.clone(),
            Self::Filled(rules) => {
                let in_file = |shipped: &Rule| {
                    let same = |r: &Rule| r.subject() == shipped.subject() || r.rule_id == shipped.rule_id;
                    rules.iter().any(same)
                };
                let filled = default_rules()?
                    .into_iter()
                    .filter(|shipped| !has_rule(shipped) && !in_file(shipped));
                rules.iter().cloned().chain(filled).collect()
            }
            Self::Shipped(rules) => {
                let has_id = |rule: &Rule| {
                    stored
                        .iter()
                        .any(|v| v.is_current && v.rule.rule_id == rule.rule_id)
                };
                rules
                    .iter()
                    .filter(|r| !has_rule(r) || has_id(r))
                    .filter(|r| !is_overridden(r, stored))
                    .cloned()
                    .collect()
            }
        })
    }
}

/// Whether the shipped rule's id is in force with another definition (stored by an operator).
fn is_overridden(rule: &Rule, stored: &[RuleVersion]) -> bool {
    stored
        .iter()
        .any(|v| v.rule.rule_id == rule.rule_id && !v.rule.same_definition(rule))
}

/// When a change of the rules takes effect, in the metadata of its commit.
pub const EFFECTIVE: &str = "effective";
/// Who changed the rules, likewise.
pub const ACTOR: &str = "actor";
/// Why, likewise.
pub const REASON: &str = "reason";

/// What stands with a change of the rules: who, why, from when, with which program.
fn metadata(run: &RunContext) -> Vec<(String, Value)> {
    let optional = [
        (ACTOR, run.invocation.invoked_by.as_deref()),
        (REASON, run.invocation.reason.as_deref()),
        ("version", Some(env!("CARGO_PKG_VERSION"))),
    ];
    let optional = optional
        .into_iter()
        .filter_map(|(name, text)| Some((name.to_owned(), text?.into())));
    let mut said = run.commit_metadata();
    said.extend(optional);
    said.push((EFFECTIVE.to_owned(), run.now.to_string().into()));
    said
}

/// Syncs the wanted rules; a second sync of the same rules changes nothing.
///
/// # Errors
/// A malformed rule, a changed definition under its id (unless `bump`), storage errors.
pub async fn sync_rules(
    run: &RunContext,
    source: &RuleSource,
    bump: bool,
) -> Result<SyncReport, PipelineError> {
    let ctx = session(&run.settings.session)?;
    let report = std::sync::Mutex::new(SyncReport::default());
    run.lake
        .change_rules(
            &ctx,
            metadata(run),
            |stored| -> Result<Option<Vec<RuleVersion>>, PipelineError> {
                let plan = plan_sync(stored, &source.wanted(stored)?, run.now, bump)?;
                let after = plan.applied(stored);
                // Of a table where two rules of a metric are in force nothing can be said; a run will.
                let set = RuleSet::current(&after).ok();
                if let Some(problem) = set.as_ref().and_then(|set| plan.problems(set).into_iter().next()) {
                    return Err(problem.into());
                }
                let ids =
                    |versions: &[RuleVersion]| versions.iter().map(|v| v.rule.rule_id.clone()).collect();
                if let Ok(mut report) = report.lock() {
                    *report = SyncReport {
                        opened: ids(&plan.open),
                        closed: ids(&plan.close),
                        unchanged: plan.unchanged,
                        missing: set
                            .iter()
                            .flat_map(|set| set.missing().map(KnownMetric::subject))
                            .collect(),
                        warnings: set.iter().flat_map(RuleSet::warnings).collect(),
                    };
                }
                Ok((!plan.is_empty()).then_some(after))
            },
        )
        .await?;
    Ok(report.into_inner().unwrap_or_default())
}
