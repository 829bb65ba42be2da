//! What `doctor` reads of the watch, and what `serve` reads of its tokens before it starts.
//!
//! Responsible for the reading. Not responsible for the checks ([`crate::doctor::watch`]).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use url::Url;

use super::session::Session;
use crate::conduit::is_loopback;
use crate::config::{ServeSettings, ServeToken, TokenScope};
use crate::doctor;
use crate::doctor::untried::Untried;
use crate::doctor::watch::{Counts, DeployToken, Outside, Watch};
use crate::watch_client;

/// How long an answer of the watch may take.
const ANSWER: Duration = Duration::from_secs(5);

/// The tokens of the configuration that deploy.
pub(super) fn deploy_tokens(settings: &ServeSettings) -> Vec<DeployToken> {
    let deploy = settings.tokens.iter().filter(|token| token.scopes.contains(&TokenScope::Deploy));
    let behind = |token: &ServeToken| {
        let mut behind: Vec<String> = token.behind().collect();
        behind.sort_unstable();
        behind.dedup();
        behind
    };
    deploy.map(|token| DeployToken { name: token.name.clone(), behind: behind(token) }).collect()
}

/// How the watch looks from outside; `None` where nothing of it is set.
pub(super) async fn read(session: &Session) -> Option<Watch> {
    let settings = &session.settings.serve;
    if *settings == ServeSettings::default() {
        return None;
    }
    // At an address of this machine whoever asks is one of this machine, who may look.
    let url = settings.url.as_ref().filter(|url| !is_loopback(url));
    let page = match url {
        Some(_) if session.is_sandbox() => Some(Err(Untried::ELSEWHERE)),
        Some(url) => {
            let (page, ready) = tokio::join!(get(session, url, ""), get(session, url, "readyz"));
            let is_watch = |body: &[u8]| body == b"ready\n" || body.starts_with(b"{\"status\":503,");
            let ready = ready.map(|answer| (answer.status, is_watch(&answer.body)));
            Some(Ok((url.to_string(), Outside { page: page.map(|answer| answer.status), ready })))
        }
        None => None,
    };
    let address = reached(settings.listen);
    let counts = match Url::parse(&format!("http://{address}/")) {
        Ok(url) if is_loopback(&url) => Some((address.to_string(), counts(session, &url).await)),
        _ => None,
    };
    let (tokens, viewers) = (deploy_tokens(settings), settings.viewers.clone());
    let named = doctor::watch::named(&tokens, &viewers);
    let known = match named.is_empty() {
        true => None,
        false => Some(session.timed_client().users_named(&named).await),
    };
    Some(Watch { tokens, viewers, known, page, counts, has_webhook: settings.webhook_keys.is_some() })
}

async fn get(session: &Session, url: &Url, path: &str) -> Result<watch_client::Answer, String> {
    let (http, route) = (&session.settings.http, &session.settings.route);
    let watch = watch_client::Watch::new(url, None, http.connect, ANSWER, route).map_err(|error| error.to_string())?;
    watch.get(path).await
}

async fn counts(session: &Session, url: &Url) -> Result<Counts, String> {
    let answer = get(session, url, "metrics").await?;
    let page = String::from_utf8_lossy(&answer.body);
    Counts::of_page(&page).ok_or_else(|| format!("the status {}, and no counters of a watch", answer.status))
}

/// Where what listens at an address is reached on this machine.
fn reached(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
