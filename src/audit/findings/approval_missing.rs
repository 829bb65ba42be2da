//! `approval-missing`: a team had not approved when the deploy started.

use super::{Case, FindingRule, Severity, is_team, kept};
use crate::audit::deploys::DeployAssessment;
use crate::evidence::NearKind;
use crate::ids::TransactionId;
use crate::time::utc;

pub(super) const RULE: FindingRule = FindingRule {
    name: "approval-missing",
    severity: Severity::Error,
    summary: "A team had not approved when the deploy started",
    page: "When the deploy started, fewer people of a team that the policy names had approved than it needs, \
           and nobody made up for it later. It is judged by the same rules as before a deploy: an approval \
           counts when it came after the tag and after the last change of what was approved, from a member with \
           an enabled account who is not behind the deploy. Why each approval that stands there for the team did not \
           count is in the finding.\n\n\
           Nobody else looked at what was deployed, or it cannot be shown any more that somebody did.\n\n\
           Ask the team to look at it now, and write down on the task what they say. It cannot be mended after \
           the fact.",
    find: |rule, case| {
        let missing = case.ran().flat_map(|assessment| {
            let rules = assessment.deploy.verdict_as_recorded.rules.iter();
            let teams = rules.filter(|outcome| is_team(outcome) && kept(outcome));
            // Of a team that approved later, it is said that it was late.
            let teams = teams.filter(|outcome| !super::approval_late::made_up(assessment, &outcome.name));
            teams.map(|outcome| {
                let key = outcome.name.strip_prefix("team:").unwrap_or_default();
                let message = format!("it was not allowed: {}{}", outcome.message, uncounted(case, assessment, key));
                rule.at_record(case, assessment, message).about(&outcome.name)
            })
        });
        missing.collect()
    },
};

/// How many approvals of one team are named.
const MANY: usize = 6;

/// Each approval for a team that stands on the task and why it did not count, in the words of the evaluator.
fn uncounted(case: &Case<'_>, assessment: &DeployAssessment, team: &str) -> String {
    let verdict = &assessment.deploy.verdict_as_recorded;
    let is_member = |phid: &crate::ids::Phid<crate::ids::User>| {
        case.evidence.teams.get(team).is_some_and(|project| project.members.contains(phid))
    };
    let mut named: Vec<(Option<TransactionId>, String)> = Vec::new();
    let late = assessment.late.iter().map(|approval| (approval, "after it had started, and "));
    for (approval, when) in verdict.approvals.iter().map(|approval| (approval, "")).chain(late) {
        let Some(why) = &approval.why_not else { continue };
        // What is not understood may have been for any team of its author.
        let unclear = case.policy.team(&approval.team).is_none() && approval.phid.as_ref().is_some_and(is_member);
        if approval.team == team || unclear {
            let shown = format!("that of {} at {} ({when}{why})", approval.user, utc(approval.time));
            named.push((approval.transaction, shown));
        }
    }
    for near in verdict.near_misses.iter().filter(|near| near.kind == NearKind::Yes && is_member(&near.phid)) {
        if !named.iter().any(|(known, _)| *known == Some(near.moment.transaction)) {
            // Why quotes what was written.
            let why = if case.hide { "it is none by the letter" } else { &near.why };
            let shown = format!("the line of {} at {} ({why})", near.user, utc(near.moment.time));
            named.push((Some(near.moment.transaction), shown));
        }
    }
    let more = named.len().saturating_sub(MANY);
    let mut shown: Vec<String> = named.into_iter().take(MANY).map(|(_, shown)| shown).collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    if shown.is_empty() { String::new() } else { format!("; not counted: {}", shown.join(", ")) }
}

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;
    use crate::evidence::testing::{History, at};
    use crate::ids::DeployId;
    use crate::record::Event;

    #[test]
    fn a_deploy_without_a_team_is_found() {
        let mut history = task_state(&["releng1"]);
        let first = deploy(&mut history);
        let found = found(&history, "approval-missing");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].transaction, Some(first));
        assert_eq!(found[0].message, "it was not allowed: SRE had not approved: 1 approval was missing");
        assert_eq!(names(&history), ["approval-missing"]);
    }

    #[test]
    fn the_deploy_of_another_by_an_approver_does_not_stain_this_one() {
        let mut history = clean();
        deploy_by(&mut history, "sre1", 300);
        let found = found(&history, "approval-missing");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].time, crate::evidence::testing::at(299), "the start that it states");
    }

    /// What is found where this was written for sre before a deploy at 50,000 seconds, and nothing else.
    fn message_of(prepare: impl FnOnce(&mut History)) -> String {
        let mut history = History::new("deployer1");
        prepare(&mut history);
        let mut record = sample(&history, DeployId::fresh(), Event::Recorded, "deployer1");
        record.started = Some(at(50_000));
        history.record("phabgate", 50_001, &record);
        history.later(60_000);
        let found = found(&history, "approval-missing");
        let of_sre = found.iter().find(|found| found.message.contains("SRE had not approved"));
        of_sre.expect("sre had not approved").message.clone()
    }

    fn opened(history: &mut History, second: i64) {
        history.describe("deployer1", second, "Emergency-Reason: availability - 5xx on every page view");
        history.tag("deployer1", second + 1, "emergency");
    }

    #[test]
    fn each_approval_that_stands_there_is_named_with_why_it_did_not_count() {
        let yes = "Emergency-Approve: sre";
        type Prepare = fn(&mut History, &str);
        let cases: [(&str, Prepare); 10] = [
            ("given before the task was tagged", |history, yes| {
                history.comment("sre1", 10, yes);
                opened(history, 20);
            }),
            ("given before the reason was changed by deployer1", |history, yes| {
                opened(history, 1);
                history.comment("sre1", 10, yes);
                history.describe("deployer1", 20, "Emergency-Reason: abuse - bots");
            }),
            ("counts for 12 h", |history, yes| {
                opened(history, 1);
                history.comment("sre1", 10, yes);
            }),
            ("not a member of SRE", |history, yes| {
                opened(history, 1);
                history.comment("outsider", 49_000, yes);
            }),
            ("nobody approves a deploy of their own", |history, yes| {
                opened(history, 1);
                history.comment("deployer1", 49_000, yes);
            }),
            ("withdrawn", |history, yes| {
                opened(history, 1);
                history.comment("sre1", 49_000, yes);
                history.comment("sre1", 49_001, "Emergency-Withdraw: sre");
            }),
            ("somebody else edited it", |history, yes| {
                opened(history, 1);
                let comment = history.comment("sre1", 49_000, "Looking.");
                history.edit(comment, "admin", 49_100, yes);
            }),
            ("a mail", |history, yes| {
                opened(history, 1);
                history.comment("sre1", 49_000, &format!("No! Wait.\n\n________________________________\n{yes}"));
            }),
            ("the line of sre1", |history, _| {
                opened(history, 1);
                history.comment("sre1", 49_000, "I think: Emergency-Approved sre, go");
            }),
            ("after it had started, and not a member", |history, yes| {
                opened(history, 1);
                history.comment("outsider", 50_001, yes);
            }),
        ];
        for (words, prepare) in cases {
            let message = message_of(|history| prepare(history, yes));
            assert!(message.contains("not counted: ") && message.contains(words), "{words}: {message}");
            assert!(!message.contains("pending") && !message.contains("when the deploy"), "{message}");
        }
    }

    #[test]
    fn what_never_started_needs_no_approval() {
        let mut history = task_state(&[]);
        never_started(&mut history);
        assert!(names(&history).is_empty(), "{:?}", names(&history));
    }
}
