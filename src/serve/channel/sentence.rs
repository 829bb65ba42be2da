//! A line about one task, put together from words of our own and names of others.
//!
//! Responsible for its parts. Not responsible for what a line says, nor for what of a task it may hold.

use crate::ids::TaskId;
use crate::irc::{BOT_LIMIT, Draft, Line};
use crate::serve::audience::Audience;
use crate::serve::board::WatchedTask;

/// How many people of a team are named.
pub(super) const NAMED: usize = 6;

/// A draft about a task with names of others in it.
#[derive(Debug, Clone)]
pub(super) struct Sentence(pub(super) Draft);

impl Sentence {
    /// One that begins with the task.
    pub(super) fn about(task: TaskId) -> Self {
        Self(Draft::about(task).words(&task.to_string()))
    }

    pub(super) fn words(self, words: &str) -> Self {
        Self(self.0.words(words))
    }

    pub(super) fn name(self, name: &str) -> Self {
        Self(self.0.quoted(name))
    }

    pub(super) fn names<'a>(self, names: impl ExactSizeIterator<Item = &'a str>) -> Self {
        self.most_names(names, NAMED)
    }

    /// So many of the names at most.
    pub(super) fn most_names<'a>(mut self, names: impl ExactSizeIterator<Item = &'a str>, most: usize) -> Self {
        let more = names.len().saturating_sub(most);
        for (at, name) in names.take(most).enumerate() {
            if at > 0 {
                self = self.words(", ");
            }
            self = self.name(name);
        }
        if more > 0 { self.words(&format!(" and {more} more")) } else { self }
    }

    /// Where the task is, which whoever may not see it is not shown either.
    pub(super) fn link(self, watched: &WatchedTask) -> Line {
        self.link_to(&watched.subject.url)
    }

    pub(super) fn link_to(self, url: &str) -> Line {
        self.words(" -- ").words(url).end()
    }

    /// Whether all of it is said by the bot in one message.
    pub(super) fn fits(&self) -> bool {
        self.0.fits(BOT_LIMIT)
    }

    pub(super) fn end(self) -> Line {
        self.0.finish()
    }
}

/// Of a restricted task the number alone is said.
pub(super) fn is_restricted(watched: &WatchedTask) -> bool {
    watched.audience == Audience::Restricted
}
