//! How well the page knows what it says: since when the server does not answer, and when all was listed.
//!
//! Responsible for saying that plainly and once. Not responsible for finding out.

use jiff::SignedDuration;
use maud::{Markup, html};

use super::words::{ago, at};
use super::{Emergency, Sight};
use crate::serve::board::Speaks;

/// For how long the server may be silent before that is said: it is asked every few seconds.
const SILENT: SignedDuration = SignedDuration::from_secs(30);

/// What has to be known before anything else is read.
pub(super) fn silence(sight: &Sight<'_>) -> Markup {
    let silent = sight.heard.filter(|heard| sight.now.duration_since(*heard) > SILENT);
    html! {
        @if sight.is_refused {
            p.banner.bad role="alert" {
                b { "The server refuses the token of this watch" } ": whoever runs it has to replace it. What is below may be old."
            }
        } @else if let Some(heard) = silent {
            p.banner.bad role="alert" {
                b { "The server does not answer" } " since " (at(sight.now, heard)) ", for " (ago(sight.now, heard))
                ". What is below was true then."
            }
        }
    }
}

/// The same of one task.
pub(super) fn unread(sight: &Sight<'_>, emergency: &Emergency<'_>) -> Markup {
    let is_silent = sight.heard.is_some_and(|heard| sight.now.duration_since(heard) > SILENT);
    html! {
        @if let Some(since) = emergency.unread_since.filter(|_| !is_silent) {
            p.banner.bad role="alert" {
                b { "This task cannot be read" } " since " (at(sight.now, since)) ", for " (ago(sight.now, since))
                ". What is below was true before."
            }
        }
        @if emergency.is_old {
            p.banner.bad {
                "Nothing is decided by what is this old. Last known: " b { (emergency.seen.decision.to_uppercase()) } "."
            }
        }
    }
}

/// Why notices are not said on a task.
pub(super) fn unannounced(speaks: &Speaks) -> Markup {
    html! {
        @match speaks {
            Speaks::Yes => {}
            Speaks::NotAnnounced => {
                p.remark { b { "Not announced." } " It was an emergency before this watch was first started, so nothing is said on the task by itself." }
            }
            Speaks::Another(store) => {
                p.remark { b { "Announced by another watch" } ", the one with the store " (crate::text::shorten(store.as_str(), 40)) "; this one says nothing on the task." }
            }
        }
    }
}

/// The end of each page.
pub(super) fn footer(sight: &Sight<'_>) -> Markup {
    html! {
        footer {
            @match sight.listed {
                Some(listed) => p { "The open emergencies were last listed " (ago(sight.now, listed)) " ago, at " (at(sight.now, listed)) "." },
                None => p { "The open emergencies could not be listed yet." },
            }
            @if !sight.called {
                p { "The server has not called the webhook since this watch was started; the watch asks it every few seconds, which is as quick." }
            }
            p {
                "Nothing can be approved on this page: an approval is a comment on the task, by the approver's own account"
                @if sight.channel.is_some() { ", or what this service wrote there of what they said on IRC" }
                ". All times are in UTC."
            }
        }
    }
}
