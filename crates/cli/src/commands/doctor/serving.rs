//! Checks of serving: the database and its schema, the brokers, who is let in.

use std::time::Duration;

use nsc_core::{ErrorCode, OperatorMessage};
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::Findings;
use crate::app::App;
use crate::commands::serving;
use crate::failure::{Failure, Outcome};

/// How long each of them may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Everything that serving needs to work.
pub(super) async fn serving(app: &App, findings: &mut Findings) {
    match database(app).await {
        Ok(found) => findings.ok("database", found),
        Err(failure) => findings.failure("database", &failure),
    }
    match brokers(app).await {
        Ok(found) => findings.ok("brokers", found),
        Err(failure) => findings.failure("brokers", &failure),
    }
    match serving::who_is_let_in(&app.config).await {
        Ok(found) => findings.ok("authentication", found),
        Err(failure) => findings.failure("authentication", &failure),
    }
}

async fn database(app: &App) -> Outcome<String> {
    let store = serving::services(&app.config, "nsc-doctor")?.store;
    match tokio::time::timeout(PATIENCE, store.ready()).await {
        Ok(ready) => ready?,
        Err(_) => return Err(silent(ErrorCode::Database, "the database")),
    }
    Ok(format!(
        "answers; its schema is one that version {} of it works with",
        nsc_store::SCHEMA_VERSION
    ))
}

async fn brokers(app: &App) -> Outcome<String> {
    let options = serving::kafka(&app.config)?;
    let brokers = options.brokers.clone();
    let config = options
        .client_config()
        .map_err(|e| OperatorMessage::configuration(e.to_string()))?;
    let asked = tokio::task::spawn_blocking(move || {
        let client: BaseConsumer = config.create()?;
        let metadata = client.fetch_metadata(None, PATIENCE)?;
        Ok::<_, rdkafka::error::KafkaError>((metadata.brokers().len(), metadata.topics().len()))
    });
    match asked.await {
        Ok(Ok((count, topics))) => Ok(format!("{count} of {brokers} answer, with {topics} topics")),
        Ok(Err(error)) => Err(
            OperatorMessage::new(ErrorCode::Broker, format!("{brokers} do not answer"))
                .with_detail(error)
                .into(),
        ),
        Err(error) => Err(Failure::unexpected("asking the brokers", error)),
    }
}

fn silent(code: ErrorCode, what: &str) -> Failure {
    OperatorMessage::new(
        code,
        format!("{what} did not answer within {} s", PATIENCE.as_secs()),
    )
    .into()
}
