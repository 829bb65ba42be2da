//! `in-flight`: no other deploy of this task is under way.

use super::Rule;
use crate::evidence::records::{Standing, in_flight};

pub(super) const RULE: Rule = Rule {
    name: "in-flight",
    summary: "No other deploy of this task is under way",
    page: "A record on the task says that a deploy started, and none says that it ended. Two deploys at once of one \
           emergency can undo each other.\n\n\
           Talk to who started it. If it ended without a record (its host died), the next `phabgate outbox flush` on that host \
           records it; from elsewhere `phabgate record TASK --deploy ID --finished --outcome …` closes it.",
    judge: |rule, context| {
        // Of two that started at once the earlier goes on: only what stands before its own record stops a deploy.
        let own = |standing: &&Standing| Some(standing.record.deploy) == context.intent.deploy;
        let mine = context.records.iter().find(own).map(|standing| standing.moment.position);
        let others: Vec<_> = in_flight(context.records)
            .into_iter()
            .filter(|standing| !own(standing) && mine.is_none_or(|mine| standing.moment.position < mine))
            .collect();
        let Some(first) = others.first() else { return rule.pass("no other deploy is under way") };
        let record = &first.record;
        let who = record.deployer.as_ref().map_or("somebody", |deployer| deployer.user.as_str());
        rule.fail(
            format!(
                "{} started a deploy on {} at {}, and no record says that it ended",
                crate::text::inert(who),
                crate::text::inert(&record.host),
                crate::time::utc(first.moment.time)
            ),
            format!(
                "talk to {}; if it is over, close it: `phabgate record {} --deploy {} --finished --outcome unknown`",
                crate::text::inert(who),
                context.task(),
                record.deploy
            ),
        )
    },
};
