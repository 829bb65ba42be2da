//! The page of all open emergencies.
//!
//! Responsible for their order, and for never saying that there is none where that is not known. Not responsible for the page of each.

use maud::{Markup, html};

use super::words::{ago, at, badge, is_viewer};
use super::{Emergency, Page, Sight, banner, deploys, needed, task};

/// The page.
pub(in crate::serve) fn index(sight: &Sight<'_>, mut emergencies: Vec<Emergency<'_>>) -> Page {
    // What somebody waits for comes first, then what stands still; the newest of each before the others.
    emergencies.sort_by_key(|emergency| {
        (!is_asked(sight, emergency), rank(emergency.decision()), std::cmp::Reverse(emergency.seen.since))
    });
    let count = emergencies.len();
    let heading = match (count, sight.listed) {
        (0, None) => "Not listed yet".to_owned(),
        (0, Some(_)) => "No emergency is open".to_owned(),
        (1, _) => "1 emergency is open".to_owned(),
        (count, _) => format!("{count} emergencies are open"),
    };
    let content = html! {
        (banner::silence(sight))
        header #head .head {
            h1 { (heading) }
            @if count == 0 { p.verdict { (nothing(sight)) } }
            @else if sight.listed.is_none() { p.verdict { "The list is not complete: it could not be read to its end yet." } }
        }
        @if count > 0 { ul #all .all { @for emergency in &emergencies { (card(sight, emergency)) } } }
        div #known { (banner::footer(sight)) }
    };
    Page {
        main: super::main(sight, &heading, "index", &content),
        title: heading,
        events: Some("/events".to_owned()),
        again: false,
    }
}

/// What is said where none is known.
fn nothing(sight: &Sight<'_>) -> Markup {
    html! {
        @match sight.listed {
            Some(listed) => span { "Last listed " (ago(sight.now, listed)) " ago, at " (at(sight.now, listed)) "." },
            None => span { "The open emergencies could not be listed yet, so it is not known whether there is one." },
        }
    }
}

fn rank(decision: &str) -> u8 {
    match decision {
        "pending" => 0,
        "denied" | "undecided" => 1,
        _ => 2,
    }
}

/// Whether who looks is one of those who are needed.
fn is_asked(sight: &Sight<'_>, emergency: &Emergency<'_>) -> bool {
    let teams = emergency.seen.names.as_ref().map_or(&[][..], |names| names.teams);
    emergency.decision() == "pending"
        && needed::missing(teams).iter().any(|team| team.could.iter().any(|name| is_viewer(name, sight.viewer)))
}

fn card(sight: &Sight<'_>, emergency: &Emergency<'_>) -> Markup {
    let seen = &emergency.seen;
    let is_drill = seen.names.as_ref().is_some_and(|names| names.drill);
    html! {
        li id=(seen.task) class={ "card " (needed::state(emergency)) } {
            p.over {
                (badge(needed::state(emergency))) " "
                span { "for " (ago(sight.now, seen.since)) @if is_drill { " · " b.drill { "DRILL" } } }
            }
            h2 { a href={ "/" (seen.task) } { span.number { (seen.task) } " " (task::title(emergency)) } }
            @if let Some(since) = emergency.unread_since { p.bad { "Cannot be read for " (ago(sight.now, since)) "; this is what was known." } }
            @if let Some(names) = &seen.names {
                (deploys::in_short(sight, &names.deploys))
                @if emergency.decision() == "pending" && !needed::missing(names.teams).is_empty() {
                    @if is_asked(sight, emergency) { p.yours { b { "You are asked." } } }
                    (needed::in_short(sight, names.teams))
                } @else {
                    p { (needed::summary(emergency)) }
                }
            }
        }
    }
}
