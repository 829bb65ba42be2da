//! What people said on IRC, as the witnesses wrote it on the task.
//!
//! Responsible for whose comments are believed to be witnesses, and for what each of them says of whom. A yes is kept apart from the answers of
//! the task: it counts only where the policy takes such ones and nothing speaks against it. What is said against a deploy is an answer like
//! any other, since a no is never passed over. Not responsible for what counts.

use jiff::SignedDuration;

use super::answers::{Answer, AnswerKind, Seen};
use super::removals::Removal;
use super::timeline::{AsOf, Comment, Moment, Position};
use super::trailers::Teams;
use super::{Evidence, Timeline};
use crate::ids::{Phid, User};
use crate::policy::Policy;
use crate::remarkup::JsonBlock;
use crate::witness::{Witness, WitnessedWord, parse};

/// How long after it was said a yes may be heard, and how long after that it may be on the task.
const PROMPT: SignedDuration = SignedDuration::from_secs(60);

/// A yes that somebody said on IRC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessedApproval {
    /// What was said. Its moment is right after what the task showed when it was heard: whatever came later, they had not seen.
    pub answer: Answer,
    /// When the witness was on the task.
    pub posted: Moment,
    /// Why it counts for nobody, whatever the policy.
    pub fault: Option<WitnessFault>,
    /// The task was restricted when it was heard.
    pub was_restricted: bool,
}

/// Why a witness counts for nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WitnessFault {
    /// Its comment was edited.
    Edited,
    /// It was on the task too late.
    Late,
    /// It is of another task, or names times or transactions that cannot be.
    Impossible,
    /// Its code is of something else than what the task stated then.
    OtherCode,
}

/// A comment that claims that somebody spoke against the deploy on IRC, and that nothing is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnbelievedNo {
    /// Who wrote it, a PHID.
    pub(crate) author: String,
    /// Its author is no witness of the policy, as far as that is known.
    pub(crate) is_of_stranger: bool,
    /// What it says; `None` where it cannot be read.
    pub(crate) says: Option<Witness>,
}

/// What witnesses wrote on a task, up to a moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Witnessed {
    /// Each yes, oldest first.
    pub(super) approvals: Vec<WitnessedApproval>,
    /// What was said against the deploy.
    pub(super) against: Vec<Answer>,
}

/// A comment that holds a witness or claims to, with what it was first written as.
pub(super) fn comments(
    timeline: &Timeline,
    as_of: Option<AsOf>,
) -> impl Iterator<Item = (Comment<'_>, JsonBlock<Witness>)> {
    timeline.comments(as_of).filter_map(|comment| match parse(comment.first_text()) {
        JsonBlock::Absent => None,
        block => Some((comment, block)),
    })
}

/// The accounts that the evidence needs to judge witnesses by, and to name them: who wrote them, and who is said to have said it.
pub(super) fn accounts(timeline: &Timeline) -> Vec<Phid<User>> {
    let found = comments(timeline, None).flat_map(|(comment, block)| {
        let author = Phid::new(comment.transaction.author.as_str()).ok();
        author.into_iter().chain(block.one().map(|witness| witness.phid))
    });
    found.collect()
}

impl Evidence {
    /// Whether an account is a witness; `None` where it could not be read.
    pub fn is_witness(&self, phid: &str, policy: &Policy) -> Option<bool> {
        if policy.witnesses.is_empty() {
            return Some(false);
        }
        // Herald and its like are nobody: there is no account to read.
        if !phid.starts_with("PHID-USER-") {
            return Some(false);
        }
        let account = self.account(phid)?;
        Some(account.is_named_in(&policy.witnesses))
    }

    /// What witnesses wrote, up to a moment.
    pub(super) fn witnessed(&self, policy: &Policy, as_of: Option<AsOf>) -> Witnessed {
        let mut witnessed = Witnessed::default();
        if policy.witnesses.is_empty() {
            return witnessed;
        }
        for comment in self.timeline.comments(as_of) {
            let is_witness = self.is_witness(&comment.transaction.author, policy);
            if is_witness == Some(false) {
                continue;
            }
            // A yes is what was first written, by somebody who is known to be a witness.
            if is_witness == Some(true)
                && let JsonBlock::One(witness) = parse(comment.first_text())
                && witness.word == WitnessedWord::Approve
                && !comment.newest().removed
            {
                witnessed.approvals.push(self.approval(&comment, &witness, policy));
            }
            // What speaks against the deploy no edit takes back, and none makes a yes of it, or a no of somebody else.
            let mut known: Vec<Witness> = Vec::new();
            for version in comment.versions().iter().rev() {
                let Some(witness) = parse(version.text()).one() else { continue };
                let is_same = |other: &Witness| {
                    (other.word, &other.phid, &other.teams) == (witness.word, &witness.phid, &witness.teams)
                };
                if witness.word == WitnessedWord::Approve || witness.task != self.task.id || known.iter().any(is_same) {
                    continue;
                }
                let objection = self.objection(&comment, &witness, policy);
                witnessed.against.push(Answer { edited_in: version.version > 1, ..objection });
                known.push(witness);
            }
        }
        witnessed
    }

