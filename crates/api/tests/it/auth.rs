//! Who may look: tokens as they should be, and every way in which they are not.

use nsc_testkit::KeyKind;
use serde_json::json;

use crate::http::Request;
use crate::world::World;

/// Every admin operation with a request for it; `coverage` holds that none is missing.
pub(crate) const OPERATIONS: &[(&str, &str)] = &[
    ("GET /admin/tx/{tx_id}", "/admin/tx/tx-1"),
    (
        "GET /admin/payment-orders/{order_id}",
        "/admin/payment-orders/po-1",
    ),
    ("GET /admin/wallets/{wallet_id}/tx", "/admin/wallets/w-1/tx"),
];

#[tokio::test]
async fn every_operation_needs_a_token_and_a_role() {
    let world = World::start().await;
    for (operation, target) in OPERATIONS {
        let answer = world.send(&Request::get(target)).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (401, "unauthenticated"),
            "{operation}"
        );
        for roles in [&[] as &[&str], &["admin_read"], &["OTHER", "ADMIN_WRITE"]] {
            let token = world.issuer.token().roles(roles).mint();
            let answer = world.send(&Request::get(target).bearer(&token)).await;
            assert_eq!(
                (answer.status, answer.problem().as_str()),
                (403, "forbidden"),
                "{operation} {roles:?}"
            );
            let challenge = answer.header("www-authenticate").unwrap_or_default();
            assert!(challenge.contains("insufficient_scope"), "{challenge}");
        }
        for roles in [
            &["ADMIN_READ"] as &[&str],
            &["ADMIN_AUDIT"],
            &["OTHER", "ADMIN_AUDIT"],
        ] {
            let token = world.issuer.token().roles(roles).mint();
            let answer = world.send(&Request::get(target).bearer(&token)).await;
            assert!(
                matches!(answer.status, 200 | 404),
                "{operation} {roles:?}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn both_algorithms_are_accepted() {
    let world = World::start().await;
    for kind in [KeyKind::Rsa, KeyKind::Ec] {
        let token = world.issuer.token().signed_with(&world.issuer.key(kind)).mint();
        let answer = world
            .send(&Request::get("/admin/wallets/w/tx").bearer(&token))
            .await;
        assert_eq!(answer.status, 200, "{kind:?}");
    }
}

#[tokio::test]
async fn a_small_difference_of_clocks_is_forgiven() {
    let world = World::start().await;
    let token = world.issuer.token().expires_in(-20).mint();
    let answer = world
        .send(&Request::get("/admin/wallets/w/tx").bearer(&token))
        .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn anything_but_one_bearer_token_is_no_identity() {
    let world = World::start().await;
    let bearer = format!("Bearer {}", world.token());
    let get = || Request::get("/admin/wallets/w/tx");
    for request in [
        get(),
        get()
            .header("authorization", &bearer)
            .header("authorization", &bearer),
        get()
            .header("authorization", &bearer)
            .header("Authorization", "Bearer x.y.z"),
        get().header("authorization", "Basic dXNlcjpwYXNz"),
        get().header("authorization", world.token()),
        get().header("authorization", "Bearer"),
        get().header("authorization", b"Bearer \xff"),
        get().header("x-authorization", &bearer),
        get()
            .header("x-ms-client-principal-id", "admin")
            .header("x-forwarded-user", "admin"),
        Request::get(&format!("/admin/wallets/w/tx?access_token={}", world.token())),
    ] {
        let answer = world.send(&request).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (401, "unauthenticated"),
            "{request:?}"
        );
        assert!(
            answer
                .header("www-authenticate")
                .is_some_and(|c| c.starts_with("Bearer"))
        );
    }
    let lower_case = get().header("authorization", bearer.replacen("Bearer", "bearer", 1));
    assert_eq!(world.send(&lower_case).await.status, 200);
}

#[tokio::test]
async fn roles_may_be_inside_another_claim() {
    let world = World::with(|setup| setup.oidc().roles_claim = "realm_access.roles".to_owned()).await;
    let get = |token: String| Request::get("/admin/wallets/w/tx").bearer(&token);
    let nested = json!({"roles": ["ADMIN_AUDIT"]});
    let inside = world
        .issuer
        .token()
        .roles(&[])
        .claim("realm_access", nested)
        .mint();
    assert_eq!(world.send(&get(inside)).await.status, 200);
    assert_eq!(world.send(&get(world.token().to_owned())).await.status, 403);
}
