//! What people said themselves, where it speaks against a yes that others say of them, or that they gave on IRC before.
//!
//! Responsible for the words for it, and for where it was said. Not responsible for which words outweigh a yes
//! ([`crate::evidence`]).

use super::approvals::ApprovalEvaluator;
use super::verdict::WhyNot;
use crate::evidence::{Answer, AnswerKind, OwnWord, OwnWordKind, own_word};
use crate::ids::{Phid, User};
use crate::time::utc;

impl ApprovalEvaluator<'_> {
    /// The newest thing that a person said themselves and that outweighs what is said of them as a member of a team.
    fn own_word(&self, person: &Phid<User>, team: &str) -> Option<OwnWord> {
        own_word(self.evidence, self.policy, self.as_of, self.task_state, person, team)
    }

    /// What a person did, and where.
    fn did(&self, what: &OwnWordKind) -> (String, &'static str) {
        let quote = |text: &str| match self.hide {
            true => "something (hidden: the task is restricted)".to_owned(),
            false => {
                let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
                format!("'{}'", crate::text::shorten(&line, 80))
            }
        };
        let answered = |kind: &AnswerKind| match kind {
            AnswerKind::Approve => "approved".to_owned(),
            AnswerKind::Withdraw => "withdrew".to_owned(),
            AnswerKind::Reject => "said no".to_owned(),
        };
        match what {
            OwnWordKind::Answer(kind) => (answered(kind), "on the task"),
            OwnWordKind::Heard(kind) => (answered(kind), "on IRC"),
            OwnWordKind::NearMiss(_, text) | OwnWordKind::Words(text) => {
                (format!("wrote {}", quote(text)), "on the task")
            }
            OwnWordKind::Removed => ("wrote a comment that is gone and may have been a no".to_owned(), "on the task"),
        }
    }

    /// What speaks against somebody's yes where others say it of them: that they spoke for themselves.
    pub(super) fn spoke_themselves(&self, person: &Phid<User>, team: &str) -> Option<WhyNot> {
        let OwnWord { what, moment } = self.own_word(person, team)?;
        let (user, (did, place)) = (self.evidence.name_of(person.as_str()), self.did(&what));
        let did = format!("{user} {did} {place} themselves, at {}", utc(moment.time));
        Some(WhyNot::OwnWord { did, team: team.to_owned() })
    }

    /// What speaks against somebody's yes on IRC: what they said after it.
    pub(super) fn said_later(&self, answer: &Answer, team: &str) -> Option<WhyNot> {
        let later = |word: &OwnWord| word.moment.position > answer.moment.position;
        let OwnWord { what, moment } = self.own_word(&answer.author, team).filter(later)?;
        let (user, (did, place)) = (self.evidence.name_of(answer.author.as_str()), self.did(&what));
        // An answer is clear; anything else may be a yes too.
        let is_answer = matches!(what, OwnWordKind::Answer(_) | OwnWordKind::Heard(_));
        let did = format!("{user} {did} later, {place}, at {}", utc(moment.time));
        Some(WhyNot::LaterWord { did, team: (!is_answer).then(|| team.to_owned()) })
    }
}
