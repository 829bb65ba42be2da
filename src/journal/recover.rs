//! What a gate that died left unsaid, and the events that say it.
//!
//! In the room: a pure function from the state of a deploy to what its dead owner should still have written. Not in the
//! room: how it is known that the owner is dead (the [locks](super::lock) know).
//!
//! | the gate died | what is true | what is written |
//! | --- | --- | --- |
//! | before `started` was ever sent, or where it surely did not arrive, and before the start | nothing ran, and nobody was told anything | closed; nothing is posted |
//! | after `started` was sent, before the start | nothing ran | `finished` with `not-started` |
//! | after it was about to start the command | it may have run, it may still run | `finished` with `unknown` |
//! | after the command ended | it ended with its status | `finished` with `succeeded` or `failed` |
//! | after `finished` or `recorded` was queued | all is said | closed |
//!
//! A `started` that never reached the task is not posted afterwards; see [`super::state`].

use jiff::Timestamp;

use super::event::{Event, Step};
use super::state::DeployState;

/// The events that make the log of a deploy, whose owner is dead, tell the truth. None where it does already.
///
/// Appending them and recovering again gives none; so does a death between any two of them, and a further recovery.
pub fn recover(state: &DeployState, now: Timestamp) -> Vec<Event> {
    if state.is_closed() {
        return Vec::new();
    }
    let mut events = Vec::new();
    if state.owes_finished() {
        events.push(Event::new(now, Step::Queued { record: Box::new(state.finished_record()) }));
    }
    events.push(Event::new(now, Step::Closed));
    events
}
