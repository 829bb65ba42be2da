//! Bringing the mirror up to date: which tasks there are to audit, and what happened to them since.
//!
//! The population is every task that carries the tag, its subprojects and milestones among it, and every task with a
//! record by a recorder, found by what the recorders wrote on any task; and every task of which the mirror knows that
//! it once was one of these. First all of them are listed, 100 a call. Then the histories of those that changed are
//! read, one a call. Then the comments of the others are read again, 1,000 a call. Responsible for that order, with
//! calls under way on other threads while what came is written here. Not responsible for reading one thing (the asker),
//! how it is kept ([`super::mirror`]), and what is found fault with.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;

use futures_util::{Stream, StreamExt, TryStreamExt, stream};

use super::error::AuditError;
use super::fetcher::{COMMENTS, Compared, Fetcher, Listed, Recorded, tasks_in};
use super::mirror::{CommentCursor, Mirror, MirrorError, Read, ServerFacts, SyncResult, SyncRun};
use super::mirrored::teams;
use super::progress::{AuditProgress, AuditStep};
use crate::conduit::{Account, Client, ConduitError, Failure, Pages, Projects, SealedRows, Status};
use crate::crash;
use crate::evidence::{Tag, phids_below};
use crate::policy::Policy;

/// How many tasks one call lists.
const TASKS: usize = 100;
/// The most pages of a listing: a server that always has another one is not listened to for ever.
const PAGES: usize = 20_000;
/// Of how many pages of one listing something is made at once.
const MADE: usize = 3;
/// How many histories are written at once. A killed audit has to read these again, and those that were read meanwhile.
const KEPT: usize = 20;

/// Who fills the mirror.
struct MirrorSync<'a> {
    mirror: &'a Mirror,
    sync: SyncRun,
    fetcher: Arc<Fetcher>,
    /// How many calls are made at once at most, which the client sees to.
    concurrency: usize,
}

/// Brings the mirror up to date, `concurrency` calls at once at most. The mirror must be locked. `progress` is called
/// with how far it has come. What is read is made sense of on other threads of the runtime, where it has some.
///
/// Where it is `thorough`, every history is read again: what somebody changed in the database itself shows in the time of
/// no task's last change.
///
/// # Errors
/// Where the server does not know the tag or a recorder, the population could not be read whole, or the mirror could not
/// be written. What was read until then is kept.
pub async fn sync(
    client: &Client,
    policy: &Policy,
    mirror: &Mirror,
    concurrency: usize,
    thorough: bool,
    mut progress: impl FnMut(AuditProgress),
) -> Result<SyncResult, AuditError> {
    let concurrency = concurrency.max(1);
    let mut reader = MirrorSync::begin(client.paced(concurrency), policy, mirror, concurrency).await?;
    reader.sync = reader.sync.thorough(thorough);
    reader.list(&mut progress).await?;
    reader.family().await?;
    reader.list_others().await?;
    reader.histories(&mut progress).await?;
    reader.comments(&mut progress).await?;
    // Those in doubt since a comment of theirs is gone.
    reader.histories(&mut progress).await?;
    reader.people().await?;
    let MirrorSync { sync, fetcher, .. } = reader;
    let population = mirror.population(&sync)?;
    mirror.end(&sync, policy, &fetcher.facts, &population)?;
    crash::point("mirror-ended");
    Ok(SyncResult { sync, facts: fetcher.facts.clone(), population })
}

impl<'a> MirrorSync<'a> {
    /// Resolves the tag, the teams and the recorders, and begins a run.
    async fn begin(
        client: Client,
        policy: &Policy,
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
        let known = slugs.iter().filter_map(|slug| Some(((*slug).to_owned(), projects.of(slug)?.clone())));
        let mut facts = ServerFacts {
            owner: owner.result,
            tag: Tag { family: [tag.clone()].into(), phid: tag },
            projects: known.collect(),
            statuses: statuses?.into_iter().map(|Status { value, closed }| (value, closed)).collect(),
            recorders: recorders.into_iter().map(|account| account.phid).collect(),
            earlier_tags: mirror.led_to(&policy.tag)?,
            unknown: slugs.iter().filter(|slug| projects.of(slug).is_none()).map(|slug| (*slug).to_owned()).collect(),
        };
        facts.earlier_tags.retain(|earlier| *earlier != facts.tag.phid);
        identify(&client, mirror, &facts).await?;
        let sync = mirror.begin(policy, now)?;
        let teams: Arc<BTreeMap<_, _>> = Arc::new(teams(&facts, policy));
        mirror.add_accounts(teams.values().flat_map(|team| &team.members).chain(&facts.recorders))?;
        let fetcher = Arc::new(Fetcher { client, policy: policy.clone(), facts, teams, now: sync.now });
        Ok(Self { mirror, sync, fetcher, concurrency })
    }

