//! The emergency story of one task in order: what made it an emergency, what was stated, who answered, what was
//! deployed, and what was tampered with.
//!
//! Responsible for [`build`], which makes one list of [`Entry`] out of evidence and policy, as a pure function. Beside
//! it one file for each thing that entries are made of. Not responsible for how the list is shown, and whether the task
//! may be deployed.

mod answers;
mod comments;
mod near;
mod records;
mod statements;
#[cfg(test)]
mod tests;
mod witnesses;

use std::collections::{BTreeMap, BTreeSet};

use crate::conduit::{Change, CommentVersion, Transaction};
use crate::evidence::records::{ByDeploy, DeployRecords, PostedRecord, by_deploy, comments};
use crate::evidence::timeline::Moment;
use crate::evidence::{Candidate, Evidence, TaskState};
use crate::ids::{DeployId, Phid, Project, TransactionId, User};
use crate::policy::{Policy, PolicyDigest};
use crate::record::parse::Parsed;
use crate::rules::{self, Intent, StandingWord, Texts, Verdict};
use crate::witness;

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    /// The task was made.
    Created,
    /// The tag came or went.
    Tag,
    /// The reason.
    Reason,
    /// The deployer, the action, the change, or that it is a drill.
    Stated,
    /// The task was closed or opened again.
    Status,
    /// Yes.
    Approve,
    /// Never mind.
    Withdraw,
    /// No.
    Reject,
    /// Where the aftermath is worked on.
    FollowUp,
    /// A record of a deploy.
    Record,
    /// A comment that claims to be a witness and is not believed.
    Witness,
    /// A comment that mattered was edited.
    Edited,
    /// A comment was removed.
    Removed,
    /// A line that reads as an answer and is none by the letter.
    NearMiss,
    /// What else a member of a team said.
    Said,
}

impl EntryKind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Tag => "tag",
            Self::Reason => "reason",
            Self::Stated => "stated",
            Self::Status => "status",
            Self::Approve => "approve",
            Self::Withdraw => "withdraw",
            Self::Reject => "reject",
            Self::FollowUp => "follow-up",
            Self::Record => "record",
            Self::Witness => "witness",
            Self::Edited => "edited",
            Self::Removed => "removed",
            Self::NearMiss => "near miss",
            Self::Said => "said",
        }
    }

    /// Whether it belongs to an emergency; what happens to every task does not.
    fn is_emergency(self) -> bool {
        !matches!(self, Self::Created | Self::Status | Self::Removed | Self::Said)
    }
}

/// How an entry bears on the deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// It is listed, no more.
    Plain,
    /// It speaks for it.
    Good,
    /// Somebody should look at it.
    Mind,
    /// It speaks against it, or against whoever did it.
    Bad,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When, and where it can be looked up.
    pub moment: Moment,
    /// Who did it, a PHID.
    pub author: String,
    /// What it is about.
    pub kind: EntryKind,
    /// How it bears on the deploy.
    pub tone: Tone,
    /// What happened, in words. They can quote the task: make them inert before showing them.
    pub words: String,
    /// The same for programs, as far as it applies.
    pub detail: Detail,
}

/// What an entry says, for programs. Texts of a restricted task are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Detail {
    /// The key of the team, or what was written in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Whether it counts now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<bool>,
    /// Why it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
    /// The trailer that was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trailer: Option<&'static str>,
    /// What stands there since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What stood there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The deploy that a record speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy: Option<DeployId>,
    /// What the record says has happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<crate::record::Event>,
    /// How the deploy ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<crate::record::Outcome>,
    /// The record says again what another one said before it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// A task's story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskHistory {
    /// What happened, oldest first.
    pub entries: Vec<Entry>,
    /// It ever carried the tag, or something on it was meant for the gate.
    pub emergency: bool,
    /// It ever carried the tag.
    pub tagged: bool,
    /// Its texts may not be shown.
    pub hidden: bool,
}

