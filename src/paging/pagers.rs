//! The pagers that are configured, and the calls to them.
//!
//! Responsible for what is called where, each time once ([`super::call`]), and for the clock of who is called. Nothing is
//! called that is not configured, and no redirect is followed. Not responsible for when a call is made, for noting it first, nor for the
//! order of the calls about one page.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, DATE};
use secrecy::SecretString;
use serde::Serialize;
use url::Url;

use super::alertmanager::{ALERTS, Alert, LASTS, Listed, STATUS, Status, filters};
use super::call::{CallOutcome, bounded, judged, origin, read, sent, taken, without_effect};
use super::page::{FiringPage, Issuer, Page, PageWords};
use super::route::{RouteError, RoutedPage, routed};
use super::webhook::{SIGNATURE, WebhookCall, WebhookEvent, sign};
use crate::conduit::{ClientError, Route, connection, wants_tls};
use crate::config::PagingSettings;
use crate::ids::TaskId;
use crate::text::{inert, shorten};

/// For how long the clock of a receiver counts as measured.
const MEASURED: Duration = Duration::from_secs(60);
/// How many alerts go out in one call.
const BATCH: usize = 64;
/// How long is waited for a page to have begun that is resolved: receivers show seconds alone.
const MOMENT: SignedDuration = SignedDuration::from_secs(2);

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

/// What an Alertmanager says of itself.
#[derive(Debug)]
pub struct AlertmanagerStatus {
    /// Which way pages take there; why that is not known where its configuration cannot be read.
    pub pages: Result<Vec<RoutedPage>, RouteError>,
    /// Its version, inert.
    pub version: String,
}

/// The pagers that are configured. Shared by reference.
#[derive(Debug)]
pub struct Pagers {
    issuer: Issuer,
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
    /// Those of the settings, for the pages of an issuer; nothing is called yet.
    ///
    /// # Errors
    /// Where a connection cannot be prepared, or the webhook is set and its secret is not given.
    pub fn new(
        settings: &PagingSettings,
        issuer: Issuer,
        secret: Option<SecretString>,
        connect: Duration,
        route: &Route,
    ) -> Result<Self, PagersError> {
        let alertmanager = match &settings.alertmanager {
            Some(url) => {
                let http = connection(&origin(url), connect, route)?;
                Some(Alertmanager { http, url: url.clone(), clock: Mutex::default() })
            }
            None => None,
        };
        let webhook = match &settings.webhook {
            Some(webhook) => {
                let http = connection(&origin(&webhook.url), connect, route)?;
                Some(Webhook { http, url: webhook.url.clone(), secret: secret.ok_or(PagersError::NoSecret)? })
            }
            None => None,
        };
        Ok(Self { issuer, alertmanager, webhook })
    }

