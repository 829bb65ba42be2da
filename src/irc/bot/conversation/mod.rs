//! One connection, as far as it is decided: what is sent in answer to what comes, and when.
//!
//! Responsible for registration, SASL, the nick, the channels, the pace of what is said, and for what of a message goes where. It reads
//! nothing and writes nothing: messages and the time come in, lines go out. Not responsible for connecting, nor for how a line is read.

mod registration;
mod services;
mod talk;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use self::services::Question;
use super::capabilities::Capabilities;
use super::channel_view::ChannelViews;
use super::channels::Channels;
use super::heard_queue::HeardQueue;
use super::mailbox::Mailbox;
use super::nickserv::{NICKSERV, Presence};
use super::sasl::Mechanism;
use super::settings::BotSettings;
use super::speech::Speech;
use super::state::{BotState, ConnectionState, LackedNick, WhyLacked};
use super::vouching::Vouching;
use crate::irc::wire::{Isupport, Message, Source, outgoing};

/// How far the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Registering,
    /// Welcomed; what the server says of itself is coming.
    Welcomed,
    Ready,
}

/// How far the login is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum LoginStage {
    /// Not begun, or to be begun again.
    Open,
    /// Under way since.
    Asked(Mechanism, Instant),
    /// Over since: by its end, or since the services logged the bot out.
    Done(Instant),
}

/// One connection. What it sends may hold the answer to SASL: it is shown nowhere.
pub(super) struct Conversation {
    settings: Arc<BotSettings>,
    mailbox: Arc<Mailbox>,
    heard: Arc<HeardQueue>,
    stage: Stage,
    begun: Instant,
    out: String,
    server: Isupport,
    capabilities: Capabilities,
    login: LoginStage,
    account: Option<String>,
    login_refused: Option<String>,
    /// Why the services took the password and not the certificate, which was tried first.
    certificate_refused: Option<String>,
    /// The services refused the last login themselves: what proves the account is wrong, or was taken for it.
    proof_refused: bool,
    /// They were there at some time of this connection.
    had_services: bool,
    nick: String,
    nicks_tried: usize,
    /// Why the bot has another nick, where it has one.
    why_other_nick: WhyLacked,
    next_nick: Instant,
    /// `nick!user@host` as others see it.
    source: Option<String>,
    channels: Channels,
    views: ChannelViews,
    speech: Speech,
    presence: Presence,
    question: Option<Question>,
    /// Who spoke under the nick of NickServ since the network was last asked who that is.
    claimed: Option<Source>,
    /// What it answers.
    vouching: Option<Vouching>,
    recent: VecDeque<String>,
    received: Instant,
    pinged: Option<Instant>,
    ended: Option<String>,
}

impl Conversation {
    /// A connection that was just made.
    pub(super) fn new(settings: Arc<BotSettings>, mailbox: Arc<Mailbox>, heard: Arc<HeardQueue>, now: Instant) -> Self {
        let mut conversation = Self {
            stage: Stage::Registering,
            begun: now,
            out: String::new(),
            server: Isupport::default(),
            capabilities: Capabilities::default(),
            login: LoginStage::Open,
            account: None,
            login_refused: None,
            certificate_refused: None,
            proof_refused: false,
            had_services: false,
            nick: settings.nick.clone(),
            nicks_tried: 0,
            why_other_nick: WhyLacked::Renamed,
            next_nick: now,
            source: None,
            channels: Channels::new(&settings.channels),
            views: ChannelViews::new(&settings.looked_at),
            speech: Speech::default(),
            presence: Presence::default(),
            question: None,
            claimed: None,
            vouching: None,
            recent: VecDeque::new(),
            received: now,
            pinged: None,
            ended: None,
            settings,
            mailbox,
            heard,
        };
        let nick = conversation.nick.clone();
        conversation.send("CAP", &["LS", "302"], None);
        conversation.send("NICK", &[&nick], None);
        conversation.send("USER", &[&nick, "0", "*"], Some("phabgate: asks for approvals of emergency deploys"));
        conversation
    }

