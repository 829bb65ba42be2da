//! What `doctor` checks of IRC.
//!
//! Responsible for the checks, each a pure function of what was read: nothing is said in a channel for them. Not responsible for reading.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;

use super::heard::{WitnessRead, Witnessing, answering, witness, witnesses, witnessing};
use super::presence::{WatchRead, watch};
use super::untried::{Untried, untried};
use super::{fail, pass, warn};
use crate::conduit::{Account, ConduitError, Project};
use crate::irc::{Barrier, ChannelView, Shown};
use crate::policy::Policy;
use crate::rules::RuleOutcome;
use crate::text::{inert, shorten};

/// How much of a reason is shown.
pub(super) const SHOWN: usize = 160;

/// What was read of IRC. `None` is what is not configured.
#[derive(Debug, Default)]
pub struct Irc {
    /// Where a tcpircbot takes lines, and whether it took a connection.
    pub tcpircbot: Option<(String, TcpircbotRead)>,
    /// How the bot of the watch would be on the network.
    pub bot: Option<BotRead>,
    /// With whose token it is written on tasks what is said.
    pub witness: Option<WitnessRead>,
    /// Those of the accounts of `policy.witnesses` that the server of the tasks knows; `None` where nobody is named there.
    pub witnesses: Option<Result<Vec<Account>, ConduitError>>,
    /// What is configured of witnesses.
    pub witnessing: Witnessing,
    /// The accounts on the server of the tasks of `irc.accounts`, where a bot is configured.
    pub answering: Option<Vec<String>>,
    /// The watch that is configured to ask people on IRC.
    pub watch: Option<Result<WatchRead, Untried>>,
    /// Whether the sandbox is looked at, whose people are on no network.
    pub is_sandbox: bool,
}

/// What a tcpircbot did.
#[derive(Debug)]
pub enum TcpircbotRead {
    /// It took a connection.
    Reached,
    /// It took none, and why.
    Unreached(String),
    /// It was not tried.
    Untried(Untried),
}

impl Irc {
    /// The accounts on the server of the tasks of those who are heard; `None` without a bot. Who is listed with a services account that counts for
    /// nobody is none of them.
    pub fn heard(&self) -> Option<Vec<&str>> {
        let listed = self.answering.as_ref()?;
        Some(match &self.bot {
            Some(BotRead::Tried { network: Ok(network), .. }) => {
                let accounts = network.accounts.iter().filter(|listed| !listed.registered.counts_for_nobody());
                accounts.map(|listed| listed.account.0.as_str()).collect()
            }
            _ => listed.iter().map(String::as_str).collect(),
        })
    }
}

/// How the bot would be on the network.
#[derive(Debug)]
pub enum BotRead {
    /// It was not tried.
    Untried(Untried),
    /// It was tried.
    Tried {
        /// Where.
        server: String,
        /// What came of it; `Err` where there was no connection.
        network: Result<NetworkRead, Unreached>,
    },
}

/// Why there was no connection, and what to do about it, where that is known.
#[derive(Debug)]
pub struct Unreached(pub String, pub Option<&'static str>);

/// What the network shows.
#[derive(Debug, Default)]
pub struct NetworkRead {
    /// The capabilities that the bot has a use for and gets.
    pub offered: Vec<&'static str>,
    /// Those that it does not.
    pub lacking: Vec<&'static str>,
    /// The account that it is to log in with, and how that went; `None` where it has none.
    pub login: Option<(String, LoginRead)>,
    /// What it shows of the bot's channels to who is not in them.
    pub channels: Vec<ChannelView>,
    /// The accounts of `irc.accounts`.
    pub accounts: Vec<ListedAccount>,
}

/// How the login of the bot went.
#[derive(Debug)]
pub enum LoginRead {
    /// As it is set up.
    Done,
    /// By the password, after its certificate was refused, and why.
    ByPassword(String),
    /// The services refused what proves the account, and why.
    ProofRefused(Proof, String),
    /// It did not come about for another reason.
    Refused(String),
}

/// What is configured to prove the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A password alone.
    Password,
    /// A certificate alone.
    Certificate,
    /// A certificate, which is tried first, and a password.
    Both,
}

