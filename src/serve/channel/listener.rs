//! Answering in the channel.
//!
//! Responsible for who is answered what: by the account that the network names, and the configuration's mapping of it, which is used when
//! something is heard and never again. Not responsible for what of a line is a command ([`crate::irc::bot`]).

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::ready;
use futures_util::{StreamExt, stream};
use jiff::SignedDuration;
use tokio::sync::watch;

use super::lines;
use super::near_miss::{near_miss, nothing_here};
use super::nicks::Nicks;
use super::registered::Registered;
use crate::config::{IrcAccount, IrcBotSettings};
use crate::ids::TaskId;
use crate::irc::Line;
use crate::irc::bot::{
    BotHandle, Command, Finality, Heard, Info, NearMiss, Place, Rank, Receiver, Request, Target, Verb,
};
use crate::serve::audience::Audience;
use crate::serve::board::WatchedTask;
use crate::serve::paging::AckOutcome;
use crate::serve::store::Store;
use crate::serve::watch::{Looked, Watch, stopped};
use crate::serve::witnessing::{Refusal, Speaker, SpokenWord, Witnesses, not_recorded, usage};
use crate::witness::WitnessedWord;

/// How long an answer may wait: whoever asked then has gone on.
const WITHIN: Duration = Duration::from_secs(15);

/// How long a task may take to be read of which nothing is known yet: with the services' answer less than who waits does.
const LOOK: Duration = Duration::from_secs(6);

/// How long it may take, once the service is to end, to keep what was heard before: who said it is mostly known by then.
const LEAVING: Duration = Duration::from_secs(5);

/// Of how many it is found out at once who said them.
const AT_ONCE: usize = 16;

/// What it means that the services do not say who registered an account when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Silence {
    /// Nobody is known.
    NamesNobody,
    /// What the network said when they logged in is believed.
    Passes,
}

/// What is done with what was heard.
#[derive(Debug)]
enum Understood {
    /// This is answered.
    Answer(Line),
    /// This is answered before what others only asked: something was done.
    Done(Line),
    /// Nothing is: it was not said where words count.
    Nothing,
    /// It is kept, and brought to its task where it may be.
    Word(Box<HeardWord>),
}

/// A word about a deploy.
#[derive(Debug)]
struct HeardWord {
    word: SpokenWord,
    /// Why it counts for nothing, where it does.
    refusal: Option<Refusal>,
    /// The address of the task.
    url: String,
}

/// What is answered to a word about what is no open emergency.
fn none(word: &SpokenWord) -> Understood {
    Understood::Answer(not_recorded(word, &Refusal::NoEmergency, None))
}

/// Who answers in the channel, for as long as the service runs.
#[derive(Debug)]
pub(super) struct Listener<S> {
    watch: Arc<Watch<S>>,
    witnesses: Arc<Witnesses<S>>,
    registered: Registered,
    bot: BotHandle,
    settings: IrcBotSettings,
}

impl<S: Store> Listener<S> {
    /// Of a watch.
    pub(super) fn new(
        watch: Arc<Watch<S>>,
        witnesses: Arc<Witnesses<S>>,
        bot: BotHandle,
        settings: IrcBotSettings,
    ) -> Self {
        Self { watch, witnesses, registered: Registered::new(bot.clone()), bot, settings }
    }

    /// Answers until it is stopped; what was heard before is kept. Who said what is found out for several at once, so that nobody waits for services that are silent about
    /// others; what was said is kept in its order, and what needs nobody's account is answered at once.
    pub(super) async fn run(self, heard: Receiver, stop: watch::Receiver<bool>) {
        let heard = stream::unfold(heard, async |mut heard| heard.recv().await.map(|one| (one, heard)));
        let waits = heard.filter_map(|heard| {
            let answered = self.answered(&heard);
            let left = answered.is_none().then(|| heard.clone());
            answered.into_iter().for_each(|line| self.reply(&heard, line, false, Finality::Other));
            ready(left)
        });
        let understood = waits.map(async |heard| (self.understand(&heard).await, heard)).buffered(AT_ONCE);
        let mut understood = pin!(understood);
        let mut left = pin!(async {
            stopped(stop).await;
            tokio::time::sleep(LEAVING).await;
        });
        loop {
            // The bot ends as the service does, and with it what is heard and what the services are asked.
            let next = tokio::select! {
                biased;
                next = understood.next() => next,
                () = &mut left => return,
            };
            let Some((understood, heard)) = next else { return };
            match understood {
                Understood::Answer(line) => self.reply(&heard, line, false, Finality::Other),
                Understood::Done(line) => self.reply(&heard, line, true, Finality::Other),
                Understood::Nothing => {}
                // What is to be written on a task is answered once it is there.
                Understood::Word(word) => {
                    if let Some(line) = self.keep(*word) {
                        self.reply(&heard, line, false, Finality::Final(None));
                    }
                }
            }
        }
    }

