//! By which way a line reaches the channel: the bot, or a tcpircbot.
//!
//! Responsible for what is known of a line after it was given away. Not responsible for what is said.

use std::time::Duration;

use crate::irc::bot::{BotHandle, Outcome, Target};
use crate::irc::tcpircbot::{Handed, Patience, hand};
use crate::irc::{HostPort, Line};

/// How long a line may wait to be said: one that is older is news to nobody.
const WITHIN: Duration = Duration::from_secs(30);

/// A way into the channel.
#[derive(Debug, Clone)]
pub(super) enum Voice {
    /// The bot, which speaks in the first of its channels.
    Bot {
        /// It.
        bot: BotHandle,
        /// That channel.
        channel: String,
    },
    /// A tcpircbot, which speaks in the channel that it was given.
    Tcpircbot(HostPort),
}

/// What became of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Spoken {
    /// It is in the channel.
    Said,
    /// It surely is not.
    NotSaid(String),
    /// It may be, and must not be said again.
    Unclear(String),
}

impl Voice {
    /// Whether something that is said now will most likely be heard.
    pub(super) fn is_ready(&self) -> bool {
        match self {
            Self::Bot { bot, channel } => bot.state().is_in(channel),
            // Only a try shows it.
            Self::Tcpircbot(_) => true,
        }
    }

    /// Says a line.
    pub(super) async fn say(&self, line: Line) -> Spoken {
        match self {
            Self::Bot { bot, channel } => {
                let Ok(target) = Target::channel(channel) else {
                    return Spoken::NotSaid(format!("`{channel}` is no channel"));
                };
                match bot.say(target, line, WITHIN).await {
                    Outcome::Said(_) => Spoken::Said,
                    Outcome::NotSaid(why) => Spoken::NotSaid(why.to_string()),
                    Outcome::Unclear { why } => Spoken::Unclear(why),
                }
            }
            Self::Tcpircbot(host) => match hand(host, &line, &Patience::default()).await {
                Handed::Taken => Spoken::Said,
                Handed::NotTaken { why } => Spoken::NotSaid(why),
                Handed::Unclear { why } => Spoken::Unclear(why),
            },
        }
    }
}
