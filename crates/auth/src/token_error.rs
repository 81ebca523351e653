//! Why a token was refused.

use crate::limits::{MAX_TOKEN_BYTES, MAX_TRIES};

/// Each is answered with 401. The text goes to the client: it says what is wrong and repeats nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No `Authorization` header.
    #[error("an Authorization header with a bearer token is required")]
    Missing,
    /// More than one `Authorization` header.
    #[error("there is more than one Authorization header")]
    Repeated,
    /// Another scheme than `Bearer`.
    #[error("the Authorization header holds no bearer token")]
    NotBearer,
    /// Longer than any token this API is used with.
    #[error("the token is longer than {MAX_TOKEN_BYTES} bytes, the most that is read")]
    TooLong,
    /// Not three parts of base64url, or not JSON inside.
    #[error("the token is not a signed JWT")]
    Malformed,
    /// Another algorithm than RS256 and ES256; `none` and HS256 above all.
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// A header that brings its own key, or demands an extension.
    #[error("the token's header holds a parameter that is not accepted")]
    Header,
    /// No key of the issuer has this id.
    #[error("the token is signed with a key that the issuer does not publish")]
    UnknownKey,
    /// More keys of the issuer fit than are tried, and none of those tried did.
    #[error("more than {MAX_TRIES} keys of the issuer fit the token, and the first of them do not verify it")]
    TooManyKeys,
    /// Signed with another key, or changed afterwards.
    #[error("the token's signature does not verify")]
    Signature,
    /// Past its `exp`.
    #[error("the token has expired")]
    Expired,
    /// Before its `nbf`.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// A claim that must be there is not, or is of the wrong type.
    #[error("the token's {0:?} claim is missing or not usable")]
    Claim(&'static str),
    /// Issued by somebody else.
    #[error("the token is from another issuer")]
    Issuer,
    /// Meant for another application.
    #[error("the token is for another audience")]
    Audience,
}