    /// The answer to what asks for no account; `None` where it does.
    fn answered(&self, heard: &Heard) -> Option<Line> {
        let command = match &heard.request {
            Request::NearMiss(miss) => {
                let watched = miss.task.and_then(|task| self.watch.board.watched(task));
                // What may be talk, or for another bot, is answered where it is about an emergency.
                let is_for_us = watched.is_some() || !miss.flaw.may_be_talk();
                return is_for_us.then(|| self.near_miss(heard, miss, watched.as_deref()));
            }
            Request::Command(command) => command,
        };
        let board = &self.watch.board;
        Some(match command {
            Command::Help if self.witnesses.are_written() => usage(self.witnesses.may_approve()),
            Command::Help => lines::help(),
            Command::Status(task) => match board.watched(*task) {
                None => self.no_emergency(heard, *task),
                Some(watched) => {
                    let (paging, code) = (self.watch.team_paging(&watched), self.witnesses.code(&watched));
                    lines::status(&watched, &paging, code, board.now())
                }
            },
            Command::Who(task) => match board.watched(*task) {
                None => self.no_emergency(heard, *task),
                Some(watched) => {
                    let (nicks, state) = (Nicks::of(&self.settings.accounts), self.bot.state());
                    let nick = |name: &str| nicks.nick(name, |nick| state.sees(nick));
                    lines::who(&watched, &self.watch.team_paging(&watched), &nick, board.now())
                }
            },
            Command::Ack(_) | Command::Approve { .. } | Command::Withdraw { .. } | Command::Reject { .. } => {
                return None;
            }
        })
    }

    /// What is done with what somebody said who has to be known.
    async fn understand(&self, heard: &Heard) -> Understood {
        let command = match &heard.request {
            Request::NearMiss(miss) => return self.miss(heard, miss).await,
            Request::Command(command) => command,
        };
        match command {
            Command::Ack(task) => self.acknowledge(heard, *task).await,
            Command::Approve { task, team, code } => {
                let of_team = |word| SpokenWord { team: Some(team.clone()), code: Some(*code), ..word };
                self.hear(heard, self.word(heard, *task, WitnessedWord::Approve).map(of_team)).await
            }
            Command::Withdraw { task, why } => {
                let for_reason = |word| SpokenWord { why: why.clone(), ..word };
                self.hear(heard, self.word(heard, *task, WitnessedWord::Withdraw).map(for_reason)).await
            }
            Command::Reject { task, why } => {
                let for_reason = |word| SpokenWord { why: why.clone(), ..word };
                self.hear(heard, self.word(heard, *task, WitnessedWord::Reject).map(for_reason)).await
            }
            Command::Help | Command::Status(_) | Command::Who(_) => Understood::Nothing,
        }
    }

    /// What is answered to a near miss about a task of which the watch has not heard yet, as right after its start: who is listed may have said no.
    async fn miss(&self, heard: &Heard, miss: &NearMiss) -> Understood {
        let Some(task) = miss.task.filter(|_| self.listed(heard).is_some()) else { return Understood::Nothing };
        match self.watch.look_now(task, LOOK).await {
            Some(Looked::Open(watched)) => Understood::Answer(self.near_miss(heard, miss, Some(&watched))),
            Some(Looked::Closed | Looked::Hidden | Looked::Unread) | None => Understood::Nothing,
        }
    }

