//! What is said and what is heard on a connection.
//!
//! Responsible for which line goes out when, and for where a line goes that came. Not responsible for who a line is from (`hearing`), for
//! which echo is whose (`speech`), nor for what the services are asked (`services`).

use std::time::Instant;

use super::{Conversation, Stage};
use crate::irc::bot::hearing::Hearing;
use crate::irc::bot::mailbox::{NotSaid, Outcome, PendingLine, Target, TargetKind};
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

    /// Says the next line, and asks the next question, where it is time for one.
    pub(super) fn speak(&mut self, now: Instant) {
        // Apart from the lines: who somebody is decides what their words count for, however much is said.
        self.ask_next(now);
        self.have_vouched(now);
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
