//! Who is on call for a team and who was paged, as the page for people shows it.
//!
//! Responsible for that as data. Not responsible for who is shown it, nor for its form.

use jiff::Timestamp;

use super::kept::{PageState, Receiver, SlotPhase};
use crate::paging::{Stage, WhoToAsk, held_until};
use crate::serve::board::WatchedTask;
use crate::serve::store::Store;
use crate::serve::watch::Watch;

/// What is shown of a team that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamPaging {
    /// Its key.
    pub team: String,
    /// Who is asked.
    pub who: WhoToAsk,
    /// The pages of this round, the first first.
    pub pages: Vec<PageShown>,
    /// Who acknowledged last, and until when that holds.
    pub ack: Option<(String, Timestamp)>,
}

impl TeamPaging {
    /// The pages that some pager took, the first first.
    pub fn accepted(&self) -> impl Iterator<Item = &PageShown> {
        self.pages.iter().filter(|page| page.reached == Reached::Accepted)
    }
}

/// A page as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageShown {
    /// Which time the team is asked.
    pub round: u32,
    /// Which one.
    pub stage: Stage,
    /// When it was accepted, or since when that is tried.
    pub at: Timestamp,
    /// What became of it.
    pub reached: Reached,
}

/// What became of a page, the best of all pagers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// It could not be sent for so long that this is given up.
    GivenUp,
    /// It is tried.
    Tried,
    /// Some pager accepted it.
    Accepted,
}

impl Reached {
    /// Of a page to one pager; `None` where nobody was paged by it, and nobody will be.
    fn of(state: PageState) -> Option<Self> {
        match state {
            PageState::Sending => Some(Self::Tried),
            PageState::GivenUp { .. } => Some(Self::GivenUp),
            state => state.fired().map(|_| Self::Accepted),
        }
    }
}

impl<S: Store> Watch<S> {
    /// What is shown of the teams that an emergency needs.
    pub(in crate::serve) fn team_paging(&self, watched: &WatchedTask) -> Vec<TeamPaging> {
        let (rows, now) = (self.paging.pages(watched.task), self.board.now());
        let slots = self.paging.slots(watched.task, watched.episode.began);
        let mut acks = watched.paging.acks.clone();
        acks.extend(self.paging.acks(watched.task));
        let of = |team: &crate::rules::TeamCount| {
            let slot = slots.iter().find(|slot| slot.team == team.team && slot.phase != SlotPhase::Over);
            let mine = rows.iter().filter(|row| {
                let key = &row.page.key;
                key.episode == watched.episode.began
                    && key.team == team.team
                    && slot.is_some_and(|slot| slot.round == key.round)
                    && row.receiver != Receiver::Channel
            });
            let mut pages: Vec<PageShown> = Vec::new();
            for row in mine {
                let Some(reached) = Reached::of(row.state) else { continue };
                let at = row.state.fired().unwrap_or(row.first);
                let shown = PageShown { round: row.page.key.round, stage: row.page.key.stage, at, reached };
                match pages.iter_mut().find(|page| page.stage == shown.stage) {
                    Some(page) if (page.reached, shown.at) < (shown.reached, page.at) => *page = shown,
                    Some(_) => {}
                    None => pages.push(shown),
                }
            }
            pages.sort_by_key(|page| page.stage);
            let until = slot.and_then(|slot| held_until(&acks, &team.team, slot.asked, self.site.paging.ack_for));
            let last = acks.iter().filter(|ack| ack.team == team.team).max_by_key(|ack| ack.at);
            let ack = until.filter(|until| *until > now).zip(last).map(|(until, ack)| (ack.by.clone(), until));
            TeamPaging { team: team.team.clone(), who: self.who_to_ask(team), pages, ack }
        };
        watched.verdict.missing_teams().map(of).collect()
    }
}
