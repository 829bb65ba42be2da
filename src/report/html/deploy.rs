//! A row: a deploy, or what was found on a task and is about no deploy of it. It opens to the evidence.
//!
//! Responsible for the row and the evidence of one deploy. A long history has many rows, so each is written with as
//! little markup as it can. Not responsible for what is shown of a restricted task (the entries hold no text of it).

use std::io;

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, Render, html};

use super::super::Report;
use super::super::entry::{ApprovalEntry, DeployEntry, Details, RuleEntry, TaskEntry, past};
use super::super::figures::NO_REASON;
use super::meaning;
use super::words::{Made, link, mark, minute, place, second, shown_by};
use crate::attribution::ApprovalKind;
use crate::audit::{Finding, Severity};
use crate::ids::TaskId;
use crate::rules::Outcome;
use crate::text::Inert;
use crate::time::rough;

/// The reason of a deploy, by which it is counted and chosen.
pub(super) fn reason(deploy: &DeployEntry) -> &str {
    deploy.reason.as_deref().unwrap_or(NO_REASON)
}

/// The month of a row.
pub(super) fn month(time: Timestamp) -> String {
    time.strftime("%Y-%m").to_string()
}

/// Adds the rows of a task whose worst finding is as bad as this; those without any where it is `None`.
///
/// # Errors
/// Where the details of a deploy are missing.
pub(super) fn rows(report: &Report<'_>, task: &TaskEntry, worst: Option<Severity>, out: &mut String) -> io::Result<()> {
    let is_asked = |found: &[&Finding]| found.iter().map(|finding| finding.severity).max() == worst;
    for deploy in &task.deploys {
        let found: Vec<&Finding> = task.against(deploy).collect();
        if is_asked(&found) {
            let details =
                deploy.details.as_ref().ok_or_else(|| io::Error::other("the details of a deploy are missing"))?;
            row(report, task, deploy, details, &found).render_to(out);
        }
    }
    let alone: Vec<&Finding> = task.alone().collect();
    if let Some(first) = alone.first()
        && is_asked(&alone)
    {
        row_of_task(report, task, first.time, &alone).render_to(out);
    }
    Ok(())
}

/// The anchor of the row of a deploy; that of its task where it is about none.
pub(super) fn anchor(task: TaskId, deploy: Option<&DeployEntry>) -> String {
    match deploy {
        Some(deploy) => format!("deploy-{}", deploy.deploy),
        None => format!("task-{task}"),
    }
}

fn row(report: &Report<'_>, task: &TaskEntry, deploy: &DeployEntry, details: &Details, found: &[&Finding]) -> Markup {
    html! {
        details.d id=(anchor(task.task, Some(deploy))) data-r=(Inert(reason(deploy))) data-m=(month(deploy.time()))
            data-f=[names(found)] data-s=[severities(found)] {
            summary {
                span.t { (minute(deploy.time())) }
                (link(&task.task.url(report.base), maud::display(task.task)))
                span.r { (Inert(reason(deploy))) (labels(deploy.drill, deploy.is_rollback(), task.restricted)) }
                span.w { (Inert(deploy.deployer.as_deref().unwrap_or("nobody known"))) }
                span.a { (approvers(deploy)) }
                span.o { (deploy.outcome.map_or("end unknown", |_| deploy.outcome_word())) }
                span.v { (Made(deploy.verdict_words())) }
                (worst(found))
                (title(task))
            }
            div.b {
                (findings_list(report, found))
                div {
                    (facts(task, deploy))
                    (approvals(report, task.task, &deploy.approvals))
                }
                div {
                    (rules(&details.rules))
                    h4 { "Records" }
                    ul { @for record in &details.records {
                        li {
                            (record.event.word()) ", " (second(record.time)) " "
                            (shown_by(report, task.task, record.transaction))
                            @if record.changed { ", edited or removed since" }
                        }
                    } }
                }
            }
        }
    }
}

