//! One call over HTTP: the typed form of parameters, the reply read within bounds and distinguished from what is not
//! Conduit.
//!
//! Responsible for sending, reading, classifying, redacting. Not responsible for trying again and what a reply means.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::time::Instant;
use url::Url;

use super::connection::{ClientError, connection};
use super::error::{ConduitError, Failure, misshapen};
use super::head::ResponseHead;
use super::pace::AdaptiveConcurrency;
use super::proxy_door::ProxyDoor;
use super::refusals::Refusals;
use super::route::Route;
use super::unreached::{Unreached, root_cause};
use crate::secrets;

/// No right reply is larger; the largest is a page of 1,000 transactions.
const REPLY_LIMIT: usize = 32 << 20;

/// For a reply that says to be so large there is room before it comes; what is larger has to come first.
const LIKELY: usize = 4 << 20;

/// The most bytes that one command reads in all, but for an audit.
const COMMAND_LIMIT: usize = 512 << 20;
/// The most bytes that an audit reads in all.
const AUDIT_LIMIT: usize = 16 << 30;

/// What may still be read.
#[derive(Debug)]
struct Budget {
    limit: usize,
    read: AtomicUsize,
}

impl Budget {
    fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, read: AtomicUsize::new(0) })
    }

    /// Counts bytes that came.
    fn spend(&self, bytes: usize) -> Result<(), Failure> {
        let before = self.read.fetch_add(bytes, Ordering::Relaxed);
        match before.saturating_add(bytes) > self.limit {
            true => Err(Failure::TooMuch { what: "all that the server answered", limit: self.limit }),
            false => Ok(()),
        }
    }
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To be connected.
    pub connect: Duration,
    /// For one call, from connecting to the last byte of the reply.
    pub call: Duration,
}

/// One account's way to one server. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Arc<Url>,
    token: Option<Arc<SecretString>>,
    timeouts: Timeouts,
    deadline: Option<Instant>,
    pace: Option<Arc<AdaptiveConcurrency>>,
    budget: Arc<Budget>,
    refusals: Arc<Refusals>,
    /// The proxy that the way leads through, as it is named to people.
    proxy: Option<Arc<str>>,
    /// What keeps a wrong password from being tried again and again.
    door: Option<Arc<ProxyDoor>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// What a call returned, and when the server said it.
#[derive(Debug, Clone)]
pub struct Reply<T> {
    /// The `result` of Conduit's envelope.
    pub result: T,
    /// The server's clock, in whole seconds, from the header `Date`.
    pub date: Option<Timestamp>,
}

impl Client {
    /// Prepares calls to the server at `base` with this token, or without one where the method needs none.
    ///
    /// # Errors
    /// Where the proxy or the certificate authorities of the route cannot be used.
    pub fn new(
        base: &Url,
        token: Option<SecretString>,
        timeouts: Timeouts,
        route: &Route,
    ) -> Result<Self, ClientError> {
        let http = connection(base, timeouts.connect, route)?;
        let proxy = route.proxy_to(base);
        Ok(Self {
            http,
            base: Arc::new(base.clone()),
            token: token.map(Arc::new),
            timeouts,
            deadline: None,
            pace: None,
            budget: Budget::new(COMMAND_LIMIT),
            refusals: Arc::default(),
            proxy: proxy.map(|proxy| proxy.to_string().into()),
            door: proxy.filter(|proxy| proxy.has_credentials()).map(|_| Arc::default()),
        })
    }

