//! Writing on a task exactly once: the one way for records, answers and edits.
//!
//! Responsible for when something is sent, when it is looked for, and what its absence proves. Not for what is written,
//! for what is owed (a [`PublishLog`] keeps that), nor for what is printed of it.
//!
//! # The rule
//! - An error that proves that nothing was written ([`WriteEffect::None`](crate::conduit::WriteEffect)) allows another
//!   attempt at once.
//! - An error of Conduit's own ends the attempt: one read of the task that is begun after it settles whether it was
//!   written. What a deadlock or a lock wait rolled back is sent again at once; anything else was refused, and is sent
//!   again only where the task looks otherwise by now, or where somebody asks for it.
//! - After every other answer nothing is sent until the attempt is settled, that is too old to be carried out still,
//!   *and* a read of the task that is begun after that does not find it. A refusal by something in front of the server
//!   (HTTP 413, 403, a redirect) is such an answer, after which the same would be refused again.

mod lost_reply;
mod patience;
mod publication;
mod publisher;
pub mod record;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

pub use self::patience::Patience;
pub use self::publication::{Comment, Edit, Look, Placed, Publication, is_the_same};
pub use self::publisher::{Publisher, SENDS};
use crate::conduit::ConduitError;
use crate::journal::{ServerAnswer, TaskSeen};

/// What is known of something that is to be written on a task, before the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Surely not on the task: it may be sent.
    Absent,
    /// It was sent, and nobody knows whether it was written.
    Unknown {
        /// What was answered, in words.
        why: String,
        /// The instant from which a read that does not find it settles the matter, by the clock of this host.
        settle_at: Timestamp,
        /// What was answered.
        answer: ServerAnswer,
    },
    /// Surely not on the task, since it was refused.
    Refused {
        /// The refusal, in words.
        why: String,
        /// How the task looked then.
        seen: TaskSeen,
    },
}

/// What came of publishing something that is found on the task as `F`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishOutcome<F> {
    /// It was read on the task.
    Confirmed(F),
    /// It is surely not there.
    NotApplied(NotApplied),
    /// Nobody knows yet.
    Unknown {
        /// Why not.
        why: String,
        /// The instant from which a read of the task settles it, by the clock of this host.
        settle_at: Timestamp,
    },
}

/// Why something is surely not on the task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotApplied {
    /// What kind of trouble it was.
    pub cause: Cause,
    /// The same in words.
    pub why: String,
    /// The error of the last attempt, where there was one in this call.
    pub error: Option<ConduitError>,
}

/// What kind of trouble kept something from a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// No attempt reached the server, or each was rolled back there or is gone.
    NotWritten,
    /// It was refused, and would most likely be refused again.
    Refused,
    /// It should not come there any more.
    NotDue,
}

/// One step of publishing, as a [`PublishLog`] hears of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishProgress<'a, F> {
    /// It is sent once this is noted.
    Sending {
        /// The instant from which the attempt is settled.
        settle_at: Timestamp,
    },
    /// The attempt surely wrote nothing.
    NotSent {
        /// Why not.
        why: &'a str,
    },
    /// The attempt was answered, and a read has to settle whether it was carried out.
    Answered {
        /// The answer, in words.
        why: &'a str,
        /// The instant from which the attempt is settled.
        settle_at: Timestamp,
        /// What was answered.
        answer: ServerAnswer,
    },
    /// A read did not settle the attempt, and there is still time to look again.
    Waiting {
        /// What was answered to the attempt, in words.
        why: &'a str,
    },
    /// A read that settles the attempt does not find it.
    Missing {
        /// When that read was begun.
        read_at: Timestamp,
    },
    /// The same of an attempt that was refused.
    Refused {
        /// When that read was begun.
        read_at: Timestamp,
        /// How that read saw the task.
        seen: &'a TaskSeen,
    },
    /// It was read on the task.
    Confirmed(&'a F),
}

/// Hears of each step of publishing. What is noted before an attempt is noted before anything is sent, so that a
/// publisher that dies leaves behind what it knew.
pub trait PublishLog<F> {
    /// Why a step cannot be noted; nothing more is done then.
    type Error;

    /// Notes a step that became known at this instant.
    ///
    /// # Errors
    /// Where it cannot be noted.
    fn note(&mut self, at: Timestamp, progress: PublishProgress<'_, F>) -> Result<(), Self::Error>;

    /// Whether it should still come onto the task, where it is surely not there.
    ///
    /// # Errors
    /// Where that cannot be found out.
    fn is_due(&mut self) -> Result<bool, Self::Error> {
        Ok(true)
    }
}
