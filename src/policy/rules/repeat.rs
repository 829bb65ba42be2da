//! `repeat`: these approvals have not served another deploy.

use super::Rule;
use crate::record::{Event, Outcome};

pub(super) const RULE: Rule = Rule {
    name: "repeat",
    summary: "The approvals have not served a deploy already",
    page: "A record on the task shows that a deploy already rested on these approvals. A second attempt is often right, \
           so this rule only warns; but who approved may not know of it.\n\n\
           Tell the approvers that it is not the first attempt.",
    judge: |rule, context| {
        let counting: Vec<_> =
            context.judged.approvals.iter().filter(|a| a.counts()).filter_map(|a| a.transaction).collect();
        let mut rested = context.records.iter().filter(|standing| {
            let record = &standing.record;
            let own = Some(record.deploy) == context.intent.deploy;
            let ran =
                record.event == Event::Started || record.outcome.is_some_and(|outcome| outcome != Outcome::NotStarted);
            let shared =
                record.approvals.iter().filter_map(|approval| approval.transaction).any(|id| counting.contains(&id));
            !own && ran && shared
        });
        match rested.next_back() {
            Some(last) => rule.warn(
                format!("these approvals already served the deploy of {}", crate::time::utc(last.moment.time)),
                "tell the approvers that this is not the first attempt",
            ),
            None => rule.pass("these approvals served no deploy yet"),
        }
    },
};
