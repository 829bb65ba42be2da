//! Opening an emergency, with one edit of the task.
//!
//! Responsible for the order of it: the task is read, what exists is changed only after somebody agreed, the edit is made once, and the
//! task is read again. Not responsible for what has to change ([`crate::request`]), nor for what is shown of it.

use std::convert::Infallible;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::conductor::{ConductorContact, NamedConductor};
use super::deliver::publisher;
use super::logged;
use super::{Assessment, Assessor, Context, Progress, Refusal, RefusalKind, Task};
use crate::conduit;
use crate::evidence::trailers::Key;
use crate::evidence::{Evidence, Question, Tagged, TaskState};
use crate::ids::TaskId;
use crate::policy::Policy;
use crate::publish::{Cause, Edit, Known, NotApplied, Patience, PublishLog, PublishOutcome, PublishProgress};
use crate::request::{self, RequestPlan, RequestPlanError, Wanted};
use crate::rules::Intent;
use crate::text::inert;

/// How often the task is read while it is not clear whether it was changed.
const POLL: Duration = Duration::from_secs(1);
/// How often the plan is made again because the task changed while somebody was asked.
const PLANS: u32 = 5;

/// Who opens an emergency, as far as they are asked.
pub trait Requester: Progress {
    /// Shows what is about to be changed, of which `hidden` texts are not shown, and asks whether to do it.
    ///
    /// # Errors
    /// Where nobody is there to be asked.
    fn confirm(&mut self, task: TaskId, plan: &RequestPlan, hidden: bool) -> Result<bool, Refusal>;
}

/// One request.
#[derive(Debug)]
pub struct RequestFlow<'a> {
    /// Who is asked, and by what is judged.
    pub context: Context<'a>,
    /// Which task.
    pub question: Question,
    /// Whether somebody is asked before what is stated already is changed.
    pub asks: bool,
    /// Who is called, where somebody named them.
    pub conductor: NamedConductor<'a>,
    /// Whether who opens the emergency is stated to be the deployer, where nobody is.
    pub asker_deploys: bool,
    /// Whether what approvers have to write is put on the task.
    pub instructs: bool,
}

/// A request that was carried out.
#[derive(Debug)]
pub struct RequestEnd {
    /// The task, as it is now.
    pub task: Assessment,
    /// What was changed.
    pub plan: RequestPlan,
    /// Who is called.
    pub contact: ConductorContact,
    /// Why it is no success all the same.
    pub refusal: Option<Refusal>,
}

