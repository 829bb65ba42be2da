//! What the web interface can do and Conduit cannot: to edit and to remove a comment.
//!
//! In the room: both, as the server does them. Not in the room: who may; whoever is named does it.

use super::world::{CommentVersion, World};

/// Why a comment cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TamperError {
    /// There is no such transaction, or it is no comment.
    #[error("{0} is no comment of this world")]
    NoComment(String),
    /// There is no such account.
    #[error("there is no account {0:?} in this world")]
    NoUser(String),
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

    fn add_version(&mut self, phid: &str, user: &str, text: Option<&str>, now: i64) -> Result<(), TamperError> {
        let author = self.user_named(user).ok_or_else(|| TamperError::NoUser(user.to_owned()))?.phid.clone();
        let version = CommentVersion {
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
