//! By which way a line reaches the channel: the bot, or a tcpircbot.
//!
//! Responsible for what is known of a line after it was given away, for a line being made when its turn has come, and for trying ever later
//! while nothing can be said. Not responsible for what is said.

use std::time::Duration;

use tokio::time::Instant;

use crate::irc::bot::{BotHandle, NotSaid, Outcome, Target};
use crate::irc::tcpircbot::{Handed, Patience, hand_made};
use crate::irc::{Failed, HostPort, Line, Outage};

/// How long a line may wait for its turn.
const WITHIN: Duration = Duration::from_secs(30);
/// How long is waited after a first failure, and at most after any.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A way into the channel, and whether it works.
#[derive(Debug)]
pub(super) struct Voice {
    way: Way,
    outage: Outage,
    not_before: Option<Instant>,
    is_refused: bool,
}

/// A way into the channel.
#[derive(Debug, Clone)]
pub(super) enum Way {
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
    /// There was nothing to say when its turn had come.
    Nothing,
    /// It surely is not there.
    NotSaid(String),
    /// It may be, and must not be said again.
    Unclear(String),
}

impl Voice {
    /// One that has not spoken yet.
    pub(super) fn new(way: Way) -> Self {
        Self { way, outage: Outage::new(AGAIN.0, AGAIN.1), not_before: None, is_refused: false }
    }

    /// Where it is heard, for the log.
    pub(super) fn place(&self) -> String {
        match &self.way {
            Way::Bot { channel, .. } => format!("in {channel}"),
            Way::Tcpircbot(host) => format!("through the tcpircbot at {host}"),
        }
    }

    /// Whether it is time to say something, and it will most likely be heard.
    pub(super) fn is_ready(&self) -> bool {
        self.not_before.is_none_or(|time| time <= Instant::now()) && self.way.is_there()
    }

    /// Whether a line was not taken since this was last asked.
    pub(super) fn was_refused(&mut self) -> bool {
        std::mem::take(&mut self.is_refused)
    }

    /// Says a line that `make` makes when its turn has come, so that it is true then; `None` says nothing.
    pub(super) async fn say(&mut self, make: impl FnOnce() -> Option<Line> + Send + 'static) -> Spoken {
        let spoken = self.way.say(make).await;
        let now = Instant::now();
        match &spoken {
            Spoken::NotSaid(why) => {
                self.is_refused = true;
                let Failed { wait, report } = self.outage.failed(now.into_std(), why);
                self.not_before = Some(now + wait);
                if let Some(report) = report {
                    tracing::warn!("IRC: a line is not said: {}; {report}", crate::text::inert(why));
                }
            }
            Spoken::Said => {
                self.outage.rested();
                if let Some(down) = self.outage.over(now.into_std()) {
                    tracing::info!("IRC: lines are said again after {} s", down.as_secs());
                }
            }
            Spoken::Nothing | Spoken::Unclear(_) => {}
        }
        spoken
    }
}

impl Way {
    fn is_there(&self) -> bool {
        match self {
            Self::Bot { bot, channel } => bot.state().is_in(channel),
            // Only a try shows it.
            Self::Tcpircbot(_) => true,
        }
    }

    async fn say(&self, make: impl FnOnce() -> Option<Line> + Send + 'static) -> Spoken {
        match self {
            Self::Bot { bot, channel } => {
                let Ok(target) = Target::channel(channel) else {
                    return Spoken::NotSaid(format!("`{channel}` is no channel"));
                };
                match bot.say_made(target, make, WITHIN).await {
                    Outcome::Said(_) => Spoken::Said,
                    Outcome::NotSaid(NotSaid::Outdated) => Spoken::Nothing,
                    Outcome::NotSaid(why) => Spoken::NotSaid(why.to_string()),
                    Outcome::Unclear { why } => Spoken::Unclear(why),
                }
            }
            Self::Tcpircbot(host) => {
                // One try: the next is later each time.
                let once = Patience { pause: Patience::default().connect, ..Patience::default() };
                match hand_made(host, make, &once).await {
                    Handed::Taken => Spoken::Said,
                    Handed::NothingToSay => Spoken::Nothing,
                    Handed::NotTaken { why } => Spoken::NotSaid(why),
                    Handed::Unclear { why } => Spoken::Unclear(why),
                }
            }
        }
    }
}
