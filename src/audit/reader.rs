//! Reading the evidence of the whole history: which tasks there are to audit, and the evidence of each, in bulk.
//!
//! The population is every task that carries the tag, its subprojects and milestones among it, and every task with a
//! record by a recorder, found by what the recorders wrote on any task. Tasks come a page at a time, so that the memory
//! does not grow with the history. In the room: that, and counting what could not be seen or read. Not in the room: what
//! is found fault with.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use crate::conduit::{Account, Client, ConduitError, Pages, Project, Projects, Status, Task, Transaction};
use crate::evidence::timeline::Timeline;
use crate::evidence::{Evidence, GatherError, Tag, differences};
use crate::history;
use crate::ids::{Phid, Project as ProjectKind, Task as TaskKind, TaskId, User};
use crate::policy::Policy;
use crate::record::parse::{Parsed, parse};

/// Why the audit cannot begin or go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// A call that all else hangs on gave no usable answer.
    #[error(transparent)]
    Conduit(#[from] ConduitError),
    /// The tag does not exist: an audit of it would find nothing and look clean.
    #[error("the server knows no project #{0}, or does not show it to this account: there would be nothing to audit")]
    NoTag(String),
    /// A recorder does not exist: its records would not be found.
    #[error("the server knows no account {0}, which the policy names as a recorder: its records would not be found")]
    NoRecorder(String),
    /// The server's replies carry no time.
    #[error("the server's replies carry no Date: what is overdue cannot be known")]
    NoClock,
}

/// A task of the population that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The task.
    pub task: TaskId,
    /// Why not.
    pub error: GatherError,
}

/// How large the population is, and how much of it was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Population {
    /// Tasks that carry the tag.
    pub tagged: usize,
    /// Tasks without the tag that a recorder left a record on.
    pub recorded: usize,
    /// Tasks with a record that this account is not shown any more.
    pub unseen: usize,
}

/// How many tasks are read at a time.
const PAGE: usize = 100;

/// What all tasks share.
pub struct Reader<'a> {
    client: &'a Client,
    policy: &'a Policy,
    concurrency: usize,
    tag: Tag,
    teams: BTreeMap<String, Project>,
    statuses: BTreeMap<String, bool>,
    recorders: Vec<Phid<User>>,
    owner: Account,
    /// The accounts of the teams' members and of the recorders, who matter on every task.
    everywhere: BTreeMap<Phid<User>, Account>,
    /// All accounts that were looked up so far.
    accounts: BTreeMap<Phid<User>, Account>,
    now: Timestamp,
}

impl<'a> Reader<'a> {
    /// Resolves the tag, the teams and the recorders. `concurrency` calls are made at once at most.
    ///
    /// # Errors
    /// Where the server gave no usable answer, or does not know the tag or a recorder.
    pub async fn begin(client: &'a Client, policy: &'a Policy, concurrency: usize) -> Result<Self, AuditError> {
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
        let team = |key: &str, slug: &str| Some((key.to_owned(), projects.of(slug)?.clone()));
        let teams: BTreeMap<_, _> = policy.teams.iter().filter_map(|of| team(&of.key, &of.project)).collect();
        let members: BTreeSet<_> = teams.values().flat_map(|team| team.members.iter().cloned()).collect();
        let mut reader = Self {
            client,
            policy,
            concurrency,
            tag: Tag { phid: tag, family },
            teams,
            statuses: statuses?.into_iter().map(|Status { value, closed }| (value, closed)).collect(),
            recorders: recorders.iter().map(|account| account.phid.clone()).collect(),
            owner: owner.result,
            everywhere: BTreeMap::new(),
            accounts: recorders.into_iter().map(|account| (account.phid.clone(), account)).collect(),
            now,
        };
        reader.learn(members).await?;
        reader.everywhere = reader.accounts.clone();
        Ok(reader)
    }

    /// When the audit began, by the server's clock.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Reads the population; `each` is handed the evidence of every task, or why it could not be read. After each page
    /// `progress` is told how many tasks have been read.
    ///
    /// # Errors
    /// Where the population itself could not be read whole.
    pub async fn read(
        &mut self,
        mut each: impl FnMut(Result<Evidence, Unread>),
        mut progress: impl FnMut(usize),
    ) -> Result<Population, AuditError> {
        let mut population = Population::default();
        let mut seen: BTreeSet<Phid<TaskKind>> = BTreeSet::new();
        let mut pages = Pages::default();
        while !pages.ended() {
            let tasks = self.client.tagged_page(&self.tag.phid, &mut pages).await?;
            // A task that was tagged while the pages were read can come twice.
            let fresh: Vec<Task> = tasks.into_iter().filter(|task| seen.insert(task.phid.clone())).collect();
            population.tagged += fresh.len();
            self.page(fresh, &mut each).await?;
            progress(seen.len());
        }
        let recorded: Vec<Phid<TaskKind>> =
            self.recorded().await?.into_iter().filter(|task| !seen.contains(task)).collect();
        for some in recorded.chunks(PAGE) {
            let tasks = self.client.tasks_by_phid(some).await?;
            population.recorded += tasks.len();
            population.unseen += some.len() - tasks.len();
            self.page(tasks, &mut each).await?;
            progress(population.tagged + population.recorded);
        }
        Ok(population)
    }

