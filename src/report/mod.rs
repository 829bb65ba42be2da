//! The report of an audit: what people, spreadsheets, monitors and programs read of it.
//!
//! In the room: what of an audited task a report tells ([`entry`]) and the figures of all of them ([`figures`]), both
//! data and pure functions. Not in the room: what is found fault with ([`crate::audit`]).

pub mod entry;
pub mod figures;
