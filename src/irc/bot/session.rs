//! One connection, as far as it is decided: what is sent in answer to what comes, and when.
//!
//! Responsible for registration, SASL, the nick, the channels, the pace of what is said, and for what of a message goes where. It reads
//! nothing and writes nothing: messages and the time come in, lines go out. Not responsible for connecting, nor for how a line is read.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use secrecy::ExposeSecret;
use tokio::sync::oneshot;

use super::capabilities::{Capabilities, Change};
use super::channels::Channels;
use super::heard_queue::HeardQueue;
use super::hearing::Hearing;
use super::mailbox::{Info, Mailbox, NotSaid, Outcome, PendingInfo, PendingLine, Target, TargetKind};
use super::nickserv::{InfoReading, NICKSERV, Presence};
use super::sasl::Mechanism;
use super::settings::BotSettings;
use super::speech::Speech;
use super::state::{BotState, ConnectionState};
use crate::irc::line::BOT_LIMIT;
use crate::irc::wire::{Isupport, Message, REST_LIMIT, outgoing};

/// How many nicks are tried where the first is taken.
const NICKS: usize = 10;
/// Of how many lines it is remembered that they were heard, so that none is heard twice.
const REMEMBERED: usize = 256;
/// What the server puts before a line that it passes on, where our own address is not known: `nick!user@host`.
const LONGEST_SOURCE: usize = 30 + 12 + 66;

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
    /// Over.
    Done,
}

/// What NickServ is asked now.
#[derive(Debug)]
struct Question {
    reading: InfoReading,
    until: Instant,
    /// Who asked; nobody, where the question is whether it is there.
    answer: Option<oneshot::Sender<Info>>,
}

/// One connection. What it sends may hold the answer to SASL: it is shown nowhere.
pub(super) struct Session {
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
    nick: String,
    nicks_tried: usize,
    next_nick: Instant,
    /// `nick!user@host` as others see it.
    source: Option<String>,
    channels: Channels,
    speech: Speech,
    presence: Presence,
    question: Option<Question>,
    recent: VecDeque<String>,
    received: Instant,
    pinged: Option<Instant>,
    ended: Option<String>,
}

