//! What the bot is set up with.
//!
//! Responsible for values that make sense together: names that fit into a message, a way in that gives no password away. Not responsible
//! for where they come from.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::irc::host_port::HostPort;
use crate::irc::wire::CaseMapping;
use crate::text::{inert, is_hidden};

/// The longest nick or channel that is taken: a message has 512 bytes.
const LONGEST: usize = 64;

/// The settings of a bot.
#[derive(Debug, Clone)]
pub struct BotSettings {
    pub(super) server: HostPort,
    pub(super) authorities: Authorities,
    pub(super) nick: String,
    pub(super) channels: Vec<String>,
    /// Channels that are looked at from outside.
    pub(super) looked_at: Vec<String>,
    pub(super) login: Login,
    pub(super) bots: Vec<String>,
    pub(super) timings: Timings,
}

/// How the connection is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorities {
    /// TLS, and the authorities of the system are believed.
    System,
    /// TLS, and those of this file (PEM) are believed and no others.
    File(PathBuf),
    /// No TLS: to this machine alone.
    Plain,
}

/// How the bot logs in with the services, by SASL.
#[derive(Debug, Clone, Default)]
pub struct Login {
    /// The services account; `None` where the bot logs in with none.
    pub account: Option<String>,
    /// Its password, for PLAIN.
    pub password: Option<SecretString>,
    /// A client certificate with its key (PEM), for EXTERNAL, which is tried before PLAIN where the server offers it.
    pub certificate: Option<SecretString>,
}

/// How long things take. The defaults are what a network expects; tests take less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// Between two lines.
    pub line_every: Duration,
    /// For a connection to be made and registered.
    pub register: Duration,
    /// After so long without a word of the server it is asked whether it is there.
    pub ping_after: Duration,
    /// So long after that the connection is dead.
    pub dead_after: Duration,
    /// In which the echo of a line has to come.
    pub echo: Duration,
    /// Between two attempts to get back the nick.
    pub nick_every: Duration,
    /// Before a channel is joined again; doubled each time within the hour.
    pub rejoin: Duration,
    /// Between two questions to NickServ, which ignores who asks it seven in ten seconds.
    pub question_every: Duration,
    /// Between two questions to NickServ whether it is there.
    pub services_every: Duration,
    /// After so long without an answer of NickServ the services are away.
    pub services_silent: Duration,
    /// The longest that is waited for what NickServ knows of an account.
    pub info: Duration,
    /// Before a login that was refused, or lost, is tried again on the same connection.
    pub login_again: Duration,
    /// Before the first attempt to connect again.
    pub reconnect: Duration,
    /// The longest before any.
    pub reconnect_most: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            line_every: Duration::from_secs(2),
            register: Duration::from_secs(60),
            ping_after: Duration::from_secs(60),
            dead_after: Duration::from_secs(30),
            echo: Duration::from_secs(15),
            nick_every: Duration::from_secs(60),
            rejoin: Duration::from_secs(10),
            question_every: Duration::from_millis(1_600),
            services_every: Duration::from_secs(45),
            services_silent: Duration::from_secs(60),
            info: Duration::from_secs(20),
            login_again: Duration::from_secs(300),
            reconnect: Duration::from_secs(1),
            reconnect_most: Duration::from_secs(60),
        }
    }
}

/// Settings that make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BotSettingsError {
    /// A nick that no network takes.
    #[error("`{}` is no nick: it has letters, digits and -_[]\\`^{{|}}, and begins with no digit and no `-`", inert(.0))]
    Nick(String),
    /// A channel that no network has.
    #[error("`{}` is no channel: it begins with `#`, and holds neither blanks nor commas", inert(.0))]
    Channel(String),
    /// No channel at all.
    #[error("no channel is named")]
    NoChannel,
    /// A services account that cannot be one.
    #[error("`{}` is no account: it is one word of visible characters", inert(.0))]
    Account(String),
    /// An account and nothing that proves it.
    #[error("the account has neither a password nor a certificate")]
    NoProof,
    /// A password or a certificate, and no account.
    #[error("a password or a certificate is of no use without an account")]
    NoAccount,
    /// Plain text over a network.
    #[error("{0} is not this machine: everybody on the way could read and change what is said without TLS")]
    PlainToOthers(HostPort),
}

impl BotSettings {
    /// A bot of this nick in these channels, over TLS, which logs in with no account.
    ///
    /// # Errors
    /// Where the nick or a channel cannot be one.
    pub fn new(server: HostPort, nick: &str, channels: &[String]) -> Result<Self, BotSettingsError> {
        if !is_nick(nick) {
            return Err(BotSettingsError::Nick(nick.to_owned()));
        }
        if let Some(wrong) = channels.iter().find(|channel| !is_channel(channel)) {
            return Err(BotSettingsError::Channel(wrong.clone()));
        }
        if channels.is_empty() {
            return Err(BotSettingsError::NoChannel);
        }
        let mut once: Vec<String> = Vec::new();
        for channel in channels {
            if !once.iter().any(|other| CaseMapping::Ascii.same(other, channel)) {
                once.push(channel.clone());
            }
        }
        Ok(Self {
            server,
            authorities: Authorities::System,
            nick: nick.to_owned(),
            channels: once,
            looked_at: Vec::new(),
            login: Login::default(),
            bots: Vec::new(),
            timings: Timings::default(),
        })
    }

