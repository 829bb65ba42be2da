//! Who asks, and whether they may.
//!
//! Responsible for what holds of every request: its Host is ours, its token is one of the configuration, a proxy is believed only where it
//! is trusted, and only what came straight from this machine counts as loopback. Not responsible for what is answered.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use url::Url;

use super::Shared;
use super::limits::Bucket;
use super::listen::Peer;
use super::problem::Problem;
use crate::config::{ServeSettings, ServeToken, TokenScope};
use crate::serve::site::Secrets;
use crate::serve::store::Store;
use crate::text::{inert, shorten};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A program with a token of the configuration.
    Token(Arc<ServeToken>),
    /// Somebody whom a trusted proxy names by their account.
    Account(String),
    /// Somebody on this machine, without a token: a reader without an account.
    Loopback,
    /// Anybody else.
    Nobody,
}

impl Principal {
    /// Whether a token of this scope was shown.
    pub(super) fn may(&self, scope: TokenScope) -> bool {
        matches!(self, Self::Token(token) if token.scopes.contains(&scope))
    }
}

/// The most bytes of a body.
const LARGEST: usize = 64 * 1024;

/// The header in which a trusted proxy sends its secret.
const PROXY_SECRET: HeaderName = HeaderName::from_static("phabgate-proxy-secret");

/// Who may ask what.
#[derive(Debug, Clone)]
pub struct Guard {
    /// The hosts by which the service is known, each with its port, in lower case.
    hosts: Vec<String>,
    proxies: Vec<IpAddr>,
    identity: Option<HeaderName>,
    proxy_secret: Option<[u8; 32]>,
    tokens: Vec<Arc<ServeToken>>,
    /// The account that whoever is on this machine has; only the sandbox has one.
    here: Option<String>,
}

/// What a request says of where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    principal: Principal,
    /// Whose requests are counted together.
    address: IpAddr,
}

/// Why a request is not answered.
enum Refused {
    Host,
    Token,
}

impl Guard {
    /// The guard of a service with these settings that listens there.
    pub fn new(settings: &ServeSettings, secrets: &Secrets, listen: SocketAddr) -> Self {
        let mut hosts = Vec::new();
        if let Some(host) = settings.url.as_ref().and_then(Url::host_str) {
            hosts.push(match settings.url.as_ref().and_then(Url::port) {
                Some(port) => format!("{host}:{port}"),
                None => host.to_owned(),
            });
        }
        let port = listen.port();
        hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{host}:{port}")));
        if !listen.ip().is_loopback() && !listen.ip().is_unspecified() {
            hosts.push(listen.to_string());
        }
        Self {
            hosts,
            proxies: settings.trusted_proxies.clone(),
            identity: settings.identity_header.as_ref().and_then(|name| name.parse().ok()),
            proxy_secret: secrets.proxy.as_ref().map(|secret| Sha256::digest(secret.expose_secret()).into()),
            tokens: settings.tokens.iter().cloned().map(Arc::new).collect(),
            here: None,
        }
    }

    /// The same where whoever is on this machine has this account: in the sandbox, whose tasks are nobody's secret.
    #[must_use]
    pub fn whoever_is_here_is(self, account: &str) -> Self {
        Self { here: Some(account.to_owned()), ..self }
    }

