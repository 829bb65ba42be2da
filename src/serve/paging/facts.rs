//! What paging needs to know of a task, as it was read.
//!
//! Responsible for taking it from the evidence while that is there. Not responsible for what follows from it.

use crate::evidence::Episode;
use crate::paging::{Ack, ConfirmedBy, PageWords, Trusted, answers_after, confirmed_by};
use crate::rules::{Decision, JudgedTask, Outcome};
use crate::serve::site::Site;

/// What paging needs to know of an open emergency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PagingFacts {
    /// Who opened or confirmed it of those who may wake people.
    pub confirmed: Option<ConfirmedBy>,
    /// It is stated to be a drill.
    pub is_drill: bool,
    /// Somebody said no.
    pub is_rejected: bool,
    /// Nothing but approvals is missing.
    pub is_pending: bool,
    /// It could be judged.
    pub is_decided: bool,
    /// Who acknowledged by a comment.
    pub acks: Vec<Ack>,
    /// What a page may say of it.
    pub words: PageWords,
}

impl PagingFacts {
    /// Of a task that was read and judged.
    pub fn of(read: JudgedTask<'_>, episode: &Episode, site: &Site) -> Self {
        let JudgedTask { evidence, state, verdict } = read;
        let trusted = Trusted { named: &site.paging.trusted, deployers: &site.deployers, policy: &site.policy };
        Self {
            confirmed: confirmed_by(evidence, state, episode, &trusted),
            is_drill: state.is_drill(),
            is_rejected: verdict.rule("rejected").is_some_and(|rule| rule.outcome == Outcome::Fail),
            is_pending: verdict.decision == Decision::Pending,
            is_decided: verdict.decision != Decision::Undecided,
            acks: answers_after(evidence, episode.began, verdict.missing_teams()),
            words: PageWords::of(evidence, state, &site.policy, &site.server),
        }
    }
}
