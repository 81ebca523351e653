//! Every name of section 7.2 of the architecture, exactly.
//! Holds serving contract 8.

use nsc_telemetry::metrics::{PairFlag, PairOutcome};
use nsc_telemetry::{Metrics, MetricsOptions};

/// Name and type. The whole list of the contract: what is missing here is missing in the product.
pub(crate) const CONTRACT: [(&str, &str); 18] = [
    ("api_request_latency_seconds", "histogram"),
    ("api_requests_total", "counter"),
    ("api_requests_inflight", "gauge"),
    ("consumer_messages_total", "counter"),
    ("consumer_event_lag_seconds", "histogram"),
    ("consumer_kafka_lag", "gauge"),
    ("consumer_freshness_seconds", "gauge"),
    ("consumer_dlq_total", "counter"),
    ("pairing_total", "counter"),
    ("pairing_incomplete_total", "counter"),
    ("pairing_incomplete_age_seconds", "gauge"),
    ("pairing_skipped_non_payment_order_total", "counter"),
    ("pairing_flagged_total", "counter"),
    ("db_query_latency_seconds", "histogram"),
    ("db_pool_size", "gauge"),
    ("db_pool_checked_out", "gauge"),
    ("db_pool_checkout_latency_seconds", "histogram"),
    ("db_replication_lag_seconds", "gauge"),
];

/// Uses every handle once.
pub(crate) fn touch_all(metrics: &Metrics) {
    let route = "/admin/tx/{tx_id}";
    let api = metrics.api();
    drop(api.started(route, "GET"));
    api.finished(route, "GET", 200, 0.012);
    let consumer = metrics.consumer();
    consumer.messages("ledger.entry.upserted", "written", 3);
    consumer.event_lag("ledger.entry.upserted", 0.4);
    consumer.kafka_lag("ledger.entry.upserted", 0, 17);
    consumer.freshness("ledger.entry.upserted", 0.7);
    consumer.dlq("ledger.entry.upserted", "json", 1);
    let pairing = metrics.pairing();
    pairing.pairs(PairOutcome::Complete, 2);
    pairing.pairs(PairOutcome::Incomplete, 1);
    pairing.incomplete_age_seconds(12.5);
    pairing.skipped_non_payment_order(1);
    pairing.flagged(PairFlag::SameTx, 1);
    let db = metrics.db();
    db.query("tx_lookup", 0.002);
    db.pool_size(10);
    db.pool_checked_out(4);
    db.checkout(0.000_1);
    db.replication_lag(0.3);
}

pub(crate) fn started() -> Metrics {
    Metrics::start(&MetricsOptions::named("nsc-test")).unwrap()
}

#[test]
fn every_metric_of_the_contract_is_rendered_once_touched_with_its_type() {
    let metrics = started();
    touch_all(&metrics);
    let text = metrics.render();
    let typed: Vec<&str> = text.lines().filter(|l| l.starts_with("# TYPE ")).collect();
    for (name, kind) in CONTRACT {
        let line = format!("# TYPE {name} {kind}");
        assert!(typed.contains(&line.as_str()), "no {line:?} in\n{text}");
    }
    // and nothing under a name that nobody knows: no second suffix, no unit appended
    assert_eq!(typed.len(), CONTRACT.len() + 1, "{typed:#?}");
    assert!(
        text.contains("target_info{service_name=\"nsc-test\"} 1"),
        "{text}"
    );
}

#[test]
fn every_metric_has_a_help_text() {
    let metrics = started();
    touch_all(&metrics);
    let text = metrics.render();
    for (name, _) in CONTRACT {
        let help = format!("# HELP {name} ");
        let line = text.lines().find(|l| l.starts_with(&help)).unwrap_or_default();
        assert!(line.len() > help.len() + 10, "{name}: {line:?}");
    }
}

#[test]
fn samples_carry_the_labels_of_the_contract_and_no_other() {
    let metrics = started();
    touch_all(&metrics);
    let text = metrics.render();
    for sample in [
        "api_requests_total{method=\"GET\",route=\"/admin/tx/{tx_id}\",status_code=\"200\"} 1",
        "api_requests_inflight{method=\"GET\",route=\"/admin/tx/{tx_id}\"} 0",
        "api_request_latency_seconds_count{method=\"GET\",route=\"/admin/tx/{tx_id}\",status_code=\"200\"} 1",
        "consumer_messages_total{outcome=\"written\",topic=\"ledger.entry.upserted\"} 3",
        "consumer_event_lag_seconds_count{topic=\"ledger.entry.upserted\"} 1",
        "consumer_kafka_lag{partition=\"0\",topic=\"ledger.entry.upserted\"} 17",
        "consumer_freshness_seconds{topic=\"ledger.entry.upserted\"} 0.7",
        "consumer_dlq_total{class=\"json\",topic=\"ledger.entry.upserted\"} 1",
        "pairing_total{outcome=\"complete\"} 2",
        "pairing_total{outcome=\"incomplete\"} 1",
        "pairing_incomplete_total 1",
        "pairing_incomplete_age_seconds 12.5",
        "pairing_skipped_non_payment_order_total 1",
        "pairing_flagged_total{flag=\"same_tx\"} 1",
        "db_query_latency_seconds_count{query=\"tx_lookup\"} 1",
        "db_pool_size 10",
        "db_pool_checked_out 4",
        "db_pool_checkout_latency_seconds_count 1",
        "db_replication_lag_seconds 0.3",
    ] {
        assert!(text.lines().any(|l| l == sample), "no {sample} in\n{text}");
    }
}

#[test]
fn a_process_without_metrics_renders_nothing_and_its_handles_work() {
    let metrics = Metrics::noop();
    touch_all(&metrics);
    assert_eq!(metrics.render(), "");
    metrics.shutdown();
}
