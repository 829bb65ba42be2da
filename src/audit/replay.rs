//! Judging what the mirror holds.
//!
//! In the room: handing every task of the mirror to [`audit_task`], on all processors, a few hundred at a time and in the
//! order of their numbers, so that the memory does not grow with the history and the report is the same each time. A task
//! that did not change since it was judged by the same measure is not judged again. Not in the room: how the mirror is
//! filled, and what is found fault with.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::mirror::{Facts, Filled, Measure, Mirror, Mirrored};
use super::mirrored::{evidence, teams, torn};
use super::population::{AuditError, Progress, Step, Unread};
use super::{TaskAudit, Yardstick, audit_task};
use crate::conduit::{Account, Project};
use crate::ids::{Phid, User};
use crate::policy::Policy;

/// How many tasks are judged at a time.
const AT_ONCE: usize = 200;

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

impl Judge<'_> {
    fn judge<E: DeserializeOwned>(&self, task: &Mirrored, tell: &impl Fn(TaskAudit) -> E) -> Judged<E> {
        let unread = |why: String| Unread { task: task.id, why };
        if let Some(trouble) = &task.trouble {
            return Err(unread(trouble.clone()));
        }
        if let Some(entry) = &task.entry {
            let known = serde_json::from_str(entry);
            return known.map(|entry| (entry, false)).map_err(|error| unread(format!("what was found: {error}")));
        }
        let (row, history, lost) = task.open().map_err(unread)?;
        let evidence = evidence(row, history, self.facts, &self.teams, &self.statuses, &self.accounts, self.now);
        match torn(&evidence, self.policy) {
            // The mirror fits another policy, with another field, or not at all.
            Some(why) => Err(unread(why)),
            None => {
                let audit = audit_task(&evidence, &self.yardstick, &lost);
                let lasts = audit.lasts;
                Ok((tell(audit), lasts))
            }
        }
    }

    /// Judges some tasks, on all processors, and keeps their order.
    fn judge_all<E: DeserializeOwned + Send>(
        &self,
        tasks: &[Mirrored],
        threads: usize,
        tell: &(impl Fn(TaskAudit) -> E + Sync),
    ) -> Vec<Judged<E>> {
        let share = tasks.len().div_ceil(threads).max(1);
        let judged = |some: &[Mirrored]| some.iter().map(|task| self.judge(task, tell)).collect::<Vec<_>>();
        if threads == 1 || tasks.len() <= 1 {
            return judged(tasks);
        }
        thread::scope(|scope| {
            let parts: Vec<_> = tasks.chunks(share).map(|some| (some, scope.spawn(|| judged(some)))).collect();
            // A task that cannot be judged without a panic is one that could not be read.
            let broken = |task: &Mirrored| Err(Unread { task: task.id, why: "it cannot be judged".to_owned() });
            let joined =
                parts.into_iter().map(|(some, part)| part.join().unwrap_or_else(|_| some.iter().map(broken).collect()));
            joined.flatten().collect()
        })
    }
}

/// What was found on a task, and whether it has to be kept; or why it could not be judged.
type Judged<E> = Result<(E, bool), Unread>;

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
    mut each: impl FnMut(Result<E, Unread>) -> Result<(), AuditError>,
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
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let (mut done, of) = (0, Some(filled.population.shown()));
    let verdicts = mirror.verdicts(measure)?;
    mirror.visit(&filled.sync, verdicts.measure(), AT_ONCE, |tasks| {
        let judged = judge.judge_all(&tasks, threads, &tell);
        let fresh = tasks.iter().zip(&judged).filter_map(|(task, judged)| match judged {
            Ok((entry, true)) => Some((task.id, task.version, entry)),
            _ => None,
        });
        verdicts.keep(fresh)?;
        done += tasks.len();
        for judged in judged {
            each(judged.map(|(entry, _)| entry))?;
        }
        progress(Progress { step: Step::Judge, done, of });
        Ok(())
    })
}
