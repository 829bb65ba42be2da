//! The command that comes next, as the last line of a screen.
//!
//! Responsible for which one it is after a verdict, with the options that were given, as the caller has to type it. Not responsible for
//! how the gate was called ([`Invocation`]), nor for the hints of rules.

use std::borrow::Cow;

use super::TaskSubject;
use super::may_run::MayRun;
use crate::gate::{AfterFailure, Invocation};
use crate::ids::TaskId;
use crate::layout::{HINT, styled};
use crate::policy::Action;
use crate::record::mask::quote;
use crate::rules::{Decision, Outcome, Verdict};
use crate::text::inert;

/// The command that comes next, and when it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Next {
    when: Cow<'static, str>,
    command: String,
}

/// Nothing has to happen before.
pub(super) const NOW: &str = "Next";
/// The line where nothing comes next.
pub(super) const NOTHING: &str = "Nothing is to be done.\n";
/// Something has to happen before, which the rules say.
pub(super) const MENDED: &str = "Once that is mended";

impl Next {
    /// A command without `phabgate`, as it is typed here.
    pub(super) fn new(when: impl Into<Cow<'static, str>>, words: &str, invocation: Invocation) -> Self {
        Self { when: when.into(), command: invocation.command(words) }
    }

    /// The line; it is not wrapped, so that it can be copied.
    pub(super) fn text(&self) -> String {
        format!("{}: {}\n", self.when, styled(HINT, &self.command))
    }

    /// The answer that is missing, in the sandbox, where nobody else gives it.
    pub(super) fn answer_in_sandbox(task: TaskId, verdict: &Verdict, invocation: Invocation) -> Option<Self> {
        let pending = Some(verdict).filter(|verdict| verdict.decision == Decision::Pending)?;
        Some(Self::new(NOW, &answer_in_sandbox(task, pending, invocation)?, invocation))
    }

    /// What comes after `check`; `last_failed` says that the last deploy of the task failed, and was not rolled back since.
    pub(super) fn after_check(
        task: TaskId,
        verdict: &Verdict,
        subject: &TaskSubject,
        last_failed: bool,
        may_run: &MayRun,
        invocation: Invocation,
    ) -> Self {
        if let Decision::Allowed(_) = &verdict.decision {
            return match last_failed && subject.action.is_none() {
                true => Self::rollback(task, subject, invocation),
                false => Self::to_run(task, subject, may_run, invocation),
            };
        }
        let typed = format!("{task}{}", subject.typed());
        let (again, wait) = (format!("check {typed}"), format!("check {typed} --wait"));
        let (when, words) = unless_allowed(task, verdict, invocation, again, wait);
        Self::new(when, &words, invocation)
    }

    /// What comes where a deploy is allowed: who reads runs it, or somebody else, who need not be named to themselves.
    pub(super) fn to_run(task: TaskId, subject: &TaskSubject, may_run: &MayRun, invocation: Invocation) -> Self {
        let (when, subject) = match may_run {
            MayRun::Reader { .. } => (Cow::Borrowed(NOW), subject.naming(may_run)),
            MayRun::SomebodyElse(name) => {
                let who = name.as_deref().unwrap_or("Who deploys");
                (format!("{who} can type").into(), TaskSubject { deployer: None, ..subject.clone() })
            }
        };
        Self::new(when, &format!("run {task}{} -- COMMAND", subject.typed()), invocation)
    }

    /// What comes after a `run` that was refused; `command` is what was typed behind the task and its options.
    pub(super) fn after_run(
        task: TaskId,
        verdict: &Verdict,
        subject: &TaskSubject,
        may_run: &MayRun,
        command: &str,
        invocation: Invocation,
    ) -> Self {
        let typed = format!("{task}{}", subject.naming(may_run).typed());
        let (again, wait) = (format!("run {typed} {command}"), format!("run {typed} --wait {command}"));
        let (when, words) = match (may_run, failed(verdict).as_slice()) {
            // It is all that was missing.
            (MayRun::Reader { names: Some(_) }, ["deployer"]) => (NOW, again),
            _ => unless_allowed(task, verdict, invocation, again, wait),
        };
        Self::new(when, &words, invocation)
    }

    /// What comes after a deploy that failed, once the task is looked at again.
    pub(super) fn rollback(task: TaskId, subject: &TaskSubject, invocation: Invocation) -> Self {
        Self::after_failure(AfterFailure::RollBack, task, subject, invocation)
    }

