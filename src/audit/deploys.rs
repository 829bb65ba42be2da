//! The deploys of a task, told apart by their records, and each judged as the task was then.
//!
//! In the room: which records speak of which deploy, the moment at which it is judged, and the verdict of that moment.
//! Not in the room: by what evidence it is judged ([`super::as_recorded`]), and what is found fault with.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::as_recorded::{as_recorded, is_same, of_deploy};
use crate::evidence::records::{Standing, unfinished};
use crate::evidence::timeline::{Cut, Moment, Timeline};
use crate::evidence::{Answer, AnswerKind, Evidence, Story, Tagged};
use crate::ids::{DeployId, TransactionId};
use crate::policy::{Action, Approval, Intent, Policy, Verdict, evaluate, evaluate_told};
use crate::record::{Deployer, ExitStatus, Outcome, Record};

/// A deploy, by its records.
#[derive(Debug, Clone)]
pub struct Deploy {
    /// Its id.
    pub id: DeployId,
    /// Its records, oldest first; never empty.
    pub records: Vec<Standing>,
    /// When it started, as far as a record says so.
    pub started: Option<Timestamp>,
    /// When it ended, as far as a record says so.
    pub finished: Option<Timestamp>,
    /// When the first record was posted.
    pub recorded: Timestamp,
    /// How it ended, by the last record that says so.
    pub outcome: Option<Outcome>,
    /// The status that the command ended with.
    pub exit: Option<ExitStatus>,
    /// Who deployed, a username as it was recorded.
    pub deployer: Option<String>,
    /// The category of the reason: as recorded, else as the task stated it then.
    pub reason: Option<String>,
    /// What was done, as recorded.
    pub action: Option<String>,
    /// What was deployed.
    pub change: Option<String>,
    /// The command.
    pub command: Option<String>,
    /// It was a fire drill.
    pub drill: bool,
    /// Since when the task carried the tag at the cut; `None` where it did not.
    pub tagged: Option<Moment>,
    /// How many records say again what another one said.
    pub duplicates: usize,
    /// The moment at which it is judged: the earlier of the first record and the start that it states.
    pub cut: Cut,
    /// The verdict of that moment. Members and accounts are those of now.
    pub verdict: Verdict,
    /// The same, but whom a recorder's record names as an approver is taken to have been in the team and enabled then,
    /// and the deployer enabled: who left since does not make an old deploy a bad one.
    pub verdict_as_recorded: Verdict,
    /// Nothing ran: every record that says how it ended says that it never started.
    pub not_started: bool,
}

impl Deploy {
    /// Whether a command ran, or may have.
    pub fn ran(&self) -> bool {
        !self.not_started
    }

    /// The transaction of the first record.
    pub fn first(&self) -> TransactionId {
        self.records.first().map_or(TransactionId(0), |standing| standing.moment.transaction)
    }

    /// When it was over, as far as that is known.
    pub fn over(&self) -> Timestamp {
        self.finished.or(self.started).unwrap_or(self.recorded)
    }

    /// The record that shows that it started and has not ended.
    pub fn unfinished(&self) -> Option<&Standing> {
        unfinished(&self.records).next()
    }

    /// The records without those that say again what another one said.
    pub fn distinct(&self) -> impl Iterator<Item = &Standing> {
        self.records.iter().enumerate().filter(|(at, standing)| !self.is_repeated(*at, standing)).map(|(_, it)| it)
    }

    /// The records that say again what another one said.
    pub fn repeated(&self) -> impl Iterator<Item = &Standing> {
        self.records.iter().enumerate().filter(|(at, standing)| self.is_repeated(*at, standing)).map(|(_, it)| it)
    }

    fn is_repeated(&self, at: usize, standing: &Standing) -> bool {
        is_repeated(&self.records, at, standing)
    }
}

fn is_repeated(records: &[Standing], at: usize, standing: &Standing) -> bool {
    records[..at].iter().any(|earlier| earlier.record.event == standing.record.event)
}

/// A deploy and what it is judged by.
pub(super) struct Trial {
    pub(super) deploy: Deploy,
    /// The story up to the cut.
    pub(super) then: Story,
    /// The story up to now.
    pub(super) now: Story,
    /// The approvals that came after the cut, each judged right after it came.
    pub(super) late: Vec<Approval>,
}

/// The records of each deploy, and those that speak of somebody else's deploy without a right to.
pub(super) struct Sorted {
    pub(super) deploys: Vec<Vec<Standing>>,
    pub(super) meddling: Vec<Standing>,
}

/// Sorts the records by deploy. Anybody may claim to be the deployer of a record of their own; so that nobody can end
/// or change the deploy of another by it, what comes after the first record must be by its author, by somebody whom it
/// names to be behind the deploy, by a recorder, or by a member of a team.
pub(super) fn sorted(evidence: &Evidence, policy: &Policy) -> Sorted {
    let mut at: BTreeMap<DeployId, usize> = BTreeMap::new();
    let mut sorted = Sorted { deploys: Vec::new(), meddling: Vec::new() };
    for standing in evidence.records(policy, None) {
        let Some(known) = at.get(&standing.record.deploy) else {
            at.insert(standing.record.deploy, sorted.deploys.len());
            sorted.deploys.push(vec![standing]);
            continue;
        };
        let records = &mut sorted.deploys[*known];
        let first = &records[0];
        let named = behind(&first.record)
            .any(|deployer| deployer.phid.as_ref().is_some_and(|phid| phid.as_str() == standing.author));
        if standing.by_recorder || standing.by_member || named || standing.author == first.author {
            records.push(standing);
        } else {
            sorted.meddling.push(standing);
        }
    }
    sorted
}

