//! A deploy that is carried out with those who look on at a watch: they hear its phases, and its gate hears their no.
//!
//! Responsible for the port ([`Onlookers`]), for when what is said to them, and for the reading of the task at each change while the
//! command runs. All of it goes on beside the deploy: whatever comes of it, the deploy is what it is without. Nothing is said of a task
//! but what was read on it. Not responsible for how those who look on are reached ([`crate::watch_client`]), nor for what of the task
//! speaks against a deploy ([`super::objections`]).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::changes::{Change, ChangeSource};
use super::objections::{self, Objection};
use super::{Context, RunProgress};
use crate::evidence::Question;
use crate::ids::DeployId;
use crate::record::share::ShareSecret;
use crate::record::{ExitStatus, Record};
use crate::rules::Intent;

/// How often what is still so is said again.
pub const AGAIN: Duration = Duration::from_secs(30);
/// How soon something is said again to those who do not know of the deploy yet.
const SOON: Duration = Duration::from_secs(2);
/// For how long they may not.
const UNKNOWN: Duration = Duration::from_secs(60);
/// How long saying it once may take.
const SAYING: Duration = Duration::from_secs(5);
/// How often the task is read at most while the command runs.
const PAUSE: Duration = Duration::from_secs(5);
/// How often at least: what says that something changed may be wrong.
const ANYWAY: Duration = Duration::from_secs(2 * 60);

/// Where a deploy stands, as its gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It is announced; the command was not started yet.
    Announced,
    /// The command runs.
    Running,
    /// The command ended; the record of that is on its way.
    Ended(ExitStatus),
    /// The command was started, and its end was not seen.
    Lost,
    /// The command was not started, and will not be.
    Stopped,
}

impl Phase {
    /// The word for it, and the status that goes with it.
    pub fn word(self) -> (&'static str, Option<ExitStatus>) {
        match self {
            Self::Announced => ("announced", None),
            Self::Running => ("running", None),
            Self::Ended(status) => ("ended", Some(status)),
            Self::Lost => ("lost", None),
            Self::Stopped => ("stopped", None),
        }
    }

    /// The phase of a word and a status; `None` where they make none.
    pub fn of(word: &str, status: Option<ExitStatus>) -> Option<Self> {
        Some(match (word, status) {
            ("announced", None) => Self::Announced,
            ("running", None) => Self::Running,
            ("ended", Some(status)) => Self::Ended(status),
            ("lost", None) => Self::Lost,
            ("stopped", None) => Self::Stopped,
            _ => return None,
        })
    }
}

/// A deploy that is shared.
#[derive(Debug)]
pub struct SharedDeploy {
    /// Which.
    pub deploy: DeployId,
    /// What shows that its gate speaks.
    pub secret: ShareSecret,
}

/// A run that waits for approvals, and what it would carry out. It proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitingRun {
    /// The id that its deploy will have.
    pub deploy: DeployId,
    /// Who would deploy.
    pub deployer: String,
    /// The action, where the command line names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The change, where the command line names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// The command as a record would say it.
    pub command: String,
}

/// Why nothing was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unheard {
    /// They do not know of the deploy, or of the emergency, or not yet.
    Unknown,
    /// They are away, or do not listen: why, in words that begin with who they are.
    Away(String),
}

/// Those who look on.
pub trait Onlookers: Send + Sync + 'static {
    /// Says where a deploy stands.
    fn phase(&self, shared: &SharedDeploy, phase: Phase) -> impl Future<Output = Result<(), Unheard>> + Send;
    /// Says that a run waits.
    fn waiting(&self, run: &WaitingRun) -> impl Future<Output = Result<(), Unheard>> + Send;
    /// Says that it does not wait any more.
    fn over(&self, run: &WaitingRun) -> impl Future<Output = Result<(), Unheard>> + Send;
    /// Who they are, for people.
    fn name(&self) -> String;
}

/// Waits until it is heard why they cannot be reached; for ever where nothing more can be heard.
async fn troubled(trouble: &mut watch::Receiver<Option<String>>) -> Option<String> {
    if trouble.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
    trouble.borrow_and_update().clone()
}

/// What is said of those who are away, once.
fn said_of(why: &str) -> String {
    format!("{why}: nobody sees there how it goes on")
}

