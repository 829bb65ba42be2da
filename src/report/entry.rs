//! What a report shows of one audited task, small enough that a long history can be put aside on the disk.
//!
//! Responsible for the entries as data, and how they are made from an audit. Texts of a restricted task get no further
//! than here. Not responsible for how entries are laid out.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::attribution::ApprovalKind;
use crate::audit::encoded::InParts;
use crate::audit::{Deploy, Finding, TaskAudit};
use crate::evidence::records::PostedRecord;
use crate::evidence::timeline::Moment;
use crate::ids::{DeployId, TaskId, TransactionId};
use crate::policy::Action;
use crate::record::{Event, ExitStatus, Outcome};
use crate::rules;

/// An audited task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskEntry {
    /// The task.
    pub task: TaskId,
    /// Its texts are not shown, nor what was deployed with which command.
    pub restricted: bool,
    /// Its title when it was last read; `None` where it is restricted.
    pub title: Option<String>,
    /// It is stated to be a fire drill now. Whether one of its deploys was one is of that deploy.
    pub drill: bool,
    /// Its deploys, the one recorded first before the others.
    pub deploys: Vec<DeployEntry>,
    /// What was found, oldest first.
    pub findings: Vec<Finding>,
}

impl TaskEntry {
    /// Whether there is nothing to report of it.
    pub fn is_empty(&self) -> bool {
        self.deploys.is_empty() && self.findings.is_empty()
    }
}

impl InParts for TaskEntry {
    fn long(&self) -> impl Serialize + '_ {
        self.deploys.iter().map(|deploy| &deploy.details).collect::<Vec<_>>()
    }

    fn add_long(&mut self, text: &str) -> Result<(), serde_json::Error> {
        let details: Vec<Option<Details>> = serde_json::from_str(text)?;
        if details.len() != self.deploys.len() {
            return Err(serde::de::Error::invalid_length(details.len(), &"one for each deploy"));
        }
        for (deploy, details) in self.deploys.iter_mut().zip(details) {
            deploy.details = details;
        }
        Ok(())
    }
}

/// A deploy and the evidence that it was judged by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeployEntry {
    /// Its id.
    pub deploy: DeployId,
    /// It was a fire drill: the task had said so, and its record does too.
    pub drill: bool,
    /// Who deployed: the username of the account.
    pub deployer: Option<String>,
    /// The category of the reason.
    pub reason: Option<String>,
    /// What was done.
    pub action: Option<String>,
    /// What was deployed.
    pub change: Option<String>,
    /// The command.
    pub command: Option<String>,
    /// When the task had last begun to carry the tag when it was deployed; `None` where it did not carry it.
    pub tagged: Option<Timestamp>,
    /// When the last approval came that the deploy needed; `None` where some were missing.
    pub approved: Option<Timestamp>,
    /// When it started, as far as a record says so and it can have been then.
    pub started: Option<Timestamp>,
    /// When it ended, as far as a record says so and it can have been then.
    pub finished: Option<Timestamp>,
    /// When the first record was posted.
    pub recorded: Timestamp,
    /// The transaction of the first record.
    pub transaction: TransactionId,
    /// How it ended, by the record of its end that stands.
    pub outcome: Option<Outcome>,
    /// The status that the command ended with.
    pub exit: Option<ExitStatus>,
    /// Nothing ran: the record of its end says that it never started.
    pub not_started: bool,
    /// The verdict as the task was then, by the members of now: `allowed`, `pending`, `denied` or `undecided`.
    pub verdict: String,
    /// The same, with those in the teams whom a recorder's record names as approvers.
    pub verdict_as_recorded: String,
    /// Every approval, whether it counted or not, by the verdict as recorded.
    pub approvals: Vec<ApprovalEntry>,
    /// What only the page shows, at length; `None` where nobody asked for it. It is put in writing apart from the rest.
    #[serde(skip)]
    pub details: Option<Details>,
}

/// The particulars of a deploy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Every rule and what it found, by the verdict as recorded.
    pub rules: Vec<RuleEntry>,
    /// Its records, oldest first.
    pub records: Vec<RecordEntry>,
}

/// A rule of the policy and what it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleEntry {
    /// Its name.
    pub name: String,
    /// What it found: `pass`, `warn`, `pending`, `fail` or `unknown`.
    pub outcome: rules::Outcome,
    /// That in words; empty for a restricted task.
    pub message: String,
}

/// An approval as it was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalEntry {
    /// The key of the team.
    pub team: String,
    /// The approver's username.
    pub user: String,
    /// Verified or attested.
    pub kind: ApprovalKind,
    /// Why it did not count; `None` where it did.
    pub why_not: Option<String>,
    /// The transaction that holds it.
    pub transaction: Option<TransactionId>,
    /// When it was given.
    pub time: Timestamp,
    /// Where an attested one can be looked up.
    pub evidence: Option<String>,
}

/// A record of a deploy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordEntry {
    /// What it says has happened.
    pub event: Event,
    /// The transaction that holds it.
    pub transaction: TransactionId,
    /// When it was posted.
    pub time: Timestamp,
    /// It was edited or removed since.
    pub changed: bool,
}

impl ApprovalEntry {
    /// Whether it counted.
    pub fn counts(&self) -> bool {
        self.why_not.is_none()
    }
}

impl DeployEntry {
    /// When it happened, as well as is known.
    pub fn time(&self) -> Timestamp {
        self.started.unwrap_or(self.recorded)
    }

    /// The verdict of that moment in words that fit the past: nothing is pending any more.
    pub fn verdict_words(&self) -> &str {
        past(&self.verdict_as_recorded)
    }

