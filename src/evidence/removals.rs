//! Comments that are gone from a task.
//!
//! Responsible for which those are at a moment. Not responsible for what they may have said.

use super::timeline::{AsOf, Comment, Moment, Tie, Timeline};

/// A comment that is gone, and may have said anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Whose comment it was, a PHID.
    pub author: String,
    /// When its last words were written.
    pub spoken: Moment,
    /// When what it may have said changed: when it was removed, or where it still stood at that moment, when it was written.
    pub removed: Moment,
    /// At the moment that is judged it still stood, and its text is not known any more.
    pub stood: bool,
    /// Who removed it, a PHID.
    pub by: String,
    /// What the server knows the removal by, drawn at random when it was made; empty where it was kept without, or where the comment still stood.
    pub drawn: String,
}

/// The comments that are gone, up to a moment or up to now, oldest first.
pub(super) fn removals(timeline: &Timeline, as_of: Option<AsOf>) -> Vec<Removal> {
    // Also what was removed after that moment: its text is blank by now, so what it said at that moment is not known.
    let removal = |comment: Comment<'_>| {
        let gone = comment.removal()?;
        let moment = |version| timeline.moment_of_version(comment.transaction, version, Tie::Wins);
        let happened = comment.versions().iter().any(|version| version.version == gone.version);
        let words = comment.versions().iter().find(|version| !version.removed && version.version < gone.version);
        let spoken = words.map_or_else(|| timeline.moment_of(comment.transaction), moment);
        Some(Removal {
            author: comment.transaction.author.clone(),
            spoken,
            removed: if happened { moment(gone) } else { spoken },
            stood: !happened,
            by: gone.author.clone(),
            drawn: if happened { gone.phid.clone() } else { String::new() },
        })
    };
    timeline.comments(as_of).filter_map(removal).collect()
}
