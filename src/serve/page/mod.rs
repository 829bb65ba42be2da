//! The live page: what is open, since when, and who is needed now, for a person with a phone.
//!
//! Responsible for the frame of the page, what it may do (its Content-Security-Policy), and for putting its parts in order, as pure
//! functions of what somebody is shown. Nothing can be approved here: an approval stays on the task. Not responsible for who may look, for
//! what of a task they are shown ([`crate::serve::http`]), nor for sending it.
//!
//! The policy allows this page's own style and script by their hashes, and nothing of others. Without its script the page lacks the buttons
//! that copy, and refreshes itself.

mod banner;
mod deploys;
mod index;
mod needed;
mod qr;
#[cfg(test)]
mod reach_tests;
mod refused;
mod said;
mod task;
#[cfg(test)]
mod tests;
mod words;

use std::sync::LazyLock;

use base64::Engine;
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

pub(super) use self::index::index;
pub(super) use self::refused::{SignIn, no_emergency, no_viewer, not_known_yet, not_signed_in};
pub(super) use self::task::task;
use super::http::Seen;
use crate::config::IrcAccount;
use crate::gate::Invocation;

/// The style of the page.
const STYLE: &str = include_str!("page.css");
/// The script of the page: it swaps what changed, lets clocks tick, and copies.
const SCRIPT: &str = include_str!("page.js");
/// A sign of its own, so that nothing is asked for one.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='4' fill='%23855300'/%3E%3Cpath d='M8 3.4v5.4M8 11.2v1.4' stroke='white' stroke-width='2.2'/%3E%3C/svg%3E";
/// After how many seconds a page without its script refreshes itself.
const REFRESH: &str = "15";

/// What a page knows beside the emergencies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight<'a> {
    /// The server's clock.
    pub(super) now: Timestamp,
    /// The account of who looks; `None`: a reader without one.
    pub(super) viewer: Option<&'a str>,
    /// When the open emergencies were last listed; `None`: they could not be yet.
    pub(super) listed: Option<Timestamp>,
    /// When the server last answered anything.
    pub(super) heard: Option<Timestamp>,
    /// How commands of the gate are typed.
    pub(super) invocation: Invocation,
    /// The server refuses the token of the service.
    pub(super) is_refused: bool,
    /// Whether the server called the webhook since the service was started.
    pub(super) called: bool,
    /// The channel in which it counts who approves there, and who can; `None`: nowhere.
    pub(super) channel: Option<(&'a str, &'a [IrcAccount])>,
    /// The bot is in that channel now.
    pub(super) is_in_channel: bool,
    /// What to do where nobody answers, where people are paged by hand alone.
    pub(super) by_hand: Option<&'a str>,
    /// What the page is known by.
    pub(super) key: u64,
}

/// An open emergency as far as it is shown, and how well it is known.
#[derive(Debug)]
pub(super) struct Emergency<'a> {
    /// What is shown of it.
    pub(super) seen: Seen<'a>,
    /// When the oldest part of the evidence was read.
    pub(super) evidence_at: Timestamp,
    /// Since when it could not be read.
    pub(super) unread_since: Option<Timestamp>,
    /// What is known of it is too old to be a verdict.
    pub(super) is_old: bool,
}

impl Emergency<'_> {
    /// What is decided, as it is served: of what is too old nothing is.
    fn decision(&self) -> &'static str {
        if self.is_old { "undecided" } else { self.seen.decision }
    }
}

/// A page before it is put into its frame.
#[derive(Debug)]
pub(super) struct Page {
    title: String,
    main: Markup,
    /// Where its changes are heard of.
    events: Option<String>,
    /// It refreshes itself with its script too.
    again: bool,
}

impl Page {
    /// The main part alone, which the script puts in the place of an older one.
    pub(super) fn fragment(self) -> String {
        self.main.into_string()
    }

    /// The whole.
    pub(super) fn whole(self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex";
                    meta name="referrer" content="no-referrer";
                    title { (self.title) }
                    link rel="icon" href=(ICON);
                    style { (PreEscaped(STYLE)) }
                    @if self.again { meta http-equiv="refresh" content="3"; }
                    @else if self.events.is_some() { noscript { meta http-equiv="refresh" content=(REFRESH); } }
                }
                body data-events=[self.events.as_deref()] {
                    a.skip href="#main" { "Skip to what is open" }
                    nav.bar aria-label="Pages" {
                        a href="/" { "Open emergencies" }
                        @if self.events.is_some() {
                            span #live { noscript { "refreshed every " (REFRESH) " s" } }
                        }
                    }
                    p #lost .banner .bad hidden {}
                    (self.main)
                    p #announced .unseen role="status" {}
                    template #gone {
                        p.quiet { "What stood here is not shown any more. It may be closed, hidden, or no emergency now." }
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        };
        page.into_string()
    }
}

/// The main part of a page that changes.
fn main(sight: &Sight<'_>, title: &str, class: &str, content: &Markup) -> Markup {
    html! {
        main #main class=(class) tabindex="-1" data-key=(sight.key) data-now=(sight.now) data-title=(title) { (content) }
    }
}

/// What the page may do: apply its style, run its script, ask this service again, and show its sign.
pub(super) fn content_policy() -> &'static str {
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        let hash = |text: &str| {
            let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text.as_bytes()));
            format!("'sha256-{hash}'")
        };
        format!(
            "default-src 'none'; style-src {}; script-src {}; connect-src 'self'; img-src data:; frame-ancestors 'none'; \
             base-uri 'none'; form-action 'none'",
            hash(STYLE),
            hash(SCRIPT)
        )
    });
    &POLICY
}
