//! `record-unfinished`: a deploy was recorded to have started and not to have ended.

use super::{FindingRule, Severity};
use crate::text::shorten;

pub(super) const RULE: FindingRule = FindingRule {
    name: "record-unfinished",
    severity: Severity::Warning,
    summary: "A deploy was recorded to have started and not to have ended",
    page: "A record says that the deploy started, and none by its author or a recorder says that it ended. In the \
           first hour it may still be running: that is a notice. A member of a team can let another deploy start by \
           saying that nobody knows how this one ended; that is no end of it.\n\n\
           How it ended is not known.\n\n\
           `phabgate outbox flush` on the host that started it delivers what is known there. From elsewhere \
           `phabgate record TASK --deploy ID --finished --outcome …` closes it.",
    find: |rule, case| {
        let unfinished = case.assessments.iter().filter_map(|assessment| {
            let started = assessment.deploy.records.unfinished()?;
            let on = match case.hide {
                true => String::new(),
                false => format!(" on {}", shorten(&started.record.host, 60)),
            };
            let message = format!("the deploy{on} started, and no record says that it ended");
            let finding = rule.of_deploy(case, assessment, started.moment, message);
            let running = case.evidence.now.duration_since(started.moment.time) <= RUNNING;
            Some(if running { finding.but(Severity::Notice) } else { finding })
        });
        unfinished.collect()
    },
};

/// How long a deploy may be under way before it is taken to be stranded.
const RUNNING: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    use crate::audit::Severity;
    use crate::ids::DeployId;
    use crate::record::Event;

    #[test]
    fn a_deploy_without_an_end_is_found_and_worse_after_an_hour() {
        let mut history = task_state(&["releng1", "sre1"]);
        let started = sample(&history, DeployId::fresh(), Event::Started, "deployer1");
        let first = history.record("phabgate", 101, &started);
        for (now, severity) in [(1_000, Severity::Notice), (10_000, Severity::Warning)] {
            history.later(now);
            let found = found(&history, "record-unfinished");
            assert_eq!((found[0].transaction, found[0].severity), (Some(first), severity));
        }
        assert_eq!(names(&history), ["record-unfinished"]);
    }

    #[test]
    fn what_a_stranger_says_ends_no_deploy() {
        let mut history = task_state(&["releng1", "sre1"]);
        let id = DeployId::fresh();
        let started = sample(&history, id, Event::Started, "deployer1");
        history.record("phabgate", 101, &started);
        let ended = sample(&history, id, Event::Finished, "outsider");
        let meddling = history.record("outsider", 200, &ended);
        assert_eq!(names(&history), ["record-unfinished", "record-forged"]);
        assert_eq!(found(&history, "record-forged")[0].transaction, Some(meddling));
    }
}
