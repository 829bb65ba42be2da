//! Saying in the channel what is due, each line once.
//!
//! Responsible for keeping what is said before it is: a line of which nobody knows whether it was heard is never said again. Not responsible
//! for what is due ([`super::news`], [`crate::serve::paging`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::lines;
use super::news::{News, news};
use super::voice::{Spoken, Voice};
use crate::ids::TaskId;
use crate::irc::Line;
use crate::serve::board::WatchedTask;
use crate::serve::store::{Store, StoreError};
use crate::serve::watch::{Watch, stopped};

/// How often it is looked what is due where nothing changes.
const TICK: Duration = Duration::from_secs(1);

/// Who speaks in the channel by itself, for as long as the service runs.
#[derive(Debug)]
pub(super) struct Announcer<S> {
    watch: Arc<Watch<S>>,
    voice: Voice,
    /// By which way lines for the log of the site go; `None`: nobody wants them.
    log: Option<Voice>,
    /// A yes may be said here too.
    takes_approvals: bool,
    /// Up to which change all was said of each task: until the next one nothing is due.
    said: BTreeMap<TaskId, u64>,
}

impl<S: Store> Announcer<S> {
    /// Of a watch.
    pub(super) fn new(watch: Arc<Watch<S>>, voice: Voice, log: Option<Voice>, takes_approvals: bool) -> Self {
        Self { watch, voice, log, takes_approvals, said: BTreeMap::new() }
    }

    /// Speaks until it is stopped; what is being said then is said to its end.
    pub(super) async fn run(mut self, stop: watch::Receiver<bool>) {
        let mut changes = self.watch.board.changes();
        loop {
            tokio::select! {
                biased;
                () = stopped(stop.clone()) => return,
                () = tokio::time::sleep(TICK) => {}
                Ok(()) = changes.changed() => {}
            }
            // What is not said yet stays due: nobody would hear it.
            if self.voice.is_ready()
                && let Err(error) = self.round().await
            {
                tracing::error!("irc: {error}");
                tokio::time::sleep(TICK).await;
            }
        }
    }

    async fn round(&mut self) -> Result<(), StoreError> {
        for ask in self.watch.asks() {
            let Some(watched) = self.watch.board.watched(ask.key.task) else { continue };
            let Some(team) = watched.verdict.missing_teams().find(|team| team.team == ask.key.team) else { continue };
            let code = watched.code.filter(|_| self.takes_approvals);
            let line = lines::asked(&watched, team, &self.watch.who_to_ask(team), code);
            let (task, episode, key) = (ask.key.task, ask.key.episode, ask.key.to_string());
            let is_new = self.watch.store.with(|store| store.take_line(task, episode, &key))?;
            if is_new && let Spoken::NotSaid(_) = self.say(&watched, &key, &self.voice, line).await {
                // What surely nobody heard is asked again.
                self.watch.store.with(|store| store.give_line_back(task, episode, &key))?;
                continue;
            }
            self.watch.take_ask(&ask.key)?;
        }
        let all = self.watch.board.all();
        let open: BTreeSet<TaskId> = all.iter().map(|watched| watched.task).collect();
        self.said.retain(|task, _| open.contains(task));
        for watched in all {
            if self.said.get(&watched.task) != Some(&watched.sequence) && self.say_news(&watched).await? {
                self.said.insert(watched.task, watched.sequence);
            }
        }
        Ok(())
    }

    /// Says what is due of a task; returns whether nothing is left to be said.
    async fn say_news(&self, watched: &WatchedTask) -> Result<bool, StoreError> {
        let mut is_all = true;
        let (task, episode) = (watched.task, watched.episode.began);
        let said = self.watch.store.with(|store| store.lines(task, episode))?;
        for due in news(watched, &said, self.watch.board.now(), self.watch.site.serve.notice_window) {
            let Some(line) = lines::news(watched, due) else { continue };
            let key = due.to_string();
            if !self.watch.store.with(|store| store.take_line(task, episode, &key))? {
                continue;
            }
            if let Spoken::NotSaid(_) = self.say(watched, &key, &self.voice, line).await {
                self.watch.store.with(|store| store.give_line_back(task, episode, &key))?;
                is_all = false;
                continue;
            }
            // One that ended soon was never heard to start.
            let logged = match due {
                News::Started(deploy) => Some(deploy),
                News::Ended(deploy) if !said.contains(&News::Started(deploy).to_string()) => Some(deploy),
                News::Ended(_) | News::Ready(_) | News::Lost(_) => None,
            };
            if let (Some(deploy), Some(log)) = (logged, &self.log)
                && let Some(deploy) = watched.deploys.iter().find(|known| known.deploy == deploy)
            {
                self.say(watched, "!log", log, lines::log(watched, deploy)).await;
            }
        }
        Ok(is_all)
    }

    async fn say(&self, watched: &WatchedTask, key: &str, voice: &Voice, line: Line) -> Spoken {
        let spoken = voice.say(line).await;
        match &spoken {
            Spoken::Said => tracing::info!("{}: said on IRC: {key}", watched.task),
            Spoken::NotSaid(why) => tracing::warn!("{}: not said on IRC: {key}: {why}", watched.task),
            Spoken::Unclear(why) => {
                tracing::warn!(
                    "{}: it is not clear whether it was said on IRC, and not said again: {key}: {why}",
                    watched.task
                );
            }
        }
        spoken
    }
}
