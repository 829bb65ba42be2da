//! The lines that the watch says of an emergency by itself, to readers without an account.
//!
//! Responsible for their words, and for what of a task they may hold: of a public one its category and teams, of one that everybody with an
//! account sees its number, teams and names, of a restricted one the number alone. Who is addressed is named by nick, who is reported of by
//! the name of their account. Not responsible for when one is said ([`super::news`]).

use super::facts::{EndedTask, Word};
use super::news::News;
use super::sentence::{NAMED, Sentence, is_restricted};
use crate::evidence::Ending;
use crate::ids::TransactionId;
use crate::irc::{Draft, Line};
use crate::paging::{Stage, WhoToAsk};
use crate::record::Outcome;
use crate::rules::TeamCount;
use crate::serve::audience::Audience;
use crate::serve::board::WatchedTask;
use crate::serve::deploys::{Deploy, DeployState};
use crate::serve::notices::unread;
use crate::witness::Code;

/// What somebody is called in the channel, by the name of their account.
pub(super) type Nick<'a> = &'a dyn Fn(&str) -> String;

/// Who is called by an ask.
pub(super) struct Called<'a> {
    /// Those of the team.
    pub(super) who: &'a WhoToAsk,
    /// The conductor, by nick, where this ask calls them.
    pub(super) conductor: Option<&'a str>,
    /// What people are called.
    pub(super) nick: Nick<'a>,
}

/// A team is asked for its approval, here too where there is a code that names what is approved.
pub(super) fn asked(watched: &WatchedTask, team: &TeamCount, called: &Called<'_>, code: Option<Code>) -> Line {
    let drill = if watched.subject.drill { " (a drill)" } else { "" };
    let sentence = Sentence::about(watched.task).words(" is an emergency deploy").words(drill);
    if is_restricted(watched) {
        return sentence.words(" that waits for an approval").link(watched);
    }
    let sentence = match (watched.audience, &watched.subject.category) {
        (Audience::Public, Some(category)) => sentence.words(" for ").name(category),
        _ => sentence,
    };
    let sentence = sentence.words(" that waits for ").name(&team.title);
    let write = format!(": write the line \"Emergency-Approve: {}\" on {}", team.team, watched.subject.url);
    let or_say = code.map(|code| format!(" or say here: !approve {} {} {code}", watched.task, team.team));
    let whole = |most| {
        let sentence = calling(sentence.clone(), called, most);
        sentence.words(&write).words(or_say.as_deref().unwrap_or_default())
    };
    // What is to be written is worth more than names.
    let fewer = [NAMED, 3, 1].into_iter().find(|most| whole(*most).fits());
    whole(fewer.unwrap_or_default()).end()
}

/// A team is asked again, which nobody answered for so long, with what people do then.
pub(super) fn asked_again(watched: &WatchedTask, team: &TeamCount, called: &Called<'_>, escalation: &str) -> Line {
    let sentence = Sentence::about(watched.task).words(" still waits for ");
    let sentence = match is_restricted(watched) {
        true => sentence.words("an approval"),
        false => calling(sentence.name(&team.title), called, NAMED),
    };
    sentence.words(". Nobody answers? ").name(escalation).link(watched)
}

/// Who is called, in brackets: so many of the team at most.
fn calling(sentence: Sentence, called: &Called<'_>, most: usize) -> Sentence {
    let Called { who, conductor, nick } = *called;
    let asked: Vec<String> = who.asked().iter().map(|name| nick(name)).collect();
    let names = |sentence: Sentence| sentence.most_names(asked.iter().map(String::as_str), most);
    match (asked.is_empty(), conductor) {
        (true, None) => sentence,
        (false, None) => names(sentence.words(" (")).words(")"),
        (true, Some(conductor)) => sentence.words(" (conductor: ").name(conductor).words(")"),
        (false, Some(conductor)) => names(sentence.words(" (")).words("; conductor: ").name(conductor).words(")"),
    }
}

