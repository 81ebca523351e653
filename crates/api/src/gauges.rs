//! What nobody's request measures: the connections, the replica, and pairs that wait for their other half.

use std::time::Duration;

use nsc_core::MICROS_PER_SECOND;
use tokio::time::{MissedTickBehavior, interval};

use crate::app::App;

/// Measures again and again, until the shutdown.
pub(crate) async fn measure(app: &App, every: Duration) {
    let mut ticks = interval(every.max(Duration::from_millis(10)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = app.shutdown.cancelled() => return,
            _ = ticks.tick() => once(app).await,
        }
    }
}

async fn once(app: &App) {
    let database = app.metrics.db();
    let pool = app.store.pool_status();
    database.pool_size(pool.max);
    database.pool_checked_out(pool.checked_out);
    match app.store.replication_lag().await {
        Ok(Some(seconds)) => database.replication_lag(seconds),
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, "the replica's lag is not known"),
    }
    match app.store.pairing_health().await {
        Ok(health) => {
            let since = health
                .oldest
                .map_or(0, |oldest| app.clock.now().micros() - oldest.micros());
            app.metrics
                .pairing()
                .incomplete_age_seconds(since.max(0) as f64 / MICROS_PER_SECOND as f64);
        }
        Err(error) => tracing::warn!(%error, "the state of pairing is not known"),
    }
}