    /// The same client, for work that has to be done within `limit` from now. How much it may read is counted anew.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        // A limit beyond what the clock can count is none.
        Self { deadline: Instant::now().checked_add(limit), budget: Budget::new(COMMAND_LIMIT), ..self.clone() }
    }

    /// The same client, for much reading: `most` calls at once at most, fewer where the server has too much to do.
    #[must_use]
    pub fn paced(&self, most: usize) -> Self {
        Self { pace: Some(Arc::new(AdaptiveConcurrency::new(most))), budget: Budget::new(AUDIT_LIMIT), ..self.clone() }
    }

    /// The same client, with what is remembered of this server from earlier commands.
    #[must_use]
    pub fn remembering(&self, refusals: Refusals) -> Self {
        Self { refusals: Arc::new(refusals), ..self.clone() }
    }

    /// What the server was found to refuse.
    pub(super) fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    pub(super) fn pace(&self) -> Option<&AdaptiveConcurrency> {
        self.pace.as_deref()
    }

    /// The same way to the same server for the account of another token.
    #[must_use]
    pub fn with_token(&self, token: SecretString) -> Self {
        Self { token: Some(Arc::new(token)), ..self.clone() }
    }

    /// The base URL of the server.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// When the work that this client is for has to be done.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Makes one call, once.
    ///
    /// # Errors
    /// Where the answer is anything but a result of the type asked for.
    pub async fn call_once<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &Map<String, Value>,
    ) -> Result<Reply<T>, ConduitError> {
        Ok(self.call_whole(method, params).await?.0)
    }

    /// The same, and the reply as it came.
    pub(super) async fn call_whole<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &Map<String, Value>,
    ) -> Result<(Reply<T>, Vec<u8>), ConduitError> {
        let fail = |kind| ConduitError::new(method, kind);
        let limit = match self.deadline {
            Some(deadline) => self.timeouts.call.min(deadline.saturating_duration_since(Instant::now())),
            None => self.timeouts.call,
        };
        if limit.is_zero() {
            return Err(fail(Failure::OutOfTime));
        }
        let begun = Instant::now();
        let reply = match tokio::time::timeout(limit, self.exchange(method, params)).await {
            Ok(reply) => reply.map_err(fail),
            Err(_) => Err(fail(Failure::TimedOut(limit))),
        };
        match &reply {
            Ok((bytes, _)) => tracing::debug!(method, ms = begun.elapsed().as_millis(), bytes = bytes.len(), "call"),
            Err(error) => tracing::debug!(method, ms = begun.elapsed().as_millis(), %error, "call failed"),
        }
        let (body, head) = reply?;
        Ok((self.understand(&body, &head).map_err(fail)?, body))
    }

    async fn exchange(&self, method: &str, params: &Map<String, Value>) -> Result<(Vec<u8>, ResponseHead), Failure> {
        let parameters = CallParameters { token: self.token.as_deref(), params };
        let asked =
            serde_json::to_string(&parameters).map_err(|error| Failure::Broken(self.redact(&error.to_string())))?;
        let form = [("params", asked.as_str()), ("output", "json")];
        let url = format!("{}/api/{method}", self.base.as_str().trim_end_matches('/'));
        let send = async { self.http.post(url).form(&form).send().await.map_err(|error| self.broken(&error)) };
        let mut response = match &self.door {
            Some(door) => door.pass(send).await?,
            None => send.await?,
        };
        let head = ResponseHead::of(response.status().as_u16(), response.headers());
        let length = response.content_length().and_then(|length| usize::try_from(length).ok());
        let mut body = Vec::with_capacity(length.unwrap_or_default().min(LIKELY));
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(&error))? {
            if body.len() + chunk.len() > REPLY_LIMIT {
                return Err(Failure::TooLarge { limit: REPLY_LIMIT });
            }
            self.budget.spend(chunk.len())?;
            body.extend_from_slice(&chunk);
        }
        Ok((body, head))
    }

    fn broken(&self, error: &reqwest::Error) -> Failure {
        match error.is_connect() {
            true => Failure::NoConnection(Unreached::of(error, self.proxy.as_deref().map(str::to_owned))),
            false => Failure::Broken(self.redact(&root_cause(error))),
        }
    }

    fn understand<T: DeserializeOwned>(&self, body: &[u8], head: &ResponseHead) -> Result<Reply<T>, Failure> {
        match head.status {
            429 => return Err(Failure::RateLimited { retry_after: head.retry_after }),
            300..=399 => {
                return Err(Failure::Redirected { to: head.location.clone().unwrap_or_else(|| "nowhere".into()) });
            }
            500..=599 => {
                return Err(Failure::Unavailable {
                    status: head.status,
                    retry_after: head.retry_after,
                    what: self.describe(body, head),
                });
            }
            _ => {}
        }
        // At once what it most often is; only what is no such result is looked at again to find out why.
        if head.status == 200
            && let Ok(text) = std::str::from_utf8(body)
            && let Ok(Envelope { result: Some(result), error_code: None, .. }) = serde_json::from_str(text)
        {
            return Ok(Reply { result, date: head.date });
        }
        let not_conduit = || Failure::NotConduit { status: head.status, what: self.describe(body, head) };
        let envelope: Envelope<&RawValue> = serde_json::from_slice(body).map_err(|_| not_conduit())?;
        if let Some(code) = envelope.error_code {
            let info = envelope.error_info.unwrap_or_default();
            return Err(Failure::Refused { code: self.redact(&code), info: self.redact(&info) });
        }
        let Some(result) = envelope.result.filter(|_| head.status == 200) else { return Err(not_conduit()) };
        let result =
            serde_json::from_str(result.get()).map_err(|error| Failure::Unexpected(self.redact(&misshapen(&error))))?;
        Ok(Reply { result, date: head.date })
    }

    /// Says what a body is that is not Conduit's JSON.
    fn describe(&self, body: &[u8], head: &ResponseHead) -> String {
        let text = String::from_utf8_lossy(&body[..body.len().min(64 << 10)]);
        let lower = text.to_ascii_lowercase();
        let heading = ["title", "h1"].iter().find_map(|tag| {
            let from = lower.find(&format!("<{tag}>"))? + tag.len() + 2;
            let to = lower[from..].find(&format!("</{tag}>"))? + from;
            text.get(from..to).map(str::trim).filter(|title| !title.is_empty())
        });
        let what = match (heading, head.content_type.as_deref()) {
            // Redacted before it is cut: half a token looks like none.
            (Some(title), _) => {
                format!("an HTML page: '{}'", self.redact(title).chars().take(80).collect::<String>())
            }
            _ if body.is_empty() => "an empty page".to_owned(),
            (None, Some(kind)) if kind.contains("json") => "something that is not Conduit's JSON".to_owned(),
            (None, Some(kind)) => format!("{} where Conduit's JSON should be", kind.split(';').next().unwrap_or(kind)),
            (None, None) => "something that is not Conduit's JSON".to_owned(),
        };
        self.redact(&what)
    }

    /// Replaces our token, and everything that looks like one.
    fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some(token) = &self.token {
            text = text.replace(token.expose_secret(), "***");
        }
        redact_tokens(&text)
    }
}

