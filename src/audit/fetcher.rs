//! Asking for a page, a task or some comments, on whatever thread has the time.
//!
//! Responsible for one call or the few that belong together, and most of what can be made of the replies without the
//! mirror, so that the thread that writes it has little to do. Not responsible for in which order is asked
//! ([`super::reader`]), and how what was read is kept ([`super::mirror`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::encoded::Encoded;
use super::mirror::{FetchedComment, Read, ServerFacts, StoredComment, StoredHistory};
use super::mirrored::{evidence, unfit};
use crate::conduit::{
    Account, Change, Client, ConduitError, Failure, Pages, Project, Reply, SealedRows, Task, Transaction,
};
use crate::evidence::merge::merge;
use crate::evidence::timeline::unexposed;
use crate::evidence::{Evidence, contradiction, differences};
use crate::history;
use crate::ids::{Phid, Project as ProjectKind, Task as TaskKind, User};
use crate::policy::Policy;
use crate::record::parse::claims;

/// How many transactions one call reads.
pub(super) const COMMENTS: usize = 1_000;

/// Who asks, and what it takes to understand the answers.
#[derive(Clone)]
pub(super) struct Fetcher {
    pub(super) client: Client,
    pub(super) policy: Policy,
    pub(super) facts: ServerFacts,
    pub(super) teams: Arc<BTreeMap<String, Project>>,
    pub(super) now: Timestamp,
}

/// Tasks as they are listed, and when the server listed them.
pub(super) type Listed = Reply<Vec<Encoded<Task>>>;

/// What recorders wrote.
pub(super) struct Recorded {
    /// Their comments.
    pub(super) comments: Vec<FetchedComment>,
    /// The tasks with a record among these, or what may have been one.
    pub(super) tasks: BTreeSet<Phid<TaskKind>>,
}

/// What became of some comments.
pub(super) struct Compared {
    /// How many were asked for.
    pub(super) count: usize,
    /// Those that are not as they were known.
    pub(super) changed: Vec<FetchedComment>,
    /// Those that are not returned any more.
    pub(super) gone: Vec<StoredComment>,
}

impl Fetcher {
    /// Lists the next tasks that carry a tag.
    pub(super) async fn tagged(&self, tag: &Phid<ProjectKind>, pages: &mut Pages) -> Result<SealedRows, ConduitError> {
        self.client.tagged_page(tag, pages).await
    }

    /// Lists these tasks.
    pub(super) async fn named(&self, tasks: &[Phid<TaskKind>]) -> Result<Listed, ConduitError> {
        listed(self.client.tasks_by_phid(tasks).await?)
    }

    /// The accounts of these people.
    pub(super) async fn accounts(&self, people: &[Phid<User>]) -> Result<Vec<Account>, ConduitError> {
        self.client.users(people).await
    }

    /// Reads the next of what the recorders wrote on any task.
    pub(super) async fn recorded(&self, pages: &mut Pages) -> Result<SealedRows, ConduitError> {
        self.client.page_by(&self.facts.recorders, pages).await
    }

    /// What they wrote on such a page.
    pub(super) fn records_in(&self, page: &SealedRows) -> Result<Recorded, ConduitError> {
        let rows = Client::done_by(&self.facts.recorders, page)?;
        let tasks = rows.iter().filter(|row| may_record(row)).map(|row| row.task.clone()).collect();
        Ok(Recorded { comments: seen(rows).collect(), tasks })
    }

    /// Reads some tasks, their histories at once. A history that nothing can be made of without a panic is one that could
    /// not be read. That a token is refused is no matter of one task.
    pub(super) async fn tasks(self: Arc<Self>, tasks: Vec<Task>) -> Result<Vec<Read>, ConduitError> {
        let histories = tasks.into_iter().map(|task| {
            let fetcher = Arc::clone(&self);
            let asked = task.clone();
            (task, tokio::spawn(async move { fetcher.history(&asked).await }))
        });
        let mut histories: Vec<_> = histories.collect();
        let mut read = Vec::with_capacity(histories.len());
        for (task, history) in histories.drain(..) {
            read.push((task, history.await.unwrap_or_else(|_| Err(unreadable()))));
        }
        self.fill_in(&mut read).await;
        let finished = read.into_iter().map(|(task, history)| {
            let fetcher = Arc::clone(&self);
            let known = task.clone();
            (known, tokio::spawn(async move { fetcher.finish(task, history).await }))
        });
        let mut reads = Vec::new();
        for (task, read) in finished.collect::<Vec<_>>() {
            reads.push(read.await.unwrap_or_else(|_| Ok(Read::failed(task, unreadable().to_string())))?);
        }
        Ok(reads)
    }

