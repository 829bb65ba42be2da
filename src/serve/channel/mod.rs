//! The channel on IRC: what the watch says there by itself, and what it answers.
//!
//! Responsible for saying each line once and only while it is true, for answering whoever asks, and for what may be said to readers without an
//! account. Nothing that is heard here is evidence. Not responsible for the connection ([`crate::irc`]), nor for when a team is asked
//! ([`super::paging`]).

mod announcements;
mod announcer;
mod conductor;
mod facts;
mod lines;
mod listener;
mod news;
mod nicks;
mod once;
mod sentence;
mod voice;

use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::watch;

use self::announcer::Announcer;
pub use self::facts::{ChannelFacts, EndedTask, Word};
use self::listener::Listener;
use self::nicks::Nicks;
use self::voice::Way;
use super::store::Store;
use super::watch::Watch;
use crate::config::{IrcBotError, IrcBotSettings, IrcSettings};
use crate::irc::HostPort;
use crate::irc::bot::{Bot, BotSettings};

/// How the watch is on IRC; by default it is not.
#[derive(Debug, Default)]
pub struct Channel {
    bot: Option<OwnBot>,
    tcpircbot: Option<HostPort>,
    /// Lines for the log of the site are wanted.
    log: bool,
    /// What people are called there.
    nicks: Nicks,
}

#[derive(Debug)]
struct OwnBot {
    settings: BotSettings,
    /// The channel in which it speaks by itself.
    channel: String,
    /// Who is whom, among others.
    configured: IrcBotSettings,
}

impl Channel {
    /// As it is configured. `contact` is the channel where people are asked, and `read` reads the secret in the file of the key that it is
    /// given first.
    ///
    /// # Errors
    /// Where such a file cannot be read, or the settings make no bot.
    pub fn of<E>(
        settings: &IrcSettings,
        contact: &str,
        read: impl Fn(&'static str, &Path) -> Result<SecretString, E>,
    ) -> Result<Self, IrcBotError<E>> {
        let configured = &settings.bot;
        let channel = configured.channels.first().map_or(contact, String::as_str);
        let bot = configured.bot(contact, read)?.map(|bot| OwnBot {
            settings: bot,
            channel: channel.to_owned(),
            configured: configured.clone(),
        });
        let nicks = Nicks::of(&configured.accounts);
        Ok(Self { bot, tcpircbot: settings.tcpircbot.clone(), log: settings.log, nicks })
    }

    /// Speaks and answers until it is stopped.
    pub async fn run<S: Store>(self, watch: Arc<Watch<S>>, stop: watch::Receiver<bool>) {
        let handed = self.tcpircbot.map(Way::Tcpircbot);
        let (way, talk) = match self.bot {
            Some(OwnBot { settings, channel, configured }) => {
                let (bot, handle, heard) = Bot::new(settings);
                let listener = Listener::new(Arc::clone(&watch), handle.clone(), configured);
                let (running, until) = (tokio::spawn(bot.run(stop.clone())), stop.clone());
                let listening = tokio::spawn(listener.run(heard, until));
                (Some(Way::Bot { bot: handle, channel }), Some((running, listening)))
            }
            None => (handed.clone(), None),
        };
        let Some(way) = way else { return };
        // A tcpircbot is what scap and its like log by.
        let log = self.log.then(|| handed.unwrap_or_else(|| way.clone()));
        Announcer::new(watch, way, log, self.nicks).run(stop).await;
        if let Some((running, listening)) = talk {
            let _ = tokio::join!(running, listening);
        }
    }
}

#[cfg(test)]
mod tests;
