//! The port for those who talk with people elsewhere than on the task, such as in a channel.
//!
//! Responsible for giving them what is to be asked, each once, and for taking acknowledgements from them. Not responsible for who somebody
//! is: whoever calls this knows that a person has the account that is named.

use jiff::Timestamp;

use super::kept::{PageRow, PageState, Receiver};
use crate::ids::TaskId;
use crate::paging::{Ack, Page, PageKey, Stage, WhoToAsk, who_to_ask};
use crate::rules::{Decision, TeamCount};
use crate::serve::store::{Store, StoreError};
use crate::serve::watch::Watch;

/// What an acknowledgement does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AckOutcome {
    /// It holds the pages of these teams until then.
    Holds {
        /// Their keys.
        teams: Vec<String>,
        /// Until when, by the server's clock.
        until: Timestamp,
    },
    /// No team that this account could approve for is missing.
    MayNot,
    /// The task is no open emergency.
    NoEmergency,
}

impl<S: Store> Watch<S> {
    /// What is to be asked now in a channel: each is asked by whoever takes it first ([`Watch::take_ask`]).
    pub fn asks(&self) -> Vec<Page> {
        self.paging.asks()
    }

    /// Takes what is to be asked, durably; returns whether nobody did before. It is asked after that, and at most once.
    ///
    /// # Errors
    /// Where it cannot be kept; then nothing is asked.
    pub fn take_ask(&self, key: &PageKey) -> Result<bool, StoreError> {
        let Some(page) = self.paging.asks().into_iter().find(|ask| ask.key == *key) else { return Ok(false) };
        let now = self.board.now();
        let row = PageRow { page, receiver: Receiver::Channel, first: now, state: PageState::Fired { at: now } };
        self.paging.keep_new(&self.store, &row)
    }

    /// Whether each team that an open emergency lacks was asked in a channel since it is lacking. Where none seems to be lacking, whether that is
    /// so: what could not be judged lacks nobody either, and nobody was asked for it.
    pub fn has_asked(&self, task: TaskId) -> bool {
        let Some(watched) = self.board.watched(task) else { return false };
        let episode = watched.episode.began;
        let (slots, pages) = (self.paging.slots(task, episode), self.paging.pages(task));
        let mut missing = watched.verdict.missing_teams().peekable();
        if missing.peek().is_none() {
            return matches!(watched.verdict.decision, Decision::Allowed(_));
        }
        missing.all(|team| {
            slots.iter().filter(|slot| slot.team == team.team).any(|slot| {
                let (team, round) = (slot.team.clone(), slot.round);
                let key = PageKey { task, episode, team, round, stage: Stage::Asked };
                pages.iter().any(|row| row.receiver == Receiver::Channel && row.page.key == key)
            })
        })
    }

    /// Reads who is on call for a team where that never was.
    pub async fn reads_who_is_on_call(&self, team: &str) {
        self.paging.on_call.known_or_read(team).await;
    }

    /// Who is asked for a team, as far as it was read who is on call.
    pub fn who_to_ask(&self, team: &TeamCount) -> WhoToAsk {
        who_to_ask(team, &self.paging.on_call.known(&team.team))
    }

    /// Takes the acknowledgement of the person who has this account: it holds the pages of the missing teams that they could approve for,
    /// or of `team` alone where it is named.
    ///
    /// # Errors
    /// Where it cannot be kept; then it holds nothing.
    pub fn acknowledge(
        &self,
        task: TaskId,
        team: Option<&str>,
        account: &str,
        at: Timestamp,
    ) -> Result<AckOutcome, StoreError> {
        let Some(watched) = self.board.watched(task) else { return Ok(AckOutcome::NoEmergency) };
        let could = |count: &&TeamCount| count.could.iter().any(|name| name.eq_ignore_ascii_case(account));
        let asked = |count: &&TeamCount| team.is_none_or(|team| count.team == team);
        let teams: Vec<String> = watched
            .verdict
            .missing_teams()
            .filter(|count| asked(count) && could(count))
            .map(|count| count.team.clone())
            .collect();
        if teams.is_empty() {
            return Ok(AckOutcome::MayNot);
        }
        for team in &teams {
            let ack = Ack { team: team.clone(), by: account.to_owned(), at };
            self.paging.keep_ack(&self.store, task, ack)?;
        }
        self.touch(task)?;
        let until = at.saturating_add(self.site.paging.ack_for).unwrap_or(Timestamp::MAX);
        Ok(AckOutcome::Holds { teams, until })
    }
}

#[cfg(test)]
#[path = "port_tests.rs"]
mod tests;
