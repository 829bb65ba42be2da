//! `check`: gather the evidence, print the verdict rule by rule.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;

use super::call::{Call, CallFor, read_on_call};
use super::exit::{Exit, Failure};
use super::may_run::MayRun;
use super::next::Next;
use super::session::Session;
use super::ui::Ui;
use super::watched::{self, Changes};
use super::{Globals, TaskSubject, verdict_screen};
use crate::evidence::Purpose;
use crate::gate::conductor::{ConductorContact, NamedConductor};
use crate::gate::{Assessment, Context};
use crate::ids::TaskId;
use crate::rules::{Decision, Outcome};
use crate::view::{self, IfYouDeploy, VerdictSubject};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) subject: TaskSubject,
    #[command(flatten)]
    waiting: Waiting,
    /// While waiting, learn from the watch at this URL when the task changed
    #[arg(long, value_name = "URL")]
    pub(super) server: Option<String>,
}

/// How long to wait for approvals.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Waiting {
    /// Wait for approvals that can still come, and show what is waited for
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "30m", value_parser = duration)]
    pub(super) wait: Option<Duration>,
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed: SignedDuration = text.parse().map_err(|_| "write a duration such as 30m or 1h".to_owned())?;
    Duration::try_from(parsed).map_err(|_| "it is negative".to_owned())
}

/// How long whom to call may be looked up, after the verdict.
const LOOK_UP: Duration = Duration::from_secs(2);

/// Runs `check`.
///
/// # Errors
/// Where the command line, the configuration or the credentials are wrong.
pub(super) async fn run(args: &Args, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let session = Session::open(globals).await?.showing(args.subject.show_restricted);
    let task = session.task(&args.subject.task, ui)?;
    let question = session.question(task, &args.subject, Purpose::Read)?;
    let intent = args.subject.intent();
    session.warn_of_undelivered(ui);
    let assessor = session.assessor();
    let given = args.server.as_deref();
    let watch = if args.waiting.wait.is_some() { watched::find(given, globals, &session)? } else { None };
    let mut changes = Changes::of(watch, task, &session);
    let assessment = tokio::select! {
        assessment = assessor.wait_for_decision(&question, &intent, args.waiting.wait, &mut changes, ui) => assessment,
        // Without a wait the signal ends the process, as it does everywhere.
        Ok(()) = tokio::signal::ctrl_c(), if args.waiting.wait.is_some() => {
            ui.status(None);
            ui.note(&format!("{task}: stopped waiting; nothing was run, and nothing was written on the task"));
            return Ok(Exit::Interrupted);
        }
    };
    let subject = VerdictSubject::of(&assessment, session.viewer());
    show(&assessment, args, &subject, &session, ui).await;
    Ok(Exit::from(&assessment))
}

/// Shows what was read, in the form asked for. Whom to call is looked up once the verdict is out; for programs, which
/// read one document, it may take little time.
async fn show(assessment: &Assessment, args: &Args, subject: &VerdictSubject, session: &Session, ui: &mut Ui) {
    let task = assessment.number;
    let if_you_deploy = assessment.asker.as_ref().and_then(|asker| IfYouDeploy::new(&assessment.verdict, asker));
    if ui.is_json() {
        // Who is on call would take too long: a program may be asked for it.
        let call = call(assessment, task, subject, false, session).await;
        let message = call.as_ref().map(Call::message);
        let mut page = view::verdict(task, subject, &assessment.verdict, &session.settings.policy, message);
        page.if_you_deploy = if_you_deploy.as_ref().map(IfYouDeploy::json);
        ui.json(&page);
        return;
    }
    let mut page = verdict_screen::text(task, subject, &assessment.verdict, ui.detail(), ui.width());
    if let Some(other) = &if_you_deploy {
        page.push_str(&verdict_screen::if_you_deploy(other, ui.width()));
    }
    ui.data(&page);
    if let Some(call) = call(assessment, task, subject, true, session).await {
        call.warn_of_on_call(ui);
        ui.data(&format!("\n{}", call.brief(ui.width())));
    }
    let next = match duplicate(assessment, session).await {
        Some(other) => Next::of_duplicate(other, ui.invocation()),
        None => {
            let may_run = MayRun::of(assessment, args.subject.deployer.is_some(), ui.invocation());
            Next::after_check(task, &assessment.verdict, &args.subject, subject.last_failed, &may_run, ui.invocation())
        }
    };
    ui.data(&format!("\n{}", next.text()));
}

/// The task in whose favour a closed one was closed. Where that is not known the task is closed, no more.
pub(super) async fn duplicate(assessment: &Assessment, session: &Session) -> Option<TaskId> {
    let is_closed = assessment.verdict.rule("task-open").is_some_and(|rule| rule.outcome == Outcome::Fail);
    let task = assessment.evidence().filter(|_| is_closed)?;
    session.client.within(LOOK_UP).duplicate_of(&task.task.phid).await.ok().flatten()
}

/// How to ask for approvals that can still come, of those on call where they are to be read. What is not known of the train is not
/// said: the message comes out all the same.
pub(super) async fn call<'a>(
    assessment: &Assessment,
    task: TaskId,
    subject: &VerdictSubject,
    reads_on_call: bool,
    session: &'a Session,
) -> Option<Call<'a>> {
    if assessment.verdict.decision != Decision::Pending {
        return None;
    }
    let context = session.context();
    let context = Context { limit: context.limit.min(LOOK_UP), ..context };
    let named = NamedConductor { given: None, configured: session.settings.contact.conductor.as_deref() };
    let on_call = async {
        match reads_on_call {
            true => read_on_call(subject, &assessment.verdict, &session.settings).await,
            false => BTreeMap::new(),
        }
    };
    let (conductor, on_call) = tokio::join!(ConductorContact::find(&context, named), on_call);
    let of = CallFor { conductor, on_call, ..CallFor::default() };
    Some(Call::new(task, subject, &assessment.verdict, of, &session.settings))
}
