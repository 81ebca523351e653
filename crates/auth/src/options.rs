//! Who may look, and how that is known. Plain values: who read them from where is not the business of this crate.

use std::time::Duration;

/// Who may look (contract section 7).
#[derive(Debug, Clone)]
pub enum AuthOptions {
    /// Whoever reaches the address. Not where the environment is said to be another than `local`.
    Disabled {
        /// Also on an address that other machines can reach. Only in environment `local`.
        on_any_address: bool,
    },
    /// Holders of a token of an OpenID Connect issuer, with one of the two roles.
    Oidc(OidcOptions),
}

/// An OpenID Connect issuer and what its tokens must say.
#[derive(Debug, Clone)]
pub struct OidcOptions {
    /// `iss` of its tokens, exactly.
    pub issuer: String,
    /// One of these must be in `aud`.
    pub audiences: Vec<String>,
    /// Where its keys are published.
    pub keys: KeyLocation,
    /// The claims that may hold roles; those of all of them count.
    pub roles_claims: Vec<ClaimPath>,
    /// How far its clock may be from ours.
    pub leeway: Duration,
    /// Between two fetches of its keys when nothing is the matter.
    pub refresh: Duration,
    /// Between two fetches because of key ids nobody knows, after three at once.
    pub refetch_every: Duration,
    /// How old keys may be and still be used, when the issuer is away.
    pub max_key_age: Duration,
    /// How long one fetch may take.
    pub fetch_timeout: Duration,
}

impl OidcOptions {
    /// An issuer with a discovery document, everything else as shipped.
    #[must_use]
    pub fn new(issuer: impl Into<String>, audiences: Vec<String>) -> Self {
        let issuer = issuer.into();
        Self {
            keys: KeyLocation::of_issuer(&issuer),
            issuer,
            audiences,
            roles_claims: ["roles", "scp"].map(ClaimPath::from).into(),
            leeway: Duration::from_secs(30),
            refresh: Duration::from_secs(300),
            refetch_every: Duration::from_secs(10),
            max_key_age: Duration::from_secs(24 * 3_600),
            fetch_timeout: Duration::from_secs(3),
        }
    }
}

/// Where in a token a claim is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimPath {
    /// Its name, which may hold dots (`https://example/roles`), or names with dots between them that lead into objects
    /// (`resource_access.my.client.roles`). Whatever name is longest goes first.
    Named(String),
    /// Names one inside the other, exactly.
    Names(Vec<String>),
}

impl From<&str> for ClaimPath {
    fn from(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

impl ClaimPath {
    /// Whether it leads nowhere.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Named(name) => nsc_core::is_blank(name),
            Self::Names(names) => names.is_empty() || names.iter().any(|name| nsc_core::is_blank(name)),
        }
    }
}

/// Where an issuer publishes its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyLocation {
    /// In its discovery document, at this URL.
    Discovery(String),
    /// At this URL.
    Jwks(String),
}

impl KeyLocation {
    /// The discovery document at the place the standard names.
    #[must_use]
    pub fn of_issuer(issuer: &str) -> Self {
        Self::Discovery(format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        ))
    }
}
