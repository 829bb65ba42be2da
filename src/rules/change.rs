//! `change`: what is about to be deployed is what was stated.

use super::Rule;

pub(super) const RULE: Rule = Rule {
    name: "change",
    summary: "What is deployed is what was stated",
    page: "Where the task states a change (\"Emergency-Change: REF\") and `--change` names another, the approvers agreed to \
           something else, and the answer is no.\n\n\
           Deploy what was stated, or correct `Emergency-Change` on the task and ask for the approvals again.",
    judge: |rule, context| match (&context.intent.change, &context.task_state.change) {
        (Some(given), Some(stated)) if given.trim() != stated.value => rule.fail(
            format!(
                "--change '{}' is not what the task states: {}",
                crate::text::inert(given),
                context.quote(&stated.value)
            ),
            format!("deploy what was stated; or {} and ask for the approvals again", context.restate("--change REF")),
        ),
        (Some(given), _) => rule.pass(crate::text::inert(given)),
        (None, Some(stated)) => rule.pass(context.quote(&stated.value)),
        (None, None) => rule.pass("not stated"),
    },
};
