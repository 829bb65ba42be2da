//! What the channel needs to know of a task, as it was read.
//!
//! Responsible for taking it from the evidence while that is there. Not responsible for what is said of it.

use jiff::Timestamp;

use crate::evidence::{AnswerKind, EndedEpisode, Ending, Episode, Evidence, TaskState};
use crate::ids::{TaskId, TransactionId};
use crate::policy::Policy;
use crate::rules::{JudgedTask, StandingWord, WhyNot, standing_words};
use crate::serve::audience::Audience;
use crate::serve::site::Site;

/// What the channel needs to know of an open emergency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelFacts {
    /// Each no that stands and stops the deploy, oldest first.
    pub rejections: Vec<Word>,
    /// Each approval of this episode that its author took back, oldest first, by the comment that did it.
    pub withdrawals: Vec<Word>,
    /// Who stated that it is a drill, where it is stated to be one.
    pub drill: Option<Word>,
    /// Who stated that it is none, where that is stated.
    pub no_drill: Option<Word>,
}

/// What somebody wrote on the task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The transaction that holds it.
    pub transaction: TransactionId,
    /// The username of its author, inert.
    pub user: String,
}

impl ChannelFacts {
    /// Of a task that was read and judged.
    pub fn of(read: JudgedTask<'_>, episode: &Episode, policy: &Policy) -> Self {
        let JudgedTask { evidence, state, verdict } = read;
        let words = standing_words(evidence, policy, state);
        let is_no = |word: &&StandingWord| word.kind == AnswerKind::Reject && word.may_reject;
        let is_taken_back = |word: &&StandingWord| {
            word.kind == AnswerKind::Withdraw
                && verdict.approvals.iter().any(|approval| {
                    approval.why_not == Some(WhyNot::Withdrawn)
                        && approval.team == word.team
                        && approval.phid.as_ref() == Some(&word.author)
                        && approval.transaction.is_some_and(|transaction| transaction > episode.began)
                })
        };
        Self {
            rejections: written(words.iter().filter(is_no), evidence),
            withdrawals: written(words.iter().filter(is_taken_back), evidence),
            drill: drill(evidence, state).filter(|_| state.is_drill()),
            no_drill: drill(evidence, state).filter(|_| !state.is_drill()),
        }
    }
}

/// Each comment once, though it may be about several teams.
fn written<'a>(words: impl Iterator<Item = &'a StandingWord>, evidence: &Evidence) -> Vec<Word> {
    let mut written: Vec<Word> = words
        .map(|word| Word { transaction: word.transaction, user: evidence.name_of(word.author.as_str()) })
        .collect();
    written.sort_by_key(|word| word.transaction);
    written.dedup();
    written
}

fn drill(evidence: &Evidence, state: &TaskState) -> Option<Word> {
    let stated = state.drill.as_ref()?;
    Some(Word { transaction: stated.since.transaction, user: evidence.name_of(&stated.author) })
}

/// An emergency that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedTask {
    /// The task.
    pub task: TaskId,
    /// Its page.
    pub url: String,
    /// Who may see it.
    pub audience: Audience,
    /// The transaction with which the episode began.
    pub began: TransactionId,
    /// When it ended, by the server's clock.
    pub at: Timestamp,
    /// The username of who ended it, inert.
    pub by: String,
    /// How they did.
    pub how: Ending,
}

impl EndedTask {
    /// The last episode of a task that is over, also where the task is an open emergency again; `None` where none is.
    pub fn last(evidence: &Evidence, site: &Site) -> Option<Self> {
        let EndedEpisode { began, at, by, how, .. } = EndedEpisode::last(evidence)?;
        let task = evidence.task.id;
        let (url, audience) = (task.url(&site.server), Audience::of(evidence, &site.policy));
        Some(Self { task, url, audience, began, at, by: evidence.name_of(&by), how })
    }
}
