//! Down without losing a request.

use std::time::{Duration, Instant};

use sqlx::{Connection, Executor};
use tokio::net::TcpStream;

use crate::http::Request;
use crate::world::World;

#[tokio::test]
async fn a_request_under_way_is_finished_and_audited_and_no_other_is_taken() {
    let mut world = World::start().await;
    let mut other = world.superuser().await;
    let mut locking = other.begin().await.expect("a transaction");
    locking
        .execute("LOCK TABLE bo.ledger_entries")
        .await
        .expect("the lock");
    let request = Request::get("/admin/tx/a")
        .bearer(world.token())
        .header("x-correlation-id", "last");
    let address = world.address;
    let under_way = tokio::spawn(async move { request.send(address).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.shutdown.cancel();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(
        TcpStream::connect(address).await.is_err(),
        "a connection is still taken"
    );
    locking.rollback().await.expect("the lock is released");
    assert_eq!(under_way.await.expect("the request").status, 404);
    world.stop().await.expect("a clean end");
    assert_eq!(world.audited("last").await.status_code, 404);
}

#[tokio::test]
async fn an_idle_server_stops_at_once() {
    let mut world = World::start().await;
    let idle = TcpStream::connect(world.address).await.expect("a connection");
    let begun = Instant::now();
    world.stop().await.expect("a clean end");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    drop(idle);
}

#[tokio::test]
async fn a_request_that_does_not_end_is_not_waited_for_for_ever() {
    let mut world = World::with(|setup| setup.options.drain = Duration::from_millis(300)).await;
    let mut other = world.superuser().await;
    let mut locking = other.begin().await.expect("a transaction");
    locking
        .execute("LOCK TABLE bo.ledger_entries")
        .await
        .expect("the lock");
    let request = Request::get("/admin/tx/a").bearer(world.token());
    let mut stream = TcpStream::connect(world.address).await.expect("a connection");
    tokio::io::AsyncWriteExt::write_all(&mut stream, &request.bytes())
        .await
        .expect("the request is sent");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let begun = Instant::now();
    world.stop().await.expect("an end");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn half_a_request_is_not_waited_for_for_ever() {
    let mut world = World::with(|setup| setup.options.drain = Duration::from_millis(300)).await;
    let mut halves = Vec::new();
    let body = "GET /admin/tx/a HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nx";
    for begun in ["GET /admin/tx/a HTTP/1.1\r\nho", "G", body] {
        let mut stream = TcpStream::connect(world.address).await.expect("a connection");
        tokio::io::AsyncWriteExt::write_all(&mut stream, begun.as_bytes())
            .await
            .expect("half a request is sent");
        halves.push(stream);
    }
    assert_eq!(world.get("/admin/wallets/w/tx").await.status, 200);
    let stopped = tokio::time::timeout(Duration::from_secs(20), world.stop()).await;
    stopped.expect("it ends").expect("a clean end");
}
