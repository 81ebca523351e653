//! Messages of Kafka into Bronze, each exactly once (sources contract 3.1).
//!
//! One thread polls; each topic has a worker that gathers records into batches and commits them. The Delta log of the
//! Bronze table is the only memory of offsets: a batch is committed only where the table stands at its beginning, so that
//! neither a crash, nor a lost answer, nor another process can double or lose a message.

mod batch;
mod client;
mod halt;
mod options;
mod position;
mod record;
mod summary;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use nsc_core::Clock;
use nsc_kafka::{Security, Wakeup};
use nsc_lake::Lake;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use batch::Batch;
use client::{Context, Poller, Route};
pub use options::{StreamOptions, TopicSource};
use position::PositionNames;
pub use summary::TopicSummary;
use worker::Worker;

use crate::error::IngestError;
use crate::load::open;

/// Records on their way from the client to a worker.
const AHEAD: usize = 512;

/// Takes messages until `stop` is cancelled, or until nothing has come for as long as was asked for; then what is at hand is
/// committed and the group is left. Brokers and topics that are not there yet are waited for, and so is a storage that
/// fails.
///
/// # Errors
/// [`IngestError`]: a table that cannot be written, a client that cannot be made.
pub async fn stream_topics(
    lake: &Lake,
    options: StreamOptions,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) -> Result<Vec<TopicSummary>, IngestError> {
    let options = Arc::new(options);
    let (commands, commanded) = std::sync::mpsc::channel();
    let mut routes = Vec::new();
    let mut workers = JoinSet::new();
    for (at, topic) in options.topics.iter().enumerate() {
        let contract = topic.source.bronze_contract().ok_or(IngestError::NoContract {
            name: topic.source.name,
        })?;
        let table = open(lake, contract).await?;
        let names = PositionNames::new(&options.cluster, &topic.topic);
        let (events, received) = mpsc::channel(AHEAD);
        let worker = Worker {
            topic: at,
            names: names.clone(),
            batch: Batch::new(&topic.topic, &table),
            options: Arc::clone(&options),
            clock: Arc::clone(&clock),
            commands: commands.clone(),
            partitions: BTreeMap::new(),
            begun: Instant::now(),
            last_ingested: nsc_core::UtcMicros::new(i64::MIN),
            lost: 0,
            summary: TopicSummary {
                topic: topic.topic.clone(),
                table: contract.full_name(),
                ..TopicSummary::default()
            },
            stop: stop.clone(),
            table,
        };
        routes.push(Route {
            topic: topic.topic.clone(),
            contract,
            names,
            events,
        });
        workers.spawn(worker.run(received));
    }
    let poller = poller(lake, &options, routes, commanded, &stop)?;
    let polling = tokio::task::spawn_blocking(move || poller.run());
    // A worker that fails ends everything; one that ends well does so because the client has.
    let mut ended = Ok(());
    let mut summaries = Vec::new();
    while let Some(done) = workers.join_next().await {
        match done.map_err(|e| defect(&e.to_string())).and_then(|done| done) {
            Ok(summary) => summaries.push(summary),
            Err(error) => {
                stop.cancel();
                ended = ended.and(Err(error));
            }
        }
    }
    let polled = polling.await.map_err(|e| defect(&e.to_string()))?;
    ended?;
    polled.map_err(|e| IngestError::Broker {
        reason: e.to_string(),
    })?;
    summaries.sort_by(|a, b| a.topic.cmp(&b.topic));
    Ok(summaries)
}

fn poller(
    lake: &Lake,
    options: &StreamOptions,
    routes: Vec<Route>,
    commanded: std::sync::mpsc::Receiver<client::Command>,
    stop: &CancellationToken,
) -> Result<Poller, IngestError> {
    let refused = |reason: String| IngestError::Broker { reason };
    let token = match &options.kafka.security {
        Security::OauthBearer(provider) => Some(Arc::clone(provider)),
        _ => None,
    };
    let wakeup = Arc::new(Wakeup::default());
    let context = Context::new(routes, lake.clone(), Arc::clone(&wakeup), token, stop.clone());
    let config = options
        .kafka
        .client_config()
        .map_err(|e| refused(e.to_string()))?;
    let client = config
        .create_with_context(context)
        .map_err(|e| refused(e.to_string()))?;
    Ok(Poller::new(
        client,
        wakeup,
        commanded,
        options.max_idle,
        stop.clone(),
    ))
}

fn defect(reason: &str) -> IngestError {
    IngestError::Defect {
        input: "the stream".to_owned(),
        reason: reason.to_owned(),
    }
}