/// Builds the history of a task.
///
/// What counts is what `check` says of the same evidence.
pub fn build(evidence: &Evidence, policy: &Policy, texts: Texts) -> TaskHistory {
    let intent = Intent::default();
    let hindsight = in_hindsight(evidence.clone(), policy);
    let task_state = rules::stated(&hindsight, policy, None);
    let records = evidence.records(policy, None);
    let ByDeploy { deploys, foreign } = by_deploy(records.clone());
    let contradictions = deploys.iter().flat_map(DeployRecords::contradictions);
    let contradicting = contradictions.map(|(standing, other)| (other.moment.transaction, standing.moment.transaction));
    let builder = HistoryBuilder {
        evidence: &hindsight,
        policy,
        digest: policy.digest(),
        contradicting: contradicting.collect(),
        foreign: foreign.iter().map(|standing| standing.moment.transaction).collect(),
        verdict: rules::judge(evidence, policy, &intent, None, texts).1,
        words: rules::standing_words(evidence, policy, &task_state),
        task_state: &task_state,
        records: &records,
        hide: !texts.are_shown(evidence, policy),
    };
    let mut entries = builder.task();
    entries.extend(builder.statements());
    entries.extend(builder.comments());
    entries.extend(builder.near_misses());
    entries.extend(builder.said());
    entries.sort_by_key(|entry| entry.moment.position);
    TaskHistory {
        emergency: entries.iter().any(|entry| entry.kind.is_emergency()),
        tagged: entries.iter().any(|entry| entry.kind == EntryKind::Tag),
        entries,
        hidden: builder.hide,
    }
}

/// The evidence as it is to somebody who looks back: who deployed, by the records, could state what was deployed.
fn in_hindsight(mut evidence: Evidence, policy: &Policy) -> Evidence {
    for standing in evidence.records(policy, None) {
        let record = standing.record;
        for deployer in record.deployer.into_iter().chain(record.behind) {
            let account = deployer.phid.and_then(|phid| evidence.accounts.get(&phid).cloned());
            let candidate = Candidate { name: deployer.user, account, source: deployer.source };
            if !evidence.candidates.contains(&candidate) {
                evidence.candidates.push(candidate);
            }
        }
    }
    evidence
}

/// Everybody whose name the history may show: who did something to the task or to a comment on it, and who deployed, by
/// its records.
pub fn people(evidence: &Evidence) -> BTreeSet<Phid<User>> {
    let transactions = evidence.timeline.transactions();
    let versions = versions_of(transactions);
    let authors = transactions.iter().map(|transaction| &transaction.author);
    let authors = authors.chain(versions.map(|version| &version.author));
    let mut people: BTreeSet<_> = authors.filter_map(|author| Phid::new(author.as_str()).ok()).collect();
    // Of every claim: whether one is believed hangs on whose accounts are known.
    for comment in comments(&evidence.timeline, None) {
        let Parsed::Record(record) = comment.claim() else { continue };
        let deployers = record.deployer.iter().chain(&record.behind).filter_map(|deployer| deployer.phid.clone());
        people.extend(deployers.chain(record.approvals.iter().filter_map(|approval| approval.phid.clone())));
    }
    let said = versions_of(transactions).filter_map(|version| witness::parse(version.text()).one());
    people.extend(said.map(|witness| witness.phid));
    people
}

fn versions_of(transactions: &[Transaction]) -> impl Iterator<Item = &CommentVersion> {
    transactions.iter().flat_map(|transaction| &transaction.comments)
}

/// What it takes to build a history.
struct HistoryBuilder<'a> {
    evidence: &'a Evidence,
    policy: &'a Policy,
    digest: PolicyDigest,
    /// The records that contradict another one of their deploy, each with the one that stands.
    contradicting: BTreeMap<TransactionId, TransactionId>,
    /// The records that speak of the deploy of somebody else.
    foreign: BTreeSet<TransactionId>,
    task_state: &'a TaskState,
    verdict: Verdict,
    words: Vec<StandingWord>,
    records: &'a [PostedRecord],
    hide: bool,
}

