//! The deploys whose gates were killed: taking them over, and settling how they ended by a read of their tasks.
//!
//! Responsible for the order of these steps and for what is said of them. Not for what may be concluded, which the journal
//! knows, nor for who may state an end, which the evidence knows.

use std::time::Duration;

use jiff::Timestamp;

use super::logged;
use super::{Assessor, Context, Progress, Refusal};
use crate::conduit::Account;
use crate::evidence::records::end_of;
use crate::evidence::{Purpose, Question};
use crate::ids::DeployId;
use crate::journal::{DeployLog, DeployState, EndElsewhere, EndOnTask, JournalError, TakenOver};
use crate::record::Outcome;
use crate::rules::Intent;
use crate::time::utc;

/// Takes over what gates that are gone left behind, and says so.
///
/// # Errors
/// Where the journal cannot be read or written.
pub fn take_over(
    context: &Context<'_>,
    journal: &mut impl DeployLog,
    progress: &mut impl Progress,
) -> Result<(), Refusal> {
    for taken in journal.recover_stranded(Timestamp::now(), context.settle)? {
        let said = match taken {
            TakenOver::TakenIn(deploy) => {
                format!("how the deploy {deploy} ended was kept beside the journal, and is in it now")
            }
            TakenOver::Recovered(deploy) => {
                format!("the gate of deploy {deploy} was killed; what the journal knows of it is recorded")
            }
            TakenOver::EndUnknown { deploy, settle_at } => format!(
                "the gate of deploy {deploy} was killed, and how it ended is not known; from {} on \
                 `phabgate outbox flush --wait` looks for an end on the task, and else records that nobody saw it",
                utc(settle_at)
            ),
        };
        progress.warn(&said);
    }
    Ok(())
}

/// Settles a deploy whose gate is gone, where its task can be read: an end that somebody else put there is taken over, and
/// where there is none the journal says what it knows.
///
/// # Errors
/// Where the journal cannot be read or written.
pub async fn settle(
    context: &Context<'_>,
    journal: &mut impl DeployLog,
    deploy: DeployId,
    progress: &mut impl Progress,
) -> Result<(), Refusal> {
    let owner = match journal.own(deploy) {
        Ok(owner) => owner,
        Err(JournalError::Owned { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let state = journal.state(deploy)?;
    // Until then a read that finds none settles nothing, and one of the records may still be on its way.
    let is_early = state.gone().is_some_and(|settle_at| Timestamp::now() < settle_at);
    if !is_open(&state) || is_early {
        return Ok(());
    }
    let task = state.intent().task;
    match read_end(context, &state).await {
        Err(why) => progress.warn(&format!("{task}: how the deploy {deploy} ended cannot be looked for: {why}")),
        Ok(end) => {
            let state = journal.conclude(&owner, Timestamp::now(), &end)?;
            if let Some(end) = state.ended_elsewhere() {
                let outcome = end.outcome.map_or("recorded", |outcome| outcome.word());
                progress.note(&format!(
                    "{task}: the end of deploy {deploy} is on the task already ({outcome}): {}#{}",
                    task.url(context.server),
                    end.transaction
                ));
            } else {
                let record = state.finished_record();
                let outcome = record.outcome.unwrap_or(Outcome::Unknown);
                context.log.write(&logged::ended(context, &record, None, outcome));
            }
        }
    }
    Ok(())
}

/// Whether a read of the task may still say how a deploy ended whose gate is gone.
fn is_open(state: &DeployState) -> bool {
    state.gone().is_some() && state.awaits_end()
}

/// Whether the server that answers is the one that the deploy is of: behind the same URL there may be another by now, which
/// gets nothing and proves nothing. Says where it is not.
///
/// # Errors
/// Where the server does not answer.
pub async fn is_same_server(
    context: &Context<'_>,
    owner: &Account,
    state: &DeployState,
    progress: &mut impl Progress,
) -> Result<bool, Refusal> {
    let intent = state.intent();
    let task = intent.task;
    let why = match &intent.marks.task {
        Some(phid) => match context.timed_client().task(task).await?.result {
            Some(found) if found.phid == *phid => None,
            Some(_) => Some(format!("its {task} is another task than the one that the record is for")),
            // A missing task and a hidden one look the same: of one that is not shown nothing is known.
            None => Some(format!("it shows no {task} to {}", owner.username)),
        },
        None => {
            let same_name = intent.identity.user.as_ref().is_some_and(|user| owner.is_named(user));
            let other = same_name && intent.identity.phid.as_ref().is_some_and(|phid| *phid != owner.phid);
            other.then(|| format!("its account {} is another one than the one that wrote the record", owner.username))
        }
    };
    if let Some(why) = &why {
        progress.warn(&format!(
            "{task}: nothing is sent to {}, which is not the server of the deploy {} or hides its task: {why}",
            context.server,
            state.deploy()
        ));
        progress.hint("where it is gone for good, `phabgate outbox drop ID --why TEXT` gives its records up");
    }
    Ok(why.is_none())
}

/// How long a look at the server may hold up the end of a deploy.
const LOOK: Duration = Duration::from_secs(3);

/// Whether surely another server answers by now; says so. One that does not answer in time is none.
pub async fn is_replaced(
    context: &Context<'_>,
    owner: &Account,
    state: &DeployState,
    progress: &mut impl Progress,
) -> bool {
    let same = tokio::time::timeout(LOOK, is_same_server(context, owner, state, progress)).await;
    matches!(same, Ok(Ok(false)))
}

/// Reads the whole task for an end of the deploy, by whoever may state it.
async fn read_end(context: &Context<'_>, state: &DeployState) -> Result<EndOnTask, String> {
    let read_at = Timestamp::now();
    let question = Question {
        task: state.intent().task,
        deployer: None,
        calling_user: None,
        pipeline: [].into(),
        attestations: Vec::new(),
        purpose: Purpose::Read,
        deployers: context.deployers.into(),
    };
    let read = Assessor::new(*context).assess(&question, &Intent::default()).await;
    let Some(evidence) = read.evidence() else { return Err(read.refusal().message) };
    if state.intent().marks.is_other(&super::marks(Some(evidence))) {
        return Err(format!("{} is another server by now: its {} is another task", context.server, question.task));
    }
    let records = evidence.records(context.policy, None);
    Ok(match end_of(&records, state.deploy()) {
        Some(end) => EndOnTask::Found(EndElsewhere {
            event: end.record.event,
            outcome: end.record.outcome,
            transaction: end.moment.transaction,
            author: end.author.clone(),
        }),
        None => EndOnTask::NotFound { read_at },
    })
}
