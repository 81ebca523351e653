//! What a verified token says, held against what this API expects.

use std::collections::BTreeSet;
use std::time::Duration;

use nsc_core::{MICROS_PER_SECOND, UtcMicros};
use serde_json::{Map, Value};

use super::{ClaimPath, Principal, TokenError};

/// Longer names of persons and roles are no names.
const MAX_NAME_CHARS: usize = 255;

/// What a token must say to be accepted.
#[derive(Debug, Clone)]
pub(super) struct Expectations {
    /// `iss`, exactly.
    pub(super) issuer: String,
    /// One of these must be in `aud`.
    pub(super) audiences: Vec<String>,
    /// Where the roles are; those of all of these count.
    pub(super) roles_claims: Vec<ClaimPath>,
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
            roles: self.roles(&claims),
            is_cut: self.is_cut(&claims),
        })
    }

    /// Each once, in the order of the claims.
    fn roles(&self, claims: &Map<String, Value>) -> Vec<String> {
        let mut seen = BTreeSet::new();
        self.roles_claims
            .iter()
            .flat_map(|path| names_in(at_path(claims, path)))
            .filter(|name| is_name(name) && seen.insert(*name))
            .map(str::to_owned)
            .collect()
    }

    /// Entra ID leaves a claim with too many values out and says so: `hasgroups`, or its name in `_claim_names` (OpenID
    /// Connect's distributed claims).
    fn is_cut(&self, claims: &Map<String, Value>) -> bool {
        let elsewhere = claims.get("_claim_names").and_then(Value::as_object);
        let left_out = |name: &str| {
            elsewhere.is_some_and(|names| names.contains_key(name))
                || (name == "groups" && claims.get("hasgroups").is_some_and(says_yes))
        };
        self.roles_claims.iter().any(|path| match path {
            ClaimPath::Named(name) => left_out(name),
            ClaimPath::Names(names) => names.first().is_some_and(|name| left_out(name)),
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

fn says_yes(claim: &Value) -> bool {
    claim == &Value::Bool(true) || claim.as_str() == Some("true")
}

/// The claim a path leads to. Names may contain dots (a URL, a client of Keycloak): the longest that is there goes first.
fn at_path<'a>(claims: &'a Map<String, Value>, path: &ClaimPath) -> Option<&'a Value> {
    match path {
        ClaimPath::Named(name) => dotted(claims, name),
        ClaimPath::Names(names) => {
            let (first, others) = names.split_first()?;
            others
                .iter()
                .try_fold(claims.get(first)?, |value, name| value.get(name))
        }
    }
}

fn dotted<'a>(object: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(whole) = object.get(path) {
        return Some(whole);
    }
    path.rmatch_indices('.').find_map(|(dot, _)| {
        let (name, rest) = (path.get(..dot)?, path.get(dot + 1..)?);
        dotted(object.get(name)?.as_object()?, rest)
    })
}

/// A list of names, or one text with names between blanks (as `scp` and `scope` are written).
fn names_in(claim: Option<&Value>) -> Vec<&str> {
    match claim {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(names)) => names.split_ascii_whitespace().collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nsc_core::UtcMicros;
    use serde_json::{Value, json};

    use super::Expectations;
    use crate::options::ClaimPath;
    use crate::{Principal, TokenError};

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
            roles_claims: roles_claim.split(',').map(ClaimPath::from).collect(),
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
    fn roles_of_several_claims_count_together_and_scp_is_a_text_with_blanks() {
        let found =
            |claims: &str, changes: Value| judged(claims, &changes).map(|p| p.roles).unwrap_or_default();
        assert_eq!(
            found("roles,scp", json!({"scp": "openid ADMIN_AUDIT ADMIN_READ"})),
            ["ADMIN_READ", "openid", "ADMIN_AUDIT"]
        );
        assert_eq!(
            found("roles,scp", json!({"roles": null, "scp": "ADMIN_READ"})),
            ["ADMIN_READ"]
        );
        assert_eq!(found("groups,roles", json!({})), ["ADMIN_READ"]);
    }

    #[test]
    fn no_role_is_left_out_for_the_number_of_others() {
        let mut roles: Vec<String> = (0..1_000).map(|i| format!("r{i}")).collect();
        roles.push("ADMIN_READ".to_owned());
        let found = judged("roles", &json!({ "roles": roles }));
        assert!(found.is_ok_and(|p| p.may_read() && p.roles.len() == 1_001));
    }

    #[test]
    fn names_with_dots_are_found_wherever_they_stand() {
        let client = |name: &str| json!({"resource_access": {name: {"roles": ["ADMIN_READ"]}}});
        let found = |path: &str, changes: Value| judged(path, &changes).is_ok_and(|p| p.may_read());
        for name in ["backoffice", "com.example.backoffice", "a.b", "x.roles"] {
            assert!(
                found(&format!("resource_access.{name}.roles"), client(name)),
                "{name}"
            );
            assert!(
                !found(&format!("resource_access.{name}x.roles"), client(name)),
                "{name}"
            );
        }
        assert!(found(
            "my.claims.roles",
            json!({"my.claims": {"roles": ["ADMIN_READ"]}})
        ));
        // The longest name that is there goes first, and a shorter one when it leads nowhere.
        let both = json!({"a": {"b.c": ["x"], "b": {"c": ["ADMIN_READ"]}}});
        assert!(!found("a.b.c", both));
        assert!(found(
            "a.b.c",
            json!({"a.b": ["x"], "a": {"b": {"c": ["ADMIN_READ"]}}})
        ));
    }

    #[test]
    fn a_path_of_names_is_taken_exactly() {
        let at = |names: &[&str]| {
            let path = ClaimPath::Names(names.iter().map(|n| (*n).to_owned()).collect());
            let claims = json!({"a.b": {"c": ["exact"]}, "a": {"b": {"c": ["dotted"]}}});
            super::at_path(claims.as_object()?, &path).cloned()
        };
        assert_eq!(at(&["a.b", "c"]), Some(json!(["exact"])));
        assert_eq!(at(&["a", "b", "c"]), Some(json!(["dotted"])));
        assert_eq!(at(&["a.b.c"]), None);
    }

    #[test]
    fn a_token_that_says_that_roles_were_left_out_is_told_from_one_without() {
        let cut = |claims: &str, changes: Value| judged(claims, &changes).is_ok_and(|p| p.is_cut);
        let overage = json!({"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {}}});
        assert!(cut("groups,roles", overage.clone()));
        assert!(!cut("roles", overage));
        assert!(cut("groups", json!({"hasgroups": true})));
        assert!(cut("groups", json!({"hasgroups": "true"})));
        assert!(!cut("groups", json!({})));
    }

    #[test]
    fn claims_that_are_no_object_are_malformed() {
        let expected = Expectations {
            issuer: String::new(),
            audiences: vec![],
            roles_claims: vec![],
            leeway: Duration::ZERO,
        };
        for claims in ["", "[]", "\"x\"", "{", "{} {}"] {
            let verdict = expected.principal(claims.as_bytes(), UtcMicros::new(0));
            assert_eq!(verdict, Err(TokenError::Malformed), "{claims}");
        }
    }
}
