//! The issuer's published keys (RFC 7517), as far as they can verify a signature that is accepted.

use std::sync::Arc;

use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use super::{Jose, SigningAlgorithm};
use crate::base64url;

/// Keys that are tried for one token. A forged one costs us as many verifications.
pub(crate) const MAX_TRIES: usize = 16;
/// RSA keys outside these sizes are not used.
const RSA_MODULUS_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;
const P256_COORDINATE_BYTES: usize = 32;

/// A key, bound to the one algorithm it may be used with.
pub(super) struct VerifyingKey {
    key_id: Option<String>,
    pub(super) algorithm: SigningAlgorithm,
    pub(super) key: DecodingKey,
}

/// Keys that may verify a token.
pub(super) struct Fitting {
    pub(super) keys: Vec<Arc<VerifyingKey>>,
    /// Whether more would fit than are tried.
    pub(super) is_cut: bool,
}

/// The usable keys of a set.
#[derive(Default)]
pub(super) struct KeySet(Vec<Arc<VerifyingKey>>);

#[derive(Deserialize)]
struct PublishedSet {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct PublishedKey {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set; keys of other kinds and for other purposes are left out.
    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        let set: PublishedSet =
            serde_json::from_slice(json).map_err(|e| format!("not a JSON Web Key Set: {e}"))?;
        let keys: Vec<_> = set
            .keys
            .into_iter()
            .filter_map(|key| serde_json::from_value::<PublishedKey>(key).ok())
            .filter_map(PublishedKey::usable)
            .map(Arc::new)
            .collect();
        if keys.is_empty() {
            return Err("no key in it can verify RS256 or ES256".to_owned());
        }
        Ok(Self(keys))
    }

