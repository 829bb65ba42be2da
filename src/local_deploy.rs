//! What a host knows of its own deploys of a task: the facts that a verdict rests on besides the server's.
//!
//! Responsible for the facts as data and for how they are worded. Not for what follows from them, which the rules know, nor
//! for where they are from, which the journal knows.

use jiff::Timestamp;

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
    /// The token of the pipeline that carries it out, where one does.
    pub token: Option<String>,
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
    /// Whether it may still be under way.
    pub fn is_in_flight(&self) -> bool {
        matches!(self.progress, LocalProgress::Running | LocalProgress::Stranded)
    }

    /// Who started it and since when, as a whole clause for people.
    pub fn message(&self) -> String {
        let who =
            self.deployer.as_ref().or(self.login.as_ref()).map_or_else(|| "somebody".to_owned(), |who| inert(who));
        let since = utc(self.begun);
        match (self.progress, &self.token) {
            (LocalProgress::Running, Some(token)) => {
                format!("the pipeline with the token {} deploys for {who} since {since}", inert(token))
            }
            (LocalProgress::Running, None) => {
                format!("{who} started a deploy on this host at {since}, and it is still running")
            }
            (LocalProgress::Stranded, _) => format!(
                "{who} started a deploy on this host at {since}; its gate was killed, and how it ended is not settled yet"
            ),
            (LocalProgress::Ended { .. }, _) => {
                format!("{who} started a deploy on this host at {since}, and it has ended")
            }
        }
    }

    /// What to do about one that is in flight.
    pub fn hint(&self) -> &'static str {
        match (self.progress, &self.token) {
            (LocalProgress::Running, Some(_)) => "wait until its job has ended; one that died is ended by itself",
            (LocalProgress::Running, None) => "wait until it has ended; whoever started it sees it in their terminal",
            (LocalProgress::Stranded | LocalProgress::Ended { .. }, _) => {
                "see that its command does not run any more, then type `phabgate outbox flush --wait`, which settles it"
            }
        }
    }
}
