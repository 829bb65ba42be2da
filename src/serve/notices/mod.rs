//! What the watch says on a task by itself.
//!
//! Responsible for which notices were said, which one is due, and saying it once. Not responsible for the comment ([`crate::notice`])
//! nor for the order of sending and looking ([`crate::publish`]).

mod plan;
mod posted;
mod say;
mod unread;

pub use self::plan::{Due, Plan, Situation, counting, plan};
pub use self::posted::{PostedNotice, posted};
pub use self::say::{SayOutcome, say, settle};
pub use self::unread::{UNREAD, Unread, unread};
