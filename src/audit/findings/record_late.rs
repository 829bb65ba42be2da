//! `record-late`: a record was posted long after what it states.

use super::{FindingRule, Severity};
use crate::record::Event;
use crate::time::rough;

pub(super) const RULE: FindingRule = FindingRule {
    name: "record-late",
    severity: Severity::Warning,
    summary: "A record was posted more than an hour after what it speaks of",
    page: "Between the start or end that a record states and the moment at which it was posted there is more \
           than an hour.\n\n\
           Until then nobody who looked at the task knew of the deploy, and what is written down later is \
           remembered less well.\n\n\
           Run `phabgate outbox flush` from cron, so that what the server did not take is delivered, and \
           record deploys by other means right away.",
    find: |rule, case| {
        let late = case.assessments.iter().flat_map(|assessment| {
            assessment.deploy.records.distinct().filter_map(move |standing| {
                let record = &standing.record;
                let (what, stated) = match record.event {
                    Event::Started => ("start", record.started?),
                    Event::Finished => ("end", record.finished?),
                    Event::Recorded if record.finished.is_some() => ("end", record.finished?),
                    Event::Recorded => ("start", record.started?),
                };
                let after = standing.moment.time.duration_since(stated);
                (after > GRACE).then(|| {
                    let message = format!("the record of the {what} was posted {} after it", rough(after));
                    rule.of_deploy(case, assessment, standing.moment, message)
                })
            })
        });
        late.collect()
    },
};

/// How long a record may take.
const GRACE: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    #[test]
    fn a_record_more_than_an_hour_after_the_start_is_found() {
        for (second, late) in [(100 + 3_600, false), (101 + 3_600, true)] {
            let mut history = task_state(&["releng1", "sre1"]);
            let first = deploy_at(&mut history, second);
            history.later(second + 200);
            let found = found(&history, "record-late");
            assert_eq!(found.first().and_then(|it| it.transaction), late.then_some(first));
        }
    }
}
