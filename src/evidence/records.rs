//! The records among the comments of a task, and by what right each was written.
//!
//! This is the one place that decides whose record is believed, and who may say that a deploy ended. Not decided here:
//! how a record reads ([`crate::record`]), and whether who claims to have started a deploy could have (the policy).

use super::Evidence;
use super::timeline::{Comment, Cut, Moment, Timeline};
use crate::conduit::Account;
use crate::ids::{DeployId, Phid, User};
use crate::policy::Policy;
use crate::record::parse::Parsed;
use crate::record::{Event, Outcome, Record};

/// By what right somebody wrote a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Authority {
    /// A recorder wrote it. Of a start also where it cannot be known that its author is none.
    Recorder,
    /// The deployer whom it names wrote it, which anybody can claim to be.
    Deployer,
    /// A member of a team says of the deploy of somebody else that nobody knows how it ended. That lets another deploy
    /// start, and counts for nothing else.
    Member,
    /// None of these.
    Nobody,
}

impl Authority {
    /// Whether the record counts as one of a deploy.
    pub fn is_believed(self) -> bool {
        matches!(self, Self::Recorder | Self::Deployer)
    }
}

/// A record that stands on a task.
#[derive(Debug, Clone)]
pub struct Standing {
    /// What it says, as it was first written.
    pub record: Box<Record>,
    /// When it was written.
    pub moment: Moment,
    /// Who wrote it, a PHID.
    pub author: String,
    /// By what right.
    pub authority: Authority,
    /// It was edited or removed since.
    pub changed: bool,
    /// Its author is known to be a recorder.
    pub by_recorder: bool,
    /// Its author is an enabled person in a team of the policy.
    pub by_member: bool,
}

impl Standing {
    /// Whether it says that this deploy ended and may say so: a recorder wrote it, or who wrote that it started. What a
    /// person knows of an end is `recorded` where the journal of its host had closed the deploy already.
    pub fn ends(&self, start: &Self) -> bool {
        self.speaks_of_the_end_of(start) && (self.by_recorder || self.author == start.author)
    }

    /// Whether another deploy may start though this one did: it ended, or a member of a team took it on themselves to
    /// say that nobody knows how it ended.
    pub fn lets_another_start(&self, start: &Self) -> bool {
        let unknown = self.record.outcome == Some(Outcome::Unknown);
        self.ends(start) || self.speaks_of_the_end_of(start) && self.by_member && unknown
    }

    fn speaks_of_the_end_of(&self, start: &Self) -> bool {
        matches!(self.record.event, Event::Finished | Event::Recorded) && self.record.deploy == start.record.deploy
    }
}

/// The comments that hold a record or claim to, oldest first.
pub fn comments(timeline: &Timeline, cut: Option<Cut>) -> impl Iterator<Item = Comment<'_>> {
    timeline.comments(cut).filter(|comment| *comment.claim() != Parsed::Absent)
}

/// Whether readers would believe this record of this author, as far as the two tell: a recorder, the very account that it
/// names as deployer, or somebody who says of a deploy of another nothing but that its end is not known.
pub fn is_believable(author: &Account, record: &Record, recorders: &[String]) -> bool {
    let is_recorder = recorders.iter().any(|name| author.is_named(name));
    is_recorder || names_as_deployer(record, author.phid.as_str()) || is_end_by_member(record)
}

fn names_as_deployer(record: &Record, phid: &str) -> bool {
    let deployer = record.deployer.as_ref().and_then(|deployer| deployer.phid.as_ref());
    deployer.is_some_and(|deployer| deployer.as_str() == phid)
}

/// What a member of a team says of the deploy of somebody else: that it is over, and nothing besides.
fn is_end_by_member(record: &Record) -> bool {
    let ends = matches!(record.event, Event::Finished | Event::Recorded) && record.outcome == Some(Outcome::Unknown);
    ends && record.deployer.is_none() && record.approvals.is_empty()
}

impl Evidence {
    /// The records on the task, oldest first: those by a recorder, and those by the deployer that they name. What
    /// they said first counts, so that an edit cannot hide a deploy.
    pub fn records(&self, policy: &Policy, cut: Option<Cut>) -> Vec<Standing> {
        let mut records = self.claims(policy, cut);
        records.retain(|standing| standing.authority.is_believed());
        records
    }

    /// All records that speak of the task, oldest first, whoever wrote them.
    pub fn claims(&self, policy: &Policy, cut: Option<Cut>) -> Vec<Standing> {
        let standing = comments(&self.timeline, cut).filter_map(|comment| {
            let Parsed::Record(record) = comment.claim() else { return None };
            let transaction = comment.transaction;
            (record.task == self.task.id).then(|| Standing {
                authority: self.authority(record, &transaction.author, policy),
                record: record.clone(),
                moment: self.timeline.moment_of(transaction),
                author: transaction.author.clone(),
                changed: comment.is_changed(),
                by_recorder: self.is_recorder(&transaction.author, policy) == Some(true),
                by_member: self.is_member(&transaction.author),
            })
        });
        standing.collect()
    }

    /// By what right an account writes this record on the task.
    pub(crate) fn authority(&self, record: &Record, author: &str, policy: &Policy) -> Authority {
        if record.task != self.task.id {
            return Authority::Nobody;
        }
        if self.is_recorder(author, policy).unwrap_or(record.event == Event::Started) {
            return Authority::Recorder;
        }
        match (names_as_deployer(record, author), is_end_by_member(record) && self.is_member(author)) {
            (true, _) => Authority::Deployer,
            (false, true) => Authority::Member,
            (false, false) => Authority::Nobody,
        }
    }

    /// Whether an account is a recorder; `None` where the account could not be read.
    pub(crate) fn is_recorder(&self, phid: &str, policy: &Policy) -> Option<bool> {
        let account = self.account(phid)?;
        Some(policy.recorders.iter().any(|name| account.is_named(name)))
    }

    /// Whether an account is that of an enabled person in a team of the policy.
    pub(crate) fn is_member(&self, phid: &str) -> bool {
        let is = |member: &Phid<User>| member.as_str() == phid;
        let person = self.account(phid).is_some_and(Account::is_enabled_person);
        person && self.teams.values().any(|team| team.members.iter().any(is))
    }
}

/// The record that says how a deploy ended, by somebody who may say so; one that knows the outcome before one that does not.
pub fn end_of(records: &[Standing], deploy: DeployId) -> Option<&Standing> {
    let of = |standing: &&Standing| standing.record.deploy == deploy;
    let start = records.iter().filter(of).find(|standing| standing.record.event == Event::Started);
    let may_end = |standing: &&Standing| match start {
        Some(start) => standing.ends(start),
        // Its start is not on the task: then a recorder alone is believed.
        None => {
            standing.authority == Authority::Recorder
                && matches!(standing.record.event, Event::Finished | Event::Recorded)
        }
    };
    let ends = || records.iter().filter(of).filter(may_end);
    let known = |standing: &&Standing| !matches!(standing.record.outcome, None | Some(Outcome::Unknown));
    ends().find(known).or_else(|| ends().next())
}

/// The deploys that were started and have not ended, by these records.
pub fn unfinished(records: &[Standing]) -> impl Iterator<Item = &Standing> {
    let starts = records.iter().filter(|standing| standing.record.event == Event::Started);
    starts.filter(|start| !records.iter().any(|other| other.ends(start)))
}
