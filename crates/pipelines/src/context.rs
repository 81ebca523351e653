//! What every run is given: the lake, its settings, the time, its id.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::prelude::SessionContext;
use nsc_contracts::rule::RuleSet;
use nsc_contracts::{TableContract, table};
use nsc_core::{RunId, UtcMicros};
use nsc_lake::{Lake, LakeError, SessionOptions, Table, session};
use serde_json::Value;

use crate::PipelineError;
use crate::progress::Progress;

/// The pseudonymisation salt; never printed.
#[derive(Clone)]
pub struct Salt(Arc<str>);

impl Salt {
    /// The dummy of local runs; refused in any other environment.
    pub const LOCAL: &'static str = "local-salt-v1";

    /// A salt, checked against the environment it is used in.
    ///
    /// # Errors
    /// [`PipelineError::DummySalt`] for the local dummy outside the local environment.
    pub fn new(salt: &str, environment: &str) -> Result<Self, PipelineError> {
        if salt == Self::LOCAL && environment != "local" {
            return Err(PipelineError::DummySalt {
                environment: environment.to_owned(),
            });
        }
        Ok(Self(salt.into()))
    }

    /// Whether it is the published dummy, which hides nobody.
    #[must_use]
    pub fn is_dummy(&self) -> bool {
        &*self.0 == Self::LOCAL
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(***)")
    }
}

/// Settings of a run that do not change from run to run.
#[derive(Debug, Clone)]
pub struct RunSettings {
    /// Memory and threads of the engine.
    pub session: SessionOptions,
    /// Salt of `user_key`. Without one Pipeline C stops at the first day with a user to hide.
    pub salt: Option<Salt>,
}

/// Who runs, with what: it stands in the report.
#[derive(Debug, Clone, Default)]
pub struct Invocation {
    /// `user@host`, as far as the environment says.
    pub invoked_by: Option<String>,
    /// The effective configuration without its secrets, as a hash: equal where nothing differed.
    pub configuration: Option<String>,
    /// The commit the program was built from, where the build was told.
    pub commit: Option<&'static str>,
    /// Why, where that was said: it stands with a change of the rules.
    pub reason: Option<String>,
}

/// One run.
#[derive(Debug, Clone)]
pub struct RunContext {
    /// The lake.
    pub lake: Lake,
    /// Settings.
    pub settings: RunSettings,
    /// The run's id.
    pub run_id: RunId,
    /// The run's now.
    pub now: UtcMicros,
    /// The machine's time when the run was begun, whatever the run's now.
    pub clock: UtcMicros,
    /// The same moment, to tell how much later it is.
    pub begun: Instant,
    /// Who runs, with what.
    pub invocation: Invocation,
    /// Rules in force at this instant instead of the current ones.
    pub rules_as_of: Option<UtcMicros>,
    /// Who is told what the run is doing.
    pub progress: Progress,
    /// How long to wait for a run that holds a pipeline; when nothing is said not at all, but for the guardrail of a chain.
    pub wait: Option<Duration>,
}

impl RunContext {
    /// The machine's time now.
    pub(crate) fn machine_time(&self) -> UtcMicros {
        let since = i64::try_from(self.begun.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.clock.plus(since)
    }

    /// What stands with every commit of the run.
    pub(crate) fn commit_metadata(&self) -> Vec<(String, Value)> {
        vec![(nsc_lake::RUN_ID.to_owned(), self.run_id.as_str().into())]
    }

    /// A fresh engine session with every function of the transforms.
    pub(crate) fn session(&self) -> Result<SessionContext, PipelineError> {
        let ctx = session(&self.settings.session)?;
        nsc_transforms::silver::register(&ctx);
        Ok(ctx)
    }

    /// The rules this run judges by.
    pub(crate) async fn rules(&self, ctx: &SessionContext) -> Result<RuleSet, PipelineError> {
        let versions = self.lake.rule_versions(ctx).await?;
        // Current versions have no end, so the end of time asks for exactly them.
        let as_of = self.rules_as_of.unwrap_or(UtcMicros::new(i64::MAX));
        Ok(RuleSet::as_of(&versions, as_of)?)
    }

    /// A table of the contract, created when absent.
    pub(crate) async fn table(&self, name: &str) -> Result<Table, PipelineError> {
        Ok(self.lake.table(contract(name)?).await?)
    }

    /// A table of the contract, when it exists.
    pub(crate) async fn existing(&self, name: &str) -> Result<Option<Table>, PipelineError> {
        Ok(self.lake.existing(contract(name)?).await?)
    }
}

pub(crate) fn contract(name: &str) -> Result<&'static TableContract, PipelineError> {
    Ok(table(name).ok_or_else(|| LakeError::Missing {
        table: name.to_owned(),
    })?)
}
