//! What the journal remembers: the events of one deploy, each a fact that was known at one instant.
//!
//! Responsible for the events as data, and how one is written as a row. Not responsible for which may follow which (the
//! [state](super::state) knows) and where they are kept. A new kind of event, or a new meaning of an old one, needs a
//! new version of the schema: an older gate must refuse the journal, not skip what it does not know.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::ids::{Phid, Project, Task, TaskId, TransactionId, User, Xact};
use crate::record::{self, ExitStatus, Outcome, Record};

/// One fact about a deploy, and when it became known by the clock of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it was known.
    pub at: Timestamp,
    /// What was known.
    pub what: EventKind,
}

/// What an event says: a step of the deploy, or of the way of one of its records to the task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// Written by the process that owns the deploy, or by the one that recovers it.
    Step(Step),
    /// Written by whoever holds the outbox.
    Delivery(Delivery),
}

/// Whether the gate runs the deploy or writes down one that was made by other means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeployMode {
    /// `run`: records `started` and `finished`.
    Run,
    /// `record`: a record `recorded`, or the `finished` of a deploy that was stranded on another host.
    Record,
}

/// As whom the gate works, for whoever reads the journal after an accident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The username of the token's owner; `None` where the server did not answer.
    pub user: Option<String>,
    /// The account of the token's owner; `None` as for the name.
    pub phid: Option<Phid<User>>,
    /// The real user id that called the gate.
    pub uid: u32,
    /// The login name that called the gate, through sudo too, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
}

/// What distinguishes a server from another one behind the same URL: objects of it by their PHIDs, which no two servers
/// share. The account is in [`Identity::phid`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerMarks {
    /// The task; `None` where it was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Phid<Task>>,
    /// The project of the tag that marks an emergency; `None` where it was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Phid<Project>>,
}

impl ServerMarks {
    /// Whether these are surely the marks of another server: an object that both name is not the same one.
    pub fn is_other(&self, found: &Self) -> bool {
        fn differ<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
            one.zip(other).is_some_and(|(one, other)| one != other)
        }
        differ(self.task.as_ref(), found.task.as_ref())
    }
}

/// What is about to be done; written before anything is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Run or record.
    #[serde(rename = "way")]
    pub mode: DeployMode,
    /// The task.
    pub task: TaskId,
    /// The server that the task is on: a task's number means nothing on another.
    pub server: Url,
    /// All of the record that is known before; the records that recovery writes are made from it. Its event and
    /// outcome mean nothing.
    pub template: Box<Record>,
    /// As whom.
    pub identity: Identity,
    /// What the server is known by besides its URL. Journals of before hold none.
    #[serde(default)]
    pub marks: ServerMarks,
}

/// A step of the deploy itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Step {
    /// The first event of every deploy.
    Intent(Box<Intent>),
    /// A record is due on the task.
    Queued {
        /// The whole record; the comment's text is made from it when it is sent.
        record: Box<Record>,
    },
    /// The command is started right after this.
    Spawning,
    /// The command runs.
    Spawned {
        /// Its process id.
        pid: u32,
    },
    /// The command was surely not started.
    NotSpawned {
        /// The reason, in words.
        why: String,
    },
    /// The command ended; the event's time is when.
    Exited {
        /// With this status.
        status: ExitStatus,
    },
    /// The gate was found to be gone, and the journal does not hold how the deploy ended. Written once, by whoever sees it
    /// first.
    OwnerGone {
        /// The instant from which a read of the task that finds no end of the deploy settles that nobody else has put
        /// one there.
        settle_at: Timestamp,
    },
    /// An end of the deploy was read on the task, which somebody else put there.
    EndedElsewhere(EndElsewhere),
    /// The gate has nothing more to add; its records may still be on their way.
    Closed,
}

/// The end of a deploy as somebody else put it on the task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndElsewhere {
    /// `finished` or `recorded`.
    pub event: record::Event,
    /// How it ended, as they say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The comment's transaction.
    pub transaction: TransactionId,
    /// Who wrote it, a PHID.
    pub author: String,
}

/// Why a record is given up that is not on its task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GivenUp {
    /// The server refused it.
    Refused,
    /// Its server is not there any more, or another one is in its place.
    ServerGone,
    /// Its task is not there any more, or is hidden.
    TaskGone,
}

