//! The use cases: what the gate does for whoever calls it, a person at a terminal or a service.
//!
//! Responsible for the order of the steps of each: reading a task and judging it, waiting for a decision, recording a deploy and
//! delivering what is due. A use case works with a [`Context`], says what it does on the way through [`Progress`], and ends with a
//! value or a [`Refusal`]. Nothing here knows of arguments or terminals, or of an exit code but that of the deployed command. Not responsible for what is decided
//! ([`crate::rules`]), for how a thing is posted once ([`crate::publish`]), nor for the words of pages ([`crate::cli`]).

pub mod announced;
pub mod answer;
mod assess;
pub mod changes;
pub mod closing;
pub mod conductor;
pub mod deliver;
pub mod emergencies;
pub mod heard;
pub(crate) mod invocation;
pub(crate) mod logged;
mod news;
pub mod objections;
pub mod outbox;
pub mod ran;
pub mod record;
pub mod recording;
mod refusal;
pub mod remote;
pub mod request;
pub mod run;
mod run_left;
pub mod share;
pub mod stated_times;
pub mod stranded;
pub mod system_log;
mod wait;
mod watch;

pub use assess::{AskersVerdict, Assessment, Assessor, Task, local_deploys, marks};
pub use invocation::Invocation;
pub use refusal::{Refusal, RefusalKind};
pub use system_log::SystemLog;
pub use wait::LONGEST_WAIT;

use std::path::Path;
use std::time::Duration;

use url::Url;

use crate::conduit::Client;
use crate::config::RecordSettings;
use crate::host::Caller;
use crate::ids::TaskId;
use crate::policy::Policy;
use crate::rules::Texts;

/// What every use case works with.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Who is asked, with the token of who asks.
    pub client: &'a Client,
    /// By what is judged.
    pub policy: &'a Policy,
    /// The server as it is named to people and in the journal.
    pub server: &'a Url,
    /// The state directory, whose journal knows of other deploys of a task on this host.
    pub state: &'a Path,
    /// How long one reading of a task may take.
    pub limit: Duration,
    /// How long after an unclear answer an attempt to write may still be carried out.
    pub settle: Duration,
    /// What is kept out of records.
    pub record: &'a RecordSettings,
    /// Who called, on this host.
    pub caller: &'a Caller,
    /// The accounts that this host's users may deploy as.
    pub deployers: &'a [String],
    /// Whose clock the evidence is judged by.
    pub clock: Clock,
    /// How the caller types commands of the gate.
    pub invocation: Invocation,
    /// Whether who asks is shown texts of a restricted task.
    pub texts: Texts,
    /// The log of this machine.
    pub log: &'a dyn SystemLog,
}

impl Context<'_> {
    /// The client, for as long as one reading may take.
    pub fn timed_client(&self) -> Client {
        self.client.within(self.limit)
    }
}

/// What is made of a host's clock that differs from the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// It is evidence like the rest.
    Compared,
    /// Nothing: the server is the sandbox, whose clock is not that of the world outside.
    Sandbox,
}

/// Where a use case says what it does on the way, for people: each call is one line.
pub trait Progress {
    /// Says what is being done.
    fn note(&mut self, text: &str);
    /// Says that something should be looked at.
    fn warn(&mut self, text: &str);
    /// Says what to do next.
    fn hint(&mut self, text: &str);
    /// Says what is waited for, in a line that takes the place of the one before and goes with `None`; nothing where nobody would
    /// see that.
    fn status(&mut self, _text: Option<&str>) {}
}

/// What comes next after a command that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    /// The rollback.
    RollBack,
    /// The rollback, once nobody says no any more: a no stops it as it stops everything else.
    RollBackOnceNobodyObjects,
    /// It was the rollback: those who approved it have to know.
    Report,
}

/// Where a deploy says what it does.
pub trait RunProgress: Progress {
    /// Says why something went wrong.
    fn error(&mut self, refusal: &Refusal);
    /// Says that the command failed, and how.
    fn failed(&mut self, task: TaskId, how: &str);
    /// Says at once what speaks against the deploy whose command runs, as it was read on the task.
    fn objected(&mut self, task: TaskId, objection: &objections::Objection);
    /// Says what comes next.
    fn next(&mut self, next: AfterFailure);
    /// Shows the reading on which the command was not started.
    fn stopped(&mut self, assessment: &Assessment);
    /// Shows what to write on the task by hand.
    fn by_hand(&mut self, comment: &str);
}
