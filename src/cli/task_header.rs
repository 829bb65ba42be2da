//! The lines that say on every screen which task it is about.
//!
//! Responsible for title, address and that it is a drill, in one wording. Not responsible for what follows below.

use crate::ids::TaskId;
use crate::layout::{FAINT, MIND, NAME, hanging, styled};
use crate::text::inert;

/// What stands in place of a title that is not shown.
const HIDDEN: &str = "(restricted: its texts are not shown)";

/// Which task a screen is about.
pub(super) struct TaskHeader<'a> {
    /// Its number.
    pub(super) task: TaskId,
    /// Its title; `None` where it is restricted or was not read.
    pub(super) title: Option<&'a str>,
    /// Whether it was read, so that a missing title is one that is not shown.
    pub(super) is_read: bool,
    /// Its page.
    pub(super) url: &'a str,
    /// It is a drill.
    pub(super) drill: bool,
}

impl TaskHeader<'_> {
    /// The header, in at most `width` columns.
    pub(super) fn text(&self, width: usize) -> String {
        let title = self.title.map(inert).or_else(|| self.is_read.then(|| HIDDEN.to_owned()));
        let label = self.task.to_string();
        let named = |title: String| hanging(&format!("{} ", styled(NAME, &label)), label.len() + 1, &title, width);
        // Of one that was not read the address says as much as its number.
        let mut header = title.map(named).unwrap_or_default();
        header.push_str(&format!("{}\n", styled(FAINT, self.url)));
        if self.drill {
            header.push_str(&format!("{}\n", styled(MIND, "This is a drill, not an emergency.")));
        }
        header
    }
}
