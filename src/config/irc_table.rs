//! The table `[irc]`: as the file has it, and as it is validated and listed.
//!
//! Responsible for what is particular to it. Not responsible for what its settings mean ([`super::irc`]), nor for how files are read. A
//! gate without the watch reads what it has a use for, and lets the rest of the table be.

#[cfg(feature = "serve")]
use std::path::PathBuf;

#[cfg(feature = "serve")]
use jiff::civil::Date;
#[cfg(feature = "serve")]
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::json;

#[cfg(feature = "serve")]
use super::diagnostic::Diagnostic;
use super::error::ConfigError;
#[cfg(feature = "serve")]
use super::file::directory;
use super::irc::{self, IrcSettings};
#[cfg(feature = "serve")]
use super::irc::{IrcAccount, IrcBotSettings};
#[cfg(feature = "serve")]
use super::reader::List;
use super::reader::{Located, Section};
use super::settings::List as Entries;
use super::validate::PolicyMerge;
#[cfg(feature = "serve")]
use super::validate::values;
#[cfg(feature = "serve")]
use super::values as value;
use crate::irc::HostPort;
#[cfg(feature = "serve")]
use crate::irc::wire::CaseMapping;

/// The keys of the bot.
#[cfg(not(feature = "serve"))]
const OF_THE_BOT: [&str; 11] = [
    "server",
    "tls",
    "ca",
    "nick",
    "channels",
    "account",
    "password_file",
    "certificate_file",
    "witness_token_file",
    "bots",
    "accounts",
];

/// The table `[irc]`.
#[derive(Debug, Default)]
pub(super) struct FileIrc {
    tcpircbot: Option<Located<HostPort>>,
    log: Option<Located<bool>>,
    #[cfg(feature = "serve")]
    bot: FileBot,
}

/// What of it is the bot's.
#[cfg(feature = "serve")]
#[derive(Debug, Default)]
struct FileBot {
    server: Option<Located<HostPort>>,
    tls: Option<Located<bool>>,
    ca: Option<Located<PathBuf>>,
    nick: Option<Located<String>>,
    channels: Option<List<String>>,
    account: Option<Located<String>>,
    password_file: Option<Located<PathBuf>>,
    certificate_file: Option<Located<PathBuf>>,
    witness_token_file: Option<Located<PathBuf>>,
    bots: Option<List<String>>,
    accounts: Option<Located<Vec<FileAccount>>>,
}

/// One table below `[irc.accounts]`.
#[cfg(feature = "serve")]
#[derive(Debug)]
struct FileAccount {
    services: Located<String>,
    account: Option<Located<String>>,
    since: Option<Located<Date>>,
}

/// Reads it.
pub(super) fn read(table: &mut Section<'_, '_>) -> FileIrc {
    #[cfg(not(feature = "serve"))]
    table.pass_over(&OF_THE_BOT);
    FileIrc {
        tcpircbot: table.parsed("tcpircbot", |text| irc::host_port(text, "tcpircbot.example.org:9200")),
        log: table.boolean("log"),
        #[cfg(feature = "serve")]
        bot: bot(table),
    }
}

#[cfg(feature = "serve")]
fn bot(table: &mut Section<'_, '_>) -> FileBot {
    FileBot {
        server: table.parsed("server", |text| irc::host_port(text, "irc.example.org:6697")),
        tls: table.boolean("tls"),
        ca: table.parsed("ca", directory),
        nick: table.parsed("nick", irc::nick),
        channels: table.list("channels", irc::channel),
        account: table.parsed("account", irc::services_account),
        password_file: table.parsed("password_file", irc::secret_file),
        certificate_file: table.parsed("certificate_file", irc::secret_file),
        witness_token_file: table.parsed("witness_token_file", irc::secret_file),
        bots: table.list("bots", irc::nick),
        accounts: table.sections("accounts").map(|tables| Located {
            value: tables
                .value
                .into_iter()
                .map(|(place, name, section)| account(Located { value: name, place }, section))
                .collect(),
            place: tables.place,
        }),
    }
}

#[cfg(feature = "serve")]
fn account(services: Located<String>, mut table: Section<'_, '_>) -> FileAccount {
    if let Err(wrong) = irc::services_account(&services.value) {
        table.problem(Diagnostic::new(&services.place, wrong.message).help(wrong.help));
    }
    let account = FileAccount {
        services,
        account: table.parsed("account", value::username),
        since: table.parsed("since", irc::day),
    };
    table.finish();
    account
}