impl Proof {
    /// What it is called, and what to do where the services refuse it.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Password => (
                "the password",
                "put the password of the services account that `irc.account` names into the file of `irc.password_file`, alone on a line: not one of the network, nor that of a nick",
            ),
            Self::Certificate => (
                "the certificate",
                "have the fingerprint of the certificate in `irc.certificate_file` added to the account that `irc.account` names (`/msg NickServ CERT ADD`), and look whether it has expired",
            ),
            Self::Both => (
                "the certificate and the password",
                "put the password of the services account that `irc.account` names into the file of `irc.password_file`, alone on a line: not one of the network, nor that of a nick; a certificate (`irc.certificate_file`) has to be in `/msg NickServ CERT LIST`",
            ),
        }
    }
}

/// One account of `irc.accounts`.
#[derive(Debug)]
pub struct ListedAccount {
    /// The services account.
    pub services: String,
    /// When it was listed.
    pub since: Date,
    /// The account on the server of the tasks, and whether the server knows it, where it was asked.
    pub account: (String, Option<bool>),
    /// What the services say of it.
    pub registered: Registered,
}

/// What the services say of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// It was there when it was listed.
    Then,
    /// It was registered later, at this time.
    Later(Timestamp),
    /// There is none.
    Not,
    /// The name is a nick of this other account.
    NickOf(String),
    /// They did not answer.
    Silent,
    /// Who answered in their place is none of them, and is on this server.
    NoService(String),
    /// They answered these words.
    Unclear(String),
}

impl Registered {
    /// Whether what somebody says with it counts for nobody, as far as the services said.
    fn counts_for_nobody(&self) -> bool {
        matches!(self, Self::Later(_) | Self::Not | Self::NickOf(_))
    }
}

/// The checks of IRC.
pub fn irc(
    read: &Irc,
    projects: &Result<BTreeMap<String, Project>, ConduitError>,
    members: &Result<Vec<Account>, ConduitError>,
    policy: &Policy,
) -> Vec<RuleOutcome> {
    let mut checks = network(read);
    let mut heard = Vec::new();
    // Where they are not known the teams' own checks say so.
    if let (Some(listed), Ok(projects), Ok(members)) = (read.heard(), projects, members) {
        heard.extend(answering(&listed, projects, members, policy));
    }
    heard.extend(witnessing(read.witnessing, policy.accept_witnessed, read.witness.as_ref()));
    if read.is_sandbox {
        let nobody = Untried::InSandbox("the people of the sandbox are on no network");
        heard = heard.iter().map(|check| untried(&check.name, &nobody)).collect();
    }
    checks.extend(read.witnesses.iter().flat_map(|known| witnesses(known, policy)));
    checks.extend(read.witness.as_ref().map(|read| witness(read, policy)));
    checks.extend(heard);
    checks
}

/// The checks of what is reached over IRC.
fn network(read: &Irc) -> Vec<RuleOutcome> {
    let mut checks: Vec<RuleOutcome> = read.tcpircbot.iter().map(|(at, reached)| tcpircbot(at, reached)).collect();
    let is_on_irc = read.bot.is_some() || read.tcpircbot.is_some();
    checks.extend(read.watch.as_ref().map(|read| watch(read, is_on_irc)));
    match &read.bot {
        None => {}
        Some(BotRead::Untried(why)) => checks.push(untried(NETWORK, why)),
        Some(BotRead::Tried { server, network: Err(Unreached(why, advice)) }) => checks.push(fail(
            NETWORK,
            format!("the bot cannot get onto {server} ({})", shorten(why, SHOWN)),
            advice.unwrap_or(
                "look at `irc.server` and at what stands between this machine and it, and into the log of the server",
            ),
        )),
        Some(BotRead::Tried { server, network: Ok(network) }) => {
            checks.push(pass(NETWORK, format!("{server} lets the bot in")));
            checks.push(capabilities(network));
            checks.extend(network.login.as_ref().map(|(account, login)| self::login(account, login)));
            checks.extend(network.channels.iter().map(channel));
            checks.extend(network.accounts.iter().map(account));
        }
    }
    checks
}

