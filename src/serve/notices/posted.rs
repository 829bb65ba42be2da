//! The notices that stand on a task.
//!
//! Responsible for finding them among its comments. What was said is read from here; a store only keeps what is under way.

use jiff::Timestamp;

use crate::evidence::Evidence;
use crate::ids::TransactionId;
use crate::notice::{Notice, parse};

/// A notice that stands on a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedNotice {
    /// What it says.
    pub notice: Notice,
    /// The transaction that holds it.
    pub transaction: TransactionId,
    /// When it was written, by the server's clock.
    pub time: Timestamp,
}

/// The notices of this task that the token's account wrote, oldest first, in the version that was written first: an edit takes none
/// back.
pub fn posted(evidence: &Evidence) -> Vec<PostedNotice> {
    let own =
        evidence.timeline.comments(None).filter(|comment| comment.transaction.author == evidence.owner.phid.as_str());
    let found = own.filter_map(|comment| {
        let notice = comment.versions().iter().rev().find_map(|version| parse(version.text()))?;
        let (transaction, time) = (comment.transaction.id, comment.transaction.created);
        (notice.task == evidence.task.id).then_some(PostedNotice { notice, transaction, time })
    });
    found.collect()
}
