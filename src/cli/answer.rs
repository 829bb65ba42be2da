//! `approve`, `withdraw`, `reject`: an approver's answer, with the approver's own token.
//!
//! In the room: reading the task, asking the person, posting, reading again. Not in the room: whether the answer would
//! count ([`crate::answer`]), and what is shown ([`super::answer_page`]).

use jiff::SignedDuration;

use super::Globals;
use super::answer_page::{Ended, Shown};
use super::confirm::{can_ask, confirm};
use super::exit::{Exit, Failure};
use super::session::Session;
use super::ui::Ui;
use crate::answer::post::{PostError, Posting};
use crate::answer::{self, Agreed, AnswerError, Step, Wish};
use crate::evidence::{AnswerKind, Evidence, Purpose, Story, Visibility, gather};
use crate::ids::{TaskId, TransactionId};
use crate::policy;

/// Arguments of `approve`, `withdraw` and `reject`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The task: T1234, #T1234 or its URL
    #[arg(value_name = "TASK")]
    task: String,
    /// For which team you answer; not needed where that is clear
    #[arg(long, value_name = "TEAM")]
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
    let mut session = Session::open(globals).await?;
    let task = session.task(&args.task)?;
    let team = match &args.team {
        Some(team) => Some(answer::named(team, &session.settings.policy)?.key.clone()),
        None => None,
    };
    if let Some(name) = session.answer_for(team.as_deref())? {
        ui.note(&format!("in the sandbox you answer as {name}"));
    }
    let errand = Errand { kind, args, session: &session, task };
    errand.run(ui).await
}

impl From<AnswerError> for Failure {
    fn from(error: AnswerError) -> Self {
        let message = error.to_string();
        match error {
            AnswerError::UnknownTeam { .. } => Self::usage(message, "name one of them with --team"),
            AnswerError::WhichTeam { teams } => {
                let team = teams.into_iter().next().unwrap_or_default();
                Self::usage(message, format!("say which, such as --team {team}"))
            }
            AnswerError::WouldNotCount { hint, .. } => Self { exit: Exit::Denied, message, hint: Some(hint) },
        }
    }
}

/// What is to be said where, and by whom.
struct Errand<'a> {
    kind: AnswerKind,
    args: &'a Args,
    session: &'a Session,
    task: TaskId,
}

