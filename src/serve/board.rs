//! Where every open emergency stands, as the watch knows it now.
//!
//! Responsible for holding it in memory, for the number of each change, and for how old what is known is. Not responsible for finding
//! out ([`super::watch`]), nor for who is shown it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::audience::Audience;
use super::channel::ChannelFacts;
use super::deploys::Deploy;
use super::episode::Episode;
use super::paging::PagingFacts;
use crate::conduit::{self, Account, Transaction};
use crate::evidence::{Evidence, Tag};
use crate::ids::{Phid, Project, Task, TaskId, User, Xact};
use crate::notice::StoreId;
use crate::policy::Policy;
use crate::rules::Verdict;
use crate::time::ServerClock;
use crate::view::{self, VerdictSubject};

/// For how long the tag, its subprojects and the Spaces count as fresh after they were read.
const TAG_IS_FRESH: SignedDuration = SignedDuration::from_secs(150);

/// What a verdict is known by: it changes where anything does that does not only pass with time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerdictDigest([u8; 16]);

impl VerdictDigest {
    /// Of what is served.
    pub fn of(task: TaskId, subject: &VerdictSubject, verdict: &Verdict, policy: &Policy) -> Self {
        let timeless = VerdictSubject { now: None, ..subject.clone() };
        let page = view::verdict(task, &timeless, verdict, policy, None);
        // Of what cannot be written as JSON nothing is served either.
        let bytes = serde_json::to_vec(&page).unwrap_or_default();
        let digest = Sha256::digest(bytes);
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        Self(short)
    }
}

/// A comment as it was read, to find out whether it was edited or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentMark {
    /// The transaction that holds it.
    pub phid: Phid<Xact>,
    /// Of all its versions.
    pub fingerprint: u64,
}

impl CommentMark {
    /// Of a transaction that holds a comment.
    pub fn of(transaction: &Transaction) -> Self {
        let mut hasher = DefaultHasher::new();
        for version in &transaction.comments {
            (version.version, &version.author, version.created.as_second(), version.removed, version.text())
                .hash(&mut hasher);
        }
        Self { phid: transaction.phid.clone(), fingerprint: hasher.finish() }
    }
}

/// The people as they were read, to find out whether anything about them changed that a verdict rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeopleMark {
    /// Who is in which team.
    teams: BTreeMap<Phid<Project>, BTreeSet<Phid<User>>>,
    /// What each account is known by.
    accounts: BTreeMap<Phid<User>, u64>,
}

impl PeopleMark {
    /// Of the projects of the teams, and of accounts.
    pub fn of<'a>(
        projects: impl Iterator<Item = &'a conduit::Project>,
        accounts: impl Iterator<Item = &'a Account>,
    ) -> Self {
        let fingerprint = |account: &Account| {
            let mut hasher = DefaultHasher::new();
            account.username.hash(&mut hasher);
            account.roles.iter().for_each(|role| format!("{role:?}").hash(&mut hasher));
            hasher.finish()
        };
        Self {
            teams: projects.map(|project| (project.phid.clone(), project.members.iter().cloned().collect())).collect(),
            accounts: accounts.map(|account| (account.phid.clone(), fingerprint(account))).collect(),
        }
    }

    /// Of what a verdict rests on. The service's own account is another's matter: what is read of it is read otherwise.
    pub fn of_evidence(evidence: &Evidence) -> Self {
        let others = evidence.accounts.values().filter(|account| account.phid != evidence.owner.phid);
        Self::of(evidence.teams.values(), others)
    }

    /// The accounts.
    pub fn accounts(&self) -> impl Iterator<Item = &Phid<User>> {
        self.accounts.keys()
    }

    /// Whether all of it is so in what was read since, which may be of more accounts.
    pub fn still_holds(&self, since: &Self) -> bool {
        self.teams == since.teams
            && self.accounts.iter().all(|(account, known)| since.accounts.get(account) == Some(known))
    }
}

