//! What an audit found, for people and for programs.
//!
//! In the room: both forms, as pure functions. Not in the room: what is found, and what of it is asked about.

use jiff::Timestamp;
use serde::Serialize;
use url::Url;

use super::ui::{BAD, FAINT, GOOD, MIND, NAME, hanging, styled};
use crate::audit::reader::{Population, Unread};
use crate::audit::{Deploy, Finding, Severity, TaskAudit};
use crate::ids::{DeployId, TaskId, TransactionId};
use crate::policy::Policy;
use crate::record::{ExitStatus, Outcome};
use crate::text::{columns, inert};
use crate::time::utc;

/// The schema of `audit --format json`.
const SCHEMA: &str = "phabgate/audit/1";

/// What an audit came to.
pub(super) struct Report<'a> {
    pub(super) base: &'a Url,
    pub(super) policy: &'a Policy,
    pub(super) now: Timestamp,
    pub(super) population: &'a Population,
    pub(super) unread: &'a [Unread],
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) reason: Option<&'a str>,
    pub(super) tasks: &'a [TaskAudit],
}

/// A report for programs; fields are only ever added.
#[derive(Serialize)]
pub(super) struct Json<'a> {
    schema: &'static str,
    server: &'a str,
    time: Timestamp,
    policy: String,
    complete: bool,
    population: &'a Population,
    unread: Vec<JsonUnread>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    reason: Option<&'a str>,
    deploys: Vec<JsonDeploy<'a>>,
    findings: Vec<JsonFinding<'a>>,
}

#[derive(Serialize)]
struct JsonUnread {
    task: TaskId,
    error: String,
}

#[derive(Serialize)]
struct JsonDeploy<'a> {
    deploy: DeployId,
    task: TaskId,
    url: String,
    restricted: bool,
    drill: bool,
    deployer: Option<&'a str>,
    reason: Option<&'a str>,
    action: Option<&'a str>,
    change: Option<&'a str>,
    command: Option<&'a str>,
    started: Option<Timestamp>,
    finished: Option<Timestamp>,
    recorded: Timestamp,
    outcome: Option<Outcome>,
    exit: Option<ExitStatus>,
    verdict: &'static str,
    verdict_as_recorded: &'static str,
    approvals: Vec<JsonApproval<'a>>,
    findings: usize,
}

/// An approval, for programs.
#[derive(Serialize)]
pub(super) struct JsonApproval<'a> {
    pub(super) team: &'a str,
    pub(super) user: &'a str,
    kind: crate::record::ApprovalKind,
    transaction: Option<TransactionId>,
    time: Timestamp,
}

#[derive(Serialize)]
struct JsonFinding<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
    url: String,
}

