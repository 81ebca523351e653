//! The consumer: one thread polls Kafka, a few workers write to the database, some small tasks look after the rest.
//!
//! Offsets are stored (and then committed by the library) only behind a committed transaction. Messages that are
//! polled and not finished are nowhere but in memory: a process that dies at any instant reads them again, and
//! reading again changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nsc_contracts::event::{EventKind, ViolationClass};
use nsc_kafka::{PartitionQueues, Security, Wakeup};
use nsc_store::StoreError;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::Consumer as _;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::error::ConsumerError;
use crate::housekeeping::Housekeeping;
use crate::kafka::{Assignment, Client, Context, Ends};
use crate::message::REFUSED_BY_DATABASE;
use crate::options::{ConsumerOptions, Services};
use crate::poller::Poller;
use crate::retry::Backoff;
use crate::sink::StoreSink;
use crate::worker::PartitionWorker;

/// A batch that is being tried may take its time and a little more, while its partitions wait to leave.
const REVOKE_GRACE: Duration = Duration::from_secs(5);

/// Kafka to the store. See the module.
#[derive(Debug)]
pub struct Consumer {
    options: ConsumerOptions,
    services: Services,
    assignment: Arc<Assignment>,
    sink: Arc<StoreSink>,
}

/// How a consumer is, for whoever asks; cheap to clone.
#[derive(Debug, Clone)]
pub struct ConsumerStatus {
    assignment: Arc<Assignment>,
    health: crate::sink::Health,
    total: crate::sink::Total,
}

/// What became of the messages of a consumer: `messages = written + stale + dead_letters + tombstones`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consumed {
    /// Messages finished.
    pub messages: u64,
    /// Rows written.
    pub written: u64,
    /// Events older than, or the same as, what is stored or what else came.
    pub stale: u64,
    /// Messages that can never be events.
    pub dead_letters: u64,
    /// These by their class.
    pub classes: BTreeMap<String, u64>,
    /// Messages without a payload.
    pub tombstones: u64,
}

impl ConsumerStatus {
    /// It is a member of its group, and no batch waits for the database.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.assignment.joined() && !self.health.waiting()
    }

    /// What became of its messages so far.
    #[must_use]
    pub fn consumed(&self) -> Consumed {
        let counts = self.total.get();
        Consumed {
            messages: counts.written + counts.stale + counts.dead_letters + counts.tombstones,
            written: counts.written,
            stale: counts.stale,
            dead_letters: counts.dead_letters,
            classes: counts.classes,
            tombstones: counts.tombstones,
        }
    }

    /// Partitions it reads now.
    #[must_use]
    pub fn partitions(&self) -> usize {
        self.assignment.partitions().len()
    }
}

impl Consumer {
    /// A consumer; nothing is connected yet.
    #[must_use]
    pub fn new(options: ConsumerOptions, services: Services) -> Self {
        let aliases = options.profile.aliases();
        let sink = StoreSink::new(&services, aliases, options.sink.clone());
        Self {
            assignment: Arc::new(Assignment::new(options.workers)),
            sink: Arc::new(sink),
            options,
            services,
        }
    }

    /// How it is.
    #[must_use]
    pub fn status(&self) -> ConsumerStatus {
        ConsumerStatus {
            assignment: Arc::clone(&self.assignment),
            health: self.sink.health(),
            total: self.sink.total(),
        }
    }

    /// Consumes until `shutdown` is cancelled, or all is there that was asked for; then the batches under way are finished, their offsets committed, and
    /// the group is left. A broker, a topic or a database that is not there (yet) is waited for.
    ///
    /// # Errors
    /// When the database refuses us for good or has another schema, when dead letters cannot be kept, when the client
    /// cannot be made, or when the group throws us out for good.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), ConsumerError> {
        if !self.database_is_ready(&shutdown).await? {
            return Ok(());
        }
        self.sink.ready().await?;
        // Ends everything: when asked to, when a part has failed, when this future is dropped.
        let stop = shutdown.child_token();
        let _dropped = stop.clone().drop_guard();
        let wakeup = Arc::new(Wakeup::default());
        let workers: Arc<[PartitionWorker]> = (0..self.options.workers.max(1))
            .map(|_| PartitionWorker::new(&self.options.sink, Arc::clone(&wakeup)))
            .collect();
        let client = self.client(&workers, &wakeup, &stop)?;
        self.announce_counters();

        let mut tasks = JoinSet::new();
        for worker in 0..workers.len() {
            let (workers, sink, stop) = (Arc::clone(&workers), Arc::clone(&self.sink), stop.clone());
            tasks.spawn(async move {
                if let Some(worker) = workers.get(worker) {
                    worker.work(&*sink, &stop).await;
                }
            });
        }
        let (workers_too, assignment) = (Arc::clone(&workers), Arc::clone(&self.assignment));
        let housekeeping = Housekeeping::new(&self.options, &self.services, workers_too, assignment);
        let keep = stop.clone();
        tasks.spawn(async move { housekeeping.run(keep).await });