/// An open emergency.
#[derive(Debug, Clone)]
pub struct WatchedTask {
    /// The task.
    pub task: TaskId,
    /// Its PHID.
    pub phid: Phid<Task>,
    /// The number of the change since which it stands so.
    pub sequence: u64,
    /// What its verdict is known by.
    pub digest: VerdictDigest,
    /// Who may see the task.
    pub audience: Audience,
    /// Since when it is an open emergency.
    pub episode: Episode,
    /// What may be shown beside the verdict.
    pub subject: VerdictSubject,
    /// What is decided.
    pub verdict: Verdict,
    /// When the reading of it began, by the server's clock.
    pub read_at: Timestamp,
    /// When the task was modified, by the server.
    pub modified: Timestamp,
    /// The comments that matter, and when they were read last.
    pub comments: Arc<[CommentMark]>,
    /// When they were.
    pub comments_read_at: Timestamp,
    /// The people that its verdict rests on.
    pub people: Arc<PeopleMark>,
    /// A deploy of it is under way.
    pub underway: bool,
    /// Its deploys: those without an end, and the last that ended.
    pub deploys: Vec<Deploy>,
    /// When it has to be looked at again though nothing happened, by the server's clock.
    pub due: Option<Timestamp>,
    /// Whether the watch says notices on it, and why not.
    pub speaks: Speaks,
    /// What paging needs to know of it.
    pub paging: Arc<PagingFacts>,
    /// What the channel needs to know of it.
    pub channel: Arc<ChannelFacts>,
}

/// Whether the watch says notices on a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Speaks {
    /// It does.
    Yes,
    /// The emergency began before the store was made.
    NotAnnounced,
    /// The service of this other store does.
    Another(StoreId),
}

/// When the parts of the evidence that no single task has were last read, by the server's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freshness {
    /// What happened on tasks.
    pub feed: Option<Timestamp>,
    /// Members and accounts of the teams.
    pub members: Option<Timestamp>,
    /// Tag, subprojects and the list of open emergencies.
    pub sweep: Option<Timestamp>,
}

/// Where every open emergency stands. Shared by reference.
#[derive(Debug)]
pub struct Board {
    state: RwLock<BoardState>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct BoardState {
    tasks: BTreeMap<TaskId, Arc<WatchedTask>>,
    by_phid: BTreeMap<Phid<Task>, TaskId>,
    freshness: Freshness,
    clock: ServerClock,
    /// What the server's clock said when it was compared last, and when that was by a clock that nobody sets.
    anchor: Option<(Timestamp, Instant)>,
    family: Option<Arc<BTreeSet<Phid<Project>>>>,
    /// Tasks of which the last reading failed, and since when what is known of them is old.
    unread: BTreeMap<TaskId, Timestamp>,
    /// Tasks that were open emergencies until a moment ago, and when that was read which showed that they are none any more.
    ended: BTreeMap<TaskId, Timestamp>,
    /// The usernames of the people who may look at the page, in lower case; `None` before they were read.
    viewers: Option<BTreeSet<String>>,
}

/// For how long a reading says where a task stands that is watched no more: as long as a new emergency may take to be seen.
const JUST_READ: SignedDuration = SignedDuration::from_secs(3);

fn is_just_read(read_at: Timestamp, now: Timestamp) -> bool {
    (SignedDuration::ZERO..=JUST_READ).contains(&now.duration_since(read_at))
}

impl Default for Board {
    fn default() -> Self {
        Self { state: RwLock::default(), changed: watch::Sender::new(0) }
    }
}

impl Board {
    fn read(&self) -> RwLockReadGuard<'_, BoardState> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BoardState> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a task stands; `None` where it is no open emergency that is known.
    pub fn watched(&self, task: TaskId) -> Option<Arc<WatchedTask>> {
        self.read().tasks.get(&task).cloned()
    }

