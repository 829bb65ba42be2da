//! Who is needed now, and what they write where.
//!
//! Responsible for what a woken approver looks for first. Not responsible for who could approve ([`crate::rules`]).

use maud::{Markup, html};

use super::words::{ago, at, line, people, row, to_copy};
use super::{Emergency, Sight};
use crate::ids::TaskId;
use crate::paging::Stage;
use crate::rules::{Outcome, RuleOutcome, TeamCount};
use crate::serve::deploys::Deploy;
use crate::serve::http::Seen;
use crate::serve::paging::{PageShown, Reached, TeamPaging};
use crate::text::Inert;
use crate::view::{Audience, page_words};

/// The teams of which approvals are missing.
pub(super) fn missing(teams: &[TeamCount]) -> Vec<&TeamCount> {
    teams.iter().filter(|team| team.by.len() < team.need as usize).collect()
}

/// What a decision rests on, in a line.
pub(super) fn summary(emergency: &Emergency<'_>) -> String {
    let Some(names) = &emergency.seen.names else { return String::new() };
    if emergency.is_old {
        return "it could not be read anew, and what is known is too old".to_owned();
    }
    let missing = missing(names.teams);
    let rules = emergency.seen.whole.as_ref().map(|whole| whole.rules);
    match emergency.decision() {
        "allowed" => {
            let by = names
                .teams
                .iter()
                .flat_map(|team| team.by.iter().map(|user| format!("{} ({})", line(user), line(&team.team))));
            match by.collect::<Vec<_>>().as_slice() {
                [] => "it may be deployed".to_owned(),
                by => format!("approved by {}", row(by)),
            }
        }
        "pending" if !missing.is_empty() => {
            let teams: Vec<String> = missing.iter().map(|team| line(&team.team)).collect();
            format!("waits for {}", row(&teams))
        }
        "pending" => first(rules, Outcome::Pending),
        "denied" if is_only_underway(emergency) => "a deploy is under way, and no other may start meanwhile".to_owned(),
        // Who said no is a name, and why is a text.
        "denied" if rules.is_none() && !names.rejections.is_empty() => {
            let mut users: Vec<String> = names.rejections.iter().map(|no| line(&no.user)).collect();
            users.dedup();
            format!("rejected by {}; why is shown to those with an account", row(&users))
        }
        "denied" => first(rules, Outcome::Fail),
        _ => first(rules, Outcome::Unknown),
    }
}

/// Where an emergency stands, in a word: its decision, or that it is being deployed.
pub(super) fn state(emergency: &Emergency<'_>) -> &'static str {
    if is_only_underway(emergency) { "deploying" } else { emergency.decision() }
}

/// Whether nothing stands in the way but a deploy that runs.
pub(super) fn is_only_underway(emergency: &Emergency<'_>) -> bool {
    let Some((names, whole)) = emergency.seen.names.as_ref().zip(emergency.seen.whole.as_ref()) else { return false };
    let stops = |rule: &&RuleOutcome| matches!(rule.outcome, Outcome::Fail | Outcome::Unknown);
    names.deploys.iter().any(Deploy::is_underway)
        && whole.rules.iter().filter(stops).all(|rule| rule.name == "in-flight")
        && emergency.decision() == "denied"
}

/// The first rule with an outcome, and how many more there are.
fn first(rules: Option<&[RuleOutcome]>, outcome: Outcome) -> String {
    let Some(rules) = rules else {
        return "the reasons are shown to those with an account".to_owned();
    };
    let found: Vec<&RuleOutcome> = rules.iter().filter(|rule| rule.outcome == outcome).collect();
    match found.as_slice() {
        [] => String::new(),
        [one] => line(&one.message),
        [one, more @ ..] => format!("{}; and {} more", line(&one.message), more.len()),
    }
}

/// Who is needed, in a line: `kim and stefan`.
pub(super) fn in_short(sight: &Sight<'_>, teams: &[TeamCount]) -> Markup {
    html! {
        @for team in missing(teams) {
            div.who {
                span { b { (Inert(&team.team)) } (still(team)) }
                @if team.could.is_empty() { " " em { "nobody is left who could" } } @else { (people(&team.could, sight.viewer)) }
            }
        }
    }
}

/// How many are missing, where it is more than one.
fn still(team: &TeamCount) -> String {
    match (team.need as usize).saturating_sub(team.by.len()) {
        0 | 1 => String::new(),
        more => format!(": {more} people"),
    }
}

/// Who is needed, and what they write.
pub(super) fn needed(sight: &Sight<'_>, emergency: &Emergency<'_>) -> Markup {
    let Some(names) = &emergency.seen.names else { return html! {} };
    let missing = missing(names.teams);
    let task = emergency.seen.task;
    let is_asked = |team: &&&TeamCount| team.could.iter().any(|name| super::words::is_viewer(name, sight.viewer));
    let is_asked_now = emergency.decision() == "pending";
    let mine = missing.iter().find(is_asked).copied().filter(|_| is_asked_now);
    html! {
        section #needed class={ "needed " (emergency.decision()) } {
            h2 { @if emergency.is_old || missing.is_empty() || is_asked_now { "Who is needed now" } @else { "Who is needed once that is mended" } }
            @if emergency.is_old {
                p { "Not known: the task could not be read anew." }
            } @else if missing.is_empty() {
                (nobody(task, emergency, names.teams.is_empty()))
            } @else {
                @if let Some(team) = mine { p.yours { b { "You are asked" } " for " b { (Inert(&team.team)) } "." } }
                ul.teams { @for team in &missing { li { (of_team(sight, team, names.paging.iter().find(|paging| paging.team == team.team))) } } }
                // While something else stands in the way nobody is asked yet.
                @if is_asked_now { (how(sight, emergency, &missing)) (by_hand(sight, emergency, &missing)) }
            }
        }
    }
}