        let (ended, mut end) = oneshot::channel();
        let poller = Poller::new(
            client,
            wakeup,
            self.options.clone(),
            Arc::clone(&self.services.clock),
            stop.clone(),
        );
        std::thread::Builder::new()
            .name("nsc-kafka".to_owned())
            .spawn(move || {
                // Nobody listens when this process did not want to wait any longer.
                let _ = ended.send(poller.run());
            })
            .map_err(|e| ConsumerError::Defect(e.to_string()))?;

        let first = tokio::select! {
            // In this order: once asked, everything ends by itself.
            biased;
            () = stop.cancelled() => First::Asked,
            polled = &mut end => First::Polled(polled),
            Some(task) = tasks.join_next() => First::Failed(ended_early(task)),
        };
        stop.cancel();
        self.wind_down(first, end, tasks).await
    }

    /// Waits for the parts to end, no longer than allowed.
    async fn wind_down(
        &self,
        first: First,
        end: oneshot::Receiver<Result<(), ConsumerError>>,
        mut tasks: JoinSet<()>,
    ) -> Result<(), ConsumerError> {
        let all = async {
            while tasks.join_next().await.is_some() {}
            match first {
                First::Polled(polled) => polled,
                First::Asked => end.await,
                // The thread still says goodbye to the group; why it all ended is known.
                First::Failed(error) => end.await.map(|_| Err(error)),
            }
        };
        match tokio::time::timeout(self.options.stop_timeout, all).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(ConsumerError::Defect(
                "the thread that polls Kafka panicked".to_owned(),
            )),
            Err(_) => {
                tracing::warn!("not everything had ended when the time was up; nothing is lost");
                Ok(())
            }
        }
    }

    /// Waits for the database; false when told to stop meanwhile.
    async fn database_is_ready(&self, shutdown: &CancellationToken) -> Result<bool, ConsumerError> {
        let options = &self.options.sink;
        let mut backoff = Backoff::new(options.retry_initial, options.retry_max);
        loop {
            match self.services.store.ready().await {
                Ok(()) => return Ok(true),
                Err(error @ StoreError::Schema { .. }) => return Err(error.into()),
                Err(error) if !error.is_transient() => return Err(error.into()),
                Err(error) => {
                    let pause = backoff.pause();
                    tracing::warn!(%error, attempt = backoff.failures, "the database is not there; waiting");
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = shutdown.cancelled() => return Ok(false),
                    }
                }
            }
        }
    }

    fn client(
        &self,
        workers: &Arc<[PartitionWorker]>,
        wakeup: &Arc<Wakeup>,
        stop: &CancellationToken,
    ) -> Result<Arc<Client>, ConsumerError> {
        let context = Context {
            profile: self.options.profile.clone(),
            assignment: Arc::clone(&self.assignment),
            workers: Arc::clone(workers),
            queues: PartitionQueues::new(Arc::clone(wakeup)),
            metrics: self.services.metrics.consumer(),
            from_beginning: self.options.from_beginning,
            ends: Ends::default(),
            stop: stop.clone(),
            revoke_timeout: self.options.sink.attempt_timeout + REVOKE_GRACE,
            token: match &self.options.kafka.security {
                Security::OauthBearer(provider) => Some(Arc::clone(provider)),
                _ => None,
            },
        };
        let config = self.options.kafka.client_config()?;
        let client =
            Client::from_config_and_context(&config, context).map_err(|e| ConsumerError::Broker {
                reason: e.to_string(),
            })?;
        let client = Arc::new(client);
        client.context().queues.belong_to(&client);
        Ok(client)
    }

    /// A counter that appears with its first event looks to Prometheus as if nothing had been added.
    fn announce_counters(&self) {
        let metrics = self.services.metrics.consumer();
        for kind in EventKind::ALL {
            let topic = self.options.profile.topic(kind);
            for class in ViolationClass::ALL.map(ViolationClass::name) {
                metrics.dlq(topic, class, 0);
            }
            metrics.dlq(topic, REFUSED_BY_DATABASE, 0);
            for outcome in ["written", "stale", "dlq", "tombstone"] {
                metrics.messages(topic, outcome, 0);
            }
        }
    }
}

/// Why it all ends.
enum First {
    /// The thread that polls did, well or not.
    Polled(Result<Result<(), ConsumerError>, oneshot::error::RecvError>),
    /// A task did, which none does by itself.
    Failed(ConsumerError),
    /// It was asked for.
    Asked,
}

fn ended_early(task: Result<(), tokio::task::JoinError>) -> ConsumerError {
    ConsumerError::Defect(match task {
        Ok(()) => "a task ended by itself".to_owned(),
        Err(e) => e.to_string(),
    })
}
