//! What those who deploy say of it themselves: how a deploy goes on, and what a run waits to carry out.
//!
//! Responsible for holding it in memory, bounded, for as long as it may be believed to be so still. None of it decides anything, and none of
//! it is kept. Not responsible for who may say it ([`super::http`]), nor for how it is shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::gate::share::{Phase, WaitingRun};
use crate::ids::{DeployId, TaskId, TransactionId};

/// For how long something counts after it was last heard.
pub const HEARD: SignedDuration = SignedDuration::from_secs(90);
/// How many runs may wait for one task at once.
const OF_A_TASK: usize = 4;
/// How many may wait in all.
const OF_ALL: usize = 256;

/// The phase of a deploy, as its deployer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaidPhase {
    /// It.
    pub phase: Phase,
    /// Since when it was heard.
    pub since: Timestamp,
    /// When it was heard last.
    pub heard: Timestamp,
    /// It was heard so long ago that it may not be so any more.
    pub is_stale: bool,
}

/// A run that waits, as whoever holds a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaidWaiting {
    /// The name of the token.
    pub token: String,
    /// What would be run.
    pub run: WaitingRun,
    /// Since when it was heard.
    pub since: Timestamp,
    /// When it was heard last.
    heard: Timestamp,
}

/// What is said of one task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// The phases of its deploys, by the transaction of their `started`.
    pub phases: BTreeMap<TransactionId, SaidPhase>,
    /// The runs that wait for it, the first that was heard of first.
    pub waiting: Vec<SaidWaiting>,
}

/// There are too many runs that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

/// What those who deploy say. Shared by reference.
#[derive(Debug, Default)]
pub struct Reported(Mutex<BTreeMap<TaskId, Said>>);

impl Reported {
    fn all(&self) -> MutexGuard<'_, BTreeMap<TaskId, Said>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is said of a task.
    pub fn of(&self, task: TaskId) -> Said {
        self.all().get(&task).cloned().unwrap_or_default()
    }

    /// Notes the phase of the deploy that a transaction announced; returns whether that is something else than before.
    pub fn phase(&self, task: TaskId, started: TransactionId, phase: Phase, now: Timestamp) -> bool {
        let mut all = self.all();
        let phases = &mut all.entry(task).or_default().phases;
        let since = phases.get(&started).filter(|known| known.phase == phase);
        let is_news = since.is_none_or(|known| known.is_stale);
        let since = since.map_or(now, |known| known.since);
        phases.insert(started, SaidPhase { phase, since, heard: now, is_stale: false });
        is_news
    }

    /// Notes that a run waits; returns whether that is something else than before.
    ///
    /// # Errors
    /// Where too many wait already.
    pub fn waits(&self, task: TaskId, token: &str, run: WaitingRun, now: Timestamp) -> Result<bool, TooMany> {
        let mut all = self.all();
        let count: usize = all.values().map(|said| said.waiting.len()).sum();
        let known = all.get_mut(&task).and_then(|said| {
            said.waiting.iter_mut().find(|known| known.token == token && known.run.deploy == run.deploy)
        });
        if let Some(known) = known {
            known.heard = now;
            let is_news = known.run != run;
            known.run = run;
            return Ok(is_news);
        }
        let waiting = &mut all.entry(task).or_default().waiting;
        if waiting.len() >= OF_A_TASK || count >= OF_ALL {
            return Err(TooMany);
        }
        waiting.push(SaidWaiting { token: token.to_owned(), run, since: now, heard: now });
        Ok(true)
    }

    /// Notes that a run does not wait any more; returns whether it did. Only the token by which it was said takes it back.
    pub fn over(&self, task: TaskId, token: &str, deploy: DeployId) -> bool {
        let mut all = self.all();
        let Some(said) = all.get_mut(&task) else { return false };
        let before = said.waiting.len();
        said.waiting.retain(|known| known.token != token || known.run.deploy != deploy);
        said.waiting.len() < before
    }

