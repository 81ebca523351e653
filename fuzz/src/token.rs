//! What a request says about who asks: the `Authorization` header, a token's header, its claims.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use nsc_auth::{Jose, MAX_TOKEN_BYTES, SigningAlgorithm, TokenError, UnverifiedToken, bearer_token};
use serde_json::{Map, Value};

use crate::{Outcome, canary, split_line, token_claims};

/// Members by which a token would choose its own key, or ask for more than is checked.
const FORBIDDEN: [&str; 7] = ["jku", "jwk", "x5u", "x5c", "crit", "enc", "zip"];

/// The first byte chooses: `0` values of `Authorization` headers, one a line; `1` a token from the JSON of its
/// header, its claims and its signature, one a line; `2` and `3` the claims of a token that was verified.
pub fn check(data: &[u8]) -> Outcome {
    match data.split_first() {
        Some((choice, rest)) => match choice & 3 {
            0 => check_headers(rest),
            1 => check_parts(rest),
            2 => token_claims::check("roles", rest),
            _ => token_claims::check("realm_access.roles", rest),
        },
        None => Outcome::Refused,
    }
}

fn check_headers(lines: &[u8]) -> Outcome {
    let values: Vec<HeaderValue> = lines
        .split(|b| *b == b'\n')
        .filter_map(|l| HeaderValue::from_bytes(l).ok())
        .collect();
    let headers: HeaderMap = values.iter().map(|v| (AUTHORIZATION, v.clone())).collect();
    match (bearer_token(&headers), values.as_slice()) {
        (Err(TokenError::Missing), []) | (Err(TokenError::Repeated), [_, _, ..]) => Outcome::Refused,
        (Err(TokenError::NotBearer | TokenError::TooLong), [_]) => Outcome::Refused,
        (Ok(token), [value]) => {
            let scheme = value.as_bytes().get(..7).unwrap_or_default();
            assert!(scheme.eq_ignore_ascii_case(b"bearer "), "{value:?}");
            assert!(value.as_bytes().ends_with(token.as_bytes()), "{value:?}");
            assert!(
                !token.is_empty() && token.len() <= MAX_TOKEN_BYTES && token.is_ascii(),
                "{value:?}"
            );
            check_token(token)
        }
        (outcome, values) => panic!("{outcome:?} from {} headers", values.len()),
    }
}

fn check_parts(lines: &[u8]) -> Outcome {
    let (header, rest) = split_line(lines);
    let (claims, signature) = split_line(rest);
    let [header, claims, signature] = [header, claims, signature].map(|part| URL_SAFE_NO_PAD.encode(part));
    check_token(&format!("{header}.{claims}.{signature}"))
}

fn check_token(token: &str) -> Outcome {
    match UnverifiedToken::parse(token) {
        Ok(parsed) => {
            assert_eq!(format!("{}.{}", parsed.signed, parsed.signature), token);
            assert!(!parsed.claims.is_empty() && !parsed.signature.is_empty());
            assert_eq!(token.split('.').count(), 3);
            check_header(token, &parsed.jose);
            check_again(&parsed);
            canary(parsed.jose.key_id.is_some_and(|kid| kid.contains("canary")));
            Outcome::Accepted
        }
        Err(TokenError::Algorithm) => {
            let named = header_members(token).map(|m| m.get("alg").cloned());
            let ours = |v: &Value| v == "RS256" || v == "ES256";
            assert!(
                !named.flatten().is_some_and(|alg| ours(&alg)),
                "an accepted algorithm was refused"
            );
            Outcome::Refused
        }
        Err(error) => {
            assert!(
                matches!(error, TokenError::Malformed | TokenError::Header),
                "{error:?}"
            );
            Outcome::Refused
        }
    }
}

/// A second reader finds the header's members, where it can read them.
fn header_members(token: &str) -> Option<Map<String, Value>> {
    let (header, _) = token.split_once('.')?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()
}

fn check_header(token: &str, jose: &Jose) {
    assert!(jose.key_id.as_ref().is_none_or(|kid| kid.len() <= 256));
    // it reads members that do not matter as well, and may fail on those
    let Some(members) = header_members(token) else {
        return;
    };
    assert_eq!(
        members.get("alg").and_then(Value::as_str),
        Some(name(jose.algorithm))
    );
    assert_eq!(members.get("kid").and_then(Value::as_str), jose.key_id.as_deref());
    for forbidden in FORBIDDEN {
        assert!(
            members.get(forbidden).is_none_or(Value::is_null),
            "{forbidden} was accepted"
        );
    }
    let kind = members
        .get("typ")
        .and_then(Value::as_str)
        .unwrap_or("JWT")
        .to_ascii_lowercase();
    assert!(
        ["jwt", "at+jwt", "application/jwt", "application/at+jwt"].contains(&kind.as_str()),
        "a token of type {kind:?} was accepted"
    );
}

/// What was read, written as a header again, is read as the same.
fn check_again(parsed: &UnverifiedToken<'_>) {
    let mut header = Map::new();
    header.insert("alg".to_owned(), name(parsed.jose.algorithm).into());
    if let Some(kid) = &parsed.jose.key_id {
        header.insert("kid".to_owned(), kid.as_str().into());
    }
    let header = URL_SAFE_NO_PAD.encode(Value::Object(header).to_string());
    let token = format!("{header}.{}.{}", parsed.claims, parsed.signature);
    let again = UnverifiedToken::parse(&token).expect("a token written from one that was read");
    assert_eq!(again.jose, parsed.jose);
    assert_eq!((again.claims, again.signature), (parsed.claims, parsed.signature));
}

const fn name(algorithm: SigningAlgorithm) -> &'static str {
    match algorithm {
        SigningAlgorithm::Rs256 => "RS256",
        SigningAlgorithm::Es256 => "ES256",
    }
}