    /// All open emergencies, the newest task first.
    pub fn all(&self) -> Vec<Arc<WatchedTask>> {
        self.read().tasks.values().rev().cloned().collect()
    }

    /// The task of a PHID, where it is an open emergency.
    pub fn by_phid(&self, phid: &Phid<Task>) -> Option<TaskId> {
        self.read().by_phid.get(phid).copied()
    }

    /// Hears of the number of each change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Puts an open emergency in its place; returns it with the number of its change, which is `next` where anything changed but time.
    pub fn put(&self, watched: WatchedTask, next: u64) -> (Arc<WatchedTask>, bool) {
        let mut state = self.write();
        let earlier = state.tasks.get(&watched.task);
        let same = earlier.filter(|old| {
            old.digest == watched.digest
                && old.audience == watched.audience
                && old.episode == watched.episode
                && old.speaks == watched.speaks
                && old.deploys == watched.deploys
                && old.subject.action == watched.subject.action
                && old.subject.change == watched.subject.change
        });
        let is_change = same.is_none();
        let sequence = same.map_or(next, |old| old.sequence);
        let watched = Arc::new(WatchedTask { sequence, ..watched });
        state.unread.remove(&watched.task);
        state.ended.remove(&watched.task);
        state.by_phid.insert(watched.phid.clone(), watched.task);
        state.tasks.insert(watched.task, Arc::clone(&watched));
        drop(state);
        if is_change {
            self.changed.send_replace(sequence);
        }
        (watched, is_change)
    }

    /// Takes a task away, at once and with all that is known of it but that it is none; returns whether it was there. `read_at` is when
    /// the reading began that showed it.
    pub fn remove(&self, task: TaskId, next: u64, read_at: Timestamp) -> bool {
        let now = self.now();
        let mut state = self.write();
        state.unread.remove(&task);
        let Some(watched) = state.tasks.remove(&task) else { return false };
        state.by_phid.remove(&watched.phid);
        state.ended.retain(|_, read_at| is_just_read(*read_at, now));
        state.ended.insert(task, read_at);
        drop(state);
        self.changed.send_replace(next);
        true
    }

    /// Whether a task was an open emergency, and was just found to be none any more: no reading has to say so again to each who asks.
    pub fn has_just_ended(&self, task: TaskId) -> bool {
        let now = self.now();
        self.read().ended.get(&task).is_some_and(|read_at| is_just_read(*read_at, now))
    }

    /// Has everybody look again at a task of which something else is said, though nothing changed on it.
    pub fn touch(&self, task: TaskId, next: u64) {
        let mut state = self.write();
        let Some(watched) = state.tasks.get_mut(&task) else { return };
        Arc::make_mut(watched).sequence = next;
        drop(state);
        self.changed.send_replace(next);
    }

    /// Notes when the comments of a task were read last and had not changed.
    pub fn comments_unchanged(&self, task: TaskId, at: Timestamp) {
        let mut state = self.write();
        if let Some(watched) = state.tasks.get_mut(&task) {
            let read_at = watched.comments_read_at.max(at);
            Arc::make_mut(watched).comments_read_at = read_at;
        }
    }

    /// Has a task looked at again at a time though nothing happens, or before where that was due already.
    pub fn due_by(&self, task: TaskId, time: Timestamp) {
        let mut state = self.write();
        if let Some(watched) = state.tasks.get_mut(&task).filter(|watched| watched.due.is_none_or(|due| due > time)) {
            Arc::make_mut(watched).due = Some(time);
        }
    }

    /// The tasks that are due at a time, which they are not any more then.
    pub fn take_due(&self, now: Timestamp) -> Vec<TaskId> {
        let mut state = self.write();
        let due = state.tasks.values_mut().filter(|watched| watched.due.is_some_and(|due| due <= now));
        due.map(|watched| {
            Arc::make_mut(watched).due = None;
            watched.task
        })
        .collect()
    }

    /// Notes that a task could not be read.
    pub fn unread(&self, task: TaskId, at: Timestamp) {
        self.write().unread.entry(task).or_insert(at);
    }

