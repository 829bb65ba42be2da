//! The settings of IRC.
//!
//! Responsible for them as data, for how each is read from its text, and for making the settings of the bot of them. Not responsible for
//! keys and files, nor for the secrets in the files that are named here, which whoever starts the service reads.

#[cfg(feature = "serve")]
use std::path::{Path, PathBuf};

#[cfg(feature = "serve")]
use jiff::civil::Date;
#[cfg(feature = "serve")]
use jiff::{Timestamp, tz::TimeZone};
#[cfg(feature = "serve")]
use secrecy::SecretString;

use super::reader::ValueError;
use crate::irc::HostPort;
#[cfg(feature = "serve")]
use crate::irc::bot::{self, Authorities, BotSettings, BotSettingsError, Login};
#[cfg(feature = "serve")]
use crate::irc::wire::CaseMapping;

/// The settings of IRC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IrcSettings {
    /// Where a tcpircbot takes lines.
    pub tcpircbot: Option<HostPort>,
    /// Whether a line for the log of the site, `!log`, is said of each deploy.
    pub log: bool,
    /// The bot of the watch.
    #[cfg(feature = "serve")]
    pub bot: IrcBotSettings,
}

/// The settings of the bot. The watch alone has one.
#[cfg(feature = "serve")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IrcBotSettings {
    /// Where the network answers; `None`: there is no bot.
    pub server: Option<HostPort>,
    /// Whether the connection is over TLS, which it is but to this machine.
    pub tls: bool,
    /// The file of the authorities that are believed; `None`: those of the system.
    pub ca: Option<PathBuf>,
    /// Its nick.
    pub nick: String,
    /// Its channels; none: the one of `contact.channel`.
    pub channels: Vec<String>,
    /// Its services account.
    pub account: Option<String>,
    /// The file with the password of the account.
    pub password_file: Option<PathBuf>,
    /// The file with the certificate that the services know the account by, and its key.
    pub certificate_file: Option<PathBuf>,
    /// The file with the token of the account that writes on tasks what is said; `None`: nothing of it is written.
    pub witness_token_file: Option<PathBuf>,
    /// Nicks of other bots, to which it is deaf.
    pub bots: Vec<String>,
    /// Who is whom.
    pub accounts: Vec<IrcAccount>,
}

/// A services account that stands for an account of the server of the tasks.
#[cfg(feature = "serve")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IrcAccount {
    /// The services account. One that was registered later than it was listed is somebody else's.
    pub services: String,
    /// The username on the server of the tasks.
    pub account: String,
    /// The day on which it was listed.
    pub since: Date,
}

#[cfg(feature = "serve")]
impl Default for IrcBotSettings {
    fn default() -> Self {
        Self {
            server: None,
            tls: true,
            ca: None,
            nick: "phabgate".to_owned(),
            channels: Vec::new(),
            account: None,
            password_file: None,
            certificate_file: None,
            witness_token_file: None,
            bots: Vec::new(),
            accounts: Vec::new(),
        }
    }
}

#[cfg(feature = "serve")]
impl IrcAccount {
    /// Whether it stands for this username, as the server of the tasks compares them.
    pub fn is_of(&self, username: &str) -> bool {
        self.account.eq_ignore_ascii_case(username)
    }

    /// Whether an account that the services registered then can be the one that was listed: on the day of the listing (UTC) at the latest.
    pub fn can_be_of(&self, registered: Timestamp) -> bool {
        registered.to_zoned(TimeZone::UTC).date() <= self.since
    }
}

/// Why there is no bot though one is configured.
#[cfg(feature = "serve")]
#[derive(Debug, thiserror::Error)]
pub enum IrcBotError<E> {
    /// A file with a secret cannot be read.
    #[error(transparent)]
    Secret(E),
    /// The settings make no sense together.
    #[error("irc: {0}")]
    Settings(#[from] BotSettingsError),
}

#[cfg(feature = "serve")]
impl IrcBotSettings {
    /// The account that a services account stands for, by the names as the network compares them; `None` where it is not listed.
    pub fn account(&self, services: &str, mapping: CaseMapping) -> Option<&IrcAccount> {
        self.accounts.iter().find(|account| mapping.same(&account.services, services))
    }