    /// Asks for what these histories leave null, all in one call; in smaller parts where that is more than one reply may
    /// hold. What the server does not return there either stays unknown.
    async fn fill_in(&self, read: &mut [(Task, Result<Vec<Transaction>, ConduitError>)]) {
        let field = self.policy.field.as_deref();
        let needs = |(_, (task, history)): &(usize, &(Task, Result<Vec<Transaction>, ConduitError>))| {
            history.as_ref().is_ok_and(|rows| unexposed(rows, task, field).any())
        };
        let all: Vec<usize> = read.iter().enumerate().filter(needs).map(|(at, _)| at).collect();
        let mut parts = vec![all];
        while let Some(part) = parts.pop().filter(|part| !part.is_empty()) {
            let ids: Vec<_> = part.iter().map(|at| read[*at].0.id).collect();
            match self.client.older_changes(&ids).await {
                Ok(mut older) => {
                    for at in part {
                        let (task, history) = &mut read[at];
                        let (Some(changes), Ok(rows)) = (older.remove(&task.id), history.as_mut()) else { continue };
                        if let Err(error) = merge(rows, &changes) {
                            *history = Err(contradiction(&error));
                        }
                    }
                }
                Err(ConduitError { kind: Failure::TooLarge { .. }, .. }) if part.len() > 1 => {
                    let (one, other) = part.split_at(part.len() / 2);
                    parts.extend([one.to_vec(), other.to_vec()]);
                }
                Err(ConduitError { kind: Failure::TooLarge { .. } | Failure::Refused { .. }, .. }) => {}
                Err(error) => part.into_iter().for_each(|at| read[at].1 = Err(error.clone())),
            }
        }
    }

