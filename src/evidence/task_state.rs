//! The state that a timeline shows: since when the task is an emergency, what is stated about the deploy and since
//! when, and who answered what.
//!
//! Responsible for reading it out of the transactions, up to a moment. Not responsible for whether an answer counts.

use std::collections::BTreeSet;

use super::near_miss::{self, NearMiss};
use super::spoken::Spoken;
use super::statements::Statements;
use super::timeline::{AsOf, Comment, Moment, Tie, Timeline};
use super::trailers::{self, Key, Teams};
use super::{Evidence, Tag};
use crate::conduit::{Change, CommentVersion};
use crate::ids::{Phid, TransactionId, User};
use crate::policy::{Policy, WrittenReason};

/// What the task says, as of a moment.
#[derive(Debug, Clone)]
pub struct TaskState {
    /// Since when it carries the tag, where it does.
    pub tagged: Tagged,
    /// The statement of the reason that is in force.
    pub reason: Option<Statement>,
    /// The reason as the policy reads it.
    pub written: Option<WrittenReason>,
    /// Who is stated to deploy.
    pub deployer: Option<Statement>,
    /// What is stated to be done.
    pub action: Option<Statement>,
    /// What is stated to be deployed.
    pub change: Option<Statement>,
    /// Whether it is stated to be a drill.
    pub drill: Option<Statement>,
    /// The last time that what approvers agree to changed: the category, deployer, action or change.
    pub last_material_change: Option<MaterialChange>,
    /// The last time that the explanation changed while the category stayed, and by whom.
    pub reworded: Option<(Moment, String)>,
    /// Every answer, oldest first.
    pub answers: Vec<Answer>,
    /// Comments that are gone, oldest first.
    pub removals: Vec<Removal>,
    /// What members of the teams wrote that reads as an answer and is none by the letter, oldest first.
    pub near_misses: Vec<NearMiss>,
}

/// Since when a task carries the tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagged {
    /// It does, since then.
    Since(Moment),
    /// It did until then.
    Until(Moment),
    /// It never did.
    Never,
}

/// Where something was stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// In the custom field of the policy.
    Field,
    /// In the description.
    Description,
    /// In the comment of this transaction.
    Comment(TransactionId),
}

/// Something stated about the deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The value as written.
    pub value: String,
    /// Where.
    pub source: Source,
    /// Since when it stands there.
    pub since: Moment,
    /// Who wrote it, a PHID.
    pub author: String,
}

/// What changed about the deploy that approvers agree to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// What this trailer states.
    Stated(Key),
    /// A comment of somebody who may state it was removed: it may have stated anything.
    CommentRemoved,
}

/// The last change of what approvers agree to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaterialChange {
    /// What changed.
    pub what: Changed,
    /// When.
    pub moment: Moment,
    /// By whom, a PHID.
    pub author: String,
}

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
}

/// A comment that is gone, and may have said anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Whose comment it was, a PHID.
    pub author: String,
    /// When its last words were written.
    pub spoken: Moment,
    /// When what it may have said changed: when it was removed, or where it still stood at that moment, when it was written.
    pub removed: Moment,
    /// At the moment that is judged it still stood, and its text is not known any more.
    pub stood: bool,
    /// Who removed it, a PHID.
    pub by: String,
}

impl TaskState {
    /// Reads the state of a task up to a moment, or up to now.
    pub fn derive(evidence: &Evidence, policy: &Policy, as_of: Option<AsOf>) -> Self {
        let timeline = &evidence.timeline;
        let removals = removals(timeline, as_of);
        let statements = Statements::replay(evidence, policy, as_of, &removals);
        let effective = |key| statements.effective(key).cloned();
        let reason = effective(Key::Reason);
        let answers = answers(timeline, policy, as_of);
        Self {
            tagged: tagged(timeline, evidence.tag.as_ref(), as_of),
            written: reason.as_ref().map(|reason| policy.read_reason(&reason.value)),
            reason,
            deployer: effective(Key::Deployer),
            action: effective(Key::Action),
            change: effective(Key::Change),
            drill: effective(Key::Drill),
            last_material_change: statements.last_material_change,
            reworded: statements.reworded,
            near_misses: near_miss::near_misses(evidence, policy, as_of, &answers),
            answers,
            removals,
        }
    }
}

impl TaskState {
    /// Whether the task is stated to be a fire drill: the trailer says anything but no.
    pub fn is_drill(&self) -> bool {
        let no = |value: &str| matches!(value.to_ascii_lowercase().as_str(), "no" | "false" | "off");
        self.drill.as_ref().is_some_and(|stated| !no(&stated.value))
    }
}

pub(super) fn tagged(timeline: &Timeline, tag: Option<&Tag>, as_of: Option<AsOf>) -> Tagged {
    let mut carried = BTreeSet::new();
    let mut tagged = Tagged::Never;
    let Some(tag) = tag else { return tagged };
    for transaction in timeline.up_to(as_of) {
        let Change::Projects { added, removed } = &transaction.change else { continue };
        // What is added though it is there was taken away by a change that is not shown: it begins anew.
        for project in added {
            carried.remove(project);
        }
        let before = !carried.is_empty();
        carried.extend(added.iter().filter(|project| tag.family.contains(project)));
        for project in removed {
            carried.remove(project);
        }
        match (before, carried.is_empty()) {
            (false, false) => tagged = Tagged::Since(timeline.moment_of(transaction)),
            (true, true) => tagged = Tagged::Until(timeline.moment_of(transaction)),
            _ => {}
        }
    }
    tagged
}

pub(super) fn removals(timeline: &Timeline, as_of: Option<AsOf>) -> Vec<Removal> {
    // Also what was removed after that moment: its text is blank by now, so what it said at that moment is not known.
    let removal = |comment: Comment<'_>| {
        let gone = comment.removal()?;
        let moment = |version| timeline.moment_of_version(comment.transaction, version, Tie::Wins);
        let happened = comment.versions().iter().any(|version| version.version == gone.version);
        let words = comment.versions().iter().find(|version| !version.removed && version.version < gone.version);
        let spoken = words.map_or_else(|| timeline.moment_of(comment.transaction), moment);
        Some(Removal {
            author: comment.transaction.author.clone(),
            spoken,
            removed: if happened { moment(gone) } else { spoken },
            stood: !happened,
            by: gone.author.clone(),
        })
    };
    timeline.comments(as_of).filter_map(removal).collect()
}

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