/// How much of one text is shown to people, in characters.
const QUOTED: usize = 400;

impl HistoryBuilder<'_> {
    /// A text of the task in quotes, or that it is hidden.
    fn quote(&self, text: &str) -> String {
        match self.hide {
            true => "(hidden)".to_owned(),
            false => format!("'{}'", clipped(text)),
        }
    }

    /// A text of the task for programs.
    fn open(&self, text: &str) -> Option<String> {
        (!self.hide).then(|| text.to_owned())
    }

    /// The name of an account.
    fn name(&self, phid: &str) -> String {
        name(self.evidence, phid)
    }

    /// What happened to the task itself: made, tagged, closed.
    fn task(&self) -> Vec<Entry> {
        let timeline = &self.evidence.timeline;
        let mut entries = Vec::new();
        let entry = |transaction: &crate::conduit::Transaction, kind, tone, words: String| Entry {
            moment: timeline.moment_of(transaction),
            author: transaction.author.clone(),
            kind,
            tone,
            words,
            detail: Detail::default(),
        };
        if let Some(first) = timeline.transactions().first() {
            let mut created = entry(first, EntryKind::Created, Tone::Plain, "created the task".to_owned());
            created.author = self.evidence.task.author.as_str().to_owned();
            created.moment.time = self.evidence.task.created;
            entries.push(created);
        }
        let mut carried = BTreeSet::new();
        for transaction in timeline.transactions() {
            match &transaction.change {
                Change::Projects { added, removed } => {
                    let Some(tag) = &self.evidence.tag else { continue };
                    let hashtag = &self.policy.tag;
                    let which = |project: &Phid<Project>| match *project == tag.phid {
                        true => format!("the tag #{hashtag}"),
                        false => format!("a subproject or milestone of the tag #{hashtag}"),
                    };
                    for project in added.iter().filter(|project| tag.family.contains(project)) {
                        let began = carried.is_empty();
                        carried.insert(project);
                        let (tone, rest) = match began {
                            true if self.was_drill(transaction.created) => (Tone::Good, "a drill from here on"),
                            true => (Tone::Good, "an emergency from here on"),
                            false => (Tone::Plain, "it was an emergency already"),
                        };
                        let words = format!("added {}: {rest}", which(project));
                        entries.push(entry(transaction, EntryKind::Tag, tone, words));
                    }
                    for project in removed.iter().filter(|project| tag.family.contains(project)) {
                        carried.remove(project);
                        let (tone, rest) = match carried.is_empty() {
                            true => (Tone::Bad, "no emergency any more"),
                            false => (Tone::Mind, "another tag still makes it an emergency"),
                        };
                        let words = format!("removed {}: {rest}", which(project));
                        entries.push(entry(transaction, EntryKind::Tag, tone, words));
                    }
                }
                Change::Status { old, new } => {
                    let closed = |status: &str| self.evidence.statuses.get(status) == Some(&true);
                    let words = match (old.as_deref().is_some_and(closed), closed(new)) {
                        (false, true) => format!("closed the task as {new}"),
                        (true, false) => format!("opened the task again ({new})"),
                        _ => continue,
                    };
                    entries.push(entry(transaction, EntryKind::Status, Tone::Plain, words));
                }
                _ => {}
            }
        }
        entries
    }

    /// Whether what is a drill now was stated to be one at that time.
    fn was_drill(&self, time: jiff::Timestamp) -> bool {
        let is_drill = self.task_state.is_drill();
        self.task_state.drill.as_ref().is_some_and(|stated| is_drill && stated.since.time <= time)
    }
}

/// The name of an account or an application, fit to be shown.
pub fn name(evidence: &Evidence, phid: &str) -> String {
    evidence.name_of(phid)
}

fn clipped(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