/// Something that is news; `None` where nothing of it may be said.
pub(super) fn news(watched: &WatchedTask, news: &News, nick: Nick<'_>) -> Option<Line> {
    let sentence = Sentence::about(watched.task);
    let of = |wanted: &_| watched.deploys.iter().find(|deploy| deploy.deploy == *wanted);
    Some(match news {
        News::Drill(turn) => {
            let (stated, words, did) = match News::says_drill(*turn) {
                true => (&watched.channel.drill, " is a drill", " declared it one"),
                false => (&watched.channel.no_drill, " is no drill any more", " took that back"),
            };
            let sentence = sentence.words(words);
            let sentence = match stated {
                Some(word) if !is_restricted(watched) => sentence.words(": ").name(&word.user).words(did),
                _ => sentence,
            };
            let last = News::is_last_of_drill(*turn);
            sentence.words(if last { "; the task says whether that changes" } else { "" }).link(watched)
        }
        News::Rejected { transaction, .. } => {
            let word = written(&watched.channel.rejections, *transaction)?;
            let sentence = sentence.words(" is REJECTED");
            let sentence = match is_restricted(watched) {
                true => sentence,
                false => sentence.words(" by ").name(&word.user),
            };
            sentence.words(" and may not be deployed").link(watched)
        }
        News::Withdrawn { transaction, ends } => {
            let word = written(&watched.channel.withdrawals, *transaction)?;
            let sentence = if ends.is_some() { sentence.words(" is not approved any more") } else { sentence };
            match is_restricted(watched) {
                true => ends.map(|_| sentence.link(watched))?,
                false => {
                    let sentence = sentence.words(": ").name(&word.user).words(" took their approval back, and it ");
                    missing(sentence, watched).link(watched)
                }
            }
        }
        News::Unread { which, .. } => {
            let all = unread(&watched.verdict, watched.episode.since);
            let found = all.into_iter().find(|unread| unread.which == *which).filter(|_| !is_restricted(watched))?;
            let sentence = match found.stops {
                true => sentence.words(" may not be deployed: "),
                false => sentence.words(": "),
            };
            let sentence = sentence.name(&nick(&found.user));
            let sentence = match found.stops {
                true => sentence.words(" wrote what reads as a no. Write there, alone on a line, "),
                false => sentence.words(" meant an answer that does not count. Write there, alone on a line, "),
            };
            sentence.name(&found.write).link(watched)
        }
        News::Paged { team, stage, .. } => {
            let team = watched.verdict.missing_teams().find(|missing| missing.team == *team)?;
            let sentence = if watched.subject.drill { sentence.words(" (a drill): ") } else { sentence.words(": ") };
            // Who is to be called where a page is answered by nobody is said by another line.
            let paged = match stage {
                Stage::Escalation => " was paged again",
                _ => " was paged; nobody needs to page it by hand",
            };
            match is_restricted(watched) {
                true => sentence.words("a team").words(paged).link(watched),
                false => sentence.name(&team.title).words(paged).link(watched),
            }
        }
        News::Ready(_) => {
            let by: Vec<&str> = watched.verdict.teams.iter().flat_map(|team| &team.by).map(String::as_str).collect();
            let sentence = sentence.words(" is approved and may be deployed");
            match is_restricted(watched) || by.is_empty() {
                true => sentence.link(watched),
                false => sentence.words(" (yes of ").names(by.into_iter()).words(")").link(watched),
            }
        }
        News::Lost(_) => {
            let sentence = sentence.words(" is not approved any more");
            let is_rejected = !watched.channel.rejections.is_empty();
            match (is_restricted(watched), is_rejected, watched.verdict.missing_teams().next().is_some()) {
                (true, _, _) => sentence.link(watched),
                (false, true, _) => rejecters(sentence.words(": it is REJECTED"), watched).link(watched),
                (false, false, true) => missing(sentence.words(": it "), watched).link(watched),
                (false, false, false) => sentence.words(": something on it may be a no").link(watched),
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
        News::Logged(deploy) => log(watched, of(deploy)?),
    })
}

fn written(words: &[Word], transaction: TransactionId) -> Option<&Word> {
    words.iter().find(|word| word.transaction == transaction)
}

/// Which teams it waits for.
fn missing(sentence: Sentence, watched: &WatchedTask) -> Sentence {
    let teams: Vec<&str> = watched.verdict.missing_teams().map(|team| team.title.as_str()).collect();
    sentence.words("waits for ").names(teams.into_iter())
}

/// By whom it is rejected, where that is known.
pub(super) fn rejecters(sentence: Sentence, watched: &WatchedTask) -> Sentence {
    let mut names: Vec<&str> = watched.channel.rejections.iter().map(|word| word.user.as_str()).collect();
    names.dedup();
    if names.is_empty() { sentence } else { sentence.words(" by ").names(names.into_iter()) }
}

/// Who deploys.
pub(super) fn deployer(sentence: Sentence, watched: &WatchedTask, deploy: &Deploy) -> Sentence {
    match deploy.deployer.as_deref().filter(|_| !is_restricted(watched)) {
        Some(name) => sentence.words(" (by ").name(name).words(")"),
        None => sentence,
    }
}

/// The line for the log of the site: one a deploy names its task.
fn log(watched: &WatchedTask, deploy: &Deploy) -> Line {
    let sentence = Sentence(Draft::about(watched.task).words("!log emergency deploy started"));
    deployer(sentence, watched, deploy).words(&format!(" ({})", watched.task)).end()
}

/// An emergency is over, by what its last moment may be said of it.
pub(super) fn ended(ended: &EndedTask) -> Line {
    let sentence = Sentence::about(ended.task).words(" ended as an emergency");
    if ended.audience == Audience::Restricted {
        return sentence.link_to(&ended.url);
    }
    let did = match ended.how {
        Ending::Untagged => " took the tag away",
        Ending::Closed => " closed it",
    };
    sentence.words(": ").name(&ended.by).words(did).link_to(&ended.url)
}
