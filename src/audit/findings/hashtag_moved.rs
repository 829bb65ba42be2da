//! `hashtag-moved`: the hashtag of the tag or of a team led to another project before.

use super::{Finding, FindingRule, Severity};
use crate::audit::memory::Memory;
use crate::audit::mirror::ServerFacts;
use crate::policy::Policy;
use crate::text::shorten;
use crate::time::utc;

pub(in crate::audit) const RULE: FindingRule = FindingRule {
    name: "hashtag-moved",
    severity: Severity::Error,
    summary: "The hashtag of the tag or of a team leads to another project now",
    page: "The policy names the tag and the teams by hashtags. An earlier audit saw that a hashtag led to another project \
           than it does today. Whoever can edit projects can move a hashtag, and with it who may approve, or which tasks are \
           looked at.\n\n\
           The audit goes on looking at the tasks of both projects, and judges old deploys by the team that was behind the \
           hashtag then. `check` and `run` know the hashtag of today alone.\n\n\
           Find out who moved it and why, in the history of both projects. Move it back, or, where it was meant, write the \
           id of this finding and why under `audit.accepted` in the configuration.",
    find: |_, _| Vec::new(),
};

/// The hashtags of a policy that led to other projects before, each with every project that it led to.
pub fn moved(policy: &Policy, facts: &ServerFacts, memory: &Memory) -> Vec<Finding> {
    let teams = policy.teams.iter().map(|team| (team.project.as_str(), format!("the team {}", team.title)));
    let slugs = [(policy.tag.as_str(), "the tag".to_owned())].into_iter().chain(teams);
    let mut found: Vec<Finding> = Vec::new();
    for (slug, what) in slugs {
        let Some(now) = facts.projects.get(slug) else { continue };
        for (until, was) in memory.hashtags.get(slug).into_iter().flatten().filter(|(_, was)| was.phid != now.phid) {
            let about = format!("#{slug} {}", was.phid);
            if found.iter().any(|other| other.about == about) {
                continue;
            }
            let [before, after] = [&was.name, &now.name].map(|name| shorten(name, 80));
            found.push(Finding {
                name: RULE.name,
                severity: RULE.severity,
                task: None,
                deploy: None,
                transaction: None,
                time: *until,
                message: format!(
                    "#{slug}, {what}, led to the project {before} when the audit of {} looked, and leads to another one, \
                     {after}, now",
                    utc(*until)
                ),
                about,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::memory::Behind;
    use crate::audit::testing::facts;
    use crate::evidence::testing::{History, at, project};

    #[test]
    fn a_hashtag_that_led_elsewhere_is_found_once_for_each_project() {
        let policy = History::emergency().policy;
        let facts = facts(&policy);
        let slug = policy.teams[0].project.clone();
        let now = facts.projects[&slug].phid.clone();
        let behind = |phid| Behind { phid, name: "Old team".into() };
        let until = vec![
            (at(1), behind(now)),
            (at(2), behind(project("old"))),
            (at(3), behind(project("older"))),
            (at(4), behind(project("old"))),
        ];
        let memory = Memory { hashtags: [(slug.clone(), until)].into(), ..Memory::default() };
        let found = moved(&policy, &facts, &memory);
        assert_eq!(found.len(), 2);
        assert_ne!(found[0].id(), found[1].id());
        assert_eq!((found[0].time, found[0].id().about), (at(2), format!("#{slug}")));
        assert!(found[0].message.contains("Old team"), "{}", found[0].message);
        assert!(moved(&policy, &facts, &Memory::default()).is_empty());
    }
}
