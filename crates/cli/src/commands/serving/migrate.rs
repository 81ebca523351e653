//! `nsc migrate`: the schema `bo`.

use clap::Args;
use nsc_core::ExitStatus;
use nsc_store::RoleNames;
use serde_json::json;

use super::wiring;
use crate::app::App;
use crate::failure::Outcome;

/// Bring the schema of the backoffice database to the version this program needs
#[derive(Debug, Args)]
#[command(after_help = "\
DATABASE_URL names a login that may create roles, or one that is a member of nsc_migrator. Running it again changes
nothing; two at once wait for each other. The roles nsc_migrator, nsc_consumer, nsc_api and nsc_auditor are made without a login:
give them one (ALTER ROLE nsc_api LOGIN PASSWORD '...'), or make logins of your own members of them.

Examples:
  DATABASE_URL=postgres://owner@127.0.0.1/bo nsc migrate
  DATABASE_URL_FILE=/mnt/secrets/migrator nsc migrate --format json")]
pub(crate) struct MigrateArgs {}

pub(crate) async fn handle(_: MigrateArgs, app: &mut App) -> Outcome<ExitStatus> {
    let url = wiring::database_url(&app.config)?;
    let done = nsc_store::migrate(&url, &RoleNames::default()).await?;
    if done.lacks_auditor {
        tracing::warn!(
            "there is no role {0} for nsc audit, and this login may not make it: let an administrator run CREATE ROLE {0}, then \
             run nsc migrate again",
            RoleNames::default().auditor
        );
    }
    let document = json!({ "from": done.from, "to": done.to, "ran": done.ran });
    app.printer.document(&document, || {
        if done.ran.is_empty() {
            return format!("schema bo is at version {}, nothing to do\n", done.to);
        }
        let ran: Vec<String> = done.ran.iter().map(|m| format!("ran {m}\n")).collect();
        format!("{}schema bo is at version {}\n", ran.concat(), done.to)
    })?;
    Ok(ExitStatus::Ok)
}
