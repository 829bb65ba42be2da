//! The answers of the channel: what is said of an emergency to readers without an account who ask.
//!
//! Responsible for their words, and for what of a task they may hold: of a public one its category and teams, of one that everybody with an
//! account sees its number, teams and names, of a restricted one the number alone. Not responsible for what is said unasked
//! ([`super::announcements`]).

use jiff::{SignedDuration, Timestamp};

use super::announcements::{Nick, deployer, rejecters};
use super::sentence::{Sentence, is_restricted};
use crate::ids::TaskId;
use crate::irc::{Draft, Line};
use crate::paging::Stage;
use crate::rules::{Decision, Outcome, TeamCount};
use crate::serve::board::WatchedTask;
use crate::serve::paging::{AckOutcome, TeamPaging};
use crate::time::rough;
use crate::witness::Code;

/// Where an emergency stands, with the pages of the teams that it lacks.
pub(super) fn status(watched: &WatchedTask, paging: &[TeamPaging], code: Option<Code>, now: Timestamp) -> Line {
    let since = rough(now.duration_since(watched.episode.since));
    let sentence = Sentence::about(watched.task);
    if is_restricted(watched) {
        return sentence.words(&format!(" has been an open emergency for {since}")).link(watched);
    }
    if let Some(deploy) = watched.deploys.iter().find(|deploy| deploy.is_underway()) {
        return deployer(sentence.words(" is being deployed"), watched, deploy).link(watched);
    }
    let mut missing = watched.verdict.missing_teams().peekable();
    let sentence = match (&watched.verdict.decision, missing.peek().is_some()) {
        (Decision::Allowed(_), _) => sentence.words(" is approved and may be deployed"),
        (Decision::Pending, true) => {
            let mut sentence = sentence.words(" waits for ");
            for (at, team) in missing.enumerate() {
                sentence = sentence.words(if at > 0 { ", " } else { "" }).name(&team.title);
                // What is written of a team is its key.
                let key = Some(team.team.clone()).filter(|key| !key.eq_ignore_ascii_case(&team.title));
                let beside: Vec<String> = key.into_iter().chain(reached(of_team(paging, team), now)).collect();
                if !beside.is_empty() {
                    sentence = sentence.words(" (").name(&beside.join("; ")).words(")");
                }
            }
            sentence
        }
        (Decision::Pending, false) => sentence.words(" waits"),
        (Decision::Denied, _) if is_rejected(watched) => {
            rejecters(sentence.words(" is REJECTED"), watched).words(" until that is taken back")
        }
        (Decision::Denied, _) => sentence.words(" may not be deployed as it stands"),
        (Decision::Undecided, _) => sentence.words(" could not be read"),
    };
    let sentence = sentence.words(&format!(", open for {since}"));
    // What is rejected is not approved by a code.
    let is_over = matches!(watched.verdict.decision, Decision::Allowed(_)) || is_rejected(watched);
    match code.filter(|_| !is_over) {
        None => sentence.link(watched),
        Some(code) => approved_by(sentence, watched, code).link(watched),
    }
}

/// With what is written to approve, where that fits, else with the code alone.
fn approved_by(sentence: Sentence, watched: &WatchedTask, code: Code) -> Sentence {
    let mut missing = watched.verdict.missing_teams().map(|team| team.team.as_str());
    let team = match (missing.next(), missing.next()) {
        (Some(team), None) => team,
        _ => "TEAM",
    };
    let whole = sentence.clone().words(&format!("; to approve: !approve {} {team} {code}", watched.task));
    let fits = whole.clone().words(" -- ").words(&watched.subject.url).fits();
    if fits { whole } else { sentence.words(&format!(", code {code}")) }
}

fn is_rejected(watched: &WatchedTask) -> bool {
    watched.verdict.rule("rejected").is_some_and(|rule| rule.outcome == Outcome::Fail)
}

