//! What the watch knows and must not forget.
//!
//! Responsible for the port, [`Store`]: which store it is, how far the feed was read, which tasks wait to be looked at, what is known
//! of each notice and each page, and which approvals counted. The blocks on the tasks are the truth of what was said; what is here keeps what is under
//! way from being said twice. A store is a [`DeployLog`] too, so that records and notices share one right to send. Not responsible for
//! when anything is done.

mod deploy_log;
mod paging;
mod schema;
mod spoken;
mod sqlite;

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::sqlite::SqliteStore;
use crate::ids::{DeployId, Phid, Task, TaskId, TransactionId};
use crate::journal::{DeployLog, JournalError, ServerAnswer};
use crate::notice::{NoticeKey, StoreId};
use crate::paging::Ack;
use crate::safe_path::PathError;
use crate::serve::paging::{Kept, PageRow, Slot};
use crate::serve::witnessing::{OpenWord, SpokenState, SpokenWord, Unwritten};

/// Why what the watch knows cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Its directory is not what only this user can change and read.
    #[error("cannot use the state directory: {0}")]
    Unsafe(#[from] PathError),
    /// The file cannot be used.
    #[error("cannot {doing} {path}: {source}")]
    Sqlite {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A newer program wrote it.
    #[error("{path} has version {found}, newer than the {known} that this program knows; update phabgate")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Something in it makes no sense.
    #[error("{path} is damaged: {reason}; move it aside: what was said is read from the tasks")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The journal of records beside it cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Its lock cannot be had.
    #[error("cannot lock {path}: {source}; see that its directory can be written to")]
    Lock {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process serves from it.
    #[error("another `phabgate serve` uses {path}; end it first")]
    InUse {
        /// The file.
        path: PathBuf,
    },
}

/// What a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its name in notices.
    pub id: StoreId,
    /// When it was made, by the host's clock: of episodes from before that nothing is said.
    pub first_start: Timestamp,
}

/// What is known of a notice that was planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeState {
    /// It surely is not on the task, and may be sent.
    Absent,
    /// It was sent, and nobody knows whether it was written.
    Unclear {
        /// When it was sent, by the host's clock.
        sent: Timestamp,
        /// From when a read settles it.
        settle_at: Timestamp,
        /// What was answered.
        answer: ServerAnswer,
        /// How many reads since then did not find it.
        reads: u32,
    },
    /// It is on the task; also where its text was removed since.
    Said {
        /// The transaction that holds it.
        transaction: TransactionId,
        /// When it was found there, by the host's clock.
        at: Timestamp,
    },
    /// Nobody ever found it, or the server refused it: it is not sent again, since a missing notice is better than two.
    GivenUp {
        /// When, by the host's clock.
        at: Timestamp,
    },
}

/// An approval that was seen to count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CountedApproval {
    /// The transaction that holds it.
    pub transaction: TransactionId,
    /// The key of the team.
    pub team: String,
    /// The approver's username.
    pub user: String,
}

/// A deploy that a pipeline carries out, as the service keeps it beside the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteDeploy {
    /// The deploy.
    pub deploy: DeployId,
    /// The task.
    pub task: TaskId,
    /// The name of the token that asked for it, which alone may end it.
    pub token: String,
    /// The key by which that token asks again for the same.
    pub key: String,
    /// The SHA-256 of what was asked, in hexadecimal.
    pub asked: String,
    /// For how many seconds it may stay silent.
    pub silence: u64,
    /// Until when, by the host's clock.
    pub expires: Timestamp,
    /// How it ended, as whoever said so first said it; `None` while it is open.
    pub ended: Option<String>,
}

