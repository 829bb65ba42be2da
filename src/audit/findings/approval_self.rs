//! `approval-self`: somebody behind the deploy approved it.

use super::{Case, FindingRule, Severity, approvals_that_matter, lacks};
use crate::audit::as_recorded::behind;
use crate::audit::deploys::DeployAssessment;
use crate::rules::{Approval, WhyNot};
use crate::text::shorten;

pub(super) const RULE: FindingRule = FindingRule {
    name: "approval-self",
    severity: Severity::Error,
    summary: "Somebody who is behind the deploy approved it",
    page: "Who deploys has approved the deploy, or somebody whom its records name as possibly behind it. \
           Such an approval does not count; where enough others approved it is only a warning. People are told apart by their \
           accounts, whatever they are called; where a record holds a name alone that is a warning as well, since names are \
           handed over.\n\n\
           Two people who look at a deploy are the point of approving it. One person who is both is one person.\n\n\
           Ask somebody else of the team to look at it, and let them say so on the task.",
    find: |rule, case| {
        let own = case.ran().flat_map(|assessment| {
            let own = approvals_that_matter(assessment, &assessment.deploy.verdict_as_recorded)
                .filter(|approval| approval.why_not == Some(WhyNot::BehindDeploy));
            own.map(|approval| {
                let team = shorten(&approval.team, 40);
                let message = format!("{} may be behind the deploy and approved it for {team}", approval.user);
                // Where enough others approved, nothing rested on it.
                let severity = if lacks(assessment, &approval.team) { Severity::Error } else { Severity::Warning };
                rule.at_record(case, assessment, message).but(severity).shown_by(approval)
            })
        });
        let named = case.ran().flat_map(|assessment| {
            let counted = assessment.deploy.verdict_as_recorded.approvals.iter().filter(|approval| approval.counts());
            counted.filter(|approval| is_named_behind(case, assessment, approval)).map(|approval| {
                let message = format!(
                    "{} approved it for {}, and its record names somebody of this name to be behind it without the account",
                    approval.user,
                    shorten(&approval.team, 40)
                );
                rule.at_record(case, assessment, message).but(Severity::Warning).shown_by(approval)
            })
        });
        own.chain(named).collect()
    },
};

/// Whether the first record names an approver to be behind the deploy by the name alone: whose name it was then is not known.
fn is_named_behind(case: &Case<'_>, assessment: &DeployAssessment, approval: &Approval) -> bool {
    let account = approval.phid.as_ref().and_then(|phid| case.evidence.accounts.get(phid));
    let mut named = behind(&assessment.deploy.records.first().record).filter(|deployer| deployer.phid.is_none());
    !case.policy.self_approval && named.any(|deployer| account.is_some_and(|account| account.is_named(&deployer.user)))
}

#[cfg(test)]
mod tests {
    use crate::audit::Severity;
    use crate::audit::testing::*;
    use crate::ids::DeployId;
    use crate::record::Event;

    #[test]
    fn a_name_that_was_handed_over_makes_nobody_who_deployed() {
        // Who deployed is called otherwise now, and an approver bears the old name.
        let mut history = task_state(&["releng1", "sre1"]);
        let mut record = sample(&history, DeployId::fresh(), Event::Recorded, "deployer1");
        record.deployer.as_mut().unwrap().user = "sre1".into();
        let mut stated = history.clone();
        history.record("phabgate", 101, &record);
        assert!(names(&history).is_empty(), "{:?}", names(&history));
        // Nor where the task had stated who deploys by that name.
        let mut old = crate::evidence::testing::History::new("deployer1");
        old.describe("deployer1", 1, "Emergency-Reason: availability - x\nEmergency-Deployer: sre1");
        old.tag("deployer1", 2, "emergency");
        old.comment("releng1", 10, "Emergency-Approve: releng");
        old.comment("sre1", 11, "Emergency-Approve: sre");
        old.record("phabgate", 101, &record);
        assert!(names(&old).is_empty(), "{:?}", names(&old));
        // A record that holds the name alone accuses nobody for certain.
        record.deployer.as_mut().unwrap().phid = None;
        stated.record("phabgate", 101, &record);
        let found = found(&stated, "approval-self");
        assert_eq!((found.len(), found[0].severity), (1, Severity::Warning));
        assert_eq!(names(&stated), ["approval-self"]);
    }

    #[test]
    fn the_approval_of_who_deploys_is_found() {
        let mut history = task_state(&["releng1"]);
        let own = history.comment("sre1", 12, "Emergency-Approve: sre");
        deploy_by(&mut history, "sre1", 101);
        let found = found(&history, "approval-self");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].transaction, Some(own));
        assert_eq!(names(&history), ["approval-self", "approval-missing"]);
    }
}
