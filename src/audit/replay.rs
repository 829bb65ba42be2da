//! Judging what the mirror holds.
//!
//! Responsible for handing every task of the mirror to [`audit_task`], on all processors while this thread reads and
//! writes, some at a time and reported in the order of their numbers, so that the memory does not grow with the history and
//! the report is the same each time. A task that did not change since it was judged by the same measure is not judged
//! again. Not responsible for how the mirror is filled, and what is found fault with.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use jiff::Timestamp;

use super::encoded::{EncodedInParts, InParts};
use super::error::AuditError;
use super::mirror::lost::Lost;
use super::mirror::{CacheKey, Mirror, Mirrored, ServerFacts, StoredVerdict, SyncResult, Verdicts};
use super::mirrored::{evidence, teams, unfit};
use super::progress::{AuditProgress, AuditStep};
use super::unread::Unread;
use super::{AuditPolicy, Finding, TaskAudit, audit_task, threads};
use crate::conduit::{Account, Project};
use crate::evidence::Evidence;
use crate::ids::{Phid, TaskId, User};
use crate::policy::Policy;
use crate::rules::{Outcome, RuleOutcome};

/// How many tasks are judged at a time.
const AT_ONCE: usize = 50;
/// How many such parts wait or are judged, for each processor.
const AHEAD: usize = 3;

/// The rules that say whether a no of somebody stands.
const REFUSED: [&str; 2] = ["rejected", "possible-no"];

/// What all tasks share.
struct Judge<'a> {
    policy: &'a Policy,
    audit_policy: AuditPolicy<'a>,
    facts: &'a ServerFacts,
    teams: Arc<BTreeMap<String, Project>>,
    statuses: Arc<BTreeMap<String, bool>>,
    accounts: Arc<BTreeMap<Phid<User>, Account>>,
    now: Timestamp,
}

/// What was found on a task, or why it could not be judged.
struct Judged<E> {
    task: TaskId,
    version: i64,
    /// It is new, and a later audit of the same finds the same.
    keep: bool,
    entry: Result<EncodedInParts<E>, Unread>,
}

/// Tasks that are judged together, and where what was found of them goes. Each part has a channel of its own, so that
/// whoever hands the parts over can take them back in that order.
type Part<E> = (Vec<Mirrored>, Sender<Vec<Judged<E>>>);

/// A task of the mirror, put together.
struct Opened {
    evidence: Evidence,
    lost: Vec<Lost>,
}

