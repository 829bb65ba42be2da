//! The channel on IRC: what the watch says there by itself, and what it answers.
//!
//! Responsible for saying each line once and only while it is true, for answering whoever asks, and for what may be said to readers without an
//! account. Nothing that is heard here is evidence; what is said about a deploy goes to those who write it on the task
//! ([`super::witnessing`]). Not responsible for the connection ([`crate::irc`]), nor for when a team is asked ([`super::paging`]).

mod announcements;
mod announcer;
mod conductor;
mod facts;
mod lines;
mod listener;
mod near_miss;
mod news;
mod nicks;
mod once;
mod presence;
mod registered;
mod said;
mod sentence;
mod voice;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::watch;

use self::announcer::Announcer;
pub use self::facts::{ChannelFacts, EndedTask, Word};
use self::listener::Listener;
use self::nicks::Nicks;
use self::voice::Way;
use super::site::Site;
use super::store::Store;
use super::watch::Watch;
use super::witnessing::{OpenWord, Reply, WitnessAccount, WitnessAccountError, Witnesses, say_unwritten};
use crate::config::{IrcBotError, IrcBotSettings};
use crate::ids::TaskId;
use crate::irc::bot::{Bot, BotHandle, BotSettings, Finality, NotSaid, Outcome, Rank, Target};
use crate::irc::{HostPort, Line};

/// How long the answer to a word may wait to be said.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// After how long it is tried again where it surely was not said.
const ANSWER_AGAIN: Duration = Duration::from_secs(10);

/// How the watch is on IRC; by default it is not.
#[derive(Debug, Default)]
pub struct Channel {
    bot: Option<OwnBot>,
    tcpircbot: Option<HostPort>,
    /// Lines for the log of the site are wanted.
    log: bool,
    /// What people are called there.
    nicks: Nicks,
}

#[derive(Debug)]
struct OwnBot {
    settings: BotSettings,
    /// The channel in which it speaks by itself.
    channel: String,
    /// Who is whom, among others.
    configured: IrcBotSettings,
    /// Who writes on tasks what is said.
    witness: Option<WitnessAccount>,
}