    /// What came of reading a task. A history that does not lead to the task is read once more, with the task.
    async fn finish(&self, task: Task, history: Result<Vec<Transaction>, ConduitError>) -> Result<Read, ConduitError> {
        let id = task.id;
        let unread = |task, error: ConduitError| match error.is_credentials() {
            true => Err(error),
            false => Ok(Read::failed(task, error.to_string())),
        };
        let history = match history {
            Ok(history) => history,
            Err(error) => return unread(task, error),
        };
        let (evidence, raw) = self.evidence(task, history);
        if differences(&evidence, &self.policy).is_empty() || evidence.unexposed(&self.policy).any() {
            return read(evidence, raw, None, None);
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
        let mut whole = [(again.clone(), self.history(&again).await)];
        self.fill_in(&mut whole).await;
        let [(_, history)] = whole;
        match history {
            Ok(history) => {
                let (evidence, raw) = self.evidence(again, history);
                let trouble = unfit(&evidence, &self.policy).filter(|_| !evidence.unexposed(&self.policy).any());
                read(evidence, raw, asked, trouble)
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

    /// The evidence of a task, as far as it takes to see whether it fits together; and the history as it was returned,
    /// where that is another one: which field of the policy a change belongs to is found anew each time.
    fn evidence(&self, task: Task, history: Vec<Transaction>) -> (Evidence, Option<Vec<Transaction>>) {
        let (nobody, no_statuses) = (Arc::default(), Arc::default());
        let unnamed = history.iter().any(|row| matches!(row.change, Change::Unnamed { .. }));
        let raw = unnamed.then(|| history.clone());
        let field = self.policy.field.as_deref();
        (evidence(task, history, field, &self.facts, &self.teams, &no_statuses, &nobody, self.now), raw)
    }

    /// Reads some comments again.
    pub(super) async fn comments(&self, known: Vec<StoredComment>) -> Result<Compared, ConduitError> {
        let rows = self.by_phid(&known).await?;
        Ok(compared(known, seen(rows)))
    }

    /// Where comments are more than one reply may hold, they are read in smaller parts; one that is too large alone is
    /// left out, and its task is read whole.
    async fn by_phid(&self, known: &[StoredComment]) -> Result<Vec<Transaction>, ConduitError> {
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
fn seen(rows: Vec<Transaction>) -> impl Iterator<Item = FetchedComment> {
    rows.into_iter().filter(|row| !row.comments.is_empty()).map(FetchedComment::new)
}

/// Every row is compared, also where one transaction is returned as several.
fn compared(known: Vec<StoredComment>, rows: impl Iterator<Item = FetchedComment>) -> Compared {
    let count = known.len();
    let known: BTreeMap<_, _> = known.into_iter().map(|comment| (comment.id, comment)).collect();
    let (mut shown, mut changed) = (BTreeSet::new(), Vec::new());
    for row in rows {
        shown.insert(row.id());
        if !known.get(&row.id()).is_some_and(|comment| comment.is(&row)) {
            changed.push(row);
        }
    }
    let gone = known.into_values().filter(|comment| !shown.contains(&comment.id));
    Compared { count, changed, gone: gone.collect() }
}

/// The tasks of a page of those that carry the tag.
pub(super) fn tasks_in(page: &SealedRows) -> Result<Listed, ConduitError> {
    listed(Client::tagged_tasks(page)?)
}

fn listed(Reply { result, date }: Reply<Vec<Task>>) -> Result<Listed, ConduitError> {
    let result = result.into_iter().map(Encoded::new).collect::<Result<_, _>>();
    let result = result.map_err(cannot_serialize("maniphest.search"))?;
    Ok(Reply { result, date })
}

/// What came of reading a task, with everybody who did something to it or deployed.
fn read(
    evidence: Evidence,
    raw: Option<Vec<Transaction>>,
    asked: Option<Timestamp>,
    trouble: Option<String>,
) -> Result<Read, ConduitError> {
    let mut people = history::people(&evidence);
    people.insert(evidence.task.author.clone());
    let task = Arc::unwrap_or_clone(evidence.task);
    let history = raw.unwrap_or_else(|| Arc::unwrap_or_clone(evidence.timeline).into_transactions());
    let history = StoredHistory::new(history);
    let history = history.map_err(cannot_serialize("transaction.search"))?;
    Ok(Read { task, asked, history: Some(history), trouble, people })
}

/// A history that nothing can be made of.
fn unreadable() -> ConduitError {
    Client::unexpected("transaction.search", "nothing can be made of its history")
}

/// What was read cannot be kept as JSON.
fn cannot_serialize(method: &'static str) -> impl Fn(serde_json::Error) -> ConduitError {
    move |error| Client::unexpected(method, format!("cannot serialize what it returned: {error}"))
}

/// Whether a comment is a record, claims to be one, or is gone and may have been one.
fn may_record(row: &Transaction) -> bool {
    row.comments.iter().any(|version| version.removed || claims(version.text()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conduit::CommentVersion;
    use crate::evidence::testing::{History, at};

    #[test]
    fn every_row_of_a_comment_is_compared_and_what_is_not_returned_is_gone() {
        let mut history = History::emergency();
        let [same, edited, gone] = [10, 20, 30].map(|second| history.comment("sre1", second, "Looking."));
        let rows = history.timeline().transactions().to_vec();
        let row = |id| rows.iter().find(|row| row.id == id).unwrap().clone();
        let known = || [same, edited, gone].map(|id| StoredComment::of(&row(id))).to_vec();
        let mut other = row(edited);
        other.comments.insert(0, CommentVersion::new(2, "PHID-USER-sre1", at(40), false, "Never mind."));
        // A server that returns one of them twice, first as it was.
        let returned = [row(same), row(edited), other.clone()];
        let compared = compared(known(), seen(returned.to_vec()));
        let ids = |comments: &[StoredComment]| comments.iter().map(|comment| comment.id).collect::<Vec<_>>();
        assert_eq!((compared.count, ids(&compared.gone)), (3, vec![gone]));
        assert_eq!(compared.changed.iter().map(FetchedComment::id).collect::<Vec<_>>(), [edited]);
        assert!(!StoredComment::of(&row(edited)).is(&compared.changed[0]));
    }
}
