//! `nsc ingest kafka`: messages into Bronze, until told to stop.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use nsc_core::{ExitStatus, SystemClock};
use nsc_ingest::{StreamOptions, TopicSource, TopicSummary, stream_topics};

use super::source;
use crate::app::App;
use crate::commands::serving;
use crate::config::{Flags, keys};
use crate::failure::{OperatorMessage, Outcome};
use crate::output::{Cell, Column, Listing};

const NAME: &str = "nsc-ingest-kafka";

/// Take messages of Kafka or Event Hubs into Bronze, each exactly once
#[derive(Debug, Args)]
#[command(after_help = "\
Runs until SIGTERM or Ctrl-C: then it commits what it has and leaves the group. Brokers, topics and a storage that are away
are waited for. A message is one row, whatever its bytes; one without a payload (a tombstone) is counted and is none.

How far a topic is in Bronze stands in the Delta log of the table and nowhere else: the offsets at the broker are for
whoever watches the lag. A partition whose messages were removed before they were taken, or whose topic was made anew, is
left alone and named; the others go on, and the command ends with 6.

Examples:
  nsc ingest kafka --topics ledger=transaction_ledger,orders=payment_orders
  nsc ingest kafka --topics wallets=user_wallets --brokers 127.0.0.1:19092 --max-idle-seconds 30
  KAFKA_SECURITY=plain KAFKA_USERNAME='$ConnectionString' nsc ingest kafka --brokers ns.servicebus.windows.net:9093 --topics ledger=transaction_ledger")]
pub(crate) struct StreamArgs {
    /// Topics and the tables they fill, TOPIC=TABLE,... [env: NSC_STREAM_TOPICS]
    #[arg(long, value_name = "LIST")]
    topics: Option<String>,
    /// Brokers, host:port,... [env: KAFKA_BROKERS] [default: 127.0.0.1:9092]
    #[arg(long, value_name = "HOSTS")]
    brokers: Option<String>,
    /// Consumer group [env: NSC_STREAM_GROUP] [default: nsc-bronze]
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// What the cluster is called in the positions that are kept [env: NSC_STREAM_CLUSTER] [default: main]
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Commit at least so often, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    batch_seconds: u64,
    /// End when no message has come for so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    max_idle_seconds: Option<u64>,
}

impl StreamArgs {
    pub(crate) fn add_to(&self, flags: &mut Flags) {
        flags.set(&keys::STREAM_TOPICS, self.topics.as_ref());
        flags.set(&keys::KAFKA_BROKERS, self.brokers.as_ref());
        flags.set(&keys::STREAM_GROUP, self.group.as_ref());
        flags.set(&keys::STREAM_CLUSTER, self.cluster.as_ref());
    }
}

pub(super) async fn handle(args: &StreamArgs, app: &mut App) -> Outcome<ExitStatus> {
    let config = &app.config;
    serving::say_that_it_starts(NAME, config);
    let stream = &config.serving.stream;
    let mut kafka = serving::kafka(config)?;
    kafka.group_id.clone_from(&stream.group.value);
    kafka.client_id = NAME.to_owned();
    kafka.fails_out_of_range = true;
    let topics = topics(
        stream
            .topics
            .as_ref()
            .map(|t| t.value.as_str())
            .unwrap_or_default(),
    )?;
    let mut options = StreamOptions::new(kafka, stream.cluster.value.clone(), topics);
    options.batch_wait = Duration::from_secs(args.batch_seconds);
    options.max_idle = args.max_idle_seconds.map(Duration::from_secs);
    let lake = app.lake_or_new()?;
    tracing::info!(
        target: nsc_telemetry::SERVICE,
        brokers = options.kafka.brokers,
        group = options.kafka.group_id,
        root = lake.root().as_str(),
        "it takes messages into Bronze"
    );
    let stop = serving::shutdown()?;
    let summaries = stream_topics(&lake, options, Arc::new(SystemClock), stop).await?;
    tracing::info!(target: nsc_telemetry::SERVICE, "the stream has stopped");
    app.printer.listing(&listing(&summaries))?;
    let is_whole = summaries.iter().all(|s| s.halted.is_empty());
    Ok(if is_whole {
        ExitStatus::Ok
    } else {
        ExitStatus::Storage
    })
}

/// Topics and their sources.
fn topics(text: &str) -> Outcome<Vec<TopicSource>> {
    let refused = |what: String| {
        OperatorMessage::usage(what).with_hint("--topics ledger=transaction_ledger,orders=payment_orders")
    };
    let mut found: Vec<TopicSource> = Vec::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((topic, table)) = pair.split_once('=') else {
            return Err(refused(format!("{pair:?} is not TOPIC=TABLE")).into());
        };
        let (topic, source) = (topic.trim().to_owned(), source(table.trim())?);
        if topic.is_empty() {
            return Err(refused(format!("{pair:?} names no topic")).into());
        }
        if found.iter().any(|t| t.topic == topic) {
            return Err(refused(format!("topic {topic} is named twice")).into());
        }
        if let Some(other) = found.iter().find(|t| t.source.name == source.name) {
            let both = format!("topics {} and {topic} would fill the same table", other.topic);
            return Err(refused(both).into());
        }
        found.push(TopicSource { topic, source });
    }
    if found.is_empty() {
        return Err(refused("no topic is named".to_owned()).into());
    }
    Ok(found)
}

fn listing(summaries: &[TopicSummary]) -> Listing {
    let mut listing = Listing::of_text(&["topic", "table"]);
    let numbers = ["messages", "rows", "malformed", "tombstones", "commits"];
    listing.columns.extend(numbers.map(Column::number));
    listing.columns.push(Column::text("halted"));
    for s in summaries {
        let halted: Vec<String> = s
            .halted
            .iter()
            .map(|(p, why)| format!("partition {p}: {why}"))
            .collect();
        let mut row = vec![Cell::text(&s.topic), Cell::text(&s.table)];
        row.extend([s.messages, s.rows, s.malformed, s.tombstones, s.commits].map(Cell::UInt));
        row.push(if halted.is_empty() {
            Cell::Null
        } else {
            Cell::Text(halted.join("; "))
        });
        listing.push(row);
    }
    listing
}

#[cfg(test)]
mod tests {
    use super::topics;

    #[test]
    fn topics_and_tables_are_read_or_refused() {
        let read = |text: &str| topics(text).map(|t| t.len()).map_err(|e| e.error().to_string());
        assert_eq!(
            read("ledger=transaction_ledger, o.v1 = payment_orders_raw,"),
            Ok(2)
        );
        for (text, said) in [
            ("", "no topic is named"),
            ("ledger", "\"ledger\" is not TOPIC=TABLE"),
            ("=orders", "\"=orders\" names no topic"),
            ("a=orders,a=products", "topic a is named twice"),
            ("a=orders,b=orders", "topics a and b would fill the same table"),
            ("a=nothing", "nothing is not a source table"),
        ] {
            assert_eq!(read(text), Err(said.to_owned()), "{text}");
        }
    }
}