    /// Learns what is below the tag and the teams. After the tasks are listed, so that what is listed for a milestone that was made just
    /// now is known to carry the tag.
    async fn family(&mut self) -> Result<(), AuditError> {
        let mut fetcher = Fetcher::clone(&self.fetcher);
        let facts = &mut fetcher.facts;
        let above: BTreeSet<_> = facts
            .projects
            .values()
            .map(|project| &project.phid)
            .chain([&facts.tag.phid])
            .chain(&facts.earlier_tags)
            .collect();
        let above: Vec<_> = above.into_iter().cloned().collect();
        let below = fetcher.client.descendants(&above).await?;
        // What was tagged with a project that the hashtag led to was tagged.
        for tag in [&facts.tag.phid].into_iter().chain(&facts.earlier_tags) {
            facts.tag.family.insert(tag.clone());
            facts.tag.family.extend(phids_below(tag, &below));
        }
        facts.projects.values_mut().for_each(|project| project.place(&below));
        fetcher.teams = Arc::new(teams(facts, &fetcher.policy));
        self.fetcher = Arc::new(fetcher);
        Ok(())
    }

    /// Reads many things on other threads, more of them begun than calls may be made at once, so that none waits for what
    /// is done here. What is to be read is looked up when its turn comes.
    fn read_many<I, T, F>(
        &self,
        items: impl IntoIterator<Item = Result<I, MirrorError>>,
        ahead: usize,
        read: impl Fn(Arc<Fetcher>, I) -> F,
    ) -> impl Stream<Item = Result<T, AuditError>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ConduitError>> + Send + 'static,
    {
        let begin = move |item| spawn(read(Arc::clone(&self.fetcher), item));
        let items = stream::iter(items).map_err(AuditError::from);
        items.map_ok(begin).try_buffer_unordered(self.concurrency + ahead)
    }

    /// Lists the tasks that carry the tag, and at the same time what the recorders wrote: each of the two is one page after
    /// the other.
    async fn list(&self, progress: &mut impl FnMut(AuditProgress)) -> Result<(), AuditError> {
        let advanced = RefCell::new((progress, 0));
        let advance = |some: usize| {
            let (progress, done) = &mut *advanced.borrow_mut();
            *done += some;
            progress(AuditProgress { step: AuditStep::List, done: *done, of: None });
        };
        tokio::try_join!(self.tagged(advance), self.records(advance)).map(drop)
    }

    /// Lists the tasks that carry the tag, or a project that its hashtag led to before. The next page is asked for while one is written.
    async fn tagged(&self, advance: impl Fn(usize)) -> Result<(), AuditError> {
        let ServerFacts { tag, earlier_tags, .. } = &self.fetcher.facts;
        for tag in [&tag.phid].into_iter().chain(earlier_tags) {
            let ask = |mut pages: Pages| {
                let (fetcher, tag) = (Arc::clone(&self.fetcher), tag.clone());
                spawn(async move { Ok((fetcher.tagged(&tag, &mut pages).await?, pages)) })
            };
            let listed = one_by_one(Pages::of(TASKS).at_most(PAGES), ask, |page| tasks_in(&page));
            let mut listed = std::pin::pin!(listed);
            while let Some(page) = listed.next().await {
                let page = page?;
                let some = page.result.len();
                self.keep_listed(page, true)?;
                crash::point("mirror-listed");
                advance(some);
            }
        }
        Ok(())
    }

    fn keep_listed(&self, tasks: Listed, tagged: bool) -> Result<(), AuditError> {
        let asked = tasks.date.ok_or(AuditError::NoClock)?;
        Ok(self.mirror.list(&self.sync, &tasks.result, asked, tagged)?)
    }

    /// Reads what the recorders wrote on any task: a record, what claims to be one, or what is gone and may have been one.
    async fn records(&self, advance: impl Fn(usize)) -> Result<(), AuditError> {
        if self.fetcher.facts.recorders.is_empty() {
            // Without its constraint a search would return what everybody did.
            return Ok(());
        }
        let ask = |mut from: Pages| {
            let fetcher = Arc::clone(&self.fetcher);
            spawn(async move { Ok((fetcher.recorded(&mut from).await?, from)) })
        };
        let fetcher = Arc::clone(&self.fetcher);
        let read = one_by_one(Client::pages_by().at_most(PAGES), ask, move |page| fetcher.records_in(&page));
        let mut read = std::pin::pin!(read);
        while let Some(page) = read.next().await {
            let Recorded { comments, tasks } = page.map_err(too_old)?;
            self.mirror.record(&self.sync, &tasks)?;
            self.mirror.compare(&self.sync, &comments)?;
            advance(comments.len());
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
            self.keep_listed(self.fetcher.named(&some).await?, false)?;
        }
    }