    /// Notes that a task could be read that is no open emergency.
    pub fn read_at_last(&self, task: TaskId) {
        self.write().unread.remove(&task);
    }

    /// The tasks that could not be read when that was last tried.
    pub fn unread_tasks(&self) -> Vec<TaskId> {
        self.read().unread.keys().copied().collect()
    }

    /// Since when a task could not be read.
    pub fn unread_since(&self, task: TaskId) -> Option<Timestamp> {
        self.read().unread.get(&task).copied()
    }

    /// When the parts were read that no single task has.
    pub fn freshness(&self) -> Freshness {
        self.read().freshness
    }

    /// Notes when such a part was read.
    pub fn refreshed(&self, note: impl FnOnce(&mut Freshness)) {
        note(&mut self.write().freshness);
    }

    /// Notes who may look at the page: of these accounts the enabled people.
    pub fn set_viewers<'a>(&self, accounts: impl Iterator<Item = &'a Account>) {
        let people = accounts.filter(|account| account.is_enabled_person());
        self.write().viewers = Some(people.map(|person| person.username.to_ascii_lowercase()).collect());
    }

    /// Whether an account may look at the page; `None` before it was read who may.
    pub fn is_viewer(&self, username: &str) -> Option<bool> {
        self.read().viewers.as_ref().map(|viewers| viewers.contains(&username.to_ascii_lowercase()))
    }

    /// The server's clock.
    pub fn clock(&self) -> ServerClock {
        self.read().clock
    }

    /// Notes what a reading showed of the server's clock.
    pub fn set_clock(&self, clock: ServerClock) {
        let mut state = self.write();
        state.clock = clock;
        // In this order, so that what has passed since is never too little.
        let at = Instant::now();
        state.anchor = Some((clock.now(), at));
    }

    /// What the server's clock says now. Where this machine's clock was set back since it was compared, the time that has passed counts;
    /// where the machine slept, its clock does: nothing ever seems younger than it is.
    pub fn now(&self) -> Timestamp {
        let state = self.read();
        let by_clock = state.clock.now();
        let passed = state.anchor.and_then(|(time, at)| time.checked_add(at.elapsed()).ok());
        passed.map_or(by_clock, |passed| passed.max(by_clock))
    }

    /// The tag with all that is below it; `None` before it was read.
    pub fn family(&self) -> Option<Arc<BTreeSet<Phid<Project>>>> {
        self.read().family.clone()
    }

    /// Notes the tag with all that is below it; returns whether that is something else than before.
    pub fn set_family(&self, tag: &Tag) -> bool {
        let mut state = self.write();
        if state.family.as_deref() == Some(&tag.family) {
            return false;
        }
        state.family.replace(Arc::new(tag.family.clone())).is_some()
    }

    /// When the oldest part of what is known of a task was read, at a time, both by the server's clock. Of a task that waits to be
    /// looked at, nothing that was read since says anything.
    pub fn evidence_at(&self, watched: &WatchedTask, now: Timestamp, waits: bool) -> Timestamp {
        if waits {
            return watched.read_at;
        }
        let Freshness { feed, members, sweep } = self.freshness();
        let at_least = |part: Option<Timestamp>| part.map_or(watched.read_at, |part| part.max(watched.read_at));
        let tag = at_least(sweep);
        let tag = if now.duration_since(tag) <= TAG_IS_FRESH { now } else { tag };
        let parts = [at_least(feed), at_least(members), tag, watched.comments_read_at.max(watched.read_at)];
        parts.into_iter().min().unwrap_or(watched.read_at)
    }
}

