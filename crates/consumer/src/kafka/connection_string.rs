//! The connection string of an Event Hubs namespace.

use crate::error::ConsumerError;

/// The host of `Endpoint=sb://HOST/`. Messages never quote the text: it holds a key.
pub(super) fn namespace_host(text: &str) -> Result<&str, ConsumerError> {
    let refused = |reason: &str| ConsumerError::ConnectionString {
        reason: reason.to_owned(),
    };
    let part = |name: &str| {
        text.split(';').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then_some(value.trim())
        })
    };
    let endpoint = part("Endpoint").ok_or_else(|| refused("it has no Endpoint"))?;
    let host = endpoint
        .strip_prefix("sb://")
        .ok_or_else(|| refused("its Endpoint does not begin with sb://"))?
        .trim_end_matches('/');
    let named = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    if host.is_empty() || !host.bytes().all(named) {
        return Err(refused("its Endpoint does not name a host"));
    }
    let signature = part("SharedAccessSignature").is_some();
    if !signature && (part("SharedAccessKeyName").is_none() || part("SharedAccessKey").is_none()) {
        return Err(refused("it has no SharedAccessKeyName and SharedAccessKey"));
    }
    Ok(host)
}

#[cfg(test)]
mod tests {
    use super::namespace_host;

    #[test]
    fn the_host_is_found_and_secrets_are_not_told() {
        let keys = "SharedAccessKeyName=k;SharedAccessKey=a=b==";
        for endpoint in ["Endpoint=sb://ns.example.net/", "endpoint=sb://ns.example.net"] {
            let text = format!("{endpoint};{keys};EntityPath=hub");
            assert_eq!(namespace_host(&text).ok(), Some("ns.example.net"), "{text}");
        }
        for text in [
            "",
            "secret",
            keys,
            "Endpoint=sb://ns/",
            &format!("Endpoint=https://secret/;{keys}"),
            &format!("Endpoint=sb:///;{keys}"),
            &format!("Endpoint=sb://a:1,b/;{keys}"),
        ] {
            let error = namespace_host(text).expect_err(text);
            assert!(!format!("{error:?} {error}").contains("secret"), "{error}");
        }
    }
}
