//! `server`: this server shows what the rules need.

use super::Rule;

pub(super) const RULE: Rule = Rule {
    name: "server",
    summary: "The server shows what the rules need",
    page: "Servers before July 2026 do not tell some kinds of change: those of custom fields, and before 2019 those of \
           projects. An older method (`maniphest.gettasktransactions`) tells them, and is asked where it may matter. Where \
           neither tells, nobody knows when the reason last changed or since when the task is tagged, and the verdict is \
           undecided. Where the server does not tell who can comment on the task, this rule warns: then nobody may be able \
           to say no.\n\n\
           Let the gate's account call the older method, or update the server. `phabgate doctor` names what a server does \
           not tell.",
    judge: |rule, context| {
        let unexposed = context.evidence.unexposed(context.policy);
        if unexposed.any() {
            return rule.unknown(
                format!(
                    "this server does not show all that changed on {}: perhaps {}",
                    context.task(),
                    unexposed.what()
                ),
                "let the gate's account call `maniphest.gettasktransactions`, or update the server",
            );
        }
        match context.evidence.task.interact {
            Some(_) => rule.pass("the server shows what the rules need"),
            None => rule.warn(
                format!("this server does not say who can comment on {}, and so say no", context.task()),
                "update the server; meanwhile look whether the task takes comments",
            ),
        }
    },
};
