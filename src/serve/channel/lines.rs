//! The lines of the channel: what is said of an emergency to readers without an account.
//!
//! Responsible for their words, and for what of a task they may hold: of a public one its category and teams, of one that everybody with an
//! account sees its number, teams and names, of a restricted one the number alone. Not responsible for when one is said.

use jiff::Timestamp;

use super::news::News;
use crate::ids::TaskId;
use crate::irc::bot::NearMiss;
use crate::irc::{Draft, Line};
use crate::paging::WhoToAsk;
use crate::record::Outcome;
use crate::rules::{Decision, TeamCount};
use crate::serve::audience::Audience;
use crate::serve::board::WatchedTask;
use crate::serve::deploys::{Deploy, DeployState};
use crate::serve::paging::AckOutcome;
use crate::time::rough;
use crate::witness::Code;

/// How many people of a team are named.
const NAMED: usize = 6;

/// A draft about a task with names of others in it.
struct Sentence(Draft);

impl Sentence {
    fn about(watched: &WatchedTask) -> Self {
        Self(Draft::about(watched.task).words(&watched.task.to_string()))
    }

    fn words(self, words: &str) -> Self {
        Self(self.0.words(words))
    }

    fn name(self, name: &str) -> Self {
        Self(self.0.quoted(name))
    }

    fn names<'a>(mut self, names: impl ExactSizeIterator<Item = &'a str>) -> Self {
        let more = names.len().saturating_sub(NAMED);
        for (at, name) in names.take(NAMED).enumerate() {
            if at > 0 {
                self = self.words(", ");
            }
            self = self.name(name);
        }
        if more > 0 { self.words(&format!(" and {more} more")) } else { self }
    }

    /// Where the task is, which whoever may not see it is not shown either.
    fn link(self, watched: &WatchedTask) -> Line {
        self.words(" -- ").words(&watched.subject.url).0.finish()
    }

    fn end(self) -> Line {
        self.0.finish()
    }
}

fn is_restricted(watched: &WatchedTask) -> bool {
    watched.audience == Audience::Restricted
}

/// A team is asked for its approval, here too where there is a code that names what is approved.
pub(super) fn asked(watched: &WatchedTask, team: &TeamCount, who: &WhoToAsk, code: Option<Code>) -> Line {
    let drill = if watched.subject.drill { " (a drill)" } else { "" };
    let sentence = Sentence::about(watched).words(" is an emergency deploy").words(drill);
    if is_restricted(watched) {
        return sentence.words(" that waits for an approval").link(watched);
    }
    let sentence = match (watched.audience, &watched.subject.category) {
        (Audience::Public, Some(category)) => sentence.words(" for ").name(category),
        _ => sentence,
    };
    let sentence = sentence.words(" that waits for ").name(&team.title);
    let asked = who.asked();
    let sentence = match asked.is_empty() {
        true => sentence,
        false => sentence.words(" (").names(asked.iter().map(String::as_str)).words(")"),
    };
    let write = format!(": to approve, write there, alone on a line, \"Emergency-Approve: {}\"", team.team);
    let or_here = code.map(|code| format!(", or here: !approve {} {} {code}", watched.task, team.team));
    sentence.words(&write).words(&or_here.unwrap_or_default()).link(watched)
}

/// Something that is said by itself.
pub(super) fn news(watched: &WatchedTask, news: News) -> Option<Line> {
    let sentence = Sentence::about(watched);
    let of = |wanted| watched.deploys.iter().find(|deploy| deploy.deploy == wanted);
    Some(match news {
        News::Ready(_) => {
            let by: Vec<&str> = watched.verdict.teams.iter().flat_map(|team| &team.by).map(String::as_str).collect();
            let sentence = sentence.words(" is approved and may be deployed");
            match is_restricted(watched) || by.is_empty() {
                true => sentence.link(watched),
                false => sentence.words(", by ").names(by.into_iter()).link(watched),
            }
        }
        News::Lost(_) => {
            let teams: Vec<&str> = watched.verdict.missing_teams().map(|team| team.title.as_str()).collect();
            let sentence = sentence.words(" is not approved any more");
            match is_restricted(watched) {
                true => sentence.link(watched),
                false => sentence.words(": it waits for ").names(teams.into_iter()).link(watched),
            }
        }
        News::Started(deploy) => deployer(sentence.words(" is being deployed"), watched, of(deploy)?).link(watched),
        News::Ended(deploy) => {
            let deploy = of(deploy)?;
            let DeployState::Ended { outcome, .. } = deploy.state else { return None };
            let how = match outcome {
                Some(Outcome::Succeeded) => " was deployed: it succeeded",
                Some(Outcome::Failed) => " was deployed: it FAILED",
                Some(Outcome::RolledBack) => " was rolled back",
                Some(Outcome::NotStarted) => " was not deployed: the command did not start",
                Some(Outcome::Unknown) | None => " was deployed, and nobody knows how it ended",
            };
            deployer(sentence.words(how), watched, deploy).link(watched)
        }
    })
}