    /// Who asks.
    fn origin(&self, peer: Peer, headers: &HeaderMap) -> Result<Origin, Refused> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok()).filter(|_| hosts.next().is_none());
        // Any other Host is somebody's who makes a browser send the request here.
        let host = host.filter(|host| self.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host)));
        let host = host.ok_or(Refused::Host)?;
        let is_trusted = self.trusts(peer);
        let address = forwarded_for(headers).filter(|_| is_trusted).unwrap_or(peer.address());
        if headers.contains_key(header::AUTHORIZATION) {
            let token = bearer(headers).and_then(|token| self.token(token)).ok_or(Refused::Token)?;
            return Ok(Origin { principal: Principal::Token(token), address });
        }
        let principal = match self.account(headers).filter(|_| is_trusted) {
            Some(account) => Principal::Account(account),
            None if is_of_this_machine(peer, headers, host) => {
                self.here.clone().map_or(Principal::Loopback, Principal::Account)
            }
            None => Principal::Nobody,
        };
        Ok(Origin { principal, address })
    }

    /// A token of the configuration. What is compared are digests, from which nobody learns a token by the time that takes.
    fn token(&self, token: &str) -> Option<Arc<ServeToken>> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        self.tokens.iter().find(|known| known.sha256 == digest).cloned()
    }

    /// Whether it is a proxy that is believed. Who may open the socket is: its mode says who that is.
    fn trusts(&self, peer: Peer) -> bool {
        match peer {
            Peer::Address(address) => self.proxies.contains(&address),
            Peer::Socket => true,
        }
    }

    /// Why a request that names who looks is not believed, where it does.
    fn disbelief(&self, peer: Peer, headers: &HeaderMap) -> Option<&'static str> {
        let secret = headers.get(PROXY_SECRET)?.as_bytes();
        let digest: [u8; 32] = Sha256::digest(secret).into();
        let is_named = self.identity.as_ref().is_some_and(|name| headers.contains_key(name));
        match (self.trusts(peer), self.proxy_secret == Some(digest), is_named) {
            (false, ..) => Some("its address is not one of `serve.trusted_proxies`"),
            (_, false, _) => Some("its Phabgate-Proxy-Secret is not that of `serve.identity_secret`"),
            (.., false) => Some("it sends no header of the name in `serve.identity_header`"),
            (true, true, true) => None,
        }
    }

    /// The account that a proxy with the secret names.
    fn account(&self, headers: &HeaderMap) -> Option<String> {
        let secret = headers.get(PROXY_SECRET)?.as_bytes();
        let digest: [u8; 32] = Sha256::digest(secret).into();
        let mut names = headers.get_all(self.identity.as_ref()?).iter();
        let name = names.next().filter(|_| names.next().is_none())?.to_str().ok()?.trim();
        (self.proxy_secret == Some(digest) && !name.is_empty()).then(|| name.to_owned())
    }
}

/// What follows `Bearer` in the one header that there may be.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let only = all.next().filter(|_| all.next().is_none())?;
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

/// The last address that a chain of proxies names: the one that the nearest of them saw.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse().ok()
}

/// Whether a request came straight from this machine, through nothing that forwards.
fn is_of_this_machine(peer: Peer, headers: &HeaderMap, host: &str) -> bool {
    let forwarded = |name: &HeaderName| {
        *name == header::FORWARDED || *name == header::VIA || name.as_str().starts_with("x-forwarded-")
    };
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    matches!(peer, Peer::Address(address) if address.is_loopback())
        && !headers.keys().any(forwarded)
        && ["localhost", "127.0.0.1", "[::1]"].iter().any(|local| local.eq_ignore_ascii_case(name))
}

