//! Tokens that are forged, misplaced or out of their time: each is refused as `invalid_token`, and never repeated.
//! Holds serving contract 7.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nsc_testkit::{Issuer, KeyKind, SigningKey};
use serde_json::json;

use crate::http::Request;
use crate::world::World;

/// Where an attacker's keys would be.
const ELSEWHERE: &str = "https://attacker.example/keys";
/// The line length of PEM (RFC 7468).
const PEM_LINE: usize = 64;

async fn refused(forge: impl FnOnce(&Issuer) -> String) {
    let world = World::start().await;
    let get = |token: &str| Request::get("/admin/wallets/w/tx").bearer(token);
    // What is refused below is refused for the token, and not for the request.
    assert_eq!(world.send(&get(world.token())).await.status, 200);
    let token = forge(&world.issuer);
    let answer = world.send(&get(&token)).await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (401, "unauthenticated"),
        "{answer:?}"
    );
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    assert!(
        challenge.starts_with("Bearer realm=\"nsc\", error=\"invalid_token\""),
        "{challenge}"
    );
    assert!(!answer.body.contains(&token), "the token is repeated");
}

/// One test for each way.
macro_rules! refused {
    ($($name:ident: $forge:expr;)+) => {
        $(#[tokio::test]
        async fn $name() {
            refused($forge).await;
        })+
    };
}

/// Under the id of the issuer's RSA key.
fn attackers_key(issuer: &Issuer) -> SigningKey {
    SigningKey::generate(KeyKind::Rsa, issuer.key(KeyKind::Rsa).id()).expect("a key")
}

fn public_der(issuer: &Issuer) -> Vec<u8> {
    issuer.key(KeyKind::Rsa).public_der()
}

/// As `openssl rsa -pubout` writes it, to the byte: what an attacker would take for the secret.
fn public_pem(issuer: &Issuer) -> String {
    let base64 = STANDARD.encode(public_der(issuer));
    let lines: Vec<_> = base64
        .as_bytes()
        .chunks(PEM_LINE)
        .map(String::from_utf8_lossy)
        .collect();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        lines.join("\n")
    )
}

/// What is signed, and the signature.
fn halves(token: &str) -> (&str, &str) {
    token.rsplit_once('.').expect("three parts")
}

refused! {
    alg_none: |i| i.token().header("alg", "none").signature("").mint();
    alg_none_in_capitals: |i| i.token().header("alg", "NONE").signature("").mint();
    alg_none_with_a_signature: |i| i.token().header("alg", "none").mint();
    the_public_key_as_an_hmac_secret: |i| i.token().signed_with_secret(&public_der(i)).mint();
    the_public_key_in_pem_as_an_hmac_secret: |i| i.token().signed_with_secret(public_pem(i).as_bytes()).mint();
    the_public_key_in_pem_without_a_last_line_end: |i| {
        i.token().signed_with_secret(public_pem(i).trim_end().as_bytes()).mint()
    };
    an_hmac_that_says_it_is_rs256: |i| {
        i.token().signed_with_secret(public_pem(i).as_bytes()).header("alg", "RS256").mint()
    };
    an_rsa_token_that_says_it_is_es256: |i| i.token().header("alg", "ES256").mint();
    rs512: |i| i.token().header("alg", "RS512").mint();
    another_key_under_the_same_id: |i| i.token().signed_with(&attackers_key(i)).mint();
    another_key_by_jku: |i| i.token().signed_with(&attackers_key(i)).header("jku", ELSEWHERE).mint();
    another_key_by_x5u: |i| i.token().signed_with(&attackers_key(i)).header("x5u", ELSEWHERE).mint();
    another_key_by_jwk: |i| {
        let key = attackers_key(i);
        i.token().signed_with(&key).header("jwk", key.jwk()).mint()
    };
    jku_though_signed_by_the_issuer: |i| i.token().header("jku", ELSEWHERE).mint();
    x5u_though_signed_by_the_issuer: |i| i.token().header("x5u", ELSEWHERE).mint();
    jwk_though_signed_by_the_issuer: |i| i.token().header("jwk", i.key(KeyKind::Rsa).jwk()).mint();
    x5c_though_signed_by_the_issuer: |i| i.token().header("x5c", json!(["MIIB"])).mint();
    an_extension_that_must_be_understood: |i| i.token().header("crit", json!(["exp"])).mint();
    claims_changed_after_signing: |i| {
        let (valid, other) = (i.token().mint(), i.token().claim("oid", "somebody-else").mint());
        format!("{}.{}", halves(&other).0, halves(&valid).1)
    };
    no_signature: |i| format!("{}.", halves(&i.token().mint()).0);
    half_a_signature: |i| {
        let valid = i.token().mint();
        valid.get(..valid.len() - 100).unwrap_or_default().to_owned()
    };
    another_audience: |i| i.token().claim("aud", "api://other").mint();
    no_audience: |i| i.token().claim("aud", json!(null)).mint();
    another_issuer: |i| i.token().claim("iss", "https://attacker.example").mint();
    no_issuer: |i| i.token().claim("iss", json!(null)).mint();
    expired: |i| i.token().expires_in(-31).mint();
    no_expiry: |i| i.token().claim("exp", json!(null)).mint();
    an_expiry_that_is_a_text: |i| i.token().claim("exp", "2099-01-01").mint();
    not_yet_valid: |i| i.token().claim("nbf", 4_000_000_000_i64).mint();
    no_subject: |i| i.token().claim("oid", json!(null)).claim("sub", json!(null)).mint();
    too_long: |i| i.token().claim("padding", "x".repeat(40_000)).mint();
    not_a_token: |_| "not-a-token".to_owned();
    four_parts: |i| format!("{}.more", i.token().mint());
    padding: |i| format!("{}==", i.token().mint());
}
