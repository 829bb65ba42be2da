//! A deploy that somebody else carries out, a pipeline: announced here, and ended here once it says how it ended.
//!
//! Responsible for the order of it: the task is read, and only a clearance announces a deploy; `started` is published by the same steps as
//! that of `run`, after which nothing is known but what the pipeline says. Not responsible for who may do that, nor for how long it may
//! stay silent.

use jiff::Timestamp;
use tokio::time::Instant;

use super::deliver::deliver;
use super::logged;
use super::ran::Ran;
use super::recording::{author_may_write, set_command, template};
use super::run::{Confirmed, FINISH, RunDeploy, queue_finished};
use super::stated_times::clock_of;
use super::stranded::is_replaced;
use super::{Assessment, Assessor, Context, Progress, Refusal, RunProgress, marks};
use crate::evidence::Question;
use crate::ids::DeployId;
use crate::journal::{DeployLog, DeployState, Ownership, Stage, Step};
use crate::publish::Patience;
use crate::record::{Event, ExitStatus, Outcome, Record};
use crate::rules::{Decision, Intent};

/// What a pipeline wants to carry out.
#[derive(Debug, Clone)]
pub struct RemoteDeploy<'a> {
    /// The id that the deploy has.
    pub deploy: DeployId,
    /// The task, who deploys, and who else is behind it.
    pub question: &'a Question,
    /// What is going to happen.
    pub intent: Intent,
    /// The command, argument by argument.
    pub command: &'a [String],
    /// Who asked for it, as records say it.
    pub caller: String,
}

/// What came of announcing a deploy.
#[derive(Debug)]
pub enum Announcement {
    /// It may be carried out.
    Started {
        /// The right to end it.
        owner: Ownership,
        /// Whether `started` is known to be on the task.
        confirmed: bool,
    },
    /// It may not: this is what was read. Nothing was written, or what was is called off.
    Refused(Box<Assessment>),
}

impl RemoteDeploy<'_> {
    /// Reads the task, and announces the deploy where it is allowed.
    ///
    /// # Errors
    /// Where the journal cannot be read or written, or the record would not be believed or does not fit.
    pub async fn announce<L: DeployLog>(
        &self,
        context: Context<'_>,
        journal: L,
        progress: &mut impl RunProgress,
    ) -> Result<(Announcement, L), Refusal> {
        let intent = Intent { deploy: None, ..self.intent.clone() };
        let read = Assessor::new(context).assess(self.question, &intent).await;
        context.log.write(&logged::verdict(&context, self.question.purpose, &read));
        let (Decision::Allowed(clearance), Some(evidence)) = (&read.verdict.decision, read.evidence()) else {
            return Ok((Announcement::Refused(Box::new(read)), journal));
        };
        let mut record = Record { deploy: self.deploy, ..template(&read, self.question, &intent, &context) };
        record.caller = Some(self.caller.clone());
        record.dropped = journal.dropped()?.into();
        record.clock = Some(clock_of(read.clock()));
        set_command(&mut record, self.command, false, &context);
        let record = record.bounded();
        let nothing = "nothing was written on the task; the pipeline must not go on";
        record.check_fits().map_err(|error| Refusal::usage(error.to_string(), nothing))?;
        author_may_write(evidence, &record, &context)?;
        let mut run = RunDeploy {
            context,
            journal,
            owner: evidence.owner.clone(),
            marks: marks(Some(evidence)),
            question: self.question.clone(),
            intent: Intent { deploy: Some(self.deploy), ..intent },
            record,
            clock: read.clock(),
            is_open: !evidence.is_restricted(&context.policy.open_spaces),
            progress,
        };
        let announced = run.announce(clearance).await?;
        Ok((announced, run.journal))
    }
}

impl<P: RunProgress, L: DeployLog> RunDeploy<'_, P, L> {
    /// Takes the steps of `run` up to the command, which somebody else starts.
    async fn announce(&mut self, _: &crate::rules::Clearance) -> Result<Announcement, Refusal> {
        let owner = self.journal.own(self.record.deploy)?;
        let mut result = Ran::default();
        self.begin(&owner)?;
        let refused = match self.confirm_started(&mut result).await {
            Ok(Confirmed::Go) => {
                self.journal.step(&owner, self.clock.now(), Step::Spawning)?;
                self.context.log.write(&logged::started(&self.context, &self.record, self.is_open));
                let confirmed = result.is_delivered(Event::Started);
                return Ok(Announcement::Started { owner, confirmed });
            }
            Ok(Confirmed::Stop(read)) => {
                self.stop(&owner, &read, &mut result)?;
                Ok(Announcement::Refused(read))
            }
            Err(failure) => {
                let is_open =
                    matches!(self.journal.state(self.record.deploy)?.stage(), Stage::NotStarted { why: None });
                if is_open {
                    let why = failure.message.clone();
                    self.journal.step(&owner, Timestamp::now(), Step::NotSpawned { why })?;
                }
                Err(failure)
            }
        };
        self.context.log.write(&logged::not_started(&self.context, &self.record, result.verdict));
        self.finish(&owner, &mut result).await?;
        refused
    }
}

/// Ends a deploy that was announced here. `how` is what the pipeline says of its command; `None` where nobody knows how it ended.
/// What cannot be delivered now stays in the outbox.
///
/// # Errors
/// Where the journal cannot be read or written.
pub async fn end<L: DeployLog>(
    context: &Context<'_>,
    journal: &mut L,
    owner: &Ownership,
    at: Timestamp,
    how: Option<ExitStatus>,
    progress: &mut impl Progress,
) -> Result<DeployState, Refusal> {
    let deploy = owner.deploy();
    if let Some(status) = how {
        journal.step(owner, at, Step::Exited { status })?;
    }
    queue_finished(journal, owner)?;
    let state = journal.state(deploy)?;
    let record = state.finished_record();
    let outcome = record.outcome.unwrap_or(Outcome::Unknown);
    context.log.write(&logged::ended(context, &record, how, outcome));
    match context.timed_client().whoami().await {
        Ok(account) => {
            if !is_replaced(context, &account.result, &state, progress).await {
                let patience = Patience::until(Instant::now() + FINISH);
                deliver(context, &account.result, journal, deploy, patience, progress).await?;
            }
        }
        Err(error) => progress.warn(&format!("{}: `finished` stays in the outbox: {error}", record.task)),
    }
    Ok(journal.step(owner, Timestamp::now(), Step::Closed)?)
}
