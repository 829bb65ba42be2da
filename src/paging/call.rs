//! One call to a pager: sending it within bounds, and what came of it in the terms that decide whether it is made again.
//!
//! Responsible for what an answer means, and for what may be shown of it: what may be secret of an address is not. Not responsible for what is
//! sent ([`super::Pagers`]).

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, Response};
use serde::de::DeserializeOwned;
use url::Url;

use crate::conduit::root_cause;
use crate::text::{inert, shorten};

/// How long one call may take.
const LIMIT: Duration = Duration::from_secs(10);
/// The most that is read of an answer.
const LARGEST: usize = 8 << 20;
/// How much of an answer is shown.
const SHOWN: usize = 120;

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallOutcome {
    /// It was accepted.
    Accepted,
    /// It surely had no effect: nobody was reached; why.
    NotAccepted(String),
    /// It surely had no effect: who answers refused this call, though perhaps no other; why.
    Refused(String),
    /// It is not clear whether it had; why.
    Unclear(String),
}

impl CallOutcome {
    /// Why it was not accepted; `None` where it was.
    pub fn why_not(&self) -> Option<&str> {
        match self {
            Self::Accepted => None,
            Self::NotAccepted(why) | Self::Refused(why) | Self::Unclear(why) => Some(why),
        }
    }
}

/// Where a connection leads: what else stands in an address may be secret.
pub(super) fn origin(url: &Url) -> Url {
    let mut origin = url.clone();
    origin.set_path("/");
    origin.set_query(None);
    origin.set_fragment(None);
    origin
}

/// Whether an answer calls itself a web page.
fn is_html(answer: &Response) -> bool {
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"))
}

/// Who answers with this body in place of an Alertmanager, which answers JSON or nothing.
fn stranger(is_html: bool, body: &[u8]) -> CallOutcome {
    let is_html = is_html || body.trim_ascii_start().starts_with(b"<");
    CallOutcome::Refused(match is_html {
        true => "it answers an HTML page in place of an Alertmanager's reply".to_owned(),
        false => "what answers there is no Alertmanager".to_owned(),
    })
}

/// What an Alertmanager answers, as JSON.
pub(super) async fn read<T: DeserializeOwned>(answer: Response) -> Result<T, CallOutcome> {
    let is_html = is_html(&answer);
    let body = bounded(answer).await.map_err(CallOutcome::NotAccepted)?;
    serde_json::from_slice(&body).map_err(|_| stranger(is_html, &body))
}

/// What it means that an Alertmanager answers this to what was posted. A page to sign in at, or the one of a proxy about maintenance, is none of its
/// answers, whatever its status; nor is one that does not end.
pub(super) async fn taken(answer: Response, url: &Url) -> CallOutcome {
    if !answer.status().is_success() {
        return judged(answer, url).await;
    }
    let is_html = is_html(&answer);
    match bounded(answer).await {
        Err(why) => CallOutcome::Unclear(why),
        Ok(body) if is_html => stranger(is_html, &body),
        Ok(body) if body.trim_ascii().is_empty() => CallOutcome::Accepted,
        Ok(body) if serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok() => CallOutcome::Accepted,
        Ok(body) => stranger(is_html, &body),
    }
}

/// A call that reads has no effect, whatever came of it.
pub(super) fn without_effect(outcome: CallOutcome) -> CallOutcome {
    match outcome {
        CallOutcome::Unclear(why) => CallOutcome::NotAccepted(why),
        other => other,
    }
}

/// Sends a request.
///
/// # Errors
/// What it means that no answer came.
pub(super) async fn sent(request: RequestBuilder) -> Result<Response, CallOutcome> {
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

/// What an answer of what is called at an address means.
pub(super) async fn judged(answer: Response, url: &Url) -> CallOutcome {
    let status = answer.status();
    if status.is_success() {
        return CallOutcome::Accepted;
    }
    let body = bounded(answer).await.unwrap_or_default();
    let said = String::from_utf8_lossy(&body);
    let said = if repeats(&said, url) { String::new() } else { inert(&shorten(said.trim(), SHOWN)) };
    let why = if said.is_empty() { format!("it answers {status}") } else { format!("it answers {status}: {said}") };
    // What stands before it may have passed the call on before it failed.
    match status.is_client_error() || status.is_redirection() {
        true => CallOutcome::Refused(why),
        false => CallOutcome::Unclear(why),
    }
}

/// Whether a text repeats something of the path or the query of an address, where a secret may stand.
fn repeats(text: &str, url: &Url) -> bool {
    let path = url.path_segments().into_iter().flatten().filter(|part| part.len() >= 8);
    let queried: Vec<String> = url.query_pairs().map(|(_, value)| value.into_owned()).collect();
    let raw = url.query().into_iter();
    let queried = queried.iter().map(String::as_str).filter(|value| value.len() >= 4);
    path.chain(raw).chain(queried).any(|part| !part.is_empty() && text.contains(part))
}

/// All of an answer, within bounds.
///
/// # Errors
/// Why it could not be read, in words.
pub(super) async fn bounded(mut answer: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    let broken = |error: reqwest::Error| match error.is_timeout() {
        true => "its answer does not end in time".to_owned(),
        false => root_cause(&error.without_url()),
    };
    while let Some(chunk) = answer.chunk().await.map_err(broken)? {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST {
            return Err("it answers more than is sensible".to_owned());
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_a_secret_of_the_address_is_not_shown() {
        let url: Url = "https://pager.example/hooks/T0PSECRET99?token=abcd&to=sre".parse().unwrap();
        for said in ["Cannot POST /hooks/T0PSECRET99", "no token abcd here", "?token=abcd&to=sre"] {
            assert!(repeats(said, &url), "{said}");
        }
        assert!(!repeats("the signature is wrong", &url) && !repeats("sre: hooks", &url));
        assert!(!repeats("anything", &"https://alertmanager.example/".parse().unwrap()));
        assert_eq!(origin(&url).as_str(), "https://pager.example/");
    }
}
