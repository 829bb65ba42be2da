//! Watching the command start.
//!
//! Responsible for noting its process id in the journal, and that it runs. Not responsible for what follows from it ([`super::run`]).

use jiff::Timestamp;

use super::share::Phase;
use crate::crash;
use crate::deploy::child::Hooks;
use crate::journal::{DeployLog, Ownership, Step};

/// Journals the child's process id.
pub(super) struct Watch<'a, L> {
    /// Where it is noted.
    pub(super) journal: &'a mut L,
    /// The right to note it.
    pub(super) owner: &'a Ownership,
    /// The process id, once there is one.
    pub(super) pid: Option<u32>,
    /// Where it is noted that it runs, for those who look on.
    pub(super) phases: Option<tokio::sync::watch::Sender<Phase>>,
}

impl<L: DeployLog> Hooks for Watch<'_, L> {
    fn started(&mut self, pid: u32) {
        crash::point("after-spawn");
        self.pid = Some(pid);
        // The child runs already: that its number could not be noted must not end it.
        let _ = self.journal.step(self.owner, Timestamp::now(), Step::Spawned { pid });
        crash::point("after-spawned");
        if let Some(phases) = &self.phases {
            phases.send_replace(Phase::Running);
        }
    }
}
