//! `record --deploy ID`: what a record says that ends a deploy which the task shows as started.
//!
//! Responsible for who may end it and for what is taken over of its start. Nobody signs for somebody else: what a start
//! claims is repeated where a recorder ends what a recorder began, and by who wrote it. Not responsible for whose record
//! is believed ([`crate::evidence::records`]) nor for whether a start stops others ([`crate::rules::weight`]).

use jiff::Timestamp;

use super::Refusal;
use crate::attribution::DeployerSource;
use crate::evidence::Evidence;
use crate::evidence::records::{Authority, PostedRecord};
use crate::ids::DeployId;
use crate::policy::Policy;
use crate::record::{Deployer, Event, Outcome, Record};
use crate::rules::{self, Weight};

/// Makes `record` the end of a deploy that the task shows as started. `judged` is the record as it would be written of a
/// moment, by what the gate itself reads.
///
/// # Errors
/// Where no record says that it started, it has an end already, or the owner of the token may not end it so.
pub fn close(
    record: &mut Record,
    deploy: DeployId,
    evidence: &Evidence,
    policy: &Policy,
    judged: impl FnOnce(Timestamp) -> Option<Record>,
) -> Result<(), Refusal> {
    let task = record.task;
    let claims = evidence.claims(policy, None);
    let begins = |standing: &&PostedRecord| standing.record.deploy == deploy && standing.record.event == Event::Started;
    let mut starts = claims.iter().filter(begins).peekable();
    if starts.peek().is_none() {
        return Err(Refusal::usage(
            format!("no record on {task} says that the deploy {deploy} started"),
            format!("`phabgate history {task}` shows the deploys"),
        ));
    }
    let me = evidence.owner.phid.as_str();
    let is_recorder = evidence.is_recorder(me, policy) == Some(true);
    // What a member says of an end is completed by who knows it.
    let is_over = |start: &PostedRecord| match is_recorder || start.author == me {
        true => claims.iter().any(|other| other.ends(start)),
        false => claims.iter().any(|other| other.lets_another_start(start)),
    };
    let Some(begun) = starts.find(|start| !is_over(start)) else {
        return Err(Refusal::usage(
            format!("the deploy {deploy} has an end already"),
            format!("`phabgate history {task}` shows it; leave --deploy out to record another deploy"),
        ));
    };
    record.event = Event::Finished;
    record.deploy = deploy;
    record.outcome = record.outcome.or(Some(Outcome::Unknown));
    record.announced = Some(begun.moment.transaction);
    if begun.author == me || is_recorder && begun.authority == Authority::Recorder {
        take_over(record, begun);
    } else if is_recorder {
        judge_anew(record, begun, evidence, policy, judged);
    } else {
        let name = &evidence.owner.username;
        if !evidence.is_member(me) {
            return Err(Refusal::usage(
                format!("{name} neither started the deploy {deploy} nor is a recorder or in a team of the policy"),
                "have one of these end it",
            ));
        }
        if record.outcome != Some(Outcome::Unknown) || record.command.is_some() || record.started.is_some() {
            return Err(Refusal::usage(
                "of somebody else's deploy a member of a team can say that its end is not known, and nothing besides",
                format!("type `phabgate record {task} --deploy {deploy} --finished --outcome unknown`"),
            ));
        }
        record.deployer = None;
        record.behind = Vec::new();
        judge_start(record, begun, evidence, policy);
        record.approvals = Vec::new();
        let says = || format!("{name}, who did not start it, says so, so that another deploy can start");
        record.note.get_or_insert_with(says);
    }
    Ok(())
}

/// Repeats what the start says.
fn take_over(record: &mut Record, begun: &PostedRecord) {
    let start = &begun.record;
    *record = Record {
        deployer: start.deployer.clone(),
        behind: start.behind.clone(),
        reason: start.reason.clone(),
        action: start.action.clone(),
        change: start.change.clone(),
        arguments_hidden: record.command.is_none() && start.arguments_hidden,
        command: record.command.take().or_else(|| start.command.clone()),
        approvals: start.approvals.clone(),
        verdict: start.verdict.clone(),
        failed: start.failed.clone(),
        policy: start.policy.clone(),
        started: record.started.or(Some(begun.moment.time)),
        drill: start.drill,
        ..record.clone()
    };
}

/// Says of a deploy that its deployer alone recorded what the gate itself would have said. Of one that they could not have
/// run nothing is known, not even whose it is.
fn judge_anew(
    record: &mut Record,
    begun: &PostedRecord,
    evidence: &Evidence,
    policy: &Policy,
    judged: impl FnOnce(Timestamp) -> Option<Record>,
) {
    let believed = rules::weight(evidence, policy, begun, None) != Weight::NotBelieved;
    if let Some(then) = judged(begun.moment.time).filter(|_| believed) {
        let started = record.started.or(Some(begun.moment.time));
        let (reason, action, change, drill) = (then.reason, then.action, then.change, then.drill);
        *record = Record { reason, action, change, drill, started, approvals: then.approvals, ..record.clone() };
    }
    if believed {
        judge_start(record, begun, evidence, policy);
    }
    record.behind = Vec::new();
    let author = evidence.account(&begun.author).filter(|_| believed);
    record.deployer = author.map(|account| Deployer {
        user: account.username.clone(),
        phid: Some(account.phid.clone()),
        source: DeployerSource::Token,
    });
    if !believed {
        record.approvals = Vec::new();
    }
}

/// Gives the record the verdict that the author of the start would have been given then: not that of now, when the start
/// itself stands in the way, nor the one that it claims.
fn judge_start(record: &mut Record, begun: &PostedRecord, evidence: &Evidence, policy: &Policy) {
    let Some(verdict) = rules::verdict_at_start(evidence, policy, begun) else { return };
    record.verdict = verdict.decision.word().to_owned();
    record.failed = verdict.failed();
    record.approvals.retain(|recorded| {
        let same = |approval: &rules::Approval| {
            approval.counts() && approval.team == recorded.team && approval.transaction == recorded.transaction
        };
        verdict.approvals.iter().any(same)
    });
}
