//! `team-open`: not everybody can let themselves into an approving team.

use super::{Rule, list};
use crate::policy::Role;

pub(super) const RULE: Rule = Rule {
    name: "team-open",
    summary: "Not everybody can join or edit an approving team",
    page: "A project that every account may join or edit approves for anybody: who wants to deploy could join the team and \
           approve with a second account. Projects are so by default. This rule only warns, since the deployer at night \
           cannot mend it.\n\n\
           Under the team's project, Edit, set `Editable By` and `Joinable By` to administrators or the team itself.",
    judge: |rule, context| {
        let open = |policy: &str| matches!(policy, "public" | "users");
        let approving = context.policy.teams.iter().filter(|team| team.role == Role::Approve);
        let open: Vec<String> = approving
            .filter(|team| {
                context.evidence.teams.get(&team.key).is_some_and(|project| open(&project.join) || open(&project.edit))
            })
            .map(|team| team.title.clone())
            .collect();
        match open.is_empty() {
            true => rule.pass("no approving team is open to everybody"),
            false => rule.warn(
                format!("everybody can join or edit {}", list(&open, "and")),
                "have an administrator restrict who may join and edit the project",
            ),
        }
    },
};
