//! `check`: gather the evidence, print the verdict rule by rule.

use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::call::{Call, Whom};
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::session::Session;
use super::ui::Ui;
use super::verdict::{self, IfYouDeploy, Subject};
use super::writing::marks;
use super::{Globals, Subject as SubjectArgs};
use crate::conduit::Client;
use crate::evidence::timeline::Cut;
use crate::evidence::{Evidence, GatherError, Purpose, Question, Story, Visibility, gather};
use crate::ids::TaskId;
use crate::journal::{Journal, JournalError, LocalDeploy};
use crate::policy::Policy;
use crate::rules::{self, Decision, Intent, Outcome, Verdict};
use crate::time::{ServerClock, rough};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) subject: SubjectArgs,
    #[command(flatten)]
    waiting: Waiting,
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

/// When a read is said to take long.
const SLOW: Duration = Duration::from_secs(3);
/// How long whom to call may be looked up, after the verdict.
const LOOK_UP: Duration = Duration::from_secs(2);
/// How often the task is read while waiting.
const POLL: Duration = Duration::from_secs(5);

/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Runs `check`.
///
/// # Errors
/// Where the command line, the configuration or the credentials are wrong.
pub(super) async fn run(args: &Args, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let session = Session::open(globals).await?;
    let task = session.task(&args.subject.task, ui)?;
    let question = session.question(task, &args.subject, Purpose::Read)?;
    let intent = args.subject.intent();
    session.tell_undelivered(ui);
    let read = Reading::new(&session).until_decided(&question, &intent, args.waiting, ui).await;
    show(&read, task, &session, ui).await;
    Ok(read.exit())
}

/// Shows what was read, in the form asked for. Whom to call is looked up once the verdict is out; for programs, which
/// read one document, it may take little time.
async fn show(read: &Read, task: TaskId, session: &Session, ui: &mut Ui) {
    if ui.is_json() {
        let call = call(read, task, session).await;
        let message = call.as_ref().map(Call::message);
        let mut page = verdict::json(task, &read.subject, &read.verdict, &session.settings.policy, message);
        page.if_you_deploy = read.if_you_deploy.as_ref().map(IfYouDeploy::json);
        ui.json(&page);
        return;
    }
    let mut page = verdict::text(task, &read.subject, &read.verdict, ui.width());
    if let Some(other) = &read.if_you_deploy {
        page.push_str(&other.text(ui.width()));
    }
    ui.data(&page);
    if let Some(call) = call(read, task, session).await {
        ui.data(&format!("\n{}", call.text(ui.width())));
    }
}

/// How to ask for approvals that can still come. What is not known of the train is not said: the message comes out all
/// the same.
pub(super) async fn call<'a>(read: &Read, task: TaskId, session: &'a Session) -> Option<Call<'a>> {
    if read.verdict.decision != Decision::Pending {
        return None;
    }
    let whom = Whom::find(session, None, LOOK_UP).await;
    Some(Call::new(task, &read.subject, whom, &session.settings.contact))
}

/// What it takes to read a task and judge it.
pub(super) struct Reading<'a> {
    client: &'a Client,
    base: &'a Url,
    limit: Duration,
    policy: &'a Policy,
    /// The state directory, whose journal knows of other runs of the task.
    state: &'a Path,
    /// The sandbox's clock is not that of the world outside.
    ignore_skew: bool,
    invocation: Invocation,
}

/// A task, read and judged.
pub(super) struct Read {
    pub(super) verdict: Verdict,
    pub(super) subject: Subject,
    /// What would differ if who reads deployed.
    if_you_deploy: Option<IfYouDeploy>,
    /// The evidence, where there is any.
    pub(super) evidence: Option<Box<Evidence>>,
    /// Why it could not be read.
    error: Option<GatherError>,
    /// How far the host's clock was ahead of the server's, where the server replied.
    skew: Option<SignedDuration>,
    /// The moment that was judged; `None` where it was that of the reading.
    cut: Option<Cut>,
}

