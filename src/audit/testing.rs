//! Histories with deploys, for the tests of the audit.

use std::collections::BTreeMap;

use super::mirror::ServerFacts;
use super::{AuditPolicy, Finding, TaskAudit, audit_task};
use crate::attribution::ApprovalKind;
use crate::conduit::Project;
use crate::evidence::Tag;
use crate::evidence::testing::{History, at, person, project, record};
use crate::ids::{DeployId, TransactionId};
use crate::policy::Policy;
use crate::record::{Event, Outcome, Record, RecordedApproval};

/// An emergency that these people approved, each for the team whose name they bear.
pub(super) fn task_state(approvers: &[&str]) -> History {
    let mut history = History::emergency();
    for (second, name) in (10..).zip(approvers) {
        let team = name.trim_end_matches(|c: char| c.is_ascii_digit());
        history.comment(name, second, &format!("Emergency-Approve: {team}"));
    }
    history
}

/// A record under the policy of the history.
pub(super) fn sample(history: &History, deploy: DeployId, event: Event, deployer: &str) -> Record {
    let finished = matches!(event, Event::Finished).then(|| at(199));
    Record { policy: history.policy.digest().to_string(), finished, ..record(deploy, event, deployer) }
}

/// A deploy of this id: its records, the second one 99 seconds after the first.
pub(super) fn deploy_of(
    history: &mut History,
    id: DeployId,
    author: &str,
    deployer: &str,
    second: i64,
) -> TransactionId {
    let started = Record { ..sample(history, id, Event::Started, deployer) };
    let first = history.record(author, second, &started);
    let finished = Record { finished: Some(at(second + 98)), ..sample(history, id, Event::Finished, deployer) };
    history.record(author, second + 99, &finished);
    first
}

/// A deploy by deployer1 that the recorder recorded; it states that it started at 100.
pub(super) fn deploy_at(history: &mut History, second: i64) -> TransactionId {
    deploy_of(history, DeployId::fresh(), "phabgate", "deployer1", second)
}

/// The same, recorded right away.
pub(super) fn deploy(history: &mut History) -> TransactionId {
    deploy_at(history, 101)
}

/// A deploy by somebody, who recorded it themselves.
pub(super) fn deploy_by(history: &mut History, deployer: &str, second: i64) -> TransactionId {
    let id = DeployId::fresh();
    let mut started = sample(history, id, Event::Started, deployer);
    started.started = Some(at(second - 1));
    let first = history.record(deployer, second, &started);
    let mut finished = sample(history, id, Event::Finished, deployer);
    (finished.started, finished.finished) = (started.started, Some(at(second + 9)));
    history.record(deployer, second + 10, &finished);
    first
}

/// An approval for sre as a record names it.
pub(super) fn approval(approver: &str, transaction: TransactionId) -> RecordedApproval {
    RecordedApproval {
        team: "sre".into(),
        user: approver.into(),
        phid: Some(person(approver)),
        project: None,
        kind: ApprovalKind::Verified,
        transaction: Some(transaction),
        time: at(12),
        evidence: None,
    }
}

/// A deploy whose record names an approval for sre.
pub(super) fn deploy_approved(
    history: &mut History,
    author: &str,
    approver: &str,
    transaction: TransactionId,
) -> TransactionId {
    let mut recorded = sample(history, DeployId::fresh(), Event::Recorded, "deployer1");
    recorded.outcome = Some(Outcome::Succeeded);
    recorded.approvals.push(approval(approver, transaction));
    history.record(author, 101, &recorded)
}

/// A deploy that was stopped before the command ran.
pub(super) fn never_started(history: &mut History) {
    let id = DeployId::fresh();
    let started = sample(history, id, Event::Started, "deployer1");
    history.record("phabgate", 101, &started);
    let mut finished = sample(history, id, Event::Finished, "deployer1");
    finished.outcome = Some(Outcome::NotStarted);
    history.record("phabgate", 200, &finished);
}

/// A deploy that kept to the policy.
pub(super) fn clean() -> History {
    let mut history = task_state(&["releng1", "sre1"]);
    deploy(&mut history);
    history
}

/// The audit of a history, by somebody who deploys nothing.
pub(super) fn audit(history: &History) -> TaskAudit {
    let mut evidence = history.evidence();
    evidence.candidates.clear();
    audit_task(&evidence, &AuditPolicy::new(&history.policy), &[])
}

/// The names of all findings, oldest first.
pub(super) fn names(history: &History) -> Vec<&'static str> {
    audit(history).findings.iter().map(|finding| finding.name).collect()
}

/// The findings of this name.
pub(super) fn found(history: &History, name: &str) -> Vec<Finding> {
    audit(history).findings.into_iter().filter(|finding| finding.name == name).collect()
}

/// What all tasks share, with teams of nobody.
pub(super) fn facts(policy: &Policy) -> ServerFacts {
    let team = |name: &str| Project {
        phid: project(name),
        name: name.into(),
        members: vec![],
        below: vec![],
        join: "users".into(),
        edit: "users".into(),
    };
    ServerFacts {
        owner: History::new("deployer1").account("phabgate"),
        tag: Tag { phid: project("emergency"), family: [project("emergency")].into() },
        projects: policy.teams.iter().map(|of| (of.project.clone(), team(&of.key))).collect(),
        statuses: BTreeMap::new(),
        recorders: vec![],
        earlier_tags: vec![],
        unknown: vec![],
    }
}
