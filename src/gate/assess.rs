//! Reading a task and judging it, once.
//!
//! Responsible for [`Assessment`], the one value that holds what was read, what the task states and the verdict on it, and that is
//! passed on from here to whoever shows, records or waits. Not responsible for gathering ([`crate::evidence`]) or for judging
//! ([`crate::rules`]).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Clock, Context, Refusal, RefusalKind};
use crate::attribution::DeployerSource;
use crate::evidence::timeline::AsOf;
use crate::evidence::{Candidate, Evidence, GatherError, Question, TaskState, Visibility, gather};
use crate::ids::TaskId;
use crate::journal::{Journal, JournalError, ServerMarks, off_async};
use crate::local_deploy::LocalDeploy;
use crate::policy::Policy;
use crate::record::Deployer;
use crate::rules::{self, Decision, Intent, JudgedTask, Texts, Verdict};
use crate::time::ServerClock;

/// What it takes to read a task and judge it.
#[derive(Debug, Clone, Copy)]
pub struct Assessor<'a> {
    context: Context<'a>,
}

/// A task, read and judged.
#[derive(Debug, Clone)]
pub struct Assessment {
    /// The number of the task.
    pub number: TaskId,
    /// What is decided on a deploy of it.
    pub verdict: Verdict,
    /// The verdict if who reads deployed, where they do not.
    pub asker: Option<AskersVerdict>,
    seen: Seen,
    /// How far the host's clock was ahead of the server's, where the server replied.
    skew: Option<SignedDuration>,
}

/// What became of reading a task.
#[derive(Debug, Clone)]
enum Seen {
    Task(Box<Task>),
    NotVisible { now: Timestamp },
    Unread(GatherError),
}

/// A task that was read whole.
#[derive(Debug, Clone)]
pub struct Task {
    /// What was read.
    pub evidence: Evidence,
    /// What the task states.
    pub state: TaskState,
    /// The moment that was judged; `None` where it was that of the reading.
    pub as_of: Option<AsOf>,
}

/// What would be decided if who reads deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskersVerdict {
    /// Their username.
    pub user: String,
    /// What would be decided.
    pub verdict: Verdict,
}

impl Task {
    /// A task as it was at a moment, or is now, and the verdict on it.
    pub fn judged(
        evidence: Evidence,
        policy: &Policy,
        intent: &Intent,
        as_of: Option<AsOf>,
        texts: Texts,
    ) -> (Self, Verdict) {
        let (state, verdict) = rules::judge(&evidence, policy, intent, as_of, texts);
        (Self { evidence, state, as_of }, verdict)
    }

    /// Who deploys, first, and every other account that could be behind it. What the task states is a text of it, which is left
    /// out where it may not be shown, unless an account bears the name.
    pub fn behind(&self, show: bool) -> Vec<Deployer> {
        let may_show =
            |candidate: &&Candidate| show || candidate.source != DeployerSource::Task || candidate.account.is_some();
        let behind = self.evidence.candidates.iter().filter(may_show).map(|candidate| Deployer {
            user: candidate.account.as_ref().map_or(&candidate.name, |account| &account.username).clone(),
            phid: candidate.account.as_ref().map(|account| account.phid.clone()),
            source: candidate.source,
        });
        behind.collect()
    }
}

impl Assessment {
    /// The task, where it could be read.
    pub fn task(&self) -> Option<&Task> {
        match &self.seen {
            Seen::Task(task) => Some(task),
            Seen::NotVisible { .. } | Seen::Unread(_) => None,
        }
    }

    /// What was read, where anything was.
    pub fn evidence(&self) -> Option<&Evidence> {
        self.task().map(|task| &task.evidence)
    }

    /// What the task states, where it could be read.
    pub fn state(&self) -> Option<&TaskState> {
        self.task().map(|task| &task.state)
    }

