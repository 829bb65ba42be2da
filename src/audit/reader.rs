//! Bringing the mirror up to date: which tasks there are to audit, and what happened to them since.
//!
//! The population is every task that carries the tag, its subprojects and milestones among it, and every task with a
//! record by a recorder, found by what the recorders wrote on any task; and every task of which the mirror knows that it
//! once was one of these. First all of them are listed, 100 a call. Then the histories of those that changed are read, one
//! a call. Then the comments of the others are read again, 1,000 a call. In the room: that, and counting what could not be
//! seen or read. Not in the room: how it is kept ([`super::mirror`]), and what is found fault with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use super::mirror::{Facts, Filled, Known, Mirror, Read, Sync};
use super::mirrored::{evidence, teams, torn};
use super::population::{AuditError, Progress, Step};
use crate::conduit::{
    Account, Client, ConduitError, Failure, Pages, Project, Projects, Reply, Status, Task, Transaction,
};
use crate::crash;
use crate::evidence::{Evidence, Tag};
use crate::history;
use crate::ids::{Phid, Project as ProjectKind};
use crate::policy::Policy;
use crate::record::parse::{Parsed, parse};

/// How many tasks one call lists.
const TASKS: usize = 100;
/// How many transactions one call reads.
const COMMENTS: usize = 1_000;
/// How many histories are written at once: what a killed audit has to read again.
const KEPT: usize = 20;

/// Who fills the mirror.
struct Reader<'a> {
    client: &'a Client,
    policy: &'a Policy,
    mirror: &'a Mirror,
    concurrency: usize,
    sync: Sync,
    facts: Facts,
    teams: Arc<BTreeMap<String, Project>>,
}

/// Brings the mirror up to date, `concurrency` calls at once at most. The mirror must be locked. `progress` is told how
/// far it has come.
///
/// # Errors
/// Where the server does not know the tag or a recorder, the population could not be read whole, or the mirror could not
/// be written. What was read until then is kept.
pub async fn fill(
    client: &Client,
    policy: &Policy,
    mirror: &Mirror,
    concurrency: usize,
    mut progress: impl FnMut(Progress),
) -> Result<Filled, AuditError> {
    let reader = Reader::begin(client, policy, mirror, concurrency.max(1)).await?;
    reader.list(&mut progress).await?;
    reader.records(&mut progress).await?;
    reader.list_others().await?;
    reader.histories(&mut progress).await?;
    reader.comments(&mut progress).await?;
    // Those in doubt since a comment of theirs is gone.
    reader.histories(&mut progress).await?;
    reader.people().await?;
    let Reader { sync, facts, .. } = reader;
    let population = mirror.population(&sync)?;
    mirror.end(&sync, &facts, &population)?;
    crash::point("mirror-ended");
    Ok(Filled { sync, facts, population })
}

impl<'a> Reader<'a> {
    /// Resolves the tag, the teams and the recorders, and begins a run.
    async fn begin(
        client: &'a Client,
        policy: &'a Policy,
        mirror: &'a Mirror,
        concurrency: usize,
    ) -> Result<Self, AuditError> {
        let mut slugs: Vec<&str> = policy.teams.iter().map(|team| team.project.as_str()).collect();
        slugs.push(&policy.tag);
        let (owner, statuses, projects, recorders) = tokio::join!(
            client.whoami(),
            client.statuses(),
            client.projects_by_slug(&slugs),
            client.users_named(&policy.recorders),
        );
        // A refused token fails every call: its own call says it best.
        let owner = owner?;
        let now = owner.date.ok_or(AuditError::NoClock)?;
        let (projects, recorders): (Projects, Vec<Account>) = (projects?, recorders?);
        let tag = projects.of(&policy.tag).ok_or_else(|| AuditError::NoTag(policy.tag.clone()))?.phid.clone();
        let is_known = |name: &&String| recorders.iter().any(|account| account.is_named(name));
        if let Some(unknown) = policy.recorders.iter().find(|name| !is_known(name)) {
            return Err(AuditError::NoRecorder(unknown.clone()));
        }
        let mut family: BTreeSet<Phid<ProjectKind>> = client.descendants(&tag).await?.into_iter().collect();
        family.insert(tag.clone());
        let known = slugs.iter().filter_map(|slug| Some(((*slug).to_owned(), projects.of(slug)?.clone())));
        let facts = Facts {
            owner: owner.result,
            tag: Tag { phid: tag, family },
            projects: known.collect(),
            statuses: statuses?.into_iter().map(|Status { value, closed }| (value, closed)).collect(),
            recorders: recorders.into_iter().map(|account| account.phid).collect(),
        };
        let sync = mirror.begin(policy, now)?;
        let teams = Arc::new(teams(&facts, policy));
        mirror.mention(teams.values().flat_map(|team| &team.members).chain(&facts.recorders))?;
        Ok(Self { client, policy, mirror, concurrency, sync, facts, teams })
    }

    /// Lists the tasks that carry the tag.
    async fn list(&self, progress: &mut impl FnMut(Progress)) -> Result<(), AuditError> {
        let mut pages = Pages::default();
        let mut done = 0;
        while !pages.ended() {
            let page = self.client.tagged_page(&self.facts.tag.phid, &mut pages).await?;
            self.mirror.list(&self.sync, &page.result, page.date.ok_or(AuditError::NoClock)?, true)?;
            crash::point("mirror-listed");
            done += page.result.len();
            progress(Progress { step: Step::List, done, of: None });
        }
        Ok(())
    }

