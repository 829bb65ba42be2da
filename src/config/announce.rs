//! The table `[announce]`: as the file has it, and as it is validated and listed.
//!
//! Responsible for whether what asks for an emergency deploy is sent by the command that prints it, and for refusing that where
//! nothing is named through which it could be. Not responsible for sending, nor for the words.

use serde_json::json;

use super::diagnostic::Diagnostic;
use super::error::ConfigError;
use super::reader::{Located, Section};
use super::settings::List as Entries;
use super::validate::PolicyMerge;

/// How what asks for an emergency deploy reaches people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnnounceSettings {
    /// Whether `announce` and `request` send what they print without being asked to.
    pub send: bool,
    /// Who asks, so that a command sends nothing of its own.
    pub asks: Option<WhoAsks>,
}

/// A watch that asks by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhoAsks {
    /// The one that is named, by its URL.
    Named(String),
    /// The one that has its bot from this configuration, by the URL on which it listens: it may run elsewhere, or not at all.
    Own(String),
}

/// The table `[announce]`.
#[derive(Debug, Default)]
pub(super) struct FileAnnounce {
    send: Option<Located<bool>>,
}

/// Reads it.
pub(super) fn read(table: &mut Section<'_, '_>) -> FileAnnounce {
    FileAnnounce { send: table.boolean("send") }
}

impl PolicyMerge<'_> {
    /// Its settings. `asks` is the watch that asks, and `has_way` whether a line can be handed to anybody.
    pub(super) fn announce(
        &mut self,
        file: FileAnnounce,
        base: FileAnnounce,
        asks: Option<WhoAsks>,
        has_way: bool,
    ) -> Result<AnnounceSettings, ConfigError> {
        let send = self.one(file.send, base.send, "announce.send")?;
        if send.value && asks.is_none() && !has_way {
            let diagnostic = Diagnostic::new(&send.place, "nothing is named through which anything could be sent");
            self.problems.add(diagnostic.help("name a tcpircbot in `irc.tcpircbot`, or take the line away"));
        }
        Ok(AnnounceSettings { send: send.value, asks })
    }
}

/// What is listed of it.
pub(super) fn entries(announce: &AnnounceSettings, list: &mut Entries<'_>) {
    list.add("announce.send", json!(announce.send));
}
