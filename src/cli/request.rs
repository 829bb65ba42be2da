//! `request`: open an emergency, with one edit of the task.
//!
//! Responsible for the arguments, asking before what exists is changed, and making the edit. Not responsible for what
//! has to change (see [`crate::request`]), and what is shown of it ([`super::requested`]).

use std::convert::Infallible;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Globals;
use super::call::{Call, ConductorContact};
use super::confirm::confirm;
use super::exit::{Exit, Failure};
use super::requested::Requested;
use super::session::Session;
use super::ui::Ui;
use super::verdict::VerdictSubject;
use crate::conduit::Task;
use crate::evidence::restate::one_line;
use crate::evidence::{Evidence, Purpose, Question, TaskState};
use crate::gate::deliver::publisher;
use crate::gate::{self, Assessment};
use crate::ids::TaskId;
use crate::policy::{Action, Policy};
use crate::publish::{Cause, Edit, Known, NotApplied, Patience, PublishLog, PublishOutcome, PublishProgress};
use crate::request::{self, RequestPlan, RequestPlanError, Wanted};
use crate::rules::Intent;

/// How often the task is read while it is not clear whether it was changed.
const POLL: Duration = Duration::from_secs(1);
/// How often the plan is made again because the task changed while somebody was asked.
const PLANS: u32 = 5;

/// Arguments of `request`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The task: T1234, #T1234 or its URL
    #[arg(value_name = "TASK")]
    task: String,
    /// What is broken, in a few words
    #[arg(value_name = "TEXT")]
    text: Vec<String>,
    /// Why it cannot wait: a category of the policy
    #[arg(long, value_name = "CATEGORY")]
    reason: String,
    /// Who deploys: their username on the server
    #[arg(long, value_name = "USER")]
    deployer: Option<String>,
    /// What will be done
    #[arg(long, value_enum, value_name = "ACTION")]
    action: Option<Action>,
    /// What will be deployed: a Gerrit change, a commit
    #[arg(long, value_name = "REF")]
    change: Option<String>,
    /// It is a fire drill
    #[arg(long)]
    drill: bool,
    /// Whom to call, in place of the conductor that the train's task names
    #[arg(long, value_name = "NICK")]
    conductor: Option<String>,
    /// Change what is stated already without asking
    #[arg(long, short)]
    yes: bool,
    /// Show the texts of a restricted task
    #[arg(long)]
    pub(super) show_restricted: bool,
}

/// Runs `request`.
///
/// # Errors
/// Where the command line, the configuration or the credentials are wrong, the task is closed or not visible, or it is not
/// clear whether it was changed.
pub(super) async fn run(args: &Args, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let given = super::announce::nick(args.conductor.as_deref())?;
    let session = Session::open(globals).await?;
    session.caller_may_deploy(args.deployer.as_deref())?;
    let task = session.task(&args.task, ui)?;
    let mut wanted = wanted(args, &session.settings.policy)?;
    let question = question(task, args, &session)?;
    session.tell_undelivered(ui);
    let asked = RequestFlow { session: &session, question, show_restricted: args.show_restricted };
    let (before, plan) = asked.agree(&mut wanted, args.yes, ui).await?;
    let whom = ConductorContact::find(&session, given, session.settings.http.total);
    let (after, whom) = if plan.is_empty() {
        (before, whom.await)
    } else {
        asked.make(&before, &plan, ui).await?;
        // Read anew: what the task states is what the gate will see, not what was sent.
        let assessor = session.assessor();
        let intent = asked.intent();
        let (after, whom) = tokio::join!(assessor.assess(&asked.question, &intent), whom);
        warn_of_overwritten(&before, &after, &plan, task, ui);
        (after, whom)
    };
    let subject = VerdictSubject::of(&after, &session, args.show_restricted);
    let call = Call::new(task, &subject, whom, &session.settings.contact);
    let requested = Requested {
        task,
        plan: &plan,
        subject: &subject,
        verdict: &after.verdict,
        call: &call,
        policy: &session.settings.policy,
    };
    requested.show(args.show_restricted, ui);
    call.warn(ui);
    let Some(task_state) = after.state() else { return Err(after.refusal().into()) };
    if task_state.is_drill() && !wanted.drill {
        ui.warn(&format!(
            "{task} is stated to be a drill: write \"Emergency-Drill: no\" into its description if it is none"
        ));
    }
    unmet(task, task_state, &wanted)
}

