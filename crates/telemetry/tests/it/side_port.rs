//! `/metrics`, `/healthz` and `/readyz` of a process that serves nothing else.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nsc_telemetry::Metrics;
use nsc_telemetry::serve::metrics_endpoint;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::metric_names::{started, touch_all};

struct Port {
    address: SocketAddr,
    ready: Arc<AtomicBool>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
}

async fn port(metrics: Metrics) -> Port {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let ready = Arc::new(AtomicBool::new(true));
    let (stop, stopped) = oneshot::channel();
    let asked = Arc::clone(&ready);
    let readiness = move || {
        let ready = asked.load(Ordering::SeqCst);
        async move {
            ready
                .then_some(())
                .ok_or_else(|| "the database is away".to_owned())
        }
    };
    let served = tokio::spawn(metrics_endpoint(listener, metrics, readiness, async {
        let _ = stopped.await;
    }));
    Port {
        address,
        ready,
        stop,
        served,
    }
}

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn prometheus_reads_the_metrics() {
    let metrics = started();
    touch_all(&metrics);
    let port = port(metrics).await;
    let answer = get(port.address, "/metrics").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"),
        "{answer}"
    );
    assert!(
        answer.contains("\nconsumer_kafka_lag{partition=\"0\""),
        "{answer}"
    );
}

#[tokio::test]
async fn readiness_follows_what_it_is_told_and_health_does_not() {
    let port = port(Metrics::noop()).await;
    assert!(get(port.address, "/readyz").await.starts_with("HTTP/1.1 200 OK"));
    port.ready.store(false, Ordering::SeqCst);
    let answer = get(port.address, "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\nthe database is away\n"), "{answer}");
    assert!(get(port.address, "/healthz").await.ends_with("\r\n\r\nalive\n"));
    assert!(
        get(port.address, "/admin/tx/T1")
            .await
            .starts_with("HTTP/1.1 404 ")
    );
}

#[tokio::test]
async fn it_stops_when_told_to_even_with_an_idle_connection_open() {
    let port = port(Metrics::noop()).await;
    let mut idle = TcpStream::connect(port.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n")
        .await
        .unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    port.stop.send(()).unwrap();
    let ended = timeout(Duration::from_secs(10), port.served).await.unwrap();
    assert!(ended.unwrap().is_ok());
    assert!(TcpStream::connect(port.address).await.is_err());
}

#[tokio::test]
async fn it_stops_when_told_to_even_with_half_a_request_on_the_wire() {
    let port = port(Metrics::noop()).await;
    let mut halves = Vec::new();
    for begun in [
        "GET /metrics HTTP/1.1\r\nHo",
        "GET",
        "",
        "GET /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nx",
    ] {
        let mut stream = TcpStream::connect(port.address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        halves.push(stream);
    }
    assert!(get(port.address, "/healthz").await.ends_with("alive\n"));
    port.stop.send(()).unwrap();
    let ended = timeout(Duration::from_secs(10), port.served).await.unwrap();
    assert!(ended.unwrap().is_ok());
}
