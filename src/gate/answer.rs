//! Giving an approver's answer, with the approver's own token.
//!
//! Responsible for the order of it: the task is read, the person is asked, the comment is posted, what was shown is compared with
//! what is there, and an approval of something else is taken back. All that the server is asked fits into the context's limit; the
//! time that a person takes is theirs. Not responsible for whether an answer would count ([`crate::answer`]), nor for what is shown.

use std::convert::Infallible;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::deliver::publisher;
use super::logged;
use super::{Assessment, Assessor, Context, Progress, Refusal, RefusalKind};
use crate::answer::{self, AnswerError, AnswerRequest, AnswerStep, ApprovedContent, Difference};
use crate::conduit::{self, Transaction};
use crate::evidence::{AnswerKind, Question};
use crate::ids::TransactionId;
use crate::publish::{
    Cause, Comment, Known, NotApplied, Patience, Placed, PublishLog, PublishOutcome, PublishProgress,
};
use crate::rules::Intent;
use crate::text::inert;

/// How often the answer is looked for while it is not clear whether it is on the task.
const POLL: Duration = Duration::from_secs(2);
/// Which part of the time is kept for reading the task again, and for taking back what must not stand.
const KEPT: u32 = 5;

/// Who gives an answer, as far as they are shown something and asked.
pub trait Approver: Progress {
    /// Shows the task and the comment that would be posted.
    ///
    /// # Errors
    /// Where it could not be shown, and nobody may agree to what they could not be shown.
    fn show(&mut self, task: &Assessment, comment: &str) -> Result<(), Refusal>;

    /// Asks whether to answer for this team.
    ///
    /// # Errors
    /// Where nobody is there to be asked.
    fn confirm(&mut self, task: &Assessment, team: &str) -> Result<bool, Refusal>;
}

/// What is to be said where, and by whom.
#[derive(Debug)]
pub struct AnswerFlow<'a> {
    /// Who is asked, and by what is judged.
    pub context: Context<'a>,
    /// Which task, read by somebody who deploys nothing.
    pub question: Question,
    /// What they want to say.
    pub request: AnswerRequest<'a>,
    /// Whether they are asked before it is said.
    pub asks: bool,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerEnd {
    /// It is on the task now.
    Posted,
    /// It is on the task now, which could not be read after that.
    PostedUnread,
    /// It stood there already.
    Stood,
}

/// An answer that is on the task.
#[derive(Debug)]
pub struct Answered {
    /// The task, as it was read last.
    pub task: Assessment,
    /// The key of the team that was answered for.
    pub team: String,
    /// How it ended.
    pub end: AnswerEnd,
    /// The transaction that holds it.
    pub transaction: Option<TransactionId>,
    /// What to look at, where it is as good as done.
    pub warning: Option<String>,
    /// Why it is no success all the same.
    pub refusal: Option<Refusal>,
}

