//! Answering in the channel.
//!
//! Responsible for who is answered what: by the account that the network names, and the configuration's mapping of it, which is used when
//! something is heard and never again. Not responsible for what of a line is a command ([`crate::irc::bot`]).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::lines;
use crate::config::IrcBotSettings;
use crate::ids::TaskId;
use crate::irc::Line;
use crate::irc::bot::{BotHandle, Command, Heard, Info, Outcome, Place, Receiver, Request, Target};
use crate::serve::store::Store;
use crate::serve::watch::{Watch, stopped};

/// How long an answer may wait: whoever asked then has gone on.
const WITHIN: Duration = Duration::from_secs(15);

/// Who answers in the channel, for as long as the service runs.
#[derive(Debug)]
pub(super) struct Listener<S> {
    watch: Arc<Watch<S>>,
    bot: BotHandle,
    settings: IrcBotSettings,
}

impl<S: Store> Listener<S> {
    /// Of a watch.
    pub(super) fn new(watch: Arc<Watch<S>>, bot: BotHandle, settings: IrcBotSettings) -> Self {
        Self { watch, bot, settings }
    }

    /// Answers until it is stopped.
    pub(super) async fn run(self, mut heard: Receiver, stop: watch::Receiver<bool>) {
        loop {
            let heard = tokio::select! {
                biased;
                () = stopped(stop.clone()) => return,
                heard = heard.recv() => heard,
            };
            let Some(heard) = heard else { return };
            let line = self.answer(&heard).await;
            self.reply(&heard, line).await;
        }
    }

    async fn answer(&self, heard: &Heard) -> Line {
        let command = match &heard.request {
            Request::NearMiss(miss) => return lines::near_miss(*miss),
            Request::Command(command) => command,
        };
        let board = &self.watch.board;
        match command {
            Command::Help => lines::help(),
            Command::Status(task) => lines::status(board.watched(*task).as_deref(), board.now()),
            Command::Who(task) => lines::who(board.watched(*task).as_deref(), |team| self.watch.who_to_ask(team)),
            Command::Ack(task) => self.acknowledge(heard, *task).await,
            Command::Approve { task, .. } | Command::Withdraw { task, .. } | Command::Reject { task, .. } => {
                lines::answer_there(board.watched(*task).as_deref(), command.verb())
            }
        }
    }

    async fn acknowledge(&self, heard: &Heard, task: TaskId) -> Line {
        let account = match self.account(heard).await {
            Ok(account) => account,
            Err(why) => return lines::nobody(task, &why),
        };
        let now = self.watch.board.now();
        match self.watch.acknowledge(task, None, &account, now) {
            Ok(outcome) => lines::acknowledged(task, &outcome, now),
            Err(error) => {
                tracing::error!("{task}: {error}");
                lines::nobody(task, "it could not be kept")
            }
        }
    }

    /// The account of the server of the tasks that whoever said it has; why nobody is known.
    async fn account(&self, heard: &Heard) -> Result<String, String> {
        let who = heard.who.as_ref().map_err(ToString::to_string)?;
        let mapping = self.bot.state().casemapping;
        let listed = self.settings.account(&who.account, mapping).ok_or("your services account is not listed here")?;
        // One that was dropped and registered anew is somebody else's.
        match self.bot.info(&who.account).await {
            Info::Registered { account, since } if mapping.same(&account, &who.account) && listed.can_be_of(since) => {
                Ok(listed.account.clone())
            }
            Info::Silent => Err("the services do not answer, and who somebody is cannot be known".to_owned()),
            _ => Err("your services account was registered after it was listed here".to_owned()),
        }
    }

    async fn reply(&self, heard: &Heard, line: Line) {
        let target = match &heard.place {
            Place::Channel(name) => Target::channel(name),
            Place::Private => Target::person(&heard.nick),
        };
        let Ok(target) = target else { return };
        if let outcome @ (Outcome::NotSaid(_) | Outcome::Unclear { .. }) = self.bot.say(target, line, WITHIN).await {
            tracing::warn!("irc: an answer was not heard: {outcome:?}");
        }
    }
}
