//! Whether requests can be answered, asked of the database at most once a second however often we are asked.

use std::time::Duration;

use nsc_auth::Authenticator;
use nsc_store::Store;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

const KEPT: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(2);

/// The last answer of the database.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    database: Mutex<Option<(Instant, Result<(), String>)>>,
}

impl Readiness {
    /// The first reason why not.
    pub(crate) async fn check(
        &self,
        auth: &Authenticator,
        store: &Store,
        shutdown: &CancellationToken,
    ) -> Result<(), String> {
        if shutdown.is_cancelled() {
            return Err("shutting down".to_owned());
        }
        if !auth.ready() {
            return Err("the issuer's keys are not at hand".to_owned());
        }
        self.database(store).await
    }

    async fn database(&self, store: &Store) -> Result<(), String> {
        let mut last = self.database.lock().await;
        if let Some((at, answer)) = last.as_ref()
            && at.elapsed() < KEPT
        {
            return answer.clone();
        }
        let answer = match timeout(PATIENCE, store.ready_to_answer()).await {
            Ok(ready) => ready.map_err(|error| error.to_string()),
            Err(_) => Err("the database does not answer".to_owned()),
        };
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}
