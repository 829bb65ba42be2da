//! Filling the slots of the teams with distinct people: a matching in a bipartite graph, by augmenting paths (Kuhn).
//!
//! Someone in two teams can serve either and never both; whether all slots can be filled must not depend on the order
//! in which people answered.

/// For each slot the person who fills it. `slots` holds the team of each slot, `may(team, person)` says who may fill it.
/// As many slots are filled as can be; those of earlier teams first.
pub(super) fn fill(slots: &[usize], people: usize, may: impl Fn(usize, usize) -> bool) -> Vec<Option<usize>> {
    let mut slot_of = vec![None; people];
    for slot in 0..slots.len() {
        let mut tried = vec![false; people];
        seat(slot, slots, &may, &mut slot_of, &mut tried);
    }
    let mut filled = vec![None; slots.len()];
    for (person, slot) in slot_of.into_iter().enumerate() {
        if let Some(slot) = slot {
            filled[slot] = Some(person);
        }
    }
    filled
}

/// Seats somebody in a slot, moving others to other slots where that makes room.
fn seat(
    slot: usize,
    slots: &[usize],
    may: &impl Fn(usize, usize) -> bool,
    slot_of: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for person in 0..slot_of.len() {
        if tried[person] || !may(slots[slot], person) {
            continue;
        }
        tried[person] = true;
        let free = match slot_of[person] {
            None => true,
            Some(other) => seat(other, slots, may, slot_of, tried),
        };
        if free {
            slot_of[person] = Some(slot);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_person_fills_one_slot() {
        assert_eq!(fill(&[0, 1], 1, |_, _| true), [Some(0), None]);
    }

    #[test]
    fn somebody_moves_to_make_room() {
        // Person 0 serves both teams, person 1 only the first.
        let may = |team, person| person == 0 || team == 0;
        assert_eq!(fill(&[0, 1], 2, may), [Some(1), Some(0)]);
    }

    /// The largest number of slots that can be filled, by trying everything.
    fn most(slots: &[usize], used: &mut Vec<bool>, may: &dyn Fn(usize, usize) -> bool) -> usize {
        let Some((team, rest)) = slots.split_first() else { return 0 };
        let mut best = most(rest, used, may);
        for person in 0..used.len() {
            if !used[person] && may(*team, person) {
                used[person] = true;
                best = best.max(1 + most(rest, used, may));
                used[person] = false;
            }
        }
        best
    }

    proptest! {
        #[test]
        fn fills_as_many_slots_as_can_be(
            slots in prop::collection::vec(0usize..3, 0..5),
            edges in prop::collection::vec(prop::collection::vec(any::<bool>(), 3), 0..6),
        ) {
            let may = |team: usize, person: usize| edges[person][team];
            let filled = fill(&slots, edges.len(), may);
            let mut people: Vec<_> = filled.iter().flatten().collect();
            prop_assert!(filled.iter().zip(&slots).all(|(person, team)| person.is_none_or(|person| may(*team, person))));
            let seated = people.len();
            people.sort_unstable();
            people.dedup();
            prop_assert_eq!(people.len(), seated);
            prop_assert_eq!(seated, most(&slots, &mut vec![false; edges.len()], &may));
        }
    }
}