/// What the command line asks for.
fn wanted(args: &Args, policy: &Policy) -> Result<Wanted, Failure> {
    let written = policy.read_reason(&one_line(&args.reason));
    let category = written.category.ok_or_else(|| {
        let known: Vec<String> =
            policy.reasons.iter().map(|reason| format!("{} ({})", reason.key, reason.title)).collect();
        Failure::usage(
            format!("{:?} is no reason that counts", crate::text::inert(&args.reason)),
            format!("give one of {}; what is none of these waits for the next window", known.join(", ")),
        )
    })?;
    let text = one_line(&format!("{} {}", written.explanation, args.text.join(" ")));
    let text = text.trim_start_matches(['-', '–', '—', ':', ' ']).to_owned();
    let line = |flag: &str, value: &Option<String>, hint: &str| match value.as_deref().map(one_line) {
        Some(line) if line.is_empty() => Err(Failure::usage(format!("{flag} is empty"), hint.to_owned())),
        line => Ok(line),
    };
    Ok(Wanted {
        category,
        explanation: Some(text).filter(|text| !text.is_empty()),
        deployer: line("--deployer", &args.deployer, "give the deployer's username on the server")?,
        action: args.action,
        change: line("--change", &args.change, "give a Gerrit change or a commit")?,
        drill: args.drill,
    })
}

/// What is asked of the server. Where a deployer is named, who asks on their behalf is not behind the deploy.
fn question(task: TaskId, args: &Args, session: &Session) -> Result<Question, Failure> {
    let purpose = if args.deployer.is_some() { Purpose::Read } else { Purpose::Deploy };
    session.plain_question(task, args.deployer.as_deref(), purpose)
}

/// One request.
struct RequestFlow<'a> {
    session: &'a Session,
    question: Question,
    show_restricted: bool,
}

impl RequestFlow<'_> {
    fn intent(&self) -> Intent {
        Intent { show_restricted: self.show_restricted, ..Intent::default() }
    }

    /// Whether the texts of the task may not be shown.
    fn hides(&self, evidence: &Evidence) -> bool {
        evidence.is_restricted(&self.session.settings.policy.open_spaces) && !self.show_restricted
    }

    /// Reads the task and plans the edit until nobody has to be asked about it any more.
    async fn agree(&self, wanted: &mut Wanted, yes: bool, ui: &mut Ui) -> Result<(Assessment, RequestPlan), Failure> {
        let policy = &self.session.settings.policy;
        let task = self.question.task;
        let mut agreed: Option<RequestPlan> = None;
        for _ in 0..PLANS {
            let read = self.session.assessor().assess(&self.question, &self.intent()).await;
            let Some(gate::Task { evidence, state, .. }) = read.task() else { return Err(read.refusal().into()) };
            ready(evidence, policy)?;
            name_deployer(evidence, wanted)?;
            let plan =
                request::plan(evidence, policy, state, &read.verdict, wanted).map_err(|error| refused(task, &error))?;
            let same = |agreed: &RequestPlan| (&agreed.changes, &agreed.voids) == (&plan.changes, &plan.voids);
            if !plan.asks() || yes || agreed.as_ref().is_some_and(same) {
                return Ok((read, plan));
            }
            let hidden = self.hides(evidence);
            ui.words(&super::requested::question(task, &plan, hidden, ui.width()));
            if !confirm("Change it?", ui)? {
                return Err(Failure {
                    exit: Exit::Denied,
                    message: format!("not confirmed: {task} was not changed"),
                    hint: None,
                });
            }
            // Time has passed: what was agreed to must still be what there is.
            agreed = Some(plan);
        }
        Err(Failure {
            exit: Exit::Incomplete,
            message: format!("{task} is being changed by others faster than it can be agreed on"),
            hint: Some("talk to them, then run it again".into()),
        })
    }

    /// Makes the edit. Whether it was made the task itself shows.
    async fn make(&self, before: &Assessment, plan: &RequestPlan, ui: &mut Ui) -> Result<(), Failure> {
        let task = self.question.task;
        let tag = before.evidence().and_then(|evidence| evidence.tag.as_ref()).map(|tag| &tag.phid);
        let mut changes: Vec<(&'static str, Value)> = Vec::new();
        if let Some(tag) = tag.filter(|_| plan.tag) {
            changes.push(("projects.add", json!([tag])));
        }
        if let Some(description) = &plan.description {
            changes.push(("description", json!(description)));
        }
        let is_applied = Box::new(move |task: &Task| {
            plan.is_stated_in(&task.description) && (!plan.tag || tag.is_some_and(|tag| task.projects.contains(tag)))
        });
        let phid = before.evidence().map(|evidence| evidence.task.phid.clone());
        let mut edit = Edit { task, phid, changes, is_applied };
        let patience = Patience::until(Instant::now() + self.session.settings.http.total).polling(POLL);
        let mut log = RequestLog { task, ui, said: false };
        let Ok(outcome) =
            publisher(&self.session.context()).publish(&mut log, &mut edit, Known::Absent, patience).await;
        match outcome {
            PublishOutcome::Confirmed(()) => Ok(()),
            PublishOutcome::NotApplied(not) => {
                let hidden = before.evidence().is_none_or(|evidence| self.hides(evidence));
                Err(not_made(task, not, hidden))
            }
            PublishOutcome::Unknown { why, .. } => Err(Failure {
                exit: Exit::Incomplete,
                message: format!("it is not clear whether {task} was changed: {why}"),
                hint: Some(format!(
                    "look at {}, or run it again: what is there already is not changed twice",
                    task.url(self.session.base())
                )),
            }),
        }
    }
}

