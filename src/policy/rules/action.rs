//! `action`: what is about to be done is what was stated, and a rollback was thought of first.

use super::Rule;
use crate::policy::Action;

pub(super) const RULE: Rule = Rule {
    name: "action",
    summary: "What is done is what was stated; a rollback comes before a fix",
    page: "Deployers are told to roll back first and fix later, and to edit on the wikis themselves only where there is no \
           other way. This rule warns of a fix without a word on why it is no rollback, and of every edit on a wiki. It \
           fails where `--action` is not what the task states: that is what the approvers agreed to.\n\n\
           Roll back instead, or say why not with `--why-not-rollback TEXT`. Where the stated action is wrong, correct the \
           line `Emergency-Action` of the task and ask for the approvals again.",
    judge: |rule, context| {
        let stated = context.story.action.as_ref();
        if let Some(stated) = stated {
            let known = Action::named(&stated.value);
            if let (Some(given), true) = (context.intent.action, known != context.intent.action) {
                return rule.fail(
                    format!("--action {} is not what the task states: {}", given.word(), context.quote(&stated.value)),
                    "do what was stated, or correct `Emergency-Action` on the task and ask for the approvals again",
                );
            }
            if known.is_none() {
                return rule.warn(
                    format!("the stated action is none that the gate knows: {}", context.quote(&stated.value)),
                    "write `Emergency-Action: fix`, `rollback`, `config` or `on-wiki-edit`",
                );
            }
        }
        match context.action() {
            Some(Action::Fix) if context.intent.why_not_rollback.as_ref().is_none_or(|why| why.trim().is_empty()) => {
                rule.warn(
                    "a fix, and nothing says why it is no rollback",
                    "roll back first, fix later; or say why not: `--why-not-rollback TEXT`",
                )
            }
            Some(Action::OnWikiEdit) => rule.warn(
                "an edit on the wiki itself",
                "only where there is no other way: each community expects autonomy",
            ),
            Some(action) => rule.pass(action.word()),
            None => rule.pass("not stated"),
        }
    },
};
