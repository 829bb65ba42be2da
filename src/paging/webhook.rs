//! What a webhook of one's own is sent, and its signature.
//!
//! Responsible for the JSON, `phabgate/pager/1`, and for the hexadecimal HMAC-SHA256 (RFC 2104) of its bytes. Not responsible for sending
//! ([`super::Pagers`]).

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::Sha256;

use super::page::{Page, PageWords, Stage};
use crate::ids::{TaskId, TransactionId};

/// The header of the signature.
pub const SIGNATURE: &str = "phabgate-signature";
/// The schema of what is sent.
const SCHEMA: &str = "phabgate/pager/1";

/// What a call says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WebhookEvent {
    /// Somebody is to be paged; again with the same key where it was not clear whether that arrived.
    Trigger,
    /// Nobody is needed any more.
    Resolve,
}

/// A call; fields are only ever added.
#[derive(Debug, Serialize)]
pub struct WebhookCall<'a> {
    schema: &'static str,
    event: WebhookEvent,
    key: String,
    site: &'a str,
    task: TaskId,
    episode: TransactionId,
    team: &'a str,
    round: u32,
    stage: Stage,
    severity: &'static str,
    drill: bool,
    due: Timestamp,
    sent: Timestamp,
    category: Option<&'a str>,
    url: Option<&'a str>,
    people: &'a [String],
}

impl<'a> WebhookCall<'a> {
    /// About a page, at a time.
    pub fn new(event: WebhookEvent, site: &'a str, page: &'a Page, words: &'a PageWords, sent: Timestamp) -> Self {
        let key = &page.key;
        Self {
            schema: SCHEMA,
            event,
            // One who has answered about a drill is to be woken by the real thing.
            key: format!("{site}/{key}{}", if page.drill { "/drill" } else { "" }),
            site,
            task: key.task,
            episode: key.episode,
            team: &key.team,
            round: key.round,
            stage: key.stage,
            severity: key.stage.severity(),
            drill: page.drill,
            due: page.due,
            sent,
            category: words.category.as_deref(),
            url: words.url.as_deref(),
            people: &words.people,
        }
    }
}

/// The signature of a body: hexadecimal, in small letters. `None` where the secret makes no key, which none does.
pub fn sign(secret: &SecretString, body: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).ok()?;
    mac.update(body);
    Some(mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::evidence::testing::at;
    use crate::paging::PageKey;

    #[test]
    fn the_signature_is_the_one_of_rfc_4231() {
        let signature = sign(&"Jefe".to_owned().into(), b"what do ya want for nothing?");
        assert_eq!(signature.unwrap(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn a_call_names_its_page_and_nothing_of_a_restricted_task() {
        let task = TaskId::new(7).unwrap();
        let key = PageKey { task, episode: TransactionId(3), team: "sre".into(), round: 1, stage: Stage::Page };
        let page = Page { key, due: at(600), drill: true };
        let words = PageWords::default();
        let call = WebhookCall::new(WebhookEvent::Resolve, "phab.example", &page, &words, at(700));
        let wanted = json!({
            "schema": "phabgate/pager/1", "event": "resolve", "key": "phab.example/T7/3/sre/1/page/drill",
            "site": "phab.example", "task": "T7", "episode": 3, "team": "sre", "round": 1, "stage": "page",
            "severity": "page", "drill": true, "due": at(600), "sent": at(700), "category": null, "url": null,
            "people": [],
        });
        assert_eq!(serde_json::to_value(&call).unwrap(), wanted);
    }
}
