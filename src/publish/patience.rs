//! How long publishing goes on, and at what.
//!
//! Responsible for that as data. Not responsible for the steps ([`super::publisher`]).

use std::time::Duration;

use tokio::time::Instant;

/// How long to go on, and at what.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// When it has to be over; no call goes on beyond it.
    pub deadline: Instant,
    /// How often to look while nobody knows; `None`: not more than once.
    pub poll: Option<Duration>,
    /// Send also what was refused, though the task looks as it did.
    pub retry: bool,
    /// Look before the first attempt too: who is gone may have sent it and not been able to say so.
    pub look_first: bool,
}

impl Patience {
    /// Until then, without waiting for anything to settle.
    pub fn until(deadline: Instant) -> Self {
        Self { deadline, poll: None, retry: false, look_first: false }
    }

    /// The same, looking this often while nobody knows.
    #[must_use]
    pub fn polling(self, poll: Duration) -> Self {
        Self { poll: Some(poll), ..self }
    }

    /// How much of the time is left.
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}
