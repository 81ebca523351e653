//! `sync_rules`: the rules file into `gold.dim_rule_scd2`, as SCD2.

use nsc_contracts::rule::{Rule, RuleVersion, plan_sync};
use nsc_lake::session;
use serde::Serialize;

use crate::{PipelineError, RunContext};

/// What a sync did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SyncReport {
    /// Rules that came into force.
    pub opened: Vec<String>,
    /// Rules that went out of force.
    pub closed: Vec<String>,
    /// Rules of the file that were in force already.
    pub unchanged: usize,
}

/// Syncs the wanted rules; a second sync of the same rules changes nothing.
///
/// # Errors
/// A malformed rule, a changed definition under its id (unless `bump`), storage errors.
pub async fn sync_rules(run: &RunContext, wanted: &[Rule], bump: bool) -> Result<SyncReport, PipelineError> {
    let ctx = session(&run.settings.session)?;
    let report = std::sync::Mutex::new(SyncReport::default());
    run.lake
        .change_rules(&ctx, |stored| -> Result<Option<Vec<RuleVersion>>, PipelineError> {
            let plan = plan_sync(stored, wanted, run.now, bump)?;
            let ids = |versions: &[RuleVersion]| versions.iter().map(|v| v.rule.rule_id.clone()).collect();
            if let Ok(mut report) = report.lock() {
                *report = SyncReport { opened: ids(&plan.open), closed: ids(&plan.close), unchanged: plan.unchanged };
            }
            if plan.is_empty() {
                return Ok(None);
            }
            let replaced = |v: &&RuleVersion| !plan.close.iter().any(|c| c.rule.rule_id == v.rule.rule_id && c.effective_start == v.effective_start);
            Ok(Some(stored.iter().filter(replaced).chain(plan.rows()).cloned().collect()))
        })
        .await?;
    Ok(report.into_inner().unwrap_or_default())
}
