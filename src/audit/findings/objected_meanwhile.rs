//! `objected-meanwhile`: a member of a team said no while the deploy ran.

use super::{FindingRule, Severity};
use crate::time::utc;

pub(super) const RULE: FindingRule = FindingRule {
    name: "objected-meanwhile",
    severity: Severity::Notice,
    summary: "A member of a team said no, or withdrew, while the deploy ran",
    page: "After the deploy had started and before it was over a member of a team said no, took an approval back, or wrote what \
           reads so. Where the gate of a recorder ran the deploy, that is after the start that it measured; else it is after \
           the first record, up to which a no counts.\n\n\
           It came too late to stop the deploy, and is no fault of who deployed. Who said no may know why it should be undone.\n\n\
           Ask them. `phabgate run` says such a no when the command has ended.",
    find: |rule, case| {
        let objected = case.ran().flat_map(|assessment| {
            assessment.objections.iter().map(|objection| {
                let message =
                    format!("{} {} at {}, while it ran", objection.user, objection.what, utc(objection.moment.time));
                rule.of_deploy(case, assessment, objection.moment, message)
            })
        });
        objected.collect()
    },
};

#[cfg(test)]
mod tests {
    use crate::audit::Severity;
    use crate::audit::testing::*;

    #[test]
    fn a_no_while_a_recorders_gate_ran_it_is_a_notice() {
        for second in [101, 150] {
            let mut history = task_state(&["releng1", "sre1"]);
            let mut no = None;
            if second == 101 {
                // Between the start that the gate measured and its record.
                no = Some(history.comment("sre2", 101, "Emergency-Reject: sre - look at the graphs"));
            }
            let id = crate::ids::DeployId::fresh();
            let started = sample(&history, id, crate::record::Event::Started, "deployer1");
            history.record("phabgate", 102, &started);
            let no =
                no.unwrap_or_else(|| history.comment("sre2", second, "Emergency-Reject: sre - look at the graphs"));
            let finished = sample(&history, id, crate::record::Event::Finished, "deployer1");
            history.record("phabgate", 200, &finished);
            let found = found(&history, "objected-meanwhile");
            assert_eq!((found.len(), found[0].severity, found[0].transaction), (1, Severity::Notice, Some(no)));
            assert_eq!(names(&history), ["objected-meanwhile"], "{second}");
        }
    }

    #[test]
    fn what_is_said_when_all_is_over_is_none() {
        let mut history = clean();
        history.comment("sre2", 300, "Emergency-Reject: sre - too late");
        history.comment("outsider", 150, "Emergency-Reject: sre");
        assert!(names(&history).is_empty(), "{:?}", names(&history));
    }
}