/// What is said where no approval is missing.
fn nobody(task: TaskId, emergency: &Emergency<'_>, is_unknown: bool) -> Markup {
    html! {
        @match emergency.decision() {
            "allowed" => {
                p { b { "Nobody any more." } " It may be deployed; the gate reads the task once more before it starts." }
                p.how { "The deployer types " (to_copy(&format!("phabgate run {task} -- COMMAND"))) }
            }
            "undecided" if is_unknown => p { "Not known before the task can be judged." },
            _ => p { "No approval is missing. What stands in the way has to be mended first." },
        }
    }
}

fn of_team(sight: &Sight<'_>, team: &TeamCount, paging: Option<&TeamPaging>) -> Markup {
    html! {
        p.team {
            b { (Inert(&team.title)) }
            span.count { (team.by.len()) " of " (team.need) }
            @if !team.by.is_empty() { span.quiet { "by " (row(&team.by.iter().map(|user| line(user)).collect::<Vec<_>>())) } }
        }
        @match paging.filter(|paging| !paging.who.on_call.is_empty()) {
            _ if team.could.is_empty() => p.bad { "Nobody is left who could." },
            Some(TeamPaging { who, .. }) => {
                p.how { "On call" } (people(&who.on_call, sight.viewer))
                @if !who.others.is_empty() { p.how { "Could approve too" } (people(&who.others, sight.viewer)) }
            }
            None => (people(&team.could, sight.viewer)),
        }
        @if let Some(paging) = paging { (paged(sight, paging)) }
        p.write { span { "writes" } (to_copy(&format!("Emergency-Approve: {}", team.team))) }
    }
}

/// Who was paged, and who answered.
fn paged(sight: &Sight<'_>, paging: &TeamPaging) -> Markup {
    let what = |page: &PageShown| match (page.reached, page.stage) {
        (Reached::Tried, _) => "Not paged yet, though it is tried, for ",
        (Reached::GivenUp, _) => "Perhaps not paged, which was tried and is given up, ",
        (Reached::Accepted, Stage::Escalation) => "Paged again ",
        (Reached::Accepted, _) => "Paged ",
    };
    html! {
        // While somebody's answer holds it, nothing is tried.
        @for page in paging.pages.iter().filter(|page| page.reached != Reached::Tried || paging.ack.is_none()) {
            p.paged { (what(page)) (ago(sight.now, page.at)) @if page.reached == Reached::Tried { ", since " } @else { " ago, at " } (at(sight.now, page.at)) }
        }
        @if let Some((by, until)) = &paging.ack {
            p.paged { b { (Inert(by)) } " has seen it; until " (at(sight.now, *until)) " nobody is paged" @if paging.accepted().next().is_some() { " again" } "." }
        }
        @if let Some(note) = &paging.who.note { p.quiet { (line(note)) "." } }
    }
}

/// What to do where nobody answers and nobody is paged by the service, with the words to paste; a drill pages nobody.
fn by_hand(sight: &Sight<'_>, emergency: &Emergency<'_>, missing: &[&TeamCount]) -> Markup {
    let Seen { task, url, names, whole, .. } = &emergency.seen;
    let is_drill = names.as_ref().is_none_or(|names| names.drill);
    // Names alone are shown of what everybody with an account may see.
    let (audience, category) = match whole {
        Some(whole) => (whole.subject.audience, whole.subject.category.as_deref()),
        None => (Some(Audience::Users), None),
    };
    let teams: Vec<&str> = missing.iter().map(|team| team.team.as_str()).collect();
    html! {
        @if let Some(escalation) = sight.by_hand.filter(|_| !is_drill) {
            p.how { "Nobody answers? " (line(escalation.trim_end_matches('.'))) ". Words to paste: " (to_copy(&page_words(*task, url, audience, category, &teams))) }
        }
    }
}

fn how(sight: &Sight<'_>, emergency: &Emergency<'_>, missing: &[&TeamCount]) -> Markup {
    let Seen { task, url, names, .. } = &emergency.seen;
    let code = names.as_ref().and_then(|names| names.code);
    html! {
        p.how { "Alone on a line, as a comment on the task." }
        p.act { a.button href={ (url) "#reply" } rel="noreferrer noopener" { "Answer on the task" } }
        p.how { "Or in a terminal " (to_copy(&sight.invocation.command(&format!("approve {task}")))) }
        @if let Some(((channel, accounts), code)) = sight.channel.zip(code) {
            @let is_listed = |name: &&String| accounts.iter().any(|listed| listed.is_of(name));
            @if !sight.is_in_channel && missing.iter().any(|team| team.could.iter().any(|name| is_listed(&name))) {
                p.how { "Not on IRC at the moment: the bot is not in " (Inert(channel)) ", and hears nothing that is said there." }
            }
            @for team in missing.iter().filter(|_| sight.is_in_channel) {
                @let listed: Vec<String> = team.could.iter().filter(is_listed).map(|name| line(name)).collect();
                @if !listed.is_empty() {
                    p.how {
                        "Or on IRC in " (Inert(channel)) ", "
                        @if listed.len() < team.could.len() { "only " (row(&listed)) " can" } @else { (row(&listed)) } ": "
                        (to_copy(&format!("!approve {task} {} {code}", team.team)))
                    }
                }
            }
        }
    }
}
