//! The issuer's published keys (RFC 7517), as far as they can verify a signature that is accepted.

use std::sync::Arc;

use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use crate::base64url;
use crate::jose::{Jose, SigningAlgorithm};
use crate::limits::MAX_TRIES;

/// RSA keys outside these sizes are not used.
const RSA_MODULUS_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;
const P256_COORDINATE_BYTES: usize = 32;
/// Keys that are named when none can be used.
const MAX_NAMED: usize = 3;
/// Characters of a key's id in the log.
const MAX_NAME_CHARS: usize = 64;

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

/// The keys of a set.
#[derive(Default)]
pub(super) struct KeySet {
    usable: Vec<Arc<VerifyingKey>>,
    /// Those that no token can be verified with here.
    pub(super) unused: Vec<Unused>,
}

/// A published key that is not used.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Unused {
    /// Its id, or its place in the set when it has none.
    pub(super) key_id: String,
    /// Why.
    pub(super) reason: String,
}

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
    /// Reads a set. A key that cannot be used is left out and named, and the others stay in use.
    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        let published: PublishedSet =
            serde_json::from_slice(json).map_err(|e| format!("not a JSON Web Key Set: {e}"))?;
        let mut set = Self::default();
        for (at, key) in published.keys.into_iter().enumerate() {
            let key_id = name_of(&key, at);
            match serde_json::from_value::<PublishedKey>(key)
                .map_err(|e| e.to_string())
                .and_then(PublishedKey::usable)
            {
                Ok(key) => set.usable.push(Arc::new(key)),
                Err(reason) => set.unused.push(Unused { key_id, reason }),
            }
        }
        if set.usable.is_empty() {
            return Err(set.without_a_key());
        }
        Ok(set)
    }

    fn without_a_key(&self) -> String {
        let mut text = "no key in it can verify RS256 or ES256".to_owned();
        for Unused { key_id, reason } in self.unused.iter().take(MAX_NAMED) {
            text.push_str(&format!("; key {key_id:?}: {reason}"));
        }
        text
    }

    /// The keys a token may be signed with: those of the id it names (several can have one, in a rollover), all of its
    /// algorithm when it names none.
    pub(super) fn find(&self, jose: &Jose) -> Fitting {
        let fits = |key: &&Arc<VerifyingKey>| {
            key.algorithm == jose.algorithm && (jose.key_id.is_none() || key.key_id == jose.key_id)
        };
        let mut fitting = self.usable.iter().filter(fits).cloned();
        Fitting {
            keys: fitting.by_ref().take(MAX_TRIES).collect(),
            is_cut: fitting.next().is_some(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.usable.len()
    }
}

/// What a key is called in the log.
fn name_of(key: &Value, at: usize) -> String {
    match key.get("kid").and_then(Value::as_str) {
        Some(id) => id.chars().take(MAX_NAME_CHARS).collect(),
        None => format!("number {} of the set", at + 1),
    }
}

impl PublishedKey {
    /// # Errors
    /// Why no token can be verified with it.
    fn usable(self) -> Result<VerifyingKey, String> {
        if let Some(usage) = self.usage.filter(|usage| usage != "sig") {
            return Err(format!("its use is {usage:?}, not \"sig\""));
        }
        if self
            .key_ops
            .is_some_and(|ops| ops.iter().all(|op| op != "verify"))
        {
            return Err("verify is none of its key_ops".to_owned());
        }
        let (algorithm, key) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => (SigningAlgorithm::Rs256, rsa(self.n, self.e)?),
            ("EC", Some("P-256")) => (SigningAlgorithm::Es256, p256(self.x, self.y)?),
            ("EC", crv) => return Err(format!("its crv is {:?}, not \"P-256\"", crv.unwrap_or_default())),
            (kty, _) => return Err(format!("its kty is {kty:?}, neither \"RSA\" nor \"EC\"")),
        };
        match self.alg {
            Some(alg) if SigningAlgorithm::named(&alg) != Some(algorithm) => Err(format!(
                "its alg is {alg:?}, and not what its kty is used with here"
            )),
            _ => Ok(VerifyingKey {
                key_id: self.kid,
                algorithm,
                key,
            }),
        }
    }
}

fn rsa(modulus: Option<String>, exponent: Option<String>) -> Result<DecodingKey, String> {
    let (n, e) = (bytes("n", modulus)?, bytes("e", exponent)?);
    let zeros = n.iter().take_while(|b| **b == 0).count();
    let bits = (n.len() - zeros) * 8 - n.get(zeros).map_or(0, |b| b.leading_zeros() as usize);
    if !RSA_MODULUS_BITS.contains(&bits) {
        let (least, most) = (RSA_MODULUS_BITS.start(), RSA_MODULUS_BITS.end());
        return Err(format!("its modulus has {bits} bits, not {least} to {most}"));
    }
    if e == [1] || e.last().is_none_or(|b| b % 2 == 0) {
        return Err("its e is no exponent of a public key".to_owned());
    }
    Ok(DecodingKey::from_rsa_raw_components(&n, &e))
}

