//! Who asks, and may they: bearer tokens of an OpenID Connect issuer, or nobody's (a developer's machine).
//!
//! The parsers of what strangers send are public, so that they can be fuzzed.

mod authenticator;
pub mod base64url;
mod bearer;
mod claims;
mod error;
mod jose;
mod jwks;
mod keys;
mod limits;
mod options;
mod principal;
mod source;
mod token_error;

pub use authenticator::{AuthFailure, Authenticator};
pub use bearer::bearer_token;
pub use error::AuthError;
pub use jose::{Jose, SigningAlgorithm, UnverifiedToken};
pub use limits::MAX_TOKEN_BYTES;
pub use options::{AuthOptions, ClaimPath, KeyLocation, OidcOptions};
pub use principal::{Principal, READING_ROLES};
pub use token_error::TokenError;
