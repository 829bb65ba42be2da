//! `reason`: why it cannot wait is one of the reasons that count.

use super::{EvaluationContext, Rule, list};

pub(super) const RULE: Rule = Rule {
    name: "reason",
    summary: "The task states a reason that counts",
    page: "Only some reasons justify a deploy while nobody is deploying; the policy lists them. A task with none of these \
           waits for the next deployment window.\n\n\
           Write a line of its own into the description, or into a comment by the task's author or the deployer, such as \
           \"Emergency-Reason: availability - 5xx on every page view\" (without the quotation marks).\n\n\
           The category comes first, then a hyphen or a colon, then an explanation. Of several places the one written last \
           wins. A line in a quote or a code block does not count. Changing the category voids the approvals before it.",
    judge: |rule, context| {
        let hint = || {
            format!(
                "write into the description of {}, alone on a line, \"Emergency-Reason: CATEGORY - what is broken\" (without the quotation marks); {}",
                context.task(),
                categories(context)
            )
        };
        let Some(written) = &context.task_state.written else {
            return rule.fail(format!("{} states no reason", context.task()), hint());
        };
        match written.category.as_deref().and_then(|key| context.policy.reason(key)) {
            Some(_) if context.hide => rule.pass("one of those that count"),
            Some(reason) => rule.pass(format!("{}: {}", reason.key, reason.title)),
            None => rule.fail(
                format!("the stated reason is none that counts: {}", context.quote(&written.explanation)),
                hint(),
            ),
        }
    },
};

fn categories(context: &EvaluationContext<'_>) -> String {
    let keys: Vec<String> = context.policy.reasons.iter().map(|reason| reason.key.clone()).collect();
    format!("CATEGORY is {}", list(&keys, "or"))
}
