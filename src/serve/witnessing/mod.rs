//! Witnessing: what people say on IRC about a deploy, written on its task.
//!
//! ```text
//! heard ─ kept in the store ─ the task is read ─ judged (pure) ─ written, once ─ read back ─ "recorded: LINK"
//! ```
//!
//! Responsible for what comes between a word that was heard and the comment of the witness: keeping it, judging whether it can be written,
//! writing it once, and what is answered. A no and a withdrawal are written however late; a yes is written at once or not at all. Not
//! responsible for the connection ([`crate::irc`]), for the comment ([`crate::witness`]), nor for what counts, which the evaluator decides of
//! what is on the task.

mod account;
mod judge;
mod lines;
mod log;
mod spoken;
mod turns;
mod worker;

#[cfg(test)]
pub(in crate::serve) mod tests;

pub use self::account::{WitnessAccount, WitnessAccountError};
pub use self::judge::Refusal;
pub use self::lines::{not_recorded, usage};
pub use self::spoken::{OpenWord, Speaker, SpokenState, SpokenWord, Unwritten, UnwrittenWord};
pub use self::worker::{Reply, Witnesses, say_unwritten};
