//! Coming onto the network: capabilities, SASL, and the nick.
//!
//! Responsible for these from the first message to the last of the connection, since each may change meanwhile. Not responsible for
//! channels.

use std::time::Instant;

use secrecy::ExposeSecret;

use super::{Conversation, LoginStage, Stage};
use crate::irc::bot::capabilities::Change;
use crate::irc::bot::sasl::Mechanism;
use crate::irc::bot::state::WhyLacked;
use crate::irc::wire::Message;

/// How many nicks are tried where the first is taken.
const NICKS: usize = 10;

impl Conversation {
    pub(super) fn capability(&mut self, message: &Message, now: Instant) {
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
                if self.account.is_none() && matches!(self.login, LoginStage::Done(_)) {
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
                self.certificate_refused = None;
                self.ask_to_log_in(mechanism, now);
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

    fn ask_to_log_in(&mut self, mechanism: Mechanism, now: Instant) {
        self.login = LoginStage::Asked(mechanism, now);
        self.send("AUTHENTICATE", &[mechanism.name()], None);
    }

    /// The services refuse what proves the account. A certificate that they do not take at the moment is no reason to come without the account
    /// where there is a password too.
    pub(super) fn proof_is_refused(&mut self, why: &str, now: Instant) {
        let LoginStage::Asked(mechanism, _) = self.login else { return };
        if let Some(next) = mechanism.next(&self.settings.login, &self.capabilities) {
            self.certificate_refused = Some(why.to_owned());
            self.ask_to_log_in(next, now);
            return;
        }
        self.proof_refused = true;
        match self.certificate_refused.take() {
            Some(first) => {
                let both = format!("the certificate: {first}; the {}: {why}", mechanism.proof());
                self.logged_in(Some(&both), now);
            }
            None => self.logged_in(Some(why), now),
        }
    }

    pub(super) fn authenticate(&mut self, challenge: &str) {
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

    /// A login is over; `refused` says why it failed, where it did.
    pub(super) fn logged_in(&mut self, refused: Option<&str>, now: Instant) {
        if !matches!(self.login, LoginStage::Asked(..)) {
            return;
        }
        self.login = LoginStage::Done(now);
        self.login_refused = refused.map(str::to_owned);
        match (refused, &self.certificate_refused) {
            (Some(why), _) => {
                tracing::warn!("IRC: the services refuse the login of the bot: {}", crate::text::inert(why))
            }
            (None, Some(why)) => tracing::warn!(
                "IRC: the bot logged in by its password, since the services refused its certificate: {}",
                crate::text::inert(why)
            ),
            (None, None) => {}
        }
        if self.stage == Stage::Registering {
            self.send("CAP", &["END"], None);
        }
    }

    /// The services, or whoever knows the password, log the bot out. In a login that is under way its end decides.
    pub(super) fn logged_out(&mut self, why: &str, now: Instant) {
        self.account = None;
        if let LoginStage::Done(since) = &mut self.login {
            *since = now;
            self.login_refused = Some(format!("the services logged the bot out: {why}"));
        }
    }

    /// Why the bot has no account, where it is to have one. There always is a reason: one that nobody gave is that.
    pub(super) fn why_no_account(&self) -> Option<String> {
        let is_missing = self.settings.login.account.is_some() && self.account.is_none();
        let unsaid = || "the network has not named its account".to_owned();
        is_missing.then(|| self.login_refused.clone().unwrap_or_else(unsaid))
    }

    /// The services are there, and were not before. Not every server says by itself that one can log in again.
    pub(super) fn services_came(&mut self, now: Instant) {
        let came_back = std::mem::replace(&mut self.had_services, true);
        let is_wanted = self.settings.login.account.is_some() && self.account.is_none();
        // A proof that was refused a moment ago is no better now; after an outage it may be.
        if !is_wanted || matches!(self.login, LoginStage::Asked(..)) || (self.proof_refused && !came_back) {
            return;
        }
        match self.capabilities.has("sasl") {
            true => {
                self.login = LoginStage::Open;
                self.settled(now);
            }
            false => _ = self.send("CAP", &["LS", "302"], None),
        }
    }

    /// Logs in again where the bot has no account for a while, whatever took it: services err, too.
    pub(super) fn log_in_again(&mut self, now: Instant) {
        let LoginStage::Done(since) = self.login else { return };
        let is_time = now.saturating_duration_since(since) >= self.settings.timings.login_again;
        if is_time && self.account.is_none() && self.capabilities.has("sasl") {
            self.proof_refused = false;
            self.login = LoginStage::Open;
            self.settled(now);
        }
    }

    pub(super) fn ready(&mut self, now: Instant) {
        self.stage = Stage::Ready;
        let nick = self.nick.clone();
        if let Some(mode) = self.server.bot_mode {
            self.send("MODE", &[&nick, &format!("+{mode}")], None);
        }
        for channel in self.views.names() {
            self.send("MODE", &[&channel], None);
        }
        self.channels.join_all(now);
    }

    pub(super) fn nick_not_given(&mut self, why: WhyLacked) {
        self.why_other_nick = why;
        // Later it is the attempt to get the own one back that fails, and there will be another.
        if self.stage != Stage::Registering {
            return;
        }
        self.nicks_tried += 1;
        if self.nicks_tried > NICKS {
            match &self.why_other_nick {
                WhyLacked::Refused(words) => self.end(&format!("the network refuses the nick: {words}")),
                WhyLacked::Taken | WhyLacked::Renamed => self.end("every nick that was tried is taken"),
            }
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

    pub(super) fn renamed(&mut self, message: &Message, now: Instant) {
        let (from, to) = (message.sender(), message.param(0));
        self.channels.renamed(from, to, &self.server);
        if self.is_me(from) {
            to.clone_into(&mut self.nick);
        }
        self.wanted_nick_is_free(from, now);
    }

    /// Who left a nick may have left ours.
    pub(super) fn wanted_nick_is_free(&mut self, left: &str, now: Instant) {
        if self.server.casemapping.same(left, &self.settings.nick) && !self.is_me(&self.settings.nick) {
            self.next_nick = now;
        }
    }
}
