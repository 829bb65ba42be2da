//! `tag-removed`: the tag was removed after a deploy, or without one.

use super::{FindingRule, Severity};
use crate::conduit::Change;
use crate::evidence::Tagged;
use crate::evidence::timeline::Moment;

pub(super) const RULE: FindingRule = FindingRule {
    name: "tag-removed",
    severity: Severity::Warning,
    summary: "The tag was removed",
    page: "The task carried the tag and lost it: after a deploy, or without any deploy that is recorded, which \
           is a notice only.\n\n\
           A task without the tag is not found among the emergencies any more. An audit finds it by the records \
           on it, and one without records only where it had seen the task before.\n\n\
           Add the tag again where something was deployed. A tag that was set by mistake may stay away.",
    find: |rule, case| {
        let lost = lost(case);
        let mut found = Vec::new();
        for (moment, author) in &lost {
            let author = case.evidence.name_of(author);
            let before = case.ran().filter(|assessment| assessment.deploy.as_of.through < moment.transaction).last();
            if let Some(assessment) = before {
                let message = format!("{author} removed the tag after the deploy had started");
                found.push(rule.of_deploy(case, assessment, *moment, message));
            } else if case.ran().next().is_none()
                && Some(moment) == lost.last().map(|(last, _)| last)
                && matches!(case.task_state.tagged, Tagged::Until(_))
            {
                let message = format!("{author} removed the tag, and no deploy is recorded");
                found.push(rule.of_task(case, *moment, message).but(Severity::Notice));
            }
        }
        found
    },
};

/// Each time that the task ceased to carry the tag, and who did it.
fn lost(case: &super::Case<'_>) -> Vec<(Moment, String)> {
    let timeline = &case.evidence.timeline;
    let Some(tag) = &case.evidence.tag else { return Vec::new() };
    let mut carried = std::collections::BTreeSet::new();
    let mut lost = Vec::new();
    for transaction in timeline.transactions() {
        let Change::Projects { added, removed } = &transaction.change else { continue };
        let before = !carried.is_empty();
        carried.extend(added.iter().filter(|project| tag.family.contains(project)));
        for project in removed {
            carried.remove(project);
        }
        if before && carried.is_empty() {
            lost.push((timeline.moment_of(transaction), transaction.author.clone()));
        }
    }
    lost
}

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    use crate::audit::Severity;
    use crate::evidence::testing::History;

    #[test]
    fn a_tag_that_was_removed_after_the_deploy_is_found() {
        let mut history = clean();
        let removed = history.untag("deployer1", 300, "emergency");
        assert_eq!(found(&history, "tag-removed")[0].transaction, Some(removed));
        assert_eq!(names(&history), ["tag-removed"]);
    }

    #[test]
    fn without_a_deploy_it_is_a_notice() {
        let mut history = History::emergency();
        let removed = history.untag("deployer1", 300, "emergency");
        let found = found(&history, "tag-removed");
        assert_eq!((found[0].transaction, found[0].severity), (Some(removed), Severity::Notice));
    }
}
