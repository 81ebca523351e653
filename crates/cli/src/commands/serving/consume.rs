//! `nsc consume`: events into the backoffice database, until told to stop.

use std::time::Duration;

use clap::Args;
use nsc_consumer::{Consumed, Consumer, ConsumerOptions, StartAt};
use nsc_contracts::event::EventKind;
use nsc_core::ExitStatus;
use serde_json::json;
use tokio::net::TcpListener;

use super::kinds;
use super::wiring::{self, EventArgs};
use crate::app::App;
use crate::config::serving::ConsumerStart;
use crate::config::{Flags, keys};
use crate::failure::{Failure, Outcome};

const NAME: &str = "nsc-consumer";

/// Consume events into the backoffice database
#[derive(Debug, Args)]
#[command(after_help = "\
Runs until SIGTERM or Ctrl-C: then it finishes its batches, commits their offsets and leaves the group. Brokers,
topics and a database that are away are waited for. With --max-messages or --max-idle-seconds it ends by itself, and says
what it has done. --start latest leaves out what is there at the first start of a group; from then on nothing is skipped: a
partition that comes later is read from its beginning. /metrics, /healthz and /readyz are on --metrics-listen.

Examples:
  nsc consume
  nsc consume --brokers 127.0.0.1:19092 --from-beginning
  nsc consume --group rehearsal --max-messages 1000 --max-idle-seconds 30
  KAFKA_SECURITY=plain KAFKA_USERNAME='$ConnectionString' nsc consume --brokers ns.servicebus.windows.net:9093")]
pub(crate) struct ConsumeArgs {
    #[command(flatten)]
    events: EventArgs,
    /// Consumer group [env: KAFKA_GROUP] [default: tx-lookup]
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Read every partition from its beginning, whatever was committed
    #[arg(long)]
    from_beginning: bool,
    /// Where a group begins that has committed nothing of a topic [env: NSC_CONSUMER_START] [default: earliest]
    #[arg(long, value_name = "WHERE", value_parser = ["earliest", "latest"])]
    start: Option<String>,
    /// End after so many messages, when they are stored and committed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_messages: Option<u64>,
    /// End when no message has come for so many seconds since it joined the group
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    max_idle_seconds: Option<u64>,
    /// Transactions under way at once; a partition belongs to one of them
    #[arg(long, value_name = "N", default_value_t = 2, alias = "lanes")]
    workers: usize,
    /// Address of metrics and health [env: NSC_METRICS_LISTEN] [default: 127.0.0.1:9464]
    #[arg(long, value_name = "ADDRESS")]
    metrics_listen: Option<String>,
}

impl ConsumeArgs {
    pub(crate) fn add_to(&self, flags: &mut Flags) {
        self.events.add_to(flags);
        flags.set(&keys::KAFKA_GROUP, self.group.as_ref());
        flags.set(&keys::CONSUMER_START, self.start.as_ref());
        flags.set(&keys::METRICS_LISTEN, self.metrics_listen.as_ref());
    }
}

pub(crate) async fn handle(args: ConsumeArgs, app: &mut App) -> Outcome<ExitStatus> {
    let config = &app.config;
    wiring::say_that_it_starts(NAME, config);
    let mut options = ConsumerOptions::new(wiring::kafka(config)?, wiring::subscription(config)?);
    options.sink = wiring::sink(config);
    options.workers = args.workers.max(1);
    options.from_beginning = args.from_beginning;
    options.start = match config.serving.consumer.start.value {
        ConsumerStart::Latest => StartAt::Latest,
        ConsumerStart::Earliest => StartAt::Earliest,
    };
    options.max_messages = args.max_messages;
    options.max_idle = args.max_idle_seconds.map(Duration::from_secs);
    let is_limited = args.max_messages.is_some() || args.max_idle_seconds.is_some();
    let address = &config.serving.consumer.metrics_listen;
    let listener = TcpListener::bind(address.value)
        .await
        .map_err(|e| wiring::unusable_address(address, &e))?;
    let services = wiring::services(config, NAME)?;
    let shutdown = wiring::shutdown()?;

    let metrics = services.metrics.clone();
    tracing::info!(
        target: nsc_telemetry::SERVICE,
        brokers = options.kafka.brokers,
        group = options.kafka.group_id,
        topics = EventKind::ALL.map(|kind| options.profile.topic(kind)).join(","),
        metrics = %address.value,
        "it reads events into the database"
    );
    let consumer = Consumer::new(options, services);
    let status = consumer.status();
    let outcome = status.clone();
    let side_port = tokio::spawn(nsc_telemetry::serve::metrics_endpoint(
        listener,
        metrics.clone(),
        move || {
            let status = status.clone();
            async move {
                if status.is_ready() {
                    Ok(())
                } else {
                    Err("not a member of the group yet, or waiting for the database".to_owned())
                }
            }
        },
        shutdown.clone().cancelled_owned(),
    ));
    let ended = consumer.run(shutdown.clone()).await;
    shutdown.cancel();
    let served = side_port
        .await
        .map_err(|e| Failure::unexpected("serving metrics", e))?;
    // The collector's last report may block.
    let flushed = tokio::task::spawn_blocking(move || metrics.shutdown()).await;
    if ended.is_ok() {
        tracing::info!(target: nsc_telemetry::SERVICE, "the consumer has stopped");
    }
    ended?;
    served.map_err(|e| Failure::unexpected("serving metrics", e))?;
    flushed.map_err(|e| Failure::unexpected("sending the last metrics", e))?;
    if is_limited {
        tell(&outcome.consumed(), app)?;
    }
    Ok(ExitStatus::Ok)
}

/// What a consumer that ends by itself has done.
fn tell(done: &Consumed, app: &mut App) -> Outcome {
    let document = json!({
        "messages": done.messages, "written": done.written, "stale": done.stale, "dead_letters": done.dead_letters,
        "classes": done.classes, "tombstones": done.tombstones,
    });
    if done.dead_letters > 0 {
        tracing::warn!(
            classes = kinds::line(&done.classes),
            "messages became dead letters; see nsc dlq list"
        );
    }
    app.printer.document(&document, || {
        format!(
            "{} messages = {} written + {} stale or repeated + {} dead letters + {} tombstones\n",
            done.messages, done.written, done.stale, done.dead_letters, done.tombstones
        )
    })
}
