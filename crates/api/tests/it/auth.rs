//! Who may look: tokens as they should be, and every way in which they are not.
//! Holds serving contract 7.

use nsc_api::ClaimPath;
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
    let world = World::with(|setup| setup.oidc().roles_claims = vec!["realm_access.roles".into()]).await;
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

#[tokio::test]
async fn tokens_of_every_usual_size_and_any_number_of_roles_are_read() {
    let world = World::start().await;
    let status = async |token: String| {
        let request = Request::get("/admin/wallets/w/tx").bearer(&token);
        world.send(&request).await
    };
    for others in [63, 64, 120, 1_000] {
        let mut roles: Vec<String> = (0..others).map(|n| format!("role-{n}")).collect();
        roles.push("ADMIN_READ".to_owned());
        let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
        assert_eq!(
            status(world.issuer.token().roles(&roles).mint()).await.status,
            200,
            "{others}"
        );
    }
    // Entra ID puts 200 groups into a token, as UUIDs.
    let groups: Vec<String> = (0..200)
        .map(|n| format!("5f2b0000-0000-4000-8000-{n:012}"))
        .collect();
    let token = world.issuer.token().claim("groups", json!(groups)).mint();
    assert!(token.len() > 10_000);
    assert_eq!(status(token).await.status, 200);
    let endless = world.issuer.token().claim("x", json!("x".repeat(40_000))).mint();
    let answer = status(endless).await;
    assert_eq!(answer.status, 401);
    let detail = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
    assert!(detail.contains("longer than 49152 bytes"), "{detail}");
}

#[tokio::test]
async fn roles_count_from_every_claim_that_is_configured() {
    let world = World::start().await;
    let send = async |token: String| {
        let request = Request::get("/admin/wallets/w/tx").bearer(&token);
        world.send(&request).await.status
    };
    let token = || world.issuer.token().roles(&[]);
    assert_eq!(
        send(token().claim("scp", json!("openid ADMIN_READ profile")).mint()).await,
        200
    );
    assert_eq!(
        send(token().claim("scp", json!("openid ADMIN_READER")).mint()).await,
        403
    );
    assert_eq!(
        send(token().claim("groups", json!(["ADMIN_READ"])).mint()).await,
        403
    );
}

#[tokio::test]
async fn a_client_with_dots_in_its_name_has_its_roles() {
    let name = "com.example.backoffice";
    let exact = ClaimPath::Names(["resource_access", name, "roles"].map(str::to_owned).into());
    for claim in [
        ClaimPath::from("resource_access.com.example.backoffice.roles"),
        exact,
    ] {
        let world = World::with(|setup| setup.oidc().roles_claims = vec![claim]).await;
        let access = |client: &str| json!({client: {"roles": ["ADMIN_READ"]}});
        let get = async |client: &str| {
            let token = world
                .issuer
                .token()
                .roles(&[])
                .claim("resource_access", access(client));
            let request = Request::get("/admin/wallets/w/tx").bearer(&token.mint());
            world.send(&request).await.status
        };
        assert_eq!(get(name).await, 200);
        assert_eq!(get("com.example").await, 403);
    }
}

#[tokio::test]
async fn a_token_from_which_the_issuer_left_groups_out_says_so() {
    let world = World::with(|setup| setup.oidc().roles_claims = vec!["groups".into()]).await;
    let token = world
        .issuer
        .token()
        .roles(&[])
        .claim("_claim_names", json!({"groups": "src1"}));
    let answer = world
        .send(&Request::get("/admin/wallets/w/tx").bearer(&token.mint()))
        .await;
    assert_eq!(answer.status, 403);
    let detail = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
    assert!(detail.contains("left roles or groups out"), "{detail}");
}