impl Judge<'_> {
    fn judge<E: InParts>(&self, task: Mirrored, summarize: &impl Fn(TaskAudit) -> E) -> Judged<E> {
        let (id, version) = (task.id, task.version);
        let unread = |why| {
            let restricted = task.is_restricted(&self.policy.open_spaces);
            Unread { task: id, why, restricted, findings: Vec::new() }
        };
        // A task that cannot be judged without a panic is one that could not be read.
        let judged = catch_unwind(AssertUnwindSafe(|| self.find(&task, summarize)));
        let judged = judged.unwrap_or_else(|_| Err("it cannot be judged".to_owned()));
        let (keep, entry) = match judged {
            Ok((entry, keep)) => (keep, Ok(entry)),
            Err(why) => {
                let denied = catch_unwind(AssertUnwindSafe(|| self.denied(&task)));
                match denied {
                    Ok(findings) => (false, Err(Unread { findings, ..unread(why) })),
                    // What was rewritten is not passed over in silence.
                    Err(_) => (false, Err(unread(format!("{why}, nor what the server denies of it")))),
                }
            }
        };
        Judged { task: id, version, keep, entry }
    }

    /// What is reported of a task, and whether it has to be kept; or why it cannot be judged, in words.
    fn find<E: InParts>(
        &self,
        task: &Mirrored,
        summarize: &impl Fn(TaskAudit) -> E,
    ) -> Result<(EncodedInParts<E>, bool), String> {
        if let Some(trouble) = &task.trouble {
            return Err(trouble.clone());
        }
        let said = |error: serde_json::Error| format!("what was found: {error}");
        if let Some(StoredVerdict { text, long }) = &task.entry {
            return Ok((EncodedInParts::read(text.clone(), long.clone()).map_err(said)?, false));
        }
        let Opened { evidence, lost } = self.open(task)?;
        if let Some(why) = unfit(&evidence, self.policy) {
            // The mirror fits another policy, with another field, or not at all.
            return Err(why);
        }
        let audit = audit_task(&evidence, &self.audit_policy, &lost);
        if let Some(why) = self.unjudged(&audit) {
            return Err(why);
        }
        let lasts = audit.lasts;
        Ok((EncodedInParts::new(summarize(audit)).map_err(said)?, lasts))
    }

    fn open(&self, task: &Mirrored) -> Result<Opened, String> {
        let (row, history, lost) = task.open()?;
        let field = self.policy.field.as_deref();
        let evidence = evidence(row, history, field, self.facts, &self.teams, &self.statuses, &self.accounts, self.now);
        Ok(Opened { evidence, lost })
    }

    /// What the server denies of a task that cannot be judged, as far as the mirror holds it.
    fn denied(&self, task: &Mirrored) -> Vec<Finding> {
        let opened = self.open(task).ok().filter(|opened| !opened.lost.is_empty());
        opened.map_or_else(Vec::new, |it| super::denied_of(&it.evidence, &self.audit_policy, &it.lost))
    }

    /// Why the deploys of a task cannot be judged though all of it was read: it depends on who is in a team whose project
    /// this account is not shown.
    fn unjudged(&self, audit: &TaskAudit) -> Option<String> {
        let hidden = self.policy.teams.iter().find(|team| {
            let name = format!("team:{}", team.key);
            let depends = |rule: &RuleOutcome| {
                (rule.name == name && rule.outcome == Outcome::Unknown)
                    || (REFUSED.contains(&rule.name.as_str()) && rule.outcome == Outcome::Fail)
            };
            let mut deploys = audit.deploys.iter().filter(|deploy| deploy.ran());
            !self.teams.contains_key(&team.key) && deploys.any(|deploy| deploy.verdict.rules.iter().any(depends))
        })?;
        Some(format!(
            "who is in {} cannot be known: the server knows no project #{}, or does not show it to this account",
            hidden.title, hidden.project
        ))
    }

    /// Judges what comes until nothing comes any more. Nothing but what [`Judge::judge`] catches may panic here: a part that
    /// does not come back ends the audit.
    fn work<E: InParts>(&self, parts: &Mutex<Receiver<Part<E>>>, summarize: &impl Fn(TaskAudit) -> E) {
        let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).recv();
        while let Ok((tasks, judged)) = next() {
            if judged.send(tasks.into_iter().map(|task| self.judge(task, summarize)).collect()).is_err() {
                return;
            }
        }
    }
}

