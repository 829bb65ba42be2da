//! `task-unseen`: a task that belonged to the population is not shown any more.

use jiff::Timestamp;

use super::past_finding::PastFinding;
use super::{Finding, FindingRule, Severity};
use crate::audit::population::Unseen;
use crate::time::utc;

pub(in crate::audit) const RULE: FindingRule = FindingRule {
    name: "task-unseen",
    severity: Severity::Error,
    summary: "A task that an earlier audit looked at is not shown any more",
    page: "An earlier audit saw that the task carried the tag or had a record, and the server does not show the task to this \
           account now. It was hidden, or destroyed: the server answers the same to both. Nothing can be said about its \
           deploys, and the audit is incomplete.\n\n\
           What a task says can be hidden for a good reason, as a security issue is. It can be hidden so that nobody looks.\n\n\
           Let an account that sees the task make the audit. Where the task is gone for good, or never was one of yours, \
           write the id of this finding and why under `audit.accepted` in the configuration: it is a notice then, and the \
           audit is complete without it.",
    find: |_, _| Vec::new(),
};

/// A task that is not shown any more, and what earlier audits found on it. Of a restricted one the number and the names of
/// what was found are all that is said: no text of it is among them.
pub fn unseen(task: &Unseen, past: &[PastFinding], now: Timestamp) -> Finding {
    let found = names(past);
    let known = match (task.restricted, task.seen) {
        (false, Some(seen)) => {
            format!(
                "the task was there when the audit of {} looked{found}, and is not shown to this account",
                utc(seen)
            )
        }
        _ => {
            let found = if found.is_empty() { found } else { format!(", an audit looked{found}") };
            format!("the task carried the tag or had a record{found}, and is not shown to this account")
        }
    };
    Finding {
        name: RULE.name,
        severity: RULE.severity,
        task: task.id,
        deploy: None,
        transaction: None,
        time: task.seen.unwrap_or(now),
        message: format!("{known}: hidden, or destroyed"),
        about: task.phid.to_string(),
    }
}

/// The names of what was found, each once.
fn names(past: &[PastFinding]) -> String {
    let mut names: Vec<&str> = past.iter().map(|past| past.finding.name).collect();
    names.sort_unstable();
    names.dedup();
    match names.is_empty() {
        true => String::new(),
        false => format!(" and found {}", names.join(", ")),
    }
}