impl Session {
    /// A connection that was just made.
    pub(super) fn new(settings: Arc<BotSettings>, mailbox: Arc<Mailbox>, heard: Arc<HeardQueue>, now: Instant) -> Self {
        let mut session = Self {
            stage: Stage::Registering,
            begun: now,
            out: String::new(),
            server: Isupport::default(),
            capabilities: Capabilities::default(),
            login: LoginStage::Open,
            account: None,
            login_refused: None,
            nick: settings.nick.clone(),
            nicks_tried: 0,
            next_nick: now,
            source: None,
            channels: Channels::new(&settings.channels),
            speech: Speech::default(),
            presence: Presence::default(),
            question: None,
            recent: VecDeque::new(),
            received: now,
            pinged: None,
            ended: None,
            settings,
            mailbox,
            heard,
        };
        let nick = session.nick.clone();
        session.send("CAP", &["LS", "302"], None);
        session.send("NICK", &[&nick], None);
        session.send("USER", &[&nick, "0", "*"], Some("phabgate: asks for approvals of emergency deploys"));
        session
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
            account: self.account.clone(),
            login_refused: self.login_refused.clone(),
            services: self.services(now),
            identifies: has("account-tag") && has("server-time") && has("message-tags"),
            echoes: has("echo-message"),
            casemapping: self.server.casemapping,
            channels: self.channels.states(),
            ..BotState::default()
        }
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
            "ERROR" => self.end(&format!("the server closed the connection: {}", message.last())),
            "CAP" => self.capability(message, now),
            "AUTHENTICATE" => self.authenticate(message.param(0)),
            "900" => self.account = Some(message.param(2).to_owned()).filter(|account| !account.is_empty()),
            "901" => self.account = None,
            "903" | "907" => self.logged_in(None),
            "902" | "904" | "905" | "906" => self.logged_in(Some(message.last())),
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
            "432" | "433" | "436" => self.nick_taken(),
            "437" if !self.server.is_channel(message.param(1)) => self.nick_taken(),
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
            "353" => self.channels.listed(message.param(2), message.last(), &self.server),
            "401" | "403" | "404" | "405" | "407" | "437" | "470" | "471" | "473" | "474" | "475" | "476" | "477"
            | "480" | "489" | "520" | "531" | "716" => self.refused(message, now),
            "PRIVMSG" => self.said(message, now),
            "NOTICE" => self.noticed(message, now),
            _ => {}
        }
    }

    fn is_me(&self, nick: &str) -> bool {
        self.server.casemapping.same(nick, &self.nick)
    }

    // Registration.

    fn capability(&mut self, message: &Message, now: Instant) {
        // The first parameter is our nick, or an asterisk.
        let change = self.capabilities.take(message.params.get(1..).unwrap_or_default());
        match change {
            Change::Nothing | Change::SaslGone => {}
            Change::Ask(lists) => {
                for list in lists {
                    self.send("CAP", &["REQ"], Some(&list.join(" ")));
                }
            }
            Change::Settled => self.settled(now),
            Change::SaslBack => {
                if self.account.is_none() && self.login == LoginStage::Done {
                    self.login = LoginStage::Open;
                }
                self.settled(now);
            }
        }
    }

    /// Nothing is open about capabilities: log in where that is possible, and else go on.
    fn settled(&mut self, now: Instant) {
        let mechanism = Mechanism::choose(&self.settings.login, &self.capabilities);
        match mechanism.filter(|_| self.capabilities.has("sasl") && self.login == LoginStage::Open) {
            Some(mechanism) => {
                self.login = LoginStage::Asked(mechanism, now);
                self.send("AUTHENTICATE", &[mechanism.name()], None);
            }
            None if self.stage == Stage::Registering && !matches!(self.login, LoginStage::Asked(..)) => {
                if self.settings.login.account.is_some() && self.login == LoginStage::Open {
                    self.login_refused = Some("the server offers no way to log in at the moment".to_owned());
                }
                self.send("CAP", &["END"], None);
            }
            None => {}
        }
    }

    fn authenticate(&mut self, challenge: &str) {
        let LoginStage::Asked(mechanism, _) = self.login else { return };
        // Both mechanisms answer an empty challenge and know no other.
        if challenge != "+" {
            self.send("AUTHENTICATE", &["*"], None);
            return;
        }
        for piece in mechanism.answer(&self.settings.login) {
            self.send("AUTHENTICATE", &[piece.expose_secret()], None);
        }
    }

    fn logged_in(&mut self, refused: Option<&str>) {
        if !matches!(self.login, LoginStage::Asked(..)) {
            return;
        }
        self.login = LoginStage::Done;
        self.login_refused = refused.map(str::to_owned);
        if let Some(why) = refused {
            tracing::warn!("the services refuse the login of the bot: {}", crate::text::inert(why));
        }
        if self.stage == Stage::Registering {
            self.send("CAP", &["END"], None);
        }
    }

    fn ready(&mut self, now: Instant) {
        self.stage = Stage::Ready;
        let nick = self.nick.clone();
        if let Some(mode) = self.server.bot_mode {
            self.send("MODE", &[&nick, &format!("+{mode}")], None);
        }
        self.channels.join_all(now);
    }

    // The nick.

    fn nick_taken(&mut self) {
        // Later it is the attempt to get the own one back that fails, and there will be another.
        if self.stage != Stage::Registering {
            return;
        }
        self.nicks_tried += 1;
        if self.nicks_tried > NICKS {
            self.end("every nick that was tried is taken");
            return;
        }
        let longest = self.server.nick_length.unwrap_or(usize::MAX);
        let end = "_".repeat(self.nicks_tried);
        // A nick is ASCII: every place is one between characters.
        let kept = self.settings.nick.len().min(longest.saturating_sub(end.len()));
        self.nick = format!("{}{end}", &self.settings.nick[..kept]);
        let nick = self.nick.clone();
        self.send("NICK", &[&nick], None);
    }

    fn renamed(&mut self, message: &Message, now: Instant) {
        let (from, to) = (message.sender(), message.param(0));
        self.channels.renamed(from, to, &self.server);
        if self.is_me(from) {
            to.clone_into(&mut self.nick);
        }
        self.wanted_nick_is_free(from, now);
    }

    /// Who left a nick may have left ours.
    fn wanted_nick_is_free(&mut self, left: &str, now: Instant) {
        if self.server.casemapping.same(left, &self.settings.nick) && !self.is_me(&self.settings.nick) {
            self.next_nick = now;
        }
    }

    // Channels.

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
        if self.server.casemapping.same(target, NICKSERV) {
            self.presence.gone();
            self.answer_question(Info::Silent);
            return;
        }
        let is_outside = self.channels.get(target, &self.server).is_some_and(|channel| !channel.is_joined());
        match is_outside {
            true => self.channels.left(target, why, now, self.settings.timings.rejoin, &self.server),
            false => self.speech.refused(target, why, self.server.casemapping),
        }
    }

    // What is said, and what is heard.

    fn said(&mut self, message: &Message, now: Instant) {
        if self.is_me(message.sender()) {
            self.speech.echoed(message, self.server.casemapping);
            return;
        }
        let hearing = Hearing {
            server: &self.server,
            capabilities: &self.capabilities,
            channels: &self.channels,
            nick: &self.nick,
            account: self.account.as_deref(),
            bots: &self.settings.bots,
            services: self.services(now),
        };
        let Some(heard) = hearing.hear(message) else { return };
        // A network that is joining again may bring a line twice.
        if let Ok(identified) = &heard.who {
            if self.recent.contains(&identified.msgid) {
                return;
            }
            self.recent.push_back(identified.msgid.clone());
            if self.recent.len() > REMEMBERED {
                self.recent.pop_front();
            }
        }
        self.heard.push(heard, now);
    }

    fn noticed(&mut self, message: &Message, now: Instant) {
        let mapping = self.server.casemapping;
        if !mapping.same(message.param(0), &self.nick) || !self.presence.is_nickserv(message, mapping) {
            return;
        }
        self.presence.answered(now);
        let answer = self.question.as_mut().and_then(|question| question.reading.take(message.last(), mapping));
        if let Some(answer) = answer {
            self.answer_question(answer);
        }
    }

    fn answer_question(&mut self, info: Info) {
        if let Some(answer) = self.question.take().and_then(|question| question.answer) {
            let _ = answer.send(info);
        }
    }

    // Time.

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
            self.logged_in(Some("the services did not answer in time"));
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
        for channel in self.channels.due(now) {
            self.send("JOIN", &[&channel], None);
        }
        if let Some(question) = self.question.take_if(|question| question.until <= now)
            && let Some(answer) = question.answer
        {
            let _ = answer.send(question.reading.unclear());
        }
    }

    /// Says the next line, or asks NickServ the next question, where it is time for one.
    fn speak(&mut self, now: Instant) {
        let channels = &self.channels;
        let server = &self.server;
        let channel_of = |target: &Target| match &target.0 {
            TargetKind::Channel(name) => Some(channels.get(name, server)),
            TargetKind::Person(_) => None,
        };
        self.mailbox.refuse(&NotSaid::OtherChannel, |target| matches!(channel_of(target), Some(None)));
        if !self.speech.may_send(now) {
            return;
        }
        let can = |target: &Target| channel_of(target).is_none_or(|found| found.is_some_and(|one| one.is_joined()));
        if let Some(line) = self.mailbox.next_line(now, can) {
            self.say(line, now);
        } else if self.question.is_none() {
            match self.mailbox.next_info(now) {
                Some(PendingInfo { account, deadline, answer }) => self.ask(&account, deadline, Some(answer), now),
                None if self.presence.is_due(now, self.settings.timings.services_every) => {
                    let own = self.settings.login.account.clone().unwrap_or_else(|| self.nick.clone());
                    self.ask(&own, now + self.settings.timings.info, None, now);
                }
                None => {}
            }
        }
    }

    fn say(&mut self, pending: PendingLine, now: Instant) {
        let target = pending.target.name();
        let source = self.source.as_ref().map_or(LONGEST_SOURCE, String::len);
        // :SOURCE PRIVMSG TARGET :TEXT CR LF, as the server passes it on.
        let room = REST_LIMIT.saturating_sub(source + target.len() + ": PRIVMSG  :\r\n".len());
        let text = pending.line.within(room.min(BOT_LIMIT));
        if !self.send("PRIVMSG", &[target], Some(&text)) {
            let _ = pending.answer.send(Outcome::NotSaid(NotSaid::Refused("it is no message".to_owned())));
            return;
        }
        self.speech.pace(now, self.settings.timings.line_every);
        match self.capabilities.has("echo-message") {
            true => self.speech.sent(target, &text, now + self.settings.timings.echo, pending.answer),
            false => {
                let why = "the network echoes nothing that is said".to_owned();
                let _ = pending.answer.send(Outcome::Unclear { why });
            }
        }
    }

    fn ask(&mut self, account: &str, until: Instant, answer: Option<oneshot::Sender<Info>>, now: Instant) {
        if !self.send("PRIVMSG", &[NICKSERV], Some(&format!("INFO {account}"))) {
            return;
        }
        self.speech.pace(now, self.settings.timings.line_every);
        self.presence.asked(now);
        self.question = Some(Question { reading: InfoReading::new(account), until, answer });
    }

    /// What keeps lines from being said, in words for who waits.
    pub(super) fn hindrance(&self) -> String {
        if self.stage == Stage::Registering {
            return "the bot was not on the network".to_owned();
        }
        let outside = self.channels.states().into_iter().find(|channel| !channel.is_joined);
        match outside {
            Some(channel) => {
                let why = channel.why_not.unwrap_or_else(|| "the network has not answered".to_owned());
                format!("the bot was not in {}: {}", channel.name, crate::text::inert(&why))
            }
            None => "others came first".to_owned(),
        }
    }
}