    /// The keys a token may be signed with: those of the id it names (several can have one, in a rollover), all of its
    /// algorithm when it names none.
    pub(super) fn find(&self, jose: &Jose) -> Fitting {
        let fits = |key: &&Arc<VerifyingKey>| {
            key.algorithm == jose.algorithm && (jose.key_id.is_none() || key.key_id == jose.key_id)
        };
        let mut fitting = self.0.iter().filter(fits).cloned();
        Fitting {
            keys: fitting.by_ref().take(MAX_TRIES).collect(),
            is_cut: fitting.next().is_some(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl PublishedKey {
    fn usable(self) -> Option<VerifyingKey> {
        let verifies = self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self
                .key_ops
                .as_ref()
                .is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !verifies {
            return None;
        }
        let (algorithm, key) = match self.kty.as_str() {
            "RSA" => (
                SigningAlgorithm::Rs256,
                rsa(self.n.as_deref()?, self.e.as_deref()?)?,
            ),
            "EC" if self.crv.as_deref() == Some("P-256") => (
                SigningAlgorithm::Es256,
                p256(self.x.as_deref()?, self.y.as_deref()?)?,
            ),
            _ => return None,
        };
        let agrees = self
            .alg
            .is_none_or(|alg| SigningAlgorithm::named(&alg) == Some(algorithm));
        agrees.then_some(VerifyingKey {
            key_id: self.kid,
            algorithm,
            key,
        })
    }
}

fn rsa(modulus: &str, exponent: &str) -> Option<DecodingKey> {
    let n = base64url::decode(modulus.as_bytes())?;
    let zeros = n.iter().take_while(|b| **b == 0).count();
    let bits = (n.len() - zeros) * 8 - n.get(zeros).map_or(0, |b| b.leading_zeros() as usize);
    let e = base64url::decode(exponent.as_bytes())?;
    let odd = e.last().is_some_and(|b| b % 2 == 1) && e != [1];
    (RSA_MODULUS_BITS.contains(&bits) && odd).then(|| DecodingKey::from_rsa_raw_components(&n, &e))
}

fn p256(x: &str, y: &str) -> Option<DecodingKey> {
    let whole =
        |text: &str| base64url::decode(text.as_bytes()).is_some_and(|b| b.len() == P256_COORDINATE_BYTES);
    (whole(x) && whole(y)).then(|| DecodingKey::from_ec_components(x, y).ok())?
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{KeySet, MAX_TRIES};
    use crate::auth::{Jose, SigningAlgorithm};
    use crate::base64url;

    fn rsa(kid: &str, bits: usize) -> Value {
        let n = vec![0xab_u8; bits / 8];
        json!({"kty": "RSA", "kid": kid, "use": "sig", "n": base64url::encode(&n), "e": "AQAB"})
    }

    fn ec(kid: Option<&str>) -> Value {
        let half = base64url::encode(&[7; 32]);
        json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": half, "y": half})
    }

    fn with(mut key: Value, member: &str, value: Value) -> Value {
        key[member] = value;
        key
    }

    fn count(keys: &[Value]) -> usize {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).map_or(0, |set| set.len())
    }

    #[test]
    fn keys_for_the_two_algorithms_are_kept() {
        assert_eq!(count(&[rsa("a", 2048), rsa("b", 4096), ec(Some("c"))]), 3);
        assert_eq!(
            count(&[
                with(rsa("a", 2048), "alg", json!("RS256")),
                with(ec(None), "key_ops", json!(["verify"]))
            ]),
            2
        );
    }

    #[test]
    fn keys_for_anything_else_are_left_out() {
        for key in [
            rsa("weak", 1024),
            rsa("huge", 16_384),
            with(rsa("a", 2048), "use", json!("enc")),
            with(rsa("a", 2048), "alg", json!("RS512")),
            with(rsa("a", 2048), "alg", json!("HS256")),
            with(rsa("a", 2048), "key_ops", json!(["sign"])),
            with(rsa("a", 2048), "e", json!("AQ")),
            with(ec(None), "crv", json!("P-384")),
            with(ec(None), "x", json!("AQAB")),
            with(ec(None), "alg", json!("RS256")),
            json!({"kty": "oct", "kid": "a", "k": "c2VjcmV0", "alg": "HS256"}),
            json!({"kty": "RSA"}),
            json!("key"),
        ] {
            assert_eq!(count(std::slice::from_ref(&key)), 0, "{key}");
        }
        assert!(KeySet::parse(b"<html>").is_err());
    }

    #[test]
    fn a_key_is_found_by_id_and_algorithm_together() {
        let set = KeySet::parse(
            json!({"keys": [rsa("a", 2048), rsa("b", 2048), ec(Some("a"))]})
                .to_string()
                .as_bytes(),
        );
        let set = set.unwrap_or_default();
        let found = |algorithm, kid: Option<&str>| {
            let jose = Jose {
                algorithm,
                key_id: kid.map(str::to_owned),
            };
            let fitting = set.find(&jose);
            assert!(fitting.keys.iter().all(|key| key.algorithm == algorithm) && !fitting.is_cut);
            fitting.keys.len()
        };
        assert_eq!(found(SigningAlgorithm::Rs256, Some("a")), 1);
        assert_eq!(found(SigningAlgorithm::Es256, Some("a")), 1);
        assert_eq!(found(SigningAlgorithm::Es256, Some("b")), 0);
        assert_eq!(found(SigningAlgorithm::Es256, None), 1);
        assert_eq!(found(SigningAlgorithm::Rs256, None), 2);
    }

    #[test]
    fn every_key_is_kept_and_all_of_one_id_are_tried_up_to_a_number() {
        let other = |i: usize| rsa(&format!("k{i}"), 2048);
        let mut keys: Vec<Value> = (0..200).map(other).collect();
        keys.extend([rsa("twice", 2048), rsa("twice", 4096)]);
        keys.extend((0..MAX_TRIES + 1).map(|_| rsa("often", 2048)));
        let set = KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap_or_default();
        let found = |kid: &str| {
            let fitting = set.find(&Jose {
                algorithm: SigningAlgorithm::Rs256,
                key_id: Some(kid.to_owned()),
            });
            (fitting.keys.len(), fitting.is_cut)
        };
        assert_eq!(found("k199"), (1, false));
        assert_eq!(found("twice"), (2, false));
        assert_eq!(found("often"), (MAX_TRIES, true));
    }
}