    /// What is answered to what looks like a command and is none.
    fn near_miss(&self, heard: &Heard, miss: &NearMiss, watched: Option<&WatchedTask>) -> Line {
        let is_taken = match miss.verb {
            Verb::Approve => self.witnesses.may_approve(),
            Verb::Reject | Verb::Withdraw => self.witnesses.are_written(),
            Verb::Status | Verb::Who | Verb::Ack | Verb::Help => true,
        };
        if !is_taken {
            return nothing_here(&heard.nick, miss.verb);
        }
        let user = self.listed(heard).map(|listed| listed.account.as_str());
        near_miss(&heard.nick, miss, watched, user, &self.watch.site.policy)
    }

    /// A word about a deploy, of which nothing is known yet; `None` where it was not said in a channel.
    fn word(&self, heard: &Heard, task: TaskId, word: WitnessedWord) -> Option<SpokenWord> {
        let Place::Channel(channel) = &heard.place else { return None };
        let came = SignedDuration::try_from(heard.came.elapsed()).unwrap_or_default();
        let now = self.watch.board.now();
        Some(SpokenWord {
            task,
            word,
            team: None,
            code: None,
            why: None,
            nick: heard.nick.clone(),
            speaker: None,
            network: self.settings.server.as_ref().map(|server| server.name()).unwrap_or_default(),
            channel: channel.clone(),
            heard: now.saturating_sub(came).unwrap_or(now),
        })
    }

    /// Finds out who said a word about a deploy, or why it counts for nothing.
    async fn hear(&self, heard: &Heard, word: Option<SpokenWord>) -> Understood {
        let Some(word) = word else { return Understood::Nothing };
        let speaker = self.speaker(heard, &word).await;
        let watched = match (self.watch.board.watched(word.task), &speaker) {
            (Some(watched), _) => Some(watched),
            // A task of which the watch has not heard yet, as right after its start: of who is known nothing is passed over.
            (None, Ok(_)) => match self.watch.look_now(word.task, LOOK).await {
                Some(Looked::Open(watched)) => Some(watched),
                Some(Looked::Closed | Looked::Hidden) => return none(&word),
                // It is judged once it can be read.
                Some(Looked::Unread) | None => None,
            },
            (None, Err(_)) => return none(&word),
        };
        let is_restricted = watched.as_ref().is_some_and(|watched| watched.audience == Audience::Restricted);
        let (word, refusal) = match speaker {
            _ if is_restricted => (word, Some(Refusal::Restricted)),
            Ok(speaker) => (SpokenWord { speaker: Some(speaker), ..word }, None),
            Err(refusal) => (word, Some(refusal)),
        };
        let url = word.task.url(&self.watch.site.server);
        Understood::Word(Box::new(HeardWord { word, refusal, url }))
    }

    /// Keeps a word about a deploy; what is answered, where that is known by now.
    fn keep(&self, heard: HeardWord) -> Option<Line> {
        let HeardWord { word, refusal, url } = heard;
        let url = Some(url.as_str());
        // Of a restricted task nothing is kept either.
        if refusal == Some(Refusal::Restricted) {
            return Some(not_recorded(&word, &Refusal::Restricted, url));
        }
        if let Err(error) = self.witnesses.keep(&word, refusal.as_ref()) {
            tracing::error!("{}: {error}", word.task);
            let why = Refusal::NotIdentified("it could not be kept".to_owned());
            return Some(not_recorded(&word, &why, url));
        }
        refusal.map(|why| not_recorded(&word, &why, url))
    }

    /// Who said a word that may be written on its task.
    async fn speaker(&self, heard: &Heard, word: &SpokenWord) -> Result<Speaker, Refusal> {
        if !self.witnesses.are_written() {
            return Err(Refusal::NoWitness);
        }
        let is_yes = word.word == WitnessedWord::Approve;
        if is_yes && !self.witnesses.may_approve() {
            return Err(Refusal::NotAccepted);
        }
        if is_yes && !heard.services {
            return Err(Refusal::NoServices);
        }
        // A no of who was logged in before the services went counts all the same.
        let silence = if is_yes { Silence::NamesNobody } else { Silence::Passes };
        let (user, is_certain) = self.account(heard, silence).await.map_err(Refusal::NotIdentified)?;
        let who = heard.who.as_ref().map_err(|why| Refusal::NotIdentified(why.to_string()))?;
        Ok(Speaker { account: who.account.clone(), user, said: who.time, message: who.msgid.clone(), is_certain })
    }

