//! `team-open`: not everybody can let themselves into an approving team.

use super::{Rule, list};
use crate::policy::Role;
use crate::text::shorten;

pub(super) const RULE: Rule = Rule {
    name: "team-open",
    summary: "Not everybody can join or edit an approving team",
    page: "A project that every account may join or edit approves for anybody: who wants to deploy could join the team and \
           approve with a second account. Projects are so by default. The members of a project are those of its subprojects \
           too, so that it is as open as the most open of them. This rule only warns, since the deployer at night \
           cannot mend it.\n\n\
           Under the team's project, Edit, set `Editable By` and `Joinable By` to administrators or the team itself.",
    judge: |rule, context| {
        let approving = context.policy.teams.iter().filter(|team| team.role == Role::Approve);
        let open: Vec<String> = approving
            .filter_map(|team| {
                let open = context.evidence.teams.get(&team.key)?.open_to_all()?;
                Some(match open.below {
                    None => team.title.clone(),
                    Some(below) => format!("{} (by its subproject {})", team.title, shorten(below, 60)),
                })
            })
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