    /// Reads the histories of the tasks that changed, a few at once.
    async fn histories(&self, progress: &mut impl FnMut(AuditProgress)) -> Result<(), AuditError> {
        let (mut after, mut done) = (None, 0);
        let of = Some(self.mirror.pending_count(&self.sync)?);
        let parts = until_none(|| {
            let tasks = self.mirror.pending(&self.sync, after, KEPT)?;
            after = tasks.last().map(|last| last.id);
            Ok(tasks)
        });
        let mut read = std::pin::pin!(self.read_many(parts, 1, Fetcher::tasks));
        while let Some(some) = read.next().await {
            let some: Vec<Read> = some?;
            done += some.len();
            self.mirror.keep(&self.sync, some)?;
            crash::point("mirror-kept");
            progress(AuditProgress { step: AuditStep::Histories, done, of });
        }
        Ok(())
    }

    /// Reads the comments of the unchanged tasks again, some calls at once.
    async fn comments(&self, progress: &mut impl FnMut(AuditProgress)) -> Result<(), AuditError> {
        let (mut after, mut done) = (CommentCursor::default(), 0);
        let of = Some(self.mirror.unchecked_at_most()?);
        let parts = until_none(|| {
            let (known, last) = self.mirror.unchecked(&self.sync, after, COMMENTS)?;
            after = last;
            Ok(known)
        });
        let read = self.read_many(parts, 1, |fetcher, known| async move { fetcher.comments(known).await });
        let mut read = std::pin::pin!(read);
        while let Some(read) = read.next().await {
            let Compared { count, changed, gone } = read?;
            self.mirror.compare(&self.sync, &changed)?;
            self.mirror.mark_missing(&gone)?;
            crash::point("mirror-compared");
            done += count;
            progress(AuditProgress { step: AuditStep::Comments, done, of });
        }
        Ok(())
    }

    /// Looks up everybody who matters: who they are and in what state their account is may have changed.
    async fn people(&self) -> Result<(), AuditError> {
        let people = self.mirror.people()?;
        let parts = people.chunks(TASKS).map(|some| Ok(some.to_vec()));
        let read = self.read_many(parts, 0, |fetcher, some| async move {
            let accounts = fetcher.accounts(&some).await?;
            Ok((some, accounts))
        });
        let mut read = std::pin::pin!(read);
        while let Some(read) = read.next().await {
            let (asked, accounts) = read?;
            self.mirror.update_accounts(&asked, &accounts)?;
            crash::point("mirror-met");
        }
        Ok(())
    }
}

/// What is looked up part by part, up to one that is empty.
fn until_none<T, E>(mut next: impl FnMut() -> Result<Vec<T>, E>) -> impl Iterator<Item = Result<Vec<T>, E>> {
    std::iter::from_fn(move || next().map(|some| (!some.is_empty()).then_some(some)).transpose())
}

/// Reads pages one after the other: while something is made of one on another thread, the next is asked for.
fn one_by_one<T: Send + 'static, A: Future<Output = Result<(SealedRows, Pages), AuditError>>>(
    first: Pages,
    ask: impl Fn(Pages) -> A + Clone,
    make: impl Fn(SealedRows) -> Result<T, ConduitError> + Clone + Send + 'static,
) -> impl Stream<Item = Result<T, AuditError>> {
    let asked = stream::try_unfold(Some(ask(first)), move |asked| {
        let (ask, make) = (ask.clone(), make.clone());
        async move {
            let Some(asked) = asked else { return Ok(None) };
            let (page, pages) = asked.await?;
            let made = spawn(async move { make(page) });
            Ok(Some((made, (!pages.ended()).then(|| ask(pages)))))
        }
    });
    asked.try_buffered(MADE)
}

/// Sees to it that the server is the one that the mirror is of, and not another that answers at its URL now: the tag, who
/// asks, or a recorder was seen there before, or the server still knows somebody who was.
async fn identify(client: &Client, mirror: &Mirror, facts: &ServerFacts) -> Result<(), AuditError> {
    let witnesses = mirror.witnesses()?;
    if witnesses.know(facts) || !client.users(&witnesses.people).await?.is_empty() {
        return Ok(());
    }
    Err(mirror.other_server().into())
}

/// A server of before March 2021 returns what accounts did for one task alone.
fn too_old(error: AuditError) -> AuditError {
    match error {
        AuditError::Conduit(ConduitError { kind: Failure::Refused { code, .. }, .. }) if code == "ERR-CONDUIT-CALL" => {
            AuditError::TooOld
        }
        error => error,
    }
}

/// Reads on another thread, from now on and whatever is done here meanwhile.
fn spawn<T: Send + 'static>(
    read: impl Future<Output = Result<T, ConduitError>> + Send + 'static,
) -> impl Future<Output = Result<T, AuditError>> {
    let under_way = tokio::spawn(read);
    async move { under_way.await.map_err(|_| AuditError::Stopped)?.map_err(AuditError::Conduit) }
}
