//! `drill-late`: a deploy was called a fire drill only afterwards, or by its record alone.

use super::{FindingRule, Severity};
use crate::time::utc;

pub(super) const RULE: FindingRule = FindingRule {
    name: "drill-late",
    severity: Severity::Warning,
    summary: "A deploy was declared a fire drill after it had started",
    page: "A deploy is a drill where the task said so (\"Emergency-Drill: yes\") before it started and its record says so \
           too. Here the task said it later, or the record alone says it; the deploy counts as an emergency in all figures. \
           Where the task had said so and the record does not, that is a notice: it counts as an emergency as well.\n\n\
           Drills leave the figures. Whoever could call an emergency a drill afterwards could hide it.\n\n\
           Ask who wrote the line why. Open the next drill with `phabgate request --drill`.",
    find: |rule, case| {
        let late = case.ran().filter_map(|assessment| {
            let recorded = assessment.deploy.records.first().record.drill;
            match (assessment.then.is_drill(), recorded, assessment.now.is_drill()) {
                (true, true, _) | (false, false, false) => None,
                (true, false, _) => {
                    let message =
                        "the task said that it is a drill, and its record does not: it counts as an emergency";
                    Some(rule.at_record(case, assessment, message).but(Severity::Notice))
                }
                (false, true, false) => {
                    let message = "its record alone says that it was a drill: it counts as an emergency";
                    Some(rule.at_record(case, assessment, message))
                }
                (false, _, true) => {
                    let stated = assessment.now.drill.as_ref()?;
                    let (by, when) = (case.evidence.name_of(&stated.author), utc(stated.since.time));
                    let message =
                        format!("{by} declared it a drill at {when}, after it had started: it counts as an emergency");
                    Some(rule.of_deploy(case, assessment, stated.since, message))
                }
            }
        });
        late.collect()
    },
};

#[cfg(test)]
mod tests {
    use crate::audit::Severity;
    use crate::audit::testing::*;
    use crate::ids::DeployId;
    use crate::record::Event;

    #[test]
    fn a_drill_is_one_that_the_task_had_said_and_the_record_says_too() {
        for (before, recorded, after, drill, found_as) in [
            (true, true, false, true, None),
            (true, false, false, false, Some(Severity::Notice)),
            (false, true, false, false, Some(Severity::Warning)),
            (false, false, true, false, Some(Severity::Warning)),
            (false, true, true, false, Some(Severity::Warning)),
            (false, false, false, false, None),
        ] {
            let mut history = crate::evidence::testing::History::emergency();
            if before {
                history.comment("deployer1", 5, "Emergency-Drill: yes");
            }
            history.comment("releng1", 10, "Emergency-Approve: releng");
            history.comment("sre1", 11, "Emergency-Approve: sre");
            let mut record = sample(&history, DeployId::fresh(), Event::Recorded, "deployer1");
            record.drill = recorded;
            history.record("phabgate", 101, &record);
            let edited = after.then(|| {
                let text = "Emergency-Reason: availability - 5xx on every page view\nEmergency-Drill: yes";
                history.describe("outsider", 300, text)
            });
            let audit = audit(&history);
            let case = format!("{before} {recorded} {after}");
            assert_eq!(audit.deploys[0].drill, drill, "{case}");
            let found = found(&history, "drill-late");
            assert_eq!(found.first().map(|it| it.severity), found_as, "{case}");
            if let Some(edited) = edited {
                assert_eq!(found[0].transaction, Some(edited), "{case}");
            }
        }
    }
}
