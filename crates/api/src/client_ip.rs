//! Where a request came from. `X-Forwarded-For` is written by whoever likes to: it is believed only as far as it was
//! written by a proxy that the operator named.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// Networks of proxies whose `X-Forwarded-For` is believed; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl FromIterator<IpNet> for TrustedProxies {
    fn from_iter<T: IntoIterator<Item = IpNet>>(networks: T) -> Self {
        Self(networks.into_iter().collect())
    }
}

impl TrustedProxies {
    fn hold(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&ip))
    }

    /// The client: the peer, or, when that is a trusted proxy, the nearest hop before it that is not.
    #[must_use]
    pub fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.ip().to_canonical();
        if !self.hold(client) {
            return client;
        }
        let hops: Vec<&str> = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .flat_map(|value| value.to_str().unwrap_or_default().split(','))
            .collect();
        for hop in hops.into_iter().rev() {
            // What is no address was not written by a proxy: nothing before it is believed.
            let Some(ip) = address(hop.trim()) else {
                return client;
            };
            client = ip;
            if !self.hold(client) {
                return client;
            }
        }
        client
    }
}

/// An address, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let ip = text
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|a| a.ip()))
        .or_else(|_| text.trim_start_matches('[').trim_end_matches(']').parse())
        .ok()?;
    Some(ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};
    use ipnet::IpNet;

    use super::TrustedProxies;

    fn client(trusted: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let trusted: TrustedProxies = trusted.iter().map(|t| t.parse::<IpNet>().unwrap()).collect();
        let headers: HeaderMap = forwarded
            .iter()
            .map(|f| {
                (
                    HeaderName::from_static("x-forwarded-for"),
                    HeaderValue::from_str(f).unwrap(),
                )
            })
            .collect();
        trusted.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn nobody_is_believed_unless_the_operator_says_so() {
        assert_eq!(client(&[], "192.0.2.1:5", &["203.0.113.9"]), "192.0.2.1");
        assert_eq!(
            client(&["10.0.0.0/8"], "192.0.2.1:5", &["203.0.113.9"]),
            "192.0.2.1"
        );
    }

    #[test]
    fn behind_trusted_proxies_it_is_the_nearest_hop_that_is_not_one() {
        let trusted = ["10.0.0.0/8", "fd00::/8"];
        assert_eq!(client(&trusted, "10.1.2.3:5", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(
            client(&trusted, "10.1.2.3:5", &["198.51.100.1, 203.0.113.9, 10.9.9.9"]),
            "203.0.113.9"
        );
        assert_eq!(
            client(&trusted, "10.1.2.3:5", &["198.51.100.1", "203.0.113.9"]),
            "203.0.113.9"
        );
        assert_eq!(
            client(&trusted, "[::ffff:10.1.2.3]:5", &["203.0.113.9:4711"]),
            "203.0.113.9"
        );
        assert_eq!(
            client(&trusted, "[fd00::1]:5", &["[2001:db8::1]:80"]),
            "2001:db8::1"
        );
        assert_eq!(client(&trusted, "10.1.2.3:5", &[]), "10.1.2.3");
        assert_eq!(client(&trusted, "10.1.2.3:5", &["10.4.4.4"]), "10.4.4.4");
        assert_eq!(
            client(&trusted, "10.1.2.3:5", &["203.0.113.9, unknown"]),
            "10.1.2.3"
        );
        assert_eq!(
            client(&trusted, "10.1.2.3:5", &["203.0.113.9, x, 10.5.5.5"]),
            "10.5.5.5"
        );
        assert_eq!(
            client(&["0.0.0.0/0"], "10.1.2.3:5", &["203.0.113.9"]),
            "203.0.113.9"
        );
    }
}
