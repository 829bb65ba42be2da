//! Where it is learnt that a task which is waited for may stand otherwise.
//!
//! Responsible for the port, and for the source that there always is: none, so that the task is read again and again. Whatever a source
//! says, a task is read and judged by who waits: a source only says when. Not responsible for how a source knows
//! ([`crate::watch_client`]).

use std::time::Duration;

/// What a source says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The task may stand otherwise.
    Possible,
    /// Nothing was said of it in all that time.
    None,
    /// Nothing can be learnt now, so that the task has to be read again and again; and why, where that is news.
    Unknown(Option<String>),
}

/// What says that a task may stand otherwise.
pub trait ChangeSource {
    /// Waits until the task may stand otherwise, so long at most.
    fn changed(&mut self, patience: Duration) -> impl Future<Output = Change>;
}

/// No source.
#[derive(Debug, Clone, Copy)]
pub struct NoSource;

impl ChangeSource for NoSource {
    async fn changed(&mut self, _patience: Duration) -> Change {
        Change::Unknown(None)
    }
}
