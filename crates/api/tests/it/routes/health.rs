//! `GET /healthz` and `GET /readyz`

use std::time::{Duration, Instant};

use nsc_testkit::{Database, FaultProxy, Postgres};

use crate::http::{Answer, Request};
use crate::world::World;

async fn ready(world: &World) -> Answer {
    world.send(&Request::get("/readyz")).await
}

/// The answer is kept for a second.
async fn until_ready_is(world: &World, status: u16) -> Answer {
    let begun = Instant::now();
    loop {
        let answer = ready(world).await;
        if answer.status == status {
            return answer;
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "{answer:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn an_api_that_can_work_says_so_to_anybody() {
    let world = World::start().await;
    for target in ["/healthz", "/readyz"] {
        let answer = world.send(&Request::get(target)).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "{\"status\":\"ok\"}"),
            "{target}"
        );
    }
    assert_eq!(world.audit().await, []);
}

#[tokio::test]
async fn without_a_database_it_lives_and_is_not_ready() {
    let postgres = Postgres::shared().await.expect("PostgreSQL starts");
    let target = format!("127.0.0.1:{}", postgres.port())
        .parse()
        .expect("an address");
    let proxy = FaultProxy::start(target).expect("the proxy starts");
    let world = World::with(|setup| setup.database_address = Some(proxy.address())).await;
    assert_eq!(ready(&world).await.status, 200);
    proxy.cut();
    let answer = until_ready_is(&world, 503).await;
    assert_eq!(answer.problem(), "not-ready");
    assert_eq!(world.send(&Request::get("/healthz")).await.status, 200);
    let lookup = world.get("/admin/tx/tx-1").await;
    assert_eq!(lookup.status, 503);
    assert!(lookup.header("retry-after").is_some());
    proxy.restore();
    until_ready_is(&world, 200).await;
    assert_eq!(world.get("/admin/tx/tx-1").await.status, 404);
}

#[tokio::test]
async fn without_a_schema_it_is_not_ready() {
    let empty: Database = Postgres::shared()
        .await
        .expect("PostgreSQL starts")
        .fresh_database()
        .await
        .expect("a database");
    empty
        .execute("DO $$ BEGIN CREATE ROLE nsc_api; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        .await
        .expect("the role");
    let world = World::on(empty, |_| {}).await;
    let answer = ready(&world).await;
    assert_eq!((answer.status, answer.problem().as_str()), (503, "not-ready"));
    assert!(
        answer.json()["detail"]
            .as_str()
            .is_some_and(|d| d.contains("schema")),
        "{answer:?}"
    );
}

/// Such a login could read, and not one answer would leave: readiness must not send it requests.
#[tokio::test]
async fn with_a_login_that_may_not_audit_it_is_not_ready() {
    let world = World::start().await;
    assert_eq!(ready(&world).await.status, 200);
    for (statement, lacking) in [
        (
            "REVOKE ALL ON bo.admin_audit_logs FROM nsc_api",
            "INSERT on bo.admin_audit_logs",
        ),
        (
            "REVOKE ALL ON bo.payment_orders FROM nsc_api",
            "INSERT on bo.admin_audit_logs, SELECT on bo.payment_orders",
        ),
    ] {
        world.database.execute(statement).await.expect("the owner may");
        let deadline = Instant::now() + Duration::from_secs(15);
        let want = format!("the database login lacks {lacking}");
        loop {
            let answer = ready(&world).await;
            if answer.status == 503 && answer.json()["detail"] == want.as_str() {
                break;
            }
            assert!(Instant::now() < deadline, "{lacking}: {answer:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test]
async fn without_keys_it_is_not_ready() {
    let world = World::with(|setup| setup.oidc().issuer.push_str("/other")).await;
    let answer = ready(&world).await;
    assert_eq!((answer.status, answer.problem().as_str()), (503, "not-ready"));
    assert_eq!(answer.json()["detail"], "the issuer's keys are not at hand");
}