/// Judges every task of the mirror as of a run, in the order of their numbers. `summarize` makes of an audit what is kept of
/// it; `each` is handed that, with its long part where `long` asks for it, or why a task could not be judged.
///
/// # Errors
/// Where the mirror cannot be read or written, or `each` fails.
pub fn replay<E: InParts + Send>(
    mirror: &Mirror,
    filled: &SyncResult,
    policy: &Policy,
    long: bool,
    summarize: impl Fn(TaskAudit) -> E + Sync,
    mut each: impl FnMut(Result<EncodedInParts<E>, Unread>) -> Result<(), AuditError>,
    mut progress: impl FnMut(AuditProgress),
) -> Result<(), AuditError> {
    let accounts = mirror.accounts()?;
    let memory = Arc::new(mirror.memory()?);
    let measure =
        CacheKey::of(policy, &filled.facts, &accounts, &memory).map_err(|error| AuditError::Spool(error.into()))?;
    let judge = Judge {
        policy,
        audit_policy: AuditPolicy::new(policy).knowing(memory.policies.clone()).remembering(memory),
        facts: &filled.facts,
        teams: Arc::new(teams(&filled.facts, policy)),
        statuses: Arc::new(filled.facts.statuses.clone()),
        accounts: Arc::new(accounts),
        now: filled.sync.now,
    };
    let verdicts = mirror.verdicts(measure)?;
    let threads = threads();
    let (mut done, of) = (0, Some(filled.population.shown()));
    let mut report_part = |part: Vec<Judged<E>>| {
        done += part.len();
        keep(&verdicts, &part)?;
        for Judged { entry, .. } in part {
            each(if long { entry } else { entry.map(EncodedInParts::without_long) })?;
        }
        progress(AuditProgress { step: AuditStep::Judge, done, of });
        Ok::<(), AuditError>(())
    };
    let (give, parts) = channel();
    let parts = Mutex::new(parts);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| judge.work(&parts, &summarize));
        }
        let mut line = VecDeque::new();
        mirror.visit(&filled.sync, verdicts.measure(), long, AT_ONCE, |tasks| {
            let (judged, part) = channel();
            give.send((tasks, judged)).map_err(|_| AuditError::Stopped)?;
            line.push_back(part);
            while let Some(part) = next(&mut line, threads * AHEAD)? {
                report_part(part)?;
            }
            Ok::<(), AuditError>(())
        })?;
        // That nothing more comes ends the threads, here and where an error leaves this early.
        drop(give);
        while let Some(part) = next(&mut line, 0)? {
            report_part(part)?;
        }
        Ok(())
    })
}

/// What stands first in a line; `None` where it is not there yet and no more than `room` wait, or nothing is to come.
fn next<T>(line: &mut VecDeque<Receiver<T>>, room: usize) -> Result<Option<T>, AuditError> {
    let Some(first) = line.front() else { return Ok(None) };
    let come = if line.len() > room { first.recv().map_err(|_| TryRecvError::Disconnected) } else { first.try_recv() };
    match come {
        Ok(part) => {
            line.pop_front();
            Ok(Some(part))
        }
        Err(TryRecvError::Empty) => Ok(None),
        // It will never come: it is not left out in silence.
        Err(TryRecvError::Disconnected) => Err(AuditError::Stopped),
    }
}

