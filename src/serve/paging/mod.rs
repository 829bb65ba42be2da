//! The ladder of each team that is asked, and the pages that it sends by itself.
//!
//! Responsible for when a team is asked and paged, for keeping what was sent so that nobody is paged twice, and for the one task of the
//! service that sends, refreshes and resolves. Not responsible for what a page is and how a pager is called ([`crate::paging`]), nor for
//! asking in a channel: what is to be asked there is given to whoever does ([`Watch::asks`](super::watch::Watch::asks)).

mod attempts;
mod climb;
mod facts;
mod kept;
mod ladder;
mod port;
mod rounds;
mod sender;
mod shared;
mod shown;
mod strangers;
mod strays;

pub use self::facts::PagingFacts;
pub use self::kept::{Kept, PageRow, PageState, Receiver, Slot, SlotPhase};
pub use self::ladder::{Plan, ROUNDS, Situation, ladder};
pub use self::port::AckOutcome;
pub use self::rounds::{Needs, advance, interrupted};
pub(in crate::serve) use self::sender::Sender;
pub use self::shared::Paging;
pub use self::shown::{PageShown, Reached, TeamPaging};
