//! Deploys that pipelines carry out, as long as the service runs.
//!
//! Responsible for which are open, for announcing and ending each once, and for ending those that stay silent for too long. Not
//! responsible for the steps of a deploy ([`crate::gate::remote`]), nor for who may ask ([`super::http`]).

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, watch};

use super::site::Site;
use super::store::{RemoteDeploy, Store, StoreError};
use super::watch::{Watch, stopped};
use crate::evidence::{Purpose, Question};
use crate::gate::objections::Objection;
use crate::gate::outbox::{self, Flush};
use crate::gate::remote::{self, Announcement};
use crate::gate::{AfterFailure, Assessment, Assessor, Progress, Refusal, RunProgress};
use crate::ids::{DeployId, TaskId};
use crate::journal::{Ownership, Stage};
use crate::policy::Action;
use crate::record::ExitStatus;
use crate::rules::Intent;

/// What a pipeline asks for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The task, who deploys, and who else is behind it.
    pub question: Question,
    /// What is going to happen.
    pub intent: Intent,
    /// The command, argument by argument.
    pub command: Vec<String>,
}

/// Where a deploy of a pipeline stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemoteState {
    /// `started` is on the task.
    Started,
    /// It may be carried out, and `started` is not known to be on the task.
    Unconfirmed,
    /// It was not allowed now, and is none.
    Refused,
    /// It was over before.
    Ended(String),
}

/// Why something cannot be done with a deploy.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A use case.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// What was asked by this key before was something else.
    #[error("this Idempotency-Key was used for something else")]
    OtherRequest,
    /// There is none of this id, or it is another token's.
    #[error("there is no such deploy of this token")]
    Unknown,
    /// It ended in another way.
    #[error("the deploy ended before, and otherwise: {0}")]
    EndedOtherwise(String),
}

/// A deploy that is open in this process.
#[derive(Debug)]
struct Open<L> {
    journal: L,
    owner: Ownership,
    is_confirmed: bool,
}

type Slot<L> = Arc<Mutex<Option<Open<L>>>>;

/// The open deploys of pipelines.
#[derive(Debug)]
pub struct Deploys<S: Store> {
    open: RwLock<BTreeMap<DeployId, Slot<S::Log>>>,
    /// Held for reading by whatever announces, ends or delivers something.
    at_work: tokio::sync::RwLock<()>,
}

impl<S: Store> Default for Deploys<S> {
    fn default() -> Self {
        Self { open: RwLock::default(), at_work: tokio::sync::RwLock::default() }
    }
}

/// How often records are delivered that did not arrive at once.
const DELIVERY: Duration = Duration::from_secs(30);
/// How long what is being delivered gets once the service ends.
const GRACE: Duration = Duration::from_secs(10);
/// How long it is waited for what is at work then.
const REST: Duration = Duration::from_secs(60);
/// How often it is looked for deploys that were silent for too long.
const EXPIRY: Duration = Duration::from_secs(5);