/// Where the watch keeps what it knows. What a call changes is durable when it returns.
///
/// # Errors
/// Each call fails where what is kept cannot be read or written, and says where.
#[allow(clippy::missing_errors_doc)]
pub trait Store: DeployLog + Send + 'static {
    /// The journal of one deploy.
    type Log: DeployLog + std::fmt::Debug + Send + 'static;

    /// Which store it is.
    fn identity(&self) -> &Identity;
    /// The transaction up to which the feed was read; `None` before the first reading.
    fn cursor(&self) -> Result<Option<TransactionId>, StoreError>;
    /// Moves the cursor, and notes in the same transaction that these tasks wait to be looked at.
    fn advance(&mut self, cursor: TransactionId, tasks: &[Phid<Task>]) -> Result<(), StoreError>;
    /// Notes that these tasks wait to be looked at.
    fn wake(&mut self, tasks: &[Phid<Task>]) -> Result<(), StoreError>;
    /// The tasks that wait to be looked at.
    fn waiting(&self) -> Result<Vec<Phid<Task>>, StoreError>;
    /// These were looked at.
    fn looked_at(&mut self, tasks: &[Phid<Task>]) -> Result<(), StoreError>;
    /// Takes so many numbers of the sequence, and returns the first of them. None is ever given twice.
    fn take_sequence(&mut self, many: u64) -> Result<u64, StoreError>;
    /// What is known of the notices of a task since a time, by the host's clock; those that are not said among them.
    fn notices(&self, task: TaskId) -> Result<Vec<(NoticeKey, NoticeState)>, StoreError>;
    /// Sets what is known of a notice.
    fn set_notice(&mut self, key: &NoticeKey, state: &NoticeState) -> Result<(), StoreError>;
    /// The approvals that were seen to count in an episode.
    fn counted(&self, task: TaskId, episode: TransactionId) -> Result<BTreeSet<CountedApproval>, StoreError>;
    /// Adds such approvals.
    fn add_counted(
        &mut self,
        task: TaskId,
        episode: TransactionId,
        approvals: &[CountedApproval],
    ) -> Result<(), StoreError>;
    /// Keeps a deploy of a pipeline, unless its token asked by this key before: that one is returned then.
    fn add_remote(&mut self, remote: &RemoteDeploy) -> Result<Option<RemoteDeploy>, StoreError>;
    /// A deploy of a pipeline.
    fn remote(&self, deploy: DeployId) -> Result<Option<RemoteDeploy>, StoreError>;
    /// The deploys of pipelines that have no end.
    fn open_remotes(&self) -> Result<Vec<RemoteDeploy>, StoreError>;
    /// Sets until when an open deploy may stay silent.
    fn renew_remote(&mut self, deploy: DeployId, expires: Timestamp) -> Result<(), StoreError>;
    /// Ends an open deploy; returns how it ended, which is what somebody said before where that was so.
    fn end_remote(&mut self, deploy: DeployId, how: &str) -> Result<String, StoreError>;
    /// Forgets a deploy of which nothing was announced: its key may be used again.
    fn forget_remote(&mut self, deploy: DeployId) -> Result<(), StoreError>;
    /// All that paging keeps.
    fn paging(&self) -> Result<Kept, StoreError>;
    /// Sets the teams of an episode.
    fn set_slots(&mut self, task: TaskId, episode: TransactionId, slots: &[Slot]) -> Result<(), StoreError>;
    /// Sets how far pages are, all or none of them.
    fn set_pages(&mut self, rows: &[PageRow]) -> Result<(), StoreError>;
    /// Adds an acknowledgement.
    fn add_ack(&mut self, task: TaskId, ack: &Ack) -> Result<(), StoreError>;
    /// The keys of the lines that were said on IRC in an episode, or may have been.
    fn lines(&self, task: TaskId, episode: TransactionId) -> Result<BTreeSet<String>, StoreError>;
    /// The newest tasks with an episode in which lines were said, and not the one of this key.
    fn tasks_without_line(&self, key: &str) -> Result<Vec<TaskId>, StoreError>;
    /// Notes that a line is said on IRC from here on; returns whether it was not before.
    fn take_line(&mut self, task: TaskId, episode: TransactionId, key: &str) -> Result<bool, StoreError>;
    /// Notes that a line was surely not said.
    fn give_line_back(&mut self, task: TaskId, episode: TransactionId, key: &str) -> Result<(), StoreError>;
    /// Keeps a word that was spoken on IRC. One of a message that is known is passed over.
    fn add_spoken(&mut self, word: &SpokenWord, state: &SpokenState) -> Result<(), StoreError>;
    /// Sets what became of a word. Of one that is on its task the reason that was given is kept there alone; who said it is to be answered.
    fn set_spoken(&mut self, id: i64, state: &SpokenState) -> Result<(), StoreError>;
    /// The words that are on their tasks, and whose speakers were not answered so, in the order in which they were heard.
    fn unanswered(&self) -> Result<Vec<OpenWord>, StoreError>;
    /// Notes that who said a word is answered from here on; returns whether they were not before.
    fn take_answer(&mut self, id: i64) -> Result<bool, StoreError>;
    /// Notes that they surely were not.
    fn give_answer_back(&mut self, id: i64) -> Result<(), StoreError>;
    /// The words that are still to be brought to their tasks, in the order in which they were heard.
    fn open_spoken(&self) -> Result<Vec<OpenWord>, StoreError>;
    /// Whether a word is a yes after which the same person said something else about the same task.
    fn is_superseded(&self, id: i64, word: &SpokenWord) -> Result<bool, StoreError>;
    /// Forgets the reason that was given with a word.
    fn forget_reason(&mut self, id: i64) -> Result<(), StoreError>;
    /// The words about a task that are not on it.
    fn unwritten(&self, task: TaskId) -> Result<Unwritten, StoreError>;
    /// Forgets what of paging, and of what was said on IRC, ended before a time.
    fn forget_paging(&mut self, before: Timestamp) -> Result<(), StoreError>;
    /// Another handle on the journal, for one deploy alone.
    fn deploy_log(&self) -> Result<Self::Log, StoreError>;
}
