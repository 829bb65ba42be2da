//! How things in the world are found.
//!
//! Responsible for looking things up by what they are known by. Not responsible for who may see them
//! ([`crate::sandbox::access`]).

use super::{Edge, Project, Task, Transaction, User, World, leads_to};

impl World {
    /// The API token of an account.
    pub fn token_of(&self, username: &str) -> Option<&str> {
        self.user_named(username).map(|user| user.token.as_str())
    }

    /// The time of the last thing that happened.
    pub fn last_event(&self) -> i64 {
        self.transactions.iter().map(|transaction| transaction.modified).max().unwrap_or_default()
    }

    /// The account of this PHID.
    pub fn user(&self, phid: &str) -> Option<&User> {
        self.users.iter().find(|user| user.phid == phid)
    }

    /// The account of this name, in any case.
    pub fn user_named(&self, username: &str) -> Option<&User> {
        self.users.iter().find(|user| user.username.eq_ignore_ascii_case(username))
    }

    /// The project of this PHID.
    pub fn project(&self, phid: &str) -> Option<&Project> {
        self.projects.iter().find(|project| project.phid == phid)
    }

    /// The project that has this hashtag, in any case, without `#`.
    pub fn project_tagged(&self, slug: &str) -> Option<&Project> {
        let slug = slug.to_lowercase();
        self.projects.iter().find(|project| project.slugs.contains(&slug))
    }

    /// The task of this PHID.
    pub fn task(&self, phid: &str) -> Option<&Task> {
        self.tasks.iter().find(|task| task.phid == phid)
    }

    /// The task of this number.
    pub fn task_numbered(&self, id: u64) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == id)
    }

    /// The transactions of one task, newest first.
    pub fn history(&self, phid: &str) -> Vec<&Transaction> {
        let mut found: Vec<_> = self.transactions.iter().filter(|transaction| transaction.object == phid).collect();
        found.sort_by_key(|transaction| std::cmp::Reverse(transaction.id));
        found
    }

    /// Whether the status closes a task; an unknown one does, as on the real server.
    pub fn closes(&self, status: &str) -> bool {
        self.statuses.iter().find(|known| known.value == status).is_none_or(|known| known.closed)
    }

    /// Whether nobody but its assignee may comment on a task with this status.
    pub fn locks(&self, status: &str) -> bool {
        self.statuses.iter().any(|known| known.value == status && known.locked)
    }

    /// Whether the project is `ancestor` or below it.
    pub fn is_within(&self, phid: &str, ancestor: &str) -> bool {
        phid == ancestor || self.ancestors(phid).iter().any(|project| project.phid == ancestor)
    }

    /// The projects above this one, the nearest first.
    pub fn ancestors(&self, phid: &str) -> Vec<&Project> {
        let mut found = Vec::new();
        let mut next = self.project(phid).and_then(|project| project.parent.as_deref());
        while let Some(project) = next.and_then(|phid| self.project(phid)) {
            if found.len() > self.projects.len() {
                break;
            }
            next = project.parent.as_deref();
            found.push(project);
        }
        found
    }

    /// The members of a project: its own, those of the subprojects below it, or, for a milestone, its parent's.
    pub fn members(&self, phid: &str) -> Vec<Edge> {
        let Some(project) = self.project(phid) else { return Vec::new() };
        if let (Some(_), Some(parent)) = (project.milestone, &project.parent) {
            return self.members(parent);
        }
        let mut found: Vec<Edge> = Vec::new();
        for below in self.projects.iter().filter(|below| below.milestone.is_none()) {
            if self.is_within(&below.phid, phid) {
                for edge in &below.members {
                    if !leads_to(&found, &edge.phid) {
                        found.push(edge.clone());
                    }
                }
            }
        }
        found
    }

    /// The number of the next transaction.
    pub(crate) fn next_transaction(&self) -> u64 {
        self.transactions.iter().map(|transaction| transaction.id).max().unwrap_or_default() + 1
    }

    /// The number of the next version of a comment.
    pub(crate) fn next_version(&self) -> u64 {
        let versions = self.transactions.iter().flat_map(|transaction| &transaction.versions);
        versions.map(|version| version.id).max().unwrap_or_default() + 1
    }
}
