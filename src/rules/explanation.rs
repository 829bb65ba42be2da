//! `explanation`: the reason says more than its category, and what approvers read still stands.

use super::Rule;

pub(super) const RULE: Rule = Rule {
    name: "explanation",
    summary: "The reason is explained, and still says what the approvers read",
    page: "The words after the category are what an approver agrees to and an auditor reads weeks later. This rule only \
           warns: where they are missing, and where they were changed after somebody had approved.\n\n\
           Add an explanation behind the category: \"Emergency-Reason: abuse - a scraper ignores HTTP 429\". Where it changed, \
           ask the approvers whether they still agree.",
    judge: |rule, context| {
        let Some(written) = context.task_state.written.as_ref().filter(|written| written.category.is_some()) else {
            return rule.pass("no reason to explain yet");
        };
        if written.explanation.is_empty() {
            return rule.warn(
                "the reason has no explanation",
                format!(
                    "add one for the approvers: \"Emergency-Reason: {} - what is broken\"",
                    written.category.as_deref().unwrap_or("CATEGORY")
                ),
            );
        }
        let mut counting = context.judged.approvals.iter().filter(|approval| approval.counts());
        let reworded = context.task_state.reworded.as_ref();
        match reworded.filter(|(moment, _)| {
            counting.any(|approval| {
                approval.transaction.is_some_and(|id| id < moment.transaction || approval.time < moment.time)
            })
        }) {
            Some((moment, author)) => rule.warn(
                format!(
                    "the explanation was changed after an approval, by {} at {}",
                    context.name_of(author),
                    crate::time::utc(moment.time)
                ),
                "ask the approvers whether they still agree",
            ),
            None => rule.pass(context.quote(&written.explanation)),
        }
    },
};