impl Read {
    /// How a command that only reads ends.
    pub(super) fn exit(&self) -> Exit {
        match &self.error {
            Some(GatherError::Conduit(error)) if error.is_credentials() => Exit::Credentials,
            _ => Exit::from(&self.verdict.decision),
        }
    }

    /// Why the task could not be read, as a command ends that needs it.
    pub(super) fn refused(&self) -> Failure {
        let rule = self.verdict.rules.first();
        Failure {
            exit: self.exit(),
            message: rule.map_or_else(|| "the task cannot be read".to_owned(), |rule| rule.message.clone()),
            hint: rule.and_then(|rule| rule.hint.clone()),
        }
    }

    /// Why the task could not be read, where no usable answer came.
    pub(super) fn error(&self) -> Option<&GatherError> {
        self.error.as_ref()
    }

    /// What the task states, where it could be read.
    pub(super) fn story(&self, policy: &Policy) -> Option<Story> {
        self.evidence.as_ref().map(|evidence| Story::read(evidence, policy, self.cut))
    }

    /// The server's clock, as far as this reading told what it shows.
    pub(super) fn clock(&self) -> ServerClock {
        ServerClock::new(self.skew)
    }

    /// The same, where this reading told nothing by what an earlier one did.
    pub(super) fn clock_or(&self, earlier: ServerClock) -> ServerClock {
        if self.skew.is_some() { self.clock() } else { earlier }
    }

    /// The same task, judged as it was at an earlier moment; `None` where it could not be read.
    pub(super) fn as_of(&self, time: Timestamp, policy: &Policy, intent: &Intent) -> Option<Self> {
        let evidence = self.evidence.clone()?;
        let cut = evidence.timeline.cut_at(time);
        let verdict = rules::evaluate(&evidence, policy, intent, Some(cut));
        let story = Story::read(&evidence, policy, Some(cut));
        let subject = Subject::of(&evidence, &story, policy, self.subject.url.clone(), intent.show_restricted);
        Some(Self {
            verdict,
            subject,
            if_you_deploy: None,
            evidence: Some(evidence),
            error: None,
            skew: self.skew,
            cut: Some(cut),
        })
    }
}

impl<'a> Reading<'a> {
    /// Reads with the limits of the configuration.
    pub(super) fn new(session: &'a Session) -> Self {
        let settings = &session.settings;
        Self {
            client: &session.client,
            base: session.base(),
            limit: settings.http.total,
            policy: &settings.policy,
            state: &settings.state,
            ignore_skew: session.is_sandbox(),
            invocation: session.invocation(),
        }
    }

    /// The same, where a read may take no longer than this.
    pub(super) fn within(self, limit: Duration) -> Self {
        Self { limit: self.limit.min(limit), ..self }
    }

    /// Reads and judges, once. Hints name commands as the caller has to type them.
    pub(super) async fn once(&self, question: &Question, intent: &Intent) -> Read {
        let mut read = self.read(question, intent).await;
        for hint in read.verdict.rules.iter_mut().filter_map(|rule| rule.hint.as_mut()) {
            *hint = self.invocation.adapt(hint).into_owned();
        }
        read
    }

    async fn read(&self, question: &Question, intent: &Intent) -> Read {
        let client = self.client.within(self.limit);
        let url = question.task.url(self.base);
        match gather(&client, self.policy, question).await {
            Ok(Visibility::Visible(mut evidence)) => {
                let skew = Some(evidence.skew);
                if self.ignore_skew {
                    evidence.skew = SignedDuration::ZERO;
                }
                evidence.local_deploys = local_deploys(self.state, self.base, &evidence);
                let verdict = rules::evaluate(&evidence, self.policy, intent, None);
                let story = Story::read(&evidence, self.policy, None);
                let subject = Subject::of(&evidence, &story, self.policy, url, intent.show_restricted);
                let if_you_deploy = evidence.if_asker_deploys().and_then(|other| {
                    let name = other.candidates.first().map(|asker| asker.name.clone()).unwrap_or_default();
                    let other = rules::evaluate(&other, self.policy, intent, None);
                    IfYouDeploy::new(name, &verdict, other)
                });
                Read { verdict, subject, if_you_deploy, evidence: Some(evidence), error: None, skew, cut: None }
            }
            Ok(Visibility::NotVisible { owner, now }) => {
                let subject = Subject { url, now: Some(now), ..Subject::default() };
                Read {
                    verdict: rules::not_visible(question.task, &owner.username),
                    subject,
                    if_you_deploy: None,
                    evidence: None,
                    error: None,
                    skew: Some(Timestamp::now().duration_since(now)),
                    cut: None,
                }
            }
            Err(error) => {
                let verdict = Verdict::undecided(error.to_string(), error.hint());
                let subject = Subject { url, ..Subject::default() };
                Read {
                    verdict,
                    subject,
                    if_you_deploy: None,
                    evidence: None,
                    error: Some(error),
                    skew: None,
                    cut: None,
                }
            }
        }
    }

