//! `started` on its way to the task, and the last look at the task before the command.
//!
//! Responsible for reading the whole task back where `started` is looked for, so that two deploys that were allowed at
//! once see each other and a no is seen that came since. Not for the order of the steps of `run`.

use std::time::Duration;

use tokio::time::Instant;

use super::{Assessment, Assessor, Context};
use crate::conduit::{Client, ConduitError, Edited};
use crate::evidence::{GatherError, Question};
use crate::ids::{DeployId, Phid, Task, TaskId};
use crate::journal::TaskSeen;
use crate::publish::record::find;
use crate::publish::{Look, Placed, Publication, is_the_same};
use crate::record::Event;
use crate::rules::{Decision, Intent};
use crate::time::ServerClock;

/// How long the last look before the command may take.
const LAST_LOOK: Duration = Duration::from_secs(3);
/// A look that was answered so shortly before the command is the last one.
const JUST_NOW: Duration = Duration::from_millis(500);

/// `started` of one deploy, found by reading the whole task.
pub struct Announced<'a> {
    context: Context<'a>,
    question: &'a Question,
    intent: &'a Intent,
    /// The PHID of the task, as it was when the deploy was allowed.
    known: Option<Phid<Task>>,
    deploy: DeployId,
    text: String,
    /// The last reading that was answered, and when that was.
    last: Option<(Assessment, Instant)>,
    clock: ServerClock,
}

impl<'a> Announced<'a> {
    /// `known` is the PHID of the task as it was when the deploy was allowed; `clock` the server's by an earlier reading.
    pub fn new(
        context: Context<'a>,
        question: &'a Question,
        intent: &'a Intent,
        known: Option<Phid<Task>>,
        (deploy, text): (DeployId, String),
        clock: ServerClock,
    ) -> Self {
        Self { context, question, intent, known, deploy, text, last: None, clock }
    }

    /// The server's clock, as the last reading showed it.
    pub fn clock(&self) -> ServerClock {
        self.clock
    }

    fn task(&self) -> TaskId {
        self.question.task
    }

    async fn read(&mut self, limit: Duration) -> Result<&Assessment, ConduitError> {
        let read = Assessor::new(self.context).within(limit).assess(self.question, self.intent).await;
        self.clock = read.clock_or(self.clock);
        match read.error() {
            None => Ok(&self.last.insert((read, Instant::now())).0),
            Some(GatherError::Conduit(error)) => Err(error.clone()),
            Some(error) => Err(Client::unexpected("transaction.search", error.to_string())),
        }
    }

    /// The reading on which the command must not start, if there is one: the last look, made anew where the one that
    /// there is was not just now. A server that gives no answer says nothing.
    pub async fn worse(&mut self) -> Option<Assessment> {
        let is_fresh = self.last.as_ref().is_some_and(|(read, at)| is_worse(read) || at.elapsed() < JUST_NOW);
        if !is_fresh && self.read(LAST_LOOK).await.is_err() {
            return None;
        }
        self.last.take().map(|(read, _)| read).filter(is_worse)
    }
}

impl Publication for Announced<'_> {
    type Found = Placed;

    async fn send(&self, client: &Client) -> Result<Edited, ConduitError> {
        client.comment_once(self.task(), &self.text).await
    }

    async fn look(&mut self, client: &Client) -> Result<Look<Placed>, ConduitError> {
        let (deploy, task) = (self.deploy, self.task());
        let known = self.known.clone();
        let read = self.read(client.time_left()).await?;
        let Some(evidence) = read.evidence() else {
            let why = format!("{task} is missing, or not shown to this account");
            return Err(Client::unexpected("maniphest.search", why));
        };
        is_the_same(task, known.as_ref(), &evidence.task)?;
        Ok(match find(deploy, Event::Started, task, evidence.timeline.transactions()) {
            Some(placed) => Look::Found(placed),
            None => Look::Absent(TaskSeen::from(&*evidence.task)),
        })
    }

    fn is_pointless(&self) -> bool {
        self.last.as_ref().is_some_and(|(read, _)| is_worse(read))
    }
}

/// Whether what was allowed is so no longer. A server that did not answer says nothing; one that answered, and whose
/// answer does not allow the deploy, does.
fn is_worse(read: &Assessment) -> bool {
    match read.verdict.decision {
        Decision::Allowed(_) => false,
        Decision::Pending | Decision::Denied => true,
        Decision::Undecided => read.task().is_some(),
    }
}
