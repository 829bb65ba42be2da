//! Saying in the channel what is due, each line once.
//!
//! Responsible for the rounds: what is over, who is asked, what is news; for each line being made of what is known when its turn has come, and of
//! nothing that was read long ago. Not responsible for what is due ([`super::news`], [`crate::serve::paging`]), for the words
//! ([`super::announcements`]), nor for saying one once ([`super::once`]).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{broadcast, watch};

use super::announcements::{self, Called};
use super::conductor::{KnownConductor, called_for};
use super::facts::EndedTask;
use super::news::{At, DEPLOYS, News, has_too_many_deploys, news, pages};
use super::nicks::Nicks;
use super::once::{Once, Turn, say_once};
use super::said::SaidLine;
use super::voice::{Voice, Way};
use crate::ids::{TaskId, TransactionId};
use crate::paging::{Page, PageKey, Stage};
use crate::serve::board::WatchedTask;
use crate::serve::store::{Store, StoreError};
use crate::serve::watch::{Looked, Watch, stopped};

/// How often it is looked what is due where nothing changes.
const TICK: Duration = Duration::from_secs(1);
/// How old the reading may be that a line is made of; one that is older is made anew first.
const FRESH: SignedDuration = SignedDuration::from_secs(60);
/// How long that may take.
const LOOK: Duration = Duration::from_secs(8);
/// How long an ask waits for who conducts the train: a team is asked without a name rather than late.
const CONDUCTOR: Duration = Duration::from_secs(2);
/// How long it waits for who is on call, where that was never read.
const ON_CALL: Duration = Duration::from_secs(2);

/// By what it is kept that the log says of how many deploys nothing is said any more.
const TOO_MANY_DEPLOYS: &str = "too many deploys";

/// Who speaks in the channel by itself, for as long as the service runs.
#[derive(Debug)]
pub(super) struct Announcer<S> {
    watch: Arc<Watch<S>>,
    voice: Voice,
    /// By which way lines for the log of the site go; `None`: nobody wants them.
    log: Option<Voice>,
    names: Names,
    conductor: KnownConductor,
    endings: broadcast::Receiver<EndedTask>,
    /// The episodes that are over, of which that is not said yet.
    over: Vec<EndedTask>,
    /// A yes may be said here too.
    takes_approvals: bool,
    /// Up to which change all was said of each task: until the next one nothing is due.
    said: BTreeMap<TaskId, u64>,
}

/// What people are called in the channel.
#[derive(Debug, Clone)]
struct Names {
    nicks: Arc<Nicks>,
    /// Who can see who is there.
    way: Way,
}

impl<S: Store> Announcer<S> {
    /// Of a watch, by a way into the channel, and one for the log of the site where that wants its lines. `takes_approvals` says that a yes
    /// may be said there too.
    pub(super) fn new(watch: Arc<Watch<S>>, way: Way, log: Option<Way>, nicks: Nicks, takes_approvals: bool) -> Self {
        Self {
            endings: watch.endings.subscribe(),
            watch,
            names: Names { nicks: Arc::new(nicks), way: way.clone() },
            voice: Voice::new(way),
            log: log.map(Voice::new),
            conductor: KnownConductor::default(),
            over: Vec::new(),
            takes_approvals,
            said: BTreeMap::new(),
        }
    }

    /// Speaks until it is stopped; what is being said then is said to its end.
    pub(super) async fn run(mut self, stop: watch::Receiver<bool>) {
        if let Err(error) = self.look_for_endings() {
            tracing::error!("IRC: {error}");
        }
        // The first who are asked are not to wait for it.
        tokio::select! {
            biased;
            () = stopped(stop.clone()) => return,
            _ = self.conductor.find(&self.watch, LOOK) => {}
        }
        let mut changes = self.watch.board.changes();
        loop {
            tokio::select! {
                biased;
                () = stopped(stop.clone()) => return,
                () = tokio::time::sleep(TICK) => {}
                Ok(()) = changes.changed() => {}
            }
            // What is not said yet stays due: nobody would hear it.
            if !self.voice.is_ready() {
                continue;
            }
            if let Err(error) = self.round().await {
                tracing::error!("IRC: {error}");
                tokio::time::sleep(TICK).await;
            }
            self.watch.metrics.irc_is_mute.store(self.voice.was_refused(), Ordering::Relaxed);
        }
    }

    /// Has the tasks looked at that may have stopped being emergencies while nobody watched.
    fn look_for_endings(&self) -> Result<(), StoreError> {
        let tasks = self.watch.store.with(|store| store.tasks_without_line(&SaidLine::Over.key()))?;
        tasks.into_iter().for_each(|task| self.watch.queue.push(task));
        Ok(())
    }

