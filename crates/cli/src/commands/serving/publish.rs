//! `nsc sample publish`: sample lines as events, so that a developer's broker has something to consume.
//!
//! The product only ever consumes; this stands with the sample data. It is for the local environment, or a broker on this
//! machine where none is said.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::{Args, ValueHint};
use nsc_contracts::event::EventKind;
use nsc_core::{ErrorCode, ExitStatus};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use serde::Serialize;
use serde_json::Value;

use super::wiring::{self, EventArgs};
use crate::app::App;
use crate::config::serving::KafkaSecurity;
use crate::config::{Config, EnvironmentName};
use crate::failure::{OperatorMessage, Outcome};
use crate::progress;

/// How long a broker may take to confirm what was sent.
const PATIENCE: Duration = Duration::from_secs(60);

/// Send sample lines to a broker as events
#[derive(Debug, Args)]
#[command(after_help = "\
For demonstrations and tests: in the local environment, or to a broker on this machine. Topics that are missing are made.

Examples:
  nsc sample publish --ledger-file config/sample/day/transaction_ledger.jsonl
  nsc sample publish --ledger-file ledger.jsonl --payment-order-file orders.jsonl --brokers 127.0.0.1:19092")]
pub(crate) struct PublishArgs {
    /// Ledger entries, one JSON object a line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "payment_order_file")]
    ledger_file: Option<PathBuf>,
    /// Payment orders, one JSON object a line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    payment_order_file: Option<PathBuf>,
    /// Partitions of a topic that has to be made
    #[arg(long, value_name = "N", default_value_t = 3)]
    partitions: i32,
    #[command(flatten)]
    pub(crate) events: EventArgs,
}

#[derive(Debug, Serialize)]
struct Published {
    topic: String,
    messages: u64,
}

pub(crate) async fn handle(args: PublishArgs, app: &mut App) -> Outcome<ExitStatus> {
    refuse_outside_local(&app.config)?;
    let subscription = wiring::subscription(&app.config)?;
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &app.config.serving.kafka.brokers.value);
    let files = [
        (EventKind::LedgerEntry, args.ledger_file),
        (EventKind::PaymentOrder, args.payment_order_file),
    ];
    let mut published = Vec::new();
    for (kind, file) in files {
        let Some(file) = file else { continue };
        let topic = subscription.topic(kind).to_owned();
        create(&config, &topic, args.partitions).await?;
        let bar = progress::spinner(&app.bars, &topic);
        let (config, sent_to) = (config.clone(), topic.clone());
        let sent = tokio::task::spawn_blocking(move || send(&config, &sent_to, &file)).await;
        bar.finish_and_clear();
        let messages = sent.map_err(|e| crate::failure::Failure::unexpected("sending events", e))??;
        published.push(Published { topic, messages });
    }
    app.printer.document(&published, || {
        let lines = published
            .iter()
            .map(|p| format!("{}: {} events sent\n", p.topic, p.messages));
        lines.collect()
    })?;
    Ok(ExitStatus::Ok)
}

/// Sample events among real ones would be payments that never were.
fn refuse_outside_local(config: &Config) -> Result<(), OperatorMessage> {
    let environment = config.environment.value;
    let kafka = &config.serving.kafka;
    let on_this_machine = kafka.brokers.value.split(',').all(is_on_loopback);
    match environment {
        EnvironmentName::Local => {}
        EnvironmentName::Unset if on_this_machine => {}
        EnvironmentName::Unset | EnvironmentName::Dev | EnvironmentName::Prod => {
            return Err(OperatorMessage::usage(format!(
                "sample events are not sent in {}",
                environment.phrase()
            ))
            .with_hint("NSC_ENV=local"));
        }
    }
    if kafka.security.value != KafkaSecurity::Plaintext {
        return Err(OperatorMessage::usage(format!(
            "sample events are sent in the clear only, and kafka.security ({}) is {}",
            kafka.security.origin, kafka.security.value
        ))
        .with_hint("Use a broker of your own without TLS and SASL: KAFKA_SECURITY=plaintext"));
    }
    Ok(())
}

fn is_on_loopback(broker: &str) -> bool {
    let host = broker.trim().rsplit_once(':').map_or(broker, |(host, _)| host);
    let host = host.trim().trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|ip| ip.to_canonical().is_loopback())
}

fn refused(error: &KafkaError) -> OperatorMessage {
    OperatorMessage::new(ErrorCode::Broker, "the broker did not take the events")
        .with_detail(error)
        .with_hint("Is it running, at the address of KAFKA_BROKERS or --brokers?")
}

async fn create(config: &ClientConfig, topic: &str, partitions: i32) -> Outcome {
    let admin: AdminClient<DefaultClientContext> = config.create().map_err(|e| refused(&e))?;
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let results = admin
        .create_topics([&new], &options)
        .await
        .map_err(|e| refused(&e))?;
    for result in results {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => {
                return Err(
                    OperatorMessage::new(ErrorCode::Broker, format!("topic {name} cannot be made"))
                        .with_detail(code)
                        .into(),
                );
            }
        }
    }
    Ok(())
}

/// Sends every line under its id as the key, so that versions of one id stay in order.
fn send(config: &ClientConfig, topic: &str, file: &Path) -> Outcome<u64> {
    let text = std::fs::read_to_string(file).map_err(|e| {
        OperatorMessage::new(
            ErrorCode::InputUnreadable,
            format!("{} cannot be read", file.display()),
        )
        .with_detail(e)
    })?;
    let producer =
        ThreadedProducer::from_config_and_context(config, Deliveries::default()).map_err(|e| refused(&e))?;
    let mut sent = 0;
    for line in text.lines().filter(|l| !l.trim().is_empty()) {
        let key = key_of(line);
        let mut record = BaseRecord::to(topic).payload(line).key(&key);
        while let Err((error, unsent)) = producer.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(refused(&error).into());
            }
            std::thread::sleep(Duration::from_millis(10));
            record = unsent;
        }
        sent += 1;
    }
    producer.flush(PATIENCE).map_err(|e| refused(&e))?;
    match producer.context().failed.load(Ordering::Relaxed) {
        0 => Ok(sent),
        failed => Err(OperatorMessage::new(
            ErrorCode::Broker,
            format!("{failed} of {sent} events were not delivered to {topic}"),
        )
        .into()),
    }
}

/// Counts what the broker did not take.
#[derive(Debug, Default)]
struct Deliveries {
    failed: AtomicU64,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn key_of(line: &str) -> String {
    let row: Value = serde_json::from_str(line).unwrap_or_default();
    let id = ["tx_id", "order_id"].iter().find_map(|f| row.get(*f));
    match id {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}