/// Everybody whom a record names to be behind the deploy.
pub(super) fn behind(record: &Record) -> impl Iterator<Item = &Deployer> {
    record.deployer.iter().chain(&record.behind)
}

/// Every deploy of the task, judged.
pub(super) fn trials(evidence: &Evidence, policy: &Policy) -> Vec<Trial> {
    sorted(evidence, policy).deploys.into_iter().map(|records| trial(evidence, policy, records)).collect()
}

fn trial(evidence: &Evidence, policy: &Policy, records: Vec<Standing>) -> Trial {
    let cut = cut(&evidence.timeline, &records);
    let as_of_now = of_deploy(evidence, &records[0].record);
    let as_recorded = as_recorded(as_of_now.clone(), policy, &records);
    let first = &records[0].record;
    let pick = |text: &dyn Fn(&Record) -> Option<String>| records.iter().find_map(|standing| text(&standing.record));
    let intent = Intent {
        action: first.action.as_deref().and_then(Action::named),
        change: first.change.clone(),
        deploy: Some(first.deploy),
        ..Intent::default()
    };
    let then = Story::read(&as_recorded, policy, Some(cut));
    let now = Story::read(&as_recorded, policy, None);
    let verdict_as_recorded = evaluate_told(&as_recorded, policy, &intent, Some(cut), &then);
    // Most often the records tell of nobody who left since, and the second verdict is the first.
    let verdict = match is_same(&as_of_now, &as_recorded) {
        true => verdict_as_recorded.clone(),
        false => evaluate(&as_of_now, policy, &intent, Some(cut)),
    };
    // Whoever writes a record can put any text where a name belongs: of a restricted task none but known ones are told.
    let restricted = evidence.is_restricted(&policy.open_spaces);
    let name = |deployer: &Deployer| match restricted {
        true => Some(evidence.accounts.get(deployer.phid.as_ref()?)?.username.clone()),
        false => Some(deployer.user.clone()),
    };
    let told = |category: &String| !restricted || policy.reason(category).is_some();
    let stated = then.written.as_ref().and_then(|written| written.category.clone());
    let outcomes: Vec<Outcome> = records.iter().filter_map(|standing| standing.record.outcome).collect();
    let deploy = Deploy {
        id: first.deploy,
        started: stated_start(&records),
        finished: records.iter().rev().find_map(|standing| standing.record.finished),
        recorded: records[0].moment.time,
        outcome: outcomes.last().copied(),
        exit: records.iter().rev().find_map(|standing| standing.record.exit),
        deployer: pick(&|record| record.deployer.as_ref().and_then(name)),
        reason: pick(&|record| record.reason.as_ref().map(|reason| reason.category.clone()).filter(told)).or(stated),
        action: pick(&|record| record.action.clone()),
        change: pick(&|record| record.change.clone()),
        command: pick(&|record| record.command.clone()),
        drill: first.drill,
        tagged: match then.tagged {
            Tagged::Since(moment) => Some(moment),
            Tagged::Until(_) | Tagged::Never => None,
        },
        duplicates: records.iter().enumerate().filter(|(at, standing)| is_repeated(&records, *at, standing)).count(),
        cut,
        verdict,
        verdict_as_recorded,
        not_started: !outcomes.is_empty() && outcomes.iter().all(|outcome| *outcome == Outcome::NotStarted),
        records,
    };
    let late = late(&as_recorded, policy, &intent, &now, cut);
    Trial { deploy, then, now, late }
}

/// The earliest start that the records state.
fn stated_start(records: &[Standing]) -> Option<Timestamp> {
    records.iter().filter_map(|standing| standing.record.started).min()
}

/// The earlier of the first record, which is excluded, and the start that is stated. Transactions tell by their order
/// that they came before the record; what only has a time, by the time.
fn cut(timeline: &Timeline, records: &[Standing]) -> Cut {
    let record = records[0].moment;
    let time = stated_start(records).map_or(record.time, |start| start.min(record.time));
    let before = |id: TransactionId, created: Timestamp| id < record.transaction && created <= time;
    let transactions = timeline.transactions();
    let last = transactions.iter().rev().find(|transaction| before(transaction.id, transaction.created));
    // A start before the task was made finds nothing on it.
    Cut { through: last.map_or(TransactionId(0), |transaction| transaction.id), time }
}

/// Whether an answer was not there at the cut. One that was edited in within its second may not have been.
fn is_late(answer: &Answer, cut: Cut) -> bool {
    answer.moment.transaction > cut.through || answer.edited_in && answer.moment.time >= cut.time
}

fn late(evidence: &Evidence, policy: &Policy, intent: &Intent, now: &Story, cut: Cut) -> Vec<Approval> {
    let approvals = now.answers.iter().filter(|answer| answer.kind == AnswerKind::Approve && is_late(answer, cut));
    let judged = approvals.flat_map(|answer| {
        let id = answer.moment.transaction;
        // A second later, so that it is certain to have been there.
        let time = answer.moment.time.checked_add(SignedDuration::from_secs(1)).unwrap_or(answer.moment.time);
        let transactions = evidence.timeline.transactions();
        let last = transactions.iter().rev().find(|transaction| transaction.created <= answer.moment.time);
        let through = last.map_or(id, |transaction| transaction.id.max(id));
        let verdict = evaluate(evidence, policy, intent, Some(Cut { through, time }));
        verdict.approvals.into_iter().filter(move |approval| approval.transaction == Some(id))
    });
    judged.collect()
}
