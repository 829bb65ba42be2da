//! `approval-late`: a team approved after the deploy had started.

use super::{FindingRule, Severity, lacks};

use crate::audit::deploys::DeployAssessment;
use crate::evidence::records::APART;
use crate::record::Event;
use crate::rules::Approval;
use crate::text::shorten;
use crate::time::utc;

pub(super) const RULE: FindingRule = FindingRule {
    name: "approval-late",
    severity: Severity::Error,
    summary: "A team approved only after the deploy had started",
    page: "When the deploy started the team had not approved; it did so later, between the start and the \
           record, or after the record. An approval that was edited into a comment counts from the edit. Where \
           a recorder wrote at the start that it counted, and the two are within a minute, the clock of the host \
           is behind: that is a warning.\n\n\
           An approval that comes afterwards could not have stopped anything. It often means that somebody said \
           yes on IRC.\n\n\
           Ask for the answer on the task before the deploy, with `phabgate run --wait`, or name who said yes \
           with `--approved-by` where the policy accepts that.",
    find: |rule, case| {
        let late = case.ran().flat_map(|assessment| {
            let approvals = assessment.late.iter().filter(|late| late.counts() && lacks(assessment, &late.team));
            approvals.map(move |late| {
                let before = late.transaction.is_some_and(|id| id < assessment.deploy.first());
                let (when, severity) = match before && late.time <= assessment.deploy.recorded {
                    true if is_known_to_gate(assessment, late) => (
                        "after the start by the host's clock, and the gate knew of it when it started",
                        Severity::Warning,
                    ),
                    true => ("between the start of the deploy and its record", Severity::Error),
                    false => ("after the deploy had been recorded", Severity::Error),
                };
                let team = shorten(&late.team, 40);
                let message = format!("{} approved for {team} at {}, {when}", late.user, utc(late.time));
                rule.at_record(case, assessment, message).but(severity).shown_by(late)
            })
        });
        late.collect()
    },
};

fn of_team(rule: &str, team: &str) -> bool {
    rule.strip_prefix("team:") == Some(team)
}

/// Whether a recorder's record of the start names the approval, and a clock that is a little behind explains why it
/// seems to be later: the gate reads the approvals before it starts the command.
fn is_known_to_gate(assessment: &DeployAssessment, late: &Approval) -> bool {
    let first = assessment.deploy.records.first();
    let named = first.record.approvals.iter().any(|approval| approval.transaction == late.transaction);
    let skew = late.time.duration_since(assessment.deploy.as_of.time);
    first.by_recorder && first.record.event == Event::Started && named && skew <= APART
}

/// Whether approvals that count came for the team of a rule, if too late. One is enough to say so: how many are missing
/// is for the verdict.
pub(super) fn made_up(assessment: &DeployAssessment, rule: &str) -> bool {
    assessment.late.iter().any(|late| late.counts() && of_team(rule, &late.team))
}

#[cfg(test)]
mod tests {
    use crate::audit::Severity;
    use crate::audit::testing::*;
    use crate::ids::DeployId;
    use crate::record::Event;

    #[test]
    fn one_between_the_start_and_the_record_is_late() {
        let mut history = task_state(&["releng1"]);
        let late = history.comment("sre1", 101, "Emergency-Approve: sre");
        deploy_at(&mut history, 102);
        let found = found(&history, "approval-late");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].transaction, Some(late));
        assert!(found[0].message.contains("between"), "{}", found[0].message);
        assert_eq!(names(&history), ["approval-late"]);
    }

    #[test]
    fn one_that_the_gate_knew_of_is_a_clock_that_is_behind() {
        for (author, second, severity) in [
            ("phabgate", 101, Severity::Warning),
            ("phabgate", 161, Severity::Error),
            ("deployer1", 101, Severity::Error),
        ] {
            let mut history = task_state(&["releng1"]);
            let late = history.comment("sre1", second, "Emergency-Approve: sre");
            let mut record = sample(&history, DeployId::fresh(), Event::Started, "deployer1");
            record.approvals = vec![approval("sre1", late)];
            history.record(author, second + 1, &record);
            assert_eq!(found(&history, "approval-late")[0].severity, severity, "{author} {second}");
        }
    }

    #[test]
    fn one_after_the_record_and_one_that_was_edited_in_are_late() {
        let mut history = task_state(&["releng1"]);
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
