//! `approval-self`: somebody behind the deploy approved it.

use super::{Rule, Severity, lacks, told};
use crate::policy::WhyNot;
use crate::text::shorten;

pub(super) const RULE: Rule = Rule {
    name: "approval-self",
    severity: Severity::Error,
    summary: "Somebody who is behind the deploy approved it",
    page: "Who deploys has approved the deploy, or somebody whom its records name as possibly behind it. \
           Such an approval does not count; where enough others approved it is only a warning.\n\n\
           Two people who look at a deploy are the point of approving it. One person who is both is one person.\n\n\
           Ask somebody else of the team to look at it, and let them say so on the task.",
    find: |rule, case| {
        let own = case.ran().flat_map(|trial| {
            let own = told(trial, &trial.deploy.verdict_as_recorded)
                .filter(|approval| approval.why_not == Some(WhyNot::BehindDeploy));
            own.map(|approval| {
                let team = shorten(&approval.team, 40);
                let message = format!("{} may be behind the deploy and approved it for {team}", approval.user);
                // Where enough others approved, nothing rested on it.
                let severity = if lacks(trial, &approval.team) { Severity::Error } else { Severity::Warning };
                rule.at_record(case, trial, message).but(severity).shown_by(approval)
            })
        });
        own.collect()
    },
};

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    #[test]
    fn the_approval_of_who_deploys_is_found() {
        let mut history = story(&["releng1"]);
        let own = history.comment("sre1", 12, "Emergency-Approve: sre");
        deploy_by(&mut history, "sre1", 101);
        let found = found(&history, "approval-self");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].transaction, Some(own));
        assert_eq!(names(&history), ["approval-self", "approval-missing"]);
    }
}
