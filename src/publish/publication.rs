//! What can be published, and how it is recognised on the task: a comment by what it holds, an edit by what the task
//! states.
//!
//! Responsible for one attempt and one look each. Not for when either is made.

use std::future::Future;

use serde_json::Value;

use crate::conduit::{Client, ConduitError, Edited, Task, Transaction};
use crate::ids::{self, Phid, TaskId, TransactionId, User, Xact};
use crate::journal::TaskSeen;

/// Something that is to be on a task once.
pub trait Publication {
    /// How it is found there.
    type Found;

    /// Sends it, once.
    fn send(&self, client: &Client) -> impl Future<Output = Result<Edited, ConduitError>>;

    /// Looks for it.
    fn look(&mut self, client: &Client) -> impl Future<Output = Result<Look<Self::Found>, ConduitError>>;

    /// Whether what was seen at the last look makes it pointless to go on.
    fn is_pointless(&self) -> bool {
        false
    }
}

/// What a look at the task showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look<F> {
    /// It is there.
    Found(F),
    /// It is not there, on a task that looks so.
    Absent(TaskSeen),
}

/// Where a comment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The transaction that made the comment.
    pub transaction: TransactionId,
    /// The PHID of that transaction.
    pub phid: Phid<Xact>,
}

impl From<&Transaction> for Placed {
    fn from(row: &Transaction) -> Self {
        Self { transaction: row.id, phid: row.phid.clone() }
    }
}

impl From<&Task> for TaskSeen {
    fn from(task: &Task) -> Self {
        Self { status: task.status.clone(), modified: task.modified }
    }
}

/// A comment on a task.
pub struct Comment<'a> {
    /// The task.
    pub task: TaskId,
    /// The PHID of it, where that is known: behind the same URL there may be another server by now.
    pub phid: Option<Phid<ids::Task>>,
    /// What is written.
    pub text: String,
    /// The accounts that may have sent it.
    pub authors: Vec<Phid<User>>,
    /// Whether a transaction of theirs is it.
    pub is_it: Box<dyn Fn(&Transaction) -> bool + Send + Sync + 'a>,
}

impl Publication for Comment<'_> {
    type Found = Placed;

    async fn send(&self, client: &Client) -> Result<Edited, ConduitError> {
        client.comment_once(self.task, &self.text).await
    }

    async fn look(&mut self, client: &Client) -> Result<Look<Placed>, ConduitError> {
        let history = client.history_by(self.task, &self.authors).await?;
        let found = history.iter().find(|row| (self.is_it)(row)).map(Placed::from);
        // That it is there is believed only of this very task, and so is that it is not.
        if let (Some(found), Some(known)) = (&found, &self.phid) {
            return all_of(self.task, known, &history).map(|()| Look::Found(found.clone()));
        }
        let task = shown(client, self.task).await?;
        is_the_same(self.task, self.phid.as_ref(), &task)?;
        all_of(self.task, &task.phid, &history)?;
        Ok(found.map_or_else(|| Look::Absent(TaskSeen::from(&task)), Look::Found))
    }
}

/// Changes to a task that are made together or not at all, and that are the same however often they are made.
pub struct Edit<'a> {
    /// The task.
    pub task: TaskId,
    /// The PHID of it, where that is known.
    pub phid: Option<Phid<ids::Task>>,
    /// The changes, as `maniphest.edit` takes them: type and value.
    pub changes: Vec<(&'static str, Value)>,
    /// Whether a task states them.
    pub is_applied: Box<dyn Fn(&Task) -> bool + 'a>,
}

impl Publication for Edit<'_> {
    type Found = ();

    async fn send(&self, client: &Client) -> Result<Edited, ConduitError> {
        client.edit_once(self.task, &self.changes).await
    }

    async fn look(&mut self, client: &Client) -> Result<Look<()>, ConduitError> {
        let task = shown(client, self.task).await?;
        is_the_same(self.task, self.phid.as_ref(), &task)?;
        Ok(if (self.is_applied)(&task) { Look::Found(()) } else { Look::Absent(TaskSeen::from(&task)) })
    }
}

/// Refuses a history of which anything is another task's.
fn all_of(id: TaskId, phid: &Phid<ids::Task>, history: &[Transaction]) -> Result<(), ConduitError> {
    match history.iter().find(|row| row.task != *phid) {
        Some(row) => Err(Client::unexpected("transaction.search", format!("asked for {id} and got {}", row.task))),
        None => Ok(()),
    }
}

/// Refuses a task that is not the one that is known by this number.
pub fn is_the_same(id: TaskId, known: Option<&Phid<ids::Task>>, found: &Task) -> Result<(), ConduitError> {
    match known.filter(|known| **known != found.phid) {
        Some(_) => {
            let why = format!("{id} is another task than before: another server answers at this URL");
            Err(Client::unexpected("maniphest.search", why))
        }
        None => Ok(()),
    }
}

/// The task. One that is hidden from us proves nothing.
async fn shown(client: &Client, id: TaskId) -> Result<Task, ConduitError> {
    let hidden = || Client::unexpected("maniphest.search", format!("{id} is missing, or not shown to this account"));
    client.task(id).await?.result.ok_or_else(hidden)
}
