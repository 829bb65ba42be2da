//! `task-open`: the emergency is not over.

use super::Rule;
use crate::text::inert;

pub(super) const RULE: Rule = Rule {
    name: "task-open",
    summary: "The task is open",
    page: "A closed task is an emergency that is over: what was approved there was approved for what has been done \
           already. Which statuses are closed comes from the server.\n\n\
           Reopen the task if it is the right one, or open a new one that says what is broken now. A policy can switch this \
           rule off with `require_open = false`.",
    judge: |rule, context| {
        if !context.policy.require_open {
            return rule.pass(format!("status {}; the policy asks for none", inert(context.status)));
        }
        match context.evidence.statuses.get(context.status) {
            None => rule.unknown(
                format!("the server does not say whether the status {} is one of closed tasks", inert(context.status)),
                "check that the server answers `maniphest.status.search`, and the status of the task",
            ),
            Some(true) => rule.fail(
                format!("{} is closed ({})", context.task(), inert(context.status)),
                format!("reopen {} if the emergency goes on, or open a task for the new one", context.task()),
            ),
            Some(false) if context.status == "open" => rule.pass("open"),
            Some(false) => rule.pass(format!("open ({})", inert(context.status))),
        }
    },
};
