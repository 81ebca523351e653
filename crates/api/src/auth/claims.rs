//! What a verified token says, held against what this API expects.

use std::time::Duration;

use nsc_core::{MICROS_PER_SECOND, UtcMicros};
use serde_json::{Map, Value};

use super::{Principal, TokenError};

/// Longer names of persons and roles are no names.
const MAX_NAME_CHARS: usize = 255;
/// More roles than this are not kept.
const MAX_ROLES: usize = 64;

/// What a token must say to be accepted.
#[derive(Debug, Clone)]
pub(super) struct Expectations {
    /// `iss`, exactly.
    pub(super) issuer: String,
    /// One of these must be in `aud`.
    pub(super) audiences: Vec<String>,
    /// Where the roles are: the name of a claim, or names separated by dots for one inside another.
    pub(super) roles_claim: String,
    /// How far the issuer's clock may be from ours.
    pub(super) leeway: Duration,
}

impl Expectations {
    /// Who the token speaks for.
    pub(super) fn principal(&self, claims: &[u8], now: UtcMicros) -> Result<Principal, TokenError> {
        let claims: Map<String, Value> = serde_json::from_slice(claims).map_err(|_| TokenError::Malformed)?;
        self.in_time(&claims, now)?;
        if text(&claims, "iss").ok_or(TokenError::Claim("iss"))? != self.issuer {
            return Err(TokenError::Issuer);
        }
        if !self.is_meant(claims.get("aud").ok_or(TokenError::Claim("aud"))?) {
            return Err(TokenError::Audience);
        }
        let actor_id = name(&claims, "oid")
            .or_else(|| name(&claims, "sub"))
            .ok_or(TokenError::Claim("sub"))?;
        Ok(Principal {
            actor_id: actor_id.to_owned(),
            roles: roles(at_path(&claims, &self.roles_claim)),
        })
    }

    fn in_time(&self, claims: &Map<String, Value>, now: UtcMicros) -> Result<(), TokenError> {
        let now = now.micros() as f64 / MICROS_PER_SECOND as f64;
        let leeway = self.leeway.as_secs_f64();
        let expires = claims
            .get("exp")
            .and_then(Value::as_f64)
            .ok_or(TokenError::Claim("exp"))?;
        if now >= expires + leeway {
            return Err(TokenError::Expired);
        }
        match claims.get("nbf") {
            None => Ok(()),
            Some(begins) => {
                let begins = begins.as_f64().ok_or(TokenError::Claim("nbf"))?;
                (now + leeway >= begins)
                    .then_some(())
                    .ok_or(TokenError::NotYetValid)
            }
        }
    }

    fn is_meant(&self, aud: &Value) -> bool {
        let ours = |one: &Value| {
            one.as_str()
                .is_some_and(|one| self.audiences.iter().any(|a| a == one))
        };
        match aud {
            Value::Array(several) => several.iter().any(ours),
            one => ours(one),
        }
    }
}

fn text<'a>(claims: &'a Map<String, Value>, claim: &str) -> Option<&'a str> {
    claims.get(claim)?.as_str()
}

/// A text that can be an audit row's actor.
fn name<'a>(claims: &'a Map<String, Value>, claim: &str) -> Option<&'a str> {
    text(claims, claim).filter(|name| is_name(name))
}

fn is_name(text: &str) -> bool {
    !nsc_core::is_blank(text)
        && !text.chars().any(char::is_control)
        && text.chars().nth(MAX_NAME_CHARS).is_none()
}

/// The claim of that name, which may itself contain dots (a URL), else the one the path leads to.
fn at_path<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    claims.get(path).or_else(|| {
        let mut names = path.split('.');
        let first = claims.get(names.next()?)?;
        names.try_fold(first, |value, name| value.get(name))
    })
}

