//! The thread that polls Kafka: it hands records to the workers of their topics, as far as each has room, and lets the
//! library call back.
//!
//! Whatever moves a partition (an assignment, a seek) happens on this thread, and raises the partition's epoch: a record
//! that was fetched before is told by it.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nsc_contracts::TableContract;
use nsc_core::UtcMicros;
use nsc_kafka::{PartitionQueues, TokenProvider, Wakeup};
use nsc_lake::{Lake, LakeError};
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Message, Timestamp};
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use secrecy::ExposeSecret;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::halt::Halt;
use super::position::PositionNames;
use super::record::Record;
use super::worker::{Event, Standing};

/// How long the thread waits for a record or for room before it lets the library call back again.
const POLL: Duration = Duration::from_millis(100);
/// How long a broker may take to say where a partition begins.
const ASK: Duration = Duration::from_secs(10);
/// Between two attempts to find out where partitions begin.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a batch under way may keep a partition from leaving; what it still commits is held against the log.
const LEAVE: Duration = Duration::from_secs(5);
/// Records of one partition at a time.
const SHARE: usize = 500;
/// The same trouble is told at most this often.
const TELL: Duration = Duration::from_secs(30);

/// What a worker wants of the client.
#[derive(Debug)]
pub(super) enum Command {
    /// Fetch a partition from an offset, or from its beginning.
    Seek {
        topic: usize,
        partition: i32,
        to: Option<i64>,
        epoch: u64,
    },
    /// A partition is in the table up to this offset: for whoever watches the lag at the broker.
    Committed { topic: usize, partition: i32, next: i64 },
}

/// A topic, and the worker that takes its records.
pub(super) struct Route {
    pub(super) topic: String,
    pub(super) contract: &'static TableContract,
    pub(super) names: PositionNames,
    pub(super) events: mpsc::Sender<Event>,
}

/// A partition: the place of its topic among the routes, and its number.
type Key = (usize, i32);
type Client = BaseConsumer<Context>;
/// A partition that is ours now, where it stands, and the offset it is fetched from.
type Beginning = (Key, Standing, Offset);

/// What the library calls back with; all of it on the thread that polls.
pub(super) struct Context {
    routes: Vec<Route>,
    lake: Lake,
    runtime: Handle,
    queues: PartitionQueues<Key, Context>,
    epochs: Mutex<BTreeMap<Key, u64>>,
    token: Option<TokenProvider>,
    /// Ends every wait.
    stop: CancellationToken,
}

