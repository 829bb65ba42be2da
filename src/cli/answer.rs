//! `approve`, `withdraw`, `reject`: an approver's answer, with the approver's own token.
//!
//! Responsible for reading the task, asking the person, posting, comparing what was shown with what is there, and for
//! ending in time: all that the server is asked fits into `http.total`. Not for whether the answer would count
//! ([`crate::answer`]), nor for what is shown ([`super::answer_page`]).

use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::Instant;

use super::Globals;
use super::answer_log::AnswerLog;
use super::answer_page::{Ended, Shown};
use super::confirm::{can_ask, confirm};
use super::exit::{Exit, Failure};
use super::session::Session;
use super::ui::Ui;
use crate::answer::{self, AnswerError, AnswerRequest, AnswerStep, ApprovedContent};
use crate::conduit::{self, Transaction};
use crate::evidence::{AnswerKind, Evidence, Purpose, TaskState, Visibility, gather};
use crate::gate::deliver::publisher;
use crate::gate::local_deploys;
use crate::ids::{TaskId, TransactionId};
use crate::publish::{Cause, Comment, Known, NotApplied, Patience, Placed, PublishOutcome};
use crate::rules;
use crate::text::inert;

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

/// How often the answer is looked for while it is not clear whether it is on the task.
const POLL: Duration = Duration::from_secs(2);
/// Which part of the time is kept for reading the task again, and for taking back what must not stand.
const KEPT: u32 = 5;

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
    let task = session.task(&args.task, ui)?;
    let team = match &args.team {
        Some(team) => Some(answer::named(team, &session.settings.policy)?.key.clone()),
        None => None,
    };
    if let Some(name) = session.answer_for(team.as_deref())? {
        ui.note(&format!("in the sandbox you answer as {name}"));
    }
    let errand = AnswerFlow { kind, args, session: &session, task };
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
struct AnswerFlow<'a> {
    kind: AnswerKind,
    args: &'a Args,
    session: &'a Session,
    task: TaskId,
}

