//! What earlier audits saw that the server does not show any more: who was in which team until when, in what state
//! accounts were, which project was behind a hashtag, and which policies were ours.
//!
//! Responsible for these as data, and for the evidence as of an earlier moment. Not for keeping them ([`super::mirror`]).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::conduit::{Account, Project};
use crate::evidence::Evidence;
use crate::ids::{Phid, Project as ProjectKind, User};
use crate::policy::Policy;

/// The project behind a hashtag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behind {
    /// Its PHID.
    pub phid: Phid<ProjectKind>,
    /// Its name as it was.
    pub name: String,
}

/// Who is in a project.
pub type Members = Vec<Phid<User>>;

/// What something was until when, the oldest first: the last audit that saw it so. Afterwards it was another.
pub type Until<T> = Vec<(Timestamp, T)>;

/// What earlier audits saw.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// The members of a project as they are now, as far as audits looked, and as they were until when.
    pub members: BTreeMap<Phid<ProjectKind>, (Members, Until<Members>)>,
    /// What hashtags led to, until when.
    pub hashtags: BTreeMap<String, Until<Behind>>,
    /// The accounts as they were, until when.
    pub accounts: BTreeMap<Phid<User>, Until<Account>>,
    /// The projects behind the teams of each policy that was ours, by its digest and the key of the team.
    pub policies: BTreeMap<String, BTreeMap<String, Phid<ProjectKind>>>,
}

/// What something was at a moment: as the first audit saw it that came no earlier. `None` where none did before now.
fn at<T>(until: &Until<T>, time: Timestamp) -> Option<&T> {
    until.iter().find(|(last, _)| *last >= time).map(|(_, value)| value)
}

impl Memory {
    /// The projects that were behind a hashtag and are not any more.
    pub fn formerly_behind(&self, slug: &str, now: &Phid<ProjectKind>) -> BTreeSet<Phid<ProjectKind>> {
        let past = self.hashtags.get(slug).into_iter().flatten().map(|(_, behind)| &behind.phid);
        past.filter(|phid| *phid != now).cloned().collect()
    }

    /// The evidence with the members of the teams, and the state of everybody's account who wrote on the task, as they were
    /// at a moment, where an audit saw them then: who left since had a say then, and who joined since had none.
    pub fn as_of<'e>(&self, evidence: &'e Evidence, policy: &Policy, time: Timestamp) -> Cow<'e, Evidence> {
        let mut then = Cow::Borrowed(evidence);
        for team in &policy.teams {
            let Some(now) = evidence.teams.get(&team.key) else { continue };
            let behind = self.hashtags.get(&team.project).and_then(|until| at(until, time));
            let phid = behind.map_or(&now.phid, |behind| &behind.phid);
            let Some((last, until)) = self.members.get(phid) else { continue };
            let members = at(until, time).unwrap_or(if *phid == now.phid { &now.members } else { last });
            if *phid == now.phid && same(members, &now.members) {
                continue;
            }
            let teams = Arc::make_mut(&mut then.to_mut().teams);
            teams.insert(team.key.clone(), Project { phid: phid.clone(), members: members.clone(), ..now.clone() });
        }
        for author in self.authors(evidence) {
            let Some(was) = self.accounts.get(&author).and_then(|until| at(until, time)) else { continue };
            // Names are those of now.
            let username = match evidence.accounts.get(&author) {
                Some(now) if now.roles == was.roles => continue,
                Some(now) => now.username.clone(),
                None => was.username.clone(),
            };
            let account = Account { username, ..was.clone() };
            Arc::make_mut(&mut then.to_mut().accounts).insert(author, account);
        }
        then
    }

    /// Everybody who wrote a comment on the task and whose account was another one.
    fn authors(&self, evidence: &Evidence) -> BTreeSet<Phid<User>> {
        if self.accounts.is_empty() {
            return BTreeSet::new();
        }
        let rows = evidence.timeline.transactions().iter();
        let comments = rows.filter(|row| !row.comments.is_empty());
        let authors = comments.filter_map(|row| Phid::new(row.author.as_str()).ok());
        authors.filter(|author| self.accounts.contains_key(author)).collect()
    }
}

