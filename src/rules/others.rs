//! The other deploys of a task that were started and have no end, and whether they keep a new one from starting.
//!
//! Anybody can write a comment that reads as the start of a deploy. It stops others where it is known that its author
//! writes the truth, or where they could have run what they say: the gate would have let them. Nor does a service say that
//! a deploy ended, or let people sleep, by the word of anybody else. Not decided here: whose record is evidence at all, and
//! who may end a deploy ([`crate::evidence::records`]).

use super::evaluate::evaluate_alone;
use super::{Decision, Intent, Verdict};
use crate::attribution::{ApprovalKind, DeployerSource};
use crate::conduit::Account;
use crate::evidence::records::{Authority, PostedRecord};
use crate::evidence::timeline::AsOf;
use crate::evidence::{Attestation, Candidate, Evidence, Purpose, TaskState, bare};
use crate::ids::TransactionId;
use crate::policy::Policy;
use crate::record::Event;

/// A deploy of the task that was started and that nothing on the task ends.
#[derive(Debug, Clone)]
pub struct OpenStart {
    /// The record of its start.
    pub start: PostedRecord,
    /// What it means for another deploy.
    pub weight: Weight,
}

/// What a start without an end means for another deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// None may start.
    Stops,
    /// It is older than an approval may be: nothing runs for so long.
    TooOld,
    /// Its author could not have run it.
    NotBelieved,
}

/// The deploys of the task that were started up to a moment and have no end, oldest first.
pub fn open_starts(evidence: &Evidence, policy: &Policy, as_of: Option<AsOf>) -> Vec<OpenStart> {
    let claims = evidence.claims(policy, as_of);
    let starts = claims.iter().filter(|claim| claim.record.event == Event::Started);
    let open = starts.filter(|start| !claims.iter().any(|other| other.lets_another_start(start)));
    open.map(|start| OpenStart { start: start.clone(), weight: weight(evidence, policy, start, as_of) }).collect()
}

/// What a start means for another deploy at a moment while nothing ends it.
pub fn weight(evidence: &Evidence, policy: &Policy, start: &PostedRecord, as_of: Option<AsOf>) -> Weight {
    let now = as_of.map_or(evidence.now, |as_of| as_of.time);
    if now.duration_since(start.moment.time) > policy.max_age {
        return Weight::TooOld;
    }
    if is_by_who_can_know(evidence, policy, start) { Weight::Stops } else { Weight::NotBelieved }
}

/// The records of ends of deploys of the task by which something may be said, or stop, by itself, oldest first: by a
/// recorder, or by somebody who is known to deploy here and could have run what they say, or wrote a start that is believed.
/// An end of which the others say is evidence all the same.
pub fn believed_ends<'a>(evidence: &'a Evidence, policy: &'a Policy) -> impl Iterator<Item = PostedRecord> + 'a {
    let records = evidence.records(policy, None);
    let starts: Vec<PostedRecord> =
        records.iter().filter(|record| record.record.event == Event::Started).cloned().collect();
    let ends = records.into_iter().filter(PostedRecord::speaks_of_an_end);
    ends.filter(move |end| is_believed_end(evidence, policy, &starts, end))
}

fn is_believed_end(evidence: &Evidence, policy: &Policy, starts: &[PostedRecord], end: &PostedRecord) -> bool {
    if end.by_recorder {
        return true;
    }
    // A start of an unknown account stops others, to be on the safe side; an end of one stops nobody from being woken.
    let Some(account) = evidence.account(&end.author) else { return false };
    if !is_known_to_deploy(evidence, policy, end, account) {
        return false;
    }
    let of_it = starts.iter().filter(|start| start.record.deploy == end.record.deploy);
    let mut believed = of_it.filter(|start| is_by_who_can_know(evidence, policy, start)).peekable();
    match believed.peek() {
        Some(_) => believed.any(|start| end.ends(start)),
        None => is_by_who_can_know(evidence, policy, end),
    }
}

