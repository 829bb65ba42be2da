//! The records among the comments of a task, and whether they can be believed.
//!
//! In the room: finding them, and telling who wrote them. Not in the room: how a record reads (the record knows).

use super::Evidence;
use super::timeline::{Comment, Cut, Moment, Timeline};
use crate::ids::{Phid, User};
use crate::policy::Policy;
use crate::record::parse::Parsed;
use crate::record::{Event, Record};

/// A record that stands on a task.
#[derive(Debug, Clone)]
pub struct Standing {
    /// What it says, as it was first written.
    pub record: Box<Record>,
    /// When it was written.
    pub moment: Moment,
    /// Who wrote it, a PHID.
    pub author: String,
    /// It was edited or removed since.
    pub changed: bool,
    /// Its author may close the deploys of others: a recorder, who may be deploying now, or a member of a team.
    pub trusted: bool,
}

/// The comments that hold a record or claim to, oldest first.
pub fn comments(timeline: &Timeline, cut: Option<Cut>) -> impl Iterator<Item = Comment<'_>> {
    timeline.comments(cut).filter(|comment| *comment.claim() != Parsed::Absent)
}

impl Evidence {
    /// The records on the task, oldest first: those by a recorder, and those by the deployer that they name. What
    /// they said first counts, so that an edit cannot hide a deploy.
    pub fn records(&self, policy: &Policy, cut: Option<Cut>) -> Vec<Standing> {
        let standing = comments(&self.timeline, cut).filter_map(|comment| {
            let Parsed::Record(record) = comment.claim() else { return None };
            let transaction = comment.transaction;
            self.believes(record, &transaction.author, policy).then(|| Standing {
                record: record.clone(),
                moment: self.timeline.moment_of(transaction),
                author: transaction.author.clone(),
                changed: comment.is_changed(),
                trusted: self.is_trusted(&transaction.author, policy),
            })
        });
        standing.collect()
    }

    /// Whether an account is a recorder; `None` where the account could not be read.
    pub(crate) fn is_recorder(&self, phid: &str, policy: &Policy) -> Option<bool> {
        let account = self.account(phid)?;
        Some(policy.recorders.iter().any(|name| account.is_named(name)))
    }

    fn is_trusted(&self, author: &str, policy: &Policy) -> bool {
        let is = |phid: &Phid<User>| phid.as_str() == author;
        let deploys = || {
            self.candidates.iter().filter_map(|candidate| candidate.account.as_ref()).any(|account| is(&account.phid))
        };
        let member = || self.teams.values().any(|team| team.members.iter().any(is));
        self.is_recorder(author, policy) == Some(true) || deploys() || member()
    }

    /// A record counts when its author is a recorder or its own deployer, and it speaks of this task. That a deploy
    /// started also counts where it cannot be known that its author is no recorder.
    pub(crate) fn believes(&self, record: &Record, author: &str, policy: &Policy) -> bool {
        let by_recorder = self.is_recorder(author, policy).unwrap_or(record.event == Event::Started);
        let by_deployer = record
            .deployer
            .as_ref()
            .and_then(|deployer| deployer.phid.as_ref())
            .is_some_and(|phid| phid.as_str() == author);
        record.task == self.task.id && (by_recorder || by_deployer)
    }
}

/// The deploys that were started and have not ended, by these records. Anybody may claim to be the deployer of a
/// record of their own, so that only who wrote that it started, or somebody trusted, can say that it ended.
pub fn in_flight(records: &[Standing]) -> Vec<&Standing> {
    let ended = |started: &Standing| {
        records.iter().any(|standing| {
            // A `recorded` of the same deploy is what a person knows of its end.
            matches!(standing.record.event, Event::Finished | Event::Recorded)
                && standing.record.deploy == started.record.deploy
                && (standing.trusted || standing.author == started.author)
        })
    };
    records.iter().filter(|standing| standing.record.event == Event::Started && !ended(standing)).collect()
}