/// Says what takes time.
struct RequestLog<'a> {
    task: TaskId,
    ui: &'a mut Ui,
    said: bool,
}

impl PublishLog<()> for RequestLog<'_> {
    type Error = Infallible;

    fn note(&mut self, _: Timestamp, progress: PublishProgress<'_, ()>) -> Result<(), Infallible> {
        match progress {
            PublishProgress::NotSent { why } => self.ui.note(&format!("the change did not arrive: {why}")),
            PublishProgress::Waiting { why } if !self.said => {
                self.said = true;
                self.ui
                    .note(&format!("it is not clear whether the change arrived ({why}); reading {} again", self.task));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Refuses what cannot be opened: a closed task, and a tag that the server does not know.
fn ready(evidence: &Evidence, policy: &Policy) -> Result<(), Failure> {
    let task = &evidence.task;
    if policy.require_open && evidence.statuses.get(&task.status) != Some(&false) {
        return Err(Failure {
            exit: Exit::Denied,
            message: format!("{} is closed ({})", task.id, crate::text::inert(&task.status)),
            hint: Some(format!("reopen {} if the emergency goes on, or open a task for the new one", task.id)),
        });
    }
    if evidence.tag.is_none() {
        return Err(Failure {
            exit: Exit::Incomplete,
            message: format!("the server knows no project #{}, or does not show it to this account", policy.tag),
            hint: Some("check `policy.tag` in the configuration, and that the project is visible".into()),
        });
    }
    Ok(())
}

/// Writes the deployer's name as the server does.
fn name_deployer(evidence: &Evidence, wanted: &mut Wanted) -> Result<(), Failure> {
    let Some(name) = &mut wanted.deployer else { return Ok(()) };
    let account = evidence.accounts.values().find(|account| account.is_named(name));
    match account {
        Some(account) if account.is_enabled_person() => {
            name.clone_from(&account.username);
            Ok(())
        }
        Some(_) => Err(Failure::usage(
            format!("--deployer {name}: a person with an account in use deploys"),
            "give the username of the person who deploys",
        )),
        None => Err(Failure::usage(
            format!("the server knows no account {name}"),
            "check the spelling of the deployer's name",
        )),
    }
}

fn refused(task: TaskId, error: &RequestPlanError) -> Failure {
    let hint = match error {
        RequestPlanError::Overruled { transaction: Some(transaction), .. } => {
            format!("edit the comment {task}#{transaction}, or let its author do it")
        }
        RequestPlanError::Overruled { .. } => format!("edit {task} on the server"),
        RequestPlanError::NoRoom => format!("write the lines into the description of {task} on the server"),
        RequestPlanError::Misread(_) => "use other words".to_owned(),
    };
    Failure { exit: Exit::Denied, message: error.to_string(), hint: Some(hint) }
}

/// The edit was surely not made. The server's own words about a restricted task tell of it.
fn not_made(task: TaskId, not: NotApplied, hidden: bool) -> Failure {
    let why = not.error.as_ref().filter(|_| !hidden).map_or(not.why, |error| error.in_full());
    match (not.cause, not.error) {
        (_, Some(error)) if error.is_credentials() => error.into(),
        (Cause::Refused, _) => Failure {
            exit: Exit::Denied,
            message: format!("{task} was not changed: {why}"),
            hint: Some(format!("ask somebody who can edit {task} to do it, or to let this account edit it")),
        },
        (Cause::NotWritten | Cause::NotDue, _) => Failure {
            exit: Exit::Incomplete,
            message: format!("{task} was not changed: {why}"),
            hint: Some("run it again: what is there already is not changed twice".into()),
        },
    }
}

/// Says where the edit overwrote what somebody else wrote in the same moment: a description is set as a whole.
fn warn_of_overwritten(before: &Assessment, after: &Assessment, plan: &RequestPlan, task: TaskId, ui: &mut Ui) {
    let (Some(before), Some(after), Some(sent)) = (before.evidence(), after.evidence(), &plan.description) else {
        return;
    };
    if after.timeline.overwrote(&before.task.description, sent) {
        ui.warn(&format!(
            "somebody else edited the description of {task} in the same moment and is overwritten: its history on the \
             server has their text"
        ));
    }
}

/// How it ends: what was asked for is in force, or it is said what is not.
fn unmet(task: TaskId, task_state: &TaskState, wanted: &Wanted) -> Result<Exit, Failure> {
    let unmet = request::unmet(task_state, wanted);
    if unmet.is_empty() {
        return Ok(Exit::Done);
    }
    let names: Vec<&str> = unmet.into_iter().map(crate::evidence::trailers::Key::name).collect();
    Err(Failure {
        exit: Exit::Incomplete,
        message: format!("{task} states another {} now: somebody changed it in the same moment", names.join(" and ")),
        hint: Some(format!("look at `phabgate history {task}`, then run it again")),
    })
}
