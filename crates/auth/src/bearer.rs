//! The `Authorization` header.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::limits::MAX_TOKEN_BYTES;
use crate::token_error::TokenError;

/// The one bearer token of a request.
///
/// # Errors
/// Without exactly one `Authorization` header that holds one: two of them are two identities, and no order of the
/// two is right.
pub fn bearer_token(headers: &HeaderMap) -> Result<&str, TokenError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(TokenError::Missing)?;
    if values.next().is_some() {
        return Err(TokenError::Repeated);
    }
    let value = value.to_str().map_err(|_| TokenError::NotBearer)?;
    let (scheme, token) = value.split_once(' ').ok_or(TokenError::NotBearer)?;
    let token = token.trim_start_matches(' ');
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(TokenError::NotBearer);
    }
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::TooLong);
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use http::header::AUTHORIZATION;
    use http::{HeaderMap, HeaderValue};

    use super::bearer_token;
    use crate::{MAX_TOKEN_BYTES, TokenError};

    fn headers(values: &[&str]) -> HeaderMap {
        values
            .iter()
            .map(|v| (AUTHORIZATION, HeaderValue::from_str(v).unwrap()))
            .collect()
    }

    #[test]
    fn the_scheme_may_be_written_in_any_case() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c"] {
            assert_eq!(bearer_token(&headers(&[value])), Ok("a.b.c"));
        }
    }

    #[test]
    fn anything_but_one_bearer_token_is_refused() {
        let long = format!("Bearer {}", "x".repeat(MAX_TOKEN_BYTES + 1));
        for (values, want) in [
            (vec![], TokenError::Missing),
            (vec!["Bearer a.b.c", "Bearer a.b.c"], TokenError::Repeated),
            (vec!["Basic dXNlcjpwYXNz"], TokenError::NotBearer),
            (vec!["Bearer"], TokenError::NotBearer),
            (vec!["Bearer "], TokenError::NotBearer),
            (vec!["a.b.c"], TokenError::NotBearer),
            (vec!["Bearer\ta.b.c"], TokenError::NotBearer),
            (vec![long.as_str()], TokenError::TooLong),
        ] {
            assert_eq!(bearer_token(&headers(&values)), Err(want), "{values:?}");
        }
        let not_ascii: HeaderMap = [(
            AUTHORIZATION,
            HeaderValue::from_bytes(b"Bearer a.\xff.c").unwrap(),
        )]
        .into_iter()
        .collect();
        assert_eq!(bearer_token(&not_ascii), Err(TokenError::NotBearer));
    }
}
