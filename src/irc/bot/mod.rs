//! The bot: one connection to one network, which says lines and hears commands.
//!
//! ```text
//!   handle.say ─ mailbox ─┐                          ┌─ heard queue ─ Receiver
//!                         ├─ conversation (pure) ────┤
//!   server ─ frames ──────┘                          └─ state ─ handle.state
//! ```
//!
//! Responsible for the connection, for what of a line is known once it was sent, and for who a word is from as the network says. All
//! that is decided about a message is in `conversation`, over data with the time passed in; `run` connects, reads and writes, and `probe` does
//! so once to try it out. Not
//! responsible for what is said, nor for what follows from what is heard.

mod capabilities;
mod channel_view;
mod channels;
mod connection;
mod conversation;
mod heard_queue;
mod hearing;
mod mailbox;
mod nickserv;
mod probe;
mod rank;
mod run;
mod sasl;
mod settings;
mod speech;
mod state;
mod vouching;
mod words;

pub use capabilities::CAPABILITIES;
pub use heard_queue::Receiver;
pub use hearing::{Heard, Identified, Place, WhyNot};
pub use mailbox::{Info, NotSaid, Outcome, Receipt, Target, TargetError};
pub use probe::{Probe, Unreached, probe};
pub use rank::{Finality, Rank};
pub use run::{Bot, BotHandle};
pub use settings::{Authorities, BotSettings, BotSettingsError, Login, Timings, is_account, is_channel, is_nick};
pub use state::{BotState, ChannelState, ConnectionState, Dropped, LackedNick, WhyLacked};
pub use words::{Command, Flaw, NearMiss, Request, Verb};
