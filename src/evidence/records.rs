//! The records among the comments of a task, and by what right each was written.
//!
//! This is the one place that decides whose record is believed, which deploy it is a record of, and who may say that a deploy
//! ended. Not decided here: how a record reads ([`crate::record`]), and whether who claims to have started a deploy could
//! have (the policy).

use std::collections::BTreeMap;
use std::ops::Deref;

use jiff::{SignedDuration, Timestamp};

use super::Evidence;
use super::timeline::{AsOf, Comment, Moment, Timeline};
use crate::conduit::Account;
use crate::ids::{DeployId, Phid, User};
use crate::policy::{BelievedRecords, Policy};
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
pub struct PostedRecord {
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

impl PostedRecord {
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
        self.speaks_of_an_end() && self.record.deploy == start.record.deploy
    }

    /// Whether it is of the end of a deploy, whatever that was.
    pub fn speaks_of_an_end(&self) -> bool {
        matches!(self.record.event, Event::Finished | Event::Recorded)
    }

    /// Whether it says that the deploy was allowed.
    pub fn says_allowed(&self) -> bool {
        self.record.verdict == "allowed"
    }

    /// The outcome that it states, where it knows one.
    fn known_outcome(&self) -> Option<Outcome> {
        self.record.outcome.filter(|outcome| self.speaks_of_an_end() && *outcome != Outcome::Unknown)
    }

    /// When it says that the deploy started, unless that is more than a minute after it was written.
    pub fn possible_start(&self) -> Option<Timestamp> {
        self.record.started.filter(|started| !self.is_later(*started))
    }

    /// Whether a time is later than this record can know of: more than a minute after it was written.
    pub fn is_later(&self, time: Timestamp) -> bool {
        time.duration_since(self.moment.time) > APART
    }
}

/// How far apart the clocks of a host and of the server may be without a warning before a deploy.
pub const APART: SignedDuration = SignedDuration::from_mins(1);

/// The records of one deploy by those who may speak of it, oldest first; never empty.
///
/// A recorder may speak of every deploy. Of one that a recorder wrote down, the account that the recorder names as deployer
/// may as well; of any other, whoever wrote its first record, and named themselves as deployer.
#[derive(Debug, Clone)]
pub struct DeployRecords(Vec<PostedRecord>);

impl Deref for DeployRecords {
    type Target = [PostedRecord];

    fn deref(&self) -> &[PostedRecord] {
        &self.0
    }
}

impl DeployRecords {
    /// The first record.
    pub fn first(&self) -> &PostedRecord {
        &self.0[0]
    }

    /// The record that says whose deploy it is: the first by a recorder, else the first.
    pub fn trusted(&self) -> &PostedRecord {
        self.iter().find(|standing| standing.by_recorder).unwrap_or_else(|| self.first())
    }

    /// The record since which it is under way: that of its start where there is one, by a recorder before any other.
    fn begun(&self) -> &PostedRecord {
        let mut starts = self.iter().filter(|standing| standing.record.event == Event::Started);
        let first = starts.clone().next();
        starts.find(|start| start.by_recorder).or(first).unwrap_or_else(|| self.first())
    }

    /// The record that says how it ended: of several by who may say so, the one that `standing_end` picks.
    pub fn end(&self) -> Option<&PostedRecord> {
        let begun = self.begun();
        standing_end(self.iter().filter(|standing| standing.ends(begun)))
    }

    /// The record that says when it started, with the time. Where a recorder wrote of it what others say is not looked at;
    /// of several the earliest stands.
    pub fn start(&self) -> Option<(&PostedRecord, Timestamp)> {
        let by_recorder = self.iter().any(|standing| standing.by_recorder);
        let heard = self.iter().filter(|standing| standing.by_recorder == by_recorder);
        let starts = heard.filter_map(|standing| Some((standing, standing.possible_start()?)));
        starts.min_by_key(|(_, time)| *time)
    }

