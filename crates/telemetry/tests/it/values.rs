//! What the numbers mean: buckets at the limits, gauges that go away, requests in flight.

use nsc_telemetry::{Metrics, MetricsOptions};

use crate::metric_names::started;

fn sample(metrics: &Metrics, series: &str) -> Option<f64> {
    metrics
        .render()
        .lines()
        .find_map(|l| l.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn the_limits_of_alerts_and_targets_are_bounds_of_buckets() {
    let metrics = started();
    metrics.api().finished("/r", "GET", 200, 0.2);
    metrics.consumer().event_lag("t", 5.0);
    let text = metrics.render();
    for (histogram, bound) in [
        ("api_request_latency_seconds", "0.01"),
        ("api_request_latency_seconds", "0.04"),
        ("api_request_latency_seconds", "0.2"),
        ("consumer_event_lag_seconds", "5"),
    ] {
        let has =
            |l: &str| l.starts_with(&format!("{histogram}_bucket")) && l.contains(&format!("le=\"{bound}\""));
        assert!(text.lines().any(has), "{histogram} le {bound}\n{text}");
    }
    // a request at the limit is within it
    let at = "api_request_latency_seconds_bucket{method=\"GET\",route=\"/r\",status_code=\"200\",le=\"0.2\"}";
    assert_eq!(sample(&metrics, at), Some(1.0));
    let below =
        "api_request_latency_seconds_bucket{method=\"GET\",route=\"/r\",status_code=\"200\",le=\"0.15\"}";
    assert_eq!(sample(&metrics, below), Some(0.0));
}

#[test]
fn a_request_is_in_flight_until_its_guard_is_dropped_even_by_a_panic() {
    let metrics = started();
    let series = "api_requests_inflight{method=\"GET\",route=\"/r\"}";
    let first = metrics.api().started("/r", "GET");
    let api = metrics.api();
    let second = std::thread::spawn(move || {
        let _guard = api.started("/r", "GET");
        std::panic::resume_unwind(Box::new("the handler fell over"));
    });
    assert!(second.join().is_err());
    assert_eq!(sample(&metrics, series), Some(1.0));
    drop(first);
    assert_eq!(sample(&metrics, series), Some(0.0));
}

#[test]
fn invented_methods_share_one_series() {
    let metrics = started();
    for i in 0..100 {
        metrics.api().finished("/r", &format!("BREW{i}"), 405, 0.001);
    }
    let series = "api_requests_total{method=\"OTHER\",route=\"/r\",status_code=\"405\"}";
    assert_eq!(sample(&metrics, series), Some(100.0));
}

#[test]
fn the_lag_of_a_partition_that_was_taken_away_is_gone() {
    let metrics = started();
    let consumer = metrics.consumer();
    consumer.kafka_lag("t", 0, 5);
    consumer.kafka_lag("t", 1, 7);
    consumer.kafka_lag("t", 1, 6);
    assert_eq!(
        sample(&metrics, "consumer_kafka_lag{partition=\"1\",topic=\"t\"}"),
        Some(6.0)
    );
    consumer.forget_kafka_lag("t", 1);
    assert_eq!(
        sample(&metrics, "consumer_kafka_lag{partition=\"1\",topic=\"t\"}"),
        None
    );
    assert_eq!(
        sample(&metrics, "consumer_kafka_lag{partition=\"0\",topic=\"t\"}"),
        Some(5.0)
    );
    consumer.forget_kafka_lag("t", 9);
}

#[test]
fn a_counter_is_there_with_zero_before_its_first_event() {
    let metrics = started();
    metrics.consumer().dlq("t", "json", 0);
    assert_eq!(
        sample(&metrics, "consumer_dlq_total{class=\"json\",topic=\"t\"}"),
        Some(0.0)
    );
    metrics
        .pairing()
        .pairs(nsc_telemetry::metrics::PairOutcome::Complete, 3);
    assert_eq!(sample(&metrics, "pairing_incomplete_total"), Some(0.0));
}

#[test]
fn a_clock_that_is_ahead_and_a_division_by_zero_leave_the_sums_whole() {
    let metrics = started();
    let consumer = metrics.consumer();
    consumer.event_lag("t", -3.0);
    consumer.event_lag("t", f64::NAN);
    consumer.event_lag("t", f64::INFINITY);
    consumer.event_lag("t", 1.5);
    consumer.freshness("t", -1.0);
    assert_eq!(
        sample(&metrics, "consumer_event_lag_seconds_sum{topic=\"t\"}"),
        Some(1.5)
    );
    assert_eq!(
        sample(&metrics, "consumer_freshness_seconds{topic=\"t\"}"),
        Some(0.0)
    );
}

#[test]
fn handles_of_one_process_share_their_numbers_and_two_processes_do_not() {
    let (one, other) = (started(), started());
    one.consumer().messages("t", "written", 1);
    one.clone().consumer().messages("t", "written", 1);
    let series = "consumer_messages_total{outcome=\"written\",topic=\"t\"}";
    assert_eq!(sample(&one, series), Some(2.0));
    assert_eq!(sample(&other, series), None);
}

#[test]
fn an_interval_without_length_is_refused() {
    let options = MetricsOptions {
        otlp_endpoint: Some("http://127.0.0.1:4318".to_owned()),
        otlp_interval: std::time::Duration::ZERO,
        ..MetricsOptions::named("nsc-test")
    };
    let refused = Metrics::start(&options).unwrap_err().to_string();
    assert_eq!(
        refused,
        "the interval between two OTLP exports must be longer than zero"
    );
}