impl<S: Store> Deploys<S> {
    fn slot(&self, deploy: DeployId) -> Slot<S::Log> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(open.entry(deploy).or_default())
    }

    fn forget(&self, deploy: DeployId) {
        self.open.write().unwrap_or_else(PoisonError::into_inner).remove(&deploy);
    }

    /// Takes back what was open when the service ended: its deploys go on meanwhile.
    ///
    /// # Errors
    /// Where store or journal cannot be read.
    pub async fn resume(&self, watch: &Watch<S>) -> Result<(), DeployError> {
        for remote in watch.store.with(|store| store.open_remotes())? {
            let journal = watch.store.with(|store| store.deploy_log())?;
            let is_known = crate::journal::DeployLog::knows(&journal, remote.deploy).map_err(Refusal::from)?;
            // The service ended before it was journalled, or somebody else took it over meanwhile.
            let owner = is_known.then(|| crate::journal::DeployLog::own(&journal, remote.deploy).ok()).flatten();
            // What was not announced to its end was never cleared: the journal calls it off.
            let is_open = is_known && {
                let state = crate::journal::DeployLog::state(&journal, remote.deploy).map_err(Refusal::from)?;
                !state.is_closed() && matches!(state.stage(), Stage::MayHaveRun { .. })
            };
            match owner.filter(|_| is_open) {
                Some(owner) => {
                    *self.slot(remote.deploy).lock().await = Some(Open { journal, owner, is_confirmed: false });
                }
                None => self.call_off(watch, remote.deploy)?,
            }
        }
        Ok(())
    }

    /// Announces a deploy, once for a key: where the token asked by it before, that deploy is looked at again. Returns the deploy, where
    /// it stands now, and what was read of its task just now.
    ///
    /// # Errors
    /// Where it cannot be known or noted. A deploy that is not allowed is none: it ends at once.
    pub async fn start(
        &self,
        watch: &Watch<S>,
        remote: RemoteDeploy,
        asked: &Asked,
    ) -> Result<(RemoteDeploy, RemoteState, Assessment), DeployError> {
        let _at_work = self.at_work.read().await;
        // Held before anybody can know of the deploy: who asks for it meanwhile waits until it is announced.
        let slot = self.slot(remote.deploy);
        let mut open = slot.lock().await;
        while let Some(before) = watch.store.with(|store| store.add_remote(&remote))? {
            if before.asked != remote.asked {
                self.forget(remote.deploy);
                return Err(DeployError::OtherRequest);
            }
            // Where it was refused meanwhile, its key is free again.
            if let Some(state) = self.state(watch, before.deploy).await? {
                self.forget(remote.deploy);
                let now = self.verdict_now(&watch.site, &before, asked).await;
                return Ok((before, state, now));
            }
        }
        let journal = watch.store.with(|store| store.deploy_log())?;
        let deploy = remote::RemoteDeploy {
            deploy: remote.deploy,
            question: &asked.question,
            intent: asked.intent.clone(),
            command: &asked.command,
            caller: crate::record::caller_of_token(&remote.token),
        };
        let announced = deploy.announce(watch.site.context(), journal, &mut Traced).await;
        match announced {
            Ok((Announcement::Started { owner, confirmed }, journal)) => {
                *open = Some(Open { journal, owner, is_confirmed: confirmed });
                drop(open);
                watch.queue.push(remote.task);
                let state = if confirmed { RemoteState::Started } else { RemoteState::Unconfirmed };
                let now = self.verdict_now(&watch.site, &remote, asked).await;
                Ok((remote, state, now))
            }
            Ok((Announcement::Refused(read), _)) => {
                self.call_off(watch, remote.deploy)?;
                Ok((remote, RemoteState::Refused, *read))
            }
            Err(refusal) => {
                self.call_off(watch, remote.deploy)?;
                Err(refusal.into())
            }
        }
    }

    /// Notes that a deploy was not started. Where nothing of it was journalled its key is free: it may be asked for again with it.
    fn call_off(&self, watch: &Watch<S>, deploy: DeployId) -> Result<(), DeployError> {
        self.forget(deploy);
        let journal = watch.store.with(|store| store.deploy_log())?;
        let is_known = crate::journal::DeployLog::knows(&journal, deploy).map_err(Refusal::from)?;
        watch.store.with(|store| match is_known {
            true => store.end_remote(deploy, "not started").map(drop),
            false => store.forget_remote(deploy),
        })?;
        Ok(())
    }

    /// The verdict on the deploy now: never the one on which it was started.
    async fn verdict_now(&self, site: &Site, remote: &RemoteDeploy, asked: &Asked) -> Assessment {
        let intent = Intent { deploy: Some(remote.deploy), ..asked.intent.clone() };
        Assessor::new(site.context()).assess(&asked.question, &intent).await
    }

    /// Where a deploy stands; `None` where it was refused, of which nothing is kept.
    async fn state(&self, watch: &Watch<S>, deploy: DeployId) -> Result<Option<RemoteState>, DeployError> {
        // Waits while it is being announced.
        let slot = self.slot(deploy);
        let mut open = slot.lock().await;
        let kept = watch.store.with(|store| store.remote(deploy))?;
        let ended = match (open.as_mut(), kept) {
            (_, Some(RemoteDeploy { ended: Some(how), .. })) => Some(RemoteState::Ended(how)),
            (Some(open), Some(_)) => return Ok(Some(self.started(open, deploy)?)),
            // Nobody announces it and nobody holds it: whatever was to be noted of it was not, and it was never cleared.
            (None, Some(_)) => {
                Some(RemoteState::Ended(watch.store.with(|store| store.end_remote(deploy, "not started"))?))
            }
            (_, None) => None,
        };
        self.forget(deploy);
        Ok(ended)
    }

    fn started(&self, open: &mut Open<S::Log>, deploy: DeployId) -> Result<RemoteState, DeployError> {
        if !open.is_confirmed {
            let state = crate::journal::DeployLog::state(&open.journal, deploy).map_err(Refusal::from)?;
            open.is_confirmed = state
                .record(crate::record::Event::Started)
                .is_some_and(|started| matches!(started.delivery, crate::journal::DeliveryState::Delivered { .. }));
        }
        Ok(if open.is_confirmed { RemoteState::Started } else { RemoteState::Unconfirmed })
    }

    /// The verdict on a deploy now, by a reading of its own: what it does itself does not count against it. `behind` stand behind its
    /// token.
    ///
    /// # Errors
    /// Where its record cannot be read.
    pub async fn verdict(
        &self,
        watch: &Watch<S>,
        deploy: DeployId,
        behind: impl Iterator<Item = String>,
    ) -> Result<Assessment, DeployError> {
        let record = {
            let journal = watch.store.with(|store| store.deploy_log())?;
            let state = crate::journal::DeployLog::state(&journal, deploy).map_err(Refusal::from)?;
            state.record(crate::record::Event::Started).map(|started| started.record.clone())
        };
        let record = record.ok_or(DeployError::Unknown)?;
        let deployer = record.deployer.as_ref().ok_or(DeployError::Unknown)?.user.clone();
        let intent = Intent {
            action: record.action.as_deref().and_then(Action::named),
            change: record.change.clone(),
            why_not_rollback: None,
            deploy: Some(deploy),
        };
        let question = question(record.task, deployer, behind);
        Ok(Assessor::new(watch.site.context()).assess(&question, &intent).await)
    }

    /// An open deploy of this token, which says that it goes on; returns until when it may stay silent now.
    ///
    /// # Errors
    /// Where there is none.
    pub fn alive(&self, watch: &Watch<S>, deploy: DeployId, token: &str) -> Result<RemoteDeploy, DeployError> {
        let remote = self.of_token(watch, deploy, token)?;
        if let Some(how) = remote.ended {
            return Err(DeployError::EndedOtherwise(how));
        }
        let expires = later(Timestamp::now(), remote.silence);
        watch.store.with(|store| store.renew_remote(deploy, expires))?;
        Ok(RemoteDeploy { expires, ..remote })
    }

    fn of_token(&self, watch: &Watch<S>, deploy: DeployId, token: &str) -> Result<RemoteDeploy, DeployError> {
        let remote = watch.store.with(|store| store.remote(deploy))?;
        remote.filter(|remote| remote.token == token).ok_or(DeployError::Unknown)
    }

    /// Ends a deploy of this token by what its pipeline says of the command. The first end stands.
    ///
    /// # Errors
    /// Where there is none, or it ended otherwise.
    pub async fn finish(
        &self,
        watch: &Watch<S>,
        deploy: DeployId,
        token: &str,
        how: Option<ExitStatus>,
    ) -> Result<RemoteDeploy, DeployError> {
        let remote = self.of_token(watch, deploy, token)?;
        self.end(watch, &remote, how, &said(how)).await?;
        Ok(remote)
    }

    async fn end(
        &self,
        watch: &Watch<S>,
        remote: &RemoteDeploy,
        how: Option<ExitStatus>,
        word: &str,
    ) -> Result<(), DeployError> {
        let _at_work = self.at_work.read().await;
        // One at a time ends it, and an end is kept before anything of it is journalled.
        let slot = self.slot(remote.deploy);
        let mut open = slot.lock().await;
        let stands = watch.store.with(|store| store.end_remote(remote.deploy, word))?;
        if stands != word {
            return Err(DeployError::EndedOtherwise(stands));
        }
        if let Some(Open { mut journal, owner, .. }) = open.take() {
            let at = watch.board.now();
            let ended = remote::end(&watch.site.context(), &mut journal, &owner, at, how, &mut Traced).await;
            self.forget(remote.deploy);
            ended?;
            watch.queue.push(remote.task);
        }
        Ok(())
    }

    /// Delivers the records that are not on their tasks yet, and settles the deploys whose end nobody saw, until the service ends.
    pub async fn deliver(&self, watch: &Watch<S>, stop: watch::Receiver<bool>) {
        let how = Flush { wait: false, retry: false };
        loop {
            match watch.store.with(|store| store.deploy_log()) {
                Ok(mut journal) => {
                    // What is broken off stays in the outbox, as after a kill.
                    let (context, mut progress) = (watch.site.context(), Traced);
                    let flushed = tokio::select! {
                        flushed = outbox::flush(&context, &mut journal, how, &mut progress) => flushed,
                        () = ends(stop.clone()) => return,
                    };
                    if let Err(refusal) = flushed {
                        tracing::warn!("records cannot be delivered: {}", refusal.message);
                    }
                }
                Err(error) => tracing::error!("{error}"),
            }
            tokio::select! {
                () = tokio::time::sleep(DELIVERY) => {}
                () = stopped(stop.clone()) => return,
            }
        }
    }

    /// Waits until nothing is at work any more, once nothing new begins; for a while at most.
    pub async fn at_rest(&self) {
        let _ = tokio::time::timeout(REST, self.at_work.write()).await;
    }

    /// Ends what stayed silent for too long, until the service ends.
    pub async fn expire(&self, watch: &Watch<S>, stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(EXPIRY) => {}
                () = stopped(stop.clone()) => return,
            }
            let open = match watch.store.with(|store| store.open_remotes()) {
                Ok(open) => open,
                Err(error) => {
                    tracing::error!("{error}");
                    continue;
                }
            };
            for remote in open.iter().filter(|remote| remote.expires <= Timestamp::now()) {
                tracing::warn!("{}: the deploy {} was silent for too long", remote.task, remote.deploy);
                if let Err(error) = self.end(watch, remote, None, "unknown: it was silent for too long").await {
                    tracing::error!("{}: {error}", remote.task);
                }
            }
        }
    }
}