    fn approval(&self, comment: &Comment<'_>, witness: &Witness, policy: &Policy) -> WitnessedApproval {
        let posted = self.timeline.moment_of(comment.transaction);
        let stated = || self.code_as_of(policy, AsOf { through: witness.seen, time: witness.said.min(witness.heard) });
        let fault = match () {
            () if !self.is_possible(comment, witness) => Some(WitnessFault::Impossible),
            () if comment.is_changed() => Some(WitnessFault::Edited),
            () if posted.time.duration_since(witness.heard) > PROMPT => Some(WitnessFault::Late),
            () if witness.heard.duration_since(witness.said) > PROMPT => Some(WitnessFault::Late),
            () if witness.code.is_none() || witness.code != stated() => Some(WitnessFault::OtherCode),
            () => None,
        };
        let time = witness.said.min(posted.time);
        let moment = Moment { position: Position::right_after(witness.seen), time, transaction: posted.transaction };
        let heard = AsOf { through: witness.seen, time: witness.heard };
        let was_restricted = self.was_restricted(&policy.open_spaces, Some(heard));
        WitnessedApproval { answer: answer(witness, AnswerKind::Approve, moment), posted, fault, was_restricted }
    }

    /// Comments that claim, in a version that can be read, that somebody spoke against the deploy on IRC, and that count for nothing: their
    /// author is no witness, or what they say cannot be read.
    pub(crate) fn unbelieved_noes(&self, policy: &Policy, as_of: Option<AsOf>) -> Vec<UnbelievedNo> {
        let mut found = Vec::new();
        for comment in self.timeline.comments(as_of) {
            let author = &comment.transaction.author;
            let claim = comment.versions().iter().rev().find_map(|version| match parse(version.text()) {
                JsonBlock::Absent => None,
                JsonBlock::Unreadable => Some(None),
                JsonBlock::One(said) if said.word == WitnessedWord::Approve || said.task != self.task.id => None,
                JsonBlock::One(said) => Some(Some(said)),
            });
            let Some(says) = claim else { continue };
            let is_of_stranger = self.is_witness(author, policy) == Some(false);
            if !comment.newest().removed && (is_of_stranger || says.is_none()) {
                found.push(UnbelievedNo { author: author.clone(), is_of_stranger, says });
            }
        }
        found
    }

    /// Whether a witness in this comment is of this task, and names nothing that was not there yet when it was written. When something was said
    /// the network says, whose clock may be wrong: no yes is written then, and a no and a withdrawal all the same.
    pub(crate) fn is_possible(&self, comment: &Comment<'_>, witness: &Witness) -> bool {
        let posted = self.timeline.moment_of(comment.transaction);
        witness.task == self.task.id
            && witness.seen < posted.transaction
            && witness.heard <= posted.time.saturating_add(PROMPT).unwrap_or(posted.time)
            && (witness.word != WitnessedWord::Approve
                || witness.said <= witness.heard.saturating_add(PROMPT).unwrap_or(witness.heard))
    }

    /// A no, or a withdrawal: from when it is on the task. It takes back a no only where the policy takes the word of witnesses, who wrote this
    /// is known to be one, what they wrote can be, and the no was there when they said it.
    fn objection(&self, comment: &Comment<'_>, witness: &Witness, policy: &Policy) -> Answer {
        let kind = AnswerKind::from(witness.word);
        let answer = answer(witness, kind, self.timeline.moment_of(comment.transaction));
        let is_known = self.is_witness(&comment.transaction.author, policy) == Some(true);
        // What takes something back is for all teams of who said it, whichever these are by the policy here, and so is a no for a team that
        // the policy does not know.
        let are_known = witness.teams.iter().all(|team| policy.team(team).is_some());
        let teams = match kind {
            AnswerKind::Reject if are_known => answer.teams.clone(),
            AnswerKind::Approve | AnswerKind::Withdraw | AnswerKind::Reject => Teams::NotUnderstood(String::new()),
        };
        let is_sound = is_known && !comment.is_changed() && self.is_possible(comment, witness);
        Answer { certain: policy.accept_witnessed && is_sound, teams, ..answer }
    }

    /// The comments of witnesses that are gone: each may have been anybody's no.
    pub(super) fn lost_witnesses(&self, policy: &Policy, removals: &[Removal]) -> Vec<Removal> {
        removals.iter().filter(|gone| self.is_witness(&gone.author, policy) == Some(true)).cloned().collect()
    }
}

fn answer(witness: &Witness, kind: AnswerKind, moment: Moment) -> Answer {
    let teams = match witness.teams.as_slice() {
        [] => Teams::NotUnderstood(String::new()),
        teams => Teams::Named(teams.to_vec()),
    };
    Answer {
        author: witness.phid.clone(),
        kind,
        certain: matches!(teams, Teams::Named(_)),
        teams,
        why: witness.why.clone().unwrap_or_default(),
        moment,
        edited_in: false,
        foreign: false,
        near: None,
        heard_as: Some(witness.account.clone()),
        seen: Some(Seen { position: Position::right_after(witness.seen), said: witness.said }),
    }
}
