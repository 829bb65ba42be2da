//! What near misses do to a verdict: a possible no denies, a possible withdrawal voids, and the rest is shown.
//!
//! Responsible for that, as pure functions of the state of the task and the policy. Not responsible for what a line reads as (see
//! [`crate::evidence::NearMiss`]).

use super::approvals::ApprovalEvaluator;
use super::verdict::{Approval, Effect, JudgedNearMiss};
use crate::evidence::{Answer, NearKind, NearMiss};
use crate::ids::{Phid, User};

impl ApprovalEvaluator<'_> {
    /// The near misses of enabled people, newest first.
    pub(super) fn near_misses(&self, approvals: &[Approval]) -> Vec<JudgedNearMiss> {
        let heard = self.task_state.near_misses.iter().filter(|near| self.is_heard(near));
        let mut judged: Vec<_> = heard.map(|near| self.judged(near)).collect();
        let answers = self.task_state.answers.iter();
        judged.extend(answers.filter_map(|answer| self.meant(answer, answer.near.as_deref()?, approvals)));
        judged.sort_by_key(|near| std::cmp::Reverse(near.moment.position));
        judged
    }

    /// Whose account could not be read counts as an enabled person for a no, and as nobody for a yes.
    pub(super) fn is_heard(&self, near: &NearMiss) -> bool {
        let read = near.kind != NearKind::Yes || self.evidence.accounts.contains_key(&near.author);
        read && self.may_reject(&near.author)
    }

    /// Whether a near miss denies.
    pub(super) fn denies(&self, near: &NearMiss) -> bool {
        near.possible && near.kind == NearKind::No && !near.answered && self.is_heard(near)
    }

    /// The possible no or withdrawal since which the approvals of its author do not count.
    pub(super) fn doubt(&self, approval: &Answer) -> Option<&NearMiss> {
        self.task_state.near_misses.iter().find(|near| {
            near.possible && near.author == approval.author && near.moment.position >= approval.moment.position
        })
    }

    fn judged(&self, near: &NearMiss) -> JudgedNearMiss {
        let effect = match near.kind {
            NearKind::No if self.denies(near) => Effect::Denies,
            NearKind::Withdraw if near.possible => Effect::Voids,
            NearKind::No | NearKind::Withdraw | NearKind::Yes => Effect::Listed,
        };
        let why = match near.answered && near.possible {
            true => "its author answered since".to_owned(),
            false => near.why(),
        };
        let write = (!near.answered).then(|| self.to_write(near.kind, &near.author));
        JudgedNearMiss {
            kind: near.kind,
            user: self.evidence.name_of(near.author.as_str()),
            phid: near.author.clone(),
            moment: near.moment,
            line: near.line.clone(),
            effect,
            why,
            write,
        }
    }

    /// An approval that was missed by its form alone, and is taken for what it was meant to be.
    fn meant(&self, answer: &Answer, line: &str, approvals: &[Approval]) -> Option<JudgedNearMiss> {
        if self.teams_of(&answer.author).is_empty() || !self.evidence.accounts.contains_key(&answer.author) {
            return None;
        }
        let own = |approval: &&Approval| {
            approval.transaction == Some(answer.moment.transaction) && approval.phid.as_ref() == Some(&answer.author)
        };
        let mine: Vec<&Approval> = approvals.iter().filter(own).collect();
        let counts = mine.iter().any(|approval| approval.counts());
        let against = mine.iter().find_map(|approval| approval.why_not.as_ref());
        let why = match (counts, against) {
            (true, _) => "nothing but its form was missed".to_owned(),
            (false, Some(why)) => why.to_string(),
            (false, None) => "another word of its author stands in its place".to_owned(),
        };
        Some(JudgedNearMiss {
            kind: NearKind::Yes,
            user: self.evidence.name_of(answer.author.as_str()),
            phid: answer.author.clone(),
            moment: answer.moment,
            line: line.to_owned(),
            effect: if counts { Effect::Counts } else { Effect::Listed },
            why,
            write: (!counts).then(|| self.to_write(NearKind::Yes, &answer.author)),
        })
    }

    /// What a person has to write so that it is an answer by the letter.
    fn to_write(&self, kind: NearKind, author: &Phid<User>) -> String {
        let mine = self.teams_of(author);
        let team = mine.first().copied().or(self.policy.teams.first()).map_or("TEAM", |team| team.key.as_str());
        match kind {
            NearKind::Yes => format!("\"Emergency-Approve: {team}\" (as a comment)"),
            NearKind::Withdraw => format!(
                "\"Emergency-Withdraw: {team}\", or \"Emergency-Approve: {team}\" to approve again (as a comment)"
            ),
            NearKind::No => format!(
                "\"Emergency-Reject: {team}\" if it is a no, or \"Emergency-Withdraw: {team}\" if it is none (as a comment)"
            ),
        }
    }
}
