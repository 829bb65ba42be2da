//! `announce`: the message for IRC, with the train conductor's name.
//!
//! Responsible for reading what the message says of the task. Not responsible for its words, who is called, and sending it
//! ([`super::send`]).

use serde::Serialize;

use super::Globals;
use super::call::{self, Call, CallFor};
use super::exit::{Exit, Failure};
use super::may_run::MayRun;
use super::next::Next;
use super::send::{LeftToSay, SendArgs, Sending, Sent};
use super::session::Session;
use super::ui::Ui;
use super::verdict_screen;
use crate::evidence::Purpose;
use crate::gate::RefusalKind;
use crate::gate::conductor::{ConductorContact, NamedConductor};
use crate::ids::TaskId;
use crate::layout::hanging;
use crate::rules::{Decision, Intent, Outcome, Verdict};
use crate::view::VerdictSubject;

/// The schema of `announce --format json`.
const SCHEMA: &str = "phabgate/announce/1";

/// Arguments of `announce`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The task: T1234, #T1234 or its URL
    #[arg(value_name = "TASK", add = super::candidates::tasks())]
    task: String,
    /// Who deploys: their username on the server
    #[arg(long, value_name = "USER")]
    deployer: Option<String>,
    /// Whom to call, in place of the conductor that the train's task names
    #[arg(long, value_name = "NICK")]
    conductor: Option<String>,
    /// Nobody is there yet who deploys: ask for somebody
    #[arg(long, conflicts_with = "deployer")]
    need_deployer: bool,
    #[command(flatten)]
    sending: SendArgs,
}

/// The call for programs; fields are only ever added.
#[derive(Debug, Serialize)]
struct Json<'a> {
    schema: &'static str,
    task: TaskId,
    url: &'a str,
    restricted: Option<bool>,
    #[serde(flatten)]
    call: call::Json<'a>,
    /// What became of it; `None` where it was only to be printed.
    sent: Option<&'a Sent>,
}

/// Runs `announce`. Where the task cannot be read the message comes out without its category: help is needed all the
/// same.
///
/// # Errors
/// Where the command line, the configuration or the credentials are wrong, the task is not visible, or nothing is configured through which
/// the message could be sent though it is to be.
pub(super) async fn run(args: &Args, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let given = nick(args.conductor.as_deref())?;
    let session = Session::open(globals).await?;
    let sending = Sending::of(&args.sending, &session)?;
    let task = session.task(&args.task, ui)?;
    let subject = super::TaskSubject { task: args.task.clone(), deployer: args.deployer.clone(), ..Default::default() };
    let question = session.question(task, &subject, Purpose::Read)?;
    session.warn_of_undelivered(ui);
    let assessor = session.assessor();
    let intent = Intent::default();
    let context = session.context();
    let named = NamedConductor { given, configured: session.settings.contact.conductor.as_deref() };
    let (assessment, contact) =
        tokio::join!(assessor.assess(&question, &intent), ConductorContact::find(&context, named));
    let unread = assessment.task().is_none();
    let refusal = assessment.refusal();
    if unread && refusal.kind != RefusalKind::Incomplete {
        return Err(refusal.into());
    }
    let read = VerdictSubject::of(&assessment, session.viewer());
    let on_call = call::read_on_call(&read, &assessment.verdict, &session.settings).await;
    let asker = session.asker(assessment.evidence());
    let of = CallFor { conductor: contact, on_call, needs_deployer: args.need_deployer, asker };
    let call = Call::new(task, &read, &assessment.verdict, of, &session.settings);
    call.warn(ui);
    let sent = sending.send(&call, task, &assessment.verdict.decision, args.need_deployer, &session, ui).await;
    match ui.is_json() {
        true => ui.json(&Json {
            schema: SCHEMA,
            task,
            url: &read.url,
            restricted: read.restricted,
            call: call.json(),
            sent: sent.as_ref(),
        }),
        false => {
            let (invocation, width) = (ui.invocation(), ui.width());
            let may_run = MayRun::of(&assessment, false, invocation);
            let next = Next::after_check(task, &assessment.verdict, &subject, read.last_failed, &may_run, invocation);
            let left = sent.as_ref().map_or(LeftToSay::All, |sent| sent.left);
            let became = |between: [&str; 2]| {
                sent.as_ref().map_or(String::new(), |sent| between[0].to_owned() + &sent.text(width) + between[1])
            };
            // What became of it is said before what is left to say.
            let page = match &assessment.verdict.decision {
                // Who deploys is all that can still be missing.
                Decision::Allowed(_) if !args.need_deployer => {
                    nothing_needed(task, &assessment.verdict, width) + &call.informed(width) + &became(["\n", ""])
                }
                Decision::Denied | Decision::Undecided => {
                    // Who is called should know that it is not their yes alone that is missing.
                    let headline = verdict_screen::headline(task, &assessment.verdict, width);
                    headline + "\n" + &became(["", "\n"]) + &call.text(left, width)
                }
                Decision::Allowed(_) | Decision::Pending => became(["", "\n"]) + &call.text(left, width),
            };
            ui.data(&format!("{page}\n{}", next.text()));
        }
    }
    if unread {
        return Err(refusal.into());
    }
    Ok(sent.map_or(Exit::Done, |sent| sent.exit))
}

/// That nobody is to be asked, and that it was deployed already where it was.
fn nothing_needed(task: TaskId, verdict: &Verdict, width: usize) -> String {
    let words = format!("Nothing is needed: {task} is {}.", verdict_screen::summary(verdict));
    let repeated = verdict.rule("repeat").filter(|rule| rule.outcome == Outcome::Warn);
    let repeated = repeated.map(|rule| hanging("Deployed already: ", 18, &format!("{}.", rule.message), width));
    hanging("", 0, &words, width) + &repeated.unwrap_or_default()
}

/// A nick as it was given.
pub(super) fn nick(given: Option<&str>) -> Result<Option<&str>, Failure> {
    let nick = given.map(|nick| nick.trim().trim_start_matches('@').trim_end_matches(':'));
    match nick {
        Some("") => Err(Failure::usage("--conductor is empty", "give the nick of whom to call on IRC")),
        nick => Ok(nick),
    }
}