    /// Says all that is due. What is over comes first: the lines of a later episode put those of an earlier one away.
    pub(super) async fn round(&mut self) -> Result<(), StoreError> {
        self.say_endings().await?;
        let mut tried = BTreeSet::new();
        self.say_asks(&mut tried).await?;
        let all = self.watch.board.all();
        let open: BTreeSet<TaskId> = all.iter().map(|watched| watched.task).collect();
        self.said.retain(|task, _| open.contains(task));
        for watched in all {
            if self.said.get(&watched.task) == Some(&watched.sequence) {
                continue;
            }
            // Who is needed now does not wait for what is old news of others.
            self.say_asks(&mut tried).await?;
            if self.say_news(&watched).await? == Turn::Over {
                self.said.insert(watched.task, watched.sequence);
            }
        }
        Ok(())
    }

    /// Says which emergencies are over of which something was said.
    async fn say_endings(&mut self) -> Result<(), StoreError> {
        loop {
            match self.endings.try_recv() {
                Ok(ended) if !self.over.contains(&ended) => self.over.push(ended),
                Ok(_) => {}
                // Those are looked at again after the next start.
                Err(broadcast::error::TryRecvError::Lagged(_)) => {
                    tracing::warn!("IRC: too many emergencies end at once: of some it is said after the next start")
                }
                Err(_) => break,
            }
        }
        let mut left = 0;
        while let Some(ended) = self.over.get(left).cloned() {
            match self.say_ending(ended).await? {
                Turn::Over => _ = self.over.remove(left),
                Turn::Later => left += 1,
            }
        }
        Ok(())
    }

    async fn say_ending(&mut self, ended: EndedTask) -> Result<Turn, StoreError> {
        let (task, episode) = (ended.task, ended.began);
        let lines = self.watch.store.with(|store| store.lines(task, episode))?;
        let over = SaidLine::Over.key();
        if lines.is_empty() || lines.contains(&over) {
            return Ok(Turn::Over);
        }
        if self.watch.board.now().duration_since(ended.at) > self.watch.site.serve.notice_window {
            self.watch.store.with(|store| store.take_line(task, episode, &over))?;
            return Ok(Turn::Over);
        }
        let once = Once { task, episode, line: SaidLine::Over, besides: Vec::new() };
        let line = announcements::ended(&ended);
        say_once(&self.watch, &mut self.voice, &once, move || Some(line)).await
    }

    /// Asks the teams that are to be asked, each that was not tried in this round: first those that were not asked before.
    async fn say_asks(&mut self, tried: &mut BTreeSet<PageKey>) -> Result<(), StoreError> {
        loop {
            let mut asks = self.watch.asks();
            asks.retain(|ask| !tried.contains(&ask.key));
            let Some(ask) = asks.into_iter().min_by_key(turn_of) else { return Ok(()) };
            tried.insert(ask.key.clone());
            self.say_ask(ask).await?;
        }
    }

    async fn say_ask(&mut self, ask: Page) -> Result<(), StoreError> {
        let (task, episode) = (ask.key.task, ask.key.episode);
        let Some(watched) = self.read(task, episode).await else { return Ok(()) };
        let conductor = self.conductor.find(&self.watch, CONDUCTOR).await;
        // Else the first ask after a start would call the whole team.
        let _ = tokio::time::timeout(ON_CALL, self.watch.reads_who_is_on_call(&ask.key.team)).await;
        let (line, besides) = (SaidLine::Ask(ask.key.clone()), self.first_line_of_a_drill(&watched)?);
        let once = Once { task, episode, line, besides };
        let (watch, names, key) = (Arc::clone(&self.watch), self.names.clone(), ask.key.clone());
        let takes_approvals = self.takes_approvals;
        let make = move || {
            // Somebody may have answered while it waited.
            let is_due = watch.asks().iter().any(|ask| ask.key == key);
            let watched = fresh(&watch, task, episode).filter(|watched| is_due && !watched.paging.is_rejected)?;
            let missing: Vec<_> = watched.verdict.missing_teams().collect();
            let team = missing.iter().find(|team| team.team == key.team)?;
            let nick = |name: &str| names.nick(name);
            let conductor = called_for(team, &missing, conductor.as_ref(), nick);
            let who = watch.who_to_ask(team);
            let called = Called { who: &who, conductor: conductor.as_deref(), nick: &nick };
            Some(match key.stage {
                Stage::AskedAgain => {
                    announcements::asked_again(&watched, team, &called, &watch.site.contact.escalation)
                }
                _ => {
                    // To whom nobody would listen nothing is offered.
                    let is_heard = takes_approvals && team.could.iter().any(|name| names.nicks.lists(name));
                    announcements::asked(&watched, team, &called, watched.subject.code.filter(|_| is_heard))
                }
            })
        };
        if say_once(&self.watch, &mut self.voice, &once, make).await? == Turn::Over {
            self.watch.take_ask(&ask.key)?;
        }
        Ok(())
    }

