//! Where a request came from. `X-Forwarded-For` is written by whoever likes to: it is believed only as far as it was
//! written by a proxy that the operator named.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::HeaderMap;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// Networks of proxies whose `X-Forwarded-For` is believed; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

/// An address, or the addresses that share its first bits (`10.0.0.0/8`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u32,
}

/// A text that is no address and no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address such as 10.0.0.7 or a network such as 10.0.0.0/8")]
pub struct InvalidNetwork(String);

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let invalid = || InvalidNetwork(text.to_owned());
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            None => all,
            Some(bits) if bits.bytes().all(|b| b.is_ascii_digit()) => bits.parse().map_err(|_| invalid())?,
            Some(_) => return Err(invalid()),
        };
        (prefix_bits <= all)
            .then_some(Self { address, prefix_bits })
            .ok_or_else(invalid)
    }
}

impl Network {
    fn holds(self, ip: IpAddr) -> bool {
        let (difference, bits) = match (self.address, ip) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => (
                u128::from(ours.to_bits() ^ theirs.to_bits()) << 96,
                self.prefix_bits,
            ),
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => (ours.to_bits() ^ theirs.to_bits(), self.prefix_bits),
            _ => return false,
        };
        difference.leading_zeros() >= bits
    }
}

impl FromIterator<Network> for TrustedProxies {
    fn from_iter<T: IntoIterator<Item = Network>>(networks: T) -> Self {
        Self(networks.into_iter().collect())
    }
}

impl TrustedProxies {
    fn hold(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|network| network.holds(ip))
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

    use super::{Network, TrustedProxies};

    fn client(trusted: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let trusted: TrustedProxies = trusted.iter().map(|t| t.parse::<Network>().unwrap()).collect();
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
    }

    #[test]
    fn networks_are_read_strictly() {
        for text in [
            "10.0.0.7",
            "10.0.0.0/8",
            "0.0.0.0/0",
            "::1",
            "2001:db8::/32",
            "::/0",
        ] {
            assert!(text.parse::<Network>().is_ok(), "{text}");
        }
        for text in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0",
            "proxy.example",
            "10.0.0.0/-1",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        assert_eq!(
            client(&["0.0.0.0/0"], "10.1.2.3:5", &["203.0.113.9"]),
            "203.0.113.9"
        );
    }
}
