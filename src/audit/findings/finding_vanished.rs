//! `finding-vanished`: an earlier audit found it, and today's evidence does not show it.

use super::past_finding::{PastFinding, Today};
use super::{Finding, FindingRule, HIDDEN, Severity};
use crate::time::utc;

pub(in crate::audit) const RULE: FindingRule = FindingRule {
    name: "finding-vanished",
    severity: Severity::Error,
    summary: "An earlier audit found something that the evidence no longer shows",
    page: "An earlier audit found an error or a warning, and today's evidence, read whole, does not show it, or \
           the task cannot be judged today. It is shown \
           with the severity and the words that it had, in every audit from then on. What is mended by acting (a record \
           that was missing, a deploy without an end, a follow-up that was overdue, a verdict that could not be given) is \
           not. Nor is it an error where the earlier audit judged by another policy or was one of another version of \
           phabgate: then it is a notice.\n\n\
           Evidence does not get better by itself. Somebody may have been let into a team afterwards, a comment or a \
           record may have been taken away, an account given back. The mirror knows the members of the teams as audits saw \
           them, but not what happened in between.\n\n\
           Find out what changed: the history of the task, of the team's project and of the accounts. When it was looked \
           at, write its id and what came out under `audit.accepted` in the configuration: it is a notice then.",
    find: |_, _| Vec::new(),
};

/// What an earlier audit found. `today` says why it is not found; its words are hidden where the task is restricted now;
/// `comparable` it is where the same version judged by the same policy.
pub(in crate::audit) fn vanished(past: &PastFinding, today: &Today<'_>, comparable: bool) -> Finding {
    let was = &past.finding;
    let said = if today.restricted { HIDDEN } else { &was.message };
    let by = if comparable { "" } else { ", under another policy or by another version" };
    let now = if today.judged { "the evidence does not show it any more" } else { "the task cannot be judged now" };
    let message =
        format!("the audit of {} found{by} {} {}: {said}; {now}", utc(past.last), with_article(was.severity), was.name);
    Finding {
        name: RULE.name,
        severity: if comparable { was.severity } else { Severity::Notice },
        message,
        // By which it is the same finding to whoever accepted it.
        about: was.id().digest,
        ..was.clone()
    }
}

fn with_article(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "the error",
        Severity::Warning => "the warning",
        Severity::Notice => "the notice",
    }
}
