//! Who asks, and may they: bearer tokens of an OpenID Connect issuer, or nobody's (a developer's machine).

mod authenticator;
mod bearer;
mod claims;
mod jose;
mod jwks;
mod keys;
mod principal;
mod source;
mod token_error;

pub use bearer::{MAX_TOKEN_BYTES, bearer_token};
pub use jose::{Jose, SigningAlgorithm, UnverifiedToken};
pub(crate) use jwks::MAX_TRIES;
pub use principal::{Principal, READING_ROLES};
pub use token_error::TokenError;

pub(crate) use authenticator::{AuthFailure, Authenticator};

use crate::options::ClaimPath;