impl PolicyMerge<'_> {
    /// Its settings.
    pub(super) fn irc(&mut self, file: FileIrc, base: FileIrc) -> Result<IrcSettings, ConfigError> {
        Ok(IrcSettings {
            tcpircbot: self.either(file.tcpircbot, None).map(|found| found.value),
            log: self.one(file.log, base.log, "irc.log")?.value,
            #[cfg(feature = "serve")]
            bot: self.irc_bot(file.bot, base.bot)?,
        })
    }

    #[cfg(feature = "serve")]
    fn irc_bot(&mut self, file: FileBot, base: FileBot) -> Result<IrcBotSettings, ConfigError> {
        let server = self.either(file.server, None);
        let tls = self.one(file.tls, base.tls, "irc.tls")?;
        if let Some(server) = server.as_ref().filter(|server| !tls.value && !server.value.is_this_machine()) {
            let message = format!(
                "{} is not this machine: everybody on the way could read and change what is said",
                server.value
            );
            self.problems
                .add(Diagnostic::new(&tls.place, message).help("take the line away: the connection is over TLS then"));
        }
        let account = self.either(file.account, None);
        let password_file = self.either(file.password_file, None);
        let certificate_file = self.either(file.certificate_file, None);
        match &account {
            Some(account) if password_file.is_none() && certificate_file.is_none() => {
                let diagnostic = Diagnostic::new(&account.place, "has nothing that proves it");
                self.problems.add(diagnostic.help("name a file in `password_file` or `certificate_file`"));
            }
            Some(account) if server.is_none() => {
                let diagnostic = Diagnostic::new(&account.place, "belongs to no network");
                self.problems.add(diagnostic.help("name the network in `server`"));
            }
            Some(_) => {}
            None => {
                for file in [&password_file, &certificate_file].into_iter().flatten() {
                    let diagnostic = Diagnostic::new(&file.place, "proves no account");
                    self.problems.add(diagnostic.help("name the services account in `account`"));
                }
            }
        }
        if let Some(certificate) = certificate_file.as_ref().filter(|_| !tls.value) {
            let diagnostic = Diagnostic::new(&certificate.place, "is shown over TLS alone");
            self.problems.add(diagnostic.help("take `tls = false` away"));
        }
        let witness_token_file = self.either(file.witness_token_file, None);
        if let Some(token) = witness_token_file.as_ref().filter(|_| server.is_none()) {
            let diagnostic = Diagnostic::new(&token.place, "is for a network that is not named: nothing is heard");
            self.problems.add(diagnostic.help("name the network in `server`"));
        }
        let path = |found: Option<Located<PathBuf>>| found.map(|found| found.value);
        let ca = self.either(file.ca, None);
        Ok(IrcBotSettings {
            server: server.map(|found| found.value),
            tls: tls.value,
            ca: path(ca),
            nick: self.one(file.nick, base.nick, "irc.nick")?.value,
            channels: values(self.one(file.channels, base.channels, "irc.channels")?),
            account: account.map(|found| found.value),
            password_file: path(password_file),
            certificate_file: path(certificate_file),
            witness_token_file: path(witness_token_file),
            bots: values(self.one(file.bots, base.bots, "irc.bots")?),
            accounts: self.either(file.accounts, None).map(|found| self.irc_accounts(found.value)).unwrap_or_default(),
        })
    }

    /// Who is whom. Two names that a network takes for one are one, whichever network it is.
    #[cfg(feature = "serve")]
    fn irc_accounts(&mut self, found: Vec<FileAccount>) -> Vec<IrcAccount> {
        let mut accounts: Vec<IrcAccount> = Vec::new();
        for FileAccount { services, account, since } in found {
            let lacks =
                |what: &str, help: &str| Diagnostic::new(&services.place, format!("has no `{what}`")).help(help);
            if accounts.iter().any(|other| CaseMapping::Rfc1459.same(&other.services, &services.value)) {
                let diagnostic = Diagnostic::new(&services.place, "is the same account as another one of the list");
                self.problems.add(diagnostic.help("take one away: case means nothing on IRC"));
            }
            let (account, since) = (self.either(account, None), self.either(since, None));
            if let Some(since) = since.as_ref().filter(|since| since.value > last_day(self.now)) {
                let message = format!(
                    "{} is in the future: whoever registers the account until then would be believed",
                    since.value
                );
                self.problems
                    .add(Diagnostic::new(&since.place, message).help("write the day on which this was written"));
            }
            match (account, since) {
                (Some(account), Some(since)) => {
                    accounts.push(IrcAccount { services: services.value, account: account.value, since: since.value });
                }
                (None, _) => {
                    self.problems.add(lacks("account", "name the account on the server that it stands for"));
                }
                (_, None) => {
                    let help = "add the day of today: an account that was registered later is somebody else's";
                    self.problems.add(lacks("since", help));
                }
            }
        }
        accounts
    }
}

/// The last day that it is anywhere on Earth: the day is written by who lists an account, wherever they are.
#[cfg(feature = "serve")]
fn last_day(now: Timestamp) -> Date {
    // UTC+14; at the end of all times it is that day already.
    let there = now.saturating_add(SignedDuration::from_hours(14)).unwrap_or(now);
    there.to_zoned(TimeZone::UTC).date()
}

/// What is listed of it.
pub(super) fn entries(irc: &IrcSettings, list: &mut Entries<'_>) {
    let shown = |host: &Option<HostPort>| json!(host.as_ref().map(ToString::to_string));
    list.add("irc.tcpircbot", shown(&irc.tcpircbot));
    list.add("irc.log", json!(irc.log));
    #[cfg(feature = "serve")]
    {
        let bot = &irc.bot;
        list.add("irc.server", shown(&bot.server));
        list.add("irc.tls", json!(bot.tls));
        list.add("irc.ca", json!(bot.ca));
        list.add("irc.nick", json!(bot.nick));
        list.add("irc.channels", json!(bot.channels));
        list.add("irc.account", json!(bot.account));
        list.add("irc.password_file", json!(bot.password_file));
        list.add("irc.certificate_file", json!(bot.certificate_file));
        list.add("irc.witness_token_file", json!(bot.witness_token_file));
        list.add("irc.bots", json!(bot.bots));
        for account in &bot.accounts {
            let key = |name: &str| format!("irc.accounts.{}.{name}", account.services);
            list.add(&key("account"), json!(account.account));
            list.add(&key("since"), json!(account.since.to_string()));
        }
    }
}
