//! How a server is reached over HTTP: whose certificates count, which proxy leads there, and that no redirect is followed.
//!
//! Responsible for that, for Conduit and for whatever else the gate asks. Not responsible for what is sent and what comes back.

use std::time::Duration;

use url::{Host, Url};

use super::loopback::is_loopback;
use super::route::Route;
use super::unreached::{SystemResolver, root_cause};

/// Makes ring the cryptography behind TLS in this process, unless another was chosen before. It is the smallest one to build.
pub(super) fn choose_cryptography() {
    use rustls::crypto::{CryptoProvider, ring};
    if CryptoProvider::get_default().is_none() {
        // where another thread was faster, its choice is the same
        let _ = ring::default_provider().install_default();
    }
}

/// A client that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("could not prepare the connection to {url}: {why}")]
pub struct ClientError {
    /// The server.
    url: String,
    /// Why.
    why: String,
}

/// Prepares connections to the server at `base`: without redirects, without trying again, with TLS but on loopback.
///
/// # Errors
/// Where the proxy or the certificate authorities of the route cannot be used.
pub fn connection(base: &Url, connect: Duration, route: &Route) -> Result<reqwest::Client, ClientError> {
    choose_cryptography();
    let loopback = is_loopback(base);
    let proxy = route.proxy_to(base);
    let mut http = reqwest::Client::builder()
        .user_agent(concat!("phabgate/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(connect)
        .https_only(!loopback);
    let prepared = |why| ClientError { url: base.to_string(), why };
    if base.scheme() == "http" {
        // Only loopback is. The roots of the system are never asked about it, and reading them costs milliseconds.
        http = http.no_proxy().tls_certs_only([]);
    } else {
        http = route.apply(http, proxy).map_err(prepared)?.dns_resolver(SystemResolver);
    }
    if loopback && let Some(Host::Domain(name)) = base.host() {
        let port = base.port_or_known_default().unwrap_or(80);
        let addresses = [([127, 0, 0, 1], port).into(), (std::net::Ipv6Addr::LOCALHOST, port).into()];
        http = http.resolve_to_addrs(name, &addresses);
    }
    http.build().map_err(|error| prepared(root_cause(&error)))
}
