//! The claims of a token: read only after its signature verified, which no fuzzer gets past. So that module is
//! compiled in here a second time, with what it expects around it.

use std::collections::BTreeSet;
use std::time::Duration;

use nsc_auth::{ClaimPath, Principal, TokenError};
use nsc_core::UtcMicros;
use serde_json::{Map, Value};

use crate::Outcome;

#[path = "../../crates/auth/src/claims.rs"]
mod claims;

const NOW_SECONDS: i64 = 1_800_000_000;
const LEEWAY: Duration = Duration::from_secs(30);
const ISSUER: &str = "https://issuer.example/v2";
const AUDIENCES: [&str; 2] = ["api://nsc", "nsc"];

/// Whoever the claims speak for, they say so, for us, now.
pub(crate) fn check(roles_claim: &str, claims: &[u8]) -> Outcome {
    let expected = claims::Expectations {
        issuer: ISSUER.to_owned(),
        audiences: AUDIENCES.map(str::to_owned).to_vec(),
        roles_claims: vec![ClaimPath::from(roles_claim)],
        leeway: LEEWAY,
    };
    let members = serde_json::from_slice::<Map<String, Value>>(claims);
    let now = UtcMicros::new(NOW_SECONDS * nsc_core::MICROS_PER_SECOND);
    match (expected.principal(claims, now), members) {
        (Ok(principal), Ok(members)) => {
            check_principal(&principal, &members);
            Outcome::Accepted
        }
        (Ok(principal), Err(error)) => panic!("{principal:?} from claims that are no object: {error}"),
        (Err(error), members) => {
            assert_eq!(error == TokenError::Malformed, members.is_err(), "{error:?}");
            Outcome::Refused
        }
    }
}

fn check_principal(principal: &Principal, members: &Map<String, Value>) {
    let text = |claim: &str| members.get(claim).and_then(Value::as_str);
    let seconds = |claim: &str| members.get(claim).and_then(Value::as_f64);
    let (now, leeway) = (NOW_SECONDS as f64, LEEWAY.as_secs_f64());
    assert!(seconds("exp").is_some_and(|end| end + leeway > now), "expired");
    assert!(
        !members.contains_key("nbf") || seconds("nbf").is_some_and(|start| start <= now + leeway),
        "not yet"
    );
    assert_eq!(text("iss"), Some(ISSUER));
    let meant = match members.get("aud") {
        Some(Value::Array(several)) => several
            .iter()
            .filter_map(Value::as_str)
            .any(|a| AUDIENCES.contains(&a)),
        Some(Value::String(one)) => AUDIENCES.contains(&one.as_str()),
        _ => false,
    };
    assert!(meant, "for {:?}", members.get("aud"));
    let actor = Some(principal.actor_id.as_str());
    assert!(actor == text("oid") || actor == text("sub"), "{principal:?}");
    let each_once: BTreeSet<_> = principal.roles.iter().collect();
    assert_eq!(each_once.len(), principal.roles.len());
    for name in principal.roles.iter().chain([&principal.actor_id]) {
        assert!(
            crate::is_storable(name) && !name.chars().any(char::is_control),
            "{principal:?}"
        );
    }
}