    /// The tasks on which a recorder wrote a record, or what claims to be one; removed comments may have been one.
    async fn recorded(&self) -> Result<BTreeSet<Phid<TaskKind>>, AuditError> {
        let mut tasks = BTreeSet::new();
        let mut pages = Pages::default();
        // Without its constraint a search would return what everybody did.
        while !self.recorders.is_empty() && !pages.ended() {
            let rows = self.client.page_by(&self.recorders, &mut pages).await?;
            tasks.extend(rows.iter().filter(|row| may_record(row)).map(|row| row.task.clone()));
        }
        Ok(tasks)
    }

    /// Reads the histories of some tasks, a few at once, and hands out the evidence of each, in order.
    async fn page(
        &mut self,
        tasks: Vec<Task>,
        each: &mut impl FnMut(Result<Evidence, Unread>),
    ) -> Result<(), AuditError> {
        let mut page = Vec::with_capacity(tasks.len());
        let this = &*self;
        let mut read = stream::iter(tasks).map(|task| this.task(task)).buffered(this.concurrency.max(1));
        while let Some(read) = read.next().await {
            page.push(read);
        }
        drop(read);
        let people = page.iter().flatten().flat_map(|evidence| history::people(evidence, self.policy));
        let people: BTreeSet<_> = people.collect();
        self.learn(people).await?;
        for read in page {
            // A refused token is refused for every task: it is no matter of this one.
            if let Err(Unread { error: GatherError::Conduit(error), .. }) = &read
                && error.is_credentials()
            {
                return Err(error.clone().into());
            }
            each(read.map(|evidence| self.with_people(evidence)));
        }
        Ok(())
    }

    /// The evidence of one task, without the accounts of its people. A history that does not lead to the task is read
    /// once more.
    async fn task(&self, task: Task) -> Result<Evidence, Unread> {
        let id = task.id;
        let unread = |error: GatherError| Unread { task: id, error };
        let evidence = self.history(task).await.map_err(|error| unread(error.into()))?;
        if differences(&evidence, self.policy).is_empty() {
            return Ok(evidence);
        }
        let again = self.client.task(id).await.map_err(|error| unread(error.into()))?;
        let gone = || GatherError::Torn { task: id, what: "the task is not shown any more, so all parts".to_owned() };
        let evidence = self.history(again.result.ok_or_else(|| unread(gone()))?).await;
        let evidence = evidence.map_err(|error| unread(error.into()))?;
        match differences(&evidence, self.policy) {
            differences if differences.is_empty() => Ok(evidence),
            differences => Err(unread(GatherError::Torn { task: id, what: differences.join(", ") })),
        }
    }

    async fn history(&self, task: Task) -> Result<Evidence, ConduitError> {
        let rows = self.client.history(task.id).await?.result;
        if rows.is_empty() || rows.iter().any(|row| row.task != task.phid) {
            return Err(Client::unexpected("transaction.search", format!("the history of {} is not its own", task.id)));
        }
        Ok(Evidence {
            task,
            timeline: Timeline::new(rows),
            tag: Some(self.tag.clone()),
            teams: self.teams.clone(),
            accounts: self.everywhere.clone(),
            owner: self.owner.clone(),
            candidates: Vec::new(),
            attestations: Vec::new(),
            statuses: self.statuses.clone(),
            now: self.now,
            skew: SignedDuration::ZERO,
        })
    }

    /// The evidence with the accounts of its people, those of the teams and of the recorders.
    fn with_people(&self, mut evidence: Evidence) -> Evidence {
        let people = history::people(&evidence, self.policy);
        let known = people.iter().filter_map(|person| self.accounts.get(person));
        evidence.accounts.extend(known.map(|account| (account.phid.clone(), account.clone())));
        evidence
    }

    /// Looks up the accounts of people that are not known yet.
    async fn learn(&mut self, people: BTreeSet<Phid<User>>) -> Result<(), ConduitError> {
        let unknown: Vec<_> = people.into_iter().filter(|person| !self.accounts.contains_key(person)).collect();
        if !unknown.is_empty() {
            let accounts = self.client.users(&unknown).await?;
            self.accounts.extend(accounts.into_iter().map(|account| (account.phid.clone(), account)));
        }
        Ok(())
    }
}

/// Whether a comment is a record, claims to be one, or is gone and may have been one.
fn may_record(row: &Transaction) -> bool {
    row.comments.iter().any(|version| version.removed || parse(version.text()) != Parsed::Absent)
}
