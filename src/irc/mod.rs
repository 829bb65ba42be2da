//! IRC: what may be said there, how one line is handed to a tcpircbot, and the bot that speaks and hears.
//!
//! Responsible for lines that are safe to say ([`Draft`], [`Line`]), for handing one over ([`tcpircbot`]), for the messages of the
//! protocol ([`wire`]), and, in a build with the watch, for the connection of the bot: what it said, what it hears, and by whom the
//! network says that it was written (`bot`). Not responsible for what is said when, nor for what follows from what is heard: nothing
//! here knows a verdict, a task or a mapping of accounts.

#[cfg(feature = "serve")]
pub mod bot;
mod channel_view;
mod host_port;
mod line;
#[cfg(feature = "serve")]
mod outage;
pub mod tcpircbot;
pub mod wire;

pub use channel_view::{Barrier, ChannelView, Shown};
pub use host_port::{HostPort, HostPortError};
pub use line::{BOT_LIMIT, Draft, Line, TCPIRCBOT_LIMIT};
#[cfg(feature = "serve")]
pub use outage::{Failed, Outage, Report};