fn row_of_task(report: &Report<'_>, task: &TaskEntry, time: Timestamp, found: &[&Finding]) -> Markup {
    html! {
        details.d id=(anchor(task.task, None)) data-m=(month(time)) data-f=[names(found)] data-s=[severities(found)] {
            summary {
                span.t { (minute(time)) }
                (link(&task.task.url(report.base), maud::display(task.task)))
                span.x { "About the task, not about one deploy" (labels(task.drill, false, task.restricted)) }
                (worst(found))
                (title(task))
            }
            div.b { (findings_list(report, found)) }
        }
    }
}

/// What the task is called.
fn title(task: &TaskEntry) -> Markup {
    html! { @if let Some(title) = &task.title { span.n { (Inert(title)) } } }
}

/// Whose approvals counted.
fn approvers(deploy: &DeployEntry) -> Markup {
    let names: Vec<String> =
        deploy.counted().map(|approval| format!("{} ({})", approval.user, approval.team)).collect();
    match names.is_empty() {
        true => html! { "nobody" },
        false => html! { (Made(&names.join(", "))) },
    }
}

/// How bad the findings of a row are, by which it is chosen.
fn severities(found: &[&Finding]) -> Option<String> {
    let words: std::collections::BTreeSet<&str> = found.iter().map(|finding| finding.severity.word()).collect();
    (!words.is_empty()).then(|| words.into_iter().collect::<Vec<_>>().join(" "))
}

fn labels(drill: bool, rollback: bool, restricted: bool) -> Markup {
    html! { @if drill { " " i { "drill" } } @if rollback { " " i { "rollback" } } @if restricted { " " i { "restricted" } } }
}

/// The names of the findings, by which a row is chosen.
fn names(found: &[&Finding]) -> Option<String> {
    let names: Vec<&str> = found.iter().map(|finding| finding.name).collect();
    (!names.is_empty()).then(|| names.join(" "))
}

/// How many findings, and how bad the worst of them is.
fn worst(found: &[&Finding]) -> Markup {
    let worst = found.iter().map(|finding| finding.severity).max();
    html! {
        span.s {
            @match worst {
                Some(severity) => { (mark(severity)) @if found.len() > 1 { " " (found.len()) " findings" } }
                None => "none",
            }
        }
    }
}

/// Findings with their meaning, and what identifies those that can be accepted.
pub(super) fn findings_list(report: &Report<'_>, found: &[&Finding]) -> Markup {
    html! {
        @if !found.is_empty() {
            ul.f { @for finding in found {
                li class=(finding.severity.word()) {
                    (mark(finding.severity)) " " (meaning::link_to(finding.name)) " " (Made(meaning::summary(finding.name))) "."
                    p {
                        (Made(&finding.message)) ", " (second(finding.time))
                        @match (finding.task, finding.transaction) {
                            (Some(task), Some(transaction)) => { " " (shown_by(report, task, transaction)) }
                            (Some(task), None) => { " " (link(&task.url(report.base), maud::display(task))) }
                            (None, _) => {}
                        }
                        @if finding.severity > Severity::Notice { " " code { (Inert(&finding.id().to_string())) } }
                    }
                }
            } }
        }
    }
}