/// What stands between the bot and a channel, as far as that is seen from outside: it is not joined for this.
fn channel(read: &ChannelView) -> RuleOutcome {
    let channel = inert(&read.name);
    let name = format!("irc:channel:{channel}");
    let (letters, barriers) = match &read.shown {
        Shown::Nothing => {
            let message = format!(
                "the network does not say how {channel} is set: whether the bot may join it is known once it does"
            );
            return pass(&name, message);
        }
        Shown::NoChannel => {
            return warn(
                &name,
                format!("the network shows no channel {channel}: nobody is in it, or it is secret"),
                "look whether `irc.channels` names the channel that people are in; where it is secret, nothing is to be done",
            );
        }
        Shown::Modes { letters, barriers } => (letters, barriers),
    };
    let out = Vec::from_iter(barriers.iter().filter_map(keeps_out));
    let notes = Vec::from_iter(barriers.iter().filter_map(note));
    let is_moderated = barriers.contains(&Barrier::Moderated);
    if out.is_empty() && !is_moderated {
        let though = if notes.is_empty() { String::new() } else { format!(", though {}", notes.join(", and ")) };
        let letters = shorten(letters, SHOWN);
        let shows = format!("keeps nobody out as far as its modes show{though}; a ban shows once the bot joins");
        return pass(&name, format!("{channel} (+{letters}) {shows}"));
    }
    let (whys, mut hints): (Vec<&str>, Vec<&str>) = out.into_iter().unzip();
    let mut parts = Vec::new();
    if !whys.is_empty() {
        parts.push(format!("{}: perhaps the bot may not join it", whys.join(", and ")));
    }
    if is_moderated {
        parts.push("is moderated (+m): while the bot has no voice there, nobody is asked".to_owned());
        hints.push("have the bot's account given a voice by the access of the channel (ChanServ)");
    }
    let parts = parts.into_iter().chain(notes).collect::<Vec<_>>().join("; ");
    warn(&name, format!("{channel} {parts}"), hints.join("; "))
}

/// What keeps people out, and what to do about it; `None` where it does not for itself.
fn keeps_out(barrier: &Barrier) -> Option<(&'static str, &'static str)> {
    match barrier {
        Barrier::InviteOnly => Some((
            "is invite-only (+i)",
            "have the bot's account listed in the access of the channel (ChanServ), in its exceptions (+I), or have the bot invited",
        )),
        Barrier::Key => {
            Some(("has a key (+k), which the bot does not know", "have the key taken away: the bot has none"))
        }
        Barrier::AccountsOnly => Some((
            "lets in nobody who is not logged in, and the bot has no account",
            "give the bot a services account: `irc.account`, and what proves it",
        )),
        Barrier::Moderated | Barrier::Limit | Barrier::Forward(_) => None,
    }
}

/// What may keep people out at times, in a clause.
fn note(barrier: &Barrier) -> Option<String> {
    match barrier {
        Barrier::Limit => Some("it lets in no more people than its limit (+l)".to_owned()),
        Barrier::Forward(letter) => Some(format!("who may not join is sent to another channel (+{letter})")),
        Barrier::InviteOnly | Barrier::Key | Barrier::AccountsOnly | Barrier::Moderated => None,
    }
}

/// The name of the check of the network.
const NETWORK: &str = "irc:network";

fn tcpircbot(at: &str, read: &TcpircbotRead) -> RuleOutcome {
    const NAME: &str = "irc:tcpircbot";
    match read {
        TcpircbotRead::Reached => pass(NAME, format!("{at} takes a connection; nothing was said")),
        TcpircbotRead::Untried(why) => untried(NAME, why),
        TcpircbotRead::Unreached(why) => fail(
            NAME,
            format!("{at} takes no connection ({})", shorten(why, SHOWN)),
            "look at `irc.tcpircbot`, and whether it runs and lets this machine connect",
        ),
    }
}

fn capabilities(network: &NetworkRead) -> RuleOutcome {
    const NAME: &str = "irc:capabilities";
    let offered = match network.offered.as_slice() {
        [] => "none that the bot has a use for".to_owned(),
        offered => offered.join(", "),
    };
    let lacks = |name| network.lacking.contains(&name);
    // SASL is of the login, and without cap-notify the bot learns later of what changes.
    let consequences = [
        (lacks("account-tag") || lacks("server-time") || lacks("message-tags"))
            .then_some("nobody can be known by their account, so that `!ack` and the like count for nobody"),
        lacks("echo-message").then_some("of no line it can be known whether it was said"),
    ];
    let consequences: Vec<&str> = consequences.into_iter().flatten().collect();
    let lacking = network.lacking.join(", ");
    match (consequences.as_slice(), lacking.is_empty()) {
        ([], true) => pass(NAME, format!("offered: {offered}")),
        ([], false) => pass(NAME, format!("offered: {offered}; not offered: {lacking}")),
        (consequences, _) => warn(
            NAME,
            format!("offered: {offered}; not offered: {lacking}: {}", consequences.join("; ")),
            "have the network switch them on, or use a network that has them",
        ),
    }
}