/// The comments of a task that matter: all of them, since a reason may stand in one from before the tag; or, of very many, the newest
/// of those by accounts that matter.
pub fn marks(evidence: &Evidence, most: usize) -> Arc<[CommentMark]> {
    let all: Vec<&Transaction> =
        evidence.timeline.transactions().iter().filter(|row| !row.comments.is_empty()).collect();
    let matters = |row: &&&Transaction| evidence.account(&row.author).is_some();
    let kept: Vec<CommentMark> = match all.len() > most {
        true => all.iter().filter(matters).rev().take(most).map(|row| CommentMark::of(row)).collect(),
        false => all.iter().map(|row| CommentMark::of(row)).collect(),
    };
    kept.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::History;

    #[test]
    fn nothing_seems_younger_where_the_clock_of_the_machine_was_set_back() {
        let board = Board::default();
        let hour = SignedDuration::from_hours(1);
        board.set_clock(ServerClock::new(Some(SignedDuration::ZERO)));
        let before = board.now();
        // As if the machine's clock were an hour behind since then.
        board.write().clock = ServerClock::new(Some(hour));
        assert!(board.now() >= before);
        // What it says is taken where it is later: the machine slept.
        board.write().clock = ServerClock::new(Some(-hour));
        assert!(board.now().duration_since(before) > hour - SignedDuration::from_secs(2));
    }

    #[test]
    fn the_people_of_a_verdict_are_compared_with_those_that_it_was_read_with() {
        let project = |name: &str, members: &[&str]| conduit::Project {
            phid: crate::evidence::testing::project(name),
            name: name.to_owned(),
            members: members.iter().map(|name| crate::evidence::testing::person(name)).collect(),
            below: vec![],
            join: "admin".to_owned(),
            edit: "admin".to_owned(),
        };
        let history = History::ready();
        let mark = |one: &[&str], two: &[&str], accounts: &[&str]| {
            let accounts: Vec<Account> = accounts.iter().map(|name| history.account(name)).collect();
            PeopleMark::of([project("one", one), project("two", two)].iter(), accounts.iter())
        };
        let read = mark(&["sre1", "sre2"], &["releng1"], &["sre1", "deployer1"]);
        let holds = |since: PeopleMark| read.still_holds(&since);
        assert!(holds(mark(&["sre2", "sre1"], &["releng1"], &["sre1", "deployer1", "releng1"])));
        assert!(!holds(mark(&["sre1"], &["sre2", "releng1"], &["sre1", "deployer1"])), "the members are the same");
        assert!(!holds(mark(&["sre1", "sre2"], &["releng1"], &["sre1"])), "who deploys is not shown any more");
        let mut gone = history.account("deployer1");
        gone.roles.clear();
        let projects = [project("one", &["sre1", "sre2"]), project("two", &["releng1"])];
        assert!(!holds(PeopleMark::of(projects.iter(), [history.account("sre1"), gone].iter())), "is disabled");
    }

    #[test]
    fn viewers_are_enabled_people_and_nobody_is_known_before_they_were_read() {
        let board = Board::default();
        assert_eq!(board.is_viewer("sre1"), None);
        let history = History::ready();
        let accounts = ["sre1", "robot", "gone"].map(|name| history.account(name));
        board.set_viewers(accounts.iter());
        let known = ["SRE1", "sre1", "robot", "gone", "outsider"].map(|name| board.is_viewer(name));
        assert_eq!(known, [true, true, false, false, false].map(Some));
    }

    #[test]
    fn it_is_known_for_a_moment_that_an_emergency_ended() {
        let board = Board::default();
        board.set_clock(ServerClock::new(Some(SignedDuration::ZERO)));
        let watched = crate::serve::testing::watched(&History::emergency());
        let task = watched.task;
        assert!(!board.has_just_ended(task));
        for (read, knows) in [(0, true), (4, false), (-60, false)] {
            board.put(watched.clone(), 1);
            assert!(!board.has_just_ended(task), "it is open again");
            assert!(board.remove(task, 2, board.now() - SignedDuration::from_secs(read)));
            assert_eq!(board.has_just_ended(task), knows, "read {read} s ago");
        }
        assert!(!board.remove(task, 3, board.now()), "it was not there");
    }
}
