//! What an Alertmanager is sent (API v2, `POST /api/v2/alerts`) and what it says of itself (`GET /api/v2/status`).
//!
//! Responsible for both as JSON. The label set is the identity of an alert there, so that it has all of the key of a page, and `startsAt`
//! is always sent and always the same: without it an alert that ends would begin when it ends. Not responsible for sending
//! ([`super::Pagers`]).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::page::{Issuer, Page, PageKey, PageWords, Stage};
use crate::ids::{TaskId, TransactionId};

/// The name of the alerts.
pub const NAME: &str = "EmergencyDeployApproval";
/// The labels, which a route must not fold together.
pub const LABELS: [&str; 9] = ["alertname", "site", "task", "episode", "team", "round", "stage", "severity", "drill"];
/// Where alerts are posted, and where it is asked for itself, below its address.
pub(super) const ALERTS: &str = "api/v2/alerts";
pub(super) const STATUS: &str = "api/v2/status";
/// How far ahead an alert ends by itself, unless it is refreshed.
pub(super) const LASTS: SignedDuration = SignedDuration::from_hours(4);
/// The same of a page that is sent by hand, which nobody refreshes.
pub const BY_HAND_LASTS: SignedDuration = SignedDuration::from_hours(1);
/// Within which time a service that lives has refreshed a page: it does so each minute.
const REFRESHED_WITHIN: SignedDuration = SignedDuration::from_mins(3);
/// How long before the receiver's now an alert ends that is resolved.
const BEFORE_NOW: SignedDuration = SignedDuration::from_secs(5);

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert<'a> {
    labels: Labels<'a>,
    annotations: Annotations<'a>,
    starts_at: Timestamp,
    ends_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "generatorURL")]
    generator: Option<&'a str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Labels<'a> {
    alertname: &'static str,
    site: &'a str,
    task: String,
    episode: String,
    team: &'a str,
    round: String,
    stage: &'static str,
    severity: &'static str,
    drill: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Annotations<'a> {
    summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    people: String,
    policy: &'a str,
}

impl<'a> Alert<'a> {
    /// A page that fires until then.
    pub fn firing(issuer: &'a Issuer, page: &'a Page, words: &'a PageWords, ends_at: Timestamp) -> Self {
        let key = &page.key;
        let drill = if page.drill { "Drill: " } else { "" };
        Self {
            labels: Labels {
                alertname: NAME,
                site: &issuer.site,
                task: key.task.to_string(),
                episode: key.episode.to_string(),
                team: &key.team,
                round: key.round.to_string(),
                stage: key.stage.word(),
                severity: key.stage.severity(),
                drill: page.drill.to_string(),
            },
            annotations: Annotations {
                summary: format!("{drill}{} needs the approval of {}", key.task, key.team),
                category: words.category.as_deref(),
                url: words.url.as_deref(),
                people: words.people.join(", "),
                policy: &issuer.policy,
            },
            starts_at: page.due,
            ends_at: ends_at.max(second_after(page.due)),
            generator: words.url.as_deref(),
        }
    }

    /// Whether a page can have ended by the receiver's clock.
    pub fn has_begun(page: &Page, receivers_now: Timestamp) -> bool {
        second_after(page.due) <= receivers_now
    }

    /// The same page, which has ended by the receiver's clock.
    pub fn resolved(issuer: &'a Issuer, page: &'a Page, words: &'a PageWords, receivers_now: Timestamp) -> Self {
        Self::firing(issuer, page, words, receivers_now.saturating_sub(BEFORE_NOW).unwrap_or(Timestamp::MIN))
    }
}

/// An alert that ends no later than it begins is refused.
fn second_after(time: Timestamp) -> Timestamp {
    time.saturating_add(SignedDuration::from_secs(1)).unwrap_or(time)
}

/// What picks out the alerts of a site, and of a task, among all.
pub(super) fn filters(site: &str, task: Option<TaskId>) -> impl Iterator<Item = String> {
    let of = |label: &str, value: &str| format!("{label}={value:?}");
    [of("alertname", NAME), of("site", site)].into_iter().chain(task.map(|task| of("task", &task.to_string())))
}

/// An alert that fires, as an Alertmanager lists it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed {
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    starts_at: Timestamp,
    /// When it ends unless it is refreshed, and when it was last.
    ends_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
}

impl Listed {
    /// Whether a service keeps it firing, at a time by the receiver's clock: one that lives refreshes its pages each minute, and further ahead
    /// than a page by hand lasts.
    pub(super) fn is_kept(&self, receivers_now: Timestamp) -> bool {
        let (Some(ends), Some(updated)) = (self.ends_at, self.updated_at) else { return false };
        ends.duration_since(updated) > BY_HAND_LASTS.saturating_mul(2)
            && receivers_now.duration_since(updated) < REFRESHED_WITHIN
    }

    /// Whether it was sent by this policy: by another one it may be needed where by this one it is not.
    pub(super) fn is_by(&self, issuer: &Issuer) -> bool {
        self.annotations.get("policy") == Some(&issuer.policy)
    }

    /// The page that it is; `None` where it is none of this site.
    pub(super) fn page(&self, site: &str) -> Option<Page> {
        let label = |name: &str| self.labels.get(name).map(String::as_str);
        if (label("alertname"), label("site")) != (Some(NAME), Some(site)) {
            return None;
        }
        let stage = label("stage")?;
        let key = PageKey {
            task: label("task")?.strip_prefix('T')?.parse().ok().and_then(TaskId::new)?,
            episode: TransactionId(label("episode")?.parse().ok()?),
            team: label("team")?.to_owned(),
            round: label("round")?.parse().ok()?,
            stage: Stage::ALL.into_iter().find(|known| known.word() == stage)?,
        };
        Some(Page { key, due: self.starts_at, drill: label("drill") == Some("true") })
    }
}