fn p256(x: Option<String>, y: Option<String>) -> Result<DecodingKey, String> {
    let coordinate = |name: &str, text| {
        let bytes = bytes(name, text)?;
        if bytes.len() == P256_COORDINATE_BYTES {
            Ok(base64url::encode(&bytes))
        } else {
            let found = bytes.len();
            Err(format!(
                "its {name} has {found} bytes, not {P256_COORDINATE_BYTES}"
            ))
        }
    };
    DecodingKey::from_ec_components(&coordinate("x", x)?, &coordinate("y", y)?).map_err(|e| e.to_string())
}

/// The bytes of a member. Base64url without padding it should be (RFC 7518); some issuers publish it padded, or in the
/// alphabet of plain base64, and that means the same bytes.
fn bytes(name: &str, text: Option<String>) -> Result<Vec<u8>, String> {
    let text = text.ok_or_else(|| format!("it has no {name}"))?;
    let text = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    base64url::decode(text.as_bytes()).ok_or_else(|| format!("its {name} is not base64url"))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose;
    use serde_json::{Value, json};

    use super::{KeySet, MAX_TRIES};
    use crate::base64url;
    use crate::{Jose, SigningAlgorithm};

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

    /// As .NET and some gateways write them: padded, in the alphabet of plain base64, or both.
    #[test]
    fn members_in_other_spellings_of_base64_are_the_same_bytes() {
        // Bytes that need both characters in which the alphabets differ, and lengths that need padding.
        let n: Vec<u8> = (0..256_u32).map(|i| (i * 7 + 0xfb) as u8 | 1).collect();
        let half = [0xfb_u8; 32];
        let spellings = [
            general_purpose::URL_SAFE_NO_PAD,
            general_purpose::URL_SAFE,
            general_purpose::STANDARD,
            general_purpose::STANDARD_NO_PAD,
        ];
        for spelling in spellings {
            let (n, e, half) = (
                spelling.encode(&n),
                spelling.encode([1, 0, 1]),
                spelling.encode(half),
            );
            let keys = [
                json!({"kty": "RSA", "n": n, "e": e}),
                json!({"kty": "RSA", "n": n, "e": "AQAB=="}),
                json!({"kty": "EC", "crv": "P-256", "x": half, "y": half}),
            ];
            assert_eq!(count(&keys), 3, "{n} {half}");
        }
    }

    /// Keys that are left out, each with its name and the reason.
    fn unusable() -> [(Value, &'static str, &'static str); 14] {
        let (even, short) = (base64url::encode(&[2]), base64url::encode(&[7; 31]));
        [
            (
                with(rsa("a", 2048), "n", json!("not base64!")),
                "a",
                "its n is not base64url",
            ),
            (
                with(rsa("a", 2048), "e", json!("A")),
                "a",
                "its e is not base64url",
            ),
            (with(rsa("a", 2048), "e", Value::Null), "a", "it has no e"),
            (
                with(rsa("a", 2048), "e", json!(even)),
                "a",
                "its e is no exponent of a public key",
            ),
            (
                rsa("weak", 1024),
                "weak",
                "its modulus has 1024 bits, not 2048 to 8192",
            ),
            (
                with(ec(Some("b")), "x", json!(short)),
                "b",
                "its x has 31 bytes, not 32",
            ),
            (
                with(ec(Some("b")), "y", json!("")),
                "b",
                "its y has 0 bytes, not 32",
            ),
            (
                with(ec(Some("b")), "crv", json!("P-521")),
                "b",
                "its crv is \"P-521\", not \"P-256\"",
            ),
            (
                json!({"kty": "OKP", "kid": "c"}),
                "c",
                "its kty is \"OKP\", neither \"RSA\" nor \"EC\"",
            ),
            (
                with(rsa("d", 2048), "use", json!("enc")),
                "d",
                "its use is \"enc\", not \"sig\"",
            ),
            (
                with(rsa("d", 2048), "key_ops", json!(["sign"])),
                "d",
                "verify is none of its key_ops",
            ),
            (
                with(rsa("d", 2048), "alg", json!("RS512")),
                "d",
                "its alg is \"RS512\", and not what its kty is used with here",
            ),
            (
                json!({"kty": "oct"}),
                "number 14 of the set",
                "its kty is \"oct\", neither \"RSA\" nor \"EC\"",
            ),
            (json!({"kid": "e"}), "e", "missing field `kty`"),
        ]
    }

    #[test]
    fn every_key_that_is_left_out_is_named_with_the_reason() {
        let mut keys = vec![rsa("good", 2048)];
        let cases = unusable();
        keys.extend(cases.iter().map(|(key, ..)| key.clone()));
        let set = KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap_or_default();
        let named: Vec<(&str, &str)> = set
            .unused
            .iter()
            .map(|unused| (unused.key_id.as_str(), unused.reason.as_str()))
            .collect();
        assert_eq!(
            named,
            cases.each_ref().map(|(_, key_id, reason)| (*key_id, *reason))
        );
        assert_eq!(set.len(), 1);
        // With none that is good, the error says why none is.
        let alone = json!({ "keys": [with(rsa("d", 2048), "use", json!("enc"))] }).to_string();
        let error = KeySet::parse(alone.as_bytes()).err().unwrap_or_default();
        assert!(
            error.ends_with("key \"d\": its use is \"enc\", not \"sig\""),
            "{error}"
        );
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
