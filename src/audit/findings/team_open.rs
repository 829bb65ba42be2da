//! `team-open`: a team that approved can be joined or edited by everybody.

use super::{FindingRule, Severity};
use crate::text::shorten;

pub(super) const RULE: FindingRule = FindingRule {
    name: "team-open",
    severity: Severity::Warning,
    summary: "A team that had to approve can be joined or edited by everybody",
    page: "The project of a team that the deploy needed can be joined, or edited and so joined, by everybody \
           with an account. The server tells only how that is now.\n\n\
           Whoever deploys can make themselves or a friend a member and approve.\n\n\
           Have an administrator restrict who may join and edit the project, and look at its history for who \
           joined shortly before the deploy.",
    find: |rule, case| {
        let deploys = case.ran().flat_map(|assessment| {
            let teams = assessment.deploy.verdict.teams.iter();
            let teams = teams.filter(move |count| {
                let project = case.evidence.teams.get(&count.team);
                project.is_some_and(|project| project.open_to_all().is_some())
            });
            teams.map(move |count| {
                let message = format!("everybody can join or edit {} (as of now)", shorten(&count.title, 60));
                rule.at_record(case, assessment, message)
            })
        });
        deploys.collect()
    },
};

#[cfg(test)]
mod tests {
    use crate::audit::testing::*;

    #[test]
    fn a_team_that_everybody_can_join_is_found() {
        let mut history = task_state(&["releng1", "sre1"]);
        history.join = "users";
        let first = deploy(&mut history);
        let found = found(&history, "team-open");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].transaction, Some(first));
        assert_eq!(names(&history), ["team-open", "team-open"]);
    }
}