impl RequestFlow<'_> {
    /// Reads, asks where somebody has to agree, changes the task, and reads it again. The deployer is named as the server writes
    /// them.
    ///
    /// # Errors
    /// Where the task is closed or not visible, it was not agreed to, or it is not clear whether it was changed.
    pub async fn run(&self, wanted: &mut Wanted, requester: &mut impl Requester) -> Result<RequestEnd, Refusal> {
        let (before, plan) = self.agree(wanted, requester).await?;
        let contact = ConductorContact::find(&self.context, self.conductor);
        let (task, contact) = if plan.is_empty() {
            (before, contact.await)
        } else {
            self.make(&before, &plan, requester).await?;
            // Read anew: what the task states is what the gate will see, not what was sent.
            let (after, contact) = tokio::join!(self.read(), contact);
            warn_of_overwritten(&before, &after, &plan, requester);
            (after, contact)
        };
        let refusal = match task.state() {
            Some(state) => unmet(self.question.task, state, wanted),
            None => Some(task.refusal()),
        };
        Ok(RequestEnd { task, plan, contact, refusal })
    }

    async fn read(&self) -> Assessment {
        Assessor::new(self.context).assess(&self.question, &Intent::default()).await
    }

    /// Whether the texts of the task may not be shown.
    fn hides(&self, evidence: &Evidence) -> bool {
        !self.context.texts.are_shown(evidence, self.context.policy)
    }

    /// Reads the task and plans the edit until nobody has to be asked about it any more.
    async fn agree(
        &self,
        wanted: &mut Wanted,
        requester: &mut impl Requester,
    ) -> Result<(Assessment, RequestPlan), Refusal> {
        let policy = self.context.policy;
        let task = self.question.task;
        let mut agreed: Option<RequestPlan> = None;
        for _ in 0..PLANS {
            let read = self.read().await;
            let Some(Task { evidence, state, .. }) = read.task() else { return Err(read.refusal()) };
            ready(evidence, policy)?;
            // Later it would void what was approved meanwhile.
            let opens = !matches!(state.tagged, Tagged::Since(_));
            if opens && self.asker_deploys && wanted.deployer.is_none() && state.deployer.is_none() {
                wanted.deployer = who_asks(evidence);
            }
            name_deployer(evidence, wanted)?;
            let plan = request::plan(evidence, policy, state, &read.verdict, wanted, self.instructs)
                .map_err(|error| refused(task, policy, &error))?;
            let same = |agreed: &RequestPlan| (&agreed.changes, &agreed.voids) == (&plan.changes, &plan.voids);
            if !plan.asks() || !self.asks || agreed.as_ref().is_some_and(same) {
                return Ok((read, plan));
            }
            if !requester.confirm(task, &plan, self.hides(evidence))? {
                return Err(Refusal {
                    kind: RefusalKind::Denied,
                    message: format!("not confirmed: {task} was not changed"),
                    hint: None,
                });
            }
            // Time has passed: what was agreed to must still be what there is.
            agreed = Some(plan);
        }
        Err(Refusal {
            kind: RefusalKind::Incomplete,
            message: format!("others change {task} faster than it can be agreed on"),
            hint: Some("talk to them, then type it again".into()),
        })
    }

    /// Makes the edit. Whether it was made the task itself shows.
    async fn make(&self, before: &Assessment, plan: &RequestPlan, progress: &mut impl Progress) -> Result<(), Refusal> {
        let task = self.question.task;
        let tag = before.evidence().and_then(|evidence| evidence.tag.as_ref()).map(|tag| &tag.phid);
        let mut changes: Vec<(&'static str, Value)> = Vec::new();
        if let Some(tag) = tag.filter(|_| plan.tag) {
            changes.push(("projects.add", json!([tag])));
        }
        if let Some(description) = &plan.description {
            changes.push(("description", json!(description)));
        }
        let is_applied = Box::new(move |task: &conduit::Task| {
            plan.is_stated_in(&task.description) && (!plan.tag || tag.is_some_and(|tag| task.projects.contains(tag)))
        });
        let phid = before.evidence().map(|evidence| evidence.task.phid.clone());
        let mut edit = Edit { task, phid, changes, is_applied };
        let patience = Patience::until(Instant::now() + self.context.limit).polling(POLL);
        let mut log = RequestLog { task, progress, said: false };
        let Ok(outcome) = publisher(&self.context).publish(&mut log, &mut edit, Known::Absent, patience).await;
        match outcome {
            PublishOutcome::Confirmed(()) => {
                self.context.log.write(&logged::requested(&self.context, task));
                Ok(())
            }
            PublishOutcome::NotApplied(not) => {
                let hidden = before.evidence().is_none_or(|evidence| self.hides(evidence));
                Err(not_made(task, not, hidden))
            }
            PublishOutcome::Unknown { why, .. } => Err(Refusal {
                kind: RefusalKind::Incomplete,
                message: format!("it is not clear whether {task} was changed: {why}"),
                hint: Some(format!(
                    "look at {}, or run it again: what is there already is not changed twice",
                    task.url(self.context.server)
                )),
            }),
        }
    }
}

/// Says what takes time.
struct RequestLog<'a, P> {
    task: TaskId,
    progress: &'a mut P,
    said: bool,
}

