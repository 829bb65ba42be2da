//! The pagers that are configured, and the calls to them.
//!
//! Responsible for one call each time, within bounds, and for what came of it in the terms that decide whether it is made again. Nothing is
//! called that is not configured, and no redirect is followed. Not responsible for when a call is made, for noting it first, nor for the
//! order of the calls about one page.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{CONTENT_TYPE, DATE};
use reqwest::{RequestBuilder, Response};
use secrecy::SecretString;
use serde::Serialize;
use url::Url;

use super::alertmanager::{ALERTS, Alert, LASTS, STATUS, Status};
use super::page::{Page, PageWords};
use super::route::{Grouping, grouping};
use super::webhook::{SIGNATURE, WebhookCall, WebhookEvent, sign};
use crate::conduit::{ClientError, Route, connection, root_cause};
use crate::config::PagingSettings;
use crate::text::{inert, shorten};

/// How long one call may take.
const LIMIT: Duration = Duration::from_secs(10);
/// The most that is read of an answer.
const LARGEST: usize = 1 << 20;
/// How much of an answer is shown.
const SHOWN: usize = 120;
/// For how long the clock of a receiver counts as measured.
const MEASURED: Duration = Duration::from_secs(60);
/// How many alerts go out in one call.
const BATCH: usize = 64;

/// A kind of pager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PagerKind {
    /// An Alertmanager.
    Alertmanager,
    /// A signed webhook.
    Webhook,
}

impl PagerKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Alertmanager, Self::Webhook];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::Webhook => "webhook",
        }
    }
}

impl fmt::Display for PagerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alertmanager => "the Alertmanager",
            Self::Webhook => "the webhook",
        })
    }
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallOutcome {
    /// It was accepted.
    Accepted,
    /// It surely had no effect: nobody was reached, or it was refused; why.
    NotAccepted(String),
    /// It is not clear whether it had; why.
    Unclear(String),
}

/// Why the pagers cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PagersError {
    /// The connection cannot be prepared.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The webhook has no secret.
    #[error("the webhook has no secret to sign its calls with; name its file in `paging.webhook.secret`")]
    NoSecret,
}

/// The pagers that are configured. Shared by reference.
#[derive(Debug)]
pub struct Pagers {
    site: String,
    alertmanager: Option<Alertmanager>,
    webhook: Option<Webhook>,
}

struct Alertmanager {
    http: reqwest::Client,
    url: Url,
    /// What its clock said, and when that was by a clock that nobody sets.
    clock: Mutex<Option<(Timestamp, Instant)>>,
}

struct Webhook {
    http: reqwest::Client,
    url: Url,
    secret: SecretString,
}

impl fmt::Debug for Alertmanager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Alertmanager({})", self.url)
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A token may stand in its path or its query.
        write!(f, "Webhook({})", self.url.host_str().unwrap_or_default())
    }
}

impl Pagers {
    /// Those of the settings, for the pages of a site; nothing is called yet.
    ///
    /// # Errors
    /// Where a connection cannot be prepared, or the webhook is set and its secret is not given.
    pub fn new(
        settings: &PagingSettings,
        site: String,
        secret: Option<SecretString>,
        connect: Duration,
        route: &Route,
    ) -> Result<Self, PagersError> {
        let alertmanager = match &settings.alertmanager {
            Some(url) => {
                let http = connection(url, connect, route)?;
                Some(Alertmanager { http, url: url.clone(), clock: Mutex::default() })
            }
            None => None,
        };
        let webhook = match &settings.webhook {
            Some(webhook) => {
                let http = connection(&webhook.url, connect, route)?;
                Some(Webhook { http, url: webhook.url.clone(), secret: secret.ok_or(PagersError::NoSecret)? })
            }
            None => None,
        };
        Ok(Self { site, alertmanager, webhook })
    }

    /// What distinguishes these pages from those of another server.
    pub fn site(&self) -> &str {
        &self.site
    }

    /// The kinds that are configured.
    pub fn kinds(&self) -> Vec<PagerKind> {
        let is_set = |kind: &PagerKind| match kind {
            PagerKind::Alertmanager => self.alertmanager.is_some(),
            PagerKind::Webhook => self.webhook.is_some(),
        };
        PagerKind::ALL.into_iter().filter(is_set).collect()
    }