fn deployer(sentence: Sentence, watched: &WatchedTask, deploy: &Deploy) -> Sentence {
    match deploy.deployer.as_deref().filter(|_| !is_restricted(watched)) {
        Some(name) => sentence.words(" (by ").name(name).words(")"),
        None => sentence,
    }
}

/// The line for the log of the site: one a deploy names its task.
pub(super) fn log(watched: &WatchedTask, deploy: &Deploy) -> Line {
    let sentence = Sentence(Draft::about(watched.task).words("!log emergency deploy started"));
    deployer(sentence, watched, deploy).words(&format!(" ({})", watched.task)).end()
}

/// Where an emergency stands; `None`: it is none that is open.
pub(super) fn status(watched: Option<&WatchedTask>, code: Option<Code>, now: Timestamp) -> Line {
    let Some(watched) = watched else { return no_emergency() };
    let since = rough(now.duration_since(watched.episode.since));
    let sentence = Sentence::about(watched);
    if is_restricted(watched) {
        return sentence.words(&format!(" is an open emergency since {since}")).link(watched);
    }
    if let Some(deploy) = watched.deploys.iter().find(|deploy| deploy.is_underway()) {
        return deployer(sentence.words(" is being deployed"), watched, deploy).link(watched);
    }
    let missing: Vec<&str> = watched.verdict.missing_teams().map(|team| team.title.as_str()).collect();
    let sentence = match (&watched.verdict.decision, missing.is_empty()) {
        (Decision::Allowed(_), _) => sentence.words(" is approved and may be deployed"),
        (Decision::Pending, false) => sentence.words(" waits for ").names(missing.into_iter()),
        (Decision::Pending, true) => sentence.words(" waits"),
        (Decision::Denied, _) => sentence.words(" may not be deployed as it stands"),
        (Decision::Undecided, _) => sentence.words(" could not be read"),
    };
    let code =
        code.filter(|_| !matches!(watched.verdict.decision, Decision::Allowed(_))).map(|code| format!(", code {code}"));
    sentence.words(&format!(", open since {since}")).words(&code.unwrap_or_default()).link(watched)
}

/// Who can give what is missing.
pub(super) fn who(watched: Option<&WatchedTask>, asked: impl Fn(&TeamCount) -> WhoToAsk) -> Line {
    let Some(watched) = watched else { return no_emergency() };
    let sentence = Sentence::about(watched);
    if is_restricted(watched) {
        return sentence.words(" is restricted: who is needed is said on it").link(watched);
    }
    let missing: Vec<&TeamCount> = watched.verdict.missing_teams().collect();
    if missing.is_empty() {
        return sentence.words(" lacks nobody's approval").link(watched);
    }
    let mut sentence = sentence.words(" lacks ");
    for (at, team) in missing.into_iter().enumerate() {
        let who = asked(team);
        let on_call = if who.on_call.is_empty() { "" } else { "on call: " };
        sentence = sentence.words(if at > 0 { "; " } else { "" }).name(&team.title).words(" (").words(on_call);
        sentence = sentence.names(who.asked().iter().map(String::as_str)).words(")");
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
pub(super) fn acknowledged(task: TaskId, outcome: &AckOutcome, now: Timestamp) -> Line {
    match outcome {
        AckOutcome::NoEmergency => no_emergency(),
        AckOutcome::MayNot => Draft::about(task)
            .words("that holds no page: no team lacks an approval that your account could give")
            .finish(),
        AckOutcome::Holds { teams, until } => {
            let mut draft = Draft::about(task).words("nobody is paged for ");
            for (at, team) in teams.iter().enumerate() {
                draft = draft.words(if at > 0 { ", " } else { "" }).quoted(team);
            }
            draft.words(&format!(" for {}; it is no approval", rough(until.duration_since(now)))).finish()
        }
    }
}

/// Why an acknowledgement holds nothing: nobody knows whose it is.
pub(super) fn nobody(task: TaskId, why: &str) -> Line {
    Draft::about(task).words("that holds no page: ").words(why).finish()
}

/// What is said of a line that is no command.
pub(super) fn near_miss(miss: NearMiss) -> Line {
    Draft::about_none()
        .words(&format!("NOT understood ({}). It is written {}", miss.flaw, miss.verb.usage().replace("T1", "T…")))
        .finish()
}

/// The same words whatever the number.
fn no_emergency() -> Line {
    Draft::about_none().words("that is no open emergency that I know").finish()
}
