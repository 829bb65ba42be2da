//! The deploys of a task, distinguished by their records, and each judged as the task was then.
//!
//! Responsible for the verdicts of a deploy. Not for which records speak of which deploy ([`crate::evidence::records`]), at which
//! moments it is judged ([`super::cuts`]), by what evidence it is judged ([`super::as_recorded`]), what spoke against it between
//! its start and its record ([`super::against`]), and what is found fault with.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::AuditPolicy;
use super::against::{self, Objection};
use super::as_recorded::{as_recorded, is_same, of_deploy};
use super::cuts::Cuts;
use super::removed;
use crate::evidence::records::{DeployRecords, PostedRecord, by_deploy};
use crate::evidence::timeline::{AsOf, Moment};
use crate::evidence::{Answer, AnswerKind, Evidence, NearMiss, Tagged, TaskState};
use crate::ids::{DeployId, Phid, TransactionId, User};
use crate::policy::{Action, Policy};
use crate::record::{ExitStatus, Outcome, Record};
use crate::rules::{Approval, Intent, Verdict, evaluate, evaluate_with_state, stated};
use crate::text::inert;

/// A deploy, by its records.
#[derive(Debug, Clone)]
pub struct Deploy {
    /// Its id.
    pub id: DeployId,
    /// Its records, oldest first; never empty.
    pub records: DeployRecords,
    /// When it started, as far as a record says so and it can have been then.
    pub started: Option<Timestamp>,
    /// When it ended, as far as the record of its end says so and it can have been then.
    pub finished: Option<Timestamp>,
    /// When the first record was posted.
    pub recorded: Timestamp,
    /// How it ended, by the record of its end that stands.
    pub outcome: Option<Outcome>,
    /// The status that the command ended with.
    pub exit: Option<ExitStatus>,
    /// Who deployed: the username of the account that a recorder names, else of who wrote the record.
    pub deployer: Option<String>,
    /// The category of the reason: as recorded, else as the task stated it then.
    pub reason: Option<String>,
    /// What was done, as recorded.
    pub action: Option<String>,
    /// What was deployed.
    pub change: Option<String>,
    /// The command.
    pub command: Option<String>,
    /// It was a fire drill: the task had said so when it started, and so does its record.
    pub drill: bool,
    /// Since when the task carried the tag at that moment; `None` where it did not.
    pub tagged: Option<Moment>,
    /// How many records say again what another one said.
    pub duplicates: usize,
    /// The moment at which it is judged: the earlier of the first record and the start that it states.
    pub as_of: AsOf,
    /// The verdict of that moment, with what spoke against it up to the first record. Members and accounts are those of now.
    pub verdict: Verdict,
    /// The same, but whom a recorder's record names as an approver is taken to have been in the team and enabled then,
    /// and the deployer enabled: who left since does not make an old deploy a bad one.
    pub verdict_as_recorded: Verdict,
    /// Nothing ran: the record of its end says that it never started.
    pub not_started: bool,
}

impl Deploy {
    /// Whether a command ran, or may have.
    pub fn ran(&self) -> bool {
        !self.not_started
    }

    /// The transaction of the first record.
    pub fn first(&self) -> TransactionId {
        self.records.first().moment.transaction
    }

    /// When it was over, as far as that is known.
    pub fn over(&self) -> Timestamp {
        self.finished.or(self.started).unwrap_or(self.recorded)
    }
}

/// A deploy and what it is judged by.
pub(super) struct DeployAssessment {
    pub(super) deploy: Deploy,
    /// The state up to that moment.
    pub(super) then: TaskState,
    /// The state up to now.
    pub(super) now: Arc<TaskState>,
    /// The approvals that came after that moment, each judged right after it came.
    pub(super) late: Vec<Approval>,
    /// What was said against it after what it is judged by, until it was over.
    pub(super) objections: Vec<Objection>,
    /// What reads as a no and stood when it started, and which the gate that recorded it did not know to read.
    pub(super) unknown_noes: Vec<NearMiss>,
}

