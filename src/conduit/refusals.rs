//! What a server was found to refuse, so that it is asked once and not at each command.
//!
//! Responsible for that, as data that clones of a client share, and for what is done when something is learned. Not
//! responsible for where it is kept between commands. What is remembered only saves a call: whatever it says, the same
//! comes out, or the deploy is refused.

use std::sync::atomic::{AtomicBool, Ordering};

/// Called when something is learned: whether `project.search` refuses `status`.
type Keep = Box<dyn Fn(bool) + Send + Sync>;

/// What a server refuses.
#[derive(Default)]
pub struct Refusals {
    project_status: AtomicBool,
    keep: Option<Keep>,
}

impl std::fmt::Debug for Refusals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Refusals").field("project_status", &self.project_status).finish_non_exhaustive()
    }
}

impl Refusals {
    /// What earlier commands found, and what to do with what is found now.
    pub fn new(project_status: bool, keep: impl Fn(bool) + Send + Sync + 'static) -> Self {
        Self { project_status: AtomicBool::new(project_status), keep: Some(Box::new(keep)) }
    }

    /// Whether `project.search` refuses the constraint `status`, as servers did before they began to hide archived
    /// projects (2025.51).
    pub fn project_status(&self) -> bool {
        self.project_status.load(Ordering::Relaxed)
    }

    /// Notes whether it does.
    pub(super) fn note_project_status(&self, refused: bool) {
        if self.project_status.swap(refused, Ordering::Relaxed) != refused
            && let Some(keep) = &self.keep
        {
            keep(refused);
        }
    }
}
