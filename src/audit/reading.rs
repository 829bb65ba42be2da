//! Reading a page, a task or some comments, on whatever thread has the time.
//!
//! In the room: one call or the few that belong together, and all that can be made of the replies without the mirror, so
//! that the thread that writes it has little to do. Not in the room: in which order things are read ([`super::reader`]),
//! and how they are kept ([`super::mirror`]).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::mirror::{Facts, Known, Read, Seen, Written};
use super::mirrored::{evidence, torn};
use crate::conduit::{Client, ConduitError, Failure, Pages, Project, Reply, Task, Transaction};
use crate::evidence::Evidence;
use crate::history;
use crate::ids::{Phid, Task as TaskKind};
use crate::policy::Policy;
use crate::record::parse::claims;

/// How many transactions one call reads.
pub(super) const COMMENTS: usize = 1_000;

/// What it takes to read.
pub(super) struct Reading {
    pub(super) client: Client,
    pub(super) policy: Policy,
    pub(super) facts: Facts,
    pub(super) teams: Arc<BTreeMap<String, Project>>,
    pub(super) now: Timestamp,
}

/// Tasks as they are listed, and when the server listed them.
pub(super) type Listed = Reply<Vec<Written<Task>>>;

/// What recorders wrote.
pub(super) struct Recorded {
    pub(super) rows: Vec<Seen>,
    /// The tasks with a record among it, or what may have been one.
    pub(super) tasks: BTreeSet<Phid<TaskKind>>,
}

/// What became of some comments.
pub(super) struct Compared {
    /// How many were asked for.
    pub(super) count: usize,
    /// Those that are not as they were known.
    pub(super) changed: Vec<Seen>,
    /// Those that are not told any more.
    pub(super) gone: Vec<Known>,
}

impl Reading {
    /// Lists the next tasks that carry the tag.
    pub(super) async fn tagged(&self, pages: &mut Pages) -> Result<Listed, ConduitError> {
        self.client.tagged_page(&self.facts.tag.phid, pages).await.map(listed)
    }

    /// Lists these tasks.
    pub(super) async fn named(&self, tasks: &[Phid<TaskKind>]) -> Result<Listed, ConduitError> {
        self.client.tasks_by_phid(tasks).await.map(listed)
    }

    /// Reads the next of what the recorders wrote on any task, fewer at a time where that is more than one reply may hold.
    pub(super) async fn recorded(&self, pages: &mut Pages) -> Result<Recorded, ConduitError> {
        let mut limit = COMMENTS;
        let rows = loop {
            match self.client.page_by(&self.facts.recorders, limit, pages).await {
                Err(ConduitError { kind: Failure::TooLarge { .. }, .. }) if limit > 1 => limit /= 2,
                rows => break rows?,
            }
        };
        let tasks = rows.iter().filter(|row| may_record(row)).map(|row| row.task.clone()).collect();
        Ok(Recorded { rows: seen(rows).collect(), tasks })
    }

    /// Reads a task. A history that does not lead to the task is read once more, with the task. That a token is refused
    /// is no matter of one task.
    pub(super) async fn task(&self, task: Task) -> Result<Read, ConduitError> {
        let id = task.id;
        let unread = |task, error: ConduitError| match error.is_credentials() {
            true => Err(error),
            false => Ok(Read::failed(task, error.to_string())),
        };
        let history = match self.history(&task).await {
            Ok(history) => history,
            Err(error) => return unread(task, error),
        };
        let evidence = self.evidence(task, history);
        if torn(&evidence, &self.policy).is_none() {
            return Ok(read(evidence, None, None));
        }
        let task = Task::clone(&evidence.task);
        let (again, asked) = match self.client.task(id).await {
            Ok(Reply { result: Some(again), date }) => (again, date),
            Ok(Reply { result: None, .. }) => {
                let trouble = "the task is not shown any more".to_owned();
                return Ok(Read::failed(task, trouble));
            }
            Err(error) => return unread(task, error),
        };
        match self.history(&again).await {
            Ok(history) => {
                let evidence = self.evidence(again, history);
                let trouble = torn(&evidence, &self.policy);
                Ok(read(evidence, asked, trouble))
            }
            Err(error) => unread(task, error),
        }
    }

    async fn history(&self, task: &Task) -> Result<Vec<Transaction>, ConduitError> {
        let rows = self.client.history(task.id).await?.result;
        if rows.is_empty() || rows.iter().any(|row| row.task != task.phid) {
            return Err(Client::unexpected("transaction.search", format!("the history of {} is not its own", task.id)));
        }
        Ok(rows)
    }

    /// The evidence of a task, as far as it takes to see whether it fits together.
    fn evidence(&self, task: Task, history: Vec<Transaction>) -> Evidence {
        let (nobody, no_statuses) = (Arc::default(), Arc::default());
        evidence(task, history, &self.facts, &self.teams, &no_statuses, &nobody, self.now)
    }

    /// Reads some comments again.
    pub(super) async fn comments(&self, known: Vec<Known>) -> Result<Compared, ConduitError> {
        let rows = self.by_phid(&known).await?;
        let count = known.len();
        let mut missing: HashMap<_, _> = known.into_iter().map(|comment| (comment.id, comment)).collect();
        let mut same = BTreeSet::new();
        let mut changed = Vec::new();
        for row in seen(rows) {
            // One transaction may be told as several.
            match missing.remove(&row.id()) {
                Some(comment) if comment.is(&row) => drop(same.insert(row.id())),
                None if same.contains(&row.id()) => {}
                _ => changed.push(row),
            }
        }
        Ok(Compared { count, changed, gone: missing.into_values().collect() })
    }

    /// Where comments are more than one reply may hold, they are read in smaller parts; one that is too large alone is
    /// left out, and its task is read whole.
    async fn by_phid(&self, known: &[Known]) -> Result<Vec<Transaction>, ConduitError> {
        let mut rows = Vec::new();
        let mut parts = vec![known];
        while let Some(part) = parts.pop() {
            let phids: Vec<_> = part.iter().map(|comment| comment.phid.clone()).collect();
            match self.client.transactions_by_phid(&phids).await {
                Ok(some) => rows.extend(some),
                Err(ConduitError { kind: Failure::TooLarge { .. }, .. }) if part.len() > 1 => {
                    let (one, other) = part.split_at(part.len() / 2);
                    parts.extend([one, other]);
                }
                Err(ConduitError { kind: Failure::TooLarge { .. }, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(rows)
    }
}

/// Those with a comment.
fn seen(rows: Vec<Transaction>) -> impl Iterator<Item = Seen> {
    rows.into_iter().filter(|row| !row.comments.is_empty()).map(Seen::new)
}

fn listed(Reply { result, date }: Reply<Vec<Task>>) -> Listed {
    Reply { result: result.into_iter().map(Written::new).collect(), date }
}

/// What came of reading a task, with everybody who did something to it or deployed.
fn read(evidence: Evidence, asked: Option<Timestamp>, trouble: Option<String>) -> Read {
    let mut people = history::people(&evidence);
    people.insert(evidence.task.author.clone());
    let task = Arc::unwrap_or_clone(evidence.task);
    let history = Some(Written::new(Arc::unwrap_or_clone(evidence.timeline).into_transactions()));
    Read { task, asked, history, trouble, people }
}

/// Whether a comment is a record, claims to be one, or is gone and may have been one.
fn may_record(row: &Transaction) -> bool {
    row.comments.iter().any(|version| version.removed || claims(version.text()))
}
