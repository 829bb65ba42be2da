//! Events that may not follow the ones before them.
//!
//! Responsible for the reasons and their words. Not responsible for which event may follow in which state ([`super::state`]).

/// An event that may not follow the ones before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event {kind} may not come here: {why}")]
pub struct IllegalTransition {
    /// The kind of the event; `nothing` where there is none at all.
    pub kind: &'static str,
    /// What forbids it.
    pub why: Illegal,
}

/// What forbids an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Illegal {
    /// The first event is not an intent.
    #[error("a deploy begins with its intent")]
    NoIntent,
    /// A second intent.
    #[error("the deploy has its intent already")]
    SecondIntent,
    /// The record is of another deploy or task than the intent.
    #[error("the record is of another deploy or task")]
    OtherDeploy,
    /// A step of a command where none is run.
    #[error("this deploy is recorded, not run")]
    NotRun,
    /// The deploy is closed.
    #[error("the deploy is closed")]
    Closed,
    /// The record is queued already.
    #[error("that record is queued already")]
    QueuedTwice,
    /// The record may not be queued at this stage.
    #[error("that record is not due at this stage")]
    NotDue,
    /// The record says something else than the events.
    #[error("the record does not say what the events say")]
    Untrue,
    /// The step does not follow the one before it.
    #[error("the command is not at this stage")]
    WrongStage,
    /// The record that is spoken of was never queued.
    #[error("that record was never queued")]
    NotQueued,
    /// The record is on the task already.
    #[error("that record is on the task already")]
    AlreadyDelivered,
    /// An attempt of which nobody knows whether it arrived.
    #[error("an attempt to send that record is not settled")]
    Unsettled,
    /// The record is not due any more.
    #[error("the deploy is over, so that record is not posted any more")]
    Superseded,
    /// There is no attempt that could be settled.
    #[error("no attempt to send that record is open")]
    NotSending,
    /// The task was read too early to prove that the record will not come.
    #[error("the task was read before the attempt could be settled")]
    TooEarly,
    /// The attempt was refused, so that the record does not become ready again by itself.
    #[error("the attempt to send that record was refused")]
    WasRefused,
    /// The attempt was not refused.
    #[error("the attempt to send that record was not refused")]
    NotRefused,
    /// The gate was found to be gone already.
    #[error("the gate of the deploy is known to be gone already")]
    GoneTwice,
    /// The gate is not known to be gone.
    #[error("the gate of the deploy is not known to be gone")]
    NotGone,
    /// The record was given up.
    #[error("that record was given up")]
    GivenUp,
    /// The deploy would be closed without the record that it owes.
    #[error("a record of how it ended is still owed")]
    RecordOwed,
}