fn login(account: &str, login: &LoginRead) -> RuleOutcome {
    const NAME: &str = "irc:login";
    match login {
        LoginRead::Done => pass(NAME, format!("the bot is logged in as {}", inert(account))),
        LoginRead::ByPassword(why) => warn(
            NAME,
            format!(
                "the bot is logged in as {} by its password; its certificate was refused ({})",
                inert(account),
                shorten(why, SHOWN)
            ),
            "look whether the services know the fingerprint of the certificate (`/msg NickServ CERT LIST`); some refuse every certificate at times",
        ),
        LoginRead::ProofRefused(proof, why) => {
            let (refused, hint) = proof.words();
            let said = shorten(why, SHOWN);
            let message = format!("the services refuse {refused} of the bot's account {} ({said})", inert(account));
            fail(NAME, message, hint)
        }
        LoginRead::Refused(why) => fail(
            NAME,
            format!("the bot cannot log in as {} ({})", inert(account), shorten(why, SHOWN)),
            "look whether the services of the network are there, and at `irc.account`; type it again when they are",
        ),
    }
}

/// Whether an account is whom it is listed as. One that is not counts for nothing when somebody says something with it.
fn account(listed: &ListedAccount) -> RuleOutcome {
    let services = inert(&listed.services);
    let name = format!("irc:account:{services}");
    let (account, is_known) = (inert(&listed.account.0), listed.account.1);
    let table = format!("`irc.accounts.{services}`");
    match &listed.registered {
        Registered::Then if is_known == Some(false) => fail(
            &name,
            format!(
                "the server of the tasks knows no account {account} that is in use, for which {services} would stand"
            ),
            format!("write the username as the server has it, in {table}, or take the table away"),
        ),
        Registered::Then => pass(
            &name,
            format!("{services} was registered by {}, when it was listed, and stands for {account}", listed.since),
        ),
        Registered::Later(since) => fail(
            &name,
            format!(
                "{services} was registered {}, after it was listed ({}): it may be somebody else who took the name, and counts for nobody",
                crate::time::utc(*since),
                listed.since
            ),
            format!(
                "ask {account}, not on IRC, whether the account is theirs; then write today's day as `since` in {table}, else take it away"
            ),
        ),
        Registered::Not => fail(
            &name,
            format!(
                "there is no services account {services}: whoever registers it until it is looked at again is not {account}"
            ),
            format!("take {table} away, until {account} has registered it; then list it with the day of that"),
        ),
        Registered::NickOf(other) => fail(
            &name,
            format!("{services} is a nick of the account {}, and no account itself", inert(other)),
            format!("list the account in place of the nick, once {account} has said that it is theirs"),
        ),
        Registered::Silent => warn(
            &name,
            format!("whether {services} is registered is not known: NickServ did not answer"),
            "type it again when the services are there; until then nobody new is known on the network",
        ),
        Registered::NoService(server) => warn(
            &name,
            format!(
                "whether {services} is registered is not known: the network does not say that who has the nick NickServ, on {}, is a service",
                shorten(server, SHOWN)
            ),
            "type it again when the services are there; where they are, what needs to know who somebody is counts for nobody on this network",
        ),
        Registered::Unclear(words) => warn(
            &name,
            format!("whether {services} is registered is not known: NickServ answered {:?}", shorten(words, SHOWN)),
            "the services answer otherwise than Atheme's: what needs to know who somebody is counts for nobody there",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::built_in;
    use crate::rules::Outcome;

    fn checks(read: &Irc) -> Vec<RuleOutcome> {
        irc(read, &Ok(BTreeMap::new()), &Ok(vec![]), &built_in())
    }

    #[test]
    fn what_may_keep_the_bot_out_of_a_channel_is_said_with_what_to_do() {
        let of = |shown| channel(&ChannelView { name: "#ops".into(), shown });
        let modes = |barriers: &[Barrier]| of(Shown::Modes { letters: "int".into(), barriers: barriers.to_vec() });
        let open = modes(&[]);
        assert_eq!((open.name.as_str(), open.outcome), ("irc:channel:#ops", Outcome::Pass));
        assert!(open.message.starts_with("#ops (+int)"), "{open:?}");
        let invite = modes(&[Barrier::InviteOnly]);
        assert!(invite.outcome == Outcome::Warn && invite.message.contains("is invite-only (+i)"), "{invite:?}");
        assert!(invite.hint.unwrap().contains("(ChanServ)"));
        let both = modes(&[Barrier::Key, Barrier::AccountsOnly]);
        assert!(both.message.contains("(+k)") && both.message.contains("and the bot has no account"), "{both:?}");
        assert!(both.hint.unwrap().contains("; give the bot a services account"));
        let moderated = modes(&[Barrier::Moderated, Barrier::Limit]);
        let said =
            "#ops is moderated (+m): while the bot has no voice there, nobody is asked; it lets in no more people";
        assert!(moderated.outcome == Outcome::Warn && moderated.message.starts_with(said), "{moderated:?}");
        let limited = modes(&[Barrier::Limit, Barrier::Forward('L')]);
        let said = "though it lets in no more people than its limit (+l), and who may not join is sent to another channel (+L); a ban";
        assert!(limited.outcome == Outcome::Pass && limited.message.contains(said), "{limited:?}");
        let none = of(Shown::NoChannel);
        assert!(none.outcome == Outcome::Warn && none.message.contains("shows no channel #ops"), "{none:?}");
        let unknown = of(Shown::Nothing);
        assert!(unknown.outcome == Outcome::Pass && unknown.message.contains("known once it does"), "{unknown:?}");
    }

    #[test]
    fn who_is_listed_with_an_account_that_counts_for_nobody_is_not_heard() {
        let listed = |name: &str, registered| ListedAccount {
            services: name.to_owned(),
            since: "2026-11-28".parse().unwrap(),
            account: (name.to_owned(), Some(true)),
            registered,
        };
        let accounts =
            vec![listed("sre1", Registered::Then), listed("sre2", Registered::Not), listed("sre3", Registered::Silent)];
        let tried = |network| Some(BotRead::Tried { server: "irc.example:6697".into(), network });
        let answering = || Some(["sre1", "sre2", "sre3"].map(str::to_owned).to_vec());
        let read = |bot| Irc { bot, answering: answering(), ..Irc::default() };
        let known = read(tried(Ok(NetworkRead { accounts, ..NetworkRead::default() })));
        assert_eq!(known.heard().unwrap(), ["sre1", "sre3"]);
        let unreached = Err(Unreached("no connection".into(), None));
        assert_eq!(read(tried(unreached)).heard().unwrap(), ["sre1", "sre2", "sre3"]);
        assert_eq!(Irc::default().heard(), None);
    }

    #[test]
    fn what_is_not_looked_at_in_the_sandbox_is_listed_with_the_reason() {
        let witnessing = Witnessing { has_bot: true, has_token: true, is_elsewhere: false };
        let checked = |is_sandbox: bool| {
            let witness = is_sandbox.then_some(WitnessRead::Untried(Untried::ELSEWHERE));
            checks(&Irc { witnessing, witness, is_sandbox, ..Irc::default() })
        };
        assert_eq!(checked(false).iter().map(|check| &check.name).collect::<Vec<_>>(), ["irc:witnessed"]);
        let sandbox = checked(true);
        assert_eq!(sandbox.iter().map(|check| &check.name).collect::<Vec<_>>(), ["irc:witness", "irc:witnessed"]);
        for check in sandbox {
            assert!(check.outcome == Outcome::Warn && check.message.starts_with("not checked: "), "{check:?}");
        }
    }

    fn listed(registered: Registered) -> RuleOutcome {
        let since = "2026-11-28".parse().unwrap();
        account(&ListedAccount { services: "alice".into(), since, account: ("Alice".into(), Some(true)), registered })
    }

    #[test]
    fn an_account_that_is_not_whom_it_was_listed_as_fails_with_what_to_do() {
        assert_eq!(listed(Registered::Then).outcome, Outcome::Pass);
        let later = listed(Registered::Later("2026-11-29T07:00:00Z".parse().unwrap()));
        let not = listed(Registered::Not);
        let nick = listed(Registered::NickOf("bob".into()));
        for failed in [&later, &not, &nick] {
            assert_eq!((failed.name.as_str(), failed.outcome), ("irc:account:alice", Outcome::Fail));
            assert!(failed.hint.as_ref().unwrap().contains("Alice"), "{failed:?}");
        }
        assert!(later.message.contains("after it was listed (2026-11-28)"), "{later:?}");
        assert_eq!(listed(Registered::Silent).outcome, Outcome::Warn);
        let stranger = listed(Registered::NoService("irc.example\u{202e}".into()));
        assert_eq!(stranger.outcome, Outcome::Warn);
        assert!(stranger.message.contains("NickServ, on irc.example\\u{202e}, is a service"), "{}", stranger.message);
        let unclear = listed(Registered::Unclear("who\u{202e}?".into()));
        assert!(unclear.outcome == Outcome::Warn && !unclear.message.contains('\u{202e}'));
        let nobody = account(&ListedAccount {
            services: "alice".into(),
            since: "2026-11-28".parse().unwrap(),
            account: ("Alise".into(), Some(false)),
            registered: Registered::Then,
        });
        assert!(nobody.outcome == Outcome::Fail && nobody.message.contains("knows no account Alise"), "{nobody:?}");
    }

    #[test]
    fn a_network_without_what_the_bot_needs_is_warned_of_with_what_follows() {
        let of = |offered: &[&'static str], lacking: &[&'static str]| {
            capabilities(&NetworkRead {
                offered: offered.to_vec(),
                lacking: lacking.to_vec(),
                ..NetworkRead::default()
            })
        };
        let all = of(&["account-tag", "echo-message"], &[]);
        assert_eq!((all.outcome, all.message.as_str()), (Outcome::Pass, "offered: account-tag, echo-message"));
        assert_eq!(of(&["account-tag"], &["cap-notify", "sasl"]).outcome, Outcome::Pass);
        let mute = of(&["account-tag"], &["echo-message"]);
        assert!(mute.outcome == Outcome::Warn && mute.message.ends_with("whether it was said"), "{mute:?}");
        let blind = of(&[], &["account-tag"]);
        assert!(blind.outcome == Outcome::Warn && blind.message.contains("`!ack`"), "{blind:?}");
    }

    #[test]
    fn what_cannot_be_reached_or_used_fails() {
        let outcomes = |read: &Irc| checks(read).iter().map(|check| check.outcome).collect::<Vec<_>>();
        assert_eq!(outcomes(&Irc::default()), []);
        let at = |reached| Irc { tcpircbot: Some(("tcpircbot.example:9200".into(), reached)), ..Irc::default() };
        assert_eq!(outcomes(&at(TcpircbotRead::Reached)), [Outcome::Pass]);
        assert_eq!(outcomes(&at(TcpircbotRead::Unreached("refused".into()))), [Outcome::Fail]);
        assert_eq!(outcomes(&at(TcpircbotRead::Untried(Untried::ELSEWHERE))), [Outcome::Warn]);
        let bot = |bot| Irc { bot: Some(bot), ..Irc::default() };
        let not_theirs = || Untried::NotTheirs("permission denied".into());
        assert_eq!(outcomes(&bot(BotRead::Untried(not_theirs()))), [Outcome::Warn]);
        assert_eq!(outcomes(&bot(BotRead::Untried(Untried::Unusable("no channel".into(), None)))), [Outcome::Fail]);
        let witness = |read| outcomes(&Irc { witness: Some(read), ..Irc::default() });
        assert_eq!(witness(WitnessRead::Untried(not_theirs())), [Outcome::Warn]);
        assert_eq!(witness(WitnessRead::Of("irc-witness".into(), true)), [Outcome::Pass]);
        assert_eq!(witness(WitnessRead::Of("phabgate".into(), false)), [Outcome::Fail]);
        let tried = |network| bot(BotRead::Tried { server: "irc.example:6697".into(), network });
        let no_tls = tried(Err(Unreached("no TLS".into(), Some("name the authority in `irc.ca`"))));
        let hint = checks(&no_tls).remove(0).hint.unwrap();
        assert_eq!((outcomes(&no_tls), hint.as_str()), (vec![Outcome::Fail], "name the authority in `irc.ca`"));
        assert_eq!(login("phabgate", &LoginRead::Done).outcome, Outcome::Pass);
        let by_password = login("phabgate", &LoginRead::ByPassword("unknown\u{3}".into()));
        assert!(
            by_password.outcome == Outcome::Warn && by_password.message.ends_with("(unknown\\u{3})"),
            "{by_password:?}"
        );
        for (proof, named, other) in [
            (Proof::Password, "irc.password_file", "irc.certificate_file"),
            (Proof::Certificate, "irc.certificate_file", "irc.password_file"),
        ] {
            let login = Some(("phabgate".into(), LoginRead::ProofRefused(proof, "invalid".into())));
            let refused = tried(Ok(NetworkRead { login, ..NetworkRead::default() }));
            assert_eq!(outcomes(&refused), [Outcome::Pass, Outcome::Pass, Outcome::Fail]);
            let hint = checks(&refused).remove(2).hint.unwrap();
            assert!(hint.contains(named) && !hint.contains(other), "{hint}");
        }
    }
}
