//! `action`: what is about to be done is what was stated, and a rollback was thought of first.

use jiff::Timestamp;

use super::RuleOutcome;
use super::{EvaluationContext, Rule};
use crate::conduit::Account;
use crate::ids::{Phid, User};
use crate::local_deploy::LocalProgress;
use crate::policy::Action;
use crate::record::{Event, Outcome};
use crate::time::utc;

pub(super) const RULE: Rule = Rule {
    name: "action",
    summary: "What is done is what was stated; a rollback comes before a fix",
    page: "Deployers are told to roll back first and fix later, and to edit on the wikis themselves only where there is no \
           other way. This rule warns of a fix without a word on why it is no rollback, and of every edit on a wiki. It \
           fails where `--action` is not what the task states: that is what the approvers agreed to.\n\n\
           One other action is within what was approved: a rollback by who deployed, after a record by a recorder, by \
           themselves or of this host says that their deploy of this task failed. It needs what the failed deploy needed and \
           what the policy asks of a rollback besides, and the rule warns. An action that needs fewer teams than others \
           (`[policy.actions]`) counts where the task states it; `--action` alone drops nobody.\n\n\
           Roll back instead, or say why not with `--why-not-rollback TEXT`. Where the stated action is wrong, correct it with \
           `phabgate request` and ask for the approvals again.",
    judge: |rule, context| {
        let given = context.intent.action;
        if let Some(stated) = &context.task_state.action {
            let known = Action::named(&stated.value);
            if let (Some(given), true) = (given, known != given) {
                return other_than_stated(rule, context, given, &stated.value);
            }
            if known.is_none() {
                return rule.warn(
                    format!("the stated action is none that the gate knows: {}", context.quote(&stated.value)),
                    format!("{}; ACTION is fix, rollback, config or on-wiki-edit", context.restate("--action ACTION")),
                );
            }
        }
        match context.action() {
            Some(Action::Fix) if context.intent.why_not_rollback.as_ref().is_none_or(|why| why.trim().is_empty()) => {
                rule.warn(
                    "a fix, and nothing says why it is no rollback",
                    "roll back first, fix later; or say why not: add `--why-not-rollback TEXT` to what you type",
                )
            }
            Some(Action::OnWikiEdit) => rule.warn(
                "an edit on the wiki itself",
                "only where there is no other way: each community expects autonomy",
            ),
            Some(action)
                if context.task_state.action.is_none()
                    && context.policy.actions.iter().any(|one| one.action == action) =>
            {
                rule.pass(format!("{}, which the task does not state: it drops no team", action.word()))
            }
            Some(_) if context.hide && context.intent.action.is_none() => rule.pass("stated"),
            Some(action) => rule.pass(action.word()),
            None => rule.pass("not stated"),
        }
    },
};

/// What who deploys says that they will do is not what the task states.
fn other_than_stated(rule: &Rule, context: &EvaluationContext<'_>, given: Action, stated: &str) -> Vec<RuleOutcome> {
    let failed = if given == Action::Rollback { failed_deploys(context) } else { Vec::new() };
    let deployer = context.evidence.candidates.first().and_then(|deployer| deployer.account.as_ref());
    let same = failed.iter().rev().find(|failed| deployer.is_some_and(|deployer| failed.by(deployer)));
    if let Some(failed) = same {
        return rule.warn(
            format!(
                "a rollback, where the task states {}: {} deployed it at {}, which failed, so it is within what was approved",
                context.quote(stated),
                failed.user,
                utc(failed.time)
            ),
            "tell the approvers that you roll back",
        );
    }
    let hint = match failed.last() {
        Some(failed) if deployer.is_none() => {
            format!("{} may roll back the deploy that failed: add `--deployer {}`", failed.user, failed.user)
        }
        _ => {
            let option = format!("--action {}", given.word());
            format!("do what was stated; or {} and ask for the approvals again", context.restate(&option))
        }
    };
    rule.fail(format!("--action {} is not what the task states: {}", given.word(), context.quote(stated)), hint)
}

/// A deploy of this task of which is believed that it failed.
struct Failed {
    phid: Option<Phid<User>>,
    /// The username, fit to be shown.
    user: String,
    time: Timestamp,
}

impl Failed {
    fn by(&self, account: &Account) -> bool {
        self.phid.as_ref() == Some(&account.phid)
    }
}

/// The deploys that failed, by the journal of this machine and by the records that are believed, oldest first.
fn failed_deploys(context: &EvaluationContext<'_>) -> Vec<Failed> {
    let ends = context
        .records
        .iter()
        .filter(|standing| standing.record.outcome == Some(Outcome::Failed) && standing.record.event != Event::Started);
    let failed = ends.filter_map(|standing| {
        let phid = standing.record.deployer.as_ref()?.phid.clone()?;
        Some(Failed { user: context.name_of(phid.as_str()), phid: Some(phid), time: standing.moment.time })
    });
    let local = context.evidence.local_deploys.iter().flatten().filter_map(|local| match local.progress {
        LocalProgress::Ended { outcome: Some(Outcome::Failed), at } => {
            let user = crate::text::inert(local.deployer.as_ref()?);
            Some(Failed { user, phid: local.account.clone(), time: at })
        }
        _ => None,
    });
    local.chain(failed).collect()
}
