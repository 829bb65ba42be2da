//! What is said and what is heard on a connection.
//!
//! Responsible for which line goes out when, for the questions to NickServ, and for where a message goes that came. Not responsible for
//! who a line is from (`hearing`), nor for which echo is whose (`speech`).

use std::time::Instant;

use tokio::sync::oneshot;

use super::{Conversation, Question, Stage};
use crate::irc::bot::hearing::Hearing;
use crate::irc::bot::mailbox::{Info, NotSaid, Outcome, PendingInfo, PendingLine, Target, TargetKind};
use crate::irc::bot::nickserv::{InfoReading, NICKSERV};
use crate::irc::line::BOT_LIMIT;
use crate::irc::wire::{Message, REST_LIMIT};

/// Of how many lines it is remembered that they were heard, so that none is heard twice.
const REMEMBERED: usize = 256;
/// What the server puts before a line that it passes on, where our own address is not known: `nick!user@host`.
const LONGEST_SOURCE: usize = 30 + 12 + 66;

impl Conversation {
    pub(super) fn said(&mut self, message: &Message, now: Instant) {
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
            now,
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

    pub(super) fn noticed(&mut self, message: &Message, now: Instant) {
        let mapping = self.server.casemapping;
        if !mapping.same(message.param(0), &self.nick) || !self.presence.is_nickserv(message, mapping) {
            return;
        }
        let were_there = self.services(now);
        self.presence.answered(now);
        if !were_there && self.services(now) {
            self.services_came(now);
        }
        let answer = self.question.as_mut().and_then(|question| question.reading.take(message.last(), mapping));
        if let Some(answer) = answer {
            self.answer_question(answer);
        }
    }

    pub(super) fn answer_question(&mut self, info: Info) {
        if let Some(answer) = self.question.take().and_then(|question| question.answer) {
            let _ = answer.send(info);
        }
    }

    /// Says the next line, or asks NickServ the next question, where it is time for one.
    pub(super) fn speak(&mut self, now: Instant) {
        // Apart from the lines: who somebody is decides what their words count for, however much is said.
        if self.question.is_none() && self.speech.may_ask(now) {
            self.ask_next(now);
        }
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
        }
    }

    /// Asks NickServ the next question, where one is due.
    fn ask_next(&mut self, now: Instant) {
        match self.mailbox.next_info(now) {
            Some(PendingInfo { account, deadline, answer }) => self.ask(&account, deadline, Some(answer), now),
            None if self.presence.is_due(now, self.settings.timings.services_every) => {
                let own = self.settings.login.account.clone().unwrap_or_else(|| self.nick.clone());
                self.ask(&own, now + self.settings.timings.info, None, now);
            }
            None => {}
        }
    }

    fn say(&mut self, pending: PendingLine, now: Instant) {
        let Some((target, line, answer)) = pending.made() else { return };
        let target = target.name();
        let source = self.source.as_ref().map_or(LONGEST_SOURCE, String::len);
        // :SOURCE PRIVMSG TARGET :TEXT CR LF, as the server passes it on.
        let room = REST_LIMIT.saturating_sub(source + target.len() + ": PRIVMSG  :\r\n".len());
        let text = line.within(room.min(BOT_LIMIT));
        if !self.send("PRIVMSG", &[target], Some(&text)) {
            let _ = answer.send(Outcome::NotSaid(NotSaid::Refused("it is no message".to_owned())));
            return;
        }
        self.speech.pace(now, self.settings.timings.line_every);
        match self.capabilities.has("echo-message") {
            true => self.speech.sent(target, &text, now + self.settings.timings.echo, answer),
            false => {
                let why = "the network echoes nothing that is said".to_owned();
                let _ = answer.send(Outcome::Unclear { why });
            }
        }
    }

    fn ask(&mut self, account: &str, until: Instant, answer: Option<oneshot::Sender<Info>>, now: Instant) {
        if !self.send("PRIVMSG", &[NICKSERV], Some(&format!("INFO {account}"))) {
            return;
        }
        self.speech.pace_questions(now, self.settings.timings.question_every);
        self.presence.asked(now);
        self.question = Some(Question { reading: InfoReading::new(account), until, answer });
    }

    /// What keeps lines from being said, in words for who waits.
    pub(in crate::irc::bot) fn hindrance(&self) -> String {
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
