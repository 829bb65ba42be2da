//! The findings, one a file: its name, how bad it is, what it means and how to mend it, and how it is found.
//!
//! Responsible for the list of them, and for what makes findings. Each is a pure function of the case. Not for how deploys
//! are judged, and what the server denies of what was seen: both are known when they come here.

mod approval_edited;
mod approval_late;
mod approval_missing;
mod approval_removed;
mod approval_self;
mod approver_not_member;
mod drill_late;
pub(super) mod finding_vanished;
mod follow_up_overdue;
pub(super) mod hashtag_moved;
mod history_rewritten;
mod objected_meanwhile;
mod of_witness;
mod past_finding;
mod policy_differs;
mod reason_changed;
mod reason_missing;
mod record_contradicted;
mod record_duplicate;
mod record_edited;
mod record_forged;
mod record_late;
mod record_missing;
mod record_removed;
mod record_unfinished;
mod rule_failed;
mod tag_late;
mod tag_removed;
pub(super) mod task_unseen;
mod team_open;
mod times_impossible;
mod undecided;
mod verdict_differs;
mod witness_edited;
mod witness_forged;
mod witness_removed;

pub use hashtag_moved::moved;
pub use past_finding::{PastFinding, Today, VERSION};
pub use task_unseen::unseen;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::deploys::DeployAssessment;
use super::mirror::lost::Lost;
use crate::evidence::records::PostedRecord;
use crate::evidence::timeline::Moment;
use crate::evidence::{Evidence, Removal, TaskState};
use crate::ids::{DeployId, FindingId, TaskId, TransactionId};
use crate::policy::{Policy, PolicyDigest};
use crate::rules::{Approval, Outcome, RuleOutcome, Verdict};
use crate::text::hex;

/// How bad a finding is; the worst is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Notice,
    /// Somebody should look at it.
    Warning,
    /// The deploy did not keep to the policy, or its records cannot be trusted.
    Error,
}

impl Severity {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Something that was found fault with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The name of the rule that found it.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// On which task; `None` where it is about no task, or one of which no number is known.
    pub task: Option<TaskId>,
    /// With which deploy, where it is about one.
    pub deploy: Option<DeployId>,
    /// The transaction that shows it.
    pub transaction: Option<TransactionId>,
    /// When what it is about happened.
    pub time: Timestamp,
    /// What it is, in words that are fit to be shown.
    pub message: String,
    /// What distinguishes it from others of its name about the same: the rule, the team. Nothing that another audit
    /// would word otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
}

/// A finding as it is read back: what it is called may be anything then.
#[derive(Deserialize)]
struct EncodedFinding {
    name: String,
    severity: Severity,
    task: Option<TaskId>,
    deploy: Option<DeployId>,
    transaction: Option<TransactionId>,
    time: Timestamp,
    message: String,
    #[serde(default)]
    about: String,
}

// By hand: a derived one could only read names that live for ever.
impl<'de> Deserialize<'de> for Finding {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let EncodedFinding { name, severity, task, deploy, transaction, time, message, about } =
            EncodedFinding::deserialize(deserializer)?;
        let rule = ALL.iter().find(|rule| rule.name == name);
        let name = rule.map(|rule| rule.name);
        let name = name.ok_or_else(|| serde::de::Error::custom(format!("no finding is called {name:?}")))?;
        Ok(Self { name, severity, task, deploy, transaction, time, message, about })
    }
}

/// What findings are found in.
pub(super) struct Case<'a> {
    /// The evidence, with the texts that the mirror holds where the server blanked them.
    pub(super) evidence: &'a Evidence,
    /// The evidence as the server returned it.
    pub(super) as_returned: &'a Evidence,
    pub(super) policy: &'a Policy,
    pub(super) digest: &'a PolicyDigest,
    /// The state of the task up to now.
    pub(super) task_state: &'a TaskState,
    /// The deploys of the task.
    pub(super) assessments: &'a [DeployAssessment],
    /// Records of the deploy of somebody else, which count for nothing.
    pub(super) foreign: &'a [PostedRecord],
    /// What the mirror saw and the server now denies.
    pub(super) lost: &'a [Lost],
    /// Texts of the task are not to be shown.
    pub(super) hide: bool,
}

