//! Whether requests can be answered, asked of the database at most once a second however often we are asked.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::app::App;

const KEPT: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(2);

/// The last answer of the database.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    database: Mutex<Option<(Instant, Result<(), String>)>>,
}

impl Readiness {
    /// The first reason why not.
    pub(crate) async fn check(&self, app: &App) -> Result<(), String> {
        if app.shutdown.is_cancelled() {
            return Err("shutting down".to_owned());
        }
        if !app.auth.ready() {
            return Err("the issuer's keys are not at hand".to_owned());
        }
        self.database(app).await
    }

    async fn database(&self, app: &App) -> Result<(), String> {
        let mut last = self.database.lock().await;
        if let Some((at, answer)) = last.as_ref()
            && at.elapsed() < KEPT
        {
            return answer.clone();
        }
        let answer = match timeout(PATIENCE, app.store.ready_to_answer()).await {
            Ok(ready) => ready.map_err(|error| error.to_string()),
            Err(_) => Err("the database does not answer".to_owned()),
        };
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}
