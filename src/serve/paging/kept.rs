//! What the ladder keeps: since when each team is asked, each page and how far it is, and who acknowledged.
//!
//! Responsible for it as data. All times are of the server's clock. Not responsible for where it is kept ([`crate::serve::store`]).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{TaskId, TransactionId};
use crate::paging::{Ack, Page, PageKey, PagerKind, Stage};

/// A team whose approval an episode needs or needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Its key.
    pub team: String,
    /// Which time it is asked, from 1; 0 where it never was.
    pub round: u32,
    /// When it was asked: this round began. What somebody answers from then on holds its pages.
    pub asked: Timestamp,
    /// Since when it is asked, as the ladder counts: later than it was by as long as something else stood in the way.
    pub since: Timestamp,
    /// How that stands.
    pub phase: SlotPhase,
}

/// How the round of a team stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlotPhase {
    /// It is asked.
    Missing,
    /// It is missing, and since then something else stands in the way, so that its approval would not be enough.
    Paused {
        /// Since when.
        at: Timestamp,
    },
    /// It has approved, or is not needed any more.
    Over,
}

/// Who gets a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Receiver {
    /// A channel where people are asked.
    Channel,
    /// A pager.
    Pager(PagerKind),
}

impl Receiver {
    /// The word for it, by which it is kept.
    pub fn word(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Pager(kind) => kind.word(),
        }
    }

    /// The one of this word.
    pub fn named(word: &str) -> Option<Self> {
        let all = PagerKind::ALL.map(Self::Pager).into_iter().chain([Self::Channel]);
        all.into_iter().find(|known| known.word() == word)
    }
}

/// How far a page is. It only ever goes on in this order, and what is resolved never fires again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageState {
    /// It is being sent, or it is not clear whether it was.
    Sending,
    /// It was accepted.
    Fired {
        /// When.
        at: Timestamp,
    },
    /// It may have been received, and is not sent again.
    GivenUp {
        /// Since when.
        at: Timestamp,
    },
    /// Nobody is needed any more, which is being said: from here on it never fires.
    Resolving {
        /// Since when.
        at: Timestamp,
        /// When the page was accepted; `None` where that is not known.
        #[serde(default)]
        fired: Option<Timestamp>,
        /// Surely nobody heard of the page: no call about it had any effect.
        #[serde(default)]
        unheard: bool,
    },
    /// That was accepted.
    Resolved {
        /// When.
        at: Timestamp,
        /// When the page was accepted; `None` where that is not known.
        #[serde(default)]
        fired: Option<Timestamp>,
        /// Surely nobody heard of the page.
        #[serde(default)]
        unheard: bool,
    },
}

impl PageState {
    /// Whether somebody may still be called by it.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Sending | Self::Fired { .. } | Self::GivenUp { .. })
    }

    /// When the page was accepted; `None` where that is not known.
    pub fn fired(self) -> Option<Timestamp> {
        match self {
            Self::Fired { at } => Some(at),
            Self::Resolving { fired, .. } | Self::Resolved { fired, .. } => fired,
            Self::Sending | Self::GivenUp { .. } => None,
        }
    }

    /// Whether surely nobody heard of the page, as it is known since nobody is needed any more.
    pub fn is_unheard(self) -> bool {
        matches!(self, Self::Resolving { unheard: true, .. } | Self::Resolved { unheard: true, .. })
    }

    /// The state after this one where nobody is needed any more. `may_be_heard`: a call may have had an effect, though it was not accepted.
    #[must_use]
    pub fn resolving(self, at: Timestamp, may_be_heard: bool) -> Self {
        let unheard = self.is_unheard() || (self == Self::Sending && !may_be_heard);
        Self::Resolving { at, fired: self.fired(), unheard }
    }

    /// The state after this one where it was accepted that nobody is.
    #[must_use]
    pub fn resolved(self, at: Timestamp) -> Self {
        Self::Resolved { at, fired: self.fired(), unheard: self.is_unheard() }
    }
}

/// A page to one receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRow {
    /// It.
    pub page: Page,
    /// Who gets it.
    pub receiver: Receiver,
    /// When it was first sent.
    pub first: Timestamp,
    /// How far it is.
    pub state: PageState,
}

impl PageRow {
    /// What it is kept by.
    pub fn id(&self) -> (PageKey, Receiver) {
        (self.page.key.clone(), self.receiver)
    }

    /// Since when somebody may have been woken by it; `None` while that is being tried, or where surely nobody was. A call that is tried for
    /// an hour wakes people when it is taken, and not before.
    pub fn woke(&self) -> Option<Timestamp> {
        match self.state {
            PageState::Sending => None,
            state if state.is_unheard() => None,
            state => Some(state.fired().unwrap_or(self.first)),
        }
    }

    /// From when on the same stage is kept apart from it: since somebody was woken, or that is tried.
    pub fn counts_from(&self) -> Option<Timestamp> {
        self.woke().or_else(|| (self.state == PageState::Sending).then_some(self.first))
    }

    /// The same, further on.
    #[must_use]
    pub fn now(&self, state: PageState) -> Self {
        Self { state, ..self.clone() }
    }
}

/// All that is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// The teams of each episode.
    pub slots: BTreeMap<(TaskId, TransactionId), Vec<Slot>>,
    /// The pages.
    pub rows: BTreeMap<(PageKey, Receiver), PageRow>,
    /// The acknowledgements that came from elsewhere than the task.
    pub acks: BTreeMap<TaskId, Vec<Ack>>,
}

impl Kept {
    /// The pages of a task, of any episode.
    pub fn of(&self, task: TaskId) -> Vec<PageRow> {
        let first = PageKey { task, episode: TransactionId(0), team: String::new(), round: 0, stage: Stage::Asked };
        let rows = self.rows.range((first, Receiver::Channel)..).map(|(_, row)| row);
        rows.take_while(|row| row.page.key.task == task).cloned().collect()
    }
}
