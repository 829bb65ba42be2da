//! `request`: open an emergency, with one edit of the task.
//!
//! Responsible for the arguments and for asking before what exists is changed. Not responsible for the order of it
//! ([`crate::gate::request`]), and what is shown of it ([`super::requested`]).

use super::Globals;
use super::call::{self, Call, CallFor};
use super::confirm::confirm;
use super::exit::{Exit, Failure};
use super::may_run::MayRun;
use super::requested::Requested;
use super::send::{SendArgs, Sending};
use super::session::Session;
use super::ui::Ui;
use crate::evidence::restate::one_line;
use crate::evidence::{Episode, Purpose, Question};
use crate::gate::conductor::NamedConductor;
use crate::gate::request::{RequestEnd, RequestFlow, Requester};
use crate::gate::{Assessment, Refusal};
use crate::ids::TaskId;
use crate::paging::{NobodyPaged, Trusted, confirmed_by};
use crate::policy::{Action, Policy};
use crate::request::{RequestPlan, Wanted, WantedReason};
use crate::rules::JudgedTask;
use crate::view::VerdictSubject;

/// Arguments of `request`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The task: T1234, #T1234 or its URL
    #[arg(value_name = "TASK", add = super::candidates::tasks())]
    task: String,
    /// What is broken, in a few words
    #[arg(value_name = "TEXT")]
    text: Vec<String>,
    /// Why it cannot wait: a category of the policy; what the task states already may be left out
    #[arg(long, value_name = "CATEGORY", add = super::candidates::reasons())]
    reason: Option<String>,
    /// Who deploys, where it is not you: their username on the server
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
    /// Nobody is there yet who deploys: ask for somebody
    #[arg(long, conflicts_with = "deployer")]
    need_deployer: bool,
    #[command(flatten)]
    sending: SendArgs,
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
/// Where the command line, the configuration or the credentials are wrong, the task is closed or not visible, it is not clear whether it was
/// changed, or nothing is configured through which the message could be sent though it is to be.
pub(super) async fn run(args: &Args, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let given = super::announce::nick(args.conductor.as_deref())?;
    let session = Session::open(globals).await?.showing(args.show_restricted);
    session.caller_may_deploy(args.deployer.as_deref())?;
    let sending = Sending::of(&args.sending, &session)?;
    let task = session.task(&args.task, ui)?;
    let mut wanted = wanted(args, &session.settings.policy)?;
    let question = question(task, args, &session)?;
    session.warn_of_undelivered(ui);
    let conductor = NamedConductor { given, configured: session.settings.contact.conductor.as_deref() };
    let instructs = session.settings.contact.instructions;
    let flow = RequestFlow {
        context: session.context(),
        question,
        asks: !args.yes,
        conductor,
        asker_deploys: !args.need_deployer,
        instructs,
    };
    let RequestEnd { task: after, plan, contact, refusal } = flow.run(&mut wanted, ui).await?;
    let subject = VerdictSubject::of(&after, session.viewer());
    let on_call = call::read_on_call(&subject, &after.verdict, &session.settings).await;
    let asker = session.asker(after.evidence());
    let of = CallFor { conductor: contact, on_call, needs_deployer: args.need_deployer, asker };
    let call = Call::new(task, &subject, &after.verdict, of, &session.settings);
    let sent = sending.send(&call, task, &after.verdict.decision, args.need_deployer, &session, ui).await;
    let requested = Requested {
        task,
        plan: &plan,
        subject: &subject,
        verdict: &after.verdict,
        call: &call,
        sent: sent.as_ref(),
        may_run: MayRun::of(&after, false, ui.invocation()),
        policy: &session.settings.policy,
    };
    requested.show(session.texts, ui);
    call.warn(ui);
    if let Some(why) = nobody_paged(&after, &session) {
        ui.note(&format!("{task}: nobody is paged about it: {why}"));
        let page = ui.invocation().command(&format!("page {task}"));
        ui.hint(&format!("one of those people writes the reason, or types `{page}`"));
    }
    if after.state().is_some_and(|state| state.is_drill() && !wanted.drill) {
        ui.warn(&format!(
            "{task} is stated to be a drill: write \"Emergency-Drill: no\" into its description if it is none"
        ));
    }
    match (refusal, sent) {
        (Some(refusal), _) => Err(refusal.into()),
        // What was asked of the task is done; a message that is not printed either is none that is missing.
        (None, Some(sent)) if sent.exit != Exit::Denied => Ok(sent.exit),
        (None, _) => Ok(Exit::Done),
    }
}

impl Requester for Ui {
    fn confirm(&mut self, task: TaskId, plan: &RequestPlan, hidden: bool) -> Result<bool, Refusal> {
        self.words(&super::requested::question(task, plan, hidden, self.width()));
        confirm("Change it?", self)
    }
}

/// Why nobody would ever be paged about an emergency; `None` where somebody may be, or this machine knows of no pager.
fn nobody_paged(after: &Assessment, session: &Session) -> Option<NobodyPaged> {
    let settings = &session.settings;
    let JudgedTask { evidence, state, .. } = after.judged().filter(|_| settings.paging.has_pager())?;
    let episode = Episode::current(evidence, state)?;
    let trusted = Trusted { named: &settings.paging.trusted, deployers: &session.deployers, policy: &settings.policy };
    confirmed_by(evidence, state, &episode, &trusted).is_none().then_some(NobodyPaged::NotConfirmed)
}

/// What the command line asks for.
fn wanted(args: &Args, policy: &Policy) -> Result<Wanted, Failure> {
    let reason = match &args.reason {
        Some(given) => Some(reason(given, args, policy)?),
        None if args.text.is_empty() => None,
        None => {
            let hint = format!("add --reason CATEGORY; {}", policy.categories());
            return Err(Failure::usage("the text says what is broken, and no reason is given", hint));
        }
    };
    if reason.is_none() && args.deployer.is_none() && args.action.is_none() && args.change.is_none() && !args.drill {
        let hint = format!("give --reason CATEGORY and what is broken; {}", policy.categories());
        return Err(Failure::usage("say what the task should state", hint));
    }
    let line = |flag: &str, value: &Option<String>, hint: &str| match value.as_deref().map(one_line) {
        Some(line) if line.is_empty() => Err(Failure::usage(format!("{flag} is empty"), hint.to_owned())),
        line => Ok(line),
    };
    Ok(Wanted {
        reason,
        deployer: line("--deployer", &args.deployer, "give the deployer's username on the server")?,
        action: args.action,
        change: line("--change", &args.change, "give a Gerrit change or a commit")?,
        drill: args.drill,
    })
}

fn reason(given: &str, args: &Args, policy: &Policy) -> Result<WantedReason, Failure> {
    let written = policy.read_reason(&one_line(given));
    let category = written.category.ok_or_else(|| {
        Failure::usage(format!("{:?} is no reason that counts", crate::text::inert(given)), policy.categories())
    })?;
    let text = one_line(&format!("{} {}", written.explanation, args.text.join(" ")));
    let text = text.trim_start_matches(['-', '–', '—', ':', ' ']).to_owned();
    Ok(WantedReason { category, explanation: Some(text).filter(|text| !text.is_empty()) })
}

/// What is asked of the server. Where a deployer is named, who asks on their behalf is not behind the deploy.
fn question(task: TaskId, args: &Args, session: &Session) -> Result<Question, Failure> {
    let purpose = if args.deployer.is_some() || args.need_deployer { Purpose::Read } else { Purpose::Deploy };
    session.plain_question(task, args.deployer.as_deref(), purpose)
}
