//! The form of the addresses that serving connects to. What no program can connect to is refused at the start: the broker's
//! client waits for ever for a host that cannot be, and takes a port modulo 65536, which is another server's.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::Url;

use super::Setting;
use super::keys::{self, Key};
use super::serving::ServingConfig;
use crate::failure::OperatorMessage;

/// Longest name of a host (RFC 1035).
const MAX_HOST_CHARS: usize = 253;

/// Refuses the configuration of serving when one of its addresses can lead nowhere.
pub(super) fn check(serving: &ServingConfig) -> Result<(), OperatorMessage> {
    let (kafka, auth) = (&serving.kafka, &serving.auth);
    brokers(&kafka.brokers.value).map_err(|problem| {
        refusal(&keys::KAFKA_BROKERS, &kafka.brokers)
            .with_detail(problem)
            .with_hint("Write host:port for each broker and a comma between two: one:9092,two:9092.")
    })?;
    // With a place of its own for the keys an issuer is a name, compared and never asked.
    let issuer = auth.issuer.as_ref().filter(|_| auth.jwks_url.is_none());
    for (key, setting) in [
        (&keys::KAFKA_OAUTH_URL, kafka.oauth_token_url.as_ref()),
        (&keys::OIDC_ISSUER, issuer),
        (&keys::OIDC_JWKS_URL, auth.jwks_url.as_ref()),
        (&keys::OTLP_ENDPOINT, serving.otlp_endpoint.as_ref()),
    ] {
        if let Some(setting) = setting {
            web_url(&setting.value).map_err(|problem| {
                refusal(key, setting)
                    .with_detail(format!("{:?}: {problem}", setting.value))
                    .with_hint("Write it as https://host:port/path; the port may be left out.")
            })?;
        }
    }
    Ok(())
}

fn refusal<T>(key: &Key, setting: &Setting<T>) -> OperatorMessage {
    OperatorMessage::configuration(format!("{} ({}) is not usable", key.name, setting.origin))
}

/// A list of `host:port`, blanks around a member aside. Says which member is wrong, and how.
fn brokers(list: &str) -> Result<(), String> {
    for (at, member) in list.split(',').map(str::trim).enumerate() {
        if member.is_empty() {
            return Err(format!("member {} of the list is empty", at + 1));
        }
        broker(member).map_err(|problem| format!("{member:?}: {problem}"))?;
    }
    Ok(())
}

fn broker(member: &str) -> Result<(), String> {
    if member.contains("://") {
        return Err(
            "it begins with a scheme; a broker is host:port, and KAFKA_SECURITY says how to speak".to_owned(),
        );
    }
    if member.contains(char::is_whitespace) {
        return Err("it holds a blank; between two brokers there is a comma".to_owned());
    }
    let port = match member.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or("its [ is not closed")?;
            ipv6(address)?;
            port.strip_prefix(':')
        }
        None => {
            let (name, port) = member
                .split_once(':')
                .map_or((member, None), |(name, port)| (name, Some(port)));
            if port.is_some_and(|port| port.contains(':')) {
                return Err("an IPv6 address needs [ ] around it, as in [::1]:9092".to_owned());
            }
            host(name)?;
            port
        }
    };
    let port = port.ok_or("it has no port; write host:port")?;
    let is_number = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(1..) if is_number => Ok(()),
        _ => Err("its port is not a number from 1 to 65535".to_owned()),
    }
}

/// An address, perhaps of one network card (`fe80::1%eth0`).
fn ipv6(text: &str) -> Result<(), String> {
    let (address, zone) = text.split_once('%').unwrap_or((text, "0"));
    match address.parse::<Ipv6Addr>() {
        Ok(_) if !zone.is_empty() => Ok(()),
        _ => Err("what stands in its [ ] is not an IPv6 address".to_owned()),
    }
}

fn host(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("it has no host".to_owned());
    }
    let is_of_names = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if let Some(other) = name.chars().find(|c| !is_of_names(*c)) {
        return Err(format!("{other:?} cannot stand in the name of a host"));
    }
    // A full stop at the end is of a name that is already whole.
    let labels = name.strip_suffix('.').unwrap_or(name);
    if labels.split('.').any(str::is_empty) || name.chars().count() > MAX_HOST_CHARS {
        return Err("its host is not a name or an address".to_owned());
    }
    let last = labels.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|b| b.is_ascii_digit()) && labels.parse::<Ipv4Addr>().is_err() {
        return Err("its host is not an IPv4 address".to_owned());
    }
    Ok(())
}

