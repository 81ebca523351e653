//! What a run is given: the lake, the engine's memory, the time, the salt, who runs it.

use std::time::Instant;

use nsc_core::{RunId, UtcMicros};
use nsc_lake::Lake;
use nsc_pipelines::{Invocation, Progress, RunContext, RunSettings, Salt};
use secrecy::ExposeSecret;

use crate::app::App;
use crate::build;
use crate::failure::Outcome;

/// The context of a run; the pipelines take everything from it.
pub(crate) fn context(
    app: &App,
    lake: Lake,
    run_id: Option<RunId>,
    now: Option<UtcMicros>,
    rules_as_of: Option<UtcMicros>,
) -> Outcome<RunContext> {
    Ok(RunContext {
        lake,
        settings: RunSettings {
            session: app.session_options(),
            salt: salt(app)?,
        },
        run_id: run_id.unwrap_or_else(RunId::fresh),
        now: app.now(now),
        clock: app.now(None),
        begun: Instant::now(),
        invocation: Invocation {
            invoked_by: Some(app.actor()),
            configuration: Some(app.config.hash()),
            commit: build::COMMIT,
            reason: None,
        },
        rules_as_of,
        progress: Progress::default(),
        wait: None,
    })
}

fn salt(app: &App) -> Outcome<Option<Salt>> {
    let environment = app.config.environment.value.name();
    let salt = app.config.analytics.salt.as_ref();
    let salt = salt.map(|salt| Salt::new(salt.value.expose_secret(), environment));
    Ok(salt.transpose()?)
}
