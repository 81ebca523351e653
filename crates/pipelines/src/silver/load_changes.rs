//! The loads whose state was changed since Silver last took note: what it has to do about them.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::prelude::SessionContext;
use nsc_lake::{LoadStates, PipelineStates};

use crate::gate::SILVER;
use crate::loads::TakenBack;
use crate::{PipelineError, RunContext, RunReport};

/// The version of `ops.load` whose retractions are carried out, among `input_versions`. Any run does that.
const RETRACTIONS: &str = LoadStates::SEEN;
/// That whose restored loads are taken up again: a scheduled run takes them with the late rows.
const RESTORATIONS: &str = "ops.load restored";

/// What is retracted, and what was retracted or restored since the last success.
#[derive(Debug, Default)]
pub(super) struct LoadChanges {
    states: LoadStates,
    retracted: BTreeSet<String>,
    restored: BTreeSet<String>,
}

impl LoadChanges {
    pub(super) async fn since_success(
        run: &RunContext,
        ctx: &SessionContext,
        states: &PipelineStates,
        report: &mut RunReport,
    ) -> Result<Self, PipelineError> {
        let seen = |name: &str| {
            states
                .get(SILVER)
                .and_then(|s| s.input_versions.get(name).copied())
        };
        let loads = LoadStates::read(&run.lake, ctx).await?;
        let lost = states.get(SILVER).and_then(|s| loads.lost(&s.input_versions));
        if let Some(lost) = lost {
            tracing::warn!("{lost}");
            report.notes.push(lost);
        }
        let since = |name| loads.changed_since(&run.lake, ctx, seen(name));
        Ok(Self {
            retracted: since(RETRACTIONS).await?,
            restored: since(RESTORATIONS).await?,
            states: loads,
        })
    }

    /// The loads of a table whose rows do not count.
    pub(super) fn taken_back(&self, table: &str) -> TakenBack {
        TakenBack::of(&self.states, table)
    }

    /// Those of them whose rows Silver may still hold.
    pub(super) fn retracted(&self, table: &str) -> Vec<String> {
        let is_new = |id: &&str| self.retracted.contains(*id);
        let found = self.states.retracted(table).filter(is_new);
        found.map(str::to_owned).collect()
    }

    /// Loads of a table whose rows count again and may be missing in Silver.
    pub(super) fn restored(&self, table: &str) -> Vec<String> {
        let is_new = |id: &&str| self.restored.contains(*id);
        let found = self.states.restored(table).filter(is_new);
        found.map(str::to_owned).collect()
    }

    /// Records what a success has carried out.
    pub(super) fn record(&self, versions: &mut BTreeMap<String, u64>, with_restored: bool) {
        let Some(version) = self.states.version() else {
            return;
        };
        versions.insert(RETRACTIONS.to_owned(), version);
        if with_restored {
            versions.insert(RESTORATIONS.to_owned(), version);
        }
    }
}