impl<'a> Case<'a> {
    /// The deploys that ran, or may have.
    fn ran(&self) -> impl Iterator<Item = &'a DeployAssessment> + use<'a> {
        self.assessments.iter().filter(|assessment| assessment.deploy.ran())
    }

    /// What a comment said that was removed, where the mirror holds it.
    fn text_of(&self, gone: &Removal) -> Option<&'a str> {
        let rows = self.evidence.timeline.transactions();
        let row = rows.iter().find(|row| row.id == gone.spoken.transaction)?;
        let said = row.comments.iter().find(|version| !version.removed)?;
        Some(said.text()).filter(|text| !text.is_empty())
    }

    /// A text of the task in quotes, or that it is hidden.
    fn quote(&self, text: &str) -> String {
        match self.hide {
            true => HIDDEN.to_owned(),
            false => format!("'{}'", crate::text::shorten(text, 120)),
        }
    }
}

/// The name of the finding that the history of a task was rewritten.
pub const REWRITTEN: &str = history_rewritten::RULE.name;
/// What stands for a text of a restricted task.
const HIDDEN: &str = "(hidden)";

/// A rule of the audit: what it is called, how bad what it finds is, what it is about, and its page.
#[derive(Debug)]
pub struct FindingRule {
    /// Its stable name, which its findings bear.
    pub name: &'static str,
    /// How bad what it finds is at its worst.
    pub severity: Severity,
    /// What it finds, in a line.
    pub summary: &'static str,
    /// What it means, why it matters and how to mend it.
    pub page: &'static str,
    pub(super) find: fn(&FindingRule, &Case<'_>) -> Vec<Finding>,
}

/// All rules of the audit: approvals, what else the deploy needs, the tag, the records, and what is around.
pub const ALL: &[FindingRule] = &[
    approval_missing::RULE,
    approval_late::RULE,
    approval_self::RULE,
    approver_not_member::RULE,
    approval_edited::RULE,
    approval_removed::RULE,
    reason_missing::RULE,
    reason_changed::RULE,
    rule_failed::RULE,
    objected_meanwhile::RULE,
    undecided::RULE,
    verdict_differs::RULE,
    tag_late::RULE,
    tag_removed::RULE,
    record_missing::RULE,
    record_late::RULE,
    record_unfinished::RULE,
    record_duplicate::RULE,
    record_contradicted::RULE,
    record_edited::RULE,
    record_removed::RULE,
    record_forged::RULE,
    witness_edited::RULE,
    witness_removed::RULE,
    witness_forged::RULE,
    times_impossible::RULE,
    drill_late::RULE,
    policy_differs::RULE,
    team_open::RULE,
    follow_up_overdue::RULE,
    history_rewritten::RULE,
    finding_vanished::RULE,
    hashtag_moved::RULE,
    task_unseen::RULE,
];

/// What is found in what the server denies alone, whatever came of judging the task.
pub(super) fn denied(case: &Case<'_>) -> Vec<Finding> {
    (history_rewritten::RULE.find)(&history_rewritten::RULE, case)
}

impl FindingRule {
    /// A finding about the task.
    fn of_task(&self, case: &Case<'_>, moment: Moment, message: impl Into<String>) -> Finding {
        Finding {
            name: self.name,
            severity: self.severity,
            task: Some(case.evidence.task.id),
            deploy: None,
            transaction: Some(moment.transaction),
            time: moment.time,
            message: message.into(),
            about: String::new(),
        }
    }

    /// A finding about a deploy, which this moment shows.
    fn of_deploy(
        &self,
        case: &Case<'_>,
        assessment: &DeployAssessment,
        moment: Moment,
        message: impl Into<String>,
    ) -> Finding {
        Finding { deploy: Some(assessment.deploy.id), ..self.of_task(case, moment, message) }
    }