impl AnswerFlow<'_> {
    /// Shows what is answered, asks, posts, and looks at the task again.
    ///
    /// # Errors
    /// Where the task cannot be read, the answer would not count or was not confirmed, where it is not known to be on the task,
    /// or was taken back.
    pub async fn run(&self, approver: &mut impl Approver) -> Result<Answered, Refusal> {
        let mut deadline = Instant::now() + self.context.limit;
        let mut read = self.read(deadline).await?;
        loop {
            let (team, text) = match self.plan(&read)? {
                AnswerStep::Post { team, text } => (team, text),
                AnswerStep::Stands { team, transaction } => {
                    let end = AnswerEnd::Stood;
                    return Ok(Answered { task: read, team, end, transaction, warning: None, refusal: None });
                }
            };
            approver.show(&read, &text)?;
            if self.asks {
                let asked = Instant::now();
                if !approver.confirm(&read, &team)? {
                    return Err(Refusal {
                        kind: RefusalKind::Denied,
                        message: "not confirmed, nothing was posted".into(),
                        hint: Some("type the same again to answer, and y when you are asked".into()),
                    });
                }
                deadline += asked.elapsed();
                // Who read for a while must not agree to what was changed meanwhile.
                let fresh = self.read(deadline).await?;
                let same = content(&fresh) == content(&read) && noes(&fresh) == noes(&read);
                read = fresh;
                if !same {
                    approver.warn("the task was changed while you were reading; this is how it is now");
                }
                if !same || !matches!(self.plan(&read)?, AnswerStep::Post { .. }) {
                    continue;
                }
            }
            let kept = self.context.limit / KEPT;
            let posted = self.post(self.request.kind, &read, &team, &text, deadline - kept, approver).await;
            let placed = posted.map_err(|trouble| self.not_posted(trouble, &read, &team))?;
            return self.afterwards(read, team, placed.transaction, deadline, approver).await;
        }
    }

    /// Reads the task, which has to be there.
    async fn read(&self, deadline: Instant) -> Result<Assessment, Refusal> {
        let left = deadline.saturating_duration_since(Instant::now());
        let read = Assessor::new(self.context).within(left).assess(&self.question, &Intent::default()).await;
        if read.task().is_none() { Err(read.refusal()) } else { Ok(read) }
    }

    fn plan(&self, read: &Assessment) -> Result<AnswerStep, Refusal> {
        let judged = read.judged().ok_or_else(|| read.refusal())?;
        Ok(answer::plan_answer(judged, self.context.policy, self.context.texts, &self.request)?)
    }

    /// Where people find the task.
    fn url(&self) -> String {
        self.question.task.url(self.context.server)
    }

    /// Publishes the comment of an answer.
    async fn post(
        &self,
        kind: AnswerKind,
        read: &Assessment,
        team: &str,
        text: &str,
        deadline: Instant,
        progress: &mut impl Progress,
    ) -> Result<Placed, Trouble> {
        let Some(evidence) = read.evidence() else {
            return Err(Trouble::Unclear { why: "the task was not read".into() });
        };
        let after = answer::last_of(evidence);
        let ours = text.to_owned();
        let is_it = move |row: &Transaction| {
            row.id > after && row.comments.iter().any(|version| version.text().trim() == ours.trim())
        };
        let mut comment = Comment {
            task: self.question.task,
            phid: Some(evidence.task.phid.clone()),
            text: text.to_owned(),
            authors: vec![evidence.owner.phid.clone()],
            is_it: Box::new(is_it),
        };
        let by_hand = format!("{} on {}", answer::by_hand(kind, team), self.url());
        let mut log = AnswerLog { progress, by_hand, said: false };
        let patience = Patience::until(deadline).polling(POLL);
        let Ok(outcome) = publisher(&self.context).publish(&mut log, &mut comment, Known::Absent, patience).await;
        match outcome {
            PublishOutcome::Confirmed(placed) => {
                let (context, user) = (&self.context, &evidence.owner.username);
                context.log.write(&logged::answered(context, self.question.task, kind, team, user));
                Ok(placed)
            }
            PublishOutcome::NotApplied(not) => Err(Trouble::NotThere(not)),
            PublishOutcome::Unknown { why, .. } => Err(Trouble::Unclear { why }),
        }
    }

    fn not_posted(&self, trouble: Trouble, read: &Assessment, team: &str) -> Refusal {
        let task = self.question.task;
        let owner = read.evidence().map_or_else(|| "this account".to_owned(), |read| inert(&read.owner.username));
        let by_hand = answer::by_hand(self.request.kind, team);
        let url = self.url();
        let refusal = |kind, message, hint| Refusal { kind, message, hint: Some(hint) };
        match trouble {
            Trouble::NotThere(NotApplied { error: Some(error), .. }) if error.is_credentials() => error.into(),
            // Whoever stood before the server did not pass it on: that says nothing of the account.
            Trouble::NotThere(NotApplied { error: Some(error), .. })
                if matches!(error.kind, conduit::Failure::Redirected { .. } | conduit::Failure::NotConduit { .. }) =>
            {
                refusal(
                    RefusalKind::Incomplete,
                    format!("the answer is not on the task: {}", error.in_full()),
                    format!("in a browser, {by_hand} on {url}; and tell who runs the server"),
                )
            }
            Trouble::NotThere(NotApplied { cause: Cause::Refused, why, error }) => {
                // The server's words about the policy of a restricted task disclose it.
                let words = error.as_ref().map_or(why, |error| error.in_full());
                let why = if self.hides(read) { String::new() } else { format!(": {words}") };
                refusal(
                    RefusalKind::Denied,
                    format!("the server does not let {owner} comment on {task}{why}"),
                    format!("in a browser, {by_hand} on {url}"),
                )
            }
            Trouble::NotThere(NotApplied { why, .. }) => refusal(
                RefusalKind::Incomplete,
                format!("the answer is not on the task: {why}"),
                format!("type the same again, or in a browser, {by_hand} on {url}"),
            ),
            Trouble::Unclear { why } => refusal(
                RefusalKind::Incomplete,
                format!("it is not clear whether the answer is on the task: {why}"),
                format!("look at {url}; if it is not there, {by_hand} in a browser"),
            ),
        }
    }

    fn hides(&self, read: &Assessment) -> bool {
        read.evidence().is_none_or(|read| !self.context.texts.are_shown(read, self.context.policy))
    }

    /// Reads the task again: the answer is there, and this is what it changed. An approval of something else than was
    /// shown is taken back.
    async fn afterwards(
        &self,
        before: Assessment,
        team: String,
        transaction: TransactionId,
        deadline: Instant,
        progress: &mut impl Progress,
    ) -> Result<Answered, Refusal> {
        let approves = self.request.kind == AnswerKind::Approve;
        let (task, end) = (self.question.task, AnswerEnd::Posted);
        let answered =
            Answered { task: before, team, end, transaction: Some(transaction), warning: None, refusal: None };
        let now = match self.read(deadline).await {
            Ok(now) => now,
            Err(unread) => {
                let unread = format!("the answer is on the task, which could not be read again: {}", unread.message);
                let answered = Answered { end: AnswerEnd::PostedUnread, ..answered };
                if !approves {
                    return Ok(Answered { warning: Some(unread), ..answered });
                }
                let hint = format!(
                    "look whether {} is still what you were shown; if not, take it back: `phabgate withdraw {task} --team {}`",
                    self.url(),
                    answered.team
                );
                let refusal = Refusal { kind: RefusalKind::Incomplete, message: unread, hint: Some(hint) };
                return Ok(Answered { refusal: Some(refusal), ..answered });
            }
        };
        if approves {
            let hide = self.hides(&answered.task) || self.hides(&now);
            let what: Vec<String> = match (content(&answered.task), content(&now)) {
                (Some(shown), Some(there)) => {
                    shown.differences(&there).iter().map(|difference| described(difference, hide)).collect()
                }
                // What cannot be compared is not taken for the same.
                _ => vec!["what it states cannot be compared".to_owned()],
            };
            if !what.is_empty() {
                return Err(self.take_back(&now, &answered.team, &what.join("; "), deadline, progress).await);
            }
        }
        let mut approvals = now.verdict.approvals.iter();
        let counts_not = approvals.find(|approval| {
            approval.transaction == Some(transaction) && approval.team == answered.team && !approval.counts()
        });
        let refusal = counts_not.filter(|_| approves).map(|approval| {
            let why = approval.why_not.as_ref().map(ToString::to_string).unwrap_or_default();
            Refusal {
                kind: RefusalKind::Denied,
                message: format!("the answer is on the task and does not count: {why}"),
                hint: Some("the task was changed meanwhile: type the same again to see it as it is".into()),
            }
        });
        Ok(Answered { task: now, refusal, ..answered })
    }

    /// Takes back an approval of something else than was shown.
    async fn take_back(
        &self,
        now: &Assessment,
        team: &str,
        what: &str,
        deadline: Instant,
        progress: &mut impl Progress,
    ) -> Refusal {
        let (task, kind) = (self.question.task, AnswerKind::Withdraw);
        let changed = format!("{task} was changed while the approval was on its way ({what})");
        let text = answer::comment(kind, team, None);
        match self.post(kind, now, team, &text, deadline, progress).await {
            Ok(_) => Refusal {
                kind: RefusalKind::Denied,
                message: format!("{changed}: the approval was withdrawn at once"),
                hint: Some("type the same again to see the task as it is now".into()),
            },
            Err(Trouble::NotThere(NotApplied { why, .. }) | Trouble::Unclear { why }) => Refusal {
                kind: RefusalKind::Incomplete,
                message: format!("{changed}, and the approval could not be withdrawn: {why}"),
                hint: Some(format!(
                    "it stands for what you were not shown: in a browser, {} on {}",
                    answer::by_hand(kind, team),
                    self.url()
                )),
            },
        }
    }
}

