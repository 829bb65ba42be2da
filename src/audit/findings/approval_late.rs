//! `approval-late`: a team approved after the deploy had started.

use super::{Rule, Severity, kept};
use crate::audit::deploys::Trial;
use crate::text::shorten;
use crate::time::utc;

pub(super) const RULE: Rule = Rule {
    name: "approval-late",
    severity: Severity::Error,
    summary: "A team approved only after the deploy had started",
    page: "When the deploy started the team had not approved; it did so later, between the start and the \
           record, or after the record. An approval that was edited into a comment counts from the edit.\n\n\
           An approval that comes afterwards could not have stopped anything. It often means that somebody said \
           yes on IRC.\n\n\
           Ask for the answer on the task before the deploy, with `phabgate run --wait`, or name who said yes \
           with `--approved-by` where the policy accepts that.",
    find: |rule, case| {
        let late = case.ran().flat_map(|trial| {
            let kept = trial.deploy.verdict_as_recorded.rules.iter().filter(|outcome| kept(outcome));
            kept.flat_map(move |outcome| {
                let approvals = trial.late.iter().filter(|late| late.counts() && of_team(&outcome.name, &late.team));
                approvals.filter_map(move |late| {
                    let transaction = late.transaction?;
                    let when = match transaction < trial.deploy.first() && late.time < trial.deploy.recorded {
                        true => "between the start of the deploy and its record",
                        false => "after the deploy had been recorded",
                    };
                    let team = shorten(&late.team, 40);
                    let message = format!("{} approved for {team} at {}, {when}", late.user, utc(late.time));
                    let mut finding = rule.at_record(case, trial, message);
                    finding.transaction = Some(transaction);
                    finding.time = late.time;
                    Some(finding)
                })
            })
        });
        late.collect()
    },
};

fn of_team(rule: &str, team: &str) -> bool {
    rule.strip_prefix("team:") == Some(team)
}

/// Whether approvals that count came for the team of a rule, if too late. One is enough to say so: how many are missing
/// is for the verdict.
pub(super) fn made_up(trial: &Trial, rule: &str) -> bool {
    trial.late.iter().any(|late| late.counts() && of_team(rule, &late.team))
}

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    #[test]
    fn one_between_the_start_and_the_record_is_late() {
        let mut history = story(&["releng1"]);
        let late = history.comment("sre1", 101, "Emergency-Approve: sre");
        deploy_at(&mut history, 102);
        let found = found(&history, "approval-late");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].transaction, Some(late));
        assert!(found[0].message.contains("between"), "{}", found[0].message);
        assert_eq!(names(&history), ["approval-late"]);
    }

    #[test]
    fn one_after_the_record_and_one_that_was_edited_in_are_late() {
        let mut history = story(&["releng1"]);
        let comment = history.comment("sre1", 50, "Looking.");
        deploy(&mut history);
        history.edit(comment, "sre1", 300, "Emergency-Approve: sre");
        let other = history.comment("sre2", 301, "Emergency-Approve: sre");
        let found = found(&history, "approval-late");
        assert_eq!(found.iter().map(|it| it.transaction).collect::<Vec<_>>(), [Some(comment), Some(other)]);
        assert!(found.iter().all(|it| it.message.contains("after")), "{found:?}");
        assert!(!names(&history).contains(&"approval-missing"));
    }
}