    /// Reads and judges, and says so where it takes long: a silent gate looks like one that hangs.
    async fn once_watched(&self, question: &Question, intent: &Intent, ui: &mut Ui) -> Read {
        let reading = self.once(question, intent);
        tokio::pin!(reading);
        match tokio::time::timeout(SLOW, &mut reading).await {
            Ok(read) => read,
            Err(_) => {
                ui.note(&format!("the server is slow to answer; waiting up to {}", crate::time::brief(self.limit)));
                reading.await
            }
        }
    }

    /// Reads and judges until the verdict is no longer pending or the time for that has run out. A server that does
    /// not answer is asked on, once a verdict was pending.
    pub(super) async fn until_decided(
        &self,
        question: &Question,
        intent: &Intent,
        waiting: Waiting,
        ui: &mut Ui,
    ) -> Read {
        let mut read = self.once_watched(question, intent, ui).await;
        let Some(limit) = waiting.wait else { return read };
        // Longer than anybody waits; beyond it lie instants that no clock has.
        let limit = limit.min(LONGEST_WAIT);
        let deadline = tokio::time::Instant::now() + limit;
        let mut told = String::new();
        while can_still_come(&read.verdict) && tokio::time::Instant::now() < deadline {
            let missing = waited_for(&read.verdict);
            if told != missing {
                let left = SignedDuration::try_from(limit).unwrap_or_default();
                ui.note(&format!("waiting up to {} for {missing}", rough(left)));
                told = missing;
            }
            tokio::time::sleep_until((tokio::time::Instant::now() + POLL).min(deadline)).await;
            let next = self.once(question, intent).await;
            match next.verdict.decision {
                Decision::Undecided if next.error.as_ref().is_some_and(|error| !is_final(error)) => {
                    ui.note("the server did not answer; asking again");
                }
                _ => read = next,
            }
        }
        read
    }
}

/// What the journal of this state directory knows of other runs of the task; nothing where none was ever made.
pub(super) fn local_deploys(state: &Path, base: &Url, evidence: &Evidence) -> Result<Vec<LocalDeploy>, String> {
    let deploys = || -> Result<_, JournalError> {
        match Journal::open_read_only(state)? {
            Some(journal) => journal.deploys_of(evidence.task.id, base, &marks(Some(evidence))),
            None => Ok(Vec::new()),
        }
    };
    deploys().map_err(|error| error.to_string())
}

/// Whether waiting cannot mend an error.
fn is_final(error: &GatherError) -> bool {
    matches!(error, GatherError::Conduit(error) if error.is_credentials())
}

/// Whether people can still make it allowed by what they write: approvals are missing, or nothing but what reads as a no
/// denies, whose author may say that it is none.
fn can_still_come(verdict: &Verdict) -> bool {
    let mut failed = verdict.rules.iter().filter(|rule| rule.outcome == Outcome::Fail);
    match verdict.decision {
        Decision::Pending => true,
        Decision::Denied => failed.all(|rule| rule.name == "possible-no"),
        Decision::Allowed(_) | Decision::Undecided => false,
    }
}

fn waited_for(verdict: &Verdict) -> String {
    let pending = verdict.rules.iter().filter(|rule| matches!(rule.outcome, Outcome::Pending | Outcome::Fail));
    pending.map(|rule| rule.message.as_str()).collect::<Vec<_>>().join("; ")
}
