//! `rejected`: nobody who may has said no.

use super::evaluate::EvaluationContext;
use super::{Rule, list};
use crate::evidence::{Purpose, UnbelievedNo};
use crate::witness::WitnessedWord;

pub(super) const RULE: Rule = Rule {
    name: "rejected",
    summary: "Nobody of an approving team has said no",
    page: "A single no from an enabled person of any team of the policy stops the deploy, however many have said yes, \
           until that person takes it back. A no that cannot be read counts for all teams of its author, and so does a \
           comment of theirs that somebody else removed: it may have been a no. Where a comment of a witness is gone, it may have \
           been anybody's no: until somebody of every team has answered on the task since, this waits. What claims to be a no that was said on IRC, \
           and is of an account that `policy.witnesses` does not name, is a warning: anybody can write it.\n\n\
           Talk to who said no. To take it back, they write, alone on a line, \"Emergency-Withdraw: TEAM\" (as a comment), or approve \
           for the same team.",
    judge: |rule, context| {
        let (standing, idle): (Vec<_>, Vec<_>) =
            context.judged.rejections.iter().partition(|rejection| rejection.counts);
        let name = |author: &crate::ids::Phid<crate::ids::User>| context.name_of(author.as_str());
        if let Some(first) = standing.first() {
            let said: Vec<String> = standing
                .iter()
                .map(|rejection| match &rejection.removed_by {
                    Some(by) => format!("{} (perhaps: {by} removed a comment)", name(&rejection.author)),
                    None if rejection.why.is_empty() => name(&rejection.author),
                    None => format!("{}: {}", name(&rejection.author), context.quote(&rejection.why)),
                })
                .collect();
            // What is said there lifts a no only where the policy takes it.
            let or_say = match first.was_heard && context.policy.accept_witnessed {
                true => format!(", or say `!withdraw {}` where they said it on IRC", context.task()),
                false => String::new(),
            };
            let hint = format!(
                "talk to {}; to take the no back, they write, alone on a line, \"Emergency-Withdraw: {}\" (as a comment){or_say}",
                name(&first.author),
                first.teams.join(", ")
            );
            return rule.fail(format!("rejected by {}", list(&said, "and")), hint);
        }
        if let Some(lost) = &context.judged.lost_witness {
            let (who, whose, team) = match lost.teams.as_slice() {
                [team] => (team.clone(), "that team", team.as_str()),
                teams => (format!("each of {}", list(teams, "and")), "any of these teams", "TEAM"),
            };
            let hint = format!(
                "it may have been a no of {whose}, said on IRC, so somebody of {who} has to answer on {}, alone on a line, with \
                 \"Emergency-Approve: {team}\" or \"Emergency-Reject: {team}\" (as a comment)",
                context.task()
            );
            let message = format!("{} removed what a witness wrote down, and it may have been a no", lost.by);
            return match context.evidence.purpose {
                // It cannot come any more.
                Purpose::Audit => rule.fail(message, hint),
                Purpose::Read | Purpose::Deploy => rule.wait(message, hint),
            };
        }
        let mut warnings = Vec::new();
        if !idle.is_empty() {
            let names: Vec<String> = idle.iter().map(|rejection| name(&rejection.author)).collect();
            warnings.push((
                format!("{}, who is in no approving team, said no", list(&names, "and")),
                "it does not stop the deploy; read it all the same".to_owned(),
            ));
        }
        let unbelieved = context.evidence.unbelieved_noes(context.policy, context.as_of);
        warnings.extend(unbelieved.iter().map(|claim| unbelieved_no(context, claim)));
        let (mut messages, mut hints) = (Vec::new(), Vec::new());
        for (message, hint) in warnings {
            if !messages.contains(&message) {
                messages.push(message);
            }
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
        match messages.is_empty() {
            true => rule.pass("nobody said no"),
            false => rule.warn(messages.join("; "), hints.join("; ")),
        }
    },
};

/// What a comment claims that is not believed, and what to do about it. Anybody can write such a comment, so it stops nothing.
fn unbelieved_no(context: &EvaluationContext<'_>, claim: &UnbelievedNo) -> (String, String) {
    let author = context.name_of(&claim.author);
    let who = claim.says.as_ref().map(|witness| match context.evidence.account(witness.phid.as_str()) {
        Some(_) => context.name_of(witness.phid.as_str()),
        None => context.quote(&witness.user),
    });
    let what = match (&claim.says, &who) {
        (Some(witness), Some(who)) if witness.word == WitnessedWord::Reject => format!("that {who} said no on IRC"),
        (Some(_), Some(who)) => format!("that {who} withdrew on IRC"),
        _ => "what claims to be somebody's word on IRC and cannot be read".to_owned(),
    };
    let why = match claim.is_of_stranger {
        true => format!(", which is not believed here: `policy.witnesses` does not name {author}"),
        false => String::new(),
    };
    let ask = who.map_or_else(|| format!("ask {author} what it was"), |who| format!("ask {who} whether they did"));
    let name = match claim.is_of_stranger {
        true => format!("; if {author} is the account of the watch, name it in `policy.witnesses` on this host too"),
        false => String::new(),
    };
    (format!("{author} wrote {what}{why}"), format!("it does not stop the deploy; {ask}{name}"))
}