    /// Reads what the recorders wrote on any task: a record, what claims to be one, or what is gone and may have been one.
    async fn records(&self, progress: &mut impl FnMut(Progress)) -> Result<(), AuditError> {
        let mut pages = Pages::default();
        let mut done = 0;
        // Without its constraint a search would return what everybody did.
        while !self.facts.recorders.is_empty() && !pages.ended() {
            let rows = self.client.page_by(&self.facts.recorders, &mut pages).await?;
            let tasks: BTreeSet<_> = rows.iter().filter(|row| may_record(row)).map(|row| &row.task).collect();
            self.mirror.record(&self.sync, tasks)?;
            self.mirror.compare(&self.sync, &rows)?;
            done += rows.len();
            progress(Progress { step: Step::Records, done, of: None });
        }
        Ok(())
    }

    /// Lists the tasks that do not carry the tag.
    async fn list_others(&self) -> Result<(), AuditError> {
        let mut after = String::new();
        loop {
            let some = self.mirror.unlisted(&self.sync, &after, TASKS)?;
            let Some(last) = some.last() else { return Ok(()) };
            last.as_str().clone_into(&mut after);
            let tasks = self.client.tasks_by_phid(&some).await?;
            self.mirror.list(&self.sync, &tasks.result, tasks.date.ok_or(AuditError::NoClock)?, false)?;
        }
    }

    /// Reads the histories of the tasks that changed, a few at once.
    async fn histories(&self, progress: &mut impl FnMut(Progress)) -> Result<(), AuditError> {
        let (mut after, mut done) = (None, 0);
        let of = Some(self.mirror.pending_count(&self.sync)?);
        loop {
            let tasks = self.mirror.pending(&self.sync, after, COMMENTS)?;
            let Some(last) = tasks.last() else { return Ok(()) };
            after = Some(last.id);
            let read = stream::iter(tasks).map(|task| self.task(task)).buffer_unordered(self.concurrency);
            let mut read = std::pin::pin!(read.chunks(KEPT));
            while let Some(some) = read.next().await {
                // A refused token is refused for every task: it is no matter of this one.
                let some = some.into_iter().collect::<Result<Vec<Read>, ConduitError>>()?;
                self.mirror.keep(&self.sync, &some)?;
                crash::point("mirror-kept");
                done += some.len();
                progress(Progress { step: Step::Histories, done, of });
            }
        }
    }

    /// Reads a task. A history that does not lead to the task is read once more, with the task.
    async fn task(&self, task: Task) -> Result<Read, ConduitError> {
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
        if torn(&evidence, self.policy).is_none() {
            return Ok(self.read(evidence, None, None));
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
                let trouble = torn(&evidence, self.policy);
                Ok(self.read(evidence, asked, trouble))
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
        evidence(task, history, &self.facts, &self.teams, &no_statuses, &nobody, self.sync.now)
    }

    /// What came of reading a task, with everybody who did something to it or deployed.
    fn read(&self, evidence: Evidence, asked: Option<Timestamp>, trouble: Option<String>) -> Read {
        let mut people = history::people(&evidence);
        people.insert(evidence.task.author.clone());
        let task = Arc::unwrap_or_clone(evidence.task);
        let history = Some(Arc::unwrap_or_clone(evidence.timeline).into_transactions());
        Read { task, asked, history, trouble, people }
    }

    /// Reads the comments of the unchanged tasks again, some calls at once.
    async fn comments(&self, progress: &mut impl FnMut(Progress)) -> Result<(), AuditError> {
        let (mut after, mut done) = (None, 0);
        let of = Some(self.mirror.unchecked_count(&self.sync)?);
        loop {
            let mut calls = Vec::new();
            for _ in 0..self.concurrency {
                let known = self.mirror.unchecked(&self.sync, after, COMMENTS)?;
                let Some(last) = known.last() else { break };
                after = Some(last.id);
                calls.push(known);
            }
            if calls.is_empty() {
                return Ok(());
            }
            let read = stream::iter(calls).map(|known| self.again(known));
            let mut read = std::pin::pin!(read.buffer_unordered(self.concurrency));
            while let Some(read) = read.next().await {
                let (known, rows) = read?;
                let shown: BTreeSet<_> = rows.iter().filter(|row| !row.comments.is_empty()).map(|row| row.id).collect();
                let count = known.len();
                let gone: Vec<_> = known.into_iter().filter(|comment| !shown.contains(&comment.id)).collect();
                self.mirror.compare(&self.sync, &rows)?;
                self.mirror.miss(&gone)?;
                crash::point("mirror-compared");
                done += count;
                progress(Progress { step: Step::Comments, done, of });
            }
        }
    }

    /// Reads some comments again. Where they are more than one reply may hold, in smaller parts; one that is too large
    /// alone is left out, and its task is read whole.
    async fn again(&self, known: Vec<Known>) -> Result<(Vec<Known>, Vec<Transaction>), ConduitError> {
        let mut rows = Vec::new();
        let mut parts = vec![known.as_slice()];
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
        Ok((known, rows))
    }

    /// Looks up everybody who matters: who they are and in what state their account is may have changed.
    async fn people(&self) -> Result<(), AuditError> {
        let people = self.mirror.people()?;
        let calls = people.chunks(TASKS).map(|some| async move {
            let accounts = self.client.users(some).await;
            accounts.map(|accounts| (some, accounts))
        });
        let mut read = std::pin::pin!(stream::iter(calls).buffer_unordered(self.concurrency));
        while let Some(read) = read.next().await {
            let (asked, accounts) = read?;
            self.mirror.meet(asked, &accounts)?;
            crash::point("mirror-met");
        }
        Ok(())
    }
}

/// Whether a comment is a record, claims to be one, or is gone and may have been one.
fn may_record(row: &Transaction) -> bool {
    row.comments.iter().any(|version| version.removed || parse(version.text()) != Parsed::Absent)
}
