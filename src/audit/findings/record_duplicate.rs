//! `record-duplicate`: a record says again what another one said.

use super::{FindingRule, Severity, what};

pub(super) const RULE: FindingRule = FindingRule {
    name: "record-duplicate",
    severity: Severity::Notice,
    summary: "The same event of a deploy was recorded twice",
    page: "Two records tell of the same event of the same deploy. A reader takes them for one record.\n\n\
           It happens when two hosts delivered the same record, or when somebody copied one. Where the two \
           differ, it is a warning: only the first one is what the gate wrote.\n\n\
           Look for a journal that was copied from one host to another. One of the two comments may be removed; \
           that will be a finding as well.",
    find: |rule, case| {
        let repeated = case.assessments.iter().flat_map(|assessment| {
            assessment.deploy.records.repeated().map(move |standing| {
                let mut same =
                    assessment.deploy.records.distinct().filter(|first| first.record.event == standing.record.event);
                let equal = same.any(|first| first.record == standing.record);
                let (differs, severity) =
                    if equal { ("", Severity::Notice) } else { (", and the two differ", Severity::Warning) };
                let message = format!("a second record of the same event ({}){differs}", what(standing));
                rule.of_deploy(case, assessment, standing.moment, message).but(severity)
            })
        });
        repeated.collect()
    },
};

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    use crate::ids::DeployId;
    use crate::record::Event;

    #[test]
    fn a_record_that_was_posted_twice_is_found() {
        let mut history = task_state(&["releng1", "sre1"]);
        let id = DeployId::fresh();
        deploy_of(&mut history, id, "phabgate", "deployer1", 101);
        let again = sample(&history, id, Event::Started, "deployer1");
        let again = history.record("phabgate", 300, &again);
        let found = found(&history, "record-duplicate");
        assert_eq!(found[0].transaction, Some(again));
        assert_eq!(names(&history), ["record-duplicate"]);
        assert_eq!(audit(&history).deploys[0].duplicates, 1);
    }
}
