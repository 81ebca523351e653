//! Every attempt is audited, and nothing is answered that is not.
//! Holds serving contract 7.

use std::time::{Duration, Instant};

use ipnet::IpNet;
use sqlx::{Connection, Executor};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::http::Request;
use crate::world::{AuditLine, World, entry, order};

/// An admin operation, a request for something that exists, and what the audit log must say of it.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    target: &'static str,
    action: &'static str,
    resource_type: &'static str,
    resource_id: &'static str,
    count: i32,
}

/// `coverage` holds that none is missing.
pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "GET /admin/tx/{tx_id}",
        target: "/admin/tx/tx%2F1",
        action: "ADMIN_TX_LOOKUP",
        resource_type: "TX",
        resource_id: "tx/1",
        count: 1,
    },
    Operation {
        name: "GET /admin/payment-orders/{order_id}",
        target: "/admin/payment-orders/po-1",
        action: "ADMIN_ORDER_LOOKUP",
        resource_type: "PAYMENT_ORDER",
        resource_id: "po-1",
        count: 1,
    },
    Operation {
        name: "GET /admin/wallets/{wallet_id}/tx",
        target: "/admin/wallets/w-1/tx",
        action: "ADMIN_WALLET_TX_LOOKUP",
        resource_type: "WALLET",
        resource_id: "w-1",
        count: 1,
    },
];

async fn known_things(world: &World) {
    let payment = entry("tx/1", "w-1", "PAYMENT", Some("po-1"), "2026-01-05T01:00:00Z");
    world.apply(vec![payment], vec![order("po-1", "SETTLED")]).await;
}

#[tokio::test]
async fn every_operation_leaves_a_row_however_it_ends() {
    let world = World::start().await;
    known_things(&world).await;
    let no_role = world.issuer.token().roles(&["OTHER"]).mint();
    for operation in OPERATIONS {
        let query = format!("{}?limit=x", operation.target);
        for (what, target, token, status, result) in [
            ("found", operation.target, Some(world.token()), 200, "FOUND"),
            ("anonymous", operation.target, None, 401, "UNAUTHENTICATED"),
            (
                "no-role",
                operation.target,
                Some(no_role.as_str()),
                403,
                "FORBIDDEN",
            ),
            ("bad-query", query.as_str(), Some(world.token()), 0, "INVALID"),
        ] {
            let id = format!("{what}.{}", operation.action);
            let mut request = Request::get(target)
                .header("x-correlation-id", &id)
                .header("user-agent", "test/1.0");
            if let Some(token) = token {
                request = request.bearer(token);
            }
            let answer = world.send(&request).await;
            assert!(answer.status == status || status == 0, "{id}: {answer:?}");
            let known = token.is_some();
            let want = AuditLine {
                actor_id: known.then(|| "object-1".to_owned()),
                actor_roles: match (known, what) {
                    (false, _) => String::new(),
                    (true, "no-role") => "OTHER".to_owned(),
                    (true, _) => "ADMIN_READ".to_owned(),
                },
                action: operation.action.to_owned(),
                resource_type: Some(operation.resource_type.to_owned()),
                resource_id: Some(operation.resource_id.to_owned()),
                result: result.to_owned(),
                status_code: i32::from(answer.status),
                request_method: "GET".to_owned(),
                request_path: operation.target.to_owned(),
                request_query: (what == "bad-query").then(|| "limit=x".to_owned()),
                client_ip: Some("127.0.0.1".to_owned()),
                user_agent: Some("test/1.0".to_owned()),
                correlation_id: id.clone(),
                result_count: (status == 200).then_some(operation.count),
            };
            assert_eq!(world.audited(&id).await, want);
        }
    }
}

