//! What a server said once and denies now.
//!
//! Responsible for comparing a transaction as it was seen with what is returned today, as a pure function. A server
//! that returns more than before, as after an update, denies nothing, nor does one that keeps an old text beside the
//! new one. Not responsible for where the old ones are kept, and how bad it is.

use jiff::Timestamp;

use crate::conduit::{Change, CommentVersion, Transaction};

/// A transaction as it was seen, that the server returns otherwise since.
#[derive(Debug, Clone, PartialEq)]
pub struct Lost {
    /// As it was.
    pub was: Transaction,
    /// When the server was first seen to return it otherwise.
    pub noticed: Timestamp,
    /// It was written when the task was restricted, as far as audits saw that: its texts are shown to nobody.
    pub hidden: bool,
    /// What is denied.
    pub denied: Denied,
}

/// What is denied of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// All of it.
    Transaction,
    /// What it changed, who made it or when.
    Change,
    /// Versions of its comment: there are none, or they have another text, author or time. The newest first.
    Comment(Vec<CommentVersion>),
    /// The texts of its comment, by a removal that the server shows. The newest first.
    Removed(Vec<CommentVersion>),
    /// What it changed is not shown any more, as where a field was taken away or the server is an older one now.
    Unexposed,
}

/// What the transactions of today deny of one that was seen.
pub fn denied(was: &Transaction, now: &[Transaction]) -> Option<Denied> {
    let same = || now.iter().filter(|row| row.id == was.id && row.phid == was.phid);
    let Some(row) = same().find(|row| still_says(&was.change, &row.change)).or_else(|| same().next()) else {
        return Some(Denied::Transaction);
    };
    let unexposed = row.change == Change::Unexposed;
    if !(unexposed || still_says(&was.change, &row.change)) || row.author != was.author || row.created != was.created {
        return Some(Denied::Change);
    }
    let lost: Vec<_> = was.comments.iter().filter(|version| !row.comments.contains(version)).cloned().collect();
    match lost.first() {
        None => (unexposed && !still_says(&was.change, &row.change)).then_some(Denied::Unexposed),
        Some(newest) => {
            let removed = row.comments.first().is_some_and(|now| now.removed && now.version > newest.version);
            Some(if removed { Denied::Removed(lost) } else { Denied::Comment(lost) })
        }
    }
}

/// Whether the change as it is returned now says all that it said then.
fn still_says(was: &Change, now: &Change) -> bool {
    was == now || matches!(was, Change::Unexposed | Change::Other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::{History, at};

    /// A task with a comment, and the transactions after something was done to them.
    fn after(change: impl FnOnce(&mut Vec<Transaction>)) -> Option<Denied> {
        let mut history = History::emergency();
        let comment = history.comment("sre1", 10, "Emergency-Approve: sre");
        let was = history.timeline().transactions().to_vec();
        let mut now = was.clone();
        now.retain(|row| row.id != comment);
        now.extend(was.iter().filter(|row| row.id == comment).cloned());
        change(&mut now);
        was.iter().find_map(|row| denied(row, &now))
    }

    #[test]
    fn what_is_returned_as_before_or_more_fully_is_not_denied() {
        assert_eq!(after(|_| {}), None);
        assert_eq!(after(|now| now[0].change = Change::Status { old: None, new: "open".into() }), None);
        let edited = CommentVersion::new(2, "PHID-USER-sre1", at(20), false, "Never mind.");
        assert_eq!(after(|now| now.last_mut().unwrap().comments.insert(0, edited)), None);
    }

    #[test]
    fn what_is_returned_otherwise_is_denied() {
        assert_eq!(after(|now| drop(now.pop())), Some(Denied::Transaction));
        assert_eq!(after(|now| now[1].author = "PHID-USER-other".into()), Some(Denied::Change));
        let blank = |now: &mut Vec<Transaction>| {
            let first = CommentVersion::new(1, "PHID-USER-sre1", at(10), false, "");
            let gone = CommentVersion::new(2, "PHID-USER-admin", at(30), true, "");
            now.last_mut().unwrap().comments = vec![gone, first];
        };
        let Some(Denied::Removed(versions)) = after(blank) else { panic!("a removal that is shown") };
        assert_eq!(versions[0].text(), "Emergency-Approve: sre");
        let reworded = |now: &mut Vec<Transaction>| {
            now.last_mut().unwrap().comments =
                vec![CommentVersion::new(1, "PHID-USER-sre1", at(10), false, "Emergency-Approve: releng")];
        };
        assert!(matches!(after(reworded), Some(Denied::Comment(versions)) if versions[0].text().ends_with("sre")));
        assert_eq!(after(|now| now[1].change = Change::Unexposed), Some(Denied::Unexposed));
        assert!(matches!(after(|now| now.last_mut().unwrap().comments.clear()), Some(Denied::Comment(_))));
    }
}