    /// Where a kind is called, as it may be shown; `None` where it is not configured.
    pub fn address(&self, kind: PagerKind) -> Option<String> {
        match kind {
            PagerKind::Alertmanager => self.alertmanager.as_ref().map(|pager| pager.url.to_string()),
            PagerKind::Webhook => self.webhook.as_ref().and_then(|pager| pager.url.host_str().map(str::to_owned)),
        }
    }

    /// Pages somebody, or again with the same key. An Alertmanager forgets after `lasts`, unless it hears of the page again.
    pub async fn trigger(
        &self,
        kind: PagerKind,
        page: &Page,
        words: &PageWords,
        lasts: Option<SignedDuration>,
    ) -> CallOutcome {
        match kind {
            PagerKind::Alertmanager => match &self.alertmanager {
                Some(pager) => pager.fire(&self.site, &[(page, words)], lasts.unwrap_or(LASTS)).await,
                None => not_configured(),
            },
            PagerKind::Webhook => self.call_webhook(WebhookEvent::Trigger, page, words).await,
        }
    }

    /// Says to an Alertmanager that these pages go on, in as few calls as can be; returns what came of the first that was not accepted.
    pub async fn refresh(&self, pages: &[(Page, PageWords)]) -> CallOutcome {
        let Some(pager) = &self.alertmanager else { return not_configured() };
        for some in pages.chunks(BATCH) {
            let some: Vec<(&Page, &PageWords)> = some.iter().map(|(page, words)| (page, words)).collect();
            match pager.fire(&self.site, &some, LASTS).await {
                CallOutcome::Accepted => {}
                other => return other,
            }
        }
        CallOutcome::Accepted
    }

    /// Says that nobody is needed any more.
    pub async fn resolve(&self, kind: PagerKind, page: &Page) -> CallOutcome {
        let words = PageWords::default();
        match kind {
            PagerKind::Alertmanager => match &self.alertmanager {
                Some(pager) => pager.resolve(&self.site, page, &words).await,
                None => not_configured(),
            },
            PagerKind::Webhook => self.call_webhook(WebhookEvent::Resolve, page, &words).await,
        }
    }

    async fn call_webhook(&self, event: WebhookEvent, page: &Page, words: &PageWords) -> CallOutcome {
        let Some(pager) = &self.webhook else { return not_configured() };
        let call = WebhookCall::new(event, &self.site, page, words, Timestamp::now());
        let Ok(body) = serde_json::to_vec(&call) else { return nothing_to_send() };
        let Some(signature) = sign(&pager.secret, &body) else { return nothing_to_send() };
        let request = pager.http.post(pager.url.clone()).header(CONTENT_TYPE, "application/json");
        match sent(request.header(SIGNATURE, signature).body(body)).await {
            Ok(answer) => judged(answer).await,
            Err(outcome) => outcome,
        }
    }

    /// How the Alertmanager groups, and its version; `None` where none is configured. Nobody is disturbed by it.
    pub async fn alertmanager_status(&self) -> Option<Result<(Grouping, String), String>> {
        let pager = self.alertmanager.as_ref()?;
        Some(match pager.status().await {
            Ok(status) => Ok((grouping(&status.config.original), inert(&shorten(&status.version.version, 40)))),
            Err(CallOutcome::NotAccepted(why) | CallOutcome::Unclear(why)) => Err(why),
            Err(CallOutcome::Accepted) => Err("it answers something else than an Alertmanager does".to_owned()),
        })
    }

    /// The status with which the webhook answers a GET, by which nobody is paged; `None` where none is configured.
    pub async fn webhook_status(&self) -> Option<Result<u16, String>> {
        let pager = self.webhook.as_ref()?;
        Some(match sent(pager.http.get(pager.url.clone())).await {
            Ok(answer) => Ok(answer.status().as_u16()),
            Err(CallOutcome::NotAccepted(why) | CallOutcome::Unclear(why)) => Err(why),
            Err(CallOutcome::Accepted) => Err("no answer".to_owned()),
        })
    }
}

fn not_configured() -> CallOutcome {
    CallOutcome::NotAccepted("it is not configured".to_owned())
}

fn nothing_to_send() -> CallOutcome {
    CallOutcome::NotAccepted("what is to be sent cannot be written".to_owned())
}

impl Alertmanager {
    fn at(&self, path: &str) -> Url {
        // The address ends in `/`, and the paths are relative and right.
        self.url.join(path).unwrap_or_else(|_| self.url.clone())
    }