    /// What is to be sent now.
    pub(super) fn take_output(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    /// Why the connection is over, where it is.
    pub(super) fn ended(&self) -> Option<&str> {
        self.ended.as_deref()
    }

    /// Whether the bot is on the network.
    pub(super) fn is_registered(&self) -> bool {
        self.stage != Stage::Registering
    }

    /// The connection is gone.
    pub(super) fn lost(&mut self, why: &str) {
        self.speech.lost(why);
        // Nobody answers the question any more: who asked is answered by the drop of it.
        self.question = None;
    }

    /// What is shown of it.
    pub(super) fn state(&self, now: Instant) -> BotState {
        let has = |name| self.capabilities.has(name);
        BotState {
            connection: match self.stage {
                Stage::Registering => ConnectionState::Registering,
                Stage::Welcomed | Stage::Ready => ConnectionState::Registered,
            },
            nick: self.nick.clone(),
            lacked_nick: self.lacked_nick(),
            account: self.account.clone(),
            login_refused: self.why_no_account(),
            is_proof_refused: self.login_refused.is_some() && self.proof_refused,
            certificate_refused: self.certificate_refused.clone().filter(|_| self.account.is_some()),
            services: self.services(now),
            no_service: self.presence.stranger().map(str::to_owned),
            identifies: has("account-tag") && has("server-time") && has("message-tags"),
            echoes: has("echo-message"),
            lacking: self.capabilities.lacking(),
            casemapping: self.server.casemapping,
            channels: self.channels.states(),
            views: self.views.views(),
            ..BotState::default()
        }
    }

    fn lacked_nick(&self) -> Option<LackedNick> {
        let nick = self.settings.nick.clone();
        (self.is_registered() && !self.is_me(&nick)).then(|| LackedNick { nick, why: self.why_other_nick.clone() })
    }

    fn services(&self, now: Instant) -> bool {
        !self.capabilities.has_lost_sasl() && self.presence.is_there(now, self.settings.timings.services_silent)
    }

    fn end(&mut self, why: &str) {
        self.ended.get_or_insert_with(|| why.to_owned());
    }

    /// Sends a message. One that would be read as another is not sent: all that is put into one was looked at before.
    fn send(&mut self, command: &str, middle: &[&str], trailing: Option<&str>) -> bool {
        match outgoing(command, middle, trailing) {
            Ok(line) => {
                self.out.push_str(&line);
                true
            }
            Err(why) => {
                tracing::error!("a message {command} cannot be sent: {why}");
                false
            }
        }
    }

    /// Takes a message.
    pub(super) fn receive(&mut self, message: &Message, now: Instant) {
        self.received = now;
        self.pinged = None;
        match message.command.as_str() {
            "PING" => _ = self.send("PONG", &[], Some(message.last())),
            "ERROR" => self.end(&match message.last() {
                "" => "the server closed the connection".to_owned(),
                why => format!("the server closed the connection: {why}"),
            }),
            "CAP" => self.capability(message, now),
            "AUTHENTICATE" => self.authenticate(message.param(0)),
            "900" => self.account = Some(message.param(2).to_owned()).filter(|account| !account.is_empty()),
            "901" => self.logged_out(message.last(), now),
            "903" => self.logged_in(None, now),
            // Logged in already, as the server has it: not every one lets a bot log in again that was logged out.
            "907" => self.logged_in(Some(message.last()).filter(|_| self.account.is_none()), now),
            "902" | "904" | "905" | "906" => self.proof_is_refused(message.last(), now),
            "001" => {
                message.param(0).clone_into(&mut self.nick);
                self.stage = Stage::Welcomed;
                self.next_nick = now + self.settings.timings.nick_every;
            }
            "005" => {
                let tokens = message.params.iter().skip(1).rev().skip(1).rev();
                self.server.take(tokens.map(String::as_str));
            }
            "376" | "422" if self.stage == Stage::Welcomed => self.ready(now),
            "432" => self.nick_not_given(WhyLacked::Refused(message.last().to_owned())),
            "433" | "436" => self.nick_not_given(WhyLacked::Taken),
            "437" if !self.server.is_channel(message.param(1)) => self.nick_not_given(WhyLacked::Taken),
            "465" => self.end(&format!("the network bans the bot: {}", message.last())),
            "NICK" => self.renamed(message, now),
            "JOIN" => self.joined(message),
            "PART" => self.parted(message.sender(), message.param(0), "the bot was made to leave", now),
            "KICK" => {
                let why = format!("kicked by {}: {}", message.sender(), message.last());
                self.parted(message.param(1), message.param(0), &why, now);
            }
            "QUIT" => {
                self.channels.quit(message.sender(), &self.server);
                self.wanted_nick_is_free(message.sender(), now);
            }
            "324" => self.views.modes(message, &self.server),
            "353" => self.channels.listed(message.param(2), message.last(), &self.server),
            "401" | "403" | "404" | "405" | "407" | "437" | "442" | "470" | "471" | "473" | "474" | "475" | "476"
            | "477" | "480" | "489" | "520" | "531" | "716" => self.refused(message, now),
            "PRIVMSG" => self.said(message, now),
            "NOTICE" => self.noticed(message, now),
            "310" | "311" | "312" | "313" | "318" => self.described(message, now),
            _ => {}
        }
    }

    fn is_me(&self, nick: &str) -> bool {
        self.server.casemapping.same(nick, &self.nick)
    }

    fn joined(&mut self, message: &Message) {
        let (nick, channel) = (message.sender(), message.param(0));
        if self.is_me(nick) {
            self.source = message.source.as_ref().map(ToString::to_string);
            let time = message.tags.get("time").and_then(|time| time.parse().ok());
            self.channels.joined(channel, time, &self.server);
        } else {
            self.channels.came(channel, nick, &self.server);
        }
    }

    fn parted(&mut self, nick: &str, channel: &str, why: &str, now: Instant) {
        if self.is_me(nick) {
            self.channels.left(channel, why, now, self.settings.timings.rejoin, &self.server);
        } else {
            self.channels.went(channel, nick, &self.server);
        }
    }

    /// The server refuses a join, or what was said.
    fn refused(&mut self, message: &Message, now: Instant) {
        let (target, why) = (message.param(1), message.last());
        self.views.refused(target, self.server.casemapping);
        if self.server.casemapping.same(target, NICKSERV) {
            self.no_nickserv();
            return;
        }
        let is_outside = self.channels.get(target, &self.server).is_some_and(|channel| !channel.is_joined());
        match is_outside {
            true => self.channels.left(target, why, now, self.settings.timings.rejoin, &self.server),
            false => self.speech.refused(target, why, self.server.casemapping),
        }
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Instant) {
        let timings = self.settings.timings;
        if self.stage == Stage::Registering && now.saturating_duration_since(self.begun) >= timings.register {
            self.end("the server did not register the bot in time");
        }
        // Services that hang must not keep the bot away: a quarter of the time is theirs.
        if let LoginStage::Asked(_, since) = self.login
            && now.saturating_duration_since(since) >= timings.register / 4
        {
            self.send("AUTHENTICATE", &["*"], None);
            self.logged_in(Some("the services did not answer in time"), now);
        }
        match self.pinged {
            Some(since) if now.saturating_duration_since(since) >= timings.dead_after => {
                self.end("the server does not answer any more");
            }
            None if now.saturating_duration_since(self.received) >= timings.ping_after => {
                self.pinged = Some(now);
                self.send("PING", &["phabgate"], None);
            }
            _ => {}
        }
        self.speech.give_up(now);
        if self.stage == Stage::Ready {
            self.keep(now);
            self.speak(now);
        }
    }

    /// Keeps the nick and the channels.
    fn keep(&mut self, now: Instant) {
        if !self.is_me(&self.settings.nick) && self.next_nick <= now {
            self.next_nick = now + self.settings.timings.nick_every;
            let wanted = self.settings.nick.clone();
            self.send("NICK", &[&wanted], None);
        }
        self.log_in_again(now);
        for channel in self.channels.due(now) {
            self.send("JOIN", &[&channel], None);
        }
        self.give_up_questions(now);
    }
}
