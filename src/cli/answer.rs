//! `approve`, `withdraw`, `reject`: an approver's answer, with the approver's own token.
//!
//! Responsible for the arguments and for asking the person. Not for the order of it ([`crate::gate::answer`]), nor for what is
//! shown ([`super::answer_page`]).

use super::Globals;
use super::answer_page::Shown;
use super::confirm::{can_ask, confirm};
use super::exit::{Exit, Failure};
use super::session::Session;
use super::ui::{OnTerminal, Ui};
use crate::answer::{self, AnswerRequest};
use crate::evidence::{AnswerKind, Purpose};
use crate::gate::answer::{AnswerFlow, Answered, Approver};
use crate::gate::{Assessment, Refusal};

/// Arguments of `approve`, `withdraw` and `reject`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The task: T1234, #T1234 or its URL
    #[arg(value_name = "TASK", add = super::candidates::tasks())]
    task: String,
    /// For which team you answer; not needed where that is clear
    #[arg(long, value_name = "TEAM", add = super::candidates::teams())]
    team: Option<String>,
    /// Add a line of your own
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Answer without being asked again; needed where there is no terminal
    #[arg(long, short)]
    yes: bool,
    /// Show the texts of a restricted task
    #[arg(long)]
    pub(super) show_restricted: bool,
}

/// Runs `approve`, `withdraw` or `reject`.
///
/// # Errors
/// Where the command line, the configuration or the credentials are wrong, where the answer would not count, or where
/// it is not known to be on the task.
pub(super) async fn run(kind: AnswerKind, args: &Args, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    if !args.yes && !can_ask() {
        return Err(Failure::usage(
            "there is no terminal on which you could be asked whether you are sure",
            "look at the task first, then add --yes",
        ));
    }
    let mut session = Session::open(globals).await?.showing(args.show_restricted);
    let task = session.task(&args.task, ui)?;
    let team = args.team.as_deref().map(|team| answer::named(team, &session.settings.policy)).transpose();
    let team = team.map_err(Refusal::from)?.map(|team| team.key.clone());
    let request = AnswerRequest { kind, team: team.as_deref(), note: args.note.as_deref() };
    if let Some(name) = session.answer_for(task, &request).await? {
        ui.note(&format!("in the sandbox you answer as {name}"));
    }
    let question = session.plain_question(task, None, Purpose::Read)?;
    let flow = AnswerFlow { context: session.context(), question, request, asks: !args.yes };
    let mut screen = AnswerScreen { kind, args, session: &session, ui };
    let answered = flow.run(&mut screen).await?;
    screen.report(&answered)?;
    if let Some(warning) = &answered.warning {
        ui.warn(warning);
    }
    answered.refusal.map_or(Ok(Exit::Done), |refusal| Err(refusal.into()))
}

/// The terminal of who answers.
struct AnswerScreen<'a> {
    kind: AnswerKind,
    args: &'a Args,
    session: &'a Session,
    ui: &'a mut Ui,
}

impl AnswerScreen<'_> {
    fn shown(&self, read: &Assessment) -> Result<Shown, Refusal> {
        let judged = read.judged().ok_or_else(|| read.refusal())?;
        let url = read.number.url(self.session.base());
        Ok(Shown::of(judged, &self.session.settings.policy, url, self.session.texts))
    }

    fn report(&mut self, answered: &Answered) -> Result<(), Failure> {
        let shown = self.shown(&answered.task)?;
        let report = shown.report(self.kind, answered);
        match self.ui.is_json() {
            true => self.ui.json(&report.json()),
            false => self.ui.data(&report.text(self.ui.invocation(), self.ui.width())),
        }
        Ok(())
    }
}

impl OnTerminal for AnswerScreen<'_> {
    fn ui(&mut self) -> &mut Ui {
        self.ui
    }
}

impl Approver for AnswerScreen<'_> {
    fn show(&mut self, task: &Assessment, comment: &str) -> Result<(), Refusal> {
        let page = self.shown(task)?.before(comment, self.ui.width());
        match self.ui.is_json() {
            true => self.ui.words(&page),
            false => self.ui.data(&page),
        }
        let is_condition = self.args.note.as_deref().is_some_and(answer::reads_as_condition);
        if self.kind == AnswerKind::Approve && is_condition {
            self.ui.warn(
                "the note reads as a condition, and an approval has none: it counts at once, whatever the note says; \
                 to wait for something, approve when it has come",
            );
        }
        if self.kind == AnswerKind::Approve && !self.args.yes {
            // Nobody agrees to what they could not be shown; a no must not wait for that.
            let hint = Some("nothing was approved: what is approved could not be shown".into());
            self.ui.written().map_err(|refusal| Refusal { hint, ..refusal })?;
        }
        Ok(())
    }

    fn confirm(&mut self, task: &Assessment, team: &str) -> Result<bool, Refusal> {
        let question = self.shown(task)?.question(self.kind, team);
        confirm(&question, self.ui)
    }
}
