//! What the web interface can do and Conduit cannot: to edit and to remove a comment, to merge a task into another, to
//! archive a project.
//!
//! Responsible for doing each as the server does. Not for who may; whoever is named does it.

use serde_json::{Map, Value, json};

use super::world::{Transaction, World, WorldCommentVersion};

/// Why a comment cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TamperError {
    /// There is no such transaction, or it is no comment.
    #[error("{0} is no comment of this world")]
    NoComment(String),
    /// There is no such account.
    #[error("there is no account {0:?} in this world")]
    NoUser(String),
    /// There is no such task.
    #[error("there is no task T{0} in this world")]
    NoTask(u64),
    /// There is no such project.
    #[error("{0} is no project of this world")]
    NoProject(String),
}

impl World {
    /// Edits a comment: adds a version and keeps the older texts.
    ///
    /// # Errors
    /// Where there is no such comment or account.
    pub fn edit_comment(&mut self, transaction: &str, user: &str, text: &str, now: i64) -> Result<(), TamperError> {
        self.add_version(transaction, user, Some(text), now)
    }

    /// Removes a comment: adds a version that says so and blanks the texts of all.
    ///
    /// # Errors
    /// Where there is no such comment or account.
    pub fn remove_comment(&mut self, transaction: &str, user: &str, now: i64) -> Result<(), TamperError> {
        self.add_version(transaction, user, None, now)
    }

    /// Merges a task into another: it becomes a duplicate, and no transaction of its own shows the status.
    ///
    /// # Errors
    /// Where there is no such task or account.
    pub fn merge_task(&mut self, task: u64, into: u64, user: &str, now: i64) -> Result<(), TamperError> {
        let author = self.user_named(user).ok_or_else(|| TamperError::NoUser(user.to_owned()))?.phid.clone();
        let phid =
            |world: &Self, id| world.task_numbered(id).map(|task| task.phid.clone()).ok_or(TamperError::NoTask(id));
        let (from, to) = (phid(self, task)?, phid(self, into)?);
        for (object, kind, new) in [(&from, "mergedinto", json!(to)), (&to, "mergedfrom", json!([from]))] {
            let transaction = Transaction {
                id: self.next_transaction(),
                phid: self.fresh_phid("XACT-TASK"),
                object: object.clone(),
                kind: Some(kind.to_owned()),
                author: author.clone(),
                created: now,
                modified: now,
                group: self.fresh_group(),
                edge: None,
                fields: Map::from_iter([("old".to_owned(), Value::Null), ("new".to_owned(), new)]),
                versions: Vec::new(),
            };
            self.transactions.push(transaction);
        }
        for other in self.tasks.iter_mut().filter(|other| other.phid == from || other.phid == to) {
            other.modified = now;
            if other.phid == from {
                other.status = "duplicate".to_owned();
                other.closed = Some(now);
                other.closer = Some(author.clone());
            }
        }
        Ok(())
    }

    /// Archives a project.
    ///
    /// # Errors
    /// Where there is no project of this PHID.
    pub fn archive_project(&mut self, phid: &str, now: i64) -> Result<(), TamperError> {
        let project = self.projects.iter_mut().find(|project| project.phid == phid);
        let project = project.ok_or_else(|| TamperError::NoProject(phid.to_owned()))?;
        project.archived = true;
        project.modified = now;
        Ok(())
    }

    fn add_version(&mut self, phid: &str, user: &str, text: Option<&str>, now: i64) -> Result<(), TamperError> {
        let author = self.user_named(user).ok_or_else(|| TamperError::NoUser(user.to_owned()))?.phid.clone();
        let version = WorldCommentVersion {
            id: self.next_version(),
            phid: self.fresh_phid("XCMT"),
            author,
            created: now,
            removed: text.is_none(),
            text: text.unwrap_or_default().to_owned(),
        };
        let found = self.transactions.iter_mut().find(|transaction| transaction.phid == phid);
        let found = found.filter(|transaction| !transaction.versions.is_empty());
        let transaction = found.ok_or_else(|| TamperError::NoComment(phid.to_owned()))?;
        transaction.modified = now;
        transaction.versions.push(version);
        if text.is_none() {
            for version in &mut transaction.versions {
                version.text.clear();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merged_task_is_a_duplicate_without_a_transaction_of_its_status() {
        let mut world = World::built_in().unwrap();
        let now = world.last_event() + 5;
        world.merge_task(2, 1, "sre1", now).unwrap();
        let task = world.task_numbered(2).unwrap().clone();
        assert_eq!((task.status.as_str(), task.closed, task.modified), ("duplicate", Some(now), now));
        let into = world.task_numbered(1).unwrap().phid.clone();
        let newest = |phid: &str| world.history(phid)[0].clone();
        assert_eq!(newest(&task.phid).kind.as_deref(), Some("mergedinto"));
        assert_eq!(newest(&task.phid).fields["new"], into);
        assert_eq!(newest(&into).kind.as_deref(), Some("mergedfrom"));
        assert_eq!(world.merge_task(2, 999, "sre1", now), Err(TamperError::NoTask(999)));
    }

    #[test]
    fn an_edit_keeps_the_old_text_and_a_removal_blanks_all() {
        let mut world = World::built_in().unwrap();
        let phid = world.transactions.iter().find(|row| row.id == 9).unwrap().phid.clone();
        let task = world.tasks[0].modified;
        world.edit_comment(&phid, "sre1", "changed", 2_000_000_000).unwrap();
        let texts = |world: &World| -> Vec<(String, bool)> {
            let row = world.transactions.iter().find(|row| row.phid == phid).unwrap();
            row.versions.iter().map(|version| (version.text.clone(), version.removed)).collect()
        };
        assert_eq!(texts(&world), [("Emergency-Approve: sre".into(), false), ("changed".into(), false)]);
        world.remove_comment(&phid, "admin", 2_000_000_001).unwrap();
        assert_eq!(texts(&world), [(String::new(), false), (String::new(), false), (String::new(), true)]);
        assert_eq!(world.tasks[0].modified, task, "a change of a comment is none of its task");
        assert!(matches!(world.remove_comment("PHID-XACT-TASK-x", "admin", 1), Err(TamperError::NoComment(_))));
        assert!(matches!(world.remove_comment(&phid, "nobody", 1), Err(TamperError::NoUser(_))));
    }
}