    async fn fire(&self, site: &str, pages: &[(&Page, &PageWords)], lasts: SignedDuration) -> CallOutcome {
        let now = match self.now().await {
            Ok(now) => now,
            Err(outcome) => return outcome,
        };
        let ends = now.saturating_add(lasts).unwrap_or(Timestamp::MAX);
        let alerts: Vec<_> = pages.iter().map(|(page, words)| Alert::firing(site, page, words, ends)).collect();
        self.post(&alerts).await
    }

    async fn resolve(&self, site: &str, page: &Page, words: &PageWords) -> CallOutcome {
        match self.now().await {
            // It would take one that ends in its future for one that goes on.
            Ok(now) if !Alert::has_begun(page, now) => {
                CallOutcome::NotAccepted("by its clock the page has not begun yet".to_owned())
            }
            Ok(now) => self.post(&[Alert::resolved(site, page, words, now)]).await,
            Err(outcome) => outcome,
        }
    }

    async fn post(&self, alerts: &[Alert<'_>]) -> CallOutcome {
        let Ok(body) = serde_json::to_vec(alerts) else { return nothing_to_send() };
        let request = self.http.post(self.at(ALERTS)).header(CONTENT_TYPE, "application/json").body(body);
        match sent(request).await {
            Ok(answer) => {
                self.measure(&answer);
                judged(answer).await
            }
            Err(outcome) => outcome,
        }
    }

    /// What its clock says: an alert ends by that one. Asked for where it was not heard of for a minute.
    async fn now(&self) -> Result<Timestamp, CallOutcome> {
        let measured = || {
            let clock = *self.clock.lock().unwrap_or_else(PoisonError::into_inner);
            let (time, at) = clock.filter(|(_, at)| at.elapsed() < MEASURED)?;
            time.checked_add(at.elapsed()).ok()
        };
        if let Some(now) = measured() {
            return Ok(now);
        }
        self.status().await?;
        // One that shows no time is believed to share ours.
        Ok(measured().unwrap_or_else(Timestamp::now))
    }

    fn measure(&self, answer: &Response) {
        let said = answer.headers().get(DATE).and_then(|value| value.to_str().ok());
        let said = said.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
        if let Some(said) = said.map(|date| date.timestamp()) {
            *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some((said, Instant::now()));
        }
    }

    /// # Errors
    /// What came in its place; nothing was sent that pages anybody.
    async fn status(&self) -> Result<Status, CallOutcome> {
        let answer = sent(self.http.get(self.at(STATUS))).await.map_err(without_effect)?;
        self.measure(&answer);
        let status = answer.status();
        if !status.is_success() {
            return Err(CallOutcome::NotAccepted(format!("its status page answers {status}")));
        }
        let body = bounded(answer).await.map_err(CallOutcome::NotAccepted)?;
        let odd = || CallOutcome::NotAccepted("what answers there is no Alertmanager".to_owned());
        serde_json::from_slice(&body).map_err(|_| odd())
    }
}

/// A call that reads has no effect, whatever came of it.
fn without_effect(outcome: CallOutcome) -> CallOutcome {
    match outcome {
        CallOutcome::Unclear(why) => CallOutcome::NotAccepted(why),
        other => other,
    }
}

/// Sends a request.
///
/// # Errors
/// What it means that no answer came.
async fn sent(request: RequestBuilder) -> Result<Response, CallOutcome> {
    request.timeout(LIMIT).send().await.map_err(|error| {
        // The address may hold what is secret.
        let error = error.without_url();
        let why = if error.is_timeout() { "it does not answer in time".to_owned() } else { root_cause(&error) };
        match error.is_connect() || error.is_builder() {
            true => CallOutcome::NotAccepted(why),
            false => CallOutcome::Unclear(why),
        }
    })
}

/// What an answer means.
async fn judged(answer: Response) -> CallOutcome {
    let status = answer.status();
    if status.is_success() {
        return CallOutcome::Accepted;
    }
    let body = bounded(answer).await.unwrap_or_default();
    let said = inert(&shorten(String::from_utf8_lossy(&body).trim(), SHOWN));
    let why = if said.is_empty() { format!("it answers {status}") } else { format!("it answers {status}: {said}") };
    // What stands before it may have passed the call on before it failed.
    match status.is_client_error() || status.is_redirection() {
        true => CallOutcome::NotAccepted(why),
        false => CallOutcome::Unclear(why),
    }
}

async fn bounded(mut answer: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| root_cause(&error.without_url()))? {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST {
            return Err("it answers more than is sensible".to_owned());
        }
    }
    Ok(body)
}