    async fn acknowledge(&self, heard: &Heard, task: TaskId) -> Understood {
        let account = match self.account(heard, Silence::NamesNobody).await {
            Ok((account, _)) => account,
            Err(why) => return Understood::Answer(lines::nobody(&heard.nick, task, &why)),
        };
        let now = self.watch.board.now();
        match self.watch.acknowledge(task, None, &account, now) {
            Ok(outcome @ AckOutcome::Holds { .. }) => {
                Understood::Done(lines::acknowledged(&heard.nick, task, &outcome, now))
            }
            Ok(outcome) => Understood::Answer(lines::acknowledged(&heard.nick, task, &outcome, now)),
            Err(error) => {
                tracing::error!("{task}: {error}");
                Understood::Answer(lines::nobody(&heard.nick, task, "it could not be kept"))
            }
        }
    }

    /// The account of the server of the tasks that whoever said it has, and whether the services said that it is theirs; why nobody is known.
    async fn account(&self, heard: &Heard, silence: Silence) -> Result<(String, bool), String> {
        let who = heard.who.as_ref().map_err(ToString::to_string)?;
        let listed = self.listed(heard).ok_or("the services account is not listed with the watch")?;
        let mapping = self.bot.state().casemapping;
        if !heard.services && silence == Silence::Passes {
            return Ok((listed.account.clone(), false));
        }
        // One that was dropped and registered anew is somebody else's.
        match self.registered.of(&listed.services).await {
            Info::Registered { account, since } if mapping.same(&account, &who.account) && listed.can_be_of(since) => {
                Ok((listed.account.clone(), true))
            }
            Info::Silent | Info::NoService { .. } | Info::Unclear { .. } if silence == Silence::Passes => {
                Ok((listed.account.clone(), false))
            }
            Info::Silent | Info::NoService { .. } | Info::Unclear { .. } => {
                Err("the services do not answer, and who somebody is cannot be known".to_owned())
            }
            Info::Registered { .. } | Info::NotRegistered | Info::NickOf { .. } => {
                Err("the services account was registered after it was listed with the watch".to_owned())
            }
        }
    }

    /// What is said of any number that is no open emergency.
    fn no_emergency(&self, heard: &Heard, task: TaskId) -> Line {
        lines::no_emergency(&heard.nick, task, self.watch.board.freshness().sweep.is_some())
    }

    /// Who said it by the list, as the network names their services account.
    fn listed(&self, heard: &Heard) -> Option<&IrcAccount> {
        let who = heard.who.as_ref().ok()?;
        self.settings.account(&who.account, self.bot.state().casemapping)
    }

    /// What an answer is to those who wait for others. Nobody is asked for that: it decides when something is said, and nothing else.
    fn rank(&self, heard: &Heard, is_done: bool) -> Rank {
        match (self.listed(heard), is_done) {
            (Some(listed), true) => Rank::Done(listed.account.to_lowercase()),
            (Some(listed), false) => Rank::Listed(listed.account.to_lowercase()),
            (None, _) => Rank::Stranger(heard.host.clone()),
        }
    }

    /// Says an answer, and waits for nothing: what is heard next is heard while it waits to be said.
    fn reply(&self, heard: &Heard, line: Line, is_done: bool, finality: Finality) {
        let target = match &heard.place {
            Place::Channel(name) => Target::channel(name),
            Place::Private => Target::person(&heard.nick),
        };
        let Ok(target) = target else { return };
        let (bot, rank) = (self.bot.clone(), self.rank(heard, is_done));
        tokio::spawn(async move {
            let outcome = bot.answer(target, rank, finality, || Some(line), WITHIN).await;
            if let Some(why) = outcome.why_not_heard() {
                tracing::warn!("IRC: who asked something was not answered: {why}");
            }
        });
    }
}
