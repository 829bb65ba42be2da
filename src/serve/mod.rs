//! `phabgate serve`: the watch over the open emergencies, a second head beside the command line.
//!
//! It knows within seconds what every open emergency lacks, says it on the task once, and answers programs and people. It stands on the
//! same use cases and rules as the command line: nothing is decided a second time.
//!
//! ```text
//!   poll, sweep, webhook, timers ─ queue ─ look ─ board ─ http, page
//!                                            └─ notices ─ publish
//! ```
//!
//! Responsible for what runs as long as the service does. Not responsible for what is decided, nor for reading arguments and the
//! configuration.

pub mod board;
pub mod channel;
mod deploys;
pub mod http;
pub mod metrics;
pub mod notices;
pub mod notify_systemd;
mod page;
pub mod paging;
pub mod pipelines;
pub mod reported;
mod sequence;
pub mod shared;
pub mod site;
pub mod store;
#[cfg(test)]
mod testing;
pub mod watch;
pub mod witnessing;

pub use crate::evidence::episode;
pub use crate::view::audience;
