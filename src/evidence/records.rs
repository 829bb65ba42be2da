//! The records among the comments of a task, and whether they can be believed.
//!
//! In the room: finding them, and telling who wrote them. Not in the room: how a record reads (the record knows).

use super::Evidence;
use super::timeline::{Comment, Cut, Moment, Timeline};
use crate::policy::Policy;
use crate::record::parse::{Parsed, parse};
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
}

/// The comments that hold a record or claim to, oldest first.
pub fn comments(timeline: &Timeline, cut: Option<Cut>) -> impl Iterator<Item = Comment<'_>> {
    timeline.comments(cut).filter(|comment| !matches!(parse(comment.first_text()), Parsed::Absent))
}

impl Evidence {
    /// The records on the task, oldest first: those by a recorder, and those by the deployer that they name. What
    /// they said first counts, so that an edit cannot hide a deploy.
    pub fn records(&self, policy: &Policy, cut: Option<Cut>) -> Vec<Standing> {
        let standing = comments(&self.timeline, cut).filter_map(|comment| {
            let Parsed::Record(record) = parse(comment.first_text()) else { return None };
            let transaction = comment.transaction;
            self.believes(&record, &transaction.author, policy).then(|| Standing {
                record,
                moment: self.timeline.moment_of(transaction),
                author: transaction.author.clone(),
                changed: comment.is_changed(),
            })
        });
        standing.collect()
    }

    /// A record counts when its author is a recorder or its own deployer, and it speaks of this task.
    pub(crate) fn believes(&self, record: &Record, author: &str, policy: &Policy) -> bool {
        let by_recorder =
            self.account(author).is_some_and(|account| policy.recorders.iter().any(|name| account.is_named(name)));
        let by_deployer = record
            .deployer
            .as_ref()
            .and_then(|deployer| deployer.phid.as_ref())
            .is_some_and(|phid| phid.as_str() == author);
        record.task == self.task.id && (by_recorder || by_deployer)
    }
}

/// The deploys that were started and have not ended, by these records.
pub fn in_flight(records: &[Standing]) -> Vec<&Standing> {
    let ended = |deploy| {
        records.iter().any(|standing| standing.record.deploy == deploy && standing.record.event == Event::Finished)
    };
    records
        .iter()
        .filter(|standing| standing.record.event == Event::Started && !ended(standing.record.deploy))
        .collect()
}