impl Context {
    pub(super) fn new(
        routes: Vec<Route>,
        lake: Lake,
        wakeup: Arc<Wakeup>,
        token: Option<TokenProvider>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            routes,
            lake,
            runtime: Handle::current(),
            queues: PartitionQueues::new(wakeup),
            epochs: Mutex::default(),
            token,
            stop,
        }
    }

    fn epochs(&self) -> MutexGuard<'_, BTreeMap<Key, u64>> {
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self, list: &TopicPartitionList) -> Vec<Key> {
        let route = |topic: &str| self.routes.iter().position(|r| r.topic == topic);
        let keys = list.elements();
        keys.iter()
            .filter_map(|e| Some((route(e.topic())?, e.partition())))
            .collect()
    }

    /// Where Bronze has partitions, read anew: what another writer has committed counts.
    fn standings(&self, keys: &[Key]) -> Result<Vec<(Key, Standing)>, LakeError> {
        self.runtime.block_on(async {
            let mut found = Vec::new();
            for (at, route) in self.routes.iter().enumerate() {
                let partitions: Vec<Key> = keys.iter().filter(|(topic, _)| *topic == at).copied().collect();
                if partitions.is_empty() {
                    continue;
                }
                let table = self.lake.unchecked(route.contract, None).await?;
                for key in partitions {
                    let position = match &table {
                        Some(table) => route.names.read(table, key.1).await?,
                        None => None,
                    };
                    let epoch = self.epochs().get(&key).map_or(0, |epoch| epoch + 1);
                    found.push((key, Standing::at(position, epoch)));
                }
            }
            Ok(found)
        })
    }

    /// Where each partition stands, and the offset it is fetched from. Asked before anything is read: messages that are gone
    /// must not be passed over.
    fn beginnings(&self, client: &Client, keys: &[Key]) -> Result<Vec<Beginning>, Box<dyn Error>> {
        let mut found = Vec::new();
        for (key, mut standing) in self.standings(keys)? {
            let Some(route) = self.routes.get(key.0) else {
                continue;
            };
            let offset = match standing.fetched_from() {
                Some(from) => {
                    let (start, _) = client.fetch_watermarks(&route.topic, key.1, ASK)?;
                    if start > from + 1 {
                        standing.halt = Some(Halt::Gap { start });
                    }
                    Offset::Offset(from.max(start))
                }
                None => Offset::Beginning,
            };
            found.push((key, standing, offset));
        }
        Ok(found)
    }

    /// Until they are known: the brokers count the partitions as ours, and nobody else reads them.
    fn known_beginnings(&self, client: &Client, keys: &[Key]) -> Vec<Beginning> {
        loop {
            match self.beginnings(client, keys) {
                Ok(found) => return found,
                Err(error) if self.stop.is_cancelled() || client.assignment_lost() => {
                    tracing::warn!(%error, "partitions leave before it was known where they begin");
                    return Vec::new();
                }
                Err(error) => {
                    tracing::warn!(%error, "it is not known yet where partitions begin; trying again");
                    std::thread::sleep(PAUSE);
                }
            }
        }
    }

    fn assigned(&self, client: &Client, list: &mut TopicPartitionList) -> KafkaResult<()> {
        let keys = self.keys(list);
        tracing::info!(partitions = keys.len(), "partitions assigned");
        let begun = self.known_beginnings(client, &keys);
        for ((topic, partition), standing, offset) in &begun {
            let Some(route) = self.routes.get(*topic) else {
                continue;
            };
            list.set_partition_offset(&route.topic, *partition, *offset)?;
            self.epochs().insert((*topic, *partition), standing.epoch);
            self.queues.open((*topic, *partition), &route.topic, *partition);
        }
        for (at, route) in self.routes.iter().enumerate() {
            let of_topic = begun.iter().filter(|((topic, _), ..)| *topic == at);
            let of_topic: Vec<(i32, Standing)> =
                of_topic.map(|((_, p), standing, _)| (*p, *standing)).collect();
            if !of_topic.is_empty() {
                // A worker that is gone has failed, and ends the stream.
                let _ = route.events.blocking_send(Event::Assigned(of_topic));
            }
        }
        match client.rebalance_protocol() {
            RebalanceProtocol::Cooperative => client.incremental_assign(list),
            _ => client.assign(list),
        }
    }

    fn revoked(&self, client: &Client, list: &TopicPartitionList) -> KafkaResult<()> {
        let keys = self.keys(list);
        tracing::info!(partitions = keys.len(), "partitions revoked");
        for key in &keys {
            self.queues.close(key);
        }
        self.leave(&keys);
        match client.rebalance_protocol() {
            RebalanceProtocol::Cooperative => client.incremental_unassign(list),
            _ => client.unassign(),
        }
    }

    /// Has the workers commit what they have of partitions that leave.
    fn leave(&self, keys: &[Key]) {
        let begun = Instant::now();
        for (at, route) in self.routes.iter().enumerate() {
            let of_topic: Vec<i32> = keys
                .iter()
                .filter(|(topic, _)| *topic == at)
                .map(|(_, p)| *p)
                .collect();
            let (done, left) = std::sync::mpsc::channel();
            if of_topic.is_empty()
                || route
                    .events
                    .blocking_send(Event::Revoked(of_topic, done))
                    .is_err()
            {
                continue;
            }
            if left.recv_timeout(LEAVE.saturating_sub(begun.elapsed())).is_err() {
                tracing::warn!(
                    topic = route.topic,
                    "a batch is still under way while its partitions leave"
                );
            }
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, client: &BaseConsumer<Self>, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let done = match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assigned(client, list),
            _ => self.revoked(client, list),
        };
        if let Err(error) = done {
            // The library goes on without the partitions; the next rebalance tries again.
            tracing::error!(%error, "a rebalance was not carried out");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(%error, "the broker did not take the offsets; nothing goes by them");
        }
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        nsc_kafka::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason, "reported");
    }

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        let provider = self.token.as_ref().ok_or("no token provider is configured")?;
        let token = provider().inspect_err(|error| tracing::error!(%error, "no token for the brokers"))?;
        Ok(OAuthToken {
            token: token.token.expose_secret().to_owned(),
            principal_name: token.principal,
            lifetime_ms: token.expires_at.micros() / 1_000,
        })
    }
}

/// See the module.
pub(super) struct Poller {
    pub(super) client: Arc<Client>,
    pub(super) wakeup: Arc<Wakeup>,
    pub(super) commands: Receiver<Command>,
    pub(super) max_idle: Option<Duration>,
    pub(super) stop: CancellationToken,
    quiet_since: Instant,
    told: Vec<(RDKafkaErrorCode, Instant)>,
}

impl Poller {
    pub(super) fn new(
        client: Client,
        wakeup: Arc<Wakeup>,
        commands: Receiver<Command>,
        max_idle: Option<Duration>,
        stop: CancellationToken,
    ) -> Self {
        let client = Arc::new(client);
        client.context().queues.belong_to(&client);
        Self {
            client,
            wakeup,
            commands,
            max_idle,
            stop,
            quiet_since: Instant::now(),
            told: Vec::new(),
        }
    }