impl Report<'_> {
    /// Whether every task of the population could be read and judged.
    pub(super) fn is_complete(&self) -> bool {
        self.unread.is_empty() && self.population.unseen == 0
    }

    /// The severity of the worst finding; `None` where there is none.
    pub(super) fn worst(&self) -> Option<Severity> {
        self.findings().map(|finding| finding.severity).max()
    }

    pub(super) fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.tasks.iter().flat_map(|task| &task.findings)
    }

    fn deploys(&self) -> impl Iterator<Item = (&TaskAudit, &Deploy)> {
        self.tasks.iter().flat_map(|task| task.deploys.iter().map(move |deploy| (task, deploy)))
    }

    /// Where a transaction can be looked at; the task where none shows it.
    pub(super) fn url(&self, task: TaskId, transaction: Option<TransactionId>) -> String {
        match transaction {
            Some(transaction) => format!("{}#{transaction}", task.url(self.base)),
            None => task.url(self.base),
        }
    }

    /// The report for programs.
    pub(super) fn json(&self) -> Json<'_> {
        let deploys = self.deploys().map(|(task, deploy)| {
            // Of a restricted task no text goes out: nor what was deployed with which command.
            let open = |text: &'_ Option<String>| !task.restricted && text.is_some();
            JsonDeploy {
                deploy: deploy.id,
                task: task.task,
                url: self.url(task.task, Some(deploy.first())),
                restricted: task.restricted,
                drill: deploy.drill || task.drill,
                deployer: deploy.deployer.as_deref(),
                reason: deploy.reason.as_deref(),
                action: deploy.action.as_deref().filter(|_| open(&deploy.action)),
                change: deploy.change.as_deref().filter(|_| open(&deploy.change)),
                command: deploy.command.as_deref().filter(|_| open(&deploy.command)),
                started: deploy.started,
                finished: deploy.finished,
                recorded: deploy.recorded,
                outcome: deploy.outcome,
                exit: deploy.exit,
                verdict: deploy.verdict.decision.word(),
                verdict_as_recorded: deploy.verdict_as_recorded.decision.word(),
                approvals: approvals(deploy).collect(),
                findings: found(task, deploy),
            }
        });
        let unread = self.unread.iter().map(|unread| JsonUnread { task: unread.task, error: unread.error.to_string() });
        let findings =
            self.findings().map(|finding| JsonFinding { finding, url: self.url(finding.task, finding.transaction) });
        Json {
            schema: SCHEMA,
            server: self.base.as_str(),
            time: self.now,
            policy: self.policy.digest().to_string(),
            complete: self.is_complete(),
            population: self.population,
            unread: unread.collect(),
            since: self.since,
            until: self.until,
            reason: self.reason,
            deploys: deploys.collect(),
            findings: findings.collect(),
        }
    }

    /// The report for people, in at most `width` columns.
    pub(super) fn text(&self, width: usize) -> String {
        let mut page = self.deploys_text(width);
        for severity in [Severity::Notice, Severity::Warning, Severity::Error] {
            page.push_str(&self.findings_text(severity, width));
        }
        page.push_str(&self.missing(width));
        page.push_str(&self.headline(width));
        page
    }

    fn deploys_text(&self, width: usize) -> String {
        let mut page = format!("{}\n", styled(NAME, "Deploys"));
        if self.deploys().next().is_none() {
            page.push_str("  none\n");
        }
        for (task, deploy) in self.deploys() {
            let time = deploy.started.unwrap_or(deploy.recorded).strftime("%Y-%m-%d %H:%M").to_string();
            let label = task.task.to_string();
            let mut words = vec![
                inert(deploy.reason.as_deref().unwrap_or("no reason")),
                format!("by {}", inert(deploy.deployer.as_deref().unwrap_or("nobody known"))),
                deploy.outcome.map_or("end unknown", Outcome::word).to_owned(),
            ];
            let names: Vec<String> = approvals(deploy)
                .map(|approval| format!("{} ({})", inert(approval.user), inert(approval.team)))
                .collect();
            words.push(match names.is_empty() {
                true => "approved by nobody".to_owned(),
                false => format!("approved by {}", names.join(", ")),
            });
            if deploy.drill || task.drill {
                words.push("a drill".to_owned());
            }
            let count = found(task, deploy);
            if count > 0 {
                words.push(format!("{count} finding{}", if count == 1 { "" } else { "s" }));
            }
            let mark = if count == 0 { styled(GOOD, "ok  ") } else { styled(MIND, "look") };
            let head = format!("  {mark}  {time}  {}  ", styled(NAME, &label));
            page.push_str(&hanging(&head, 2 + 4 + 2 + columns(&time) + 2 + label.len() + 2, &words.join(", "), width));
        }
        page
    }

    fn findings_text(&self, severity: Severity, width: usize) -> String {
        let found: Vec<&Finding> = self.findings().filter(|finding| finding.severity == severity).collect();
        if found.is_empty() {
            return String::new();
        }
        let (style, title) = match severity {
            Severity::Error => (BAD, "Errors"),
            Severity::Warning => (MIND, "Warnings"),
            Severity::Notice => (NAME, "Notices"),
        };
        let mut page = format!("\n{}\n", styled(style, title));
        for finding in found {
            let label = finding.task.to_string();
            let head = format!("  {}  {}  ", styled(NAME, &label), styled(style, finding.name));
            let indent = 2 + label.len() + 2;
            let words = format!("{}, {}", finding.message, utc(finding.time));
            page.push_str(&hanging(&head, indent + finding.name.len() + 2, &words, width));
            let url = self.url(finding.task, finding.transaction);
            page.push_str(&format!("{}{}\n", " ".repeat(indent), styled(FAINT, &url)));
        }
        page
    }

    /// What could not be read, which the audit says nothing of.
    fn missing(&self, width: usize) -> String {
        let mut page = String::new();
        for unread in self.unread {
            let label = unread.task.to_string();
            let head = format!("  {}  ", styled(NAME, &label));
            page.push_str(&hanging(&head, 2 + label.len() + 2, &unread.error.to_string(), width));
        }
        if self.population.unseen > 0 {
            let words = format!("{} task(s) with a record that this account is not shown", self.population.unseen);
            page.push_str(&hanging("  ", 2, &words, width));
        }
        match page.is_empty() {
            true => page,
            false => format!("\n{}\n{page}", styled(BAD, "Not audited")),
        }
    }

    fn headline(&self, width: usize) -> String {
        let count = |severity| self.findings().filter(|finding| finding.severity == severity).count();
        let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let found = format!(
            "{}, {}, {}",
            plural(count(Severity::Error), "error"),
            plural(count(Severity::Warning), "warning"),
            plural(count(Severity::Notice), "notice")
        );
        let (style, word, rest) = match (self.is_complete(), self.worst()) {
            (false, _) => (BAD, "INCOMPLETE", format!("not all could be read; of the rest {found}")),
            (true, Some(Severity::Error)) => (BAD, "FINDINGS", found),
            (true, Some(_)) => (MIND, "FINDINGS", found),
            (true, None) => (GOOD, "COMPLIANT", "nothing to find fault with".to_owned()),
        };
        let population = self.population;
        let read = format!(
            "{} with #{}, {} more with a record; {}. Members of the teams are those of now, and of then as far as a \
             recorder wrote them down. A tag that was taken off a task without a record leaves no trace, nor does a task that this account is \
             not shown.",
            plural(population.tagged, "task"),
            self.policy.tag,
            population.recorded,
            plural(self.deploys().count(), "deploy")
        );
        let verdict = hanging(&format!("{}  ", styled(style, word)), word.len() + 2, &rest, width);
        format!("\n{verdict}{}", hanging("", 0, &read, width))
    }
}

/// How many findings a deploy has.
pub(super) fn found(task: &TaskAudit, deploy: &Deploy) -> usize {
    task.findings.iter().filter(|finding| finding.deploy == Some(deploy.id)).count()
}

/// The approvals that counted when it was deployed.
pub(super) fn approvals(deploy: &Deploy) -> impl Iterator<Item = JsonApproval<'_>> {
    deploy.verdict_as_recorded.approvals.iter().filter(|approval| approval.counts()).map(|approval| JsonApproval {
        team: &approval.team,
        user: &approval.user,
        kind: approval.kind,
        transaction: approval.transaction,
        time: approval.time,
    })
}
