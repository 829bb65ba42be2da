//! What is due on the ladder of each team, and which pages are over.
//!
//! Responsible for that as a pure function of what is kept and of the time: at once a team is asked, after `page_after` it is paged, after
//! `escalate_after` it is asked again and the next stage is paged. Not responsible for carrying it out ([`super::sender`]), nor for which round it is
//! ([`super::rounds`]).

use jiff::{SignedDuration, Timestamp};

use super::kept::{PageRow, Receiver, Slot, SlotPhase};
use crate::config::PagingSettings;
use crate::evidence::Episode;
use crate::ids::TaskId;
use crate::paging::{Ack, Page, PageKey, Stage, held_until};

/// How many rounds of an episode a team is asked and paged in.
pub const ROUNDS: u32 = 3;
/// How long after a page the same team is not paged about the same task at the same stage, whatever its episodes.
pub(super) const APART: SignedDuration = SignedDuration::from_hours(1);

/// What a plan is made from.
#[derive(Debug)]
pub struct Situation<'a> {
    /// The task.
    pub task: TaskId,
    /// The episode.
    pub episode: Episode,
    /// Its teams.
    pub slots: &'a [Slot],
    /// When somebody who is trusted opened or confirmed the emergency; `None` where nobody did.
    pub confirmed: Option<Timestamp>,
    /// It is a drill.
    pub is_drill: bool,
    /// Who acknowledged.
    pub acks: &'a [Ack],
    /// The pages of this task, of any episode, and what was asked.
    pub sent: &'a [PageRow],
    /// After how long.
    pub settings: &'a PagingSettings,
    /// Of episodes from before then nothing is done.
    pub first_start: Timestamp,
    /// How much later than it was due something is still done.
    pub window: SignedDuration,
    /// The server's clock.
    pub now: Timestamp,
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What is due, each with the time since which it is.
    pub due: Vec<Page>,
    /// The teams, each with its round, of which people may be woken now: nothing holds the pages that are being sent to them.
    pub awake: Vec<(String, u32)>,
    /// The pages by which nobody is needed any more.
    pub over: Vec<PageKey>,
    /// When more is due though nothing happens.
    pub next: Option<Timestamp>,
}

/// What is due now.
pub fn ladder(situation: &Situation<'_>) -> Plan {
    let mut plan = Plan { over: situation.over(), ..Plan::default() };
    if situation.episode.since < situation.first_start {
        return plan;
    }
    for slot in situation.slots.iter().filter(|slot| slot.phase == SlotPhase::Missing && slot.round <= ROUNDS) {
        let is_held = situation.held(slot).is_some_and(|until| until > situation.now);
        if situation.pages_since().is_some() && !is_held {
            plan.awake.push((slot.team.clone(), slot.round));
        }
        for stage in Stage::ALL {
            let key = situation.key(slot, stage);
            if situation.was_sent(&key) {
                continue;
            }
            let Some(due) = situation.due(slot, stage) else { continue };
            if due > situation.now {
                plan.next = Some(plan.next.map_or(due, |next: Timestamp| next.min(due)));
            } else if situation.now.duration_since(due) <= situation.window {
                plan.due.push(Page { key, due, drill: situation.is_drill });
            }
        }
    }
    plan
}

impl Situation<'_> {
    fn key(&self, slot: &Slot, stage: Stage) -> PageKey {
        let (team, round) = (slot.team.clone(), slot.round);
        PageKey { task: self.task, episode: self.episode.began, team, round, stage }
    }

    fn rows_of<'s>(&'s self, key: &'s PageKey) -> impl Iterator<Item = &'s PageRow> {
        self.sent.iter().filter(move |row| row.page.key == *key)
    }

    fn was_sent(&self, key: &PageKey) -> bool {
        self.rows_of(key).next().is_some()
    }

    /// Since when people may be paged for this emergency; `None` where nobody may.
    fn pages_since(&self) -> Option<Timestamp> {
        self.confirmed.filter(|_| !self.is_drill || self.settings.drills)
    }

    /// Until when an acknowledgement holds the pages of a team.
    fn held(&self, slot: &Slot) -> Option<Timestamp> {
        held_until(self.acks, &slot.team, slot.asked, self.settings.ack_for)
    }

    /// When a stage is due; `None` where it is not, as long as nothing happens.
    fn due(&self, slot: &Slot, stage: Stage) -> Option<Timestamp> {
        let after = |span| slot.since.saturating_add(span).unwrap_or(Timestamp::MAX);
        let due = match stage {
            Stage::Asked => return Some(slot.since),
            // What was confirmed late is not late by that.
            Stage::Page => after(self.settings.page_after).max(self.pages_since()?),
            // What nobody is paged for is not said to be unanswered either; and who was asked late has the time to answer.
            Stage::AskedAgain => {
                let confirmed = self.pages_since()?;
                let key = self.key(slot, Stage::Asked);
                let asked = self.rows_of(&key).map(|row| row.first).min()?;
                let later = |time: Timestamp, span| time.saturating_add(span).unwrap_or(Timestamp::MAX);
                let (page_after, escalate_after) = (self.settings.page_after, self.settings.escalate_after);
                let of_late = later(asked, escalate_after).max(later(confirmed, escalate_after - page_after));
                after(escalate_after).max(of_late)
            }
            // Who was paged has the time that the settings give between the two, from when a pager took it.
            Stage::Escalation => {
                let key = self.key(slot, Stage::Page);
                self.pages_since()?;
                let paged = self.rows_of(&key).filter_map(PageRow::woke).min()?;
                let between = self.settings.escalate_after - self.settings.page_after;
                after(self.settings.escalate_after).max(paged.saturating_add(between).unwrap_or(Timestamp::MAX))
            }
        };
        let held = self.held(slot);
        let again = self.last(&slot.team, stage).map(|last| last.saturating_add(APART).unwrap_or(Timestamp::MAX));
        [Some(due), held, again].into_iter().flatten().max()
    }

    /// When a team was last woken about this task at a stage, or may have been. What it was woken for by a drill keeps no page back for the real
    /// thing.
    fn last(&self, team: &str, stage: Stage) -> Option<Timestamp> {
        let same = self.sent.iter().filter(|row| row.page.key.team == team && row.page.key.stage == stage);
        let same = same.filter(|row| self.is_drill || !row.page.drill);
        same.filter_map(PageRow::counts_from).max()
    }

    /// The open pages whose slot was filled, or that nobody would be sent now.
    fn over(&self) -> Vec<PageKey> {
        let is_needed = |key: &PageKey| {
            let mut slots = self.slots.iter();
            let slot = slots.find(|slot| slot.team == key.team && slot.round == key.round);
            key.episode == self.episode.began
                && slot.is_some_and(|slot| slot.phase != SlotPhase::Over)
                && (!self.is_drill || self.settings.drills)
        };
        let open = self.sent.iter().filter(|row| row.state.is_open() && row.receiver != Receiver::Channel);
        let mut over: Vec<PageKey> = open.map(|row| row.page.key.clone()).filter(|key| !is_needed(key)).collect();
        over.sort();
        over.dedup();
        over
    }
}

#[cfg(test)]
#[path = "ladder_tests.rs"]
mod tests;
