//! `task-visible`: there is a task, and this account is shown it.

use super::Rule;
use super::verdict::{Outcome, RuleOutcome};
use crate::ids::TaskId;

pub(super) const RULE: Rule = Rule {
    name: "task-visible",
    summary: "The task exists and the gate's account can see it",
    page: "The server shows the account of the token no task of this number. A server gives the same answer for a task \
           that is not there and for one that is hidden from who asks, so the gate cannot say which it is.\n\n\
           Check the number. If the task is restricted, add the gate's account to those who can see it, or use the token of \
           an account that can.",
    judge: |rule, context| {
        rule.pass(format!("{} is visible to {}", context.task(), crate::text::inert(&context.evidence.owner.username)))
    },
};

/// The outcome where the search of this account came back empty.
pub(super) fn not_visible(task: TaskId, account: &str) -> RuleOutcome {
    let account = crate::text::inert(account);
    let hint = format!("check the number; if {task} is restricted, somebody who can edit it must let {account} see it");
    RULE.outcome(Outcome::Fail, format!("{task} does not exist, or {account} may not see it"), Some(hint))
}