    /// Polls until told to stop, or until nothing has come for as long as was asked for.
    pub(super) fn run(mut self) -> KafkaResult<()> {
        let topics: Vec<&str> = self
            .client
            .context()
            .routes
            .iter()
            .map(|r| r.topic.as_str())
            .collect();
        let mut outcome = self.client.subscribe(&topics);
        tracing::info!(?topics, "subscribed");
        while outcome.is_ok() && !self.stop.is_cancelled() && !self.is_done() {
            outcome = self.turn();
        }
        let context = self.client.context();
        let keys: Vec<Key> = context.epochs().keys().copied().collect();
        context.leave(&keys);
        // What was committed at last is told to the broker with the goodbye.
        self.obey();
        context.queues.close_all();
        outcome
    }

    fn is_done(&mut self) -> bool {
        if self.client.context().epochs().is_empty() {
            self.quiet_since = Instant::now();
        }
        self.max_idle
            .is_some_and(|longest| self.quiet_since.elapsed() >= longest)
    }

    fn turn(&mut self) -> KafkaResult<()> {
        self.obey();
        self.let_the_library_call_back()?;
        let client = Arc::clone(&self.client);
        let context = client.context();
        let keys: Vec<(Key, u64)> = context
            .epochs()
            .iter()
            .map(|(key, epoch)| (*key, *epoch))
            .collect();
        let mut moved = false;
        for (key, epoch) in keys {
            let Some(route) = context.routes.get(key.0) else {
                continue;
            };
            for _ in 0..SHARE {
                let Ok(room) = route.events.try_reserve() else {
                    break;
                };
                match context.queues.poll(&key, |message| record(message, epoch)) {
                    None => break,
                    Some(Ok(record)) => {
                        room.send(Event::Record(record));
                        moved = true;
                        self.quiet_since = Instant::now();
                    }
                    Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset))) => {
                        room.send(Event::OutOfRange(key.1));
                        break;
                    }
                    Some(Err(error)) => self.tell_or_fail(&error)?,
                }
            }
        }
        if !moved {
            self.wakeup.wait(POLL);
        }
        Ok(())
    }

    /// Carries out what workers want.
    fn obey(&self) {
        let context = self.client.context();
        for command in self.commands.try_iter() {
            match command {
                Command::Seek {
                    topic,
                    partition,
                    to,
                    epoch,
                } => {
                    let Some(route) = context.routes.get(topic) else {
                        continue;
                    };
                    let offset = to.map_or(Offset::Beginning, Offset::Offset);
                    if let Err(error) = self.client.seek(&route.topic, partition, offset, ASK) {
                        // It left meanwhile: its next assignment begins anew.
                        tracing::warn!(topic = route.topic, partition, %error, "a partition was not sought");
                    }
                    if let Some(known) = context.epochs().get_mut(&(topic, partition)) {
                        *known = epoch;
                    }
                }
                Command::Committed {
                    topic,
                    partition,
                    next,
                } => {
                    let Some(route) = context.routes.get(topic) else {
                        continue;
                    };
                    if let Err(error) = self.client.store_offset(&route.topic, partition, next - 1) {
                        tracing::debug!(topic = route.topic, partition, %error, "an offset was not stored");
                    }
                }
            }
        }
    }

    /// Rebalances and errors. A record that came before its partition had a queue is fetched again by whoever has it.
    fn let_the_library_call_back(&mut self) -> KafkaResult<()> {
        let client = Arc::clone(&self.client);
        while let Some(polled) = client.poll(Duration::ZERO) {
            if let Err(error) = polled {
                self.tell_or_fail(&error)?;
            }
        }
        Ok(())
    }

    /// Everything but a fatal error is waited for and told: the library tries again by itself.
    fn tell_or_fail(&mut self, error: &KafkaError) -> KafkaResult<()> {
        let code = match error {
            KafkaError::MessageConsumptionFatal(_) => return Err(error.clone()),
            KafkaError::MessageConsumption(code) => *code,
            other => {
                tracing::warn!(error = %other, "unexpected word from the client");
                return Ok(());
            }
        };
        self.told.retain(|(_, at)| at.elapsed() < TELL);
        if !self.told.iter().any(|(told, _)| *told == code) {
            self.told.push((code, Instant::now()));
            tracing::warn!(%code, "waiting for the brokers");
        }
        Ok(())
    }
}

fn record(message: &BorrowedMessage<'_>, epoch: u64) -> Record {
    Record {
        partition: message.partition(),
        offset: message.offset(),
        sent_at: sent_at(message.timestamp()),
        key: message.key().map(<[u8]>::to_vec),
        payload: message.payload().map(<[u8]>::to_vec),
        epoch,
    }
}

/// When a message was sent; zero is what is written where no time was known.
fn sent_at(timestamp: Timestamp) -> Option<UtcMicros> {
    let millis = timestamp.to_millis().filter(|ms| *ms > 0)?;
    Some(UtcMicros::new(millis.saturating_mul(1_000)))
}
