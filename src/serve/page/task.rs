//! The page of one emergency: the decision and who is needed at the top, what they would agree to, and what was said.
//!
//! Responsible for the order of its parts. Not responsible for what of it somebody is shown.

use maud::{Markup, html};

use super::words::{ago, at, badge, line, lines, link, to_copy};
use super::{Emergency, Page, Sight, banner, deploys, needed, qr, said};
use crate::rules::{Outcome, RuleOutcome};
use crate::serve::deploys::Deploy;
use crate::serve::http::SeenWhole;
use crate::serve::reported::SaidWaiting;
use crate::view::VerdictSubject;

/// The page.
pub(in crate::serve) fn task(sight: &Sight<'_>, emergency: &Emergency<'_>) -> Page {
    let seen = &emergency.seen;
    let title = format!("{} {}", needed::state(emergency).to_uppercase(), seen.task);
    let content = html! {
        (banner::silence(sight))
        (banner::unread(sight, emergency))
        (head(sight, emergency))
        @if let Some(names) = &seen.names { (deploys::open(sight, seen.url, names)) }
        @if let Some(whole) = seen.whole.as_ref().filter(|_| !needed::is_only_underway(emergency)) { (rules(sight, "obstacles", "What stands in the way", &format!("needed {}", emergency.decision()), &obstacles(whole))) }
        @if !is_mended_first(emergency) { (needed::needed(sight, emergency)) }
        @match (&seen.whole, &seen.names) {
            (Some(whole), Some(names)) => {
                (agree(whole, names.deploys.iter().any(Deploy::is_underway)))
                (said::near_misses(sight, whole))
                (said::answers(sight, whole, names.teams))
                (said::spoken(sight, names))
                (said::said(sight, whole))
                (to_mind(sight, whole))
            }
            (None, Some(names)) => { (said::approvers(sight, names.teams)) (said::spoken(sight, names)) (less()) }
            (_, None) => (less()),
        }
        @if let Some(names) = &seen.names { (deploys::ended(sight, seen.url, &names.deploys)) }
        (elsewhere(sight, emergency))
        (known(sight, emergency))
    };
    Page {
        main: super::main(sight, &title, "task", &content),
        title,
        events: Some(format!("/{}/events", seen.task)),
        again: false,
    }
}

/// Whether nobody is asked for an approval, since something else stands in the way that says who has to do what.
fn is_mended_first(emergency: &Emergency<'_>) -> bool {
    let Some((whole, names)) = emergency.seen.whole.as_ref().zip(emergency.seen.names.as_ref()) else { return false };
    !emergency.is_old && !obstacles(whole).is_empty() && needed::missing(names.teams).is_empty()
}

fn head(sight: &Sight<'_>, emergency: &Emergency<'_>) -> Markup {
    let seen = &emergency.seen;
    let is_drill = seen.names.as_ref().is_some_and(|names| names.drill);
    html! {
        header #head class={ "head " (needed::state(emergency)) } {
            p.over {
                (link(seen.url, maud::display(seen.task))) " · open for " (ago(sight.now, seen.since)) ", since " (at(sight.now, seen.since))
                @if is_drill { " · " b.drill { "DRILL" } }
            }
            h1 { (title(emergency)) }
            p.verdict { (badge(needed::state(emergency))) " " span { (in_short(emergency)) } }
        }
    }
}

/// What a decision rests on: of what stands in the way, which is right below, how much it is.
fn in_short(emergency: &Emergency<'_>) -> String {
    let obstacles = emergency.seen.whole.as_ref().map_or(0, |whole| obstacles(whole).len());
    match (emergency.decision(), obstacles) {
        _ if needed::is_only_underway(emergency) => needed::summary(emergency),
        ("denied" | "undecided", 1) if !emergency.is_old => "one thing stands in the way".to_owned(),
        ("denied" | "undecided", more @ 2..) if !emergency.is_old => format!("{more} things stand in the way"),
        _ => needed::summary(emergency),
    }
}

/// What a task is called, or why that is not shown.
pub(super) fn title(emergency: &Emergency<'_>) -> Markup {
    let seen = &emergency.seen;
    match (&seen.whole, &seen.names) {
        (Some(SeenWhole { subject: VerdictSubject { title: Some(title), .. }, .. }), _) => html! { (line(title)) },
        (None, Some(_)) => html! { span.untitled { "Its title is shown to those with an account" } },
        _ => html! { span.untitled { "A restricted task" } },
    }
}

/// What a reader without an account is not shown.
fn less() -> Markup {
    html! { p.remark { "You look without an account, so the texts of this task are not shown here." } }
}

/// The rules that keep it from being allowed, but for missing approvals.
fn obstacles<'a>(whole: &SeenWhole<'a>) -> Vec<&'a RuleOutcome> {
    let is_in_the_way = |rule: &&RuleOutcome| match rule.outcome {
        Outcome::Fail | Outcome::Unknown => true,
        Outcome::Pending => !rule.name.starts_with("team:"),
        Outcome::Pass | Outcome::Warn => false,
    };
    whole.rules.iter().filter(is_in_the_way).collect()
}

