//! `rejected`: nobody who may has said no.

use super::{Rule, list};
use crate::evidence::Purpose;

pub(super) const RULE: Rule = Rule {
    name: "rejected",
    summary: "Nobody of an approving team has said no",
    page: "A single no from an enabled person of any team of the policy stops the deploy, however many have said yes, \
           until that person takes it back. A no that cannot be read counts for all teams of its author, and so does a \
           comment of theirs that somebody else removed: it may have been a no. Where a comment of a witness is gone, it may have \
           been anybody's no: until somebody of every team has answered on the task since, this waits.\n\n\
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
        if !idle.is_empty() {
            let names: Vec<String> = idle.iter().map(|rejection| name(&rejection.author)).collect();
            return rule.warn(
                format!("{}, who is in no approving team, said no", list(&names, "and")),
                "it does not stop the deploy; read it all the same",
            );
        }
        rule.pass("nobody said no")
    },
};
