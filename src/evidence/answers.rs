//! The answers on a task: who said yes, no or never mind, for which teams and since when.
//!
//! Responsible for reading them out of the comments, up to a moment. Not responsible for whether an answer counts.

use jiff::Timestamp;

use super::spoken::Spoken;
use super::timeline::{AsOf, Comment, Moment, Position, Tie, Timeline};
use super::trailers::{self, Teams};
use crate::conduit::CommentVersion;
use crate::ids::{Phid, User};
use crate::policy::Policy;
use crate::witness::WitnessedWord;

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// Yes.
    Approve,
    /// Never mind.
    Withdraw,
    /// No.
    Reject,
}

impl From<WitnessedWord> for AnswerKind {
    fn from(word: WitnessedWord) -> Self {
        match word {
            WitnessedWord::Approve => Self::Approve,
            WitnessedWord::Withdraw => Self::Withdraw,
            WitnessedWord::Reject => Self::Reject,
        }
    }
}

/// An answer that somebody wrote on the task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Who.
    pub author: Phid<User>,
    /// Yes or no.
    pub kind: AnswerKind,
    /// For which teams.
    pub teams: Teams,
    /// Why, where it says so.
    pub why: String,
    /// When, as it counts.
    pub moment: Moment,
    /// It was not there from the first version of the comment.
    pub edited_in: bool,
    /// Somebody else than the author of the comment wrote this version of it.
    pub foreign: bool,
    /// It is certain enough to take back a no: understood, its author's, and there by that moment.
    pub certain: bool,
    /// The line as written, where it is none by the letter and counts all the same: nothing but its form was missed.
    pub near: Option<String>,
    /// The services account as which they said it on IRC, where a witness wrote it down: then the moment is that of the witness.
    pub heard_as: Option<String>,
    /// What they had seen when they said it there: it takes back no no that came after.
    pub seen: Option<Seen>,
}

impl Answer {
    /// Whether they said it on IRC, and a witness wrote it down.
    pub fn is_witnessed(&self) -> bool {
        self.heard_as.is_some()
    }
}

/// What somebody had seen when they said something elsewhere than on the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Of the task: all before this place.
    pub position: Position,
    /// When they said it, by the clock of where they did.
    pub said: Timestamp,
}

impl Seen {
    /// Whether another answer of the same person came before.
    pub fn includes(&self, other: &Answer) -> bool {
        match &other.seen {
            Some(other) => other.said <= self.said,
            None => other.moment.position <= self.position,
        }
    }
}

/// Every answer up to a moment, or up to now, oldest first.
pub(super) fn answers(timeline: &Timeline, policy: &Policy, as_of: Option<AsOf>) -> Vec<Answer> {
    let kinds = [(AnswerKind::Approve, Tie::Loses), (AnswerKind::Withdraw, Tie::Wins), (AnswerKind::Reject, Tie::Wins)];
    let mut answers = Vec::new();
    for comment in timeline.comments(as_of) {
        let Ok(author) = Phid::new(comment.transaction.author.as_str()) else { continue };
        if comment.newest().removed {
            continue;
        }
        // Whether an edit of the very second of that moment was there by then cannot be known.
        let unsure =
            |version: &CommentVersion| version.version > 1 && as_of.is_some_and(|as_of| as_of.time == version.created);
        let foreign = |version: &CommentVersion| version.author != comment.transaction.author;
        for (kind, tie) in kinds {
            let said = match kind {
                AnswerKind::Approve => said(&comment, kind, policy, |_| false),
                // What speaks against the deploy is lifted by an edit that is its author's and was there in time.
                AnswerKind::Withdraw | AnswerKind::Reject => {
                    said(&comment, kind, policy, |version| unsure(version) || foreign(version))
                }
            };
            let Some((version, said)) = said else { continue };
            let value = said.value;
            let moment = timeline.moment_of_version(comment.transaction, version, tie);
            if kind == AnswerKind::Approve && unsure(version) {
                continue;
            }
            let (teams, why) = match kind {
                AnswerKind::Approve => (trailers::teams_of_approval(value, policy), ""),
                AnswerKind::Withdraw | AnswerKind::Reject => trailers::teams_of_refusal(value, policy),
            };
            let foreign = foreign(version);
            answers.push(Answer {
                author: author.clone(),
                kind,
                certain: matches!(teams, Teams::Named(_)) && !foreign && !unsure(version),
                teams,
                why: why.to_owned(),
                moment,
                edited_in: version.version > 1,
                foreign,
                near: said.near.map(str::to_owned),
                heard_as: None,
                seen: None,
            });
        }
    }
    answers.sort_by_key(|answer| answer.moment.position);
    answers
}

/// What a version says for one kind of answer.
#[derive(Debug, Clone, Copy)]
struct SaidAnswer<'a> {
    value: &'a str,
    /// The line, where it is no trailer by the letter.
    near: Option<&'a str>,
}

impl<'a> SaidAnswer<'a> {
    fn of(kind: AnswerKind, spoken: &'a Spoken, policy: &Policy) -> Option<Self> {
        let by_the_letter = |value| Self { value, near: None };
        match kind {
            AnswerKind::Approve => Self::approval(spoken, policy),
            AnswerKind::Withdraw => spoken.withdraw().map(by_the_letter),
            AnswerKind::Reject => spoken.reject().map(by_the_letter),
        }
    }

    /// The approval: by the letter, or missed by nothing but its form and all that the text says.
    fn approval(spoken: &'a Spoken, policy: &Policy) -> Option<Self> {
        let understood = |value: &str| matches!(trailers::teams_of_approval(value, policy), Teams::Named(_));
        let trailer = spoken.approve();
        if let Some((line, value)) = &spoken.lone_approval
            && !trailer.is_some_and(understood)
            && understood(value)
        {
            return Some(Self { value, near: Some(line) });
        }
        trailer.map(|value| Self { value, near: None })
    }
}

/// What a comment says for one kind of answer, looking behind versions that may not count; and the version since which it
/// says so without a break.
fn said<'a>(
    comment: &Comment<'a>,
    kind: AnswerKind,
    policy: &Policy,
    may_not_count: impl Fn(&CommentVersion) -> bool,
) -> Option<(&'a CommentVersion, SaidAnswer<'a>)> {
    let mut versions = comment.versions().iter().zip(comment.spoken());
    let of = |spoken: &'a Spoken| SaidAnswer::of(kind, spoken, policy);
    let (newest, found) = loop {
        let (version, spoken) = versions.next()?;
        match of(spoken) {
            Some(found) => break (version, found),
            None if may_not_count(version) => {}
            None => return None,
        }
    };
    let holds = |(version, spoken): &(&CommentVersion, &'a Spoken)| {
        !version.removed && of(spoken).is_some_and(|other| other.value == found.value)
    };
    let since = versions.take_while(holds).last().map_or(newest, |(version, _)| version);
    Some((since, found))
}
