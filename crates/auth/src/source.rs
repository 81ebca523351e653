//! Where the issuer's keys come from: its discovery document (OpenID Connect Discovery 1.0) or a known URL.

use std::error::Error as _;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use serde::Deserialize;

use crate::error::AuthError;
use crate::jwks::KeySet;
use crate::options::{KeyLocation, OidcOptions};

/// Documents of issuers have some kilobytes.
const MAX_DOCUMENT_BYTES: usize = 512 * 1024;

/// Why there are no new keys. For the log: an issuer's answer goes to no client.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("{url} cannot be fetched: {reason}")]
    Unreachable { url: String, reason: String },
    #[error("{url} answered {status}")]
    Status { url: String, status: u16 },
    #[error("{url} answered more than {MAX_DOCUMENT_BYTES} bytes")]
    TooLong { url: String },
    #[error("{url} is not usable: {reason}")]
    Document { url: String, reason: String },
}

/// Fetches keys; cheap to keep, does nothing until asked.
pub(super) struct KeySource {
    client: Client,
    location: Location,
    issuer: String,
    allow_http: bool,
}

enum Location {
    Discovery(Url),
    Keys(Url),
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl KeySource {
    /// Checks the location and prepares to fetch. `allow_http` is for a local environment; keys that came in the
    /// clear can be anybody's.
    pub(super) fn new(options: &OidcOptions, allow_http: bool) -> Result<Self, AuthError> {
        let checked = |text: &str| {
            usable_url(text, allow_http).map_err(|reason| AuthError::KeyUrl {
                url: text.to_owned(),
                reason,
            })
        };
        let location = match &options.keys {
            KeyLocation::Discovery(url) => Location::Discovery(checked(url)?),
            KeyLocation::Jwks(url) => Location::Keys(checked(url)?),
        };
        let on_loopback = match &location {
            Location::Discovery(url) | Location::Keys(url) => is_loopback(url),
        };
        Ok(Self {
            client: client(options.fetch_timeout, on_loopback)?,
            location,
            issuer: options.issuer.clone(),
            allow_http,
        })
    }

    /// The keys as they are published now.
    pub(super) async fn fetch(&self) -> Result<KeySet, FetchError> {
        let url = match &self.location {
            Location::Keys(url) => url.clone(),
            Location::Discovery(url) => self.discovered(url).await?,
        };
        let document = self.document(&url).await?;
        KeySet::parse(&document).map_err(|reason| FetchError::Document {
            url: url.to_string(),
            reason,
        })
    }

    async fn discovered(&self, url: &Url) -> Result<Url, FetchError> {
        let refused = |reason: String| FetchError::Document {
            url: url.to_string(),
            reason,
        };
        let document = self.document(url).await?;
        let found: Discovery = serde_json::from_slice(&document).map_err(|e| refused(e.to_string()))?;
        if found.issuer != self.issuer {
            return Err(refused(format!(
                "it is of issuer {:?}, not {:?}",
                found.issuer, self.issuer
            )));
        }
        usable_url(&found.jwks_uri, self.allow_http)
            .map_err(|reason| refused(format!("its jwks_uri: {reason}")))
    }

    async fn document(&self, url: &Url) -> Result<Vec<u8>, FetchError> {
        let unreachable = |e: reqwest::Error| FetchError::Unreachable {
            url: url.to_string(),
            reason: with_causes(&e.without_url()),
        };
        let mut response = self.client.get(url.clone()).send().await.map_err(unreachable)?;
        if response.status().as_u16() != 200 {
            return Err(FetchError::Status {
                url: url.to_string(),
                status: response.status().as_u16(),
            });
        }
        let mut document = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if document.len() + chunk.len() > MAX_DOCUMENT_BYTES {
                return Err(FetchError::TooLong { url: url.to_string() });
            }
            document.extend_from_slice(&chunk);
        }
        Ok(document)
    }
}

/// Redirects are not followed: they could lead out of https. A proxy is not asked for an address on this machine.
fn client(timeout: Duration, on_loopback: bool) -> Result<Client, AuthError> {
    let mut builder = Client::builder().timeout(timeout).redirect(Policy::none());
    if on_loopback {
        builder = builder.no_proxy();
    }
    builder
        .build()
        .map_err(|e| AuthError::HttpClient(with_causes(&e)))
}

fn with_causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn usable_url(text: &str, allow_http: bool) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| e.to_string())?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if allow_http || is_loopback(&url) => Ok(url),
        "http" => Err("it must be https outside a local environment".to_owned()),
        other => Err(format!("{other} is not https")),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::usable_url;

    #[test]
    fn keys_come_over_https_unless_the_issuer_is_on_this_machine() {
        let usable = |text: &str, allow_http: bool| usable_url(text, allow_http).is_ok();
        assert!(usable("https://login.example/keys", false));
        assert!(!usable("http://login.example/keys", false));
        assert!(usable("http://login.example/keys", true));
        for url in [
            "http://127.0.0.1:8080/k",
            "http://localhost/k",
            "http://[::1]:1/k",
        ] {
            assert!(usable(url, false), "{url}");
        }
        for url in [
            "http://127.0.0.1.example/k",
            "http://localhost.example/k",
            "file:///etc/keys",
            "keys",
            "",
        ] {
            assert!(!usable(url, false), "{url}");
        }
    }
}