    /// The settings of the bot; `None` where no network is configured. `channel` is where it is without channels of its own, and `read` reads
    /// the file of the key that it is given first.
    ///
    /// # Errors
    /// Where a file cannot be read, or `channel` is no channel.
    pub fn bot<E>(
        &self,
        channel: &str,
        read: impl Fn(&'static str, &Path) -> Result<SecretString, E>,
    ) -> Result<Option<BotSettings>, IrcBotError<E>> {
        let Some(server) = &self.server else { return Ok(None) };
        let secret = |key, path: &Option<PathBuf>| path.as_deref().map(|path| read(key, path)).transpose();
        let channels = if self.channels.is_empty() { vec![channel.to_owned()] } else { self.channels.clone() };
        let authorities = match (self.tls, &self.ca) {
            (false, _) => Authorities::Plain,
            (true, Some(file)) => Authorities::File(file.clone()),
            (true, None) => Authorities::System,
        };
        let login = Login {
            account: self.account.clone(),
            password: secret("irc.password_file", &self.password_file).map_err(IrcBotError::Secret)?,
            certificate: secret("irc.certificate_file", &self.certificate_file).map_err(IrcBotError::Secret)?,
        };
        let settings = BotSettings::new(server.clone(), &self.nick, &channels)?;
        Ok(Some(settings.trusting(authorities)?.logged_in(login)?.deaf_to(self.bots.clone())))
    }
}

/// A host and a port.
pub(super) fn host_port(text: &str, such_as: &str) -> Result<HostPort, ValueError> {
    text.parse().map_err(|wrong: crate::irc::HostPortError| {
        ValueError::new(format!("`{text}` is not a host with a port: {wrong}"), format!("write it as \"{such_as}\""))
    })
}

/// A nick.
#[cfg(feature = "serve")]
pub(super) fn nick(text: &str) -> Result<String, ValueError> {
    match bot::is_nick(text) {
        true => Ok(text.to_owned()),
        false => Err(ValueError::new(
            format!("`{text}` is not a nick"),
            "a nick has letters, digits and -_[]\\`^{|}, and begins with no digit and no `-`",
        )),
    }
}

/// A channel.
#[cfg(feature = "serve")]
pub(super) fn channel(text: &str) -> Result<String, ValueError> {
    match bot::is_channel(text) {
        true => Ok(text.to_owned()),
        false if text.contains(' ') => Err(ValueError::new(
            "is not a channel: its name has no blank in it",
            "write it as \"#operations\"; a channel with a key is not supported",
        )),
        false => Err(ValueError::new(format!("`{text}` is not a channel"), "write it as \"#operations\"")),
    }
}

/// A services account.
#[cfg(feature = "serve")]
pub(super) fn services_account(text: &str) -> Result<String, ValueError> {
    match bot::is_account(text) {
        true => Ok(text.to_owned()),
        false => Err(ValueError::new(
            format!("`{text}` is not a services account"),
            "write it as NickServ does: one word, such as \"alice\"",
        )),
    }
}

/// The path of a file with a secret. What is none may be the secret itself, and is not repeated.
#[cfg(feature = "serve")]
pub(super) fn secret_file(text: &str) -> Result<PathBuf, ValueError> {
    super::file::directory(text).map_err(|_| {
        ValueError::new(
            "is not an absolute path",
            "name a file of mode 600 here, from /, and put what is secret into it",
        )
    })
}

/// A day.
#[cfg(feature = "serve")]
pub(super) fn day(text: &str) -> Result<Date, ValueError> {
    let right = "write the day on which the account was listed as \"2026-11-28\"";
    let digits = text.len() == 10;
    text.parse().ok().filter(|_| digits).ok_or_else(|| ValueError::new(format!("`{text}` is not a day"), right))
}

#[cfg(feature = "serve")]
#[cfg(test)]
mod tests {
    use super::*;