/// How a deploy ended, as it is kept and compared.
fn said(how: Option<ExitStatus>) -> String {
    how.map_or_else(|| "unknown".to_owned(), |status| status.to_string())
}

/// Waits until the service ends, and a while longer.
async fn ends(stop: watch::Receiver<bool>) {
    stopped(stop).await;
    tokio::time::sleep(GRACE).await;
}

/// So many seconds later.
pub fn later(time: Timestamp, seconds: u64) -> Timestamp {
    let by = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// What is asked about the deploy of a pipeline: who may be named, and who can make it run, is behind it.
pub fn question(task: TaskId, deployer: String, behind: impl Iterator<Item = String>) -> Question {
    Question {
        task,
        pipeline: behind.filter(|name| !name.eq_ignore_ascii_case(&deployer)).collect(),
        deployer: Some(deployer),
        calling_user: None,
        attestations: Vec::new(),
        purpose: Purpose::Deploy,
        deployers: [].into(),
    }
}

/// Does something on a thread of its own: a journal is used by one thread at a time, and whoever asked may go away meanwhile.
///
/// # Errors
/// Where the thread is gone.
pub async fn apart<T, F>(work: impl FnOnce() -> F + Send + 'static) -> Result<T, tokio::task::JoinError>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let here = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || here.block_on(work())).await
}

/// What a use case says on the way goes into the log of the service.
struct Traced;

impl Progress for Traced {
    fn note(&mut self, text: &str) {
        tracing::info!("{text}");
    }

    fn warn(&mut self, text: &str) {
        tracing::warn!("{text}");
    }

    fn hint(&mut self, text: &str) {
        tracing::info!("{text}");
    }
}

impl RunProgress for Traced {
    fn error(&mut self, refusal: &Refusal) {
        tracing::error!("{}", refusal.message);
    }

    fn failed(&mut self, task: TaskId, how: &str) {
        tracing::warn!("{task}: {how}");
    }

    // Here no command runs.
    fn objected(&mut self, _: TaskId, _: &Objection) {}

    fn next(&mut self, _: AfterFailure) {}

    fn stopped(&mut self, assessment: &Assessment) {
        tracing::warn!("{}: not started: {}", assessment.number, assessment.verdict.decision.word());
    }

    fn by_hand(&mut self, comment: &str) {
        tracing::error!("to be written on the task by hand:\n{comment}");
    }
}