/// What holds of every request.
pub(super) async fn every_request<S: Store>(
    State(app): State<Shared<S>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let admitted = admit(&app, peer, &request);
    let mut response = match admitted {
        Ok(principal) => match whole(request).await {
            Ok(mut request) => {
                request.extensions_mut().insert(Arc::new(principal));
                next.run(request).await
            }
            Err(problem) => problem.into_response(),
        },
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// How long somebody may take to send a body.
const BODY: Duration = Duration::from_secs(10);

/// The request with its body, which is read here, within bounds of size and time.
async fn whole(request: Request) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    let read = tokio::time::timeout(BODY, axum::body::to_bytes(body, LARGEST)).await;
    let slow = |_| {
        let detail = format!("a body has to come within {} s", BODY.as_secs());
        Problem::new(StatusCode::REQUEST_TIMEOUT, "too slow", detail)
    };
    let long = |_| {
        let detail = format!("a body is {} KiB at most", LARGEST / 1024);
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too long, or broken off", detail)
    };
    let bytes = read.map_err(slow)?.map_err(long)?;
    Ok(Request::from_parts(parts, axum::body::Body::from(bytes)))
}

/// Who asks, where they may at all.
fn admit<S: Store>(app: &super::App<S>, peer: Peer, request: &Request) -> Result<Principal, Problem> {
    // What says nothing but that the process lives is answered to whoever asks, by whatever name.
    if request.uri().path() == "/healthz" {
        return Ok(Principal::Nobody);
    }
    let Origin { principal, address } = app.guard.origin(peer, request.headers()).map_err(|refused| match refused {
        Refused::Host => {
            let host = request.headers().get(header::HOST).map_or(&b""[..], HeaderValue::as_bytes);
            let host = inert(&shorten(&String::from_utf8_lossy(host), 80));
            let detail =
                format!("the Host `{host}` is not one of this service: it has to be that of `serve.url`, port and all");
            Problem::new(StatusCode::MISDIRECTED_REQUEST, "not this service", detail)
        }
        Refused::Token if app.limits.admits(&Bucket::Address(peer.address())) => {
            Problem::new(StatusCode::UNAUTHORIZED, "not signed in", "the token is none of this service's")
        }
        Refused::Token => Problem::too_many(),
    })?;
    if let Some(why) = app.guard.disbelief(peer, request.headers())
        && app.limits.admits_warning()
    {
        tracing::warn!("the proxy {peer} names who looks, and is not believed, so that nobody can look: {why}");
    }
    let path = request.uri().path();
    let is_open = matches!(path, "/healthz" | "/readyz" | "/hooks/phorge") || !is_for_programs(path);
    let bucket = match &principal {
        Principal::Token(token) => Bucket::Token(token.name.clone()),
        Principal::Account(account) => Bucket::Account(account.clone()),
        _ => Bucket::Address(address),
    };
    // The webhook counts what is not signed, and nothing else. Whoever watches the watch on its machine is never shut out by others there.
    let is_free = matches!(path, "/hooks/phorge" | "/readyz") || path == "/metrics" && principal == Principal::Loopback;
    if !is_free && !app.limits.admits(&bucket) {
        return Err(Problem::too_many());
    }
    let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
    let may = match &principal {
        Principal::Token(_) => true,
        Principal::Loopback => is_open || is_get,
        Principal::Account(account) => is_open || is_get && app.guard.here.as_ref() == Some(account),
        Principal::Nobody => is_open,
    };
    match may {
        true => Ok(principal),
        false => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "not signed in",
            "send `Authorization: Bearer TOKEN`, with a token that `phabgate token new` made",
        )),
    }
}

