//! What this journal knows of the deploys of one task: the facts that a verdict rests on besides the server's.
//!
//! Responsible for the facts as data and for how they are worded. Not for what follows from them, which the rules know, nor
//! for reading them from the disk ([`JournalReader::deploys_of`](super::JournalReader::deploys_of) does).

use jiff::Timestamp;

use super::event::DeployMode;
use super::state::DeployState;
use crate::ids::{DeployId, Phid, User};
use crate::record::Outcome;
use crate::text::inert;
use crate::time::utc;

/// A deploy that is in the journal of this state directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalDeploy {
    /// Which one.
    pub deploy: DeployId,
    /// The account that deploys, where it is known.
    pub deployer: Option<String>,
    /// The PHID of that account, where it is known.
    pub account: Option<Phid<User>>,
    /// The login that called the gate, where it is known.
    pub login: Option<String>,
    /// When its intent was written, by the clock of this host.
    pub begun: Timestamp,
    /// How far it is.
    pub progress: LocalProgress,
}

/// How far a deploy is, as far as its journal knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalProgress {
    /// Its gate is alive and has not seen its end.
    Running,
    /// Its gate is gone, and nobody has settled yet how it ended.
    Stranded,
    /// It has ended, whether or not the task says so already.
    Ended {
        /// How; `None` where a person recorded it and did not say.
        outcome: Option<Outcome>,
        /// When that was known, by the clock of this host.
        at: Timestamp,
    },
}

impl LocalDeploy {
    /// The facts of one deploy; `None` where it is a record by other means of which nothing is said yet.
    ///
    /// `is_alive` is asked only where the end is not in the journal.
    pub(super) fn of<E>(state: &DeployState, is_alive: impl FnOnce() -> Result<bool, E>) -> Result<Option<Self>, E> {
        let progress = match state.end() {
            Some((outcome, at)) => LocalProgress::Ended { outcome, at },
            None if state.intent().way == DeployMode::Record => return Ok(None),
            None if is_alive()? => LocalProgress::Running,
            None => LocalProgress::Stranded,
        };
        let intent = state.intent();
        Ok(Some(Self {
            deploy: state.deploy(),
            deployer: intent.template.deployer.as_ref().map(|deployer| deployer.user.clone()),
            account: intent.template.deployer.as_ref().and_then(|deployer| deployer.phid.clone()),
            login: intent.identity.login.clone(),
            begun: state.begun(),
            progress,
        }))
    }

    /// Whether it may still be under way.
    pub fn is_in_flight(&self) -> bool {
        matches!(self.progress, LocalProgress::Running | LocalProgress::Stranded)
    }

    /// Who started it and since when, as a whole clause for people.
    pub fn message(&self) -> String {
        let who =
            self.deployer.as_ref().or(self.login.as_ref()).map_or_else(|| "somebody".to_owned(), |who| inert(who));
        let since = utc(self.begun);
        match self.progress {
            LocalProgress::Running => {
                format!("{who} started a deploy on this host at {since}, and it is still running")
            }
            LocalProgress::Stranded => format!(
                "{who} started a deploy on this host at {since}; its gate was killed, and how it ended is not settled yet"
            ),
            LocalProgress::Ended { .. } => format!("{who} started a deploy on this host at {since}, and it has ended"),
        }
    }

    /// What to do about one that is in flight.
    pub fn hint(&self) -> &'static str {
        match self.progress {
            LocalProgress::Running => "wait until it has ended; whoever started it sees it in their terminal",
            LocalProgress::Stranded | LocalProgress::Ended { .. } => {
                "see that its command does not run any more, then type `phabgate outbox flush --wait`, which settles it"
            }
        }
    }
}