/// Replaces everything in the text that looks like a token of any kind.
fn redact_tokens(text: &str) -> String {
    secrets::replaced(text, secrets::find(text), "***")
}

/// The parameter that is about the call itself.
const META: &str = "__conduit__";

/// The parameters of a call as they are sent: with the token, and as they are, since there may be many.
struct CallParameters<'a> {
    token: Option<&'a SecretString>,
    params: &'a Map<String, Value>,
}

impl Serialize for CallParameters<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(token) = self.token {
            map.serialize_entry(META, &BTreeMap::from([("token", token.expose_secret())]))?;
        }
        for (name, value) in self.params {
            // Whoever gives parameters of their own gives no token with them.
            if self.token.is_none() || name != META {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}

#[derive(serde::Deserialize)]
struct Envelope<T> {
    result: Option<T>,
    // Both must be there, if only as null: JSON without them is not Conduit's.
    #[serde(deserialize_with = "present")]
    error_code: Option<String>,
    #[serde(deserialize_with = "present")]
    error_info: Option<String>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    serde::Deserialize::deserialize(deserializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(token: &str) -> Client {
        let url = Url::parse("http://localhost/").unwrap();
        let timeouts = Timeouts { connect: Duration::from_secs(1), call: Duration::from_secs(1) };
        Client::new(&url, Some(SecretString::from(token.to_owned())), timeouts, &Route::default()).unwrap()
    }

    fn head(status: u16) -> ResponseHead {
        ResponseHead { status, date: None, retry_after: None, location: None, content_type: None }
    }

    #[test]
    fn a_reply_is_classified_by_what_it_holds() {
        let understood = |status, body: &str| client("api-x").understand::<Vec<u8>>(body.as_bytes(), &head(status));
        let good = r#"{"result":[1],"error_code":null,"error_info":null}"#;
        assert_eq!(understood(200, good).unwrap().result, [1]);
        for (status, body) in [
            (403, good),
            (200, r#"{"result":[1]}"#),
            (200, r#"{"result":null,"error_code":null,"error_info":null}"#),
            (200, r#"{"result":[1],"result":[2],"error_code":null,"error_info":null}"#),
            (200, r#"{"result":[1],"error_code":null,"error_info":null} and more"#),
            (200, "[1]"),
            (200, ""),
        ] {
            assert!(matches!(understood(status, body), Err(Failure::NotConduit { .. })), "{status} {body}");
        }
        // An error is one, whatever else is there.
        for result in ["[1]", "null", r#"{"of":"another shape"}"#] {
            let body = format!(r#"{{"result":{result},"error_code":"ERR-X","error_info":"no"}}"#);
            assert!(matches!(understood(200, &body), Err(Failure::Refused { .. })), "{body}");
        }
        let misshapen = r#"{"result":["one"],"error_code":null,"error_info":null}"#;
        assert!(matches!(understood(200, misshapen), Err(Failure::Unexpected(_))));
    }

    #[test]
    fn all_that_is_read_together_is_bounded() {
        let budget = Budget::new(10);
        assert_eq!((budget.spend(6), budget.spend(4)), (Ok(()), Ok(())));
        assert!(matches!(budget.spend(1), Err(Failure::TooMuch { .. })));
        assert!(matches!(budget.spend(usize::MAX), Err(Failure::TooMuch { .. })));
    }

    #[test]
    fn a_title_is_redacted_before_it_is_cut() {
        let token = format!("api-{}", "x".repeat(28));
        let (client, head) = (client(&token), head(200));
        for pad in [0, 60, 75] {
            let page = format!("<title>{}{token}</title>", "y".repeat(pad));
            let said = client.describe(page.as_bytes(), &head);
            assert!(!said.contains("api-") && !said.contains("xxx"), "{said}");
        }
    }

    #[test]
    fn redacts_whatever_looks_like_a_token() {
        let token = format!("api-{}", "x".repeat(28));
        assert_eq!(redact_tokens(&format!("token \"{token}\" is not valid")), "token \"***\" is not valid");
        assert_eq!(redact_tokens("the cli-tool and api-docs"), "the cli-tool and api-docs");
    }
}
