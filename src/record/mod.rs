//! The record: the comment that says who approved a deploy, when it ran, what ran and how it ended.
//!
//! Responsible for the record as data; beside it are its bounds, how it reads on the task and how it is read back. Not
//! responsible for when a record is due (the journal knows) and how it gets onto the task exactly once.

pub mod bounds;
pub mod comment;
pub mod like;
pub mod mask;
pub mod parse;
pub mod share;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::attribution::{ApprovalKind, DeployerSource};
use crate::ids::{DeployId, Phid, Project, TaskId, TransactionId, User};

/// The schema that the machine-readable block of a record names; fields are only ever added under one schema.
pub const SCHEMA: &str = "phabgate/record/1";

/// What a record says has happened. (deploy id, event) names a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The gate is about to start the command.
    Started,
    /// The command has ended, or it is known that it never ran, or its end is unknown.
    Finished,
    /// A deploy by other means, recorded afterwards.
    Recorded,
}

impl Event {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Finished => "finished",
            Self::Recorded => "recorded",
        }
    }
}

/// How a deploy ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It did what it was meant to do.
    Succeeded,
    /// It did not.
    Failed,
    /// It was undone.
    RolledBack,
    /// Nobody saw how it ended.
    Unknown,
    /// The gate stopped before the command ran.
    NotStarted,
}

impl Outcome {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::RolledBack => "rolled-back",
            Self::Unknown => "unknown",
            Self::NotStarted => "not-started",
        }
    }
}

/// How a command ended, as `wait(2)` returns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExitStatus {
    /// It exited with this status.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
}

impl fmt::Display for ExitStatus {
    /// In words: "exit status 3", "killed by SIGTERM".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(number) => match signal_name(number) {
                Some(name) => write!(f, "killed by {name}"),
                None => write!(f, "killed by signal {number}"),
            },
        }
    }
}

/// The name of a signal that ends processes, by its number on Linux.
fn signal_name(number: i32) -> Option<&'static str> {
    Some(match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return None,
    })
}

/// An account that could be behind the deploy, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployer {
    /// The username.
    pub user: String,
    /// The account, where it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phid: Option<Phid<User>>,
    /// How it is known.
    pub source: DeployerSource,
}

/// The reason as it was when the record was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedReason {
    /// The key of the category in the policy.
    pub category: String,
    /// The words after it; left out of restricted tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
}

/// An approval that the deploy rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedApproval {
    /// The key of the team in the policy.
    pub team: String,
    /// The approver's username.
    pub user: String,
    /// When the approval was given, by the server's clock.
    pub time: Timestamp,
    /// Verified or attested.
    pub kind: ApprovalKind,
    /// The transaction that holds a verified approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<TransactionId>,
    /// The approver's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phid: Option<Phid<User>>,
    /// The project that backed the team when the record was written: who was a member of it then is believed of no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Phid<Project>>,
    /// Where an attested approval can be looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// Whose clock the gate measured the times of a record by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// The server's: the host's clock, corrected by what it was off when the server was last asked.
    Server,
    /// The host's own: no reply of the server had shown what it is off by.
    Host,
}

/// What is known of a text of a record that was too long for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The field that holds the start of the text.
    pub field: String,
    /// How long the whole text is, secrets masked, in bytes of UTF-8.
    pub bytes: u64,
    /// The SHA-256 of the whole text, secrets masked, in hexadecimal digits; none of a command whose arguments are hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// One record, as its machine-readable block holds it: what people look for first comes first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: String,
    /// What has happened.
    pub event: Event,
    /// The command, shell-quoted, secrets masked; `None` where it is hidden or unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The command had arguments that are not recorded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub arguments_hidden: bool,
    /// When the command started, by the clock that [`Record::clock`] names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The status that the command ended with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<ExitStatus>,
    /// The approvals that counted.
    #[serde(default)]
    pub approvals: Vec<RecordedApproval>,
    /// Who deployed; `None` where a deploy by other means was recorded without a known deployer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployer: Option<Deployer>,
    /// Every other account that could be behind the deploy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub behind: Vec<Deployer>,
    /// The accounts that could make the pipeline run which deployed; none where a person typed the command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pipeline: Vec<Deployer>,
    /// The login on the host of who typed the command, through sudo too; `uid N` where the host has no name for it.
    /// Records of gates that did not write it down have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The machine that the gate ran on.
    pub host: String,
    /// Why it could not wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<RecordedReason>,
    /// `fix`, `rollback`, `config` or `on-wiki-edit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// What is deployed: a Gerrit change, a commit. Secrets are masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// What the deployer adds. Secrets are masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Teams that are informed and asked nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub informed: Vec<String>,
    /// `allowed`, `pending`, `denied` or `undecided`.
    pub verdict: String,
    /// Names of the rules that kept the verdict from `allowed`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
    /// The digest of the policy that judged it.
    pub policy: String,
    /// The task that it stands on.
    pub task: TaskId,
    /// The deploy that it speaks of.
    pub deploy: DeployId,
    /// The transaction of the record `started` of this deploy, where that was on the task when this one was written: what it
    /// says to people is not said again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<TransactionId>,
    /// In `started` of a deploy that is shared: the [commitment](share::Commitment) of its secret, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
    /// A fire drill, not an emergency.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drill: bool,
    /// Whose clock its times are by, where the gate measured them; `None` where people stated them, and in records of
    /// gates that knew the host's clock alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Clock>,
    /// How many records this host gave up on before it wrote this one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u64,
    /// The texts of which only the start is here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<Cut>,
    /// The version of phabgate that wrote it.
    pub version: String,
}

/// The action of a deploy that goes back to what ran before.
const ROLLBACK: &str = "rollback";

/// How a record names a pipeline that called the gate with this token.
pub fn caller_of_token(token: &str) -> String {
    format!("token {token}")
}

/// The token of a pipeline that a record names as its caller.
pub fn token_of_caller(caller: &str) -> Option<&str> {
    caller.strip_prefix("token ")
}

impl Record {
    /// Whether it is stated to go back to what ran before.
    pub fn is_rollback(&self) -> bool {
        self.action.as_deref().is_some_and(|action| action.trim().eq_ignore_ascii_case(ROLLBACK))
    }

    /// Whether the phabgate that wrote it reads what people write beside the letter, and so knew what reads as a no. It does
    /// from version 0.2 on; a version that is none is taken for one that does.
    pub fn knows_possible_noes(&self) -> bool {
        let mut numbers = self.version.split('.').map(str::parse::<u32>);
        !matches!((numbers.next(), numbers.next()), (Some(Ok(0)), Some(Ok(0 | 1))))
    }
}

/// A count of nothing is left out. By reference, as serde asks.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
