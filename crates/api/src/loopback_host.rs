//! Whether a request is addressed to this machine by name.
//!
//! Where nobody is asked who they are, the loopback address is the only guard, and a browser on the machine is behind
//! it. A web page whose name is made to lead to 127.0.0.1 (DNS rebinding) reaches us as its own origin and could read
//! the answers; but its requests still carry its name.

use std::net::IpAddr;

use http::Request;
use http::header::HOST;
use http::uri::Authority;

/// Whether every name the request is addressed to, and there is one, is one of this machine's loopback names. The
/// port is not looked at: a tunnel or a published port of a container has another.
pub(crate) fn is_for_loopback<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let in_header = Authority::try_from(host.as_bytes());
    // `GET http://host/path`: the target then has the last word (RFC 9112, 3.2.2), and nobody honest lets them differ.
    let in_target = request.uri().authority();
    in_header.is_ok_and(|host| is_loopback(&host)) && in_target.is_none_or(is_loopback)
}

fn is_loopback(authority: &Authority) -> bool {
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host();
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
        .parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::is_for_loopback;

    fn request(target: &str, hosts: &[&str]) -> Request<()> {
        let mut request = Request::builder().uri(target);
        for host in hosts {
            request = request.header("host", *host);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn the_names_of_this_machine_are_taken_with_any_port() {
        for host in [
            "localhost",
            "LocalHost:8080",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.8.8.8",
            "[::1]",
            "[::1]:8080",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(is_for_loopback(&request("/admin/tx/a", &[host])), "{host}");
        }
        assert!(is_for_loopback(&request(
            "http://localhost:1/admin/tx/a",
            &["localhost:1"]
        )));
    }

    #[test]
    fn any_other_name_two_names_and_no_name_are_not() {
        for hosts in [
            &["attacker.example"] as &[&str],
            &["attacker.example:8080"],
            &["localhost.attacker.example"],
            &["127.0.0.1.attacker.example"],
            &["localhost@attacker.example"],
            &["attacker.example@localhost"],
            &["10.0.0.1"],
            &["0.0.0.0"],
            &["[::]"],
            &["[fe80::1]"],
            &[""],
            &[" "],
            &[],
            &["localhost", "localhost"],
            &["localhost", "attacker.example"],
        ] {
            assert!(!is_for_loopback(&request("/admin/tx/a", hosts)), "{hosts:?}");
        }
        let both = request("http://attacker.example/admin/tx/a", &["localhost"]);
        assert!(!is_for_loopback(&both));
    }
}