impl Errand<'_> {
    async fn read(&self) -> Result<Evidence, Failure> {
        let client = self.session.timed_client();
        let question = self.session.plain_question(self.task, None, Purpose::Read)?;
        match gather(&client, &self.session.settings.policy, &question).await? {
            Visibility::Visible(mut evidence) => {
                if self.session.is_sandbox() {
                    evidence.skew = SignedDuration::ZERO;
                }
                Ok(*evidence)
            }
            // A missing task and a hidden one get the same words.
            Visibility::NotVisible { owner, .. } => {
                let rule = policy::not_visible(self.task, &owner.username).rules.into_iter().next();
                let (message, hint) = rule.map(|rule| (rule.message, rule.hint)).unwrap_or_default();
                Err(Failure { exit: Exit::Denied, message, hint })
            }
        }
    }

    fn consider(&self, evidence: &Evidence) -> Result<Step, AnswerError> {
        let Args { team, note, show_restricted, .. } = self.args;
        let wish =
            Wish { kind: self.kind, team: team.as_deref(), note: note.as_deref(), show_restricted: *show_restricted };
        answer::consider(evidence, &self.session.settings.policy, &wish)
    }

    fn shown(&self, evidence: &Evidence) -> Shown {
        let policy = &self.session.settings.policy;
        Shown::of(evidence, policy, self.task.url(self.session.base()), self.args.show_restricted)
    }

    /// Shows what is answered, asks, posts, and says how the task stands after it.
    async fn run(&self, ui: &mut Ui) -> Result<Exit, Failure> {
        let mut evidence = self.read().await?;
        loop {
            let (team, text) = match self.consider(&evidence)? {
                Step::Post { team, text } => (team, text),
                Step::Stands { team, transaction } => {
                    self.report(&evidence, &team, Ended::Stood, transaction, ui);
                    return Ok(Exit::Done);
                }
            };
            let shown = self.shown(&evidence);
            let page = shown.before(&text, ui.width());
            if ui.is_json() {
                ui.words(&page)
            } else {
                ui.data(&page)
            }
            if !self.args.yes {
                if !confirm(&shown.question(self.kind, &team), ui)? {
                    return Err(Failure {
                        exit: Exit::Denied,
                        message: "not confirmed, nothing was posted".into(),
                        hint: Some("type the same again to answer, and y when you are asked".into()),
                    });
                }
                // Who read for a while must not agree to what was changed meanwhile.
                let fresh = self.read().await?;
                let same = self.agreed(&fresh) == self.agreed(&evidence);
                evidence = fresh;
                if !same {
                    ui.warn("the task was changed while you were reading; this is how it is now");
                }
                if !same || !matches!(self.consider(&evidence)?, Step::Post { .. }) {
                    continue;
                }
            }
            let transaction = self.post(&evidence, &team, &text, ui).await?;
            return self.afterwards(&evidence, &team, transaction, ui).await;
        }
    }

    fn agreed(&self, evidence: &Evidence) -> Agreed {
        Agreed::of(evidence, &Story::read(evidence, &self.session.settings.policy, None))
    }

    async fn post(&self, evidence: &Evidence, team: &str, text: &str, ui: &mut Ui) -> Result<TransactionId, Failure> {
        let settings = &self.session.settings;
        let posting = Posting {
            client: &self.session.client,
            task: self.task,
            author: &evidence.owner.phid,
            text,
            after: answer::last_of(evidence),
            settle: settings.record.settle,
            limit: settings.http.total,
        };
        let posted = posting.post(|words| ui.note(words)).await;
        posted.map_err(|error| self.not_posted(error, evidence, team))
    }

    fn not_posted(&self, error: PostError, evidence: &Evidence, team: &str) -> Failure {
        let trailer = answer::comment(self.kind, team, None);
        let (task, owner) = (self.task, crate::text::inert(&evidence.owner.username));
        let url = task.url(self.session.base());
        match error {
            PostError::Refused(error) if error.is_credentials() => error.into(),
            PostError::Refused(error) => {
                // The server's words about the policy of a restricted task tell of it.
                let restricted = evidence.is_restricted(&self.session.settings.policy.open_spaces);
                let why = if restricted && !self.args.show_restricted {
                    String::new()
                } else {
                    format!(": {}", error.in_full())
                };
                Failure {
                    exit: Exit::Denied,
                    message: format!("the server does not let {owner} comment on {task}{why}"),
                    hint: Some(format!("write `{trailer}` as a comment on {url} in a browser")),
                }
            }
            PostError::NotThere(_) | PostError::Vanished => Failure {
                exit: Exit::Incomplete,
                message: error.to_string(),
                hint: Some(format!(
                    "nothing is on the task: type the same again, or write `{trailer}` there in a browser"
                )),
            },
            PostError::Unclear(_) => Failure {
                exit: Exit::Incomplete,
                message: error.to_string(),
                hint: Some(format!(
                    "look at {url}, or type the same again in a minute: an answer that stands is not given twice"
                )),
            },
        }
    }

    /// Reads the task again: the answer is there, and this is what it changed.
    async fn afterwards(
        &self,
        before: &Evidence,
        team: &str,
        transaction: TransactionId,
        ui: &mut Ui,
    ) -> Result<Exit, Failure> {
        match self.read().await {
            Ok(evidence) => {
                self.report(&evidence, team, Ended::Posted, Some(transaction), ui);
                let shown = self.shown(&evidence);
                match shown.verdict.approvals.iter().find(|approval| {
                    approval.transaction == Some(transaction) && approval.team == team && !approval.counts()
                }) {
                    Some(approval) if self.kind == AnswerKind::Approve => {
                        let why = approval.why_not.as_ref().map(ToString::to_string).unwrap_or_default();
                        Err(Failure {
                            exit: Exit::Denied,
                            message: format!("the answer is on the task and does not count: {why}"),
                            hint: Some("the task was changed meanwhile: type the same again to see it as it is".into()),
                        })
                    }
                    _ => Ok(Exit::Done),
                }
            }
            Err(failure) => {
                self.report(before, team, Ended::PostedUnread, Some(transaction), ui);
                ui.warn(&format!("the answer is on the task, which could not be read again: {}", failure.message));
                Ok(Exit::Done)
            }
        }
    }

    fn report(&self, evidence: &Evidence, team: &str, ended: Ended, transaction: Option<TransactionId>, ui: &mut Ui) {
        let shown = self.shown(evidence);
        let report = shown.report(self.kind, team, ended, transaction);
        match ui.is_json() {
            true => ui.json(&report.json()),
            false => ui.data(&report.text(ui.width())),
        }
    }
}
