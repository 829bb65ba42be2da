//! `in-flight`: no other deploy of this task is under way.

use super::Rule;
use crate::evidence::records::{Standing, in_flight};
use crate::ids::DeployId;
use crate::journal::LocalDeploy;

pub(super) const RULE: Rule = Rule {
    name: "in-flight",
    summary: "No other deploy of this task is under way",
    page: "A record on the task says that a deploy started, and none says that it ended. Two deploys at once of one \
           emergency can undo each other. The journal of this machine counts too, and knows what the task does not say yet: \
           a run that could not be posted, an end that is still in the outbox. Where two users have a journal each, \
           neither sees the other's.\n\n\
           Talk to who started it. If it ended without a record (its host died), the next `phabgate outbox flush` on that host \
           records it; from elsewhere `phabgate record TASK --deploy ID --finished --outcome …` closes it.",
    judge: |rule, context| {
        // What this machine's own journal knows comes first: it holds also where the server takes no writes.
        let local = match &context.evidence.local_deploys {
            Ok(local) => local,
            Err(why) => {
                return rule.unknown(
                    format!("this machine's journal cannot be read, which knows of other runs: {why}"),
                    "mend that first: `phabgate doctor` shows the state directory",
                );
            }
        };
        let elsewhere = |local: &&LocalDeploy| Some(local.deploy) != context.intent.deploy;
        if let Some(other) = local.iter().filter(elsewhere).find(|local| local.is_in_flight()) {
            return rule.fail(other.message(), other.hint());
        }
        let has_ended = |deploy: DeployId| local.iter().any(|local| local.deploy == deploy && !local.is_in_flight());
        // Of two that started at once the earlier goes on: only what stands before its own record stops a deploy.
        let own = |standing: &&Standing| Some(standing.record.deploy) == context.intent.deploy;
        let mine = context.records.iter().find(own).map(|standing| standing.moment.position);
        let others: Vec<_> = in_flight(context.records)
            .into_iter()
            .filter(|standing| !own(standing) && !has_ended(standing.record.deploy))
            .filter(|standing| mine.is_none_or(|mine| standing.moment.position < mine))
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
