//! Whose address a request comes from.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};

use crate::config::SecuritySettings;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address: the peer's, or if that is a trusted proxy, the rightmost address in `X-Forwarded-For`
/// that is not one. Everything left of it could have been written by the client itself.
#[must_use]
pub fn client_ip(peer: IpAddr, headers: &HeaderMap, settings: &SecuritySettings) -> IpAddr {
    let mut client = peer.to_canonical();
    if !settings.trusts(client) {
        return client;
    }
    for value in headers.get_all(X_FORWARDED_FOR).iter().rev() {
        for hop in value.as_bytes().rsplit(|byte| *byte == b',') {
            let Some(address) = parse(hop) else {
                return client;
            };
            client = address;
            if !settings.trusts(client) {
                return client;
            }
        }
    }
    client
}

/// An address, with or without a port.
fn parse(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let address = text
        .parse()
        .or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()))
        .ok()?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn seen(peer: &str, forwarded: &[&str]) -> String {
        let mut settings = testing::settings().security;
        settings.trusted_proxies = vec!["10.0.0.0/8".parse().expect("a net")];
        let headers = forwarded
            .iter()
            .map(|value| (X_FORWARDED_FOR, value.parse().expect("a header value")))
            .collect();
        client_ip(peer.parse().expect("an address"), &headers, &settings).to_string()
    }

    #[test]
    fn believes_trusted_proxies_only() {
        for (peer, forwarded, expected) in [
            ("203.0.113.9", &["198.51.100.1"][..], "203.0.113.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.1:4711"], "198.51.100.1"),
            ("10.0.0.1", &["[2001:db8::1]:80"], "2001:db8::1"),
            ("10.0.0.1", &["198.51.100.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ] {
            assert_eq!(seen(peer, forwarded), expected, "{peer} {forwarded:?}");
        }
    }
}