impl Channel {
    /// As it is configured for a site. `read` reads the secret in the file of the key that it is given first.
    ///
    /// # Errors
    /// Where such a file cannot be read, or the settings make no bot.
    pub fn of<E>(
        site: &Site,
        read: impl Fn(&'static str, &Path) -> Result<SecretString, E>,
    ) -> Result<Self, IrcBotError<E>> {
        let settings = &site.irc;
        let configured = &settings.bot;
        let token = configured.witness_token_file.as_deref();
        let token = token.map(|file| read("irc.witness_token_file", file)).transpose().map_err(IrcBotError::Secret)?;
        let mut witness = token.map(|token| WitnessAccount::new(&site.client, token));
        let bot = configured.bot(&site.contact.channel, read)?.map(|bot| OwnBot {
            settings: bot,
            channel: site.bot_channel().to_owned(),
            configured: configured.clone(),
            witness: witness.take(),
        });
        let nicks = Nicks::of(&configured.accounts);
        Ok(Self { bot, tcpircbot: settings.tcpircbot.clone(), log: settings.log, nicks })
    }

    /// Where it speaks, and whether what is said there is written on tasks; `None` where it is not on IRC.
    pub fn speaks(&self) -> Option<String> {
        match (&self.bot, &self.tcpircbot) {
            (Some(OwnBot { channel, configured, witness, .. }), _) => {
                let at = configured.server.as_ref().map(|server| format!(" at {server}")).unwrap_or_default();
                let writes = match witness {
                    Some(_) => "writing on tasks what is said there about deploys",
                    None => "writing nothing of what is said there on tasks",
                };
                Some(format!("in {channel}{at}, and {writes}"))
            }
            (None, Some(host)) => Some(format!("through the tcpircbot at {host}")),
            (None, None) => None,
        }
    }

    /// Looks whose token witnesses are written with, where there is one. While the server does not answer it is looked before the first.
    ///
    /// # Errors
    /// Where the server refuses it, or it is nobody's whom the policy names: nothing that it writes would count.
    pub async fn witness_is_one(&self, site: &Site) -> Result<(), WitnessAccountError> {
        let Some(witness) = self.bot.as_ref().and_then(|bot| bot.witness.as_ref()) else { return Ok(()) };
        match witness.known(&site.policy).await {
            Ok(account) => {
                tracing::info!("what is said on IRC is written on tasks as {}", account.username);
                Ok(())
            }
            Err(WitnessAccountError::Conduit(error)) if !error.is_credentials() => {
                tracing::warn!("whose token witnesses are written with is not checked yet: {error}");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Speaks and answers until it is stopped.
    pub async fn run<S: Store>(self, watch: Arc<Watch<S>>, stop: watch::Receiver<bool>) {
        if self.bot.as_ref().is_none_or(|bot| bot.witness.is_none()) {
            say_unwritten(&watch);
        }
        let handed = self.tcpircbot.map(Way::Tcpircbot);
        let mut takes_approvals = false;
        let (way, talk) = match self.bot {
            Some(OwnBot { settings, channel, configured, witness }) => {
                let (bot, handle, heard) = Bot::new(settings);
                let witnesses = Arc::new(Witnesses::new(Arc::clone(&watch), witness));
                takes_approvals = witnesses.may_approve();
                let listener = Listener::new(Arc::clone(&watch), Arc::clone(&witnesses), handle.clone(), configured);
                let (bot_of_answers, until) = (handle.clone(), stop.clone());
                let writing = tokio::spawn(async move {
                    witnesses.run(|word, reply| reply_to(&bot_of_answers, &witnesses, word, reply), until).await;
                });
                let (bot_of_report, of_report, until) = (handle.clone(), Arc::clone(&watch), stop.clone());
                tokio::spawn(async move {
                    presence::report(bot_of_report, of_report.site.bot_channel(), &of_report.metrics, until).await
                });
                let (running, until) = (tokio::spawn(bot.run(stop.clone())), stop.clone());
                let listening = tokio::spawn(listener.run(heard, until));
                (Some(Way::Bot { bot: handle, channel }), Some((running, listening, writing)))
            }
            None => (handed.clone(), None),
        };
        let Some(way) = way else { return };
        // A tcpircbot is what scap and its like log by.
        let log = self.log.then(|| handed.unwrap_or_else(|| way.clone()));
        Announcer::new(watch, way, log, self.nicks, takes_approvals).run(stop).await;
        if let Some((running, listening, writing)) = talk {
            let _ = tokio::join!(running, listening, writing);
        }
    }
}

/// Says an answer where a word was said, and waits for nothing.
fn reply_to<S: Store>(bot: &BotHandle, witnesses: &Arc<Witnesses<S>>, word: &OpenWord, reply: Reply) {
    let Ok(target) = Target::channel(&word.word.channel) else { return };
    let (bot, witnesses, word) = (bot.clone(), Arc::clone(witnesses), word.clone());
    // What is brought to a task is of somebody who is known.
    let person = word.word.speaker.as_ref().map(|speaker| speaker.user.to_lowercase()).unwrap_or_default();
    tokio::spawn(async move {
        let (finality, line) = match reply {
            Reply::Recorded(line) => return say_recorded(&bot, &witnesses, &word, (target, person), line).await,
            Reply::Refused(line) => (Finality::Final(Some(word.id)), line),
            Reply::Meanwhile(line) => (Finality::Interim(word.id), line),
        };
        let outcome = bot.answer(target, Rank::Listed(person), finality, || Some(line), ANSWER_WITHIN).await;
        say_unheard(word.word.task, &outcome);
    });
}

fn say_unheard(task: TaskId, outcome: &Outcome) {
    if let Some(why) = outcome.why_not_heard() {
        tracing::warn!("{task}: whether a word on IRC is recorded was not answered there: {why}");
    }
}

/// Says that a word is on its task, which whoever said it has to know of a withdrawal and a no as of a yes: it is tried as long as they can
/// be waiting for it, and said once, also where the service ends in between.
async fn say_recorded<S: Store>(
    bot: &BotHandle,
    witnesses: &Arc<Witnesses<S>>,
    word: &OpenWord,
    (target, person): (Target, String),
    line: Line,
) {
    let id = word.id;
    loop {
        let (taking, line) = (Arc::clone(witnesses), line.clone());
        let make = move || taking.take_answer(id).then_some(line);
        let (rank, finality) = (Rank::Done(person.clone()), Finality::Final(Some(id)));
        let outcome = bot.answer(target.clone(), rank, finality, make, ANSWER_WITHIN).await;
        let may_be_again = match &outcome {
            Outcome::NotSaid(NotSaid::Outdated | NotSaid::Ended | NotSaid::OtherChannel | NotSaid::Empty) => false,
            Outcome::NotSaid(_) => witnesses.give_answer_back(word),
            Outcome::Said(_) | Outcome::Unclear { .. } => false,
        };
        if !may_be_again {
            return say_unheard(word.word.task, &outcome);
        }
        tokio::time::sleep(ANSWER_AGAIN).await;
    }
}

#[cfg(test)]
mod tests;