    fn settings(lines: &str) -> IrcBotSettings {
        super::super::of_text(&format!("[irc]\n{lines}\n")).unwrap().irc.bot
    }

    fn no_secret(key: &'static str, _: &Path) -> Result<SecretString, String> {
        Err(key.to_owned())
    }

    #[test]
    fn without_a_network_there_is_no_bot() {
        assert!(settings("").bot("#ops", no_secret).unwrap().is_none());
    }

    #[test]
    fn the_bot_is_in_the_channel_of_the_contact_where_it_has_none_of_its_own() {
        assert!(settings("server = \"irc.example:6697\"").bot("#ops", no_secret).unwrap().is_some());
        let refused = settings("server = \"irc.example:6697\"").bot("ask around", no_secret).unwrap_err();
        assert!(refused.to_string().contains("`ask around` is no channel"), "{refused}");
        let own = settings("server = \"irc.example:6697\"\nchannels = [\"#own\"]");
        assert!(own.bot("ask around", no_secret).unwrap().is_some());
    }

    #[test]
    fn the_secrets_are_those_of_the_files() {
        let lines =
            "server = \"irc.example:6697\"\naccount = \"phabgate\"\npassword_file = \"/etc/phabgate/irc-password\"";
        assert_eq!(settings(lines).bot("#ops", no_secret).unwrap_err().to_string(), "irc.password_file");
        let read = |_: &'static str, path: &Path| {
            assert_eq!(path, Path::new("/etc/phabgate/irc-password"));
            Ok::<_, String>(SecretString::from("correct-horse"))
        };
        let bot = settings(lines).bot("#ops", read).unwrap().unwrap();
        assert!(!format!("{bot:?}").contains("correct-horse"));
    }

    #[test]
    fn who_is_whom_is_said_by_the_list_alone() {
        let listed =
            super::super::of_text("[irc.accounts.alice]\naccount = \"Alice\"\nsince = \"2026-11-28\"\n").unwrap();
        let bot = listed.irc.bot;
        let alice = bot.account("ALICE", CaseMapping::Ascii).unwrap();
        assert_eq!(alice.account, "Alice");
        assert!(bot.account("bob", CaseMapping::Ascii).is_none() && bot.account("alicé", CaseMapping::Ascii).is_none());
        let registered = |text: &str| alice.can_be_of(text.parse().unwrap());
        assert!(registered("2020-01-01T00:00:00Z") && registered("2026-11-28T23:59:59Z"));
        assert!(!registered("2026-11-29T00:00:00Z"));
    }

    #[test]
    fn a_day_that_is_nowhere_yet_is_refused() {
        let read = |now: &str| {
            let text = "[irc.accounts.alice]\naccount = \"Alice\"\nsince = \"2026-11-28\"\n";
            super::super::load::of_text_at(text, now.parse().unwrap()).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(read("2026-11-28T00:00:00Z"), Ok(()));
        // The first who have the day are fourteen hours ahead.
        assert_eq!(read("2026-11-27T10:00:00Z"), Ok(()));
        let refused = read("2026-11-27T09:59:59Z").unwrap_err();
        assert!(
            refused.contains("error: irc.accounts.alice.since") && refused.contains("is in the future"),
            "{refused}"
        );
    }

    #[test]
    fn a_day_is_a_day() {
        assert_eq!(day("2026-11-28").unwrap().to_string(), "2026-11-28");
        for text in ["", "2026-11", "2026-02-30", "28.11.2026", "2026-11-28T07:00", "20261128"] {
            assert!(day(text).is_err(), "{text}");
        }
    }
}
