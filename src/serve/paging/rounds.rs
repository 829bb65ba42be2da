//! Which time a team is asked, and since when.
//!
//! Responsible for that, as a pure function of what is missing now and what was before. A slot that empties again begins a new round, and so
//! does one whose pages were ended, or say otherwise than the task whether it is a drill, though it was missing all the time; a Reject, or the
//! deploy, ends the round of every team; while something else stands in the way of a deploy the time of a round stands still. Not
//! responsible for what follows from it ([`super::ladder`]).

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::kept::{PageRow, Receiver, Slot, SlotPhase};
use crate::config::PagingSettings;
use crate::evidence::Episode;

/// What an episode needs now.
#[derive(Debug, Clone)]
pub struct Needs<'a> {
    /// The keys of the teams that it needs.
    pub needed: BTreeSet<&'a str>,
    /// Those of them whose approval is missing.
    pub missing: BTreeSet<&'a str>,
    /// Nobody is asked any more, whatever is missing: somebody said no, or it was deployed.
    pub is_called_off: bool,
    /// Nothing but approvals is missing.
    pub is_pending: bool,
    /// Those whose pages of the present round say what is not so any more, or were ended for it, such as that it was a drill.
    pub interrupted: BTreeSet<&'a str>,
}

/// The teams of which a page of the present round is over, or says otherwise than the task whether it is a drill, where people may be paged for
/// the emergency: what was ended never fires again, and what was sent for a drill is no page for the real thing.
pub fn interrupted<'a>(
    slots: &'a [Slot],
    sent: &[PageRow],
    episode: &Episode,
    is_drill: bool,
    settings: &PagingSettings,
) -> BTreeSet<&'a str> {
    let may_page = !is_drill || settings.drills;
    let is_past = |slot: &&Slot| {
        sent.iter().any(|row| {
            let key = &row.page.key;
            let is_of_it = (key.episode, &key.team, key.round) == (episode.began, &slot.team, slot.round);
            let stands = row.state.is_open() && row.page.drill == is_drill;
            is_of_it && row.receiver != Receiver::Channel && !stands
        })
    };
    slots.iter().filter(|_| may_page).filter(is_past).map(|slot| slot.team.as_str()).collect()
}

/// How the slots stand now, which stood so before; the rounds of teams that are not needed any more are kept.
pub fn advance(slots: &[Slot], needs: &Needs<'_>, episode: &Episode, now: Timestamp) -> Vec<Slot> {
    let known: BTreeSet<&str> = slots.iter().map(|slot| slot.team.as_str()).collect();
    // Teams that the episode needed when it was first looked at were needed since it began.
    let since = if slots.is_empty() { episode.since } else { now };
    let added = needs.needed.iter().filter(|team| !known.contains(*team)).map(|team| {
        let new = Slot { team: (*team).to_owned(), round: 0, asked: since, since, phase: SlotPhase::Over };
        // One that had approved by then, or was not asked, was never asked.
        if needs.missing.contains(team) && !needs.is_called_off { begun(&new, since, needs) } else { new }
    });
    slots.iter().map(|slot| next(slot, needs, now)).chain(added).collect()
}

fn begun(slot: &Slot, since: Timestamp, needs: &Needs<'_>) -> Slot {
    let phase = if needs.is_pending { SlotPhase::Missing } else { SlotPhase::Paused { at: since } };
    Slot { team: slot.team.clone(), round: slot.round.saturating_add(1), asked: since, since, phase }
}

