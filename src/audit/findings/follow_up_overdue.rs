//! `follow-up-overdue`: nobody said in time where the aftermath is worked on.

use super::{FindingRule, Severity};
use crate::evidence::trailers::{Key, last};
use crate::time::utc;

pub(super) const RULE: FindingRule = FindingRule {
    name: "follow-up-overdue",
    severity: Severity::Warning,
    summary: "Nobody has said where the aftermath is worked on, and it is due",
    page: "The policy gives a time in which a deploy is followed up, and that time has passed since the deploy \
           ended. No comment on the task has the line \"Emergency-Followup: URL\".\n\n\
           An emergency that nobody looks back on happens again.\n\n\
           Write a comment on the task with the line, and behind it the address of the incident's report or of \
           the task where the rest is done.",
    find: |rule, case| {
        let Some(grace) = case.policy.follow_up else { return Vec::new() };
        let followed = case.evidence.timeline.comments(None).any(|comment| {
            comment.text().and_then(|text| last(text, Key::Followup)).is_some_and(|value| !value.is_empty())
        });
        let overdue = case.ran().filter_map(|assessment| {
            // A time that no calendar holds never comes.
            let due = assessment.deploy.over().checked_add(grace).ok()?;
            (!followed && case.evidence.now > due).then(|| {
                let message = format!("a follow-up was due at {}, and the task names none", utc(due));
                rule.at_record(case, assessment, message)
            })
        });
        overdue.collect()
    },
};

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    use jiff::SignedDuration;

    #[test]
    fn a_follow_up_that_is_due_and_not_there_is_found() {
        let mut history = task_state(&["releng1", "sre1"]);
        history.policy.follow_up = Some(SignedDuration::from_secs(600));
        let first = deploy(&mut history);
        history.later(799);
        assert!(found(&history, "follow-up-overdue").is_empty());
        history.later(2_000);
        assert_eq!(found(&history, "follow-up-overdue")[0].transaction, Some(first));
        history.comment("deployer1", 1_900, "Emergency-Followup: https://example.org/report");
        assert!(found(&history, "follow-up-overdue").is_empty());
    }
}
