//! Which URLs and hosts are of this machine.
//!
//! Responsible for that question alone: whether a token may go without TLS, a proxy is passed over, or a settle time may be
//! short, hangs on it. Not responsible for what follows.

use std::net::IpAddr;

use url::{Host, Url};

/// Whether the URL is on this machine by its very name: `localhost`, `*.localhost`, 127/8 or `::1`.
///
/// Nothing is resolved: a name that happens to resolve to loopback is none.
pub fn is_loopback(url: &Url) -> bool {
    url.host().is_some_and(|host| host_is_loopback(&host))
}

/// The same of a host alone.
pub fn host_is_loopback<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.as_ref();
            let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
        Host::Ipv4(address) => IpAddr::from(*address).is_loopback(),
        Host::Ipv6(address) => IpAddr::from(*address).is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known_by_its_name() {
        for text in [
            "http://localhost/",
            "http://LOCALHOST:8480",
            "http://phorge.localhost:8480/",
            "http://localhost./",
            "http://127.0.0.1:1/",
            "http://127.255.0.3/",
            "http://[::1]:80/",
            "http://0x7f.1/",
        ] {
            assert!(is_loopback(&text.parse().unwrap()), "{text}");
        }
        for text in [
            "http://localhost.example/",
            "http://notlocalhost/",
            "http://128.0.0.1/",
            "http://[::2]/",
            "http://[::ffff:127.0.0.1]/",
            "http://0.0.0.0/",
            "http://127.0.0.1.example/",
        ] {
            assert!(!is_loopback(&text.parse().unwrap()), "{text}");
        }
    }
}
