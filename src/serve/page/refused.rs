//! The pages of those who are shown nothing, and of what is no open emergency.
//!
//! Responsible for saying how to be shown more, with no word of any task. Not responsible for who may look.

use maud::{Markup, html};

use super::{Page, Sight};
use crate::ids::TaskId;
use crate::text::shorten;

/// How people sign in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::serve) enum SignIn {
    /// A proxy before the service says who looks.
    Proxy,
    /// Nothing does.
    None,
}

/// Nobody in particular looks.
pub(in crate::serve) fn not_signed_in(way: SignIn) -> Page {
    refused(
        "Sign in to look",
        &html! {
            @match way {
                SignIn::Proxy => p { "Open this page by its usual address, through the sign-in of your organisation, with the account that you have on the server." },
                SignIn::None => p { "This service has no sign-in. It is looked at on its own machine, or through an SSH tunnel to it; whoever keeps it can put a proxy with a sign-in before it (" code { "serve.trusted_proxies" } ")." },
            }
            p.quiet { "The page is for members of the teams that approve, for deployers, and for those whom its configuration names." }
        },
    )
}

/// Somebody is signed in who may not look.
pub(in crate::serve) fn no_viewer(account: &str) -> Page {
    refused(
        "Not for this account",
        &html! {
            p { "You are signed in as " b { (shorten(account, 60)) } ", which is no member of a team that approves, no deployer, and not named by the configuration." }
            p.quiet { "Whoever keeps this service can name you under " code { "serve.viewers" } "." }
        },
    )
}

/// It is not known yet who may look.
pub(in crate::serve) fn not_known_yet() -> Page {
    Page {
        again: true,
        ..refused(
            "One moment",
            &html! { p { "The members of the teams could not be read yet, so it is not known whether you may look. This page tries again by itself." } },
        )
    }
}

fn refused(title: &str, content: &Markup) -> Page {
    let main = html! { main #main .refused tabindex="-1" data-title=(title) { h1 { (title) } (content) } };
    Page { title: title.to_owned(), main, events: None, again: false }
}

/// A task that is no open emergency: the same words whether it is closed, hidden or missing.
pub(in crate::serve) fn no_emergency(sight: &Sight<'_>, task: TaskId, url: &str) -> Page {
    let title = format!("{task} is not shown");
    let content = html! {
        header #head .head { h1 { (title) } p.verdict { span { "No open emergency of this number is shown to you." } } }
        p { "It may be closed, hidden, missing, or carry no tag. " (super::words::link(url, "Look at it on the server")) "." }
        div #known { (super::banner::footer(sight)) }
    };
    Page { main: super::main(sight, &title, "refused", &content), title, events: None, again: false }
}