/// Says a phase again and again, and the next one at once.
async fn report<O: Onlookers>(
    onlookers: Arc<O>,
    shared: SharedDeploy,
    mut phases: watch::Receiver<Phase>,
    trouble: watch::Sender<Option<String>>,
) {
    let begun = Instant::now();
    loop {
        let phase = *phases.borrow_and_update();
        let pause = match timeout(SAYING, onlookers.phase(&shared, phase)).await {
            Ok(Ok(())) => AGAIN,
            // `started` is on its way.
            Ok(Err(Unheard::Unknown)) if begun.elapsed() < UNKNOWN => SOON,
            Ok(Err(Unheard::Unknown)) => {
                trouble.send_replace(Some(said_of(&format!("{} does not know of this deploy", onlookers.name()))));
                AGAIN
            }
            Ok(Err(Unheard::Away(why))) => {
                trouble.send_replace(Some(said_of(&why)));
                AGAIN
            }
            Err(_) => {
                trouble.send_replace(Some(said_of(&format!("{} does not answer in time", onlookers.name()))));
                AGAIN
            }
        };
        tokio::select! {
            changed = phases.changed() => if changed.is_err() { return },
            () = sleep(pause) => {}
        }
    }
}

/// Those with whom one deploy is carried out, from before it is announced until its gate ends.
#[derive(Debug)]
pub struct Company<C> {
    phases: watch::Sender<Phase>,
    trouble: watch::Receiver<Option<String>>,
    reporting: JoinHandle<()>,
    changes: C,
    /// That they cannot be reached was said.
    is_said: bool,
    /// What was said of the task already.
    said: Vec<String>,
}

impl<C> Drop for Company<C> {
    fn drop(&mut self) {
        self.reporting.abort();
    }
}

impl<C: ChangeSource> Company<C> {
    /// Begins to say how the deploy goes on; `changes` says when to read the task.
    pub fn new(onlookers: Arc<impl Onlookers>, shared: SharedDeploy, changes: C) -> Self {
        let (phases, heard) = watch::channel(Phase::Announced);
        let (troubled, trouble) = watch::channel(None);
        let reporting = tokio::spawn(report(onlookers, shared, heard, troubled));
        Self { phases, trouble, reporting, changes, is_said: false, said: Vec::new() }
    }

    /// Takes note of where the deploy stands. Waits for nothing.
    pub(super) fn phase(&self, phase: Phase) {
        self.phases.send_replace(phase);
    }

    /// What takes note of where the deploy stands, for a while.
    pub(super) fn phases(&self) -> watch::Sender<Phase> {
        self.phases.clone()
    }

    /// Says once that they cannot be reached, where that is so.
    pub(super) fn say_trouble(&mut self, progress: &mut impl RunProgress) {
        let trouble = self.trouble.borrow_and_update().clone();
        if let Some(why) = trouble {
            self.say_away(&why, progress);
        }
    }

    fn say_away(&mut self, why: &str, progress: &mut impl RunProgress) {
        if !std::mem::replace(&mut self.is_said, true) {
            progress.note(why);
        }
    }

    /// Reads the task at each change and says what speaks against the deploy, as long as that is waited for.
    pub(super) async fn listen(&mut self, of: &Listening<'_>, progress: &mut impl RunProgress) -> Infallible {
        // The task was read right before.
        let mut read_at = Instant::now();
        loop {
            self.say_trouble(progress);
            let change = tokio::select! {
                change = self.changes.changed(ANYWAY.saturating_sub(read_at.elapsed())) => change,
                _ = troubled(&mut self.trouble) => continue,
            };
            match change {
                // However often something is said to have changed, the task is not read more often.
                Change::Possible => sleep_until(read_at + PAUSE).await,
                Change::None => {}
                Change::Unknown(why) => {
                    if let Some(why) = why {
                        self.say_away(&why, progress);
                    }
                    sleep_until((Instant::now() + AGAIN).min(read_at + ANYWAY)).await;
                    if read_at.elapsed() < ANYWAY {
                        continue;
                    }
                }
            }
            read_at = Instant::now();
            // What cannot be read now is read at the next change, and once more after the command.
            if let Ok(objections) = objections::look(of.context, of.question, of.intent, of.record).await {
                for objection in self.news(objections) {
                    progress.objected(of.record.task, &objection);
                }
            }
        }
    }