    /// What comes after a command that failed.
    pub(super) fn after_failure(
        next: AfterFailure,
        task: TaskId,
        subject: &TaskSubject,
        invocation: Invocation,
    ) -> Self {
        let action = Some(Action::Rollback);
        let subject = TaskSubject { action, change: None, why_not_rollback: None, ..subject.clone() };
        let rollback = format!("run {task}{} -- COMMAND", subject.typed());
        match next {
            AfterFailure::RollBack => Self::new("To roll back", &rollback, invocation),
            AfterFailure::RollBackOnceNobodyObjects => {
                Self::new("To roll back, once nobody says no any more", &rollback, invocation)
            }
            AfterFailure::Report => {
                Self::new("The rollback failed: tell its approvers; next", &format!("history {task}"), invocation)
            }
        }
    }

    /// What comes where a task was closed as a duplicate of another.
    pub(super) fn of_duplicate(other: TaskId, invocation: Invocation) -> Self {
        Self::new("It was closed as a duplicate; next", &format!("check {other}"), invocation)
    }
}

/// What comes next where a deploy is not allowed: `again` is the same command once more, `wait` the same that waits.
fn unless_allowed(
    task: TaskId,
    verdict: &Verdict,
    invocation: Invocation,
    again: String,
    wait: String,
) -> (&'static str, String) {
    match &verdict.decision {
        Decision::Pending => (NOW, answer_in_sandbox(task, verdict, invocation).unwrap_or(wait)),
        Decision::Denied => match mended_by(task, verdict, invocation, wait) {
            Some(words) => (NOW, words),
            None => (MENDED, again),
        },
        Decision::Allowed(_) | Decision::Undecided => (MENDED, again),
    }
}

/// In the sandbox nobody comes whom one could wait for: one answers as a member of the team that is missing.
fn answer_in_sandbox(task: TaskId, verdict: &Verdict, invocation: Invocation) -> Option<String> {
    let team = verdict.missing_teams().next().filter(|_| invocation.is_sandbox())?;
    Some(format!("approve {task} --team {} --yes", team.team))
}

/// The command that mends a denied verdict, where one does.
fn mended_by(task: TaskId, verdict: &Verdict, invocation: Invocation, wait: String) -> Option<String> {
    match failed(verdict).as_slice() {
        ["task-visible", ..] => Some(format!("doctor --task {task}")),
        // In the sandbox one takes back what its author would.
        ["possible-no"] if invocation.is_sandbox() => Some(format!("withdraw {task} --yes")),
        ["possible-no"] => Some(wait),
        ["tag" | "reason"] | ["tag", "reason"] => Some(format!("request {task} --reason CATEGORY what is broken")),
        _ => None,
    }
}

/// The rules that a verdict finds broken.
fn failed(verdict: &Verdict) -> Vec<&str> {
    verdict.rules.iter().filter(|rule| rule.outcome == Outcome::Fail).map(|rule| rule.name.as_str()).collect()
}

impl TaskSubject {
    /// The same with the deployer that has to be named.
    fn naming(&self, may_run: &MayRun) -> Self {
        match may_run {
            MayRun::Reader { names: Some(name) } => Self { deployer: Some(name.clone()), ..self.clone() },
            _ => self.clone(),
        }
    }

    /// The options as they are typed, each behind a blank.
    pub(super) fn typed(&self) -> String {
        let mut words = String::new();
        let mut option = |flag: &str, value: Option<&str>| {
            if let Some(value) = value {
                // What a terminal would act on is not repeated: it is typed again.
                let shown = if inert(value) == value { quote(value) } else { flag.to_uppercase() };
                words.push_str(&format!(" --{flag} {shown}"));
            }
        };
        option("deployer", self.deployer.as_deref());
        for approved in &self.approved_by {
            option("approved-by", Some(approved));
        }
        option("evidence", self.evidence.as_deref());
        option("action", self.action.map(Action::word));
        option("change", self.change.as_deref());
        option("why-not-rollback", self.why_not_rollback.as_deref());
        if self.show_restricted {
            words.push_str(" --show-restricted");
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_typed_again() {
        let subject = TaskSubject {
            change: Some("I1\n\nNext: phabgate run T1 -- rm\u{1b}[31m\u{202e}".into()),
            deployer: Some("it's $(id)".into()),
            ..TaskSubject::default()
        };
        assert_eq!(subject.typed(), r" --deployer 'it'\''s $(id)' --change CHANGE");
    }
}
