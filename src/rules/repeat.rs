//! `repeat`: these approvals have not served another deploy.

use super::{EvaluationContext, Rule};
use crate::evidence::records::{PostedRecord, end_of};
use crate::record::{Event, Outcome};

pub(super) const RULE: Rule = Rule {
    name: "repeat",
    summary: "The approvals have not served a deploy already",
    page: "A record on the task shows that a deploy already rested on these approvals. A second attempt is often right, \
           so this rule only warns; but who approved may not know of it. A deploy whose command never ran rested on nothing, \
           and one that still runs is the matter of `in-flight`.\n\n\
           Tell the approvers that it is not the first attempt.",
    judge: |rule, context| {
        let counting: Vec<_> =
            context.judged.approvals.iter().filter(|a| a.counts()).filter_map(|a| a.transaction).collect();
        let mut served: Vec<&PostedRecord> = Vec::new();
        for standing in context.records {
            let record = &standing.record;
            let shared = record.approvals.iter().filter_map(|approval| approval.transaction);
            let own = Some(record.deploy) == context.intent.deploy;
            if !own && shared.into_iter().any(|id| counting.contains(&id)) && has_ended(context, standing) {
                served.retain(|known| known.record.deploy != record.deploy);
                served.push(standing);
            }
        }
        let Some(last) = served.last() else { return rule.pass("these approvals served no deploy yet") };
        let before = match served.len() - 1 {
            0 => String::new(),
            1 => ", and one before it".to_owned(),
            more => format!(", and {more} before it"),
        };
        rule.warn(
            format!("these approvals already served {}{before}", deploy(context, last)),
            "tell the approvers that this is not the first attempt",
        )
    },
};

/// Whether the deploy of a record ran and is over, as far as the records show.
fn has_ended(context: &EvaluationContext<'_>, standing: &PostedRecord) -> bool {
    let of_deploy = || context.records.iter().filter(|other| other.record.deploy == standing.record.deploy);
    let never_ran = of_deploy().any(|other| other.record.outcome == Some(Outcome::NotStarted));
    // Short of an end, one that stops no other any more was long ago.
    let started = of_deploy().find(|other| other.record.event == Event::Started);
    let open = started.is_some_and(|start| {
        let long_ago = context.now.duration_since(start.moment.time) > context.policy.max_age;
        !long_ago && !of_deploy().any(|other| other.ends(start))
    });
    !never_ran && !open
}

/// Whose deploy it was, when, and how it ended.
fn deploy(context: &EvaluationContext<'_>, last: &PostedRecord) -> String {
    let of_deploy = || context.records.iter().filter(|other| other.record.deploy == last.record.deploy);
    let deployer = of_deploy().find_map(|other| other.record.deployer.as_ref());
    let account = deployer.and_then(|deployer| context.evidence.accounts.get(deployer.phid.as_ref()?));
    let who = match (account, deployer) {
        (Some(account), _) => crate::text::inert(&account.username),
        (None, Some(deployer)) if !context.hide => crate::text::inert(&deployer.user),
        (None, _) => "somebody".to_owned(),
    };
    let end = end_of(context.records, last.record.deploy);
    let ended = match end.and_then(|end| end.record.outcome) {
        Some(Outcome::Succeeded) => "which succeeded",
        Some(Outcome::Failed) => "which failed",
        Some(Outcome::RolledBack) => "which was rolled back",
        Some(Outcome::NotStarted) => "which never ran",
        Some(Outcome::Unknown) | None => "of which nobody knows how it ended",
    };
    format!("the deploy of {who} at {}, {ended}", crate::time::utc(last.moment.time))
}