    /// The same, with other authorities or without TLS.
    ///
    /// # Errors
    /// Where plain text would leave this machine.
    pub fn trusting(self, authorities: Authorities) -> Result<Self, BotSettingsError> {
        match authorities == Authorities::Plain && !self.server.is_this_machine() {
            true => Err(BotSettingsError::PlainToOthers(self.server)),
            false => Ok(Self { authorities, ..self }),
        }
    }

    /// The same, logged in with an account.
    ///
    /// # Errors
    /// Where the account cannot be one, or something is missing.
    pub fn logged_in(self, login: Login) -> Result<Self, BotSettingsError> {
        match (&login.account, login.password.is_some() || login.certificate.is_some()) {
            (Some(account), _) if !is_account(account) => Err(BotSettingsError::Account(account.clone())),
            (Some(_), false) => Err(BotSettingsError::NoProof),
            (None, true) => Err(BotSettingsError::NoAccount),
            _ => Ok(Self { login, ..self }),
        }
    }

    /// The same, deaf to these nicks: other bots, which say of themselves that they are one or do not.
    #[must_use]
    pub fn deaf_to(self, bots: Vec<String>) -> Self {
        Self { bots, ..self }
    }

    /// The same with other timings.
    #[must_use]
    pub fn timed(self, timings: Timings) -> Self {
        Self { timings, ..self }
    }

    /// Where it connects.
    pub fn server(&self) -> &HostPort {
        &self.server
    }
}

impl fmt::Display for BotSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.nick, self.server)
    }
}

/// Whether a text can be a nick, as RFC 2812 has it (section 2.3.1), of any length that fits.
pub fn is_nick(text: &str) -> bool {
    let special = |c: char| "-_[]\\`^{|}".contains(c);
    let right = |c: char| c.is_ascii_alphanumeric() || special(c);
    !text.is_empty()
        && text.len() <= LONGEST
        && text.chars().all(right)
        && !text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
}

/// Whether a text can be the name of a channel: RFC 2812, section 1.3.
pub fn is_channel(text: &str) -> bool {
    let right = |c: char| !is_hidden(c) && !c.is_whitespace() && !matches!(c, ',' | ':');
    text.len() > 1 && text.len() <= LONGEST && text.starts_with(['#', '&', '+', '!']) && text.chars().all(right)
}

/// Whether a text can be a services account: one word that can be a parameter.
pub fn is_account(text: &str) -> bool {
    let right = |c: char| c.is_ascii_graphic() && !matches!(c, ',' | ';');
    !text.is_empty() && text.len() <= LONGEST && text.chars().all(right) && !text.starts_with([':', '*', '='])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(server: &str) -> BotSettings {
        BotSettings::new(server.parse().unwrap(), "phabgate", &["#ops".to_owned()]).unwrap()
    }

    #[test]
    fn names_that_no_network_takes_are_refused() {
        let server = || "irc.example:6697".parse().unwrap();
        for nick in ["", "1a", "-a", "a b", "é", "a!b", "a\r\nQUIT", &"a".repeat(65)] {
            assert!(
                matches!(BotSettings::new(server(), nick, &["#a".into()]), Err(BotSettingsError::Nick(_))),
                "{nick}"
            );
        }
        for channel in ["", "#", "a", "#a b", "#a,#b", "#a\r\nQUIT", "#\u{200b}", "#a:b"] {
            let refused = BotSettings::new(server(), "a", &["#ok".into(), channel.into()]);
            assert!(matches!(refused, Err(BotSettingsError::Channel(_))), "{channel}");
        }
        assert!(matches!(BotSettings::new(server(), "a", &[]), Err(BotSettingsError::NoChannel)));
        assert_eq!(BotSettings::new(server(), "a", &["#a".into(), "#A".into()]).unwrap().channels, ["#a"]);
    }

    #[test]
    fn plain_text_stays_on_this_machine() {
        assert!(settings("127.0.0.1:6667").trusting(Authorities::Plain).is_ok());
        assert!(settings("irc.localhost:6667").trusting(Authorities::Plain).is_ok());
        let refused = settings("irc.example:6667").trusting(Authorities::Plain).unwrap_err();
        assert!(refused.to_string().starts_with("irc.example:6667 is not this machine"), "{refused}");
    }

    #[test]
    fn an_account_comes_with_its_proof_and_shows_none() {
        let password = || Some(SecretString::from("correct-horse".to_owned()));
        let log_in = |account: Option<&str>, password| {
            let login = Login { account: account.map(str::to_owned), password, certificate: None };
            settings("irc.example:6697").logged_in(login)
        };
        assert_eq!(log_in(Some("a"), None).unwrap_err(), BotSettingsError::NoProof);
        assert_eq!(log_in(None, password()).unwrap_err(), BotSettingsError::NoAccount);
        assert!(matches!(log_in(Some("a b"), password()).unwrap_err(), BotSettingsError::Account(_)));
        let shown = format!("{:?}", log_in(Some("a"), password()).unwrap());
        assert!(!shown.contains("correct-horse"), "{shown}");
    }
}
