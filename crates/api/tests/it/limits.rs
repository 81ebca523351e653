//! What a request may cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use nsc_core::{Clock, SystemClock, UtcMicros};
use sqlx::{Connection, Executor};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::{Request, exchange};
use crate::world::World;

#[tokio::test]
async fn what_is_too_large_is_a_problem_and_audited() {
    let world = World::start().await;
    let long = "x".repeat(33_000);
    let longest = "x".repeat(65_000);
    for (request, status, kind) in [
        (Request::get(&format!("/admin/tx/{long}")), 414, "target-too-long"),
        (
            Request::get(&format!("/admin/wallets/w/tx?cursor={long}")),
            414,
            "target-too-long",
        ),
        (
            Request::get("/admin/tx/a").header("x-padding", &longest),
            431,
            "headers-too-large",
        ),
        (
            Request::get("/admin/tx/a").header("content-length", "1000000"),
            413,
            "body-too-large",
        ),
    ] {
        let id = format!("large-{kind}-{}", request.bytes().len());
        let answer = world
            .send(&request.bearer(world.token()).header("x-correlation-id", &id))
            .await;
        assert_eq!((answer.status, answer.problem().as_str()), (status, kind));
        assert_eq!(world.audited(&id).await.status_code, i32::from(status));
    }
}

#[tokio::test]
async fn what_is_larger_than_any_request_is_not_even_read() {
    let world = World::start().await;
    let mut many = Request::get("/healthz");
    for n in 0..120 {
        many = many.header(&format!("x-{n}"), "1");
    }
    assert_eq!(world.send(&many).await.status, 431);
    let huge = format!(
        "GET /healthz HTTP/1.1\r\nhost: test\r\nx-padding: {}",
        "x".repeat(300_000)
    );
    // The server may end the connection while we still send.
    if let Ok(answer) = exchange(world.address, huge.as_bytes()).await {
        assert!(matches!(answer.status, 0 | 431), "{answer:?}");
    }
    assert_eq!(world.send(&Request::get("/healthz")).await.status, 200);
}

#[tokio::test]
async fn what_the_http_library_refuses_has_no_body_and_no_row() {
    let world = World::start().await;
    let mut many = Request::get("/admin/tx/a").bearer(world.token());
    for n in 0..120 {
        many = many.header(&format!("x-{n}"), "1");
    }
    let unread = [
        (many.bytes(), 431),
        (b"GET /admin/tx/a b HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), 400),
        (b"GET /admin/tx/a HTTP/1.1\r\nbad header\r\n\r\n".to_vec(), 400),
    ];
    for (bytes, status) in unread {
        let answer = exchange(world.address, &bytes).await.expect("an answer");
        assert_eq!((answer.status, answer.body.as_str()), (status, ""), "{answer:?}");
        for name in ["content-type", "x-correlation-id"] {
            assert_eq!(answer.header(name), None, "{answer:?}");
        }
    }
    assert_eq!(world.get("/admin/wallets/w/tx").await.status, 200);
    assert_eq!(world.audit().await.len(), 1, "of the last one only");
}

#[tokio::test]
async fn what_is_no_http_is_not_answered_with_data() {
    let world = World::start().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /admin/tx/a b HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
        b"GET /admin/tx/\x00 HTTP/1.1\r\nhost: x\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(world.address).await.expect("a connection");
        stream.write_all(bytes).await.expect("the bytes are sent");
        stream.shutdown().await.expect("nothing more is sent");
        let mut received = Vec::new();
        // A reset is as good an answer as any.
        let _ = stream.read_to_end(&mut received).await;
        let text = String::from_utf8_lossy(&received);
        assert!(
            received.is_empty() || text.starts_with("HTTP/1.1 400") || text.starts_with("HTTP/1.1 505"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn whoever_sends_too_slowly_is_cut_off() {
    let world = World::with(|setup| setup.options.limits.header_timeout = Duration::from_millis(200)).await;
    let mut stream = TcpStream::connect(world.address).await.expect("a connection");
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost:")
        .await
        .expect("half a request is sent");
    let begun = Instant::now();
    let mut received = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut received)).await;
    assert!(ended.is_ok(), "the connection is still open");
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(!String::from_utf8_lossy(&received).contains("200 OK"));
}

#[tokio::test]
async fn a_lookup_that_takes_too_long_is_given_up_and_audited() {
    let world = World::with(|setup| setup.options.limits.request_timeout = Duration::from_millis(300)).await;
    let mut other = world.superuser().await;
    let mut locking = other.begin().await.expect("a transaction");
    locking
        .execute("LOCK TABLE bo.ledger_entries")
        .await
        .expect("the lock");
    let request = Request::get("/admin/tx/a")
        .bearer(world.token())
        .header("x-correlation-id", "slow");
    let answer = world.send(&request).await;
    assert_eq!((answer.status, answer.problem().as_str()), (504, "timed-out"));
    let row = world.audited("slow").await;
    assert_eq!((row.status_code, row.result.as_str()), (504, "ERROR"));
    locking.rollback().await.expect("the lock is released");
    assert_eq!(world.get("/admin/tx/a").await.status, 404);
}

#[tokio::test]
async fn who_finds_no_place_is_sent_away_and_audited() {
    let world = World::with(|setup| setup.options.limits.in_flight = 1).await;
    let mut other = world.superuser().await;
    let mut locking = other.begin().await.expect("a transaction");
    locking
        .execute("LOCK TABLE bo.ledger_entries")
        .await
        .expect("the lock");
    let first = Request::get("/admin/tx/a").bearer(world.token());
    let address = world.address;
    let first = tokio::spawn(async move { first.send(address).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let second = Request::get("/admin/tx/b")
        .bearer(world.token())
        .header("x-correlation-id", "one-too-many");
    let answer = world.send(&second).await;
    assert_eq!((answer.status, answer.problem().as_str()), (503, "overloaded"));
    assert!(answer.header("retry-after").is_some());
    assert_eq!(world.audited("one-too-many").await.status_code, 503);
    // Those who watch over us need no place.
    for target in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(world.send(&Request::get(target)).await.status, 200, "{target}");
    }
    locking.rollback().await.expect("the lock is released");
    assert_eq!(first.await.expect("the first request").status, 404);
    assert_eq!(world.get("/admin/tx/a").await.status, 404);
}

/// Fails when it is asked for the time once too often.
struct Troubled(AtomicI64);

impl Clock for Troubled {
    fn now(&self) -> UtcMicros {
        assert!(
            self.0.fetch_sub(1, Ordering::Relaxed) != 0,
            "the clock stands still"
        );
        SystemClock.now()
    }
}

#[tokio::test]
async fn a_panic_is_one_500_and_audited_when_it_is_behind_the_guard() {
    for (asked_before, audited) in [(0, false), (1, true), (2, true)] {
        let clock = Arc::new(Troubled(AtomicI64::new(-1)));
        let world = World::with(|setup| setup.clock = Arc::clone(&clock) as Arc<dyn Clock>).await;
        let request = Request::get("/admin/wallets/w/tx")
            .bearer(world.token())
            .header("x-correlation-id", "panic");
        clock.0.store(asked_before, Ordering::Relaxed);
        let answer = exchange(world.address, &request.bytes())
            .await
            .expect("the connection lives");
        clock.0.store(-1, Ordering::Relaxed);
        if audited {
            assert_eq!(
                (answer.status, answer.problem().as_str()),
                (500, "internal"),
                "{asked_before}"
            );
            assert_eq!(world.audited("panic").await.result, "ERROR");
        }
        assert_eq!(world.send(&request.clone()).await.status, 200);
    }
}