    /// What of it was not said yet; from now on it was.
    fn news(&mut self, objections: Vec<Objection>) -> Vec<Objection> {
        let new: Vec<Objection> = objections.into_iter().filter(|objection| !self.was_said(&objection.text)).collect();
        self.said.extend(new.iter().map(|objection| objection.text.clone()));
        new
    }

    /// Whether it was said while the command ran.
    pub(super) fn was_said(&self, objection: &str) -> bool {
        self.said.iter().any(|said| said == objection)
    }
}

/// What is read while the command runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listening<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) question: &'a Question,
    pub(super) intent: &'a Intent,
    pub(super) record: &'a Record,
}

/// A source of changes for a run that waits. From the first time that it is asked on, which is when the run waits indeed, those who look
/// on hear of the run.
#[derive(Debug)]
pub struct WaitingCompany<C, O> {
    changes: C,
    /// Who hears of which run; nobody where it is not shared.
    heard: Option<(Arc<O>, Arc<WaitingRun>)>,
    saying: Option<Saying>,
    is_said: bool,
}

/// A run that says that it waits.
#[derive(Debug)]
struct Saying {
    over: watch::Sender<bool>,
    trouble: watch::Receiver<Option<String>>,
    task: JoinHandle<()>,
}

impl<C: ChangeSource, O: Onlookers> WaitingCompany<C, O> {
    /// Says nothing yet.
    pub fn new(changes: C, heard: Option<(Arc<O>, WaitingRun)>) -> Self {
        let heard = heard.map(|(onlookers, run)| (onlookers, Arc::new(run)));
        Self { changes, heard, saying: None, is_said: false }
    }

    /// Takes back that the run waits, where it was said, beside what follows; returns the source of changes, and what can be waited for
    /// where nothing follows.
    pub fn over(self) -> (C, Option<JoinHandle<()>>) {
        let taken_back = self.saying.map(|saying| {
            saying.over.send_replace(true);
            saying.task
        });
        (self.changes, taken_back)
    }

    fn begin(&mut self) {
        let Some((onlookers, run)) = self.heard.take() else { return };
        let (over, ended) = watch::channel(false);
        let (troubled, trouble) = watch::channel(None);
        let task = tokio::spawn(say_waiting(onlookers, run, ended, troubled));
        self.saying = Some(Saying { over, trouble, task });
    }
}

impl<C: ChangeSource, O: Onlookers> ChangeSource for WaitingCompany<C, O> {
    async fn changed(&mut self, patience: Duration) -> Change {
        let is_said = self.is_said;
        self.begin();
        let Self { changes, saying, .. } = self;
        let change = match saying {
            Some(saying) if !is_said => tokio::select! {
                change = changes.changed(patience) => change,
                why = troubled(&mut saying.trouble) => Change::Unknown(why),
            },
            _ => changes.changed(patience).await,
        };
        self.is_said |= matches!(change, Change::Unknown(Some(_)));
        change
    }
}

/// Says again and again that a run waits; takes it back at the end. One after the other, so that nothing is said after it was taken back.
async fn say_waiting<O: Onlookers>(
    onlookers: Arc<O>,
    run: Arc<WaitingRun>,
    mut over: watch::Receiver<bool>,
    trouble: watch::Sender<Option<String>>,
) {
    while !*over.borrow() {
        let why = match timeout(SAYING, onlookers.waiting(&run)).await {
            Ok(Ok(())) => None,
            Ok(Err(Unheard::Unknown)) => Some(format!("{} shows no such open emergency", onlookers.name())),
            Ok(Err(Unheard::Away(why))) => Some(why),
            Err(_) => Some(format!("{} does not answer in time", onlookers.name())),
        };
        if let Some(why) = why {
            trouble.send_replace(Some(format!("{why}: nobody sees there what waits")));
        }
        if let Ok(Err(_)) = timeout(AGAIN, over.wait_for(|over| *over)).await {
            // Whoever waited is gone.
            break;
        }
    }
    let _ = timeout(SAYING, onlookers.over(&run)).await;
}

#[cfg(test)]
#[path = "share_tests.rs"]
mod tests;