/// The states of a task as of now, by those who may state what is deployed.
struct TaskStates<'a> {
    evidence: &'a Evidence,
    policy: &'a Policy,
    read: Vec<(BTreeSet<Phid<User>>, Arc<TaskState>)>,
}

impl TaskStates<'_> {
    /// The state of this evidence, which is that of the task with who is behind one deploy.
    fn of(&mut self, evidence: &Evidence) -> Arc<TaskState> {
        let speakers = evidence.speakers();
        let shared = Arc::ptr_eq(&evidence.teams, &self.evidence.teams)
            && Arc::ptr_eq(&evidence.accounts, &self.evidence.accounts);
        if !shared {
            return Arc::new(stated(evidence, self.policy, None));
        }
        if let Some((_, task_state)) = self.read.iter().find(|(known, _)| *known == speakers) {
            return task_state.clone();
        }
        let task_state = Arc::new(stated(evidence, self.policy, None));
        self.read.push((speakers, task_state.clone()));
        task_state
    }
}

/// The deploys of a task, judged, and the records of somebody else's deploy that count for nothing.
pub(super) struct DeployAssessments {
    pub(super) assessments: Vec<DeployAssessment>,
    pub(super) foreign: Vec<PostedRecord>,
}

/// Every deploy of the task, judged. `task_state` is that of the task as of now, by this evidence.
pub(super) fn assessments(
    evidence: &Evidence,
    audit_policy: &AuditPolicy<'_>,
    task_state: &Arc<TaskState>,
) -> DeployAssessments {
    let policy = audit_policy.policy;
    let sorted = by_deploy(evidence.records(policy, None));
    let mut task_states = TaskStates { evidence, policy, read: vec![(evidence.speakers(), task_state.clone())] };
    let assessment = |records| assessment(evidence, audit_policy, records, &mut task_states);
    DeployAssessments { assessments: sorted.deploys.into_iter().map(assessment).collect(), foreign: sorted.foreign }
}

fn assessment(
    evidence: &Evidence,
    audit_policy: &AuditPolicy<'_>,
    records: DeployRecords,
    task_states: &mut TaskStates<'_>,
) -> DeployAssessment {
    let policy = audit_policy.policy;
    let cuts = Cuts::of(&evidence.timeline, &records);
    let as_of = cuts.start;
    // Who was in a team then is known as far as an audit looked.
    let evidence = &*audit_policy.memory.as_of(evidence, policy, as_of.time);
    let as_of_now = of_deploy(evidence, &records);
    let as_recorded = as_recorded(as_of_now.clone(), audit_policy, &records);
    let now = task_states.of(&as_recorded);
    let first = &records.first().record;
    let intent = Intent {
        action: first.action.as_deref().and_then(Action::named),
        change: first.change.clone(),
        deploy: Some(first.deploy),
        ..Intent::default()
    };
    let same = is_same(&as_of_now, &as_recorded);
    let as_recorded = removed::as_it_stood(as_recorded, &records, cuts.against);
    let then = stated(&as_recorded, policy, Some(as_of));
    let (heard, unknown_noes) = against::heard(&as_recorded, policy, &then, cuts, &records);
    let verdict_as_recorded = evaluate_with_state(&as_recorded, policy, &intent, Some(as_of), &heard);
    // Most often the records name nobody who left since, and the second verdict is the first.
    let verdict = match same {
        true => verdict_as_recorded.clone(),
        false => {
            let as_of_now = removed::as_it_stood(as_of_now, &records, cuts.against);
            let then = stated(&as_of_now, policy, Some(as_of));
            let (heard, _) = against::heard(&as_of_now, policy, &then, cuts, &records);
            evaluate_with_state(&as_of_now, policy, &intent, Some(as_of), &heard)
        }
    };
    let late = late(&as_recorded, policy, &intent, &now, as_of);
    let deploy = deploy(evidence, policy, records, as_of, &then, [verdict, verdict_as_recorded]);
    let until = deploy.finished.unwrap_or(deploy.recorded).max(deploy.recorded);
    let objections = against::objections(evidence, &now, cuts, until);
    DeployAssessment { deploy, then, now, late, objections, unknown_noes }
}

