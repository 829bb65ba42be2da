//! What is answered to who said a word.
//!
//! Responsible for the words. Not responsible for when they are said.

use super::judge::Refusal;
use super::spoken::SpokenWord;
use crate::ids::{TaskId, TransactionId};
use crate::irc::{Draft, Line};
use crate::witness::WitnessedWord;

pub(super) fn verb(word: WitnessedWord) -> &'static str {
    match word {
        WitnessedWord::Approve => "yes",
        WitnessedWord::Withdraw => "withdrawal",
        WitnessedWord::Reject => "no",
    }
}

fn to(word: &SpokenWord) -> Draft {
    Draft::about(word.task).quoted(&word.nick).words(": ")
}

/// It is on the task.
pub(super) fn recorded(word: &SpokenWord, url: &str, transaction: TransactionId) -> Line {
    let line = to(word).words(&format!("your {} is recorded: {url}#{transaction}", verb(word.word)));
    if names_another(word) { line.words(" for this task alone: say it of each").finish() } else { line.finish() }
}

/// Whether what follows the task is another one: a word is about one.
fn names_another(word: &SpokenWord) -> bool {
    let first = word.why.as_deref().and_then(|why| why.split_whitespace().next());
    first.is_some_and(|first| first.trim_end_matches([',', ';', ':', '.']).parse::<TaskId>().is_ok())
}

/// It is not on the task, and is not written there.
pub fn not_recorded(word: &SpokenWord, why: &Refusal, url: Option<&str>) -> Line {
    let draft = to(word).words("REFUSED: ");
    // Of a task that nobody here is to know, nothing else is said than of one that is not there.
    if *why == Refusal::NoEmergency {
        return draft.words(&format!("{} is no open emergency that I know", word.task)).finish();
    }
    let draft = draft.quoted(&why.to_string());
    match (url, why) {
        (None, _) => draft.finish(),
        // What would not count on the task either is not advised, nor what stands there.
        (
            Some(url),
            Refusal::OtherCode { .. }
            | Refusal::StatedSince { .. }
            | Refusal::NoTeam
            | Refusal::NoMember
            | Refusal::MayNot(_)
            | Refusal::Superseded
            | Refusal::NoStands,
        ) => draft.words(" -- ").words(url).finish(),
        (Some(url), _) => {
            let team = word.team.as_deref().unwrap_or("TEAM");
            let key = match word.word {
                WitnessedWord::Approve => "Emergency-Approve",
                WitnessedWord::Withdraw => "Emergency-Withdraw",
                WitnessedWord::Reject => "Emergency-Reject",
            };
            let draft = draft.words(". Write on the task, alone on a line, \"").words(key).words(": ").quoted(team);
            draft.words("\" -- ").words(url).finish()
        }
    }
}

/// It is not on the task yet, and is written there as soon as that can be.
pub(super) fn not_yet(word: &SpokenWord, url: &str) -> Line {
    let does = format!("your {} is NOT on the task yet, and is tried on; write it there too -- {url}", verb(word.word));
    to(word).words(&does).finish()
}

/// Whether it is on the task is not known.
pub(super) fn unclear(word: &SpokenWord, url: &str) -> Line {
    let does = format!("it is not clear whether your {} is on the task; write it there -- {url}", verb(word.word));
    to(word).words(&does).finish()
}

/// What can be said about a deploy, where that is written on its task.
pub fn usage(is_accepted: bool) -> Line {
    let approve = if is_accepted { "!approve T… TEAM CODE, " } else { "" };
    let draft =
        Draft::about_none().words("I understand !status, !who, !ack with the number of a task, and ").words(approve);
    draft
        .words("!reject T… and !withdraw T… in the channel, which I write on the task: only \"recorded: LINK\" says that I did, \"REFUSED\" that I will not. No answer within 15 s: I heard nothing, so write it on the task.")
        .finish()
}
