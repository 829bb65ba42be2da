//! What the bot says of itself.
//!
//! Responsible for the data that others look at. Not responsible for how it comes about.

use std::sync::Arc;

use super::channels::Members;
use crate::irc::channel_view::ChannelView;
use crate::irc::wire::CaseMapping;

/// How the bot is, at the moment of asking.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BotState {
    /// The connection.
    pub connection: ConnectionState,
    /// Its nick now; the configured one, unless somebody else has that.
    pub nick: String,
    /// The configured nick, while the bot is on the network under another.
    pub lacked_nick: Option<LackedNick>,
    /// The services account that it is logged in with.
    pub account: Option<String>,
    /// Why it is logged in with none, where it is to be and the connection is there: refused, logged out, or not named by the network. Text of others.
    pub login_refused: Option<String>,
    /// Whether that is because the services refused what proves the account.
    pub is_proof_refused: bool,
    /// Why it logged in by its password though it has a certificate, which is tried first: text of others.
    pub certificate_refused: Option<String>,
    /// Whether the services are there: NickServ answers and is one by the network's word, and the server offers SASL as long as it ever did. Else nobody new can log in,
    /// those who were keep their account, and who took a nick meanwhile is known to nobody.
    pub services: bool,
    /// The server of who has the nick NickServ and is no service as the network says: text of others.
    pub no_service: Option<String>,
    /// Whether the server says who is logged in, and when a line was written and which it was: without one of them nobody is identified.
    pub identifies: bool,
    /// Whether the server echoes what is said: without it no line is known to have been said.
    pub echoes: bool,
    /// What the bot has a use for ([`CAPABILITIES`](super::CAPABILITIES)) and the server does not give it.
    pub lacking: Vec<&'static str>,
    /// How names are compared.
    pub casemapping: CaseMapping,
    /// The channels of the configuration.
    pub channels: Vec<ChannelState>,
    /// What the network shows of channels that are looked at from outside.
    pub views: Vec<ChannelView>,
    /// How often a connection was registered since the start.
    pub connections: u64,
    /// What was heard and passed over, since the start.
    pub dropped: Dropped,
}

/// A nick that the bot is to have and has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LackedNick {
    /// The nick.
    pub nick: String,
    /// Why the bot has another.
    pub why: WhyLacked,
}

/// Why the bot has another nick than its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyLacked {
    /// Somebody else has it, who can write what looks like answers of the bot.
    Taken,
    /// The server refuses it, in these words of its own.
    Refused(String),
    /// The server gave the bot another, and does not say why: some cut one that is too long.
    Renamed,
}

/// Where the connection stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ConnectionState {
    /// There is none yet.
    #[default]
    Never,
    /// The server answered and is registering the bot.
    Registering,
    /// The bot is on the network.
    Registered,
    /// There is none any more; it is tried again.
    Lost {
        /// Why.
        why: String,
        /// What to do about it, where that is known.
        advice: Option<&'static str>,
    },
    /// The bot was asked to stop.
    Ended,
}

/// One channel of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelState {
    /// Its name, as the configuration writes it.
    pub name: String,
    /// Whether the bot is in it.
    pub is_joined: bool,
    /// Who is in it, by folded nicks.
    pub(super) members: Arc<Members>,
    /// Why the bot is not in it, where the server said so.
    pub why_not: Option<String>,
}

impl ChannelState {
    /// One that the bot is not in, for tests.
    #[cfg(test)]
    pub(crate) fn outside(name: &str, why: Option<&str>) -> Self {
        let why_not = why.map(str::to_owned);
        Self { name: name.to_owned(), is_joined: false, members: Arc::default(), why_not }
    }

    /// The nicks of those who are in it, the bot's own among them.
    pub fn nicks(&self) -> impl Iterator<Item = &str> {
        self.members.values().map(String::as_str)
    }
}

/// What was heard and passed over, in lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Because who said it says too much at once.
    pub of_one: u64,
    /// Because all together say too much.
    pub of_all: u64,
    /// Because the same no of the same person waits already.
    pub repeated: u64,
    /// Because the server sent what is no message.
    pub malformed: u64,
}

impl BotState {
    /// Whether the bot is in this channel.
    pub fn is_in(&self, channel: &str) -> bool {
        self.channels.iter().any(|one| one.is_joined && self.casemapping.same(&one.name, channel))
    }

    /// Whether somebody is in a channel with the bot.
    pub fn sees(&self, nick: &str) -> bool {
        let nick = self.casemapping.fold(nick);
        self.channels.iter().any(|channel| channel.members.contains_key(&nick))
    }
}
