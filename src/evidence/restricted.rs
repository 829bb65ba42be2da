//! Whether a task was restricted at a moment, by the changes of who sees it and of its Space.
//!
//! Responsible for that as far as the history shows it. Not for what is shown of a task: by how it is now that is decided.

use super::Evidence;
use super::timeline::AsOf;
use crate::conduit::{Change, restricts};
use crate::ids::{Phid, TransactionId};

/// A change of one part of a task: when, from what and to what.
type Step<'a> = (TransactionId, Option<&'a str>, Option<&'a str>);

impl Evidence {
    /// Whether the task was shown to fewer people than everyone with an account at a moment, or is now. Where the changes that the
    /// server shows contradict each other, or the task as it is now, it was; where it shows none, the task was what it is now.
    pub fn was_restricted(&self, open_spaces: &[String], as_of: Option<AsOf>) -> bool {
        let Some(AsOf { through, .. }) = as_of else { return self.is_restricted(open_spaces) };
        let view = self.at(through, Some(&self.task.view), |change| match change {
            Change::View { old, new } => Some((old.as_deref(), new.as_deref())),
            _ => None,
        });
        let space = self.at(through, self.task.space.as_ref().map(Phid::as_str), |change| match change {
            Change::Space { old, new } => Some((old.as_deref(), new.as_deref())),
            _ => None,
        });
        match (view, space) {
            (Some(Some(view)), Some(space)) => restricts(view, space, open_spaces),
            _ => true,
        }
    }

    /// What one part of the task was after a transaction; `None` where what was left there is not what the next change of it found.
    fn at<'a>(
        &'a self,
        through: TransactionId,
        now: Option<&'a str>,
        pick: impl Fn(&'a Change) -> Option<(Option<&'a str>, Option<&'a str>)>,
    ) -> Option<Option<&'a str>> {
        let rows = self.timeline.transactions().iter();
        let steps = rows.filter_map(|row| pick(&row.change).map(|(old, new)| (row.id, old, new)));
        let (before, after): (Vec<Step<'a>>, Vec<Step<'a>>) = steps.partition(|(id, ..)| *id <= through);
        let found = after.first().map_or(now, |(_, old, _)| *old);
        match before.last() {
            Some((_, _, left)) if *left != found => None,
            _ => Some(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::{History, at};

    const SECRET: &str = "PHID-PROJ-secret";

    fn restricted(history: &History, through: TransactionId) -> bool {
        history.evidence().was_restricted(&[], Some(AsOf { through, time: at(999) }))
    }

    #[test]
    fn it_is_what_the_changes_made_of_it_by_then() {
        let mut history = History::emergency();
        let before = history.comment("sre1", 10, "Looking.");
        let closed = history.view("admin", 20, SECRET);
        let opened = history.view("admin", 30, "public");
        let moved = history.space("admin", 40, "PHID-SPCE-1");
        let of = |history: &History| [before, closed, opened, moved].map(|id| restricted(history, id));
        assert_eq!(of(&history), [false, true, false, true]);
        assert!(history.evidence().was_restricted(&[], None));
        assert!(!history.evidence().was_restricted(&["PHID-SPCE-1".into()], None));
    }

    #[test]
    fn where_the_history_shows_nothing_of_it_it_was_as_it_is_now() {
        let mut history = History::emergency();
        let before = history.unexposed("admin", 10);
        assert!(!restricted(&history, before));
        history.task.view = SECRET.into();
        assert!(restricted(&history, before));
    }

    #[test]
    fn a_history_that_contradicts_itself_proves_nobody_saw_it() {
        let mut history = History::emergency();
        let before = history.comment("sre1", 10, "Looking.");
        let closed = history.view("admin", 20, SECRET);
        // Somebody changed it, and no transaction says so.
        history.task.view = "users".into();
        assert_eq!([before, closed].map(|id| restricted(&history, id)), [false, true]);
        let later = history.comment("sre1", 30, "Done.");
        assert!(restricted(&history, later));
    }

    #[test]
    fn before_it_was_made_a_task_was_shown_to_nobody() {
        let mut history = History::emergency();
        let before = history.comment("sre1", 10, "Looking.");
        history.view("admin", 20, "public");
        let mut evidence = history.evidence();
        let mut rows = evidence.timeline.transactions().to_vec();
        for row in &mut rows {
            if let Change::View { old, .. } = &mut row.change {
                *old = None;
            }
        }
        evidence.timeline = crate::evidence::timeline::Timeline::new(rows).into();
        assert!(evidence.was_restricted(&[], Some(AsOf { through: before, time: at(10) })));
    }
}