fn deploy(
    evidence: &Evidence,
    policy: &Policy,
    records: DeployRecords,
    as_of: AsOf,
    then: &TaskState,
    [verdict, verdict_as_recorded]: [Verdict; 2],
) -> Deploy {
    // What a recorder wrote comes first.
    let all = || records.iter().filter(|it| it.by_recorder).chain(records.iter().filter(|it| !it.by_recorder));
    let pick = |text: &dyn Fn(&Record) -> Option<String>| all().find_map(|standing| text(&standing.record));
    // Whoever writes a record can put any text where a name belongs: of a restricted task none but known ones are shown.
    let restricted = evidence.is_restricted(&policy.open_spaces);
    let shown = |category: &String| !restricted || policy.reason(category).is_some();
    let stated = then.written.as_ref().and_then(|written| written.category.clone());
    let end = records.end();
    let started = records.start().map(|(_, time)| time);
    let finished = end.and_then(|end| end.record.finished.filter(|time| !end.is_later(*time)));
    let in_order = started.zip(finished).is_none_or(|(started, finished)| started <= finished);
    let first = records.first();
    Deploy {
        id: first.record.deploy,
        started: started.filter(|_| in_order),
        finished: finished.filter(|_| in_order),
        recorded: first.moment.time,
        outcome: end.and_then(|end| end.record.outcome),
        exit: end.and_then(|end| end.record.exit),
        deployer: deployer(evidence, &records, restricted),
        reason: pick(&|record| record.reason.as_ref().map(|reason| reason.category.clone()).filter(shown)).or(stated),
        action: pick(&|record| record.action.clone()),
        change: pick(&|record| record.change.clone()),
        command: pick(&|record| record.command.clone()),
        drill: first.record.drill && then.is_drill(),
        tagged: match then.tagged {
            Tagged::Since(moment) => Some(moment),
            Tagged::Until(_) | Tagged::Never => None,
        },
        duplicates: records.repeated().count(),
        as_of,
        verdict,
        verdict_as_recorded,
        not_started: end.is_some_and(|end| end.record.outcome == Some(Outcome::NotStarted)),
        records,
    }
}

/// Whose deploy it is: the account that a recorder names, else who wrote the record. What is written where a name belongs
/// is looked at only where a recorder wrote it and no account is known.
fn deployer(evidence: &Evidence, records: &DeployRecords, restricted: bool) -> Option<String> {
    let trusted = records.trusted();
    if !trusted.by_recorder {
        return Some(evidence.name_of(&trusted.author));
    }
    let named = trusted.record.deployer.as_ref()?;
    match named.phid.as_ref().and_then(|phid| evidence.accounts.get(phid)) {
        Some(account) => Some(inert(&account.username)),
        None => (!restricted).then(|| inert(&named.user)),
    }
}

/// Whether an answer was not there at that moment. One that was edited in within its second may not have been.
fn is_late(answer: &Answer, as_of: AsOf) -> bool {
    answer.moment.transaction > as_of.through || answer.edited_in && answer.moment.time >= as_of.time
}

fn late(evidence: &Evidence, policy: &Policy, intent: &Intent, now: &TaskState, as_of: AsOf) -> Vec<Approval> {
    let approvals = now.answers.iter().filter(|answer| answer.kind == AnswerKind::Approve && is_late(answer, as_of));
    let judged = approvals.flat_map(|answer| {
        let id = answer.moment.transaction;
        // A second later, so that it is certain to have been there.
        let time = answer.moment.time.checked_add(SignedDuration::from_secs(1)).unwrap_or(answer.moment.time);
        let transactions = evidence.timeline.transactions();
        let last = transactions.iter().rev().find(|transaction| transaction.created <= answer.moment.time);
        let through = last.map_or(id, |transaction| transaction.id.max(id));
        let verdict = evaluate(evidence, policy, intent, Some(AsOf { through, time }));
        verdict.approvals.into_iter().filter(move |approval| approval.transaction == Some(id))
    });
    judged.collect()
}