    /// Lets go of what does not count any more; returns the tasks of which something else is said now. `underway` gives the deploys of a
    /// task that are under way, each by the transaction of its `started`; `None` where the task is no open emergency.
    pub fn lapse(
        &self,
        now: Timestamp,
        underway: impl Fn(TaskId) -> Option<BTreeMap<TransactionId, DeployId>>,
    ) -> BTreeSet<TaskId> {
        let mut changed = BTreeSet::new();
        let is_old = |heard: Timestamp| now.duration_since(heard) > HEARD;
        self.all().retain(|task, said| {
            let Some(underway) = underway(*task) else { return false };
            let before = said.clone();
            said.phases.retain(|started, _| underway.contains_key(started));
            for phase in said.phases.values_mut() {
                phase.is_stale |= is_old(phase.heard);
            }
            // What waits no more is under way.
            let has_begun = |run: &WaitingRun| underway.values().any(|deploy| *deploy == run.deploy);
            said.waiting.retain(|known| !is_old(known.heard) && !has_begun(&known.run));
            if before != *said {
                changed.insert(*task);
            }
            !said.phases.is_empty() || !said.waiting.is_empty()
        });
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::at;
    use crate::record::ExitStatus;

    const DEPLOY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
    const STARTED: TransactionId = TransactionId(9);

    fn task() -> TaskId {
        TaskId::new(1).unwrap()
    }

    fn run(number: usize) -> WaitingRun {
        let deploy = format!("01890a5d-ac96-774b-bcce-b302099a80{number:02}").parse().unwrap();
        WaitingRun { deploy, deployer: "dana".into(), action: None, change: None, command: "scap sync-world".into() }
    }

    fn underway(_: TaskId) -> Option<BTreeMap<TransactionId, DeployId>> {
        Some([(STARTED, DEPLOY.parse().unwrap())].into())
    }

    #[test]
    fn a_phase_is_said_again_or_gets_stale_and_is_gone_with_its_deploy() {
        let reported = Reported::default();
        let phase = || reported.of(task()).phases[&STARTED];
        assert!(reported.phase(task(), STARTED, Phase::Running, at(10)), "the first");
        assert!(!reported.phase(task(), STARTED, Phase::Running, at(40)), "the same");
        assert_eq!((phase().since, phase().heard), (at(10), at(40)));
        assert_eq!(reported.lapse(at(130), underway), [].into());
        assert!(!phase().is_stale, "90 s after it was heard");
        assert_eq!(reported.lapse(at(131), underway), [task()].into());
        assert!(phase().is_stale);
        assert_eq!(reported.lapse(at(132), underway), [].into(), "that is said once");
        assert!(reported.phase(task(), STARTED, Phase::Running, at(140)), "heard again");
        assert_eq!((phase().since, phase().is_stale), (at(10), false));
        let ended = Phase::Ended(ExitStatus::Code(3));
        assert!(reported.phase(task(), STARTED, ended, at(150)));
        assert_eq!((phase().phase, phase().since), (ended, at(150)));
        reported.lapse(at(151), |_| Some(BTreeMap::new()));
        assert_eq!(reported.of(task()), Said::default());
        reported.phase(task(), STARTED, ended, at(152));
        reported.lapse(at(153), |_| None);
        assert_eq!(reported.of(task()), Said::default());
    }

    #[test]
    fn a_run_waits_until_it_is_taken_back_was_not_heard_of_or_has_begun() {
        let reported = Reported::default();
        let waiting = || reported.of(task()).waiting.iter().map(|said| said.run.deploy).collect::<Vec<_>>();
        assert_eq!(reported.waits(task(), "deploy1", run(1), at(10)), Ok(true));
        assert_eq!(reported.waits(task(), "deploy1", run(1), at(40)), Ok(false));
        let other = WaitingRun { command: "reboot".into(), ..run(1) };
        assert_eq!(reported.waits(task(), "deploy1", other, at(41)), Ok(true));
        assert!(!reported.over(task(), "deploy2", run(1).deploy), "another token");
        assert_eq!(waiting(), [run(1).deploy]);
        assert!(reported.over(task(), "deploy1", run(1).deploy));
        assert_eq!(waiting(), []);
        for token in ["deploy1", "deploy2"] {
            assert_eq!(reported.waits(task(), token, run(2), at(50)), Ok(true));
        }
        assert_eq!(reported.lapse(at(140), underway), [].into());
        assert_eq!(reported.lapse(at(141), underway), [task()].into());
        assert_eq!(waiting(), []);
        let begun = WaitingRun { deploy: DEPLOY.parse().unwrap(), ..run(1) };
        assert_eq!(reported.waits(task(), "deploy1", begun, at(150)), Ok(true));
        assert_eq!(reported.lapse(at(151), underway), [task()].into());
        assert_eq!(waiting(), []);
    }

    #[test]
    fn a_task_has_few_runs_that_wait_and_all_have_not_many() {
        let reported = Reported::default();
        let number = |number: usize| TaskId::new(u64::try_from(number).unwrap() + 1).unwrap();
        for wait in 0..OF_A_TASK {
            assert_eq!(reported.waits(number(0), "deploy1", run(wait), at(10)), Ok(true));
        }
        assert_eq!(reported.waits(number(0), "deploy1", run(9), at(10)), Err(TooMany));
        assert_eq!(reported.waits(number(0), "deploy1", run(0), at(20)), Ok(false), "one that waits goes on");
        for other in OF_A_TASK..OF_ALL {
            assert_eq!(reported.waits(number(other), "deploy1", run(0), at(10)), Ok(true));
        }
        assert_eq!(reported.waits(number(OF_ALL), "deploy1", run(0), at(10)), Err(TooMany));
    }
}
