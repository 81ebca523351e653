//! Who may look: tokens as they should be, and every way in which they are not.

use nsc_testkit::{KeyKind, SigningKey};
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
async fn every_forged_or_misplaced_token_is_refused() {
    let world = World::start().await;
    let issuer = &world.issuer;
    let rsa = issuer.key(KeyKind::Rsa);
    let attackers = SigningKey::generate(KeyKind::Rsa, rsa.id()).expect("a key");
    let attackers_jwk = attackers.jwk();
    let valid = issuer.token().mint();
    let (signed, signature) = valid.rsplit_once('.').expect("three parts");
    let other_claims = issuer.token().claim("oid", "somebody-else").mint();
    let other_claims = other_claims.rsplit_once('.').map_or("", |(signed, _)| signed);
    let jku = "https://attacker.example/keys";
    let cases = [
        (
            "alg none",
            issuer.token().header("alg", "none").signature("").mint(),
        ),
        (
            "alg none, in capitals",
            issuer.token().header("alg", "NONE").signature("").mint(),
        ),
        (
            "alg none, with a signature",
            issuer.token().header("alg", "none").mint(),
        ),
        (
            "the public key as an HMAC secret",
            issuer.token().signed_with_secret(&rsa.public_der()).mint(),
        ),
        (
            "the public key in PEM as an HMAC secret",
            issuer.token().signed_with_secret(&pem(&rsa.public_der())).mint(),
        ),
        (
            "HS256 under another name",
            issuer
                .token()
                .signed_with_secret(b"secret")
                .header("alg", "RS256")
                .mint(),
        ),
        (
            "another key under the same id",
            issuer.token().signed_with(&attackers).mint(),
        ),
        (
            "another key by jku",
            issuer.token().signed_with(&attackers).header("jku", jku).mint(),
        ),
        (
            "another key by x5u",
            issuer.token().signed_with(&attackers).header("x5u", jku).mint(),
        ),
        (
            "another key by jwk",
            issuer
                .token()
                .signed_with(&attackers)
                .header("jwk", attackers_jwk)
                .mint(),
        ),
        (
            "an extension that must be understood",
            issuer.token().header("crit", json!(["exp"])).mint(),
        ),
        (
            "an RSA token that claims to be ES256",
            issuer.token().header("alg", "ES256").mint(),
        ),
        ("RS512", issuer.token().header("alg", "RS512").mint()),
        (
            "claims changed after signing",
            format!("{other_claims}.{signature}"),
        ),
        ("no signature", format!("{signed}.")),
        (
            "half a signature",
            valid.get(..valid.len() - 100).unwrap_or_default().to_owned(),
        ),
        (
            "another audience",
            issuer.token().claim("aud", "api://other").mint(),
        ),
        ("no audience", issuer.token().claim("aud", json!(null)).mint()),
        (
            "another issuer",
            issuer.token().claim("iss", "https://attacker.example").mint(),
        ),
        ("no issuer", issuer.token().claim("iss", json!(null)).mint()),
        ("expired", issuer.token().expires_in(-31).mint()),
        ("no expiry", issuer.token().claim("exp", json!(null)).mint()),
        (
            "an expiry that is a text",
            issuer.token().claim("exp", "2099-01-01").mint(),
        ),
        (
            "not valid yet",
            issuer.token().claim("nbf", 4_000_000_000_i64).mint(),
        ),
        (
            "no subject",
            issuer
                .token()
                .claim("oid", json!(null))
                .claim("sub", json!(null))
                .mint(),
        ),
        (
            "too long",
            issuer.token().claim("padding", "x".repeat(9_000)).mint(),
        ),
        ("not a token", "not-a-token".to_owned()),
        ("four parts", format!("{valid}.more")),
        ("padding", format!("{valid}==")),
    ];
    for (what, token) in cases {
        let answer = world
            .send(&Request::get("/admin/wallets/w/tx").bearer(&token))
            .await;
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        assert_eq!(answer.problem(), "unauthenticated");
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        assert!(
            challenge.starts_with("Bearer realm=\"nsc\", error=\"invalid_token\""),
            "{what}: {challenge}"
        );
        assert!(!answer.body.contains(&token), "{what}: the token is repeated");
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

fn pem(der: &[u8]) -> Vec<u8> {
    use std::fmt::Write as _;
    let mut text = "-----BEGIN PUBLIC KEY-----\n".to_owned();
    for byte in der {
        let _ = write!(text, "{byte:02x}");
    }
    text.push_str("\n-----END PUBLIC KEY-----\n");
    text.into_bytes()
}