/// The rules that somebody should look at.
fn to_mind(sight: &Sight<'_>, whole: &SeenWhole<'_>) -> Markup {
    let warn = whole.rules.iter().filter(|rule| rule.outcome == Outcome::Warn);
    rules(sight, "warnings", "To be looked at", "", &warn.collect::<Vec<_>>())
}

fn rules(sight: &Sight<'_>, id: &str, title: &str, class: &str, rules: &[&RuleOutcome]) -> Markup {
    html! {
        @if !rules.is_empty() {
            section id=(id) class=(class) {
                h2 { (title) }
                ul.rows { @for rule in rules {
                    li {
                        p { (mark(rule.outcome)) " " (line(&rule.message)) }
                        @if let Some(hint) = &rule.hint { p.why { (line(&sight.invocation.adapt(hint))) } }
                    }
                } }
            }
        }
    }
}

fn mark(outcome: Outcome) -> Markup {
    let (class, word) = match outcome {
        Outcome::Pass => ("allowed", "Holds"),
        Outcome::Warn => ("pending", "Look"),
        Outcome::Pending => ("pending", "Not yet"),
        Outcome::Fail => ("denied", "Stops it"),
        Outcome::Unknown => ("undecided", "Not known"),
    };
    html! { b class={ "mark " (class) } { (word) } }
}

/// What approvers would agree to.
fn agree(whole: &SeenWhole<'_>, is_underway: bool) -> Markup {
    let subject = whole.subject;
    let deployers: Vec<String> = subject.behind.iter().map(|deployer| line(&deployer.user)).collect();
    html! {
        section #agree {
            h2 { "What is agreed to" }
            @if subject.title.is_none() { p.remark { "The task is restricted: read it on the server." } }
            dl {
                @if let Some(category) = &subject.category {
                    div { dt { "Reason" } dd { b { (line(category)) } @if let Some(words) = &subject.explanation { (lines(words)) } } }
                } @else if subject.title.is_some() {
                    div { dt { "Reason" } dd.quiet { "none is stated that counts" } }
                }
                @if let Some(action) = &subject.action { div { dt { "Action" } dd { (line(action)) } } }
                @if subject.title.is_some() {
                    div { dt { "Change" } dd { @match &subject.change { Some(change) => code { (line(change)) }, None => span.quiet { "not stated on the task" } } } }
                }
                @if let Some((first, others)) = deployers.split_first() {
                    div { dt { "Deployer" } dd { b { (first) } @if !others.is_empty() { span.quiet { " (or behind it: " (others.join(", ")) ")" } } } }
                }
                (command(whole, is_underway))
                @if !subject.informed.is_empty() {
                    div { dt { "Informed" } dd { (subject.informed.iter().map(|title| line(title)).collect::<Vec<_>>().join(", ")) " " span.quiet { "(asked nothing)" } } }
                }
            }
        }
    }
}

/// The command, where a run is said to wait with one.
fn command(whole: &SeenWhole<'_>, is_underway: bool) -> Markup {
    html! {
        // What is under way stands above with its command.
        @if whole.waiting.is_empty() && !is_underway {
            div { dt { "Command" } dd.quiet { "not known before the deploy starts" } }
        }
        @for SaidWaiting { token, run, .. } in &whole.waiting {
            div { dt { "Command" } dd {
                code { (line(&run.command)) }
                p.remark {
                    "Who holds the token " b { (line(token)) } " says that a run waits, by " b { (line(&run.deployer)) }
                    @if let Some(action) = &run.action { ", action " b { (line(action)) } }
                    @if let Some(change) = &run.change { ", change " code { (line(change)) } }
                    ". Nothing on the task proves it."
                }
            } }
        }
    }
}

/// The task elsewhere: on another device, and in a terminal.
fn elsewhere(sight: &Sight<'_>, emergency: &Emergency<'_>) -> Markup {
    let seen = &emergency.seen;
    html! {
        section #elsewhere {
            h2 { "The task" }
            @if let Some(code) = qr::qr(seen.url) { (code) }
            p.address { (link(seen.url, maud::display(crate::text::Inert(seen.url)))) }
            p.how { "In a terminal " (to_copy(&sight.invocation.command(&format!("check {}", seen.task)))) }
        }
    }
}

/// How well it is known.
fn known(sight: &Sight<'_>, emergency: &Emergency<'_>) -> Markup {
    html! {
        div #known {
            @if let Some(names) = &emergency.seen.names { (banner::unannounced(names.speaks)) }
            p.quiet { "The oldest part of the evidence was read " (ago(sight.now, emergency.evidence_at)) " ago, at " (at(sight.now, emergency.evidence_at)) "." }
            (banner::footer(sight))
        }
    }
}