    /// What distinguishes these pages from those of another server.
    pub fn site(&self) -> &str {
        &self.issuer.site
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
                Some(pager) => pager.fire(&self.issuer, &[(page, words)], lasts.unwrap_or(LASTS)).await,
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
            match pager.fire(&self.issuer, &some, LASTS).await {
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
                Some(pager) => pager.resolve(&self.issuer, page, &words).await,
                None => not_configured(),
            },
            PagerKind::Webhook => self.call_webhook(WebhookEvent::Resolve, page, &words).await,
        }
    }

    async fn call_webhook(&self, event: WebhookEvent, page: &Page, words: &PageWords) -> CallOutcome {
        let Some(pager) = &self.webhook else { return not_configured() };
        let call = WebhookCall::new(event, &self.issuer.site, page, words, Timestamp::now());
        let Ok(body) = serde_json::to_vec(&call) else { return nothing_to_send() };
        let Some(signature) = sign(&pager.secret, &body) else { return nothing_to_send() };
        let request = pager.http.post(pager.url.clone()).header(CONTENT_TYPE, "application/json");
        match sent(request.header(SIGNATURE, signature).body(body)).await {
            Ok(answer) => judged(answer, &pager.url).await,
            Err(outcome) => outcome,
        }
    }

    /// The pages of a task that fire at the Alertmanager, whoever sent them. `None` where none is configured.
    pub async fn firing_of(&self, task: TaskId) -> Option<Result<Vec<FiringPage>, String>> {
        self.listed(Some(task), |_| true).await
    }

    /// The pages of all tasks that fire at the Alertmanager and were sent by this policy. `None` where none is configured.
    pub async fn firing(&self) -> Option<Result<Vec<Page>, String>> {
        let firing = self.listed(None, |alert| alert.is_by(&self.issuer)).await?;
        Some(firing.map(|firing| firing.into_iter().map(|firing| firing.page).collect()))
    }

    async fn listed(
        &self,
        task: Option<TaskId>,
        is_meant: impl Fn(&Listed) -> bool,
    ) -> Option<Result<Vec<FiringPage>, String>> {
        let (site, alertmanager) = (&self.issuer.site, self.alertmanager.as_ref()?);
        let listed = alertmanager.listed(site, task).await;
        // Its clock came with the list.
        let now = alertmanager.measured().unwrap_or_else(Timestamp::now);
        let firing = |alert: &Listed| Some(FiringPage { page: alert.page(site)?, is_kept: alert.is_kept(now) });
        let pages = |listed: Vec<Listed>| listed.iter().filter(|alert| is_meant(alert)).filter_map(firing).collect();
        Some(listed.map(pages).map_err(|outcome| outcome.why_not().unwrap_or_default().to_owned()))
    }

    /// Which way the pages of these teams take at the Alertmanager, those about drills too where they are sent, and its version; `None` where none is configured. Nobody is disturbed by it.
    pub async fn alertmanager_status(
        &self,
        teams: &[&str],
        drills: bool,
    ) -> Option<Result<AlertmanagerStatus, String>> {
        let pager = self.alertmanager.as_ref()?;
        Some(match pager.status().await {
            Ok(status) => Ok(AlertmanagerStatus {
                pages: routed(&status.config.original, &self.issuer.site, teams, drills),
                version: inert(&shorten(&status.version.version, 40)),
            }),
            Err(outcome) => Err(outcome.why_not().unwrap_or_default().to_owned()),
        })
    }

    /// The status with which the webhook answers a GET, by which nobody is paged; `None` where none is configured.
    pub async fn webhook_status(&self) -> Option<Result<u16, String>> {
        let pager = self.webhook.as_ref()?;
        Some(match sent(pager.http.get(pager.url.clone())).await {
            Ok(answer) => Ok(answer.status().as_u16()),
            Err(outcome) => Err(outcome.why_not().unwrap_or_default().to_owned()),
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

    async fn fire(&self, issuer: &Issuer, pages: &[(&Page, &PageWords)], lasts: SignedDuration) -> CallOutcome {
        let now = match self.now().await {
            Ok(now) => now,
            Err(outcome) => return outcome,
        };
        let ends = now.saturating_add(lasts).unwrap_or(Timestamp::MAX);
        let alerts: Vec<_> = pages.iter().map(|(page, words)| Alert::firing(issuer, page, words, ends)).collect();
        self.post(&alerts).await
    }

    async fn resolve(&self, issuer: &Issuer, page: &Page, words: &PageWords) -> CallOutcome {
        let mut now = match self.now().await {
            Ok(now) => now,
            Err(outcome) => return outcome,
        };
        let in_a_moment = now.saturating_add(MOMENT).unwrap_or(now);
        if !Alert::has_begun(page, now) && Alert::has_begun(page, in_a_moment) {
            tokio::time::sleep(MOMENT.unsigned_abs()).await;
            now = in_a_moment;
        }
        // It would take one that ends in its future for one that goes on.
        if !Alert::has_begun(page, now) {
            return CallOutcome::Refused("by its clock the page has not begun yet".to_owned());
        }
        // What stands before it may show another time than its own, and what ends in its future goes on: the earlier of the two counts.
        self.post(&[Alert::resolved(issuer, page, words, now.min(Timestamp::now()))]).await
    }

    async fn post(&self, alerts: &[Alert<'_>]) -> CallOutcome {
        let Ok(body) = serde_json::to_vec(alerts) else { return nothing_to_send() };
        let request = self.http.post(self.at(ALERTS)).header(CONTENT_TYPE, "application/json").body(body);
        match sent(request).await {
            Ok(answer) => {
                self.measure(&answer);
                taken(answer, &self.url).await
            }
            Err(outcome) => outcome,
        }
    }

    /// What its clock says: an alert ends by that one. Asked for where it was not heard of for a minute.
    async fn now(&self) -> Result<Timestamp, CallOutcome> {
        if let Some(now) = self.measured() {
            return Ok(now);
        }
        if let Err(outcome) = self.status().await
            && self.measured().is_none()
        {
            return Err(outcome);
        }
        // One that shows no time is believed to share ours.
        Ok(self.measured().unwrap_or_else(Timestamp::now))
    }

    /// The same, where it was heard of within a minute.
    fn measured(&self) -> Option<Timestamp> {
        let clock = *self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        let (time, at) = clock.filter(|(_, at)| at.elapsed() < MEASURED)?;
        time.checked_add(at.elapsed()).ok()
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
            let body = bounded(answer).await.unwrap_or_default();
            let why = wants_tls(status.as_u16(), &body).map(str::to_owned);
            return Err(CallOutcome::Refused(why.unwrap_or_else(|| format!("its status page answers {status}"))));
        }
        read(answer).await
    }

    /// # Errors
    /// What came in its place.
    async fn listed(&self, site: &str, task: Option<TaskId>) -> Result<Vec<Listed>, CallOutcome> {
        let mut url = self.at(ALERTS);
        url.query_pairs_mut().extend_pairs(filters(site, task).map(|filter| ("filter", filter)));
        let answer = sent(self.http.get(url)).await.map_err(without_effect)?;
        self.measure(&answer);
        let status = answer.status();
        if !status.is_success() {
            return Err(CallOutcome::Refused(format!("its list of alerts answers {status}")));
        }
        read(answer).await
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::sync::mpsc;

    use super::*;
    use crate::ids::TransactionId;
    use crate::paging::{PageKey, Stage};

    /// An Alertmanager that answers with these heads, and the bodies behind them, by the method, and what is posted there.
    fn answering(heads: impl Fn(&str) -> String + Send + 'static) -> (Pagers, mpsc::Receiver<serde_json::Value>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let settings = PagingSettings {
            alertmanager: Some(format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap()),
            ..PagingSettings::default()
        };
        let issuer = Issuer { site: "phab.example".into(), policy: "sha256:1".into() };
        let pagers = Pagers::new(&settings, issuer, None, Duration::from_secs(10), &Route::default()).unwrap();
        let (sender, posted) = mpsc::channel();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(&stream);
                let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
                reader.read_line(&mut first).unwrap();
                while reader.read_line(&mut line).unwrap() > 2 {
                    let said = line.to_ascii_lowercase();
                    length = said.strip_prefix("content-length: ").map_or(length, |said| said.trim().parse().unwrap());
                    line.clear();
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                if length > 0 {
                    // Nobody listens any more once the test is over.
                    let _ = sender.send(serde_json::from_slice(&body).unwrap());
                }
                let answer = heads(first.split(' ').next().unwrap());
                let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
                let length = if body.is_empty() { "Content-Length: 0\r\n" } else { "" };
                write!(stream, "HTTP/1.1 {head}\r\n{length}Connection: close\r\n\r\n{body}").unwrap();
            }
        });
        (pagers, posted)
    }

    /// Takes what is posted, lets nobody read, and shows a clock that is so much ahead.
    fn ahead(method: &str, by: SignedDuration) -> String {
        let time = Timestamp::now().saturating_add(by).unwrap();
        let date = jiff::fmt::rfc2822::to_string(&time.to_zoned(jiff::tz::TimeZone::UTC)).unwrap();
        format!("{}\r\nDate: {}", if method == "GET" { "403 No" } else { "200 OK" }, date.replace("+0000", "GMT"))
    }

    fn page() -> Page {
        let task = TaskId::new(7).unwrap();
        let key = PageKey { task, episode: TransactionId(3), team: "sre".into(), round: 1, stage: Stage::Page };
        Page { key, due: "2026-01-01T00:00:00Z".parse().unwrap(), drill: false }
    }

    #[tokio::test]
    async fn only_what_an_alertmanager_answers_is_a_yes() {
        const DATE: &str = "200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT";
        let answered = async |answer: &str| {
            let answer = answer.to_owned();
            let (pagers, _) = answering(move |_| answer.clone());
            pagers.trigger(PagerKind::Alertmanager, &page(), &PageWords::default(), None).await
        };
        for yes in ["", "\r\n\r\n\n", "\r\nContent-Type: application/json\r\n\r\n{\"status\": \"success\"}"] {
            assert_eq!(answered(&format!("{DATE}{yes}")).await, CallOutcome::Accepted, "{yes:?}");
        }
        let html = "it answers an HTML page in place of an Alertmanager's reply";
        for (no, why) in [
            ("\r\nContent-Type: text/html; charset=utf-8", html),
            ("\r\nContent-Type: text/html\r\n\r\n<h1>Maintenance</h1>", html),
            ("\r\n\r\n\n<!DOCTYPE html><h1>Maintenance</h1>", html),
            ("\r\n\r\nback soon", "what answers there is no Alertmanager"),
        ] {
            assert_eq!(answered(&format!("{DATE}{no}")).await, CallOutcome::Refused(why.to_owned()), "{no:?}");
        }
        // One that ends before it is whole is neither.
        let cut = answered(&format!("{DATE}\r\nContent-Length: 9\r\n\r\n{{")).await;
        assert!(matches!(cut, CallOutcome::Unclear(_)), "{cut:?}");
    }

    #[tokio::test]
    async fn whatever_time_is_shown_what_is_resolved_is_over_and_who_hides_its_status_is_called() {
        // What stands before it lets nobody read, and its clock is a day ahead.
        let (pagers, posted) = answering(|method| ahead(method, SignedDuration::from_hours(24)));
        let kind = PagerKind::Alertmanager;
        assert_eq!(pagers.trigger(kind, &page(), &PageWords::default(), None).await, CallOutcome::Accepted);
        assert_eq!(pagers.resolve(kind, &page()).await, CallOutcome::Accepted);
        let ends = || -> Timestamp { posted.recv().unwrap()[0]["endsAt"].as_str().unwrap().parse().unwrap() };
        assert!(ends() > Timestamp::now() && ends() < Timestamp::now());
        assert!(matches!(pagers.firing().await, Some(Err(why)) if why.contains("403")));
    }

    #[tokio::test]
    async fn a_page_that_has_just_begun_is_resolved_and_one_that_is_to_come_is_not() {
        let (pagers, posted) = answering(|method| ahead(method, SignedDuration::ZERO));
        let resolved = async |due| pagers.resolve(PagerKind::Alertmanager, &Page { due, ..page() }).await;
        let now = Timestamp::now();
        assert_eq!(resolved(now).await, CallOutcome::Accepted);
        let alert = posted.recv().unwrap();
        let time = |name: &str| -> Timestamp { alert[0][name].as_str().unwrap().parse().unwrap() };
        assert!(time("startsAt") < time("endsAt") && time("endsAt") <= Timestamp::now(), "{alert}");
        let later = now + SignedDuration::from_hours(1);
        let outcome = resolved(later).await;
        assert!(matches!(&outcome, CallOutcome::Refused(why) if why.contains("has not begun yet")), "{outcome:?}");
    }
}