impl AnswerFlow<'_> {
    async fn read(&self, deadline: Instant) -> Result<Evidence, Failure> {
        let client = self.session.client.within(deadline.saturating_duration_since(Instant::now()));
        let question = self.session.plain_question(self.task, None, Purpose::Read)?;
        match gather(&client, &self.session.settings.policy, &question).await? {
            Visibility::Visible(mut evidence) => {
                if self.session.is_sandbox() {
                    evidence.skew = SignedDuration::ZERO;
                }
                let session = self.session;
                evidence.local_deploys = local_deploys(&session.context(), &evidence);
                Ok(*evidence)
            }
            // A missing task and a hidden one get the same words.
            Visibility::NotVisible { owner, .. } => {
                let rule = rules::not_visible(self.task, &owner.username).rules.into_iter().next();
                let (message, hint) = rule.map(|rule| (rule.message, rule.hint)).unwrap_or_default();
                Err(Failure { exit: Exit::Denied, message, hint })
            }
        }
    }

    fn plan_answer(&self, evidence: &Evidence) -> Result<AnswerStep, AnswerError> {
        let Args { team, note, show_restricted, .. } = self.args;
        let wish = AnswerRequest {
            kind: self.kind,
            team: team.as_deref(),
            note: note.as_deref(),
            show_restricted: *show_restricted,
        };
        answer::plan_answer(evidence, &self.session.settings.policy, &wish)
    }

    fn shown(&self, evidence: &Evidence) -> Shown {
        let policy = &self.session.settings.policy;
        Shown::of(evidence, policy, self.task.url(self.session.base()), self.args.show_restricted)
    }

    /// Shows what is answered, asks, posts, and says how the task stands after it.
    async fn run(&self, ui: &mut Ui) -> Result<Exit, Failure> {
        let mut deadline = Instant::now() + self.session.settings.http.total;
        let mut evidence = self.read(deadline).await?;
        loop {
            let (team, text) = match self.plan_answer(&evidence)? {
                AnswerStep::Post { team, text } => (team, text),
                AnswerStep::Stands { team, transaction } => {
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
            if self.kind == AnswerKind::Approve && !self.args.yes {
                // Nobody agrees to what they could not be shown; a no must not wait for that.
                ui.written().map_err(|failure| Failure {
                    hint: Some("nothing was approved: what is approved could not be shown".into()),
                    ..failure
                })?;
            }
            if !self.args.yes {
                let asked = Instant::now();
                if !confirm(&shown.question(self.kind, &team), ui)? {
                    return Err(Failure {
                        exit: Exit::Denied,
                        message: "not confirmed, nothing was posted".into(),
                        hint: Some("type the same again to answer, and y when you are asked".into()),
                    });
                }
                // The time that a person takes is theirs.
                deadline += asked.elapsed();
                // Who read for a while must not agree to what was changed meanwhile.
                let fresh = self.read(deadline).await?;
                let same = self.content(&fresh) == self.content(&evidence);
                evidence = fresh;
                if !same {
                    ui.warn("the task was changed while you were reading; this is how it is now");
                }
                if !same || !matches!(self.plan_answer(&evidence)?, AnswerStep::Post { .. }) {
                    continue;
                }
            }
            let kept = self.session.settings.http.total / KEPT;
            let posted = self.post(self.kind, &evidence, &team, &text, deadline - kept, ui).await;
            let placed = posted.map_err(|trouble| self.not_posted(trouble, &evidence, &team))?;
            return self.afterwards(&evidence, &team, placed.transaction, deadline, ui).await;
        }
    }

    fn content(&self, evidence: &Evidence) -> ApprovedContent {
        ApprovedContent::of(evidence, &TaskState::derive(evidence, &self.session.settings.policy, None))
    }

    /// Publishes the comment of an answer.
    async fn post(
        &self,
        kind: AnswerKind,
        evidence: &Evidence,
        team: &str,
        text: &str,
        deadline: Instant,
        ui: &mut Ui,
    ) -> Result<Placed, Trouble> {
        let after = answer::last_of(evidence);
        let ours = text.to_owned();
        let is_it = move |row: &Transaction| {
            row.id > after && row.comments.iter().any(|version| version.text().trim() == ours.trim())
        };
        let mut comment = Comment {
            task: self.task,
            phid: Some(evidence.task.phid.clone()),
            text: text.to_owned(),
            authors: vec![evidence.owner.phid.clone()],
            is_it: Box::new(is_it),
        };
        let by_hand = format!("{} on {}", answer::by_hand(kind, team), self.task.url(self.session.base()));
        let mut log = AnswerLog { ui, by_hand, said: false };
        let patience = Patience::until(deadline).polling(POLL);
        let Ok(outcome) =
            publisher(&self.session.context()).publish(&mut log, &mut comment, Known::Absent, patience).await;
        match outcome {
            PublishOutcome::Confirmed(placed) => Ok(placed),
            PublishOutcome::NotApplied(not) => Err(Trouble::NotThere(not)),
            PublishOutcome::Unknown { why, .. } => Err(Trouble::Unclear { why }),
        }
    }

    fn not_posted(&self, trouble: Trouble, evidence: &Evidence, team: &str) -> Failure {
        let (task, owner) = (self.task, inert(&evidence.owner.username));
        let by_hand = answer::by_hand(self.kind, team);
        let url = task.url(self.session.base());
        match trouble {
            Trouble::NotThere(NotApplied { error: Some(error), .. }) if error.is_credentials() => error.into(),
            // Whoever stood before the server did not pass it on: that says nothing of the account.
            Trouble::NotThere(NotApplied { error: Some(error), .. })
                if matches!(error.kind, conduit::Failure::Redirected { .. } | conduit::Failure::NotConduit { .. }) =>
            {
                Failure {
                    exit: Exit::Incomplete,
                    message: format!("the answer is not on the task: {}", error.in_full()),
                    hint: Some(format!("in a browser, {by_hand} on {url}; and tell who runs the server")),
                }
            }
            Trouble::NotThere(NotApplied { cause: Cause::Refused, why, error }) => {
                // The server's words about the policy of a restricted task tell of it.
                let words = error.as_ref().map_or(why, |error| error.in_full());
                let why = if self.hides(evidence) { String::new() } else { format!(": {words}") };
                Failure {
                    exit: Exit::Denied,
                    message: format!("the server does not let {owner} comment on {task}{why}"),
                    hint: Some(format!("in a browser, {by_hand} on {url}")),
                }
            }
            Trouble::NotThere(NotApplied { why, .. }) => Failure {
                exit: Exit::Incomplete,
                message: format!("the answer is not on the task: {why}"),
                hint: Some(format!("type the same again, or in a browser, {by_hand} on {url}")),
            },
            Trouble::Unclear { why } => Failure {
                exit: Exit::Incomplete,
                message: format!("it is not clear whether the answer is on the task: {why}"),
                hint: Some(format!("look at {url}; if it is not there, {by_hand} in a browser")),
            },
        }
    }

    fn hides(&self, evidence: &Evidence) -> bool {
        evidence.is_restricted(&self.session.settings.policy.open_spaces) && !self.args.show_restricted
    }

    /// Reads the task again: the answer is there, and this is what it changed. An approval of something else than was
    /// shown is taken back.
    async fn afterwards(
        &self,
        before: &Evidence,
        team: &str,
        transaction: TransactionId,
        deadline: Instant,
        ui: &mut Ui,
    ) -> Result<Exit, Failure> {
        let approves = self.kind == AnswerKind::Approve;
        match self.read(deadline).await {
            Ok(evidence) => {
                let (shown, now) = (self.content(before), self.content(&evidence));
                let differences = shown.differences(&now);
                if approves && !differences.is_empty() {
                    let hide = self.hides(before) || self.hides(&evidence);
                    let what = differences.iter().map(|difference| described(difference, hide));
                    let what = what.collect::<Vec<_>>().join("; ");
                    return Err(self.take_back(&evidence, team, &what, deadline, ui).await);
                }
                self.report(&evidence, team, Ended::Posted, Some(transaction), ui);
                let shown = self.shown(&evidence);
                match shown.verdict.approvals.iter().find(|approval| {
                    approval.transaction == Some(transaction) && approval.team == team && !approval.counts()
                }) {
                    Some(approval) if approves => {
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
                let message = format!("the answer is on the task, which could not be read again: {}", failure.message);
                if !approves {
                    ui.warn(&message);
                    return Ok(Exit::Done);
                }
                Err(Failure {
                    exit: Exit::Incomplete,
                    message,
                    hint: Some(format!(
                        "look whether {} is still what you were shown; if not, take it back: `phabgate withdraw {} --team {team}`",
                        self.task.url(self.session.base()),
                        self.task
                    )),
                })
            }
        }
    }

    /// Takes back an approval of something else than was shown.
    async fn take_back(&self, evidence: &Evidence, team: &str, what: &str, deadline: Instant, ui: &mut Ui) -> Failure {
        let (task, kind) = (self.task, AnswerKind::Withdraw);
        let changed = format!("{task} was changed while the approval was on its way ({what})");
        let text = answer::comment(kind, team, None);
        match self.post(kind, evidence, team, &text, deadline, ui).await {
            Ok(_) => Failure {
                exit: Exit::Denied,
                message: format!("{changed}: the approval was withdrawn at once"),
                hint: Some("type the same again to see the task as it is now".into()),
            },
            Err(Trouble::NotThere(NotApplied { why, .. }) | Trouble::Unclear { why }) => Failure {
                exit: Exit::Incomplete,
                message: format!("{changed}, and the approval could not be withdrawn: {why}"),
                hint: Some(format!(
                    "it stands for what you were not shown: in a browser, {} on {}",
                    answer::by_hand(kind, team),
                    task.url(self.session.base())
                )),
            },
        }
    }

    fn report(&self, evidence: &Evidence, team: &str, ended: Ended, transaction: Option<TransactionId>, ui: &mut Ui) {
        let shown = self.shown(evidence);
        let report = shown.report(self.kind, team, ended, transaction);
        match ui.is_json() {
            true => ui.json(&report.json()),
            false => ui.data(&report.text(ui.invocation(), ui.width())),
        }
    }
}

/// Why an answer is not known to be on the task.
enum Trouble {
    /// It is surely not there.
    NotThere(NotApplied),
    /// Nobody knows.
    Unclear { why: String },
}

/// A difference, in words.
fn described(difference: &answer::Difference<'_>, hide: bool) -> String {
    let value =
        |value: Option<&str>| value.map_or_else(|| "not there".to_owned(), |value| format!("`{}`", inert(value)));
    match hide {
        true => format!("{} is another", difference.what),
        false => format!("{} was {} and is {}", difference.what, value(difference.shown), value(difference.now)),
    }
}