fn of_team<'a>(paging: &'a [TeamPaging], team: &TeamCount) -> Option<&'a TeamPaging> {
    paging.iter().find(|paging| paging.team == team.team)
}

/// Who of a team looks at it and holds its pages, else when it was paged last; `None` where neither is so.
fn reached(team: Option<&TeamPaging>, now: Timestamp) -> Option<String> {
    let team = team?;
    if let Some((user, until)) = &team.ack {
        return Some(format!("seen by {user}, pages held until {}", until.strftime("%H:%M UTC")));
    }
    let last = team.accepted().max_by_key(|page| page.at)?;
    let again = if last.stage == Stage::Escalation { " again" } else { "" };
    Some(format!("paged{again} {} ago", rough(now.duration_since(last.at).max(SignedDuration::ZERO))))
}

/// Who can give what is missing, by nick, with the pages of these teams.
pub(super) fn who(watched: &WatchedTask, paging: &[TeamPaging], nick: Nick<'_>, now: Timestamp) -> Line {
    let sentence = Sentence::about(watched.task);
    if is_restricted(watched) {
        return sentence.words(" is restricted: who is needed is said on it").link(watched);
    }
    let missing: Vec<&TeamCount> = watched.verdict.missing_teams().collect();
    if missing.is_empty() {
        return sentence.words(" lacks nobody's approval").link(watched);
    }
    let mut sentence = sentence.words(" lacks ");
    for (at, team) in missing.into_iter().enumerate() {
        let paging = of_team(paging, team);
        let (is_on_call, asked) = paging
            .map_or((false, team.could.as_slice()), |paging| (!paging.who.on_call.is_empty(), paging.who.asked()));
        let on_call = if is_on_call { "on call: " } else { "" };
        sentence = sentence.words(if at > 0 { "; " } else { "" }).name(&team.title).words(" (").words(on_call);
        let names: Vec<String> = asked.iter().map(|name| nick(name)).collect();
        let reached = reached(paging, now).map(|reached| format!("; {reached}"));
        sentence = sentence.names(names.iter().map(String::as_str)).name(&reached.unwrap_or_default()).words(")");
    }
    sentence.link(watched)
}

/// What the bot understands.
pub(super) fn help() -> Line {
    Draft::about_none()
        .words("I understand !status, !who and !ack with the number of a task. An approval is a comment on the task; nothing that is said here is one.")
        .finish()
}

/// What an acknowledgement did.
pub(super) fn acknowledged(nick: &str, task: TaskId, outcome: &AckOutcome, now: Timestamp) -> Line {
    match outcome {
        AckOutcome::NoEmergency => no_emergency(nick, task, true),
        AckOutcome::MayNot => nobody(nick, task, "no team lacks an approval that your account could give"),
        AckOutcome::Holds { teams, until } => {
            let mut draft = to(nick, task).words("nobody is paged for ");
            for (at, team) in teams.iter().enumerate() {
                draft = draft.words(if at > 0 { ", " } else { "" }).quoted(team);
            }
            draft.words(&format!(" about {task} for {}; it is no approval", rough(until.duration_since(now)))).finish()
        }
    }
}

/// Why an acknowledgement holds nothing: nobody knows whose it is.
pub(super) fn nobody(nick: &str, task: TaskId, why: &str) -> Line {
    let what_does = "; a comment on the task by a member of the team holds its pages too";
    to(nick, task).words("that holds no page: ").words(why).words(what_does).finish()
}

/// The same words of every task, there or not, by whether the open emergencies were listed since the start.
pub(super) fn no_emergency(nick: &str, task: TaskId, are_listed: bool) -> Line {
    let words = match are_listed {
        true => format!("{task} is no open emergency that I know"),
        false => {
            "I have just started, and do not know yet which emergencies are open; ask again in a minute".to_owned()
        }
    };
    to(nick, task).words(&words).finish()
}

/// A line about a task to somebody.
fn to(nick: &str, task: TaskId) -> Draft {
    Draft::about(task).quoted(nick).words(": ")
}