    /// A finding about the start of a deploy, which its first record shows.
    fn at_record(&self, case: &Case<'_>, assessment: &DeployAssessment, message: impl Into<String>) -> Finding {
        let deploy = &assessment.deploy;
        Finding {
            deploy: Some(deploy.id),
            transaction: Some(deploy.first()),
            time: deploy.as_of.time,
            name: self.name,
            severity: self.severity,
            task: Some(case.evidence.task.id),
            message: message.into(),
            about: String::new(),
        }
    }
}

impl Finding {
    /// The same, shown by the transaction of an approval, where it has one.
    fn shown_by(mut self, approval: &Approval) -> Self {
        if let Some(transaction) = approval.transaction {
            self.transaction = Some(transaction);
            self.time = approval.time;
        }
        self
    }

    /// The same, distinguished from others of its name about the same deploy.
    fn about(mut self, what: &str) -> Self {
        what.clone_into(&mut self.about);
        self
    }

    /// What identifies it, in this audit and in others.
    pub fn id(&self) -> FindingId {
        let first = self.about.split(' ').next().unwrap_or_default();
        let about = self.task.map_or_else(|| first.to_owned(), |task| task.to_string());
        let digest = match self.name == finding_vanished::RULE.name {
            true => self.about.clone(),
            false => {
                let mut hash = Sha256::new();
                let number = |id: TransactionId| id.to_string();
                let (deploy, transaction) = (self.deploy.map(|id| id.to_string()), self.transaction.map(number));
                for part in
                    [self.name, &about, &deploy.unwrap_or_default(), &transaction.unwrap_or_default(), &self.about]
                {
                    // With its length, so that no two texts run together.
                    hash.update((part.len() as u64).to_be_bytes());
                    hash.update(part);
                }
                hex(&hash.finalize()[..FindingId::DIGITS / 2])
            }
        };
        FindingId { name: self.name.to_owned(), about, digest }
    }

    /// The same, less bad.
    fn but(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}

/// Sees to it that no two findings are identified by the same.
pub(super) fn distinguish(findings: &mut [Finding]) {
    let mut seen: BTreeMap<FindingId, usize> = BTreeMap::new();
    for finding in findings {
        let count = seen.entry(finding.id()).or_default();
        *count += 1;
        if *count > 1 {
            finding.about = format!("{} {count}", finding.about);
        }
    }
}

/// Whether a rule of the policy kept the deploy from being allowed, as far as it could be judged.
fn kept(outcome: &RuleOutcome) -> bool {
    matches!(outcome.outcome, Outcome::Fail | Outcome::Pending)
}

/// Whether it is the rule of a team.
fn is_team(outcome: &RuleOutcome) -> bool {
    outcome.name == "team" || outcome.name.starts_with("team:")
}

/// Whether a team had not approved at the start of the deploy.
fn lacks(assessment: &DeployAssessment, team: &str) -> bool {
    let of_team = |outcome: &&RuleOutcome| outcome.name.strip_prefix("team:") == Some(team);
    assessment.deploy.verdict_as_recorded.rules.iter().filter(of_team).any(kept)
}

/// Approvals up to the start of the deploy, and of the later ones those for a team that had not approved by then: what
/// somebody says when all is done does not make it worse.
fn approvals_that_matter<'a>(
    assessment: &'a DeployAssessment,
    verdict: &'a Verdict,
) -> impl Iterator<Item = &'a Approval> {
    verdict.approvals.iter().chain(assessment.late.iter().filter(|late| lacks(assessment, &late.team)))
}

/// What a record is called in a message.
fn what(standing: &PostedRecord) -> &'static str {
    standing.record.event.word()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_rule_has_a_name_of_its_own_and_a_page() {
        let names: BTreeSet<&str> = ALL.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), ALL.len());
        for FindingRule { name, summary, page, .. } in ALL {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{name}");
            assert!(summary.len() <= 72 && !summary.ends_with('.'), "{name}");
            assert!(page.contains("\n\n") && page.ends_with('.'), "{name}");
        }
    }
}