    /// The task and its verdict, where it could be read.
    pub fn judged(&self) -> Option<JudgedTask<'_>> {
        self.task().map(|Task { evidence, state, .. }| JudgedTask { evidence, state, verdict: &self.verdict })
    }

    /// When it was judged, by the server's clock; `None` where the server did not answer.
    pub fn now(&self) -> Option<Timestamp> {
        match &self.seen {
            Seen::Task(task) => Some(task.evidence.now),
            Seen::NotVisible { now } => Some(*now),
            Seen::Unread(_) => None,
        }
    }

    /// Why the task could not be read, where no usable answer came.
    pub fn error(&self) -> Option<&GatherError> {
        match &self.seen {
            Seen::Unread(error) => Some(error),
            Seen::Task(_) | Seen::NotVisible { .. } => None,
        }
    }

    /// Why the task could not be read, for a use case that needs it.
    pub fn refusal(&self) -> Refusal {
        let rule = self.verdict.rules.first();
        let kind = match &self.seen {
            Seen::Unread(GatherError::Conduit(error)) if error.is_credentials() => RefusalKind::Credentials,
            _ if self.verdict.decision == Decision::Undecided => RefusalKind::Incomplete,
            _ => RefusalKind::Denied,
        };
        Refusal {
            kind,
            message: rule.map_or_else(|| "the task cannot be read".to_owned(), |rule| rule.message.clone()),
            hint: rule.and_then(|rule| rule.hint.clone()),
        }
    }

    /// The server's clock, as far as this reading shows it.
    pub fn clock(&self) -> ServerClock {
        ServerClock::new(self.skew)
    }

    /// The same, where this reading shows nothing by what an earlier one did.
    pub fn clock_or(&self, earlier: ServerClock) -> ServerClock {
        if self.skew.is_some() { self.clock() } else { earlier }
    }

    /// The same task, judged as it was at an earlier moment; `None` where it could not be read.
    pub fn as_of(&self, time: Timestamp, context: &Context<'_>, intent: &Intent) -> Option<Self> {
        let evidence = self.evidence()?.clone();
        let as_of = evidence.timeline.as_of_time(time);
        let (task, verdict) = judged(evidence, context, intent, Some(as_of));
        Some(Self { number: self.number, verdict, asker: None, seen: Seen::Task(Box::new(task)), skew: self.skew })
    }
}

/// Judges what was read; the hints name commands as the caller types them.
fn judged(evidence: Evidence, context: &Context<'_>, intent: &Intent, as_of: Option<AsOf>) -> (Task, Verdict) {
    let (task, verdict) = Task::judged(evidence, context.policy, intent, as_of, context.texts);
    (task, typed_as(verdict, context))
}

fn typed_as(mut verdict: Verdict, context: &Context<'_>) -> Verdict {
    for hint in verdict.rules.iter_mut().filter_map(|rule| rule.hint.as_mut()) {
        *hint = context.invocation.adapt(hint).into_owned();
    }
    verdict
}

impl<'a> Assessor<'a> {
    /// Reads within the limits of the context.
    pub fn new(context: Context<'a>) -> Self {
        Self { context }
    }

    /// The same, where a read may take no longer than this.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { context: Context { limit: self.context.limit.min(limit), ..self.context } }
    }

    /// What it reads with.
    pub fn context(&self) -> &Context<'a> {
        &self.context
    }

    /// Reads and judges, once. What cannot be read is a verdict that is undecided.
    pub async fn assess(&self, question: &Question, intent: &Intent) -> Assessment {
        let context = &self.context;
        match gather(&context.client.within(context.limit), context.policy, question).await {
            Ok(Visibility::Visible(evidence)) => self.visible(*evidence, intent),
            Ok(Visibility::NotVisible { owner, now }) => Assessment {
                number: question.task,
                verdict: typed_as(rules::not_visible(question.task, &owner.username), context),
                asker: None,
                seen: Seen::NotVisible { now },
                skew: Some(Timestamp::now().duration_since(now)),
            },
            Err(error) => Assessment {
                number: question.task,
                verdict: typed_as(Verdict::undecided(error.to_string(), error.hint()), context),
                asker: None,
                seen: Seen::Unread(error),
                skew: None,
            },
        }
    }

    fn visible(&self, mut evidence: Evidence, intent: &Intent) -> Assessment {
        let context = &self.context;
        let skew = Some(evidence.skew);
        if context.clock == Clock::Sandbox {
            evidence.skew = SignedDuration::ZERO;
        }
        evidence.local_deploys = local_deploys(context, &evidence);
        let asker = evidence.if_asker_deploys().map(|other| {
            let user = other.candidates.first().map(|asker| asker.name.clone()).unwrap_or_default();
            AskersVerdict { user, verdict: rules::judge(&other, context.policy, intent, None, context.texts).1 }
        });
        let (task, verdict) = judged(evidence, context, intent, None);
        Assessment { number: task.evidence.task.id, verdict, asker, seen: Seen::Task(Box::new(task)), skew }
    }
}

/// What the journal of this host knows of other deploys of the task; nothing where none was ever made.
pub fn local_deploys(context: &Context<'_>, evidence: &Evidence) -> Result<Vec<LocalDeploy>, String> {
    let deploys = || -> Result<_, JournalError> {
        match Journal::open_read_only(context.state)? {
            Some(journal) => journal.deploys_of(evidence.task.id, context.server, &marks(Some(evidence))),
            None => Ok(Vec::new()),
        }
    };
    off_async(deploys).map_err(|error| error.to_string())
}

/// What the server is known by, for the journal.
pub fn marks(evidence: Option<&Evidence>) -> ServerMarks {
    ServerMarks {
        task: evidence.map(|evidence| evidence.task.phid.clone()),
        tag: evidence.and_then(|evidence| evidence.tag.as_ref()).map(|tag| tag.phid.clone()),
    }
}

/// Whether waiting cannot mend an error.
pub(super) fn is_final(error: &GatherError) -> bool {
    matches!(error, GatherError::Conduit(error) if error.is_credentials())
}
