//! The settings of paging: who is on call, whom to page through what, and after how long.
//!
//! Responsible for them as data, with their defaults, and for how each is read from its text. Nothing is contacted that is not named here.
//! Not responsible for keys and files, nor for the secret in the file that is named here, which whoever pages reads.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use url::Url;

use super::reader::ValueError;
use crate::conduit::{UrlError, is_loopback, parse_url};

/// The settings of paging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PagingSettings {
    /// Where an Alertmanager answers, ending in `/`.
    pub alertmanager: Option<Url>,
    /// A webhook of one's own.
    pub webhook: Option<WebhookSettings>,
    /// The accounts that open or confirm an emergency for which people are paged; empty: the members of the policy's teams, and the
    /// accounts of `[deployers]`.
    pub trusted: Vec<String>,
    /// How long after a team was asked it is paged.
    pub page_after: SignedDuration,
    /// How long after a team was asked the next stage is paged.
    pub escalate_after: SignedDuration,
    /// For how long an acknowledgement holds the ladder of its team.
    pub ack_for: SignedDuration,
    /// Whether people are paged about drills.
    pub drills: bool,
    /// Who is on call, by the key of the team.
    pub on_call: BTreeMap<String, OnCallSource>,
}

/// A webhook that is called with a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Where it is called.
    pub url: Url,
    /// The file with the secret that signs each call.
    pub secret: PathBuf,
}

/// Where it is read who is on call for a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnCallSource {
    /// A program that prints names, with its arguments.
    Command {
        /// The program, an absolute path.
        program: PathBuf,
        /// What it is given.
        arguments: Vec<String>,
    },
    /// A file that holds names.
    File(PathBuf),
}

impl OnCallSource {
    /// The file that decides: the program, or the file with the names.
    pub fn path(&self) -> &Path {
        match self {
            Self::Command { program, .. } => program,
            Self::File(path) => path,
        }
    }
}

impl PagingSettings {
    /// Whether anybody could be paged.
    pub fn has_pager(&self) -> bool {
        self.alertmanager.is_some() || self.webhook.is_some()
    }
}

impl Default for PagingSettings {
    fn default() -> Self {
        Self {
            alertmanager: None,
            webhook: None,
            trusted: Vec::new(),
            page_after: SignedDuration::from_mins(10),
            escalate_after: SignedDuration::from_mins(30),
            ack_for: SignedDuration::from_mins(15),
            drills: false,
            on_call: BTreeMap::new(),
        }
    }
}

/// Where an Alertmanager answers: what stands before `api/v2`.
pub(super) fn alertmanager(text: &str) -> Result<Url, ValueError> {
    let help = "write it as \"https://alertmanager.example.org/\", without /api";
    let wrong = |message: String| ValueError::new(message, help);
    let mut url = secure(text, help)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong(format!("`{text}` is more than where an Alertmanager answers")));
    }
    if url.path().split('/').any(|part| part == "api") {
        return Err(wrong(format!("`{text}` is an address below it")));
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// Where a webhook is called.
pub(super) fn webhook(text: &str) -> Result<Url, ValueError> {
    secure(text, "write it as \"https://pager.example.org/phabgate\"")
}

/// A URL over which nobody reads along: https, or http on loopback. What else a URL can be wrong in is said as of a server's.
fn secure(text: &str, help: &str) -> Result<Url, ValueError> {
    let url: Url = text.parse().map_err(|_| ValueError::new(format!("`{text}` is not a URL"), help))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ValueError::new("holds a name or a password, which everybody who reads the file could use", help));
    }
    let base = |url: &Url| url.join("/").map_err(|_| ValueError::new(format!("`{text}` is not a URL"), help));
    match parse_url(base(&url)?.as_str()) {
        Err(UrlError::InClear(_)) if !is_loopback(&url) => {
            Err(ValueError::new(format!("`{text}` would send pages for everybody to read"), help))
        }
        Err(wrong) => Err(ValueError::new(wrong.to_string(), help)),
        Ok(_) => Ok(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_go_where_nobody_reads_along() {
        for (text, url) in [
            ("https://am.example", "https://am.example/"),
            ("https://am.example/alerts", "https://am.example/alerts/"),
            ("http://127.0.0.1:9093/", "http://127.0.0.1:9093/"),
        ] {
            assert_eq!(alertmanager(text).unwrap().as_str(), url);
        }
        for text in [
            "am.example",
            "http://am.example/",
            "https://a:b@am.example/",
            "https://am.example/api/v2/",
            "https://a/?x",
        ] {
            assert!(alertmanager(text).is_err(), "{text}");
        }
        assert!(webhook("https://pager.example/hook?to=sre").is_ok() && webhook("http://pager.example/").is_err());
    }
}
