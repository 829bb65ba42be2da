//! `tag-late`: the task did not carry the tag when the deploy started.

use super::{FindingRule, Severity, kept};
use crate::evidence::Tagged;
use crate::time::utc;

pub(super) const RULE: FindingRule = FindingRule {
    name: "tag-late",
    severity: Severity::Error,
    summary: "The task did not carry the tag when the deploy started",
    page: "The task was tagged as an emergency only after the deploy had started, or never.\n\n\
           People watch the tag; without it nobody sees that something is deployed while nobody should be \
           deploying. Approvals that came before the tag do not count.\n\n\
           If the task never got the tag, add it, so that it stays among the emergencies. The next time \
           `phabgate request` adds it first.",
    find: |rule, case| {
        let late = case.ran().filter_map(|assessment| {
            assessment.deploy.verdict_as_recorded.rule("tag").filter(|outcome| kept(outcome))?;
            match (assessment.then.tagged, assessment.now.tagged) {
                // It had carried the tag and lost it before: what shows that is the removal.
                (Tagged::Until(until), _) => {
                    let message = format!("the tag had been removed at {}, before the deploy started", utc(until.time));
                    Some(rule.of_deploy(case, assessment, until, message))
                }
                (_, Tagged::Since(since)) => {
                    let message = format!("tagged as an emergency at {}, after the deploy started", utc(since.time));
                    Some(rule.of_deploy(case, assessment, since, message))
                }
                (_, Tagged::Until(until)) => {
                    let message = "tagged as an emergency only after the deploy started, and not any more";
                    Some(rule.of_deploy(case, assessment, until, message))
                }
                (_, Tagged::Never) => {
                    Some(rule.at_record(case, assessment, "deployed, and never tagged as an emergency"))
                }
            }
        });
        late.collect()
    },
};

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    use crate::evidence::testing::History;

    #[test]
    fn a_tag_after_the_deploy_is_found() {
        let mut history = History::new("deployer1");
        history.describe("deployer1", 1, "Emergency-Reason: availability - down");
        let first = deploy(&mut history);
        assert_eq!(found(&history, "tag-late")[0].transaction, Some(first));
        let tagged = history.tag("deployer1", 300, "emergency");
        assert_eq!(found(&history, "tag-late")[0].transaction, Some(tagged));
    }
}
