//! The messages of the IRC client protocol, as RFC 1459 and the IRCv3 message tags have them.
//!
//! Responsible for the form: a line of bytes and its parts, within the bounds of the protocol, whatever the bytes are. Not responsible
//! for what a message means, nor for the connection.

mod frames;
mod isupport;
mod message;
mod names;
mod tags;

pub use frames::{Frames, Overlong};
pub use isupport::Isupport;
pub use message::{Malformed, Message, Source, Unsendable, outgoing};
pub use names::{CaseMapping, Folded};
pub use tags::Tags;

/// The most bytes of the tags of a message, from the `@` to the blank behind them: IRCv3, "Message Tags", size limit.
pub const TAGS_LIMIT: usize = 8191;

/// The most bytes of the rest of a message with its CR LF: RFC 1459, section 2.3.
pub const REST_LIMIT: usize = 512;