/// Whether these are the same people, in any order.
fn same(one: &[Phid<User>], other: &[Phid<User>]) -> bool {
    one == other || one.iter().collect::<BTreeSet<_>>() == other.iter().collect::<BTreeSet<_>>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::testing::*;
    use crate::audit::{AuditPolicy, Severity, audit_task};
    use crate::conduit::AccountRole;
    use crate::evidence::testing::{History, at, person, project};

    fn names(history: &History, memory: Memory) -> Vec<&'static str> {
        let mut evidence = history.evidence();
        evidence.candidates.clear();
        let audit = audit_task(&evidence, &AuditPolicy::new(&history.policy).remembering(memory.into()), &[]);
        audit.findings.iter().filter(|it| it.severity > Severity::Notice).map(|finding| finding.name).collect()
    }

    /// The members of the team sre until a moment, as an audit saw them.
    fn members(history: &History, until: i64, people: &[&str]) -> Memory {
        let now = history.evidence().teams["sre"].clone();
        let past = vec![(at(until), people.iter().map(|name| person(name)).collect())];
        Memory { members: [(now.phid, (now.members, past))].into(), ..Memory::default() }
    }

    #[test]
    fn a_no_of_somebody_who_left_since_an_audit_looked_is_a_no() {
        let mut history = task_state(&["releng1", "sre1"]);
        history.comment("outsider", 20, "Emergency-Reject: sre - not now");
        deploy(&mut history);
        assert!(names(&history, Memory::default()).is_empty());
        assert_eq!(names(&history, members(&history, 500, &["sre1", "outsider"])), ["rule-failed"]);
        // An audit that looked before they spoke says nothing of then.
        assert!(names(&history, members(&history, 50, &["sre1", "outsider"])).is_empty());
    }

    #[test]
    fn who_was_let_in_after_an_audit_looked_had_no_say() {
        let history = clean();
        assert!(names(&history, Memory::default()).is_empty());
        assert!(names(&history, members(&history, 500, &["sre2"])).contains(&"approval-missing"));
    }

    #[test]
    fn who_left_after_an_audit_looked_had_a_say() {
        let mut history = task_state(&["releng1"]);
        history.comment("outsider", 12, "Emergency-Approve: sre");
        deploy(&mut history);
        assert!(names(&history, Memory::default()).contains(&"approval-missing"));
        assert!(names(&history, members(&history, 500, &["sre1", "outsider"])).is_empty());
    }

    #[test]
    fn an_account_that_was_closed_after_an_audit_looked_was_open() {
        let mut history = task_state(&["releng1", "sre1"]);
        history.comment("gone", 20, "Emergency-Reject: sre - not now");
        deploy(&mut history);
        let closed = history.account("gone");
        assert!(closed.roles.contains(&AccountRole::Disabled));
        let mut memory = members(&history, 500, &["sre1", "gone"]);
        assert!(names(&history, memory.clone()).is_empty());
        let open = Account { roles: [AccountRole::Activated].into(), ..closed };
        memory.accounts = [(person("gone"), vec![(at(500), open)])].into();
        assert_eq!(names(&history, memory), ["rule-failed"]);
    }

    #[test]
    fn a_team_is_judged_by_the_project_that_was_behind_it() {
        let mut history = task_state(&["releng1"]);
        history.comment("outsider", 12, "Emergency-Approve: sre");
        deploy(&mut history);
        let other = project("other");
        let past = vec![(at(500), Behind { phid: other.clone(), name: "Other".into() })];
        let slug = history.policy.team("sre").unwrap().project.clone();
        let memory = Memory {
            members: [(other.clone(), (vec![person("outsider")], Vec::new()))].into(),
            hashtags: [(slug.clone(), past)].into(),
            ..Memory::default()
        };
        assert_eq!(memory.formerly_behind(&slug, &project("sre")), [other.clone()].into());
        assert!(memory.formerly_behind(&slug, &other).is_empty());
        assert!(names(&history, memory).is_empty());
    }
}