/// A list of names, or one text with names between blanks (as `scope` is written).
fn roles(claim: Option<&Value>) -> Vec<String> {
    let taken = |names: &mut dyn Iterator<Item = &str>| {
        names
            .filter(|name| is_name(name))
            .take(MAX_ROLES)
            .map(str::to_owned)
            .collect()
    };
    match claim {
        Some(Value::Array(names)) => taken(&mut names.iter().filter_map(Value::as_str)),
        Some(Value::String(names)) => taken(&mut names.split_ascii_whitespace()),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nsc_core::UtcMicros;
    use serde_json::{Value, json};

    use super::Expectations;
    use crate::auth::{Principal, TokenError};

    const NOW: i64 = 1_800_000_000;

    fn judged(roles_claim: &str, changes: &Value) -> Result<Principal, TokenError> {
        let mut claims = json!({
            "iss": "https://issuer.example/v2", "aud": "api://nsc", "sub": "s", "exp": NOW + 600, "roles": ["ADMIN_READ"]
        });
        for (name, value) in changes.as_object().into_iter().flatten() {
            match value {
                Value::Null => claims.as_object_mut().and_then(|c| c.remove(name)),
                value => claims
                    .as_object_mut()
                    .and_then(|c| c.insert(name.clone(), value.clone())),
            };
        }
        let expected = Expectations {
            issuer: "https://issuer.example/v2".to_owned(),
            audiences: vec!["api://nsc".to_owned(), "nsc".to_owned()],
            roles_claim: roles_claim.to_owned(),
            leeway: Duration::from_secs(30),
        };
        expected.principal(claims.to_string().as_bytes(), UtcMicros::new(NOW * 1_000_000))
    }

    #[test]
    fn oid_names_the_actor_and_sub_does_without_one() {
        let actor = |changes: Value| judged("roles", &changes).map(|p| p.actor_id);
        assert_eq!(actor(json!({})), Ok("s".to_owned()));
        assert_eq!(actor(json!({"oid": "o"})), Ok("o".to_owned()));
        assert_eq!(actor(json!({"oid": "", "sub": "s2"})), Ok("s2".to_owned()));
        for bad in [
            json!(null),
            json!(""),
            json!(7),
            json!("a\u{0}b"),
            json!("x".repeat(300)),
        ] {
            assert_eq!(actor(json!({"sub": bad})), Err(TokenError::Claim("sub")), "{bad}");
        }
    }

    #[test]
    fn time_is_kept_with_a_small_leeway() {
        let verdict = |changes: Value| judged("roles", &changes).err();
        assert_eq!(verdict(json!({"exp": NOW - 29})), None);
        assert_eq!(verdict(json!({"exp": NOW - 30})), Some(TokenError::Expired));
        assert_eq!(verdict(json!({"exp": NOW as f64 + 0.5})), None);
        assert_eq!(verdict(json!({"nbf": NOW + 30})), None);
        assert_eq!(verdict(json!({"nbf": NOW + 31})), Some(TokenError::NotYetValid));
        for bad in [json!(null), json!("never"), json!(true), json!([NOW + 600])] {
            assert_eq!(
                verdict(json!({"exp": bad})),
                Some(TokenError::Claim("exp")),
                "{bad}"
            );
        }
        assert_eq!(verdict(json!({"nbf": "now"})), Some(TokenError::Claim("nbf")));
    }

    #[test]
    fn issuer_and_audience_must_be_ours() {
        let verdict = |changes: Value| judged("roles", &changes).err();
        assert_eq!(verdict(json!({"aud": ["other", "nsc"]})), None);
        assert_eq!(verdict(json!({"aud": "other"})), Some(TokenError::Audience));
        assert_eq!(verdict(json!({"aud": []})), Some(TokenError::Audience));
        assert_eq!(verdict(json!({"aud": {"nsc": 1}})), Some(TokenError::Audience));
        assert_eq!(verdict(json!({"aud": null})), Some(TokenError::Claim("aud")));
        assert_eq!(
            verdict(json!({"iss": "https://issuer.example/v2/"})),
            Some(TokenError::Issuer)
        );
        assert_eq!(
            verdict(json!({"iss": ["https://issuer.example/v2"]})),
            Some(TokenError::Claim("iss"))
        );
    }

    #[test]
    fn roles_are_found_where_the_configuration_says() {
        let found =
            |claim: &str, changes: Value| judged(claim, &changes).map(|p| p.roles).unwrap_or_default();
        assert_eq!(found("roles", json!({})), ["ADMIN_READ"]);
        assert_eq!(
            found(
                "realm_access.roles",
                json!({"realm_access": {"roles": ["A", "B"]}})
            ),
            ["A", "B"]
        );
        assert_eq!(
            found(
                "https://nsc.example/roles",
                json!({"https://nsc.example/roles": ["A"]})
            ),
            ["A"]
        );
        assert_eq!(found("scope", json!({"scope": "A B"})), ["A", "B"]);
        assert!(found("realm_access.roles", json!({"realm_access": ["roles"]})).is_empty());
        assert!(found("roles", json!({"roles": {"ADMIN_READ": true}})).is_empty());
        assert_eq!(found("roles", json!({"roles": [1, "A", null, "b\u{0}"]})), ["A"]);
    }

    #[test]
    fn claims_that_are_no_object_are_malformed() {
        let expected = Expectations {
            issuer: String::new(),
            audiences: vec![],
            roles_claim: String::new(),
            leeway: Duration::ZERO,
        };
        for claims in ["", "[]", "\"x\"", "{", "{} {}"] {
            let verdict = expected.principal(claims.as_bytes(), UtcMicros::new(0));
            assert_eq!(verdict, Err(TokenError::Malformed), "{claims}");
        }
    }
}
