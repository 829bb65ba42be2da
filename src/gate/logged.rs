//! What the machine's own log gets of the gate: a line for each verdict, each start and end of a deploy, and all that was written.
//!
//! Responsible for the words and the fields of each line. A line holds no text of a task, no token, no argument that is masked, and
//! of a deploy of a restricted task not even the masked ones. Not responsible for the port ([`super::system_log`]).

use super::system_log::{LogEntry, LogPriority};
use super::{Assessment, Context};
use crate::evidence::{AnswerKind, Purpose};
use crate::ids::{DeployId, TaskId};
use crate::record::{Event, ExitStatus, Outcome, Record};
use crate::rules::{self, Decision};

/// A line about a task; `event` is what happened, in one word, and `words` the rest of the sentence.
fn about(context: &Context<'_>, priority: LogPriority, event: &'static str, task: TaskId, words: &str) -> LogEntry {
    let mut entry = LogEntry::new(priority, &format!("{task}: {words}"));
    entry.add("event", event);
    entry.add("task", &task.to_string());
    entry.add("caller", &context.caller.to_string());
    entry.add("server", context.server.as_str());
    entry
}

/// The verdict of `check` or `run`. The rules that stand against it are named, without what they say.
pub(super) fn verdict(context: &Context<'_>, purpose: Purpose, read: &Assessment) -> LogEntry {
    let command = if purpose == Purpose::Deploy { "run" } else { "check" };
    let word = read.verdict.decision.word();
    let priority = match read.verdict.decision {
        Decision::Allowed(_) => LogPriority::Notice,
        Decision::Pending => LogPriority::Info,
        Decision::Denied | Decision::Undecided => LogPriority::Warning,
    };
    let stands = |outcome: &rules::Outcome| !matches!(outcome, rules::Outcome::Pass | rules::Outcome::Warn);
    let against = read.verdict.rules.iter().filter(|rule| stands(&rule.outcome)).map(|rule| rule.name.as_str());
    let against = against.collect::<Vec<_>>().join(",");
    let caller = &context.caller;
    let because = if against.is_empty() { String::new() } else { format!(" ({against})") };
    let words = format!("{command} by {caller}: {word}{because}");
    let entry = about(context, priority, "verdict", read.number, &words);
    let entry = entry.with("command", command).with("verdict", word);
    if against.is_empty() { entry } else { entry.with("rules", &against) }
}

/// Somebody may not deploy on this machine, or not as this account.
pub(crate) fn refused(context: &Context<'_>) -> LogEntry {
    let caller = context.caller.to_string();
    let message = format!("refused: {caller} may not deploy on this machine, or not as this account");
    let mut entry = LogEntry::new(LogPriority::Warning, &message);
    entry.add("event", "refused");
    entry.add("caller", &caller);
    entry.add("server", context.server.as_str());
    entry
}

/// The command of a deploy is about to be started. `is_open` says that the task is surely not restricted.
pub(super) fn started(context: &Context<'_>, record: &Record, is_open: bool) -> LogEntry {
    let command = record.command.as_deref().filter(|_| is_open);
    let (caller, user) = (&context.caller, deployer(record));
    let shown = command.map(|command| format!(": {command}")).unwrap_or_default();
    let words = format!("started by {caller}, who deploys as {user}{shown}");
    let entry = about(context, LogPriority::Notice, "started", record.task, &words).deploy(record.deploy);
    let entry = entry.with("deployer", user).with("verdict", &record.verdict);
    command.map_or(entry.clone(), |command| entry.with("cmdline", command))
}

/// The command of a deploy ended, `None` where its end was not seen.
pub(super) fn ended(context: &Context<'_>, record: &Record, status: Option<ExitStatus>, outcome: Outcome) -> LogEntry {
    let how = match status {
        Some(ExitStatus::Code(code)) => format!("ended with status {code}"),
        Some(killed @ ExitStatus::Signal(_)) => killed.to_string(),
        None => "its end was not seen".to_owned(),
    };
    let priority = if outcome == Outcome::Succeeded { LogPriority::Notice } else { LogPriority::Warning };
    let entry = about(context, priority, "finished", record.task, &format!("{}: {how}", outcome.word()));
    let entry = entry.deploy(record.deploy).with("deployer", deployer(record)).with("outcome", outcome.word());
    match status {
        Some(ExitStatus::Code(code)) => entry.with("status", &code.to_string()),
        Some(ExitStatus::Signal(signal)) => entry.with("signal", &signal.to_string()),
        None => entry,
    }
}

/// A deploy was announced, and its command not started. Why is not said: it may be a text of the task, or the server's.
pub(super) fn not_started(context: &Context<'_>, record: &Record, verdict: Option<&str>) -> LogEntry {
    let words = match verdict {
        Some(verdict) => format!("the command was not started: the verdict became {verdict}"),
        None => "the command was not started".to_owned(),
    };
    let entry = about(context, LogPriority::Warning, "not-started", record.task, &words).deploy(record.deploy);
    let entry = entry.with("deployer", deployer(record)).with("outcome", Outcome::NotStarted.word());
    verdict.map_or(entry.clone(), |verdict| entry.with("verdict", verdict))
}

/// A deploy by other means was recorded, or one that was stranded was closed; `state` is where its record is.
pub(super) fn recorded(context: &Context<'_>, record: &Record, state: &str, verdict_now: &str) -> LogEntry {
    let (caller, event) = (&context.caller, record.event.word());
    let words = format!("`{event}` by {caller}, {state}; verdict {}", record.verdict);
    let entry = about(context, LogPriority::Notice, "recorded", record.task, &words).deploy(record.deploy);
    let entry = entry.with("record", event).with("state", state).with("deployer", deployer(record));
    let entry = entry.with("verdict", &record.verdict).with("verdict_now", verdict_now);
    record.outcome.map_or(entry.clone(), |outcome| entry.with("outcome", outcome.word()))
}

/// An answer is on the task.
pub(super) fn answered(context: &Context<'_>, task: TaskId, kind: AnswerKind, team: &str, user: &str) -> LogEntry {
    let (event, did) = match kind {
        AnswerKind::Approve => ("approve", "approved"),
        AnswerKind::Withdraw => ("withdraw", "withdrew"),
        AnswerKind::Reject => ("reject", "rejected"),
    };
    let words = format!("{did} for {team} by {}, who is {user} there", context.caller);
    about(context, LogPriority::Notice, event, task, &words).with("team", team).with("user", user)
}

/// An emergency was opened, or what it states was changed.
pub(super) fn requested(context: &Context<'_>, task: TaskId) -> LogEntry {
    let words = format!("an emergency is stated by {}", context.caller);
    about(context, LogPriority::Notice, "request", task, &words)
}

/// A record was given up.
pub(super) fn dropped(context: &Context<'_>, task: TaskId, deploy: DeployId, event: Event) -> LogEntry {
    let words = format!("`{}` of deploy {deploy} is given up by {}", event.word(), context.caller);
    let entry = about(context, LogPriority::Warning, "drop", task, &words);
    entry.deploy(deploy).with("record", event.word())
}

fn deployer(record: &Record) -> &str {
    record.deployer.as_ref().map_or("nobody known", |deployer| deployer.user.as_str())
}
