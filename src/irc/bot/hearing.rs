//! What is heard: who said a line, as the network says, and what it asks.
//!
//! Responsible for which messages ask anything, and for who is identified: by the tag whose key is exactly `account`, which the server
//! sets, and no other. Not responsible for whom an account stands for, nor for whether an answer counts.

use std::time::Instant;

use jiff::Timestamp;

use super::capabilities::Capabilities;
use super::channels::Channels;
use super::words::{self, Audience, Request};
use crate::irc::wire::{Isupport, Message};

/// A line that asks something of the bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Where it was said.
    pub place: Place,
    /// The nick that said it, which proves nothing.
    pub nick: String,
    /// The host that it came from, as the network shows it; the nick, where it shows none.
    pub host: String,
    /// The line as it came: text of others, with whatever is in it.
    pub text: String,
    /// What it asks.
    pub request: Request,
    /// Who said it, or why nobody is known to have.
    pub who: Result<Identified, WhyNot>,
    /// When it came.
    pub came: Instant,
    /// Whether the services were there: without them no new word for a deploy may count, since who is logged in cannot be seen to.
    pub services: bool,
    /// From where it came, as the network shows it, and with which account: what is counted against a flood.
    pub(super) speaker: String,
}

/// Where a line was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a channel of the configuration, by its name there.
    Channel(String),
    /// To the bot alone.
    Private,
}

/// Who said a line, as the network witnesses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identified {
    /// The services account.
    pub account: String,
    /// When, by the server's clock.
    pub time: Timestamp,
    /// Which line it was, for good.
    pub msgid: String,
}

/// Why nobody is known to have said a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WhyNot {
    /// The server does not say who is logged in.
    #[error("the network does not say who is logged in")]
    NoAccountTag,
    /// Who said it is logged in with no account.
    #[error("the nick is not logged in with the services")]
    NotLoggedIn,
    /// The server did not say when it was.
    #[error("the network did not say when it was written")]
    NoTime,
    /// The server gave it no identity.
    #[error("the network gave the line no identity")]
    NoMsgid,
    /// Who said it is not in the channel.
    #[error("the nick is not in the channel")]
    NotInChannel,
    /// It was played back from before the bot joined.
    #[error("it was said before the bot was there")]
    BeforeJoin,
}

/// All that a message is heard with.
pub(super) struct Hearing<'a> {
    pub(super) server: &'a Isupport,
    pub(super) capabilities: &'a Capabilities,
    pub(super) channels: &'a Channels,
    /// The bot's own nick and account: it hears itself as little as another bot.
    pub(super) nick: &'a str,
    pub(super) account: Option<&'a str>,
    /// Nicks of other bots.
    pub(super) bots: &'a [String],
    pub(super) services: bool,
    pub(super) now: Instant,
}