fn facts(task: &TaskEntry, deploy: &DeployEntry) -> Markup {
    let took = |took: Option<SignedDuration>, words: &str| took.map(|took| format!(" ({} {words})", rough(took)));
    let hidden = "restricted: not told";
    let text = |text: &Option<String>| text.as_deref().map(|text| html! { code { (Inert(text)) } });
    let fact = |name: &str, value: Option<Markup>| {
        html! { @if let Some(value) = value { dt { (name) } dd { (value) } } }
    };
    let time = |time: Option<Timestamp>, more: Option<String>, unknown: &str| match time {
        Some(time) => html! { (second(time)) (more.unwrap_or_default()) },
        None => html! { (unknown) },
    };
    html! {
        dl {
            @if task.restricted {
                dt { "Command" } dd { (hidden) }
            } @else {
                (fact("Command", text(&deploy.command)))
                (fact("Action", text(&deploy.action)))
                (fact("Change", text(&deploy.change)))
            }
            (fact("Tagged", Some(time(deploy.tagged, None, "the task did not carry the tag"))))
            (fact("Approved", Some(time(deploy.approved, took(deploy.to_approve(), "after the tag"), "not by all who were needed"))))
            (fact("Started", Some(time(deploy.started, took(deploy.to_deploy(), "after the approval"), "no record says when"))))
            (fact("Ended", Some(time(deploy.finished, took(deploy.duration(), "after the start"), "no record says when"))))
            (fact("Outcome", Some(outcome(deploy))))
            (fact("Verdict", Some(verdict(deploy))))
            (fact("Deploy", Some(html! { code { (deploy.deploy) } })))
        }
    }
}

fn outcome(deploy: &DeployEntry) -> Markup {
    html! {
        @if deploy.outcome.is_some() { (deploy.outcome_word()) } @else { "no record says how it ended" }
        @if let Some(exit) = deploy.exit { ", " (exit) }
        @if deploy.not_started && deploy.outcome_word() != "not-started" { ", nothing ran" }
    }
}

fn verdict(deploy: &DeployEntry) -> Markup {
    html! {
        (Made(deploy.verdict_words()))
        @if deploy.verdict != deploy.verdict_as_recorded {
            " with the members that a recorder wrote down, " (Made(past(&deploy.verdict))) " with those of now"
        }
    }
}

fn approvals(report: &Report<'_>, task: TaskId, approvals: &[ApprovalEntry]) -> Markup {
    html! {
        h4 { "Approvals" }
        @if approvals.is_empty() { p { "none" } }
        ul { @for approval in approvals {
            li class=[(!approval.counts()).then_some("no")] {
                b { (Made(&approval.team)) } " " (Made(&approval.user)) ", " (kind(approval.kind)) ", "
                (second(approval.time)) " "
                @if let Some(transaction) = approval.transaction { (shown_by(report, task, transaction)) }
                @if let Some(evidence) = &approval.evidence { " see " (place(evidence)) }
                @if let Some(why) = &approval.why_not { em { "does not count: " (Made(why)) } }
            }
        } }
    }
}

/// Every rule, those that do not hold first.
fn rules(rules: &[RuleEntry]) -> Markup {
    let mut sorted: Vec<&RuleEntry> = rules.iter().collect();
    sorted.sort_by_key(|rule| match rule.outcome {
        Outcome::Fail => 0,
        Outcome::Unknown => 1,
        Outcome::Pending => 2,
        Outcome::Warn => 3,
        Outcome::Pass => 4,
    });
    html! {
        h4 { "Rules" }
        ul.u { @for rule in sorted {
            li { (said(rule.outcome)) " " (Made(&rule.name)) @if !rule.message.is_empty() { ": " (Made(&rule.message)) } }
        } }
    }
}

/// What a rule found, with a mark of its own shape where it is not well.
fn said(outcome: Outcome) -> Markup {
    let (word, class) = match outcome {
        Outcome::Pass => ("pass", None),
        Outcome::Warn => ("warn", Some(Severity::Notice)),
        Outcome::Pending => ("missing", Some(Severity::Warning)),
        Outcome::Fail => ("fail", Some(Severity::Error)),
        Outcome::Unknown => ("unknown", Some(Severity::Warning)),
    };
    match class {
        Some(severity) => html! { b class={ "mark " (severity.word()) } { (word) } },
        None => html! { b { (word) } },
    }
}

fn kind(kind: ApprovalKind) -> &'static str {
    match kind {
        ApprovalKind::Verified => "verified",
        ApprovalKind::Witnessed => "witnessed",
        ApprovalKind::Attested => "attested",
    }
}
