//! A watch (`phabgate serve`) as a client asks it.
//!
//! Responsible for asking within bounds; beside it are what is learnt from it and what is said to it. What it says of a task is believed by
//! nobody: it only says when to read. Not responsible for the reading ([`crate::gate`]), for where the token is kept ([`crate::host`]),
//! nor for the watch itself.

mod changes;
mod onlookers;

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, ETAG, HeaderValue, IF_NONE_MATCH};
use reqwest::{Method, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

pub use self::changes::TaskChanges;
pub use self::onlookers::WatchOnlookers;
use crate::conduit::{ClientError, Route, connection, root_cause};
use crate::text::{inert, shorten};

/// The largest answer that is read.
const LARGEST: usize = 1 << 20;
/// How much of what a watch says of itself is shown.
const SHOWN: usize = 80;

/// Where a watch answers, and as whom it is asked.
#[derive(Clone)]
pub struct Watch {
    http: reqwest::Client,
    url: Url,
    token: Option<SecretString>,
    timeout: Duration,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

/// Whether the watch asks people in a channel now: the header of `/healthz`, `yes` or `no`.
pub const ASKS: &str = "phabgate-asks";

/// Whether it has asked for the task that `/healthz?task=T1` names: another header of it, `yes` or `no`.
pub const ASKED: &str = "phabgate-asked";

/// What a watch answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Whether it asks people in a channel now; `None` where what answered does not say so.
    pub asks: Option<bool>,
    /// Whether it has asked them for the task that was named; `None` where what answered does not say so.
    pub asked: Option<bool>,
    /// What it is known by.
    tag: Option<HeaderValue>,
    /// All of it.
    pub body: Vec<u8>,
}

impl Watch {
    /// Prepares to ask the watch at `url`.
    ///
    /// # Errors
    /// Where the proxy or the certificate authorities of the route cannot be used.
    pub fn new(
        url: &Url,
        token: Option<SecretString>,
        connect: Duration,
        timeout: Duration,
        route: &Route,
    ) -> Result<Self, ClientError> {
        Ok(Self { http: connection(url, connect, route)?, url: url.clone(), token, timeout })
    }

    /// What stands at a path of it.
    ///
    /// # Errors
    /// Why nothing came, in words.
    pub async fn get(&self, path: &str) -> Result<Answer, String> {
        self.ask(path, None, Duration::ZERO).await
    }

    /// Whether it is asked with a token.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    async fn ask(&self, path: &str, known: Option<&HeaderValue>, hold: Duration) -> Result<Answer, String> {
        let mut request = self.request(Method::GET, path)?;
        if let Some(known) = known {
            request = request.header(IF_NONE_MATCH, known);
        }
        self.send(request, hold).await
    }

    /// Says something to it.
    async fn say(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, String> {
        let mut request = self.request(method, path)?;
        if let Some(body) = body {
            request = request.json(body);
        }
        self.send(request, Duration::ZERO).await
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, String> {
        let mut request = self.http.request(method, self.url.join(path).map_err(|error| error.to_string())?);
        if let Some(token) = &self.token {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
                .map_err(|error| error.to_string())?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        Ok(request)
    }

    async fn send(&self, request: RequestBuilder, hold: Duration) -> Result<Answer, String> {
        let broken = |error: reqwest::Error| root_cause(&error);
        let asked = async {
            let mut response = request.send().await.map_err(broken)?;
            let (status, tag) = (response.status().as_u16(), response.headers().get(ETAG).cloned());
            let says = |name| response.headers().get(name).map(|said| said == "yes");
            let (asks, asked) = (says(ASKS), says(ASKED));
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(broken)? {
                if body.len() + chunk.len() > LARGEST {
                    return Err(format!("its answer is larger than {LARGEST} bytes"));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Answer { status, asks, asked, tag, body })
        };
        tokio::time::timeout(self.timeout + hold, asked)
            .await
            .unwrap_or_else(|_| Err("no answer came in time".to_owned()))
    }
}

/// A text of a watch, as it is shown.
fn shown(text: &str) -> String {
    inert(&shorten(text, SHOWN))
}