fn next(slot: &Slot, needs: &Needs<'_>, now: Timestamp) -> Slot {
    let is_asked = needs.missing.contains(slot.team.as_str()) && !needs.is_called_off;
    match (slot.phase, is_asked) {
        (_, false) => Slot { phase: SlotPhase::Over, ..slot.clone() },
        (SlotPhase::Over, true) => begun(slot, now, needs),
        (_, true) if needs.interrupted.contains(slot.team.as_str()) => begun(slot, now, needs),
        (SlotPhase::Missing, true) if !needs.is_pending => {
            Slot { phase: SlotPhase::Paused { at: now }, ..slot.clone() }
        }
        (SlotPhase::Paused { at }, true) if needs.is_pending => {
            let stood = now.duration_since(at).max(jiff::SignedDuration::ZERO);
            let since = slot.since.saturating_add(stood).unwrap_or(now);
            Slot { since, phase: SlotPhase::Missing, ..slot.clone() }
        }
        (_, true) => slot.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evidence::testing::at;
    use crate::ids::TransactionId;

    fn needs<'a>(missing: &[&'a str]) -> Needs<'a> {
        let missing: BTreeSet<&str> = missing.iter().copied().collect();
        let needed = missing.clone();
        Needs { needed, missing, is_called_off: false, is_pending: true, interrupted: BTreeSet::new() }
    }

    fn episode() -> Episode {
        Episode { began: TransactionId(3), since: at(0) }
    }

    fn slot(round: u32, since: i64, phase: SlotPhase) -> Slot {
        Slot { team: "sre".into(), round, asked: at(since), since: at(since), phase }
    }

    /// One whose clock stood still for a while.
    fn stood(asked: i64, since: i64, phase: SlotPhase) -> Slot {
        Slot { asked: at(asked), ..slot(1, since, phase) }
    }

    #[test]
    fn a_team_is_asked_since_the_episode_began_and_anew_where_its_slot_empties() {
        let first = advance(&[], &needs(&["sre"]), &episode(), at(5));
        assert_eq!(first, [slot(1, 0, SlotPhase::Missing)]);
        assert_eq!(advance(&first, &needs(&["sre"]), &episode(), at(9)), first);
        let filled = advance(&first, &needs(&[]), &episode(), at(10));
        assert_eq!(filled, [slot(1, 0, SlotPhase::Over)]);
        assert_eq!(advance(&filled, &needs(&["sre"]), &episode(), at(20)), [slot(2, 20, SlotPhase::Missing)]);
        // One that is needed later was not asked before.
        let later = advance(&first, &needs(&["sre", "security"]), &episode(), at(30));
        assert_eq!((later[1].team.as_str(), later[1].round, later[1].since), ("security", 1, at(30)));
    }

    #[test]
    fn a_team_that_had_approved_when_it_was_first_looked_is_asked_since_its_slot_emptied() {
        let approved = Needs { needed: ["sre"].into(), ..needs(&[]) };
        let first = advance(&[], &approved, &episode(), at(5));
        assert_eq!(first, [slot(0, 0, SlotPhase::Over)]);
        let emptied = Needs { needed: ["sre"].into(), ..needs(&["sre"]) };
        assert_eq!(advance(&first, &emptied, &episode(), at(900)), [slot(1, 900, SlotPhase::Missing)]);
    }

    #[test]
    fn a_reject_ends_the_round_of_every_team_and_one_from_the_beginning_begins_none() {
        let rejected = Needs { is_called_off: true, is_pending: false, ..needs(&["sre", "releng"]) };
        let asked = advance(&[], &needs(&["sre", "releng"]), &episode(), at(5));
        let ended = advance(&asked, &rejected, &episode(), at(10));
        assert!(ended.iter().all(|slot| slot.phase == SlotPhase::Over && slot.round == 1));
        let again = advance(&ended, &needs(&["sre"]), &episode(), at(20));
        assert!(again.contains(&slot(2, 20, SlotPhase::Missing)));
        let from_the_first = advance(&[], &rejected, &episode(), at(5));
        assert!(from_the_first.iter().all(|slot| slot.round == 0));
        let taken_back = advance(&from_the_first, &needs(&["sre"]), &episode(), at(700));
        assert!(taken_back.contains(&slot(1, 700, SlotPhase::Missing)), "the clock begins when the no is taken back");
    }

    #[test]
    fn the_clock_stands_still_while_something_else_stands_in_the_way() {
        let blocked = Needs { is_pending: false, ..needs(&["sre"]) };
        let asked = advance(&[], &needs(&["sre"]), &episode(), at(5));
        let paused = advance(&asked, &blocked, &episode(), at(100));
        assert_eq!(paused, [slot(1, 0, SlotPhase::Paused { at: at(100) })]);
        assert_eq!(advance(&paused, &blocked, &episode(), at(150)), paused);
        assert_eq!(advance(&paused, &needs(&["sre"]), &episode(), at(160)), [stood(0, 60, SlotPhase::Missing)]);
        let from_the_first = advance(&[], &blocked, &episode(), at(5));
        assert_eq!(advance(&from_the_first, &needs(&["sre"]), &episode(), at(50)), [stood(0, 50, SlotPhase::Missing)]);
    }

    proptest! {
        #[test]
        fn a_round_only_grows_and_begins_where_a_slot_empties(
            steps in prop::collection::vec((any::<bool>(), any::<bool>(), any::<bool>()), 1..40),
        ) {
            let mut slots = Vec::new();
            let mut was_asked = false;
            for (second, (missing, is_called_off, is_pending)) in (1_i64..).zip(steps) {
                let before = slots.first().map_or(0, |slot: &Slot| slot.round);
                let missing: BTreeSet<&str> = if missing { ["sre"].into() } else { [].into() };
                let is_asked = !missing.is_empty() && !is_called_off;
                let interrupted = BTreeSet::new();
                let needs = Needs { needed: ["sre"].into(), missing, is_called_off, is_pending, interrupted };
                slots = advance(&slots, &needs, &episode(), at(second));
                let slot = slots.first();
                let after = slot.map_or(0, |slot| slot.round);
                prop_assert_eq!(after, before + u32::from(is_asked && !was_asked));
                if let Some(slot) = slot {
                    prop_assert_eq!(slot.phase == SlotPhase::Over, !is_asked);
                    prop_assert!(slot.asked <= slot.since && slot.since <= at(second), "nobody is asked in the future");
                }
                was_asked = is_asked;
            }
        }
    }
}
