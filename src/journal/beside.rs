//! What is kept of a deploy beside the database, where that takes nothing while a command runs.
//!
//! Responsible for what is known of such a deploy, and what of it neither the database nor the file took. Not responsible for
//! when an event goes there ([`super::append`]), nor for the layout of the file ([`super::reserve`]).

use std::path::PathBuf;

use super::event::Event;
use super::reserve::Reserve;
use crate::ids::DeployId;

/// Where the last words of the deploy are whose command this process started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// In the journal, or not needed.
    InJournal,
    /// In the file beside it: the next command takes them into the journal.
    Beside {
        /// The file.
        path: PathBuf,
        /// Why the journal did not take them.
        why: String,
    },
    /// Nowhere but in this process.
    Nowhere {
        /// Why neither the journal nor the file beside it took them.
        why: String,
    },
}

/// What is kept of the deploy that this process carries out.
#[derive(Debug)]
pub(super) struct Beside {
    pub(super) deploy: DeployId,
    /// The file, once the command is about to be started.
    pub(super) reserve: Option<Reserve>,
    /// What the file holds.
    pub(super) written: Vec<Event>,
    /// What the database was last known to hold of the deploy.
    pub(super) base: Vec<Event>,
    /// What it did not take, oldest first.
    pub(super) extra: Vec<Event>,
    /// Why it did not.
    pub(super) why: String,
    /// Why the file did not either.
    pub(super) lost: Option<String>,
    /// Whether the deploy goes on where the database takes nothing.
    pub(super) goes_on: bool,
}

impl Beside {
    /// Of a deploy of which the database holds this.
    pub(super) fn of(deploy: DeployId, base: Vec<Event>) -> Self {
        let (written, extra, why) = (Vec::new(), Vec::new(), String::new());
        Self { deploy, reserve: None, written, base, extra, why, lost: None, goes_on: false }
    }

    /// Keeps an event that the database did not take.
    pub(super) fn keep(&mut self, event: Event) {
        self.extra.push(event);
        // A gap in the file would make a history that cannot be: what comes behind one stays in memory, too.
        let Some(reserve) = self.reserve.as_mut().filter(|_| self.lost.is_none()) else { return };
        for event in self.base.iter().chain(&self.extra) {
            if self.written.contains(event) {
                continue;
            }
            match reserve.add(event) {
                Ok(()) => self.written.push(event.clone()),
                Err(error) => {
                    self.lost = Some(error.to_string());
                    return;
                }
            }
        }
    }

    /// All that is known of the deploy, oldest first.
    pub(super) fn all(&self) -> Vec<Event> {
        self.base.iter().chain(&self.extra).cloned().collect()
    }
}
