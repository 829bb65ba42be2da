//! What `run` and `record` write: the record of a deploy, made from the verdict and the command line.
//!
//! Responsible for making the record, and who may write one. Not responsible for journalling and posting it.

use super::{Assessment, Context, Refusal, RefusalKind};
use crate::attribution::DeployerSource;
use crate::conduit::Account;
use crate::evidence::records::is_believable;
use crate::evidence::{Candidate, Evidence, Question, Statement, TaskState};
use crate::ids::{DeployId, TaskId};
use crate::journal;
use crate::policy::BelievedRecords;
use crate::record::comment::{Rendered, render};
use crate::record::mask::quote;
use crate::record::{self, Deployer, Event, Outcome, Record, RecordedApproval, RecordedReason};
use crate::rules::{Intent, Texts};
use crate::text::inert;

/// The record of a deploy as far as it is known before anything happened. Of a restricted task it holds no text that
/// others wrote: the journal keeps it for good.
pub fn template(read: &Assessment, question: &Question, intent: &Intent, context: &Context<'_>) -> Record {
    let policy = context.policy;
    let task_state = read.state();
    let restricted = read.evidence().is_none_or(|evidence| evidence.is_restricted(&policy.open_spaces));
    let stated = |statement: Option<&Statement>| statement.filter(|_| !restricted).map(|stated| stated.value.clone());
    let category = task_state.and_then(|task_state| task_state.written.as_ref()?.category.clone());
    let explanation = task_state.and_then(|task_state| task_state.written.as_ref()).filter(|_| !restricted);
    let explanation = explanation.map(|written| written.explanation.clone()).filter(|words| !words.is_empty());
    let stated_deployer = task_state.and_then(|task_state| task_state.deployer.as_ref()).filter(|_| !restricted);
    let behind = behind(read, question, stated_deployer, !restricted || context.texts == Texts::Shown);
    let project = |team: &str| Some(read.evidence()?.teams.get(team)?.phid.clone());
    let approvals =
        read.verdict.approvals.iter().filter(|approval| approval.counts()).map(|approval| RecordedApproval {
            team: approval.team.clone(),
            user: approval.user.clone(),
            phid: approval.phid.clone(),
            project: project(&approval.team),
            kind: approval.kind,
            transaction: approval.transaction,
            time: approval.time,
            evidence: approval.evidence.clone(),
        });
    let informed = policy.informed().map(|team| team.title.clone());
    let action = intent.action.map(|action| action.word().to_owned());
    Record {
        schema: record::SCHEMA.to_owned(),
        deploy: DeployId::fresh(),
        event: Event::Started,
        task: question.task,
        deployer: behind.first().cloned(),
        behind: behind.get(1..).unwrap_or_default().to_vec(),
        pipeline: read.evidence().map(pipeline).unwrap_or_default(),
        caller: Some(context.caller.to_string()),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        reason: category.map(|category| RecordedReason { category, explanation }),
        action: action.or_else(|| stated(task_state.and_then(|task_state| task_state.action.as_ref()))),
        change: intent
            .change
            .as_deref()
            .map(|change| context.record.mask.text(change))
            .or_else(|| stated(task_state.and_then(|task_state| task_state.change.as_ref()))),
        command: None,
        arguments_hidden: false,
        note: None,
        approvals: approvals.collect(),
        informed: informed.collect(),
        verdict: read.verdict.decision.word().to_owned(),
        failed: read.verdict.failed(),
        policy: policy.digest().to_string(),
        started: None,
        finished: None,
        outcome: None,
        exit: None,
        announced: None,
        share: None,
        drill: task_state.is_some_and(TaskState::is_drill),
        clock: None,
        dropped: 0,
        cut: Vec::new(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// The accounts that can make the pipeline run which deploys.
fn pipeline(evidence: &Evidence) -> Vec<Deployer> {
    let account = |candidate: &Candidate| Deployer {
        user: candidate.account.as_ref().map_or(&candidate.name, |account| &account.username).clone(),
        phid: candidate.account.as_ref().map(|account| account.phid.clone()),
        source: candidate.source,
    };
    evidence.pipeline.iter().map(account).collect()
}

/// Each account once, by the first source that names it: two sources that mean the same account write it in any case.
fn distinct(deployers: Vec<Deployer>) -> Vec<Deployer> {
    let mut distinct: Vec<Deployer> = Vec::new();
    for deployer in deployers {
        let same = |known: &&mut Deployer| match (&known.phid, &deployer.phid) {
            (Some(known), Some(phid)) => known == phid,
            _ => known.user.to_lowercase() == deployer.user.to_lowercase(),
        };
        match distinct.iter_mut().find(same) {
            Some(known) => known.phid = known.phid.take().or(deployer.phid),
            None => distinct.push(deployer),
        }
    }
    distinct
}

/// Every account that could be behind the deploy, the one that the task states among them, each once.
fn behind(read: &Assessment, question: &Question, stated: Option<&Statement>, show: bool) -> Vec<Deployer> {
    let mut behind = read.task().map_or_else(Vec::new, |task| task.behind(show));
    if read.task().is_none() {
        let given = [(&question.deployer, DeployerSource::Flag), (&question.calling_user, DeployerSource::CallingUser)];
        let named = given.into_iter().filter_map(|(name, source)| Some((name.clone()?, source)));
        behind.extend(named.map(|(user, source)| Deployer { user, phid: None, source }));
    }
    if let Some(name) = stated.map(|stated| stated.value.trim_start_matches('@')) {
        let account =
            read.evidence().and_then(|evidence| evidence.accounts.values().find(|account| account.is_named(name)));
        behind.push(Deployer {
            user: name.to_owned(),
            phid: account.map(|account| account.phid.clone()),
            source: DeployerSource::Task,
        });
    }
    distinct(behind)
}

/// Notes in the record what is about to be run.
pub fn set_command(record: &mut Record, argv: &[String], hide: bool, context: &Context<'_>) {
    let (command, arguments_hidden) = shown_command(argv, hide, context);
    (record.command, record.arguments_hidden) = (Some(command), arguments_hidden);
}

/// A command as others are shown it: quoted, without secrets; or the program alone, where its arguments are hidden, and whether they are.
pub fn shown_command(argv: &[String], hide: bool, context: &Context<'_>) -> (String, bool) {
    let settings = context.record;
    let arguments_hidden = (hide || settings.hide_args) && argv.len() > 1;
    let shown = match arguments_hidden {
        true => argv.get(..1).unwrap_or_default().to_vec(),
        false => settings.mask.arguments(argv),
    };
    let quoted = shown.iter().map(|argument| record::mask::quote(argument)).collect::<Vec<_>>().join(" ");
    (quoted, arguments_hidden)
}

/// The comment that a record is. One that was checked before always is one.
///
/// # Errors
/// Where it is too long for a comment.
pub fn rendered(record: &Record) -> Result<Rendered, Refusal> {
    render(record)
        .map_err(|error| Refusal::usage(error.to_string(), "nothing was run, and nothing was written on the task"))
}

/// As whom the gate works, for the journal; without an owner where the server did not say whose token it is.
pub fn identity(owner: Option<&Account>, context: &Context<'_>) -> journal::Identity {
    journal::Identity {
        user: owner.map(|owner| owner.username.clone()),
        phid: owner.map(|owner| owner.phid.clone()),
        uid: context.caller.uid,
        login: context.caller.login.clone(),
    }
}

/// Refuses where nobody would believe the record: its author is neither the deployer nor a recorder.
pub fn author_may_write(evidence: &Evidence, record: &Record, context: &Context<'_>) -> Result<(), Refusal> {
    let owner = &evidence.owner;
    if is_believable(owner, record, context.policy) {
        return Ok(());
    }
    let deployer = record.deployer.as_ref().map_or("nobody", |deployer| deployer.user.as_str());
    let is_not = match context.policy.records {
        BelievedRecords::Deployers => format!("neither the deployer ({}) nor a recorder", crate::text::inert(deployer)),
        BelievedRecords::Recorders => "no recorder, and the policy believes nobody else (`policy.records`)".to_owned(),
    };
    Err(Refusal {
        kind: RefusalKind::Usage,
        message: format!("the token is that of {}, who is {is_not}: nobody would believe the record", owner.username),
        hint: Some("use the deployer's own token, or that of a recorder; recorders are `policy.recorders`".into()),
    })
}

/// A record that was queued while the server did not say whose token it is, with what is known now: the account of the
/// deployer who was named, or where nobody was, the owner of the token as which the same user of this machine sends it.
pub fn completed(record: &Record, intent: &journal::Intent, author: &Account, uid: u32) -> Record {
    let mut record = record.clone();
    match &mut record.deployer {
        _ if intent.identity.phid.is_some() => {}
        Some(deployer) if deployer.phid.is_none() && author.is_named(&deployer.user) => {
            deployer.phid = Some(author.phid.clone());
        }
        deployer @ None if intent.identity.uid == uid && !author.is_bot() => {
            let (user, phid) = (author.username.clone(), Some(author.phid.clone()));
            *deployer = Some(Deployer { user, phid, source: DeployerSource::Token });
        }
        _ => {}
    }
    record
}

/// The command that records by hand what a run could not: as the end of `started`, where that may be on the task.
pub(super) fn by_hand(task: TaskId, started: Option<DeployId>, end: &Record) -> String {
    let mut command = format!("phabgate record {task}");
    command.extend(started.map(|deploy| format!(" --deploy {deploy}")));
    let deployer = end.deployer.as_ref();
    // What ends a start takes over whose deploy it is.
    let deployer = deployer.filter(|deployer| started.is_none() && deployer.source == DeployerSource::Flag);
    command.extend(deployer.map(|deployer| format!(" --deployer {}", quote(&inert(&deployer.user)))));
    for (flag, time) in [("started", end.started), ("finished", end.finished)] {
        command.extend(time.map(|time| format!(" --{flag}={time}")));
    }
    let outcome = match end.outcome {
        Some(Outcome::NotStarted) | None => "unknown --note 'the command was not started'",
        Some(outcome) => outcome.word(),
    };
    command + &format!(" --outcome {outcome}")
}