    /// Whether it went back to what ran before; not known of a restricted task.
    pub fn is_rollback(&self) -> bool {
        self.action.as_deref().and_then(Action::named) == Some(Action::Rollback)
    }

    /// How it ended, in a word.
    pub fn outcome_word(&self) -> &'static str {
        self.outcome.map_or("unknown", Outcome::word)
    }

    /// From the tag to the last approval that it needed; what came the other way round took no time.
    pub fn to_approve(&self) -> Option<SignedDuration> {
        Some(between(self.tagged?, self.approved?))
    }

    /// From the last approval that it needed to its start.
    pub fn to_deploy(&self) -> Option<SignedDuration> {
        Some(between(self.approved?, self.started?))
    }

    /// How long it ran.
    pub fn duration(&self) -> Option<SignedDuration> {
        Some(between(self.started?, self.finished.filter(|_| !self.not_started)?))
    }

    /// The approvals that counted.
    pub fn counted(&self) -> impl Iterator<Item = &ApprovalEntry> {
        self.approvals.iter().filter(|approval| approval.counts())
    }

    fn of(deploy: Deploy, task: &TaskAudit) -> Self {
        let Deploy { verdict_as_recorded, .. } = &deploy;
        let approved = approved(&deploy);
        let rules = verdict_as_recorded.rules.iter().map(|rule| RuleEntry {
            name: rule.name.clone(),
            outcome: rule.outcome,
            message: if task.restricted { String::new() } else { rule.message.clone() },
        });
        let approvals = verdict_as_recorded.approvals.iter().map(|approval| ApprovalEntry {
            team: shown(task, &approval.team),
            user: approval.user.clone(),
            kind: approval.kind,
            why_not: approval.why_not.as_ref().map(ToString::to_string),
            transaction: approval.transaction,
            time: approval.time,
            evidence: approval.evidence.clone().filter(|_| !task.restricted),
        });
        let record = |standing: &PostedRecord| RecordEntry {
            event: standing.record.event,
            transaction: standing.moment.transaction,
            time: standing.moment.time,
            changed: standing.changed,
        };
        let tagged = deploy.tagged.map(|Moment { time, .. }| time);
        let open = |text: Option<String>| text.filter(|_| !task.restricted);
        Self {
            deploy: deploy.id,
            drill: deploy.drill,
            tagged,
            approved,
            approvals: approvals.collect(),
            details: Some(Details { rules: rules.collect(), records: deploy.records.iter().map(record).collect() }),
            transaction: deploy.first(),
            verdict: deploy.verdict.decision.word().to_owned(),
            verdict_as_recorded: verdict_as_recorded.decision.word().to_owned(),
            started: deploy.started,
            finished: deploy.finished,
            recorded: deploy.recorded,
            outcome: deploy.outcome,
            exit: deploy.exit,
            not_started: deploy.not_started,
            deployer: deploy.deployer,
            reason: deploy.reason,
            action: open(deploy.action),
            change: open(deploy.change),
            command: open(deploy.command),
        }
    }
}

/// A verdict in words that fit the past.
pub fn past(verdict: &str) -> &str {
    match verdict {
        "pending" | "denied" => "not allowed",
        verdict => verdict,
    }
}

/// The team of an approval; what was written in place of one is a text of the task.
fn shown(task: &TaskAudit, team: &str) -> String {
    match task.restricted && !task.teams.iter().any(|known| known == team) {
        true => "(hidden)".to_owned(),
        false => team.to_owned(),
    }
}

/// From one moment to another, never less than nothing.
fn between(from: Timestamp, to: Timestamp) -> SignedDuration {
    to.duration_since(from).max(SignedDuration::ZERO)
}

/// When the last approval came of those that filled the slots of the teams; `None` where a slot stayed empty.
fn approved(deploy: &Deploy) -> Option<Timestamp> {
    let verdict = &deploy.verdict_as_recorded;
    let full = !verdict.teams.is_empty() && verdict.teams.iter().all(|team| team.by.len() >= team.need as usize);
    let counted = verdict.approvals.iter().filter(|approval| approval.counts());
    let fills = |approval: &&rules::Approval| {
        verdict.teams.iter().any(|team| team.team == approval.team && team.by.contains(&approval.user))
    };
    counted.filter(fills).map(|approval| approval.time).max().filter(|_| full)
}

impl TaskEntry {
    /// What a report shows of an audited task.
    pub fn of(mut audit: TaskAudit) -> Self {
        let deploys = std::mem::take(&mut audit.deploys);
        let deploys = deploys.into_iter().map(|deploy| DeployEntry::of(deploy, &audit)).collect();
        let TaskAudit { task, restricted, title, drill, findings, .. } = audit;
        Self { task, restricted, title, drill, deploys, findings }
    }

    /// The findings about one deploy.
    pub fn found(&self, deploy: &DeployEntry) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.deploy == Some(deploy.deploy))
    }

    /// The findings that keep a deploy from being clean: those about it, and those that say that the history of its task
    /// was rewritten, by which nobody knows how it was.
    pub fn against(&self, deploy: &DeployEntry) -> impl Iterator<Item = &Finding> {
        self.found(deploy).chain(self.alone().filter(|finding| {
            finding.name == crate::audit::findings::REWRITTEN && finding.severity > crate::audit::Severity::Notice
        }))
    }

    /// The findings that are about no deploy, or about one whose records are gone.
    pub fn alone(&self) -> impl Iterator<Item = &Finding> {
        let is_known = |id: &DeployId| self.deploys.iter().any(|deploy| deploy.deploy == *id);
        self.findings.iter().filter(move |finding| !finding.deploy.as_ref().is_some_and(is_known))
    }
}