    /// The start where the gate of a recorder ran the deploy and measured it, rather than somebody stating it. It had read
    /// the task before, and says that nothing stood against it.
    pub fn measured_start(&self) -> Option<Timestamp> {
        let ran = |standing: &PostedRecord| standing.by_recorder && standing.record.event != Event::Recorded;
        let first = self.first();
        let (standing, time) = self.start()?;
        (ran(first) && ran(standing) && first.says_allowed()).then_some(time)
    }

    /// The record that shows that it started and has not ended.
    pub fn unfinished(&self) -> Option<&PostedRecord> {
        let mut starts = self.iter().filter(|standing| standing.record.event == Event::Started);
        starts.find(|start| !self.iter().any(|other| other.ends(start)))
    }

    /// What contradicts what stands: each time the record that stands and the one that says otherwise. That nobody knows
    /// how it ended contradicts nothing; that it never started contradicts a start that a recorder wrote down.
    pub fn contradictions(&self) -> Vec<(&PostedRecord, &PostedRecord)> {
        let (begun, end) = (self.begun(), self.end());
        let stands = end.and_then(PostedRecord::known_outcome);
        let others = self.iter().filter_map(|other| Some((other, other.known_outcome()?)));
        let against = others.filter_map(|(other, outcome)| match (stands, end) {
            (Some(known), Some(end)) => (known != outcome).then_some((end, other)),
            _ => (outcome == Outcome::NotStarted).then_some((begun, other)),
        });
        against.collect()
    }

    /// The records without those that say again what another one said.
    pub fn distinct(&self) -> impl Iterator<Item = &PostedRecord> {
        self.iter().enumerate().filter(|(at, _)| !self.is_repeated(*at)).map(|(_, standing)| standing)
    }

    /// The records that say again what another one said.
    pub fn repeated(&self) -> impl Iterator<Item = &PostedRecord> {
        self.iter().enumerate().filter(|(at, _)| self.is_repeated(*at)).map(|(_, standing)| standing)
    }

    /// Whether an earlier record is of the same event, and states no other end.
    fn is_repeated(&self, at: usize) -> bool {
        let again = &self.0[at].record;
        self.0[..at].iter().any(|earlier| {
            earlier.record.event == again.event
                && (!earlier.speaks_of_an_end() || earlier.record.outcome == again.outcome)
        })
    }
}

/// The records of a task by deploy.
#[derive(Debug)]
pub struct ByDeploy {
    /// Each deploy, the one recorded first before the others.
    pub deploys: Vec<DeployRecords>,
    /// Records of the deploy of somebody else, by who names themselves as its deployer: they count for nothing.
    pub foreign: Vec<PostedRecord>,
}

/// The records that are believed, by deploy. What somebody writes of the deploy of another ends, contradicts and dates
/// nothing.
pub fn by_deploy(records: Vec<PostedRecord>) -> ByDeploy {
    let mut at: BTreeMap<DeployId, usize> = BTreeMap::new();
    let mut deploys: Vec<Vec<PostedRecord>> = Vec::new();
    for standing in records {
        let next = deploys.len();
        let place = *at.entry(standing.record.deploy).or_insert(next);
        if place == next {
            deploys.push(Vec::new());
        }
        deploys[place].push(standing);
    }
    let mut foreign = Vec::new();
    for records in &mut deploys {
        let owner = match records.iter().find(|standing| standing.by_recorder) {
            // Whom a recorder names; nobody where it names nobody.
            Some(recorded) => {
                recorded.record.deployer.as_ref().and_then(|deployer| deployer.phid.as_ref()).map(Phid::as_str)
            }
            None => records.first().map(|first| first.author.as_str()),
        };
        let owner = owner.map(str::to_owned);
        let is_own = |standing: &PostedRecord| standing.by_recorder || Some(&standing.author) == owner.as_ref();
        let (own, others): (Vec<_>, Vec<_>) = std::mem::take(records).into_iter().partition(is_own);
        *records = own;
        foreign.extend(others);
    }
    deploys.retain(|records| !records.is_empty());
    ByDeploy { deploys: deploys.into_iter().map(DeployRecords).collect(), foreign }
}

