//! A token's header, before anything in it is believed. It chooses among the issuer's keys and decides nothing else:
//! the algorithm must be one of two, and a header that brings its own key is refused.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::base64url;
use crate::token_error::TokenError;

/// The longest key id that is looked for.
const MAX_KEY_ID_BYTES: usize = 256;

/// The signatures that are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// RSA with PKCS #1 v1.5 padding and SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

impl SigningAlgorithm {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }
}

/// What a token's header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jose {
    /// How it is signed.
    pub algorithm: SigningAlgorithm,
    /// Which of the issuer's keys it is signed with.
    pub key_id: Option<String>,
}

/// A token in its parts; nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedToken<'a> {
    /// The header.
    pub jose: Jose,
    /// What is signed: header and claims as they were sent.
    pub signed: &'a str,
    /// The claims, base64url.
    pub claims: &'a str,
    /// The signature, base64url.
    pub signature: &'a str,
}

/// The members that matter. One that stands twice is an error, any other member is nobody's business.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    kid: Option<String>,
    typ: Option<String>,
    jku: Option<IgnoredAny>,
    jwk: Option<IgnoredAny>,
    x5u: Option<IgnoredAny>,
    x5c: Option<IgnoredAny>,
    crit: Option<IgnoredAny>,
    enc: Option<IgnoredAny>,
    zip: Option<IgnoredAny>,
}

impl Members<'_> {
    fn brings_more_than_a_name(&self) -> bool {
        [
            &self.jku, &self.jwk, &self.x5u, &self.x5c, &self.crit, &self.enc, &self.zip,
        ]
        .into_iter()
        .any(Option::is_some)
    }

    fn is_another_kind(&self) -> bool {
        let typ = self.typ.as_deref().unwrap_or("JWT").to_ascii_lowercase();
        !matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt")
    }
}

impl<'a> UnverifiedToken<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// When it is not three parts with a header that is accepted.
    pub fn parse(token: &'a str) -> Result<Self, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        if header.is_empty() || claims.is_empty() || claims.contains('.') {
            return Err(TokenError::Malformed);
        }
        let jose = jose(header)?;
        // Looked at last, so that an unsigned token is refused for its algorithm.
        if signature.is_empty() {
            return Err(TokenError::Malformed);
        }
        Ok(Self {
            jose,
            signed,
            claims,
            signature,
        })
    }
}

fn jose(header: &str) -> Result<Jose, TokenError> {
    let json = base64url::decode(header.as_bytes()).ok_or(TokenError::Malformed)?;
    // A list would be read as the members in their order.
    if !json.trim_ascii_start().starts_with(b"{") {
        return Err(TokenError::Malformed);
    }
    let members: Members<'_> = serde_json::from_slice(&json).map_err(|_| TokenError::Malformed)?;
    let algorithm = SigningAlgorithm::named(&members.alg).ok_or(TokenError::Algorithm)?;
    if members.brings_more_than_a_name() || members.is_another_kind() {
        return Err(TokenError::Header);
    }
    let key_id = members.kid;
    if key_id.as_ref().is_some_and(|kid| kid.len() > MAX_KEY_ID_BYTES) {
        return Err(TokenError::Header);
    }
    Ok(Jose { algorithm, key_id })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::{Jose, SigningAlgorithm, UnverifiedToken};
    use crate::TokenError;
    use crate::base64url;

    fn parsed(header: &str) -> Result<Jose, TokenError> {
        let token = format!("{}.e30.c2ln", base64url::encode(header.as_bytes()));
        UnverifiedToken::parse(&token).map(|t| t.jose)
    }

    #[test]
    fn the_two_algorithms_are_accepted_and_other_members_ignored() {
        let rs = parsed(r#"{"typ":"JWT","alg":"RS256","kid":"k1","x5t":"abc","nonce":"n"}"#);
        let want = Jose {
            algorithm: SigningAlgorithm::Rs256,
            key_id: Some("k1".to_owned()),
        };
        assert_eq!(rs, Ok(want));
        let es = parsed(r#"{"alg":"ES256","typ":"at+jwt"}"#).map(|j| (j.algorithm, j.key_id));
        assert_eq!(es, Ok((SigningAlgorithm::Es256, None)));
    }

    #[test]
    fn other_algorithms_are_refused_however_they_are_spelt() {
        for alg in [
            "none", "None", "NONE", "nOnE", "", "HS256", "HS512", "RS384", "PS256", "ES384", "EdDSA", "rs256",
        ] {
            assert_eq!(
                parsed(&format!(r#"{{"alg":"{alg}"}}"#)),
                Err(TokenError::Algorithm),
                "{alg}"
            );
        }
        let unsigned = format!("{}.e30.", base64url::encode(br#"{"alg":"none"}"#));
        assert_eq!(UnverifiedToken::parse(&unsigned), Err(TokenError::Algorithm));
    }

    #[test]
    fn a_header_that_brings_a_key_or_an_extension_is_refused() {
        for member in [
            r#""jku":"https://attacker.example/keys""#,
            r#""x5u":"https://attacker.example/cert""#,
            r#""jwk":{"kty":"RSA","n":"AQ","e":"AQAB"}"#,
            r#""x5c":["MIIB"]"#,
            r#""crit":["b64"]"#,
            r#""enc":"A128GCM""#,
            r#""zip":"DEF""#,
            r#""typ":"JWE""#,
        ] {
            let header = format!(r#"{{"alg":"RS256","kid":"k1",{member}}}"#);
            assert_eq!(parsed(&header), Err(TokenError::Header), "{member}");
        }
        let long = format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(300));
        assert_eq!(parsed(&long), Err(TokenError::Header));
    }

    #[test]
    fn what_is_no_signed_jwt_is_malformed() {
        for header in [
            "",
            "null",
            "[\"RS256\",\"k1\"]",
            "{}",
            r#"{"alg":1}"#,
            r#"{"alg":"RS256","kid":7}"#,
            r#"{"alg":"RS256","alg":"RS256"}"#,
            "{\"alg\":\"RS256\"} x",
        ] {
            assert_eq!(parsed(header), Err(TokenError::Malformed), "{header}");
        }
        let header = base64url::encode(br#"{"alg":"RS256"}"#);
        for token in [
            String::new(),
            "abc".to_owned(),
            format!("{header}.e30"),
            format!("{header}..sig"),
            format!("{header}.e30."),
            format!("{header}.e30.sig.more"),
            format!("{header}=.e30.c2ln"),
            ".e30.c2ln".to_owned(),
        ] {
            assert_eq!(
                UnverifiedToken::parse(&token).err(),
                Some(TokenError::Malformed),
                "{token}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(token in "[ -~]{0,60}(\\.[ -~]{0,20}){0,4}", header in ".{0,40}") {
            prop_assert!(UnverifiedToken::parse(&token).is_err());
            let _ = parsed(&header);
        }
    }
}
