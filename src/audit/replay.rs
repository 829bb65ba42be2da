//! Judging what the mirror holds.
//!
//! In the room: handing every task of the mirror to [`audit_task`], on all processors while this thread reads and writes,
//! some at a time and told in the order of their numbers, so that the memory does not grow with the history and the report
//! is the same each time. A task that did not change since it was judged by the same measure is not judged again. Not in
//! the room: how the mirror is filled, and what is found fault with.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::mirror::{Facts, Filled, Measure, Mirror, Mirrored, Verdicts};
use super::mirrored::{evidence, teams, torn};
use super::population::{AuditError, Progress, Step, Unread};
use super::{TaskAudit, Yardstick, audit_task};
use crate::conduit::{Account, Project};
use crate::ids::{Phid, TaskId, User};
use crate::policy::Policy;

/// How many tasks are judged at a time.
const AT_ONCE: usize = 50;
/// How many such parts wait or are judged, for each processor.
const AHEAD: usize = 3;

/// What all tasks share.
struct Judge<'a> {
    policy: &'a Policy,
    yardstick: Yardstick<'a>,
    facts: &'a Facts,
    teams: Arc<BTreeMap<String, Project>>,
    statuses: Arc<BTreeMap<String, bool>>,
    accounts: Arc<BTreeMap<Phid<User>, Account>>,
    now: Timestamp,
}

/// What is told of a task.
#[derive(Debug)]
pub struct Told<E> {
    /// It.
    pub entry: E,
    /// The same as JSON.
    pub text: String,
}

impl<E: Serialize> Told<E> {
    /// Puts an entry in writing.
    ///
    /// # Errors
    /// Where JSON has no words for it.
    pub fn new(entry: E) -> Result<Self, serde_json::Error> {
        let text = serde_json::to_string(&entry)?;
        Ok(Self { entry, text })
    }
}

/// What was found on a task, or why it could not be judged.
struct Judged<E> {
    task: TaskId,
    version: i64,
    /// It is new, and a later audit of the same finds the same.
    keep: bool,
    told: Result<Told<E>, Unread>,
}

impl Judge<'_> {
    fn judge<E: Serialize + DeserializeOwned>(&self, task: Mirrored, tell: &impl Fn(TaskAudit) -> E) -> Judged<E> {
        let (id, version) = (task.id, task.version);
        let judged = catch_unwind(AssertUnwindSafe(|| self.find(task, tell)));
        // A task that cannot be judged without a panic is one that could not be read.
        let judged = judged.unwrap_or_else(|_| Err("it cannot be judged".to_owned()));
        let (keep, told) = match judged {
            Ok((told, keep)) => (keep, Ok(told)),
            Err(why) => (false, Err(Unread { task: id, why })),
        };
        Judged { task: id, version, keep, told }
    }

    /// What is told of a task, and whether it has to be kept; or why it cannot be judged, in words.
    fn find<E: Serialize + DeserializeOwned>(
        &self,
        task: Mirrored,
        tell: &impl Fn(TaskAudit) -> E,
    ) -> Result<(Told<E>, bool), String> {
        if let Some(trouble) = task.trouble {
            return Err(trouble);
        }
        let said = |error: serde_json::Error| format!("what was found: {error}");
        if let Some(text) = task.entry {
            let entry = serde_json::from_str(&text).map_err(said)?;
            return Ok((Told { entry, text }, false));
        }
        let (row, history, lost) = task.open()?;
        let evidence = evidence(row, history, self.facts, &self.teams, &self.statuses, &self.accounts, self.now);
        if let Some(why) = torn(&evidence, self.policy) {
            // The mirror fits another policy, with another field, or not at all.
            return Err(why);
        }
        let audit = audit_task(&evidence, &self.yardstick, &lost);
        let lasts = audit.lasts;
        Ok((Told::new(tell(audit)).map_err(said)?, lasts))
    }

    /// Judges what comes until nothing comes any more.
    fn work<E: Serialize + DeserializeOwned>(
        &self,
        tasks: &Mutex<Receiver<(usize, Vec<Mirrored>)>>,
        judged: &Sender<(usize, Vec<Judged<E>>)>,
        tell: &impl Fn(TaskAudit) -> E,
    ) {
        let next = || tasks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        while let Ok((number, some)) = next() {
            let some = some.into_iter().map(|task| self.judge(task, tell)).collect();
            if judged.send((number, some)).is_err() {
                return;
            }
        }
    }
}