/// The comments that hold a record or claim to, oldest first.
pub fn comments(timeline: &Timeline, as_of: Option<AsOf>) -> impl Iterator<Item = Comment<'_>> {
    timeline.comments(as_of).filter(|comment| *comment.claim() != Parsed::Absent)
}

/// Whether readers would believe this record of this author, as far as the two show: a recorder, the very account that
/// it names as deployer, or somebody who says of a deploy of another nothing but that its end is not known.
pub fn is_believable(author: &Account, record: &Record, policy: &Policy) -> bool {
    let is_recorder = author.is_named_in(&policy.recorders);
    let own = policy.records == BelievedRecords::Deployers && names_as_deployer(record, author.phid.as_str());
    is_recorder || own || is_end_by_member(record)
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
    pub fn records(&self, policy: &Policy, as_of: Option<AsOf>) -> Vec<PostedRecord> {
        let mut records = self.claims(policy, as_of);
        records.retain(|standing| standing.authority.is_believed());
        records
    }

    /// All records that speak of the task, oldest first, whoever wrote them.
    pub fn claims(&self, policy: &Policy, as_of: Option<AsOf>) -> Vec<PostedRecord> {
        let standing = comments(&self.timeline, as_of).filter_map(|comment| {
            let Parsed::Record(record) = comment.claim() else { return None };
            let transaction = comment.transaction;
            (record.task == self.task.id).then(|| PostedRecord {
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
        let is_deployer = names_as_deployer(record, author) || self.is_named_as_deployer(record, author);
        let is_deployer = is_deployer && policy.records == BelievedRecords::Deployers;
        match (is_deployer, is_end_by_member(record) && self.is_member(author)) {
            (true, _) => Authority::Deployer,
            (false, true) => Authority::Member,
            (false, false) => Authority::Nobody,
        }
    }

    /// Whether a record that names no account as deployer names its author as the account is called now: records of gates
    /// that had not looked the account up hold a name alone.
    fn is_named_as_deployer(&self, record: &Record, author: &str) -> bool {
        let name = record.deployer.as_ref().filter(|deployer| deployer.phid.is_none()).map(|deployer| &deployer.user);
        name.is_some_and(|name| self.account(author).is_some_and(|account| account.is_named(name)))
    }

    /// Whether an account is a recorder; `None` where the account could not be read.
    pub(crate) fn is_recorder(&self, phid: &str, policy: &Policy) -> Option<bool> {
        let account = self.account(phid)?;
        Some(account.is_named_in(&policy.recorders))
    }

    /// Whether an account is that of an enabled person in a team of the policy.
    pub(crate) fn is_member(&self, phid: &str) -> bool {
        self.account(phid).is_some_and(Account::is_enabled_person) && self.is_in_a_team(phid)
    }

    /// Whether an account is in a team of the policy, whatever kind of account it is.
    pub(crate) fn is_in_a_team(&self, phid: &str) -> bool {
        let is = |member: &Phid<User>| member.as_str() == phid;
        self.teams.values().any(|team| team.members.iter().any(is))
    }
}

/// The record that says how a deploy ended, by somebody who may say so.
pub fn end_of(records: &[PostedRecord], deploy: DeployId) -> Option<&PostedRecord> {
    let of = |standing: &&PostedRecord| standing.record.deploy == deploy;
    let start = records.iter().filter(of).find(|standing| standing.record.event == Event::Started);
    let may_end = |standing: &&PostedRecord| match start {
        Some(start) => standing.ends(start),
        // Its start is not on the task: then a recorder alone is believed.
        None => standing.authority == Authority::Recorder && standing.speaks_of_an_end(),
    };
    standing_end(records.iter().filter(of).filter(may_end))
}

/// Of several records of the end of one deploy by who may state it, the one that stands: one that knows the outcome
/// before one that does not, that of a recorder before any other, else the first.
fn standing_end<'a>(ends: impl Iterator<Item = &'a PostedRecord>) -> Option<&'a PostedRecord> {
    ends.min_by_key(|standing| (standing.known_outcome().is_none(), !standing.by_recorder))
}
