//! Who asks, and whether they may.
//!
//! Responsible for what holds of every request: its Host is ours, a token is one of the configuration, and only what came straight from
//! this machine counts as loopback. Not responsible for what is answered.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use url::Url;

use super::Shared;
use super::problem::Problem;
use crate::serve::store::Store;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// Somebody on this machine, without a token: a reader without an account.
    Loopback,
    /// Anybody else without a token.
    Nobody,
}

/// Who may ask what.
#[derive(Debug, Clone)]
pub struct Guard {
    /// The hosts by which the service is known, each with its port, in lower case.
    hosts: Vec<String>,
}

/// Headers that whatever stands before the service adds: what bears one did not come straight from this machine.
const FORWARDED: [HeaderName; 2] = [header::FORWARDED, header::VIA];

impl Guard {
    /// The guard of a service that is known by this URL, or listens there.
    pub fn new(url: Option<&Url>, listen: SocketAddr) -> Self {
        let mut hosts = Vec::new();
        if let Some(host) = url.and_then(Url::host_str) {
            hosts.push(match url.and_then(Url::port) {
                Some(port) => format!("{host}:{port}"),
                None => host.to_owned(),
            });
        }
        let port = listen.port();
        hosts.extend(["localhost", "127.0.0.1", "[::1]"].into_iter().flat_map(|host| [format!("{host}:{port}")]));
        if !listen.ip().is_loopback() && !listen.ip().is_unspecified() {
            hosts.push(listen.to_string());
        }
        Self { hosts }
    }

    /// Whether a request is meant for us: any other Host is somebody's who makes a browser send it here.
    fn is_ours(&self, host: Option<&str>) -> bool {
        host.is_some_and(|host| self.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host)))
    }

    /// Whether it came straight from this machine.
    fn is_loopback(peer: IpAddr, headers: &HeaderMap, host: Option<&str>) -> bool {
        let forwarded = |name: &HeaderName| FORWARDED.contains(name) || name.as_str().starts_with("x-forwarded-");
        let name = host.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
        peer.is_loopback()
            && !headers.keys().any(forwarded)
            && name.is_some_and(|name| ["localhost", "127.0.0.1", "[::1]"].contains(&name))
    }
}

/// What holds of every request.
pub(super) async fn every_request<S: Store>(
    State(app): State<Shared<S>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    if !app.guard.is_ours(host) {
        let detail = "the Host of the request is not that of this service (`serve.url`)";
        return Problem::new(StatusCode::MISDIRECTED_REQUEST, "not this service", detail).into_response();
    }
    let asker = match Guard::is_loopback(peer.ip(), request.headers(), host) {
        true => Asker::Loopback,
        false => Asker::Nobody,
    };
    request.extensions_mut().insert(Arc::new(asker));
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard::new(Some(&"https://watch.example/".parse().unwrap()), "127.0.0.1:8471".parse().unwrap())
    }

    #[test]
    fn only_our_own_hosts_are_answered() {
        for host in ["watch.example", "WATCH.example", "127.0.0.1:8471", "localhost:8471", "[::1]:8471"] {
            assert!(guard().is_ours(Some(host)), "{host}");
        }
        for host in ["evil.example", "watch.example:8471", "localhost", "127.0.0.1", "watch.example.evil.example", ""] {
            assert!(!guard().is_ours(Some(host)), "{host}");
        }
        assert!(!guard().is_ours(None));
    }

    #[test]
    fn what_came_through_something_is_not_loopback() {
        let here = |headers: &[(&'static str, &'static str)], peer: &str, host: &str| {
            let headers = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect();
            Guard::is_loopback(peer.parse().unwrap(), &headers, Some(host))
        };
        assert!(here(&[], "127.0.0.1", "localhost:8471") && here(&[], "::1", "[::1]:8471"));
        assert!(!here(&[], "127.0.0.1", "watch.example"));
        assert!(!here(&[], "10.0.0.1", "localhost:8471"));
        for name in ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-anything"] {
            assert!(!here(&[(name, "127.0.0.1")], "127.0.0.1", "localhost:8471"), "{name}");
        }
    }
}
