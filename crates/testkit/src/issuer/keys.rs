//! Keys: the issuer's, or an attacker's.

use std::io;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

use super::text::{base64url, merged};

/// What a key signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RS256.
    Rsa,
    /// ES256.
    Ec,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ec(Box<EcdsaKeyPair>),
}

/// A key with its id; the issuer's, or an attacker's.
#[derive(Clone)]
pub struct SigningKey {
    id: String,
    pair: Arc<Pair>,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A new key.
    ///
    /// # Errors
    /// When the random numbers of the system fail.
    pub fn generate(kind: KeyKind, id: impl Into<String>) -> io::Result<Self> {
        let failed = |_| io::Error::other("a key could not be made");
        let pair = match kind {
            KeyKind::Rsa => Pair::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?)),
            KeyKind::Ec => Pair::Ec(Box::new(
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?,
            )),
        };
        Ok(Self {
            id: id.into(),
            pair: Arc::new(pair),
        })
    }

    /// The same key under another id.
    #[must_use]
    pub fn named(self, id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            ..self
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// As it is published.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let common = json!({"kid": self.id, "use": "sig"});
        let particular = match &*self.pair {
            Pair::Rsa(pair) => {
                let key = pair.public_key();
                let n = base64url(key.modulus().big_endian_without_leading_zero());
                let e = base64url(key.exponent().big_endian_without_leading_zero());
                json!({"kty": "RSA", "alg": "RS256", "n": n, "e": e})
            }
            Pair::Ec(pair) => {
                let point = pair.public_key().as_ref();
                let half = |range: std::ops::Range<usize>| base64url(point.get(range).unwrap_or_default());
                json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "x": half(1..33), "y": half(33..65)})
            }
        };
        merged(common, particular)
    }

    /// The public key as DER: what an attacker who confuses RS256 with HS256 takes for a secret.
    #[must_use]
    pub fn public_der(&self) -> Vec<u8> {
        let der = match &*self.pair {
            Pair::Rsa(pair) => AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()),
            Pair::Ec(pair) => AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()),
        };
        der.map(|der| der.as_ref().to_vec()).unwrap_or_default()
    }

    /// What it signs with.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        match &*self.pair {
            Pair::Rsa(_) => KeyKind::Rsa,
            Pair::Ec(_) => KeyKind::Ec,
        }
    }

    pub(super) fn algorithm(&self) -> &'static str {
        match self.kind() {
            KeyKind::Rsa => "RS256",
            KeyKind::Ec => "ES256",
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &*self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let signed = pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature);
                signed.map(|()| signature).unwrap_or_default()
            }
            Pair::Ec(pair) => pair
                .sign(&random, message)
                .map(|signature| signature.as_ref().to_vec())
                .unwrap_or_default(),
        }
    }
}

/// The first RSA key of every issuer in this process: making one takes a tenth of a second and more.
pub(super) fn first_rsa_key() -> io::Result<SigningKey> {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    if let Some(key) = KEY.get() {
        return Ok(key.clone());
    }
    let key = SigningKey::generate(KeyKind::Rsa, "key-0")?;
    Ok(KEY.get_or_init(|| key).clone())
}
