//! A collector gets the same numbers over OTLP/HTTP.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use axum::routing::any;
use nsc_telemetry::{Metrics, MetricsOptions};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::metric_names::{CONTRACT, touch_all};
use crate::wire::metric_names;

const LONG_ENOUGH: Duration = Duration::from_secs(20);

struct Request {
    what: String,
    media_type: String,
    body: Bytes,
}

/// A collector that takes whatever is sent to it.
async fn collector() -> (SocketAddr, UnboundedReceiver<Request>) {
    let (send, receive) = unbounded_channel();
    let take = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
        let media_type = headers
            .get("content-type")
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let what = format!("{method} {}", uri.path());
        let _ = send.send(Request {
            what,
            media_type,
            body,
        });
        async {}
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, Router::new().fallback(any(take))).into_future());
    (address, receive)
}

fn sending_to(endpoint: String, every: Duration) -> Metrics {
    Metrics::start(&MetricsOptions {
        otlp_endpoint: Some(endpoint),
        otlp_interval: every,
        ..MetricsOptions::named("nsc-test")
    })
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_collector_gets_every_metric_of_the_contract_at_every_interval() {
    let (address, mut requests) = collector().await;
    let metrics = sending_to(format!("http://{address}"), Duration::from_millis(50));
    touch_all(&metrics);
    for _ in 0..2 {
        let request = timeout(LONG_ENOUGH, requests.recv()).await.unwrap().unwrap();
        assert_eq!(request.what, "POST /v1/metrics");
        assert_eq!(request.media_type, "application/x-protobuf");
    }
    let request = timeout(LONG_ENOUGH, requests.recv()).await.unwrap().unwrap();
    let mut names = metric_names(&request.body);
    names.sort();
    let mut wanted: Vec<&str> = CONTRACT.iter().map(|(name, _)| *name).collect();
    wanted.sort_unstable();
    assert_eq!(names, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_numbers_are_sent_when_the_process_stops() {
    let (address, mut requests) = collector().await;
    // a trailing slash, a path of a gateway: the base is kept
    let metrics = sending_to(format!("http://{address}/gateway/"), Duration::from_secs(3_600));
    metrics.consumer().messages("t", "written", 1);
    let stopping = metrics.clone();
    tokio::task::spawn_blocking(move || stopping.shutdown())
        .await
        .unwrap();
    let request = timeout(LONG_ENOUGH, requests.recv()).await.unwrap().unwrap();
    assert_eq!(request.what, "POST /gateway/v1/metrics");
    assert_eq!(metric_names(&request.body), ["consumer_messages_total"]);
    // once is enough
    metrics.shutdown();
    assert!(requests.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_does_not_stop_anything() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let metrics = sending_to(format!("http://{address}"), Duration::from_millis(20));
    touch_all(&metrics);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(metrics.render().contains("consumer_kafka_lag"));
    tokio::task::spawn_blocking(move || metrics.shutdown())
        .await
        .unwrap();
}

#[test]
fn an_endpoint_that_nothing_can_be_sent_to_is_refused_with_its_reason() {
    let refused = |endpoint: &str| {
        Metrics::start(&MetricsOptions {
            otlp_endpoint: Some(endpoint.to_owned()),
            ..MetricsOptions::named("nsc-test")
        })
        .err()
        .map(|e| e.to_string())
        .unwrap_or_default()
    };
    assert!(refused("collector:4318").contains("must begin with http:// or https://"));
    assert!(refused("").contains("\"\""));
    assert!(refused("http://host/?q=1").contains("without ? and #"));
    // the TLS half of the client is there
    assert_eq!(refused("https://127.0.0.1:4318"), "");
}