/// A URL that an HTTP client can ask.
fn web_url(text: &str) -> Result<(), String> {
    if text
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || c == '\u{feff}')
    {
        return Err("it holds a blank, a line break or a byte order mark".to_owned());
    }
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) {
        return Err("it must begin with https:// (or http://)".to_owned());
    }
    // A client passes over what is missing, and takes the next part for the host.
    if rest.starts_with(['/', '\\', '?', '#', ':']) {
        return Err("it has no host".to_owned());
    }
    let url = Url::parse(text).map_err(|e| e.to_string())?;
    if url.port() == Some(0) {
        return Err("its port is not a number from 1 to 65535".to_owned());
    }
    match url.host() {
        Some(url::Host::Domain(name)) => host(name),
        Some(_) => Ok(()),
        None => Err("it has no host".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{brokers, web_url};

    #[test]
    fn brokers_that_can_be_connected_to_are_taken() {
        for list in [
            "127.0.0.1:9092",
            "one:9093,two:9093",
            "one:9093, two:9093 ",
            "kafka_1.internal.:1",
            "ns.servicebus.windows.net:9093",
            "[::1]:9092",
            "[fe80::1%eth0]:65535",
            "브로커.example:9092",
            "host1:09092",
        ] {
            assert_eq!(brokers(list), Ok(()), "{list}");
        }
    }

    /// Each of them would be waited for without end, or be another server.
    #[test]
    fn a_broker_that_cannot_be_is_named() {
        for (list, named) in [
            ("h:74628", "\"h:74628\""),
            ("one:9092,two:65536", "\"two:65536\""),
            ("h:0", "\"h:0\""),
            ("h:-1", "\"h:-1\""),
            ("h:+9092", "\"h:+9092\""),
            ("h:９０９２", "\"h:９０９２\""),
            ("h:9092x", "\"h:9092x\""),
            ("h:", "\"h:\""),
            ("h", "\"h\""),
            ("127.0.0.1", "\"127.0.0.1\""),
            (":9092", "\":9092\""),
            ("http://h:9", "\"http://h:9\""),
            ("SASL_SSL://h:9093", "\"SASL_SSL://h:9093\""),
            ("a b:9092", "\"a b:9092\""),
            ("one:9092 two:9092", "\"one:9092 two:9092\""),
            ("one:9092;two:9092", "\"one:9092;two:9092\""),
            ("h/topic:9092", "\"h/topic:9092\""),
            ("a\tb:9092", "\"a\\tb:9092\""),
            ("\u{feff}h:9092", "\"\\u{feff}h:9092\""),
            ("\"h:9092\"", "\"\\\"h:9092\\\"\""),
            ("one:9092,,two:9092", "member 2"),
            ("one:9092,", "member 2"),
            (",one:9092", "member 1"),
            (" ", "member 1"),
            ("::1:9092", "\"::1:9092\""),
            ("fe80::1", "\"fe80::1\""),
            ("[::1]", "\"[::1]\""),
            ("[::1]9092", "\"[::1]9092\""),
            ("[::1:9092", "\"[::1:9092\""),
            ("[h]:9092", "\"[h]:9092\""),
            ("[::1]:70000", "\"[::1]:70000\""),
            ("a..b:9092", "\"a..b:9092\""),
            (".h:9092", "\".h:9092\""),
            ("10.0.0.256:9092", "\"10.0.0.256:9092\""),
            ("10.0.0:9092", "\"10.0.0:9092\""),
        ] {
            let problem = brokers(list).unwrap_err();
            assert!(problem.contains(named), "{list}: {problem}");
        }
    }

    #[test]
    fn a_url_is_one_that_can_be_asked() {
        for url in [
            "https://login.example/tenant/v2.0",
            "HTTPS://login.example",
            "http://127.0.0.1:4318",
            "http://[::1]:4318/",
        ] {
            assert_eq!(web_url(url), Ok(()), "{url}");
        }
        for url in [
            "",
            "collector",
            "collector:4317",
            "login.example/keys",
            "ftp://h/",
            "https:h",
            "https:/h",
            "https://",
            "https:///keys",
            "https://h:99999/",
            "https://h:0/",
            "https://h:port/",
            "https://::1/",
            "https://[::1/",
            "https://a b/",
            "https://h/keys\n",
            "https://a..b/",
            "https://10.0.0.256/",
        ] {
            assert!(web_url(url).is_err(), "{url}");
        }
    }
}