/// What an Alertmanager says of itself, as far as it is looked at.
#[derive(Debug, Deserialize)]
pub(super) struct Status {
    pub(super) config: StatusConfig,
    #[serde(rename = "versionInfo")]
    pub(super) version: StatusVersion,
}

/// Its configuration.
#[derive(Debug, Deserialize)]
pub(super) struct StatusConfig {
    /// The text of it, which it writes itself.
    pub(super) original: String,
}

/// Its version.
#[derive(Debug, Deserialize)]
pub(super) struct StatusVersion {
    pub(super) version: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::evidence::testing::at;

    fn issuer() -> Issuer {
        Issuer { site: "phab.example".into(), policy: "sha256:1".into() }
    }

    fn page(stage: Stage) -> Page {
        let task = TaskId::new(7).unwrap();
        let key = PageKey { task, episode: TransactionId(3), team: "sre".into(), round: 2, stage };
        Page { key, due: at(600), drill: false }
    }

    #[test]
    fn a_page_is_kept_by_a_service_that_refreshed_it_and_no_other() {
        let kept = |ends: i64, updated: i64| {
            let listed = serde_json::json!({
                "labels": {}, "startsAt": at(0), "endsAt": at(ends), "updatedAt": at(updated),
            });
            serde_json::from_value::<Listed>(listed).unwrap().is_kept(at(10_000))
        };
        assert!(kept(9_950 + 4 * 3_600, 9_950));
        assert!(!kept(9_950 + 3_600, 9_950), "by hand");
        assert!(!kept(9_000 + 4 * 3_600, 9_000), "its service is gone");
        let silent = serde_json::json!({"labels": {}, "startsAt": at(0)});
        assert!(!serde_json::from_value::<Listed>(silent).unwrap().is_kept(at(10)));
    }

    #[test]
    fn an_alert_has_the_whole_key_in_its_labels_and_begins_when_it_was_due() {
        let words = PageWords {
            category: Some("availability".into()),
            url: Some("https://phab.example/T7".into()),
            people: vec!["sre1".into(), "sre2".into()],
        };
        let (issuer, page) = (issuer(), page(Stage::Page));
        let alert = serde_json::to_value(Alert::firing(&issuer, &page, &words, at(9_000))).unwrap();
        let labels = json!({
            "alertname": NAME, "site": "phab.example", "task": "T7", "episode": "3", "team": "sre", "round": "2",
            "stage": "page", "severity": "page", "drill": "false",
        });
        assert_eq!(alert["labels"], labels);
        let names: Vec<&str> = alert["labels"].as_object().unwrap().keys().map(String::as_str).collect();
        let mut known = LABELS;
        known.sort_unstable();
        assert_eq!(names, known);
        assert_eq!(alert["startsAt"], json!(at(600)));
        assert_eq!(alert["endsAt"], json!(at(9_000)));
        assert_eq!(alert["generatorURL"], "https://phab.example/T7");
        let annotations = json!({
            "summary": "T7 needs the approval of sre", "category": "availability", "url": "https://phab.example/T7",
            "people": "sre1, sre2", "policy": "sha256:1",
        });
        assert_eq!(alert["annotations"], annotations);
    }

    #[test]
    fn an_alert_that_is_listed_is_the_page_that_was_sent_and_those_of_others_are_none() {
        let (issuer, page) = (issuer(), page(Stage::Escalation));
        let sent = serde_json::to_value(Alert::firing(&issuer, &page, &PageWords::default(), at(9_000))).unwrap();
        let listed: Listed = serde_json::from_value(sent.clone()).unwrap();
        assert!(listed.is_by(&issuer) && !listed.is_by(&Issuer { policy: "sha256:2".into(), ..issuer.clone() }));
        assert_eq!(listed.page("phab.example"), Some(page));
        assert_eq!(listed.page("phab2.example"), None);
        for (label, value) in [("alertname", "DiskFull"), ("task", "7"), ("round", "x"), ("stage", "warning")] {
            let mut other = sent.clone();
            other["labels"][label] = json!(value);
            assert_eq!(serde_json::from_value::<Listed>(other).unwrap().page("phab.example"), None, "{label}");
        }
        let filters = Vec::from_iter(filters("phab.example", TaskId::new(7)));
        assert_eq!(filters, [format!("alertname=\"{NAME}\""), "site=\"phab.example\"".into(), "task=\"T7\"".into()]);
    }

    #[test]
    fn of_a_restricted_task_the_number_alone_goes_out() {
        let (issuer, page, words) = (issuer(), page(Stage::Escalation), PageWords::default());
        let alert = serde_json::to_value(Alert::firing(&issuer, &page, &words, at(9_000))).unwrap();
        assert_eq!(alert["annotations"], json!({"summary": "T7 needs the approval of sre", "policy": "sha256:1"}));
        assert_eq!(alert.get("generatorURL"), None);
        assert_eq!(alert["labels"]["severity"], "critical");
    }

    #[test]
    fn what_is_resolved_ended_by_the_receivers_clock_and_never_before_it_began() {
        let (issuer, page, words) = (issuer(), page(Stage::Page), PageWords::default());
        let ends = |now| Alert::resolved(&issuer, &page, &words, now).ends_at;
        assert_eq!(ends(at(700)), at(695));
        assert_eq!(ends(at(604)), at(601));
        assert_eq!(ends(at(0)), at(601), "a receiver whose clock is behind");
        let (firing, resolved) =
            (Alert::firing(&issuer, &page, &words, at(9_000)), Alert::resolved(&issuer, &page, &words, at(700)));
        assert_eq!((firing.labels, firing.starts_at), (resolved.labels, resolved.starts_at));
    }
}