/// Keeps what a later audit would find again.
fn keep<E: InParts>(verdicts: &Verdicts, part: &[Judged<E>]) -> Result<(), AuditError> {
    let fresh = part.iter().filter(|judged| judged.keep);
    let found = fresh.filter_map(|judged| {
        let entry = judged.entry.as_ref().ok()?;
        Some((judged.task, judged.version, entry.text(), entry.long()?))
    });
    Ok(verdicts.keep(found)?)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::audit::encoded::Encoded;
    use crate::audit::mirror::{Read, StoredHistory as Transactions};
    use crate::audit::testing::facts;
    use crate::evidence::testing::{History, at};

    impl InParts for u64 {
        fn long(&self) -> impl serde::Serialize + '_ {}

        fn add_long(&mut self, _: &str) -> Result<(), serde_json::Error> {
            Ok(())
        }
    }

    /// A mirror of so many tasks, of which one has a history.
    struct ReplayBench {
        _directory: tempfile::TempDir,
        mirror: Mirror,
        policy: Policy,
        filled: SyncResult,
        read: TaskId,
    }

    impl ReplayBench {
        fn of(count: usize) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let url = Url::parse("https://phabricator.example.org/").unwrap();
            let mirror = Mirror::open(&directory.path().join("mirror"), &url).unwrap();
            let history = History::emergency();
            let (policy, task) = (history.policy.clone(), history.task());
            let sync = mirror.begin(&policy, at(100)).unwrap();
            let numbers = (1..).filter(|number| *number != task.id.number()).take(count - 1);
            let others = numbers.map(|number| {
                let id = TaskId::new(number).unwrap();
                let phid = Phid::new(format!("PHID-TASK-other{number}")).unwrap();
                crate::conduit::Task { id, phid, ..task.clone() }
            });
            let tasks: Vec<_> = others.chain([task.clone()]).map(|task| Encoded::new(task).unwrap()).collect();
            mirror.list(&sync, &tasks, at(100), true).unwrap();
            let rows = Transactions::new(history.timeline().transactions().to_vec()).unwrap();
            let read = task.id;
            let kept = Read { history: Some(rows), trouble: None, ..Read::failed(task, String::new()) };
            mirror.keep(&sync, vec![kept]).unwrap();
            let population = mirror.population(&sync).unwrap();
            let filled = SyncResult { sync, facts: facts(&policy), population };
            Self { _directory: directory, mirror, policy, filled, read }
        }

        fn replay(
            &self,
            summarize: impl Fn(TaskAudit) -> u64 + Sync,
            each: impl FnMut(Result<EncodedInParts<u64>, Unread>) -> Result<(), AuditError>,
        ) -> Result<(), AuditError> {
            replay(&self.mirror, &self.filled, &self.policy, false, summarize, each, |_| {})
        }
    }

    /// More than wait and are judged at once.
    fn many() -> usize {
        (threads() * AHEAD + 3) * AT_ONCE + 7
    }

    #[test]
    fn all_tasks_are_reported_in_the_order_of_their_numbers() {
        let bench = ReplayBench::of(many());
        let mut entry = Vec::new();
        let each = |judged: Result<EncodedInParts<u64>, Unread>| {
            entry.push(match judged {
                Ok(encoded) => (*encoded.value(), true),
                Err(unread) => (unread.task.number(), false),
            });
            Ok(())
        };
        bench.replay(|audit| audit.task.number(), each).unwrap();
        assert_eq!(entry.len(), many());
        assert!(entry.is_sorted(), "{entry:?}");
        let read: Vec<_> = entry.iter().filter(|(_, read)| *read).collect();
        assert_eq!(read, [&(bench.read.number(), true)]);
    }

    #[test]
    fn what_stands_first_is_waited_for_where_there_is_no_room_and_what_never_comes_is_an_error() {
        let (first, take_first) = channel();
        let (second, take_second) = channel();
        let mut line = VecDeque::from([take_first, take_second]);
        second.send('b').unwrap();
        assert_eq!(next(&mut line, 2).unwrap(), None, "the first is not there yet");
        let taken = thread::scope(|scope| {
            scope.spawn(|| first.send('a').unwrap());
            next(&mut line, 1).unwrap()
        });
        assert_eq!((taken, next(&mut line, 1).unwrap(), next(&mut line, 0).unwrap()), (Some('a'), Some('b'), None));
        let (never, take) = channel::<char>();
        line.push_back(take);
        drop(never);
        assert!(matches!(next(&mut line, 1), Err(AuditError::Stopped)));
        assert!(matches!(next(&mut line, 0), Err(AuditError::Stopped)));
    }

    #[test]
    fn an_error_of_whoever_is_handed_them_ends_it_and_all_threads() {
        let bench = ReplayBench::of(many());
        let mut count = 0;
        let each = |_: Result<EncodedInParts<u64>, Unread>| {
            count += 1;
            if count == AT_ONCE + 1 { Err(AuditError::NoClock) } else { Ok(()) }
        };
        assert!(matches!(bench.replay(|_| 0, each), Err(AuditError::NoClock)));
        assert_eq!(count, AT_ONCE + 1);
    }

    #[test]
    fn a_task_that_cannot_be_judged_without_a_panic_is_unread_and_the_others_are_reported() {
        let bench = ReplayBench::of(AT_ONCE + 2);
        let mut why = BTreeMap::new();
        let each = |judged: Result<EncodedInParts<u64>, Unread>| {
            let unread = judged.unwrap_err();
            why.insert(unread.task, unread.why);
            Ok(())
        };
        bench.replay(|_| panic!("on purpose"), each).unwrap();
        assert_eq!(why.len(), AT_ONCE + 2);
        assert_eq!(why[&bench.read], "it cannot be judged");
        assert_eq!(why.values().filter(|why| *why == "it cannot be judged").count(), 1);
    }
}