fn is_for_programs(path: &str) -> bool {
    path == "/metrics" || path == "/v1" || path.starts_with("/v1/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "a-token";

    fn guard() -> Guard {
        let settings = ServeSettings {
            url: Some("https://watch.example/".parse().unwrap()),
            trusted_proxies: vec!["10.0.0.1".parse().unwrap()],
            identity_header: Some("x-remote-user".into()),
            tokens: vec![ServeToken {
                name: "reader".into(),
                sha256: Sha256::digest(TOKEN).into(),
                scopes: vec![TokenScope::Read],
                deployers: vec![],
                people: vec![],
            }],
            ..ServeSettings::default()
        };
        let secrets = Secrets { proxy: Some("s3cret".into()), ..Secrets::default() };
        Guard::new(&settings, &secrets, "127.0.0.1:8471".parse().unwrap())
    }

    /// `socket`, or an address.
    fn peer_of(peer: &str) -> Peer {
        peer.parse().map_or(Peer::Socket, Peer::Address)
    }

    fn principal(peer: &str, headers: &[(&'static str, &str)]) -> Option<Principal> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect();
        guard().origin(peer_of(peer), &headers).ok().map(|origin| origin.principal)
    }

    #[test]
    fn only_our_own_hosts_are_answered() {
        for host in ["watch.example", "WATCH.example", "127.0.0.1:8471", "localhost:8471", "[::1]:8471"] {
            assert!(principal("10.9.9.9", &[("host", host)]).is_some(), "{host}");
        }
        for host in ["evil.example", "watch.example:8471", "localhost", "127.0.0.1", "watch.example.evil.example", ""] {
            assert!(principal("127.0.0.1", &[("host", host)]).is_none(), "{host}");
        }
        assert!(principal("127.0.0.1", &[]).is_none());
        assert!(principal("127.0.0.1", &[("host", "localhost:8471"), ("host", "localhost:8471")]).is_none());
    }

    #[test]
    fn what_came_through_something_is_not_loopback() {
        for (peer, host) in [("127.0.0.1", "localhost:8471"), ("::1", "[::1]:8471")] {
            assert_eq!(principal(peer, &[("host", host)]), Some(Principal::Loopback));
        }
        assert_eq!(principal("127.0.0.1", &[("host", "watch.example")]), Some(Principal::Nobody));
        assert_eq!(principal("10.9.9.9", &[("host", "localhost:8471")]), Some(Principal::Nobody));
        assert_eq!(principal("socket", &[("host", "localhost:8471")]), Some(Principal::Nobody));
        for name in ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-anything"] {
            let asked = principal("127.0.0.1", &[("host", "localhost:8471"), (name, "127.0.0.1")]);
            assert_eq!(asked, Some(Principal::Nobody), "{name}");
        }
    }

    #[test]
    fn an_account_is_believed_of_a_trusted_proxy_with_its_secret_alone() {
        let host = ("host", "watch.example");
        let named = [host, ("x-remote-user", "sre1"), ("phabgate-proxy-secret", "s3cret")];
        assert_eq!(principal("10.0.0.1", &named), Some(Principal::Account("sre1".into())));
        assert_eq!(principal("socket", &named), Some(Principal::Account("sre1".into())));
        assert_eq!(principal("10.0.0.2", &named), Some(Principal::Nobody), "another proxy");
        let wrong = [host, ("x-remote-user", "sre1"), ("phabgate-proxy-secret", "secret")];
        assert_eq!(principal("10.0.0.1", &wrong), Some(Principal::Nobody));
        assert_eq!(principal("10.0.0.1", &named[..2]), Some(Principal::Nobody));
        assert_eq!(principal("socket", &named[..2]), Some(Principal::Nobody));
        let disbelief = |peer: &str, headers: &[(&'static str, &str)]| {
            let value = |value: &str| HeaderValue::from_str(value).unwrap();
            let headers = headers.iter().map(|(name, text)| (HeaderName::from_static(name), value(text))).collect();
            guard().disbelief(peer_of(peer), &headers)
        };
        assert_eq!(disbelief("10.0.0.1", &named), None);
        assert_eq!(disbelief("10.0.0.1", &[host]), None);
        assert!(disbelief("10.0.0.2", &named).unwrap().contains("trusted_proxies"));
        assert!(disbelief("10.0.0.1", &wrong).unwrap().contains("identity_secret"));
        assert!(disbelief("10.0.0.1", &[host, named[2]]).unwrap().contains("identity_header"));
        // On this machine too, whoever claims to be somebody without the secret is nobody in particular.
        let local = [("host", "localhost:8471"), ("x-remote-user", "sre1"), ("phabgate-proxy-secret", "s3cret")];
        assert_eq!(principal("127.0.0.1", &local), Some(Principal::Loopback));
    }

    #[test]
    fn a_token_is_one_of_the_configuration_or_the_request_is_refused() {
        let host = ("host", "watch.example");
        let with = |value: &str| principal("10.9.9.9", &[host, ("authorization", value)]);
        assert!(matches!(with("Bearer a-token"), Some(Principal::Token(token)) if token.name == "reader"));
        assert!(matches!(with("bearer  a-token"), Some(Principal::Token(_))));
        for wrong in ["Bearer b-token", "Bearer ", "Basic a-token", "a-token", ""] {
            assert_eq!(with(wrong), None, "{wrong:?}");
        }
        // Two of them are no one.
        let two = [host, ("authorization", "Bearer a-token"), ("authorization", "Bearer a-token")];
        assert_eq!(principal("10.9.9.9", &two), None);
    }
}