impl Hearing<'_> {
    /// What a PRIVMSG asks; `None` where it asks nothing, or comes from a bot.
    pub(super) fn hear(&self, message: &Message) -> Option<Heard> {
        let nick = message.sender();
        let text = message.last();
        // CTCP, an action among it, is not said.
        if message.params.len() < 2 || text.starts_with('\u{1}') || self.is_bot(message) {
            return None;
        }
        let target = message.param(0);
        let (place, audience, member) = match self.server.channel_of(target) {
            Some((name, is_whole)) => {
                let channel = self.channels.get(name, self.server).filter(|channel| channel.is_joined())?;
                let audience = if is_whole { Audience::Channel } else { Audience::PartOfChannel };
                (Place::Channel(channel.name.clone()), audience, Some(channel))
            }
            None if self.same(target, self.nick) => (Place::Private, Audience::Private, None),
            None => return None,
        };
        let request = words::read(text, audience, self.nick, self.server.casemapping)?;
        let who = self.who(message).and_then(|identified| match member {
            Some(channel) if !channel.has(nick, self.server) => Err(WhyNot::NotInChannel),
            Some(channel) if channel.is_before_join(identified.time) => Err(WhyNot::BeforeJoin),
            _ => Ok(identified),
        });
        let host = message.source.as_ref().and_then(|source| source.host.as_deref()).unwrap_or(nick).to_owned();
        let speaker = match message.tags.get("account").filter(|account| !account.is_empty()) {
            Some(account) => format!("account {}", self.server.casemapping.fold(account).as_str()),
            None => format!("host {host}"),
        };
        let (nick, text) = (nick.to_owned(), text.to_owned());
        Some(Heard { place, nick, host, text, request, who, came: self.now, services: self.services, speaker })
    }

    /// Who a message is from. What a client sends begins with `+`, and is another key.
    fn who(&self, message: &Message) -> Result<Identified, WhyNot> {
        if !self.capabilities.has("account-tag") {
            return Err(WhyNot::NoAccountTag);
        }
        let account = message.tags.get("account").filter(|account| !account.is_empty() && *account != "*");
        let account = account.ok_or(WhyNot::NotLoggedIn)?.to_owned();
        let time = message.tags.get("time").and_then(|time| time.parse().ok()).ok_or(WhyNot::NoTime)?;
        let msgid = message.tags.get("msgid").filter(|msgid| !msgid.is_empty()).ok_or(WhyNot::NoMsgid)?;
        Ok(Identified { account, time, msgid: msgid.to_owned() })
    }

    /// Whether a message comes from the bot itself, or from one that says so or is configured to be one.
    fn is_bot(&self, message: &Message) -> bool {
        let marks = ["bot", "draft/bot", "inspircd.org/bot"];
        let nick = message.sender();
        let own_account =
            self.account.zip(message.tags.get("account")).is_some_and(|(own, account)| self.same(own, account));
        nick.is_empty()
            || own_account
            || self.same(nick, self.nick)
            || self.bots.iter().any(|bot| self.same(nick, bot))
            || marks.iter().any(|mark| message.tags.get(mark).is_some())
    }

    fn same(&self, one: &str, other: &str) -> bool {
        self.server.casemapping.same(one, other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAGS: &str = "account=sre1;msgid=M1;time=2026-11-28T07:00:00.123Z";

    struct World {
        server: Isupport,
        capabilities: Capabilities,
        channels: Channels,
    }

    impl World {
        fn new() -> Self {
            let mut server = Isupport::default();
            server.take(["CASEMAPPING=ascii", "STATUSMSG=@+"]);
            let mut capabilities = Capabilities::default();
            let list = "account-tag server-time message-tags".to_owned();
            capabilities.take(&["LS".to_owned(), list.clone()]);
            capabilities.take(&["ACK".to_owned(), list]);
            let mut channels = Channels::new(&["#ops".to_owned(), "#left".to_owned()]);
            channels.joined("#ops", "2026-11-28T06:00:00Z".parse().ok(), &server);
            channels.listed("#ops", "@sre1 phabgate", &server);
            Self { server, capabilities, channels }
        }

        fn hear(&self, line: &str) -> Option<Heard> {
            let hearing = Hearing {
                server: &self.server,
                capabilities: &self.capabilities,
                channels: &self.channels,
                nick: "phabgate",
                account: Some("phabgate"),
                bots: &["wikibugs".to_owned()],
                services: true,
                now: Instant::now(),
            };
            hearing.hear(&Message::parse(line.as_bytes()).unwrap())
        }

        fn who(&self, tags: &str, source: &str) -> Result<String, WhyNot> {
            let tags = if tags.is_empty() { String::new() } else { format!("@{tags} ") };
            let heard = self.hear(&format!("{tags}:{source} PRIVMSG #ops :!reject T1")).unwrap();
            heard.who.map(|identified| identified.account)
        }
    }

    #[test]
    fn who_is_logged_in_is_identified_by_what_the_server_says() {
        let heard = World::new().hear(&format!("@{TAGS} :sre1!u@h PRIVMSG #OPS :!ack T1")).unwrap();
        assert_eq!(
            (heard.place, heard.nick.as_str(), heard.text.as_str()),
            (Place::Channel("#ops".into()), "sre1", "!ack T1")
        );
        let identified = heard.who.unwrap();
        assert_eq!((identified.account.as_str(), identified.msgid.as_str()), ("sre1", "M1"));
        assert_eq!(identified.time.to_string(), "2026-11-28T07:00:00.123Z");
    }

    #[test]
    fn who_is_logged_in_with_nothing_is_known_by_the_host() {
        let world = World::new();
        for (line, host, speaker) in [
            (":curious!u@host.example PRIVMSG #ops :!help", "host.example", "host host.example"),
            (":curious PRIVMSG #ops :!help", "curious", "host curious"),
            ("@account=SRE1 :curious!u@host.example PRIVMSG #ops :!help", "host.example", "account sre1"),
        ] {
            let heard = world.hear(line).unwrap();
            assert_eq!((heard.host.as_str(), heard.speaker.as_str()), (host, speaker), "{line}");
        }
    }

    #[test]
    fn nothing_else_identifies_anybody() {
        let world = World::new();
        let without = |key: &str| TAGS.split(';').filter(|tag| !tag.starts_with(key)).collect::<Vec<_>>().join(";");
        for (tags, source, why) in [
            (String::new(), "sre1!u@h", WhyNot::NotLoggedIn),
            (format!("+{TAGS}"), "sre1!u@h", WhyNot::NotLoggedIn),
            (format!("+account=sre1;{}", without("account")), "sre1!u@h", WhyNot::NotLoggedIn),
            (format!("Account=sre1;{}", without("account")), "sre1!u@h", WhyNot::NotLoggedIn),
            (format!("x.example/account=sre1;{}", without("account")), "sre1!u@h", WhyNot::NotLoggedIn),
            (format!("account;{}", without("account")), "sre1!u@h", WhyNot::NotLoggedIn),
            (format!("account=*;{}", without("account")), "sre1!u@h", WhyNot::NotLoggedIn),
            (without("time"), "sre1!u@h", WhyNot::NoTime),
            (format!("time=soon;{}", without("time")), "sre1!u@h", WhyNot::NoTime),
            (without("msgid"), "sre1!u@h", WhyNot::NoMsgid),
            (format!("+msgid=M2;{}", without("msgid")), "sre1!u@h", WhyNot::NoMsgid),
            (TAGS.to_owned(), "sre2!u@h", WhyNot::NotInChannel),
            (TAGS.replace("T07", "T05"), "sre1!u@h", WhyNot::BeforeJoin),
        ] {
            assert_eq!(world.who(&tags, source), Err(why), "{tags}");
        }
        let mut untagged = World::new();
        untagged.capabilities = Capabilities::default();
        assert_eq!(untagged.who(TAGS, "sre1!u@h"), Err(WhyNot::NoAccountTag));
    }

    #[test]
    fn neither_itself_nor_another_bot_is_heard() {
        let world = World::new();
        for line in [
            format!("@{TAGS} :phabgate!u@h PRIVMSG #ops :!ack T1"),
            format!("@{} :phabgate_!u@h PRIVMSG #ops :!ack T1", TAGS.replace("sre1", "PhabGate")),
            format!("@{TAGS} :WikiBugs!u@h PRIVMSG #ops :!ack T1"),
            format!("@bot;{TAGS} :sre1!u@h PRIVMSG #ops :!ack T1"),
            format!("@draft/bot;{TAGS} :sre1!u@h PRIVMSG #ops :!ack T1"),
            format!("@inspircd.org/bot;{TAGS} :sre1!u@h PRIVMSG #ops :!ack T1"),
            format!("@{TAGS} PRIVMSG #ops :!ack T1"),
        ] {
            assert_eq!(world.hear(&line), None, "{line}");
        }
    }

    #[test]
    fn words_count_in_the_channels_and_as_what_they_are() {
        let world = World::new();
        let request = |target: &str, text: &str| {
            world.hear(&format!("@{TAGS} :sre1!u@h PRIVMSG {target} :{text}")).map(|heard| (heard.place, heard.request))
        };
        assert_eq!(request("#other", "!ack T1"), None);
        assert_eq!(request("#left", "!ack T1"), None, "the bot is not in it");
        assert_eq!(request("somebody", "!ack T1"), None);
        assert_eq!(request("#ops", "\u{1}ACTION !ack T1\u{1}"), None);
        assert_eq!(request("#ops", "hello"), None);
        assert!(matches!(request("PHABGATE", "!help").unwrap(), (Place::Private, Request::Command(_))));
        assert!(matches!(request("phabgate", "!reject T1").unwrap(), (Place::Private, Request::NearMiss(_))));
        assert!(matches!(request("@#ops", "!reject T1").unwrap(), (Place::Channel(_), Request::NearMiss(_))));
    }
}
