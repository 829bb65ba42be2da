//! What a gate that died left unsaid, and the events that say it.
//!
//! Responsible for two pure functions from the state of a deploy to what its dead owner should still have written. Not for
//! how it is known that the owner is dead (the [locks](super::lock) know), nor for reading the task.
//!
//! | the gate died | what is true | what is written |
//! | --- | --- | --- |
//! | before `started` was ever sent, or where it surely did not arrive, and before the start | nothing ran, and nothing was announced | closed; nothing is posted |
//! | after `started` was sent, before the start | nothing ran | that the owner is gone; once that is settled, `finished` with `not-started` |
//! | after it was about to start the command | it may have run, it may still run | that the owner is gone; once that is settled, `finished` with `unknown` |
//! | after the command ended | it ended with its status | `finished` with `succeeded` or `failed` |
//! | after `finished` or `recorded` was queued | all is said | closed |
//!
//! Where the end is not in the journal somebody else may have put one on the task: from another machine, or by hand. So
//! nothing is said before a read of the task, begun once the time to settle has passed, finds none.
//!
//! A `started` that never reached the task is not posted afterwards; see [`super::state`].

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::event::{EndElsewhere, Event, Step};
use super::state::{DeployState, Stage};

/// The events that make the log of a deploy, whose owner is dead, state the truth, as far as the journal alone knows
/// it. None where it does already. `settle` is how long a record of somebody else may still be on its way.
///
/// Appending them and recovering again gives none; so does a death between any two of them, and a further recovery.
pub fn recover(state: &DeployState, now: Timestamp, settle: Duration) -> Vec<Event> {
    if state.is_closed() {
        return Vec::new();
    }
    if !state.owes_finished() {
        return vec![Event::new(now, Step::Closed)];
    }
    if matches!(state.stage(), Stage::Ended { .. }) {
        return finish(state, now);
    }
    match state.gone() {
        Some(_) => Vec::new(),
        None => {
            let settle = SignedDuration::try_from(settle).unwrap_or(SignedDuration::MAX);
            let settle_at = now.checked_add(settle).unwrap_or(Timestamp::MAX);
            vec![Event::new(now, Step::OwnerGone { settle_at })]
        }
    }
}

/// What a read of the task says about the end of a deploy whose owner is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndOnTask {
    /// Somebody else put one there.
    Found(EndElsewhere),
    /// There is none.
    NotFound {
        /// When the read was begun, by the clock of this host.
        read_at: Timestamp,
    },
}

/// The events that end a deploy whose owner is gone by what was read on its task. None where it has ended, or where the read
/// was too early to settle anything.
pub fn conclude(state: &DeployState, now: Timestamp, read: &EndOnTask) -> Vec<Event> {
    match (read, state.gone()) {
        (EndOnTask::Found(end), Some(_)) if state.awaits_end() => {
            vec![Event::new(now, Step::EndedElsewhere(end.clone()))]
        }
        (EndOnTask::NotFound { read_at }, Some(settle_at)) if *read_at >= settle_at && !state.is_closed() => {
            recover_rest(state, now)
        }
        _ => Vec::new(),
    }
}

fn recover_rest(state: &DeployState, now: Timestamp) -> Vec<Event> {
    if state.owes_finished() { finish(state, now) } else { vec![Event::new(now, Step::Closed)] }
}

fn finish(state: &DeployState, now: Timestamp) -> Vec<Event> {
    let record = Box::new(state.finished_record());
    vec![Event::new(now, Step::Queued { record }), Event::new(now, Step::Closed)]
}