impl<P: Progress> PublishLog<()> for RequestLog<'_, P> {
    type Error = Infallible;

    fn note(&mut self, _: Timestamp, step: PublishProgress<'_, ()>) -> Result<(), Infallible> {
        match step {
            PublishProgress::NotSent { why } => self.progress.note(&format!("the change did not arrive: {why}")),
            PublishProgress::Waiting { why } if !self.said => {
                self.said = true;
                self.progress
                    .note(&format!("it is not clear whether the change arrived ({why}); reading {} again", self.task));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Refuses what cannot be opened: a closed task, and a tag that the server does not know.
fn ready(evidence: &Evidence, policy: &Policy) -> Result<(), Refusal> {
    let task = &evidence.task;
    if policy.require_open && evidence.statuses.get(&task.status) != Some(&false) {
        return Err(Refusal {
            kind: RefusalKind::Denied,
            message: format!("{} is closed ({})", task.id, inert(&task.status)),
            hint: Some(format!("reopen {} if the emergency goes on, or open a task for the new one", task.id)),
        });
    }
    if evidence.tag.is_none() {
        return Err(Refusal {
            kind: RefusalKind::Incomplete,
            message: format!("the server knows no project #{}, or does not show it to this account", policy.tag),
            hint: Some("check `policy.tag` in the configuration, and that the project is visible".into()),
        });
    }
    Ok(())
}

/// Who asks, where that is a person who can deploy: what is not said otherwise is said of them. A bot's token alone says
/// nothing.
fn who_asks(evidence: &Evidence) -> Option<String> {
    let asker = evidence.candidates.first()?;
    let account = asker.account.as_ref().filter(|account| account.is_enabled_person())?;
    Some(account.username.clone())
}

/// Writes the deployer's name as the server does.
fn name_deployer(evidence: &Evidence, wanted: &mut Wanted) -> Result<(), Refusal> {
    let Some(name) = &mut wanted.deployer else { return Ok(()) };
    let account = evidence.accounts.values().find(|account| account.is_named(name));
    match account {
        Some(account) if account.is_enabled_person() => {
            name.clone_from(&account.username);
            Ok(())
        }
        Some(_) => Err(Refusal::usage(
            format!("--deployer {name}: that is no person with an enabled account"),
            "give the username of the person who deploys",
        )),
        None => Err(Refusal::usage(
            format!("the server knows no account {name}"),
            "check the spelling of the deployer's name",
        )),
    }
}

fn refused(task: TaskId, policy: &Policy, error: &RequestPlanError) -> Refusal {
    let hint = match error {
        RequestPlanError::NoReason => {
            return Refusal::usage(
                error.to_string(),
                format!("add --reason CATEGORY and what is broken; {}", policy.categories()),
            );
        }
        RequestPlanError::Overruled { transaction: Some(transaction), .. } => {
            format!("edit the comment {task}#{transaction}, or let its author do it")
        }
        RequestPlanError::Overruled { .. } => format!("edit {task} on the server"),
        RequestPlanError::NoRoom => format!("write the lines into the description of {task} on the server"),
        RequestPlanError::Misread(_) => "use other words".to_owned(),
    };
    Refusal { kind: RefusalKind::Denied, message: error.to_string(), hint: Some(hint) }
}

/// The edit was surely not made. The server's own words about a restricted task disclose its policy.
fn not_made(task: TaskId, not: NotApplied, hidden: bool) -> Refusal {
    let why = not.error.as_ref().filter(|_| !hidden).map_or(not.why, |error| error.in_full());
    match (not.cause, not.error) {
        (_, Some(error)) if error.is_credentials() => error.into(),
        (Cause::Refused, _) => Refusal {
            kind: RefusalKind::Denied,
            message: format!("{task} was not changed: {why}"),
            hint: Some(format!("ask somebody who can edit {task} to do it, or to let this account edit it")),
        },
        (Cause::NotWritten | Cause::NotDue, _) => Refusal {
            kind: RefusalKind::Incomplete,
            message: format!("{task} was not changed: {why}"),
            hint: Some("run it again: what is there already is not changed twice".into()),
        },
    }
}

/// Says where the edit overwrote what somebody else wrote in the same moment: a description is set as a whole.
fn warn_of_overwritten(before: &Assessment, after: &Assessment, plan: &RequestPlan, progress: &mut impl Progress) {
    let task = after.number;
    let (Some(before), Some(after), Some(sent)) = (before.evidence(), after.evidence(), &plan.description) else {
        return;
    };
    if after.timeline.overwrote(&before.task.description, sent) {
        progress.warn(&format!(
            "somebody else edited the description of {task} at the same moment, and their text was overwritten: the history of the task on the server has it"
        ));
    }
}

/// What was asked for and is not in force, where anything is.
fn unmet(task: TaskId, task_state: &TaskState, wanted: &Wanted) -> Option<Refusal> {
    let names: Vec<&str> = request::unmet(task_state, wanted).into_iter().map(Key::name).collect();
    (!names.is_empty()).then(|| Refusal {
        kind: RefusalKind::Incomplete,
        message: format!("{task} states another {} now: somebody changed it at the same moment", names.join(" and ")),
        hint: Some(format!("look at `phabgate history {task}`, then run it again")),
    })
}