#[tokio::test]
async fn what_is_not_there_leaves_a_row_too() {
    let world = World::start().await;
    for (number, (request, status, action, result)) in [
        (
            Request::get("/admin/tx/none"),
            404,
            "ADMIN_TX_LOOKUP",
            "NOT_FOUND",
        ),
        (
            Request::get("/admin/payment-orders/none"),
            404,
            "ADMIN_ORDER_LOOKUP",
            "NOT_FOUND",
        ),
        (
            Request::get("/admin/wallets/none/tx"),
            200,
            "ADMIN_WALLET_TX_LOOKUP",
            "EMPTY",
        ),
        (Request::get("/admin/tx/a%00b"), 400, "ADMIN_TX_LOOKUP", "INVALID"),
        (Request::get("/admin/no/such/route"), 404, "UNKNOWN", "NOT_FOUND"),
        (Request::get("/admin"), 404, "UNKNOWN", "NOT_FOUND"),
        (Request::get("/admin/"), 404, "UNKNOWN", "NOT_FOUND"),
        (Request::get("/admin/tx/"), 404, "UNKNOWN", "NOT_FOUND"),
        (Request::get("/admin/tx/a/b"), 404, "UNKNOWN", "NOT_FOUND"),
        (Request::get("/admin/../admin/tx/a"), 404, "UNKNOWN", "NOT_FOUND"),
        (
            Request::new("DELETE", "/admin/tx/a"),
            405,
            "ADMIN_TX_LOOKUP",
            "REFUSED",
        ),
        (
            Request::new("POST", "/admin/wallets/w/tx"),
            405,
            "ADMIN_WALLET_TX_LOOKUP",
            "REFUSED",
        ),
        (
            Request::new("HEAD", "/admin/tx/none"),
            404,
            "ADMIN_TX_LOOKUP",
            "NOT_FOUND",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("missing-{number}");
        let request = request.header("x-correlation-id", &id).bearer(world.token());
        assert_eq!(world.send(&request).await.status, status, "{request:?}");
        let row = world.audited(&id).await;
        assert_eq!(
            (row.action.as_str(), row.result.as_str()),
            (action, result),
            "{row:?}"
        );
        assert_eq!(row.status_code, i32::from(status), "{row:?}");
        let looked_for = matches!(status, 200 | 404) && action != "UNKNOWN";
        assert_eq!(row.result_count, looked_for.then_some(0), "{row:?}");
    }
}

#[tokio::test]
async fn an_unknown_route_is_not_told_to_somebody_unknown() {
    let world = World::start().await;
    let request = Request::get("/admin/secrets").header("x-correlation-id", "prober");
    assert_eq!(world.send(&request).await.status, 401);
    assert_eq!(world.audited("prober").await.result, "UNAUTHENTICATED");
}

#[tokio::test]
async fn tokens_are_never_kept() {
    let world = World::start().await;
    let target = format!("/admin/tx/tx-1?access_token={}&limit=3", world.token());
    world
        .send(
            &Request::get(&target)
                .bearer(world.token())
                .header("x-correlation-id", "leak"),
        )
        .await;
    let row = world.audited("leak").await;
    assert_eq!(
        row.request_query.as_deref(),
        Some("access_token=[redacted]&limit=3")
    );
    assert!(!format!("{:?}", world.audit().await).contains(world.token()));
}

#[tokio::test]
async fn what_a_client_sends_is_kept_in_bounded_parts() {
    let world = World::start().await;
    let long = "x".repeat(10_000);
    let request = Request::get(&format!("/admin/tx/{long}?from={long}"))
        .header("user-agent", &long)
        .header("x-correlation-id", "long")
        .bearer(world.token());
    assert_eq!(world.send(&request).await.status, 422);
    let row = world.audited("long").await;
    assert_eq!(row.resource_id.map(|id| id.len()), Some(255));
    assert_eq!(row.user_agent.map(|agent| agent.len()), Some(256));
    assert!(row.request_path.len() <= 1_024 && row.request_query.is_some_and(|q| q.len() <= 1_024));
}

#[tokio::test]
async fn the_clients_address_is_the_one_a_trusted_proxy_wrote() {
    let forwarded = |id: &str| {
        Request::get("/admin/wallets/w/tx")
            .header("x-forwarded-for", "198.51.100.7, 203.0.113.9")
            .header("x-correlation-id", id)
    };
    let world = World::start().await;
    world.send(&forwarded("not-trusted")).await;
    assert_eq!(
        world.audited("not-trusted").await.client_ip.as_deref(),
        Some("127.0.0.1")
    );

    let trusting = World::with(|setup| {
        let proxies = ["127.0.0.0/8".parse::<IpNet>().expect("a network")];
        setup.options.trusted_proxies = proxies.into_iter().collect();
    })
    .await;
    trusting.send(&forwarded("trusted")).await;
    assert_eq!(
        trusting.audited("trusted").await.client_ip.as_deref(),
        Some("203.0.113.9")
    );
}

#[tokio::test]
async fn without_an_audit_row_nothing_is_answered() {
    let world = World::start().await;
    known_things(&world).await;
    let revoke = "REVOKE INSERT ON bo.admin_audit_logs FROM nsc_api";
    world
        .database
        .execute(revoke)
        .await
        .expect("the right is taken away");
    for operation in OPERATIONS {
        let answer = world.get(operation.target).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (503, "audit-unavailable"),
            "{}",
            operation.name
        );
        assert!(!answer.body.contains("1000.00"));
    }
    // Not even that a token is missing: somebody who tries tokens must leave a trace.
    let answer = world.send(&Request::get("/admin/tx/tx%2F1")).await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (503, "audit-unavailable")
    );
    assert_eq!(world.audit().await, []);
    let grant = "GRANT INSERT ON bo.admin_audit_logs TO nsc_api";
    world
        .database
        .execute(grant)
        .await
        .expect("the right is given back");
    assert_eq!(world.get("/admin/tx/tx%2F1").await.status, 200);
}

