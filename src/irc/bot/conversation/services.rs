//! The services of the network: what NickServ is asked, and whether it was NickServ that answered.
//!
//! Responsible for one question at a time, and for an answer counting for nothing before the network, asked after it came, vouches for who gave
//! it. Who had the nick before, or has it again, makes no difference. Not responsible for how an answer is read (`nickserv`, `vouching`).

use std::time::Instant;

use tokio::sync::oneshot;

use super::{Conversation, Stage};
use crate::irc::bot::mailbox::{Info, PendingInfo};
use crate::irc::bot::nickserv::{InfoReading, NICKSERV};
use crate::irc::bot::vouching::{Vouched, Vouching};
use crate::irc::wire::{CaseMapping, Message, Source};

/// What NickServ is asked now.
#[derive(Debug)]
pub(super) struct Question {
    reading: InfoReading,
    until: Instant,
    /// Who asked; nobody, where the question is whether it is there.
    answer: Option<oneshot::Sender<Info>>,
    /// Who answers.
    source: Option<Source>,
    /// Their answer, once it is whole.
    info: Option<Info>,
    /// The network was asked who they are after it was.
    is_looked_at: bool,
}

impl Question {
    /// Takes a line of an answer. What one began another does not end.
    fn take(&mut self, source: &Source, line: &str, mapping: CaseMapping) {
        if self.info.is_some() {
            return;
        }
        if self.source.as_ref() != Some(source) {
            self.reading = self.reading.anew();
            self.source = Some(source.clone());
        }
        self.info = self.reading.take(line, mapping);
    }
}

impl Conversation {
    /// Asks NickServ the next question, where one is due.
    pub(super) fn ask_next(&mut self, now: Instant) {
        if self.question.is_some() || !self.speech.may_ask(now) {
            return;
        }
        match self.mailbox.next_info(now) {
            Some(PendingInfo { account, deadline, answer }) => self.ask(&account, deadline, Some(answer), now),
            None if self.presence.is_due(now, self.settings.timings.services_every) => {
                let own = self.settings.login.account.clone().unwrap_or_else(|| self.nick.clone());
                self.ask(&own, now + self.settings.timings.info, None, now);
            }
            None => {}
        }
    }

    fn ask(&mut self, account: &str, until: Instant, answer: Option<oneshot::Sender<Info>>, now: Instant) {
        if !self.send("PRIVMSG", &[NICKSERV], Some(&format!("INFO {account}"))) {
            return;
        }
        self.speech.pace_questions(now, self.settings.timings.question_every);
        self.presence.asked(now);
        self.question = Some(Question {
            reading: InfoReading::new(account),
            until,
            answer,
            source: None,
            info: None,
            is_looked_at: false,
        });
    }

    /// Something is said to the bot by who has the nick of NickServ.
    pub(super) fn noticed(&mut self, message: &Message, now: Instant) {
        let mapping = self.server.casemapping;
        let Some(source) = message.source.as_ref().filter(|source| mapping.same(&source.name, NICKSERV)) else {
            return;
        };
        if !mapping.same(message.param(0), &self.nick) {
            return;
        }
        self.claimed = Some(source.clone());
        if let Some(question) = &mut self.question {
            question.take(source, message.last(), mapping);
        }
        self.have_vouched(now);
    }

    /// Asks the network who has the nick of NickServ: at once where an answer waits for it, else where it is not known whether it is there.
    pub(super) fn have_vouched(&mut self, now: Instant) {
        if self.vouching.is_some() || self.stage != Stage::Ready {
            return;
        }
        let may_ask = !self.presence.is_settled() && self.speech.may_ask(now);
        let claimed = match &mut self.question {
            Some(question) => {
                question.is_looked_at = question.info.is_some();
                question.source.clone().filter(|_| question.is_looked_at)
            }
            None => self.claimed.clone().filter(|_| may_ask),
        };
        let Some(claimed) = claimed else { return };
        self.claimed = None;
        if self.send("WHOIS", &[NICKSERV], None) {
            self.speech.pace_questions(now, self.settings.timings.question_every);
            self.vouching = Some(Vouching::of(claimed, now + self.settings.timings.info));
        }
    }

    /// A reply to the question who somebody is.
    pub(super) fn described(&mut self, message: &Message, now: Instant) {
        if !self.server.casemapping.same(message.param(1), NICKSERV) {
            return;
        }
        let Some(vouched) = self.vouching.as_mut().and_then(|vouching| vouching.take(message)) else { return };
        self.vouching = None;
        let waits = self.question.take_if(|question| question.is_looked_at);
        let info = match vouched {
            Vouched::Speaker => {
                let were_there = self.services(now);
                self.presence.answered(now);
                if !were_there && self.services(now) {
                    self.services_came(now);
                }
                None
            }
            Vouched::Another => Some(Info::Silent),
            Vouched::Nobody { server } => {
                self.presence.taken(&server);
                Some(Info::NoService { server })
            }
        };
        if let Some(Question { answer: Some(answer), info: Some(said), .. }) = waits {
            let _ = answer.send(info.unwrap_or(said));
        }
        self.have_vouched(now);
    }

    /// The server says that nobody has the nick of NickServ.
    pub(super) fn no_nickserv(&mut self) {
        self.presence.gone();
        self.claimed = None;
        self.vouching = None;
        if let Some(answer) = self.question.take().and_then(|question| question.answer) {
            let _ = answer.send(Info::Silent);
        }
    }

    /// Gives up what was not answered in time.
    pub(super) fn give_up_questions(&mut self, now: Instant) {
        self.vouching.take_if(|vouching| vouching.until <= now);
        if let Some(question) = self.question.take_if(|question| question.until <= now)
            && let Some(answer) = question.answer
        {
            // A whole answer for which nobody vouched is none.
            let _ = answer.send(if question.info.is_some() { Info::Silent } else { question.reading.unclear() });
        }
    }
}
