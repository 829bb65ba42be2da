//! A word that was spoken on IRC, as the watch keeps it until it is on the task, and beside the task where it never comes there.
//!
//! Responsible for it as data. Not responsible for what becomes of it ([`super::worker`]).

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::{TaskId, TransactionId};
use crate::journal::{ServerAnswer, TaskSeen};
use crate::witness::{Code, WitnessedWord};

/// How long after it was heard a yes is still sent: it has to be on the task within a minute of that.
const PROMPT: SignedDuration = SignedDuration::from_secs(45);

/// A word that was spoken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpokenWord {
    /// About which task.
    pub task: TaskId,
    /// What was said.
    pub word: WitnessedWord,
    /// For which team, as it was written; `None` for all teams of who said it.
    pub team: Option<String>,
    /// The code of what is approved.
    pub code: Option<Code>,
    /// Why: text of others.
    pub why: Option<String>,
    /// The nick that said it: text of others, which proves nothing.
    pub nick: String,
    /// Who said it; `None` where nobody is known to have.
    pub speaker: Option<Speaker>,
    /// On which network.
    pub network: String,
    /// In which channel.
    pub channel: String,
    /// When it was heard, by the clock of the server of the tasks.
    pub heard: Timestamp,
}

/// Who said it, as the network and the configuration said at that moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Speaker {
    /// The account of the network's services.
    pub account: String,
    /// The username on the server of the tasks.
    pub user: String,
    /// When it was said, by the clock of the network.
    pub said: Timestamp,
    /// What the network knows the message by.
    pub message: String,
    /// The services said just then that the account is still the one that was listed. Of who is not certain a no counts, and nothing that
    /// would lift one.
    #[serde(default)]
    pub is_certain: bool,
}

/// What became of a word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpokenState {
    /// It is surely not on the task, and is to be written there.
    Waiting,
    /// It was sent, and nobody knows whether it was written.
    Unclear {
        /// What was answered, in words.
        why: String,
        /// From when a read settles it, by the host's clock.
        settle_at: Timestamp,
        /// What was answered.
        answer: ServerAnswer,
    },
    /// It was refused by a server that saw the task so.
    Refused {
        /// The refusal, in words.
        why: String,
        /// How the task looked.
        seen: TaskSeen,
    },
    /// It is on the task.
    Recorded {
        /// The transaction that holds it.
        transaction: TransactionId,
    },
    /// It is not written on the task, and counts for nothing.
    NotCounted {
        /// Why, in words.
        why: String,
    },
}

/// A word about which something is still to be done: it is brought to its task, and then answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenWord {
    /// What the store knows it by; who spoke later has a larger one.
    pub id: i64,
    /// The word.
    pub word: SpokenWord,
    /// How far it is.
    pub state: SpokenState,
}

/// A word that is not on its task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnwrittenWord {
    /// It.
    pub word: SpokenWord,
    /// Why it is not there.
    pub why: String,
    /// It is still to be brought there.
    pub is_open: bool,
}

/// What was spoken about a task and is not on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unwritten {
    /// The words: first those that may still come there, then the others, the newest of each first.
    pub words: Vec<UnwrittenWord>,
    /// Some of it cannot be read.
    pub is_incomplete: bool,
}

impl SpokenState {
    /// Whether it is still to be brought to the task.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Waiting | Self::Unclear { .. } | Self::Refused { .. })
    }

    /// Why it is not on the task, as far as is known; `None` where it is.
    pub fn why_not(&self) -> Option<String> {
        match self {
            Self::Waiting | Self::Refused { .. } => Some("it is not on the task yet".to_owned()),
            Self::Unclear { .. } => Some("it is not clear whether it is on the task".to_owned()),
            Self::Recorded { .. } => None,
            Self::NotCounted { why } => Some(why.clone()),
        }
    }
}

impl SpokenWord {
    /// Whether it may be sent at this time: a yes only at once, what speaks against a deploy however late.
    pub fn may_be_sent(&self, now: Timestamp) -> bool {
        self.word != WitnessedWord::Approve || now.duration_since(self.heard) <= PROMPT
    }
}
