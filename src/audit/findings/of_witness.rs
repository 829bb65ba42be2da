//! Which deploys what is found of a witness is about.
//!
//! Responsible for that alone. Not responsible for what is found of one.

use super::{Case, Finding, FindingRule};
use crate::audit::deploys::DeployAssessment;
use crate::evidence::timeline::Moment;

impl FindingRule {
    /// Findings about what a comment says of somebody's words on IRC: about each deploy that rests on it, and about the first one that was
    /// not over when it was written, which it may have been meant for; about the task alone where there is none.
    pub(super) fn of_witness(&self, case: &Case<'_>, written: Moment, shown: Moment, message: &str) -> Vec<Finding> {
        let next = case
            .ran()
            .filter(|assessment| written.time <= assessment.deploy.over())
            .min_by_key(|assessment| assessment.deploy.first())
            .map(|assessment| assessment.deploy.id);
        let concerns =
            |assessment: &&DeployAssessment| next == Some(assessment.deploy.id) || rests_on(assessment, written);
        let found: Vec<Finding> =
            case.ran().filter(concerns).map(|assessment| self.of_deploy(case, assessment, shown, message)).collect();
        match found.is_empty() {
            true => vec![self.of_task(case, shown, message)],
            false => found,
        }
    }
}

/// Whether an approval of a deploy, by its verdict or by its records, is what this comment says.
fn rests_on(assessment: &DeployAssessment, written: Moment) -> bool {
    let id = Some(written.transaction);
    let deploy = &assessment.deploy;
    let recorded = deploy.records.iter().flat_map(|posted| &posted.record.approvals);
    deploy.verdict_as_recorded.approvals.iter().any(|approval| approval.transaction == id)
        || recorded.into_iter().any(|approval| approval.transaction == id)
}