/// A step of one record on its way to the task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Delivery {
    /// The record is sent right after this. From here until another event settles it nobody knows whether it arrived.
    Sending {
        /// Which record.
        event: record::Event,
        /// Whose token sends it: the account whose comments a read-back looks through.
        author: Phid<User>,
        /// Where it is sent.
        server: Url,
        /// The instant from which a read of the task that does not find it proves that it will not come any more.
        settle_at: Timestamp,
    },
    /// The attempt surely did nothing: no connection, or a refusal that proves that the server did not act.
    NotSent {
        /// Which record.
        event: record::Event,
        /// The error, in words, without tokens.
        why: String,
    },
    /// The answer to the attempt did not say whether it arrived. The attempt was unclear already; now it is known until
    /// when it was being sent, which is later than planned where the gate was stopped in between.
    Unclear {
        /// Which record.
        event: record::Event,
        /// The error, in words, without tokens.
        why: String,
        /// The instant from which the attempt is settled, counted from its answer; never earlier than was planned. An
        /// answer that [ends](ServerAnswer::ends_the_attempt) the attempt settles it at this event's time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        settle_at: Option<Timestamp>,
        /// What the answer was.
        #[serde(default, skip_serializing_if = "ServerAnswer::is_unclear")]
        answer: ServerAnswer,
    },
    /// A read of all pages of the task's comments did not find it, and the attempt is too old to arrive still.
    Missing {
        /// Which record.
        event: record::Event,
        /// When that read was begun.
        read_at: Timestamp,
    },
    /// The attempt was refused, and a read of the task that was begun once it was settled does not find the record. It is
    /// not sent again before the task looks otherwise than that read saw it, or somebody asks for it.
    Refused {
        /// Which record.
        event: record::Event,
        /// When that read was begun.
        read_at: Timestamp,
        /// How that read saw the task.
        seen: TaskSeen,
    },
    /// Somebody gave the record up. It stays in the journal, and is not sent any more.
    Dropped {
        /// Which record.
        event: record::Event,
        /// What allows it.
        because: GivenUp,
        /// Their reason, in words.
        why: String,
        /// The login that gave it up, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        login: Option<String>,
    },
    /// The record was read on the task.
    Delivered {
        /// Which record.
        event: record::Event,
        /// The comment's transaction.
        transaction: TransactionId,
        /// The PHID of that transaction.
        phid: Phid<Xact>,
    },
}

/// What the answer to an attempt was, where a read of the task has to settle whether it was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerAnswer {
    /// Nothing certain: the attempt may have been carried out, or may yet be.
    #[default]
    Unclear,
    /// An error of the server's own that another attempt may not meet: a deadlock or a lock wait, whose transaction was
    /// rolled back, or a database that was not reached.
    RolledBack,
    /// An error of the server's own, for another reason.
    Refused,
    /// A refusal by something in front of the server (HTTP 413, 403, a redirect). Whether the server has the attempt it does
    /// not say.
    Filtered,
}

impl ServerAnswer {
    /// Whether nothing can be carried out any more once this answer was given.
    pub fn ends_the_attempt(self) -> bool {
        matches!(self, Self::RolledBack | Self::Refused)
    }

    /// Whether the same attempt would most likely be answered in the same way.
    pub fn is_refusal(self) -> bool {
        matches!(self, Self::Refused | Self::Filtered)
    }

    fn is_unclear(&self) -> bool {
        *self == Self::Unclear
    }
}

/// How a task looked when it was read: whether it changed since shows whether what was refused may be tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSeen {
    /// The value of its status, such as `open`.
    pub status: String,
    /// When it was last changed, by the server's clock (`dateModified`).
    pub modified: Timestamp,
}

impl Step {
    /// The name of its kind, as the journal writes it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Intent(_) => "intent",
            Self::Queued { .. } => "queued",
            Self::Spawning => "spawning",
            Self::Spawned { .. } => "spawned",
            Self::NotSpawned { .. } => "not-spawned",
            Self::Exited { .. } => "exited",
            Self::OwnerGone { .. } => "owner-gone",
            Self::EndedElsewhere(_) => "ended-elsewhere",
            Self::Closed => "closed",
        }
    }
}

impl Delivery {
    const KINDS: [&str; 7] = ["sending", "not-sent", "unclear", "missing", "refused", "dropped", "delivered"];

    /// The name of its kind, as the journal writes it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sending { .. } => "sending",
            Self::NotSent { .. } => "not-sent",
            Self::Unclear { .. } => "unclear",
            Self::Missing { .. } => "missing",
            Self::Refused { .. } => "refused",
            Self::Dropped { .. } => "dropped",
            Self::Delivered { .. } => "delivered",
        }
    }

    /// The record that it speaks of.
    pub fn event(&self) -> record::Event {
        match self {
            Self::Sending { event, .. }
            | Self::NotSent { event, .. }
            | Self::Unclear { event, .. }
            | Self::Missing { event, .. }
            | Self::Refused { event, .. }
            | Self::Dropped { event, .. }
            | Self::Delivered { event, .. } => *event,
        }
    }
}

impl From<Step> for EventKind {
    fn from(step: Step) -> Self {
        Self::Step(step)
    }
}

impl From<Delivery> for EventKind {
    fn from(delivery: Delivery) -> Self {
        Self::Delivery(delivery)
    }
}

impl Event {
    /// What was known at an instant.
    pub fn new(at: Timestamp, what: impl Into<EventKind>) -> Self {
        Self { at, what: what.into() }
    }

    /// The name of its kind, as the journal writes it.
    pub fn kind(&self) -> &'static str {
        match &self.what {
            EventKind::Step(step) => step.kind(),
            EventKind::Delivery(delivery) => delivery.kind(),
        }
    }

    /// The JSON of its row.
    pub(super) fn to_data(&self) -> Result<String, serde_json::Error> {
        match &self.what {
            EventKind::Step(step) => serde_json::to_string(step),
            EventKind::Delivery(delivery) => serde_json::to_string(delivery),
        }
    }

    /// Reads a row back.
    pub(super) fn from_data(at: Timestamp, kind: &str, data: &str) -> Result<Self, serde_json::Error> {
        let what = if Delivery::KINDS.contains(&kind) {
            EventKind::Delivery(serde_json::from_str(data)?)
        } else {
            EventKind::Step(serde_json::from_str(data)?)
        };
        let event = Self { at, what };
        if event.kind() != kind {
            return Err(serde::de::Error::custom(format!("the row says {kind:?}, its data {:?}", event.kind())));
        }
        Ok(event)
    }
}
