//! `GET /metrics`

use std::time::{Duration, Instant};

use crate::http::Request;
use crate::world::{World, entry};

async fn metrics(world: &World) -> String {
    let answer = world.send(&Request::get("/metrics")).await;
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .header("content-type")
            .is_some_and(|t| t.starts_with("text/plain; version=0.0.4"))
    );
    answer.body
}

#[tokio::test]
async fn requests_are_counted_by_route_and_never_by_path() {
    let world = World::start().await;
    for target in [
        "/admin/tx/secret-id",
        "/admin/payment-orders/x",
        "/admin/wallets/x/tx",
        "/admin/nothing",
        "/nothing",
    ] {
        world.get(target).await;
    }
    world.send(&Request::new("BREW", "/admin/tx/secret-id")).await;
    let text = metrics(&world).await;
    for (route, method, status) in [
        ("/admin/tx/{tx_id}", "GET", 404),
        ("/admin/payment-orders/{order_id}", "GET", 404),
        ("/admin/wallets/{wallet_id}/tx", "GET", 200),
        ("/admin/tx/{tx_id}", "OTHER", 401),
    ] {
        let series =
            format!("api_requests_total{{method=\"{method}\",route=\"{route}\",status_code=\"{status}\"}} 1");
        assert!(text.contains(&series), "{series} is not in\n{text}");
        let count = format!(
            "api_request_latency_seconds_count{{method=\"{method}\",route=\"{route}\",status_code=\"{status}\"}} 1"
        );
        assert!(text.contains(&count), "{count} is not in\n{text}");
    }
    let unknown = "api_requests_total{method=\"GET\",route=\"unknown\",status_code=\"404\"} 2";
    assert!(text.contains(unknown), "{text}");
    assert!(!text.contains("secret-id") && !text.contains("BREW"), "{text}");
    assert!(
        text.contains("api_requests_inflight{method=\"GET\",route=\"/metrics\"} 1"),
        "{text}"
    );
}

#[tokio::test]
async fn the_state_of_connections_and_pairs_is_measured_without_a_request() {
    let world = World::with(|setup| setup.options.gauge_interval = Duration::from_millis(50)).await;
    let half = entry("tx-1", "w", "PAYMENT", Some("po-1"), "2026-01-05T01:00:00Z");
    world.apply(vec![half], vec![]).await;
    let begun = Instant::now();
    loop {
        let text = metrics(&world).await;
        let value = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            line.rsplit(' ').next()?.parse::<f64>().ok()
        };
        let age = value("pairing_incomplete_age_seconds");
        if age.is_some_and(|age| age > 1.0) {
            // Two of the eight are the audit log's.
            assert_eq!(value("db_pool_size"), Some(6.0), "{text}");
            assert!(value("db_pool_checked_out").is_some(), "{text}");
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