/// What was said against the deploy, which who answers was shown.
fn noes(read: &Assessment) -> [Option<&str>; 2] {
    ["rejected", "possible-no"].map(|name| read.verdict.rule(name).map(|rule| rule.message.as_str()))
}

/// What somebody agrees to by approving what was read.
fn content(read: &Assessment) -> Option<ApprovedContent> {
    read.task().map(|task| ApprovedContent::of(&task.evidence, &task.state))
}

impl From<AnswerError> for Refusal {
    fn from(error: AnswerError) -> Self {
        let message = error.to_string();
        match error {
            AnswerError::UnknownTeam { .. } => Self::usage(message, "name one of them with --team"),
            AnswerError::WhichTeam { teams } => {
                let team = teams.into_iter().next().unwrap_or_default();
                Self::usage(message, format!("say which, such as --team {team}"))
            }
            AnswerError::WouldNotCount { hint, .. } => Self { kind: RefusalKind::Denied, message, hint: Some(hint) },
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
fn described(difference: &Difference<'_>, hide: bool) -> String {
    let value =
        |value: Option<&str>| value.map_or_else(|| "not there".to_owned(), |value| format!("`{}`", inert(value)));
    match hide {
        true => format!("{} is another", difference.what),
        false => format!("{} was {} and is {}", difference.what, value(difference.shown), value(difference.now)),
    }
}

/// Says what takes time while the answer is on its way.
struct AnswerLog<'a, P> {
    progress: &'a mut P,
    by_hand: String,
    said: bool,
}

impl<P: Progress> PublishLog<Placed> for AnswerLog<'_, P> {
    type Error = Infallible;

    fn note(&mut self, _: Timestamp, step: PublishProgress<'_, Placed>) -> Result<(), Infallible> {
        match step {
            PublishProgress::NotSent { why } => self.progress.note(&format!("the answer did not arrive: {why}")),
            PublishProgress::Waiting { why } if !self.said => {
                self.said = true;
                self.progress.warn(&format!("the answer is not on the task yet: {why}"));
                self.progress.hint(&format!("you can stop waiting for it and, in a browser, {}", self.by_hand));
            }
            _ => {}
        }
        Ok(())
    }
}