    /// What needs no line of its own after the first line of a drill.
    fn first_line_of_a_drill(&self, watched: &WatchedTask) -> Result<Vec<String>, StoreError> {
        if watched.channel.drill.is_none() {
            return Ok(Vec::new());
        }
        let said = self.watch.store.with(|store| store.lines(watched.task, watched.episode.began))?;
        Ok(if said.is_empty() { vec![News::Drill(0).key()] } else { Vec::new() })
    }

    /// Says what is due of a task; returns whether anything is left.
    async fn say_news(&mut self, watched: &WatchedTask) -> Result<Turn, StoreError> {
        let (task, episode) = (watched.task, watched.episode.began);
        let said = self.watch.store.with(|store| store.lines(task, episode))?;
        if has_too_many_deploys(watched, &said)
            && self.watch.store.with(|store| store.take_line(task, episode, TOO_MANY_DEPLOYS))?
        {
            tracing::warn!("{task}: nothing is said any more of further deploys of it: {DEPLOYS} are enough");
        }
        if due(&self.watch, watched, &said, self.at()).is_empty() {
            return Ok(Turn::Over);
        }
        let Some(watched) = self.read(task, episode).await else { return Ok(Turn::Later) };
        let at = self.at();
        let mut turn = Turn::Over;
        let asks = self.watch.asks();
        for due in due(&self.watch, &watched, &said, at) {
            if comes_after_an_ask(&due, task, &asks) {
                turn = Turn::Later;
                continue;
            }
            let nick = |name: &str| self.names.nick(name);
            if announcements::news(&watched, &due, &nick).is_none() {
                continue;
            }
            let mut besides = due.besides(&watched);
            besides.extend(self.first_line_of_a_drill(&watched)?);
            let once = Once { task, episode, line: SaidLine::News(due.clone()), besides };
            let (watch, names, said) = (Arc::clone(&self.watch), self.names.clone(), said.clone());
            let is_log = matches!(due, News::Logged(_));
            let make = move || {
                let watched = fresh(&watch, task, episode)?;
                let at = At { now: watch.board.now(), ..at };
                let due = self::due(&watch, &watched, &said, at).into_iter().find(|now| now.key() == due.key())?;
                announcements::news(&watched, &due, &|name: &str| names.nick(name))
            };
            let voice = if is_log { self.log.as_mut() } else { Some(&mut self.voice) };
            let Some(voice) = voice else { continue };
            if say_once(&self.watch, voice, &once, make).await? == Turn::Later {
                turn = Turn::Later;
            }
        }
        Ok(turn)
    }

    /// An emergency as it is known now, read anew where that is old; `None` where it cannot be read, or its episode is over.
    async fn read(&self, task: TaskId, episode: TransactionId) -> Option<Arc<WatchedTask>> {
        let known = fresh(&self.watch, task, episode)?;
        if self.watch.board.now().duration_since(self.watch.evidence_at(&known)) <= FRESH {
            return Some(known);
        }
        match self.watch.look_now(task, LOOK).await {
            Some(Looked::Open(watched)) if watched.episode.began == episode => Some(watched),
            _ => None,
        }
    }

    fn at(&self) -> At {
        At { now: self.watch.board.now(), window: self.watch.site.serve.notice_window, logs: self.log.is_some() }
    }
}

impl Names {
    fn nick(&self, account: &str) -> String {
        self.nicks.nick(account, |nick| match &self.way {
            Way::Bot { bot, .. } => bot.state().sees(nick),
            Way::Tcpircbot(_) => false,
        })
    }
}

/// In which order teams are asked: whom nobody asked before those who are asked again, and what has just happened before what waits since long,
/// as after a start with many emergencies open.
fn turn_of(ask: &Page) -> (bool, Reverse<Timestamp>, PageKey) {
    (ask.key.stage != Stage::Asked, Reverse(ask.due), ask.key.clone())
}

/// Whether a team is still to be asked first: that it was paged would mean nothing to who did not hear that.
fn comes_after_an_ask(due: &News, task: TaskId, asks: &[Page]) -> bool {
    let News::Paged { team, .. } = due else { return false };
    asks.iter().any(|ask| ask.key.stage == Stage::Asked && (ask.key.task, &ask.key.team) == (task, team))
}

/// What is due of an emergency.
fn due<S: Store>(watch: &Watch<S>, watched: &WatchedTask, said: &BTreeSet<String>, at: At) -> Vec<News> {
    let mut due = news(watched, said, at);
    due.extend(pages(watched, &watch.team_paging(watched), said, at));
    due
}

/// An emergency as it is known now; `None` where its episode is over, or it could not be read when that was last tried.
fn fresh<S: Store>(watch: &Watch<S>, task: TaskId, episode: TransactionId) -> Option<Arc<WatchedTask>> {
    let is_read = watch.board.unread_since(task).is_none();
    watch.board.watched(task).filter(|watched| is_read && watched.episode.began == episode)
}

#[cfg(test)]
#[path = "announcer_tests.rs"]
mod tests;
