//! `can-record`: people can say no on the task, and the gate can write its records there.

use super::Rule;

pub(super) const RULE: Rule = Rule {
    name: "can-record",
    summary: "People can say no on the task, and a deploy can be recorded there",
    page: "A server can lock a task: its status, or the policy of who may interact with it, then keeps comments away. Where \
           nobody may comment, nobody can say no any more and nothing can be recorded, whatever was approved before; the \
           answer is no. Where the server names a policy of its own, who meets it cannot be seen from here, so this rule \
           warns: the gate's account may not.\n\n\
           Set another status, one that does not lock the task, or have somebody who can edit it let people comment. What a \
           server demands besides (a second factor, a maintenance window without writes) shows only when the start is posted; \
           that is said before the command runs and does not stop it.",
    judge: |rule, context| {
        // Who may comment is known of now alone: of the past nothing follows from it.
        let interact = context.evidence.task.interact.as_deref().filter(|_| context.as_of.is_none());
        match interact {
            None => rule.pass("the server does not say who may comment"),
            Some("public" | "users") => rule.pass("everybody with an account may comment"),
            Some("no-one") => rule.fail(
                format!("{} is locked: nobody may comment, so nobody can say no", context.task()),
                format!(
                    "set another status of {} (now {}), one that does not lock it",
                    context.task(),
                    crate::text::inert(context.status)
                ),
            ),
            Some(_) => rule.warn(
                format!(
                    "not everybody may comment on {}: the gate may not be able to record the deploy",
                    context.task()
                ),
                format!(
                    "`phabgate doctor --task {}` tries it; if that fails, ask somebody who can edit the task to let the gate comment",
                    context.task()
                ),
            ),
        }
    },
};