/// Parts that are judged elsewhere, and come back in any order.
struct Line<E> {
    give: Sender<(usize, Vec<Mirrored>)>,
    take: Receiver<(usize, Vec<Judged<E>>)>,
    given: usize,
    taken: usize,
    early: BTreeMap<usize, Vec<Judged<E>>>,
}

impl<E> Line<E> {
    /// Hands a part over.
    fn give(&mut self, tasks: Vec<Mirrored>) -> Result<(), AuditError> {
        self.give.send((self.given, tasks)).map_err(|_| AuditError::Stopped)?;
        self.given += 1;
        Ok(())
    }

    fn waiting(&self) -> usize {
        self.given - self.taken
    }

    /// The next part in order, where one is still to come.
    fn take(&mut self) -> Result<Option<Vec<Judged<E>>>, AuditError> {
        if self.waiting() == 0 {
            return Ok(None);
        }
        loop {
            if let Some(part) = self.early.remove(&self.taken) {
                self.taken += 1;
                return Ok(Some(part));
            }
            let (number, part) = self.take.recv().map_err(|_| AuditError::Stopped)?;
            self.early.insert(number, part);
        }
    }
}

/// Judges every task of the mirror as of a run, in the order of their numbers. `tell` makes of an audit what is kept of
/// it; `each` is handed that, or why a task could not be judged.
///
/// # Errors
/// Where the mirror cannot be read or written, or `each` fails.
pub fn replay<E: Serialize + DeserializeOwned + Send>(
    mirror: &Mirror,
    filled: &Filled,
    policy: &Policy,
    tell: impl Fn(TaskAudit) -> E + Sync,
    mut each: impl FnMut(Result<Told<E>, Unread>) -> Result<(), AuditError>,
    mut progress: impl FnMut(Progress),
) -> Result<(), AuditError> {
    let accounts = mirror.accounts()?;
    let measure = Measure::of(policy, &filled.facts, &accounts).map_err(|error| AuditError::Spool(error.into()))?;
    let judge = Judge {
        policy,
        yardstick: Yardstick::new(policy),
        facts: &filled.facts,
        teams: Arc::new(teams(&filled.facts, policy)),
        statuses: Arc::new(filled.facts.statuses.clone()),
        accounts: Arc::new(accounts),
        now: filled.sync.now,
    };
    let verdicts = mirror.verdicts(measure)?;
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let (mut done, of) = (0, Some(filled.population.shown()));
    let mut tell_part = |part: Vec<Judged<E>>| {
        done += part.len();
        keep(&verdicts, &part)?;
        part.into_iter().try_for_each(|judged| each(judged.told))?;
        progress(Progress { step: Step::Judge, done, of });
        Ok::<(), AuditError>(())
    };
    let (give, tasks) = channel();
    let (judged, take) = channel();
    let tasks = Mutex::new(tasks);
    thread::scope(|scope| {
        for _ in 0..threads {
            let judged = judged.clone();
            scope.spawn(|| judge.work(&tasks, &{ judged }, &tell));
        }
        drop(judged);
        let mut line = Line { give, take, given: 0, taken: 0, early: BTreeMap::new() };
        mirror.visit(&filled.sync, verdicts.measure(), AT_ONCE, |tasks| {
            line.give(tasks)?;
            if line.waiting() > threads * AHEAD
                && let Some(part) = line.take()?
            {
                tell_part(part)?;
            }
            Ok::<(), AuditError>(())
        })?;
        while let Some(part) = line.take()? {
            tell_part(part)?;
        }
        Ok(())
    })
}

/// Keeps what a later audit would find again.
fn keep<E>(verdicts: &Verdicts, part: &[Judged<E>]) -> Result<(), AuditError> {
    let fresh = part.iter().filter(|judged| judged.keep);
    let found =
        fresh.filter_map(|judged| Some((judged.task, judged.version, judged.told.as_ref().ok()?.text.as_str())));
    Ok(verdicts.keep(found)?)
}
