//! `undecided`: the deploy could not be judged.

use super::{FindingRule, Severity};
use crate::rules::Outcome;

pub(super) const RULE: FindingRule = FindingRule {
    name: "undecided",
    severity: Severity::Error,
    summary: "The deploy could not be judged",
    page: "Some rule could not be judged as of the start of the deploy: the server knows no project of a team \
           or of the tag, or does not show it to this account, or does not say which statuses are closed.\n\n\
           What cannot be known is not taken for good.\n\n\
           See what `phabgate doctor` says with the same configuration, and audit with an account that is shown \
           the projects.",
    find: |rule, case| {
        let unknown = case.ran().flat_map(|assessment| {
            let rules = assessment.deploy.verdict_as_recorded.rules.iter();
            rules.filter(|outcome| outcome.outcome == Outcome::Unknown).map(|outcome| {
                rule.at_record(case, assessment, format!("{} could not be judged: {}", outcome.name, outcome.message))
            })
        });
        unknown.collect()
    },
};

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    use crate::audit::audit_task;

    #[test]
    fn a_team_that_cannot_be_read_is_found() {
        let mut history = task_state(&["releng1", "sre1"]);
        let first = deploy(&mut history);
        let mut evidence = history.evidence();
        evidence.candidates.clear();
        std::sync::Arc::make_mut(&mut evidence.teams).remove("sre");
        let findings = audit_task(&evidence, &crate::audit::AuditPolicy::new(&history.policy), &[]).findings;
        let found: Vec<_> = findings.iter().filter(|finding| finding.name == "undecided").collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].transaction, Some(first));
    }
}
