//! The journal: the gate's durable local memory, written before the step that it speaks of.
//!
//! Responsible for what happened to each deploy, as a log of [events](Event); where each stands, as a
//! [fold](DeployState) over it; what a dead gate [left unsaid](recover()); the [outbox](Undelivered) of records that
//! are not known to be on their task; and the locks that show who is alive and who may send. Not responsible for the
//! network, the child, and the text of a comment, which the record module makes from the
//! [`Record`](crate::record::Record) that is kept here.
//!
//! ```
//! use jiff::Timestamp;
//! use phabgate::ids::DeployId;
//! use phabgate::journal::Journal;
//!
//! # let directory = tempfile::tempdir()?;
//! # let directory = directory.path().join("state");
//! let mut journal = Journal::open(&directory)?;
//! // Before anything else: record the truth about the deploys whose gate was killed.
//! let recovered = journal.recover_stranded(Timestamp::now(), std::time::Duration::from_secs(60))?;
//! assert!(recovered.is_empty());
//!
//! // A deploy of our own: alive while `ownership` lives, whatever happens to us.
//! let ownership = journal.own(DeployId::fresh())?;
//! assert!(journal.is_alive(ownership.deploy())?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Promises
//! - An event is on the disk (`synchronous=FULL`) when the call that adds it returns. It is added together with the check
//!   that it may come now, in one write transaction, so two processes cannot both take the same step.
//! - Nothing is ever changed or removed; triggers refuse it. A deploy takes about 8 KB: its intent and two records of 1 to 2 KB each, and
//!   some small events. Ten thousand deploys are some 80 MB, and a start reads only those that are open.
//! - A record is either surely not on its task, or unclear, or known to be there. It can be sent from the first alone. One
//!   that the server refused is surely not there, and is kept apart, so that it is not sent again for ever.
//!
//! # Restricted tasks
//! What is queued is kept as it is, for good. **The caller** builds the records of a restricted task without its title,
//! explanation and texts, and keeps the server's texts about its policy out of the reasons (`why`) that it adds.
//! The journal cannot know.
//!
//! # Clocks
//! All times are passed in. When an attempt is settled is fixed when it is sent, by the clock of the host. Where that clock
//! is set back, the wait grows by as much, and the record is late but never doubled.

mod append;
mod beside;
mod error;
mod event;
mod files;
mod illegal;
mod local;
mod lock;
mod log;
mod outbox;
mod outbox_entry;
mod reader;
mod recover;
mod reserve;
mod schema;
mod setup;
mod state;
mod store;

#[cfg(test)]
mod tests;

pub use self::beside::Kept;
pub use self::error::JournalError;
pub use self::event::{
    Delivery, DeployMode, EndElsewhere, Event, EventKind, GivenUp, Identity, Intent, ServerAnswer, ServerMarks, Step,
    TaskSeen,
};
pub use self::illegal::{Illegal, IllegalTransition};
pub use self::lock::{LockWait, OutboxLock, Ownership};
pub use self::log::DeployLog;
pub(crate) use self::log::off_async;
pub use self::outbox::{DeliveryState, Outgoing, Phase, Undelivered};
pub use self::outbox_entry::{EntryState, OutboxEntry};
pub use self::reader::JournalReader;
pub use self::recover::{EndOnTask, conclude, recover};
pub use self::state::{DeployState, Stage, outcome_of};
pub use self::store::{Journal, TakenOver};
