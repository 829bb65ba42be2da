//! `in-flight`: no other deploy of this task is under way.

use super::others::{Weight, open_starts};
use super::{EvaluationContext, Rule, list};
use crate::evidence::records::{Authority, PostedRecord};
use crate::ids::DeployId;
use crate::local_deploy::LocalDeploy;
use crate::policy::Role;
use crate::text::inert;
use crate::time::utc;

pub(super) const RULE: Rule = Rule {
    name: "in-flight",
    summary: "No other deploy of this task is under way",
    page: "A record on the task says that a deploy started, and none says that it ended. Two deploys at once of one \
           emergency can undo each other. The journal of this machine counts too, and knows what the task does not say yet: \
           a run that could not be posted, an end that is still in the outbox. Where two users have a journal each, \
           neither sees the other's.\n\n\
           Anybody can write a comment that reads like such a record. It stops other deploys where a recorder wrote it, or \
           where its author could have run it: `check` as of that moment allows it, and they are the deployer that the task \
           states, the task's author or a deployer under `[deployers]`. Where the task states nobody and `[deployers]` is empty, \
           that is anybody: with own tokens, a forged start can then hold up an approved task until a member of a team ends \
           it. State who deploys, or fill `[deployers]`, and it cannot. Any other record of a start only warns, and so does one \
           that is older than an approval may be.\n\n\
           Talk to who started it. If it ended without a record (its host died), the next `phabgate outbox flush` on that host \
           records it. From elsewhere a recorder, who started it, or any member of a team of the policy ends it with the command \
           that the refusal prints; what a member says of it is that nobody knows how it ended, and no more.",
    judge: |rule, context| {
        // What this machine's own journal knows comes first: it holds also where the server takes no writes.
        let local = match &context.evidence.local_deploys {
            Ok(local) => local,
            Err(why) => {
                return rule.unknown(
                    format!("this machine's journal cannot be read, and it knows of other runs: {why}"),
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
        let own = |start: &PostedRecord| Some(start.record.deploy) == context.intent.deploy;
        let mine = context.records.iter().find(|standing| own(standing)).map(|standing| standing.moment.position);
        let mut others = open_starts(context.evidence, context.policy, context.as_of);
        others.retain(|other| !own(&other.start) && !has_ended(other.start.record.deploy));
        others.retain(|other| mine.is_none_or(|mine| other.start.moment.position < mine));
        if let Some(first) = others.iter().find(|other| other.weight == Weight::Stops) {
            return rule.fail(
                format!("{}, and no record says that it ended", started(context, &first.start)),
                over(context, &first.start),
            );
        }
        if let Some(old) = others.iter().find(|other| other.weight == Weight::TooOld) {
            return rule.warn(
                format!("{}, and no record says that it ended; that was long ago", started(context, &old.start)),
                over(context, &old.start),
            );
        }
        if others.is_empty() {
            return rule.pass("no other deploy is under way");
        }
        let mut authors: Vec<String> = others.iter().map(|other| context.name_of(&other.start.author)).collect();
        authors.sort_unstable();
        authors.dedup();
        rule.warn(
            format!("a record of {} says that a deploy started, and is not believed", list(&authors, "and")),
            format!("it stops nothing, since they could not have run it; look: `phabgate history {}`", context.task()),
        )
    },
};

/// Who started what where, and when. Of a restricted task nothing is shown that others than recorders wrote.
fn started(context: &EvaluationContext<'_>, start: &PostedRecord) -> String {
    let host = match context.hide && start.authority != Authority::Recorder {
        true => String::new(),
        false => format!(" on {}", inert(&start.record.host)),
    };
    format!("{} started a deploy{host} at {}", who(context, start), utc(start.moment.time))
}

/// Whose deploy it is: the account that a recorder names, else who wrote the record.
fn who(context: &EvaluationContext<'_>, start: &PostedRecord) -> String {
    match (&start.record.deployer, start.authority) {
        (Some(deployer), Authority::Recorder) if !context.hide => inert(&deployer.user),
        (Some(deployer), Authority::Recorder) => {
            let account = deployer.phid.as_ref().and_then(|phid| context.evidence.accounts.get(phid));
            account.map_or_else(|| "somebody".to_owned(), |account| inert(&account.username))
        }
        (None, Authority::Recorder) => "somebody".to_owned(),
        _ => context.name_of(&start.author),
    }
}

/// What ends it, and who can type that.
fn over(context: &EvaluationContext<'_>, start: &PostedRecord) -> String {
    let me = context.evidence.owner.phid.as_str();
    let command =
        format!("`phabgate record {} --deploy {} --finished --outcome unknown`", context.task(), start.record.deploy);
    let may = context.evidence.is_recorder(me, context.policy) == Some(true)
        || start.author == me
        || context.evidence.is_member(me);
    let is_own = start.author == me && start.authority != Authority::Recorder;
    let talk = match is_own && !context.hide {
        true => format!("see whether it still runs on {}; if it is over, ", inert(&start.record.host)),
        false => format!("talk to {}; if it is over, ", who(context, start)),
    };
    if may {
        return format!("{talk}end it: {command}");
    }
    let teams = context.policy.teams.iter().filter(|team| team.role == Role::Approve).map(|team| team.title.clone());
    let teams: Vec<String> = teams.collect();
    let members = list(&teams, "or");
    match start.authority {
        // Whose deploy it is did not write that it started, and so cannot write that it ended.
        Authority::Recorder => {
            let recorder = context.name_of(&start.author);
            format!(
                "{talk}have a member of {members} type {command}, or type it where the gate has the token of {recorder}"
            )
        }
        _ => format!("{talk}have them or a member of {members} type {command}"),
    }
}
