//! `tag`: the task is marked as an emergency.

use super::Rule;
use crate::evidence::Tagged;

pub(super) const RULE: Rule = Rule {
    name: "tag",
    summary: "The task carries the tag that marks an emergency",
    page: "The tag is what makes a task an emergency: people watch it, and the audit finds the deploy by it. A subproject \
           or a milestone of it serves as well.\n\n\
           Add the tag to the task, under Edit Task, Tags. Approvals have to come after it.",
    judge: |rule, context| {
        let tag = &context.policy.tag;
        if context.evidence.tag.is_none() {
            return rule.unknown(
                format!("the server knows no project #{tag}, or does not show it to this account"),
                "check `policy.tag` in the configuration, and that the project is visible",
            );
        }
        let missing = format!(
            "type `phabgate request {} --reason CATEGORY what is broken`, or add the tag #{tag} (Edit Task, Tags); then ask for \
             approvals",
            context.task()
        );
        match context.task_state.tagged {
            Tagged::Since(since) => rule.pass(format!("#{tag} since {}", crate::time::utc(since.time))),
            Tagged::Until(until) => {
                rule.fail(format!("#{tag} was removed at {}", crate::time::utc(until.time)), missing)
            }
            Tagged::Never => rule.fail(format!("{} does not carry #{tag}", context.task()), missing),
        }
    },
};
