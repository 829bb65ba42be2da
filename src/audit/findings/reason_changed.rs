//! `reason-changed`: the category of the reason was changed after the deploy had started.

use super::{FindingRule, Severity};

pub(super) const RULE: FindingRule = FindingRule {
    name: "reason-changed",
    severity: Severity::Warning,
    summary: "The category of the reason was changed after the deploy had started",
    page: "The task states another reason now than when the deploy started, or none any more; or the record \
           names another one than the task stated then. The deploy is judged by what the task stated then.\n\n\
           Who approved agreed to another reason than a reader finds now, and the reason decides which teams \
           must approve.\n\n\
           Ask who changed it why. If the first one was wrong, the teams that the right one needs should look \
           at the deploy.",
    find: |rule, case| {
        let changed = case.ran().filter_map(|assessment| {
            let category = |task_state: &crate::evidence::TaskState| task_state.written.as_ref()?.category.clone();
            // Where none counted then, that is the finding.
            let then = category(&assessment.then)?;
            let now = category(&assessment.now);
            let recorded = assessment.deploy.reason.clone();
            if now.as_ref() != Some(&then) {
                let since = assessment.now.reason.as_ref().map(|reason| reason.since);
                let moment = since.filter(|since| since.transaction > assessment.deploy.as_of.through);
                // Where it was taken away or edited, what shows it is the last change of what is agreed.
                let change = assessment.now.last_material_change.as_ref();
                let moment = moment.or_else(|| change.map(|change| change.moment));
                let now = now.as_deref().unwrap_or("none that counts");
                let message = match case.hide {
                    true => "the reason is another one now than when the deploy started".to_owned(),
                    false => format!("the reason was {then} when the deploy started, and is {now} now"),
                };
                return Some(match moment {
                    Some(moment) => rule.of_deploy(case, assessment, moment, message),
                    None => rule.at_record(case, assessment, message),
                });
            }
            let recorded = recorded.filter(|recorded| *recorded != then)?;
            let message = match case.hide {
                true => "the record names another reason than the task stated".to_owned(),
                false => format!("the record names the reason {}, the task stated {then}", case.quote(&recorded)),
            };
            Some(rule.at_record(case, assessment, message))
        });
        changed.collect()
    },
};

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    #[test]
    fn a_reason_that_was_changed_afterwards_is_found() {
        let mut history = clean();
        let change = history.describe("deployer1", 300, "Emergency-Reason: abuse - bots");
        let found = found(&history, "reason-changed");
        assert_eq!(found[0].transaction, Some(change));
        assert!(found[0].message.contains("availability") && found[0].message.contains("abuse"));
        assert_eq!(names(&history), ["reason-changed"]);
    }

    #[test]
    fn one_that_was_taken_away_is_found() {
        let mut history = clean();
        let change = history.describe("deployer1", 300, "It is over.");
        assert_eq!(found(&history, "reason-changed")[0].transaction, Some(change));
    }

    #[test]
    fn another_explanation_is_none() {
        let mut history = clean();
        history.describe("deployer1", 300, "Emergency-Reason: availability - all of it");
        assert!(names(&history).is_empty());
    }
}