#[tokio::test]
async fn an_answer_waits_for_its_row_and_not_longer_than_allowed() {
    let world = World::with(|setup| setup.options.audit.timeout = Duration::from_millis(300)).await;
    known_things(&world).await;
    let mut other = world.superuser().await;
    let mut locking = other.begin().await.expect("a transaction");
    locking
        .execute("LOCK TABLE bo.admin_audit_logs")
        .await
        .expect("the lock");
    let begun = Instant::now();
    let answer = world.get("/admin/tx/tx%2F1").await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (503, "audit-unavailable")
    );
    assert!(begun.elapsed() >= Duration::from_millis(300));
    locking.rollback().await.expect("the lock is released");
    assert_eq!(world.get("/admin/tx/tx%2F1").await.status, 200);
}

#[tokio::test]
async fn a_client_that_hangs_up_is_audited_all_the_same() {
    let world = World::start().await;
    known_things(&world).await;
    let mut other = world.superuser().await;
    let mut locking = other.begin().await.expect("a transaction");
    locking
        .execute("LOCK TABLE bo.ledger_entries")
        .await
        .expect("the lock");
    let request = Request::get("/admin/tx/tx%2F1")
        .header("x-correlation-id", "hung-up")
        .bearer(world.token());
    let mut stream = TcpStream::connect(world.address).await.expect("a connection");
    stream
        .write_all(&request.bytes())
        .await
        .expect("the request is sent");
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(stream);
    tokio::time::sleep(Duration::from_millis(100)).await;
    locking.rollback().await.expect("the lock is released");
    let begun = Instant::now();
    while world.audit().await.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(10), "no row");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let row = world.audited("hung-up").await;
    assert_eq!(
        (row.actor_id.as_deref(), row.status_code),
        (Some("object-1"), 200)
    );
}

#[tokio::test]
async fn the_count_of_an_order_is_that_of_its_entries() {
    let world = World::start().await;
    let rows =
        ["tx-1", "tx-2", "tx-3"].map(|id| entry(id, "w", "HOLD", Some("po-1"), "2026-01-05T01:00:00Z"));
    world
        .apply(rows.to_vec(), vec![order("po-1", "PAID"), order("bare", "PAID")])
        .await;
    for (order_id, count) in [("po-1", 3), ("bare", 0)] {
        let request = Request::get(&format!("/admin/payment-orders/{order_id}"))
            .bearer(world.token())
            .header("x-correlation-id", order_id);
        assert_eq!(world.send(&request).await.status, 200);
        let row = world.audited(order_id).await;
        assert_eq!((row.result.as_str(), row.result_count), ("FOUND", Some(count)));
    }
}

#[tokio::test]
async fn the_role_that_counted_is_kept_among_many() {
    let world = World::start().await;
    let mut roles: Vec<String> = (0..300).map(|n| format!("role-{n}")).collect();
    roles.push("ADMIN_AUDIT".to_owned());
    let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
    let token = world.issuer.token().roles(&roles).mint();
    let request = Request::get("/admin/tx/none")
        .bearer(&token)
        .header("x-correlation-id", "many");
    assert_eq!(world.send(&request).await.status, 404);
    let kept = world.audited("many").await.actor_roles;
    assert!(
        kept.starts_with("ADMIN_AUDIT,role-0,") && kept.ends_with(" more"),
        "{kept}"
    );
}

#[tokio::test]
async fn a_correlation_id_is_taken_under_its_other_names() {
    let world = World::start().await;
    let get = || Request::get("/admin/tx/none").bearer(world.token());
    for (request, want) in [
        (get().header("correlation-id", "a"), "a"),
        (get().header("Correlation_Id", "b"), "b"),
        (
            get()
                .header("correlation-id", "no")
                .header("x-correlation-id", "c"),
            "c",
        ),
        (
            get()
                .header("x-correlation-id", "not well-formed")
                .header("correlation-id", "d"),
            "d",
        ),
    ] {
        let answer = world.send(&request).await;
        assert_eq!(answer.header("x-correlation-id"), Some(want));
        assert_eq!(world.audited(want).await.status_code, 404);
    }
}