/// Whether the author of a record is known to write the truth, or could have run what they say.
fn is_by_who_can_know(evidence: &Evidence, policy: &Policy, record: &PostedRecord) -> bool {
    match record.authority {
        Authority::Recorder => true,
        // Which accounts the hosts of then named as deployers is not known later, and so not who could have run it.
        Authority::Deployer => evidence.purpose != Purpose::Audit && could_have_run(evidence, policy, record),
        Authority::Member | Authority::Nobody => false,
    }
}

/// Whether the author of a record is somebody who deploys this task, and the gate would have let them when they wrote it.
/// What could not be judged then is no reason to disbelieve them.
fn could_have_run(evidence: &Evidence, policy: &Policy, record: &PostedRecord) -> bool {
    let Some(account) = evidence.account(&record.author) else { return true };
    let (theirs, as_of, task_state) = as_run_by(evidence, policy, record, account);
    let stated = task_state.deployer.as_ref().map(|stated| bare(&stated.value));
    let is_deployer = match stated {
        Some(stated) => account.is_named(stated),
        None => evidence.deployers.is_empty(),
    };
    let known = is_deployer
        || evidence.task.author.as_str() == record.author
        || evidence.deployers.iter().any(|deployer| account.is_named(deployer));
    // A verdict takes its time, and says nothing of somebody who deploys nothing here.
    let allowed = || verdict_on(&theirs, policy, record, as_of, &task_state).decision;
    known && matches!(allowed(), Decision::Allowed(_) | Decision::Undecided)
}

/// Whether the author of an end is more than anybody: in a team of the policy, stated, or listed as a deployer; where
/// nobody is stated or listed, the author of the task. Who reports something that others deploy says nothing for them.
fn is_known_to_deploy(evidence: &Evidence, policy: &Policy, end: &PostedRecord, account: &Account) -> bool {
    let is_listed = || evidence.deployers.iter().any(|deployer| account.is_named(deployer));
    if end.by_member || is_listed() {
        return true;
    }
    let (_, _, task_state) = as_run_by(evidence, policy, end, account);
    match &task_state.deployer {
        Some(stated) => account.is_named(bare(&stated.value)),
        None => evidence.deployers.is_empty() && evidence.task.author.as_str() == end.author,
    }
}

/// The verdict that the author of a start would have been given when they wrote it: what somebody else can say of that
/// deploy, whatever the start claims. `None` where their account was not read.
pub fn verdict_at_start(evidence: &Evidence, policy: &Policy, start: &PostedRecord) -> Option<Verdict> {
    let account = evidence.account(&start.author)?;
    let (theirs, as_of, task_state) = as_run_by(evidence, policy, start, account);
    Some(verdict_on(&theirs, policy, start, as_of, &task_state))
}

/// The verdict on a deploy that is said to have started, by what the gate of its author saw then.
fn verdict_on(
    theirs: &Evidence,
    policy: &Policy,
    start: &PostedRecord,
    as_of: AsOf,
    task_state: &TaskState,
) -> Verdict {
    let intent = Intent { deploy: Some(start.record.deploy), ..Intent::default() };
    evaluate_alone(theirs, policy, &intent, as_of, task_state)
}

/// The evidence as the gate of this account would have seen it, and the moment at which it did. What it says of attested
/// approvals is what it said then.
fn as_run_by(
    evidence: &Evidence,
    policy: &Policy,
    start: &PostedRecord,
    account: &Account,
) -> (Evidence, AsOf, TaskState) {
    let as_of = AsOf { through: TransactionId(start.moment.transaction.0.saturating_sub(1)), time: start.moment.time };
    let attested = start.record.approvals.iter().filter(|approval| approval.kind == ApprovalKind::Attested);
    let attestations = attested.map(|approval| Attestation {
        team: approval.team.clone(),
        name: approval.user.clone(),
        account: evidence.account_named(&approval.user).cloned(),
        evidence: approval.evidence.clone(),
    });
    let candidate =
        Candidate { name: account.username.clone(), account: Some(account.clone()), source: DeployerSource::Token };
    let (candidates, attestations) = (vec![candidate], attestations.collect());
    let theirs = Evidence { purpose: Purpose::Deploy, candidates, attestations, ..evidence.clone() };
    let task_state = TaskState::derive(&theirs, policy, Some(as_of));
    (theirs, as_of, task_state)
}
