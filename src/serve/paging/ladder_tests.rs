//! The sentences of the ladder, one by one and over whatever happens.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::evidence::testing::at;
use crate::ids::TransactionId;
use crate::paging::PagerKind;
use crate::serve::paging::{Needs, PageState, advance, interrupted};

/// A task that somebody looks at again and again, with a service that does at once what is due.
struct Played {
    episode: Episode,
    slots: Vec<Slot>,
    rows: Vec<PageRow>,
    acks: Vec<Ack>,
    is_confirmed: bool,
    confirmed: i64,
    is_drill: bool,
    settings: PagingSettings,
    first_start: Timestamp,
}

const MINUTE: i64 = 60;

impl Played {
    fn new() -> Self {
        Self {
            episode: Episode { began: TransactionId(3), since: at(0) },
            slots: vec![],
            rows: vec![],
            acks: vec![],
            is_confirmed: true,
            confirmed: 0,
            is_drill: false,
            settings: PagingSettings::default(),
            first_start: at(0),
        }
    }

    fn plan(&self, second: i64) -> Plan {
        ladder(&Situation {
            task: TaskId::new(7).unwrap(),
            episode: self.episode,
            slots: &self.slots,
            confirmed: self.is_confirmed.then(|| at(self.confirmed)),
            is_drill: self.is_drill,
            acks: &self.acks,
            sent: &self.rows,
            settings: &self.settings,
            first_start: self.first_start,
            window: SignedDuration::from_mins(30),
            now: at(second),
        })
    }

    /// Looks at the task, which lacks these teams then, and does what is due; returns the stages but for what is asked again.
    fn look(&mut self, second: i64, missing: &[&str]) -> Vec<Stage> {
        let missing: BTreeSet<&str> = missing.iter().copied().collect();
        let needed = missing.clone();
        self.needs(second, &Needs { needed, missing, is_called_off: false, is_pending: true, interrupted: [].into() })
    }

    fn needs(&mut self, second: i64, needs: &Needs<'_>) -> Vec<Stage> {
        let interrupted = interrupted(&self.slots, &self.rows, &self.episode, self.is_drill, &self.settings);
        self.slots = advance(&self.slots, &Needs { interrupted, ..needs.clone() }, &self.episode, at(second));
        let plan = self.plan(second);
        for row in self.rows.iter_mut().filter(|row| plan.over.contains(&row.page.key)) {
            row.state = row.state.resolved(at(second));
        }
        let stages = plan.due.iter().map(|page| page.key.stage).filter(|stage| *stage != Stage::AskedAgain).collect();
        for page in plan.due {
            let is_said = page.key.stage.is_said();
            let receiver = if is_said { Receiver::Channel } else { Receiver::Pager(PagerKind::Webhook) };
            self.rows.push(PageRow { page, receiver, first: at(second), state: PageState::Fired { at: at(second) } });
        }
        stages
    }

    fn ack(&mut self, team: &str, second: i64) {
        self.acks.push(Ack { team: team.into(), by: "sre1".into(), at: at(second) });
    }

    /// When teams were asked again.
    fn asked_again(&self) -> Vec<Timestamp> {
        let rows = self.rows.iter().filter(|row| row.page.key.stage == Stage::AskedAgain);
        rows.map(|row| row.first).collect()
    }

    fn open(&self) -> Vec<String> {
        let open = self.rows.iter().filter(|row| row.state.is_open() && row.receiver != Receiver::Channel);
        open.map(|row| row.page.key.to_string()).collect()
    }
}

/// That of one team, which an approval would not be enough for.
fn blocked() -> Needs<'static> {
    let (needed, missing) = (["sre"].into(), ["sre"].into());
    Needs { needed, missing, is_called_off: false, is_pending: false, interrupted: [].into() }
}

#[test]
fn a_team_is_asked_at_once_paged_after_ten_minutes_and_escalated_after_thirty() {
    let mut played = Played::new();
    assert_eq!(played.look(1, &["sre"]), [Stage::Asked]);
    assert_eq!(played.plan(1).next, Some(at(10 * MINUTE)));
    assert_eq!(played.look(10 * MINUTE - 1, &["sre"]), []);
    assert_eq!(played.look(10 * MINUTE + 2, &["sre"]), [Stage::Page]);
    assert_eq!(played.rows.last().unwrap().page.due, at(10 * MINUTE), "the time when it was due, not when it was sent");
    assert_eq!(played.look(11 * MINUTE, &["sre"]), []);
    assert_eq!(played.look(30 * MINUTE + 2, &["sre"]), [Stage::Escalation]);
    assert_eq!(played.open(), ["T7/3/sre/1/page", "T7/3/sre/1/escalation"]);
    assert_eq!(played.look(31 * MINUTE, &[]), []);
    assert_eq!(played.open(), [""; 0], "it is resolved where the slot fills");
}

#[test]
fn teams_climb_apart_and_one_that_answers_in_time_is_not_paged() {
    let mut played = Played::new();
    played.look(1, &["releng", "sre"]);
    played.look(9 * MINUTE, &["sre"]);
    played.look(10 * MINUTE, &["sre"]);
    assert_eq!(played.open(), ["T7/3/sre/1/page"]);
}

#[test]
fn an_acknowledgement_holds_the_pages_of_its_team_and_lapses() {
    let mut played = Played::new();
    played.look(1, &["releng", "sre"]);
    played.ack("sre", 8 * MINUTE);
    assert_eq!(played.look(10 * MINUTE, &["releng", "sre"]), [Stage::Page]);
    assert_eq!(played.open(), ["T7/3/releng/1/page"]);
    assert_eq!(played.look(23 * MINUTE - 1, &["sre"]), []);
    assert_eq!(played.look(23 * MINUTE, &["sre"]), [Stage::Page]);
    // Who was paged late has the time until the next stage all the same.
    assert_eq!(played.look(43 * MINUTE - 1, &["sre"]), []);
    played.ack("sre", 40 * MINUTE);
    assert_eq!(played.look(55 * MINUTE - 1, &["sre"]), []);
    assert_eq!(played.look(55 * MINUTE, &["sre"]), [Stage::Escalation]);
}

#[test]
fn an_answer_from_before_the_ask_holds_nothing() {
    let mut played = Played::new();
    played.look(1, &["sre"]);
    played.look(2, &[]);
    played.ack("sre", 20);
    played.look(30, &["sre"]);
    assert_eq!(played.look(30 + 10 * MINUTE, &["sre"]), [Stage::Page]);
}

#[test]
fn a_slot_that_empties_begins_a_new_round_and_there_are_three() {
    let mut played = Played::new();
    for round in 1..=4 {
        let begun = (round - 1) * 3 * 60 * MINUTE;
        played.look(begun + 1, &["sre"]);
        let stages = played.look(begun + 10 * MINUTE + 1, &["sre"]);
        assert_eq!(stages, if round <= 3 { vec![Stage::Page] } else { vec![] }, "round {round}");
        played.look(begun + 12 * MINUTE, &[]);
        assert_eq!(played.open(), [""; 0]);
    }
}

#[test]
fn a_team_is_paged_once_an_hour_whatever_its_rounds_and_episodes() {
    let mut played = Played::new();
    played.look(1, &["sre"]);
    played.look(10 * MINUTE, &["sre"]);
    played.look(12 * MINUTE, &[]);
    // Again missing, and then untagged and tagged again.
    played.look(13 * MINUTE, &["sre"]);
    assert_eq!(played.look(24 * MINUTE, &["sre"]), []);
    played.episode = Episode { began: TransactionId(50), since: at(30 * MINUTE) };
    played.slots.clear();
    played.look(30 * MINUTE, &["sre"]);
    assert_eq!(played.open(), [""; 0]);
    assert_eq!(played.look(69 * MINUTE, &["sre"]), []);
    assert_eq!(played.plan(69 * MINUTE).next, Some(at(70 * MINUTE)));
    assert_eq!(played.look(70 * MINUTE, &["sre"]), [Stage::Page]);
    assert_eq!(played.open(), ["T7/50/sre/1/page"]);
}

#[test]
fn whom_surely_no_call_reached_is_paged_again_without_waiting_an_hour() {
    for may_be_heard in [true, false] {
        let mut played = Played::new();
        played.look(1, &["sre"]);
        played.look(10 * MINUTE, &["sre"]);
        let row = played.rows.last_mut().unwrap();
        row.state = PageState::Sending.resolving(at(12 * MINUTE), may_be_heard).resolved(at(12 * MINUTE));
        played.look(12 * MINUTE, &[]);
        played.look(13 * MINUTE, &["sre"]);
        assert_eq!(played.look(23 * MINUTE, &["sre"]).is_empty(), may_be_heard);
        assert_eq!(played.look(70 * MINUTE, &["sre"]).contains(&Stage::Page), may_be_heard, "once");
    }
}

#[test]
fn nobody_is_paged_for_what_nobody_confirmed_and_about_no_drill() {
    for (is_confirmed, is_drill, drills, pages) in
        [(false, false, false, false), (true, true, false, false), (true, true, true, true), (false, true, true, false)]
    {
        let mut played = Played { is_confirmed, is_drill, ..Played::new() };
        played.settings.drills = drills;
        assert_eq!(played.look(1, &["sre"]), [Stage::Asked], "it is asked all the same");
        assert_eq!(played.look(10 * MINUTE, &["sre"]).is_empty(), !pages, "{is_confirmed} {is_drill} {drills}");
        played.look(35 * MINUTE, &["sre"]);
        assert_eq!(played.open().is_empty(), !pages);
    }
}

#[test]
fn what_is_declared_a_drill_wakes_nobody_any_more() {
    let mut played = Played::new();
    played.look(1, &["sre"]);
    played.look(10 * MINUTE, &["sre"]);
    played.is_drill = true;
    played.look(11 * MINUTE, &["sre"]);
    assert_eq!(played.open(), [""; 0]);
    assert_eq!((played.look(40 * MINUTE, &["sre"]), played.asked_again()), (vec![], vec![]));
}

#[test]
fn a_drill_that_is_taken_back_begins_a_new_round() {
    let mut played = Played::new();
    played.look(1, &["sre", "releng"]);
    played.look(10 * MINUTE, &["sre"]);
    played.look(30 * MINUTE, &["sre"]);
    assert_eq!(played.open(), ["T7/3/sre/1/page", "T7/3/sre/1/escalation"]);
    played.is_drill = true;
    assert_eq!(played.look(31 * MINUTE, &["sre"]), []);
    played.is_drill = false;
    assert_eq!(played.look(32 * MINUTE, &["sre"]), [Stage::Asked]);
    assert_eq!(played.look(33 * MINUTE, &["sre"]), [], "once");
    assert_eq!(played.look(70 * MINUTE - 1, &["sre"]), [], "an hour since the last page");
    assert_eq!(played.look(70 * MINUTE, &["sre"]), [Stage::Page]);
    assert_eq!(played.look(90 * MINUTE, &["sre"]), [Stage::Escalation]);
    assert_eq!(played.open(), ["T7/3/sre/2/page", "T7/3/sre/2/escalation"]);
    // Whoever goes on with that does not use up the rounds: only what ended a page begins one, and there are three.
    let mut begun = Vec::new();
    for minute in 91..600 {
        played.is_drill = minute % 2 == 0;
        begun.extend(played.look(minute * MINUTE, &["sre"]).into_iter().map(|stage| (minute, stage)));
    }
    assert_eq!(begun[0], (93, Stage::Asked));
    assert!(begun[1..].contains(&(131, Stage::Page)), "{begun:?}");
    assert_eq!(played.slots.iter().find(|slot| slot.team == "sre").unwrap().round, ROUNDS + 1);
}

#[test]
fn a_drill_that_ended_no_page_only_puts_off_those_that_are_due() {
    let mut played = Played::new();
    played.look(1, &["sre"]);
    for minute in 1..9 {
        played.is_drill = minute % 2 == 0;
        assert_eq!(played.look(minute * MINUTE, &["sre"]), []);
    }
    played.is_drill = true;
    assert_eq!(played.look(12 * MINUTE, &["sre"]), []);
    played.is_drill = false;
    assert_eq!(played.look(15 * MINUTE, &["sre"]), [Stage::Page]);
    assert_eq!(played.open(), ["T7/3/sre/1/page"]);
}

/// One of a site where drills page people.
fn with_drills(is_drill: bool) -> Played {
    let mut played = Played { is_drill, ..Played::new() };
    played.settings.drills = true;
    played
}

#[test]
fn a_drill_that_turns_real_is_paged_for_as_that_whenever_people_were_paged_for_the_drill() {
    let mut played = with_drills(true);
    played.look(1, &["sre"]);
    played.look(10 * MINUTE, &["sre"]);
    played.look(30 * MINUTE, &["sre"]);
    assert_eq!(played.open(), ["T7/3/sre/1/page", "T7/3/sre/1/escalation"]);
    played.ack("sre", 31 * MINUTE);
    played.is_drill = false;
    assert_eq!(played.look(32 * MINUTE, &["sre"]), [Stage::Asked]);
    assert_eq!(played.open(), [""; 0], "nobody is needed for a drill");
    // Neither the hour nor who answered when it was a drill holds it.
    assert_eq!(played.look(42 * MINUTE - 1, &["sre"]), []);
    assert_eq!(played.look(42 * MINUTE, &["sre"]), [Stage::Page]);
    assert!(!played.rows.last().unwrap().page.drill);
    assert_eq!(played.look(62 * MINUTE, &["sre"]), [Stage::Escalation]);
    assert_eq!(played.open(), ["T7/3/sre/2/page", "T7/3/sre/2/escalation"]);
    // Nor is it held where the drill was an episode of its own.
    let mut tagged = with_drills(true);
    tagged.look(1, &["sre"]);
    tagged.look(10 * MINUTE, &["sre"]);
    tagged.episode = Episode { began: TransactionId(50), since: at(20 * MINUTE) };
    tagged.is_drill = false;
    tagged.slots.clear();
    tagged.look(20 * MINUTE, &["sre"]);
    assert_eq!(tagged.look(30 * MINUTE, &["sre"]), [Stage::Page]);
    assert_eq!(tagged.open(), ["T7/50/sre/1/page"]);
}

#[test]
fn an_emergency_that_turns_out_a_drill_is_paged_for_as_that_an_hour_later() {
    let mut played = with_drills(false);
    played.look(1, &["sre"]);
    played.look(10 * MINUTE, &["sre"]);
    played.is_drill = true;
    assert_eq!(played.look(11 * MINUTE, &["sre"]), [Stage::Asked]);
    assert_eq!(played.open(), [""; 0]);
    // Taken back before it paged anybody, it is the same round, an hour after the last page that woke people for the real thing.
    played.is_drill = false;
    assert_eq!(played.look(12 * MINUTE, &["sre"]), []);
    assert_eq!(played.look(70 * MINUTE - 1, &["sre"]), []);
    played.is_drill = true;
    assert_eq!(played.look(70 * MINUTE, &["sre"]), [Stage::Page]);
    assert!(played.rows.last().unwrap().page.drill);
    assert_eq!(played.open(), ["T7/3/sre/2/page"]);
}

#[test]
fn whoever_states_in_turn_that_it_is_a_drill_and_that_it_is_none_has_people_paged_three_times() {
    for first in [true, false] {
        let mut played = with_drills(first);
        let mut pages = Vec::new();
        for minute in 0..900 {
            played.is_drill = (minute % 2 == 0) == first;
            let stages = played.look(minute * MINUTE + 1, &["sre"]);
            pages.extend(stages.into_iter().filter(|stage| !stage.is_said()));
        }
        assert_eq!(pages.len(), ROUNDS as usize, "{pages:?}");
        assert_eq!(played.open(), [""; 0]);
    }
}

#[test]
fn a_reject_ends_the_pages_of_all_teams() {
    let mut played = Played::new();
    played.look(1, &["releng", "sre"]);
    played.look(10 * MINUTE, &["releng", "sre"]);
    assert_eq!(played.open().len(), 2);
    let both = BTreeSet::from(["releng", "sre"]);
    let rejected =
        Needs { needed: both.clone(), missing: both, is_called_off: true, is_pending: false, interrupted: [].into() };
    played.needs(12 * MINUTE, &rejected);
    assert_eq!(played.open(), [""; 0]);
    assert_eq!(played.needs(50 * MINUTE, &rejected), []);
    // Taken back, it begins anew.
    played.look(90 * MINUTE, &["sre"]);
    assert_eq!(played.look(100 * MINUTE, &["sre"]), [Stage::Page]);
    assert_eq!(played.open(), ["T7/3/sre/2/page"]);
}

#[test]
fn while_something_else_stands_in_the_way_nobody_is_paged_and_nothing_is_resolved() {
    let mut played = Played::new();
    played.look(1, &["sre"]);
    let blocked = blocked();
    played.needs(5 * MINUTE, &blocked);
    assert_eq!(played.needs(60 * MINUTE, &blocked), []);
    played.look(60 * MINUTE, &["sre"]);
    assert_eq!(played.look(65 * MINUTE - 1, &["sre"]), []);
    assert_eq!(played.look(65 * MINUTE, &["sre"]), [Stage::Page]);
    played.needs(66 * MINUTE, &blocked);
    assert_eq!(played.open(), ["T7/3/sre/1/page"]);
}

#[test]
fn what_holds_a_team_is_an_answer_since_it_was_asked_whatever_stood_in_the_way_since() {
    let mut played = Played::new();
    played.look(1, &["sre"]);
    let blocked = blocked();
    played.needs(MINUTE, &blocked);
    played.ack("sre", 7 * MINUTE);
    played.look(9 * MINUTE, &["sre"]);
    assert_eq!(
        played.look(18 * MINUTE, &["sre"]),
        [],
        "it is asked for ten minutes, and was answered eleven minutes ago"
    );
    assert_eq!(played.look(22 * MINUTE, &["sre"]), [Stage::Page]);
}

#[test]
fn what_is_confirmed_late_is_paged_for_then() {
    let mut played = Played { is_confirmed: false, ..Played::new() };
    played.look(1, &["sre"]);
    assert_eq!(played.look(50 * MINUTE, &["sre"]), []);
    (played.is_confirmed, played.confirmed) = (true, 50 * MINUTE);
    assert_eq!(played.look(50 * MINUTE + 1, &["sre"]), [Stage::Page]);
    assert_eq!(played.rows.last().unwrap().page.due, at(50 * MINUTE));
    assert_eq!(played.look(70 * MINUTE, &["sre"]), []);
    assert_eq!(played.look(70 * MINUTE + 1, &["sre"]), [Stage::Escalation]);
}

#[test]
fn a_team_that_nobody_answers_for_is_asked_again_once() {
    let mut played = Played::new();
    played.look(1, &["sre"]);
    played.look(30 * MINUTE, &["sre"]);
    assert_eq!(played.asked_again(), []);
    played.look(30 * MINUTE + 1, &["sre"]);
    played.look(50 * MINUTE, &["sre"]);
    assert_eq!(played.asked_again(), [at(30 * MINUTE + 1)]);
    // Somebody answered: not before that lapses.
    let mut played = Played::new();
    played.look(1, &["sre"]);
    played.ack("sre", 20 * MINUTE);
    played.look(35 * MINUTE - 1, &["sre"]);
    assert_eq!(played.asked_again(), []);
    played.look(35 * MINUTE, &["sre"]);
    assert_eq!(played.asked_again(), [at(35 * MINUTE)]);
    // What was confirmed late has its pages before.
    let mut played = Played { is_confirmed: false, ..Played::new() };
    played.look(1, &["sre"]);
    (played.is_confirmed, played.confirmed) = (true, 50 * MINUTE);
    played.look(70 * MINUTE - 1, &["sre"]);
    assert_eq!(played.asked_again(), []);
    played.look(70 * MINUTE, &["sre"]);
    assert_eq!(played.asked_again(), [at(70 * MINUTE)]);
    // Of what nobody is paged for nobody is named whom to wake, nor where nobody was asked.
    let mut unconfirmed = Played { is_confirmed: false, ..Played::new() };
    let mut drill = Played { is_drill: true, ..Played::new() };
    for played in [&mut unconfirmed, &mut drill] {
        played.look(1, &["sre"]);
        played.look(40 * MINUTE, &["sre"]);
        assert_eq!(played.asked_again(), []);
    }
    let mut unasked = Played::new();
    unasked.look(1, &["sre"]);
    unasked.rows.clear();
    assert!(unasked.plan(30 * MINUTE + 1).due.iter().all(|page| page.key.stage != Stage::AskedAgain));
}

#[test]
fn what_no_pager_took_for_long_wakes_people_when_one_does() {
    let mut played = Played::new();
    played.look(1, &["sre"]);
    played.look(10 * MINUTE, &["sre"]);
    let last = played.rows.len() - 1;
    played.rows[last].state = PageState::Sending;
    assert_eq!(played.look(45 * MINUTE, &["sre"]), [], "nobody was paged yet whom the next stage would be for");
    played.rows[last].state = PageState::Fired { at: at(45 * MINUTE) };
    assert_eq!(played.look(65 * MINUTE - 1, &["sre"]), []);
    assert_eq!(played.look(65 * MINUTE, &["sre"]), [Stage::Escalation]);
    // The hour until the next page about it begins there, too, also where it was resolved since.
    played.look(66 * MINUTE, &[]);
    played.look(67 * MINUTE, &["sre"]);
    assert_eq!(played.look(105 * MINUTE - 1, &["sre"]), []);
    assert_eq!(played.look(105 * MINUTE, &["sre"]), [Stage::Page]);
}

#[test]
fn a_page_that_is_being_sent_waits_for_what_would_keep_it_from_being_due() {
    let mut played = Played::new();
    let sre = [("sre".to_owned(), 1)];
    played.look(1, &["sre"]);
    played.look(10 * MINUTE, &["sre"]);
    assert_eq!(played.plan(10 * MINUTE).awake, sre);
    played.ack("sre", 11 * MINUTE);
    assert_eq!(played.plan(26 * MINUTE - 1).awake, []);
    assert_eq!(played.plan(26 * MINUTE).awake, sre);
    played.is_drill = true;
    assert_eq!(played.plan(26 * MINUTE).awake, []);
    (played.is_drill, played.is_confirmed) = (false, false);
    assert_eq!(played.plan(26 * MINUTE).awake, []);
}

#[test]
fn what_is_old_is_not_done_by_itself() {
    let mut played = Played { first_start: at(10), ..Played::new() };
    assert_eq!(played.look(60, &["sre"]), [], "it began before the store was made");
    let mut played = Played::new();
    played.look(1, &["sre"]);
    assert_eq!(played.look(41 * MINUTE, &["sre"]), [], "the service was away, and that is half an hour late");
    let mut played = Played::new();
    played.look(1, &["sre"]);
    assert_eq!(played.look(39 * MINUTE, &["sre"]), [Stage::Page]);
}

/// What may happen to a task within a minute.
#[derive(Debug, Clone)]
enum Happens {
    Missing(bool, bool),
    Acked(bool),
    Rejected(bool),
    Blocked(bool),
    Drill(bool),
    Confirmed(bool),
    TaggedAnew,
    Restarted,
    Nothing,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => (any::<bool>(), any::<bool>()).prop_map(|(one, two)| Happens::Missing(one, two)),
        2 => any::<bool>().prop_map(Happens::Acked),
        1 => any::<bool>().prop_map(Happens::Rejected),
        1 => any::<bool>().prop_map(Happens::Blocked),
        1 => any::<bool>().prop_map(Happens::Drill),
        1 => any::<bool>().prop_map(Happens::Confirmed),
        1 => Just(Happens::TaggedAnew),
        1 => Just(Happens::Restarted),
        12 => Just(Happens::Nothing),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn whatever_happens_nobody_is_paged_who_should_not_be(
        drills in any::<bool>(),
        story in prop::collection::vec(happens(), 1..400),
    ) {
        let mut played = Played::new();
        played.settings.drills = drills;
        let (mut missing, mut rejected, mut blocked) = (BTreeSet::from(["releng", "sre"]), false, false);
        let mut resolved: BTreeSet<PageKey> = BTreeSet::new();
        for (minute, happens) in (0_i64..).zip(story) {
            let second = minute * MINUTE + 1;
            match happens {
                Happens::Missing(one, two) => {
                    missing = [("releng", one), ("sre", two)].into_iter().filter_map(|(team, is)| is.then_some(team)).collect();
                }
                Happens::Acked(one) => played.ack(if one { "sre" } else { "releng" }, second),
                Happens::Rejected(is) => rejected = is,
                Happens::Blocked(is) => blocked = is,
                Happens::Drill(is) => played.is_drill = is,
                Happens::Confirmed(is) => played.is_confirmed = is,
                Happens::TaggedAnew => {
                    played.episode = Episode { began: TransactionId(100 + minute.unsigned_abs()), since: at(second) };
                    played.slots.clear();
                }
                // All that is known is what was kept.
                Happens::Restarted => played.rows.sort_by_key(PageRow::id),
                Happens::Nothing => {}
            }
            let before: BTreeSet<PageKey> = played.rows.iter().map(|row| row.page.key.clone()).collect();
            let rows_before = played.rows.len();
            let is_pending = !rejected && !blocked && !missing.is_empty();
            let needed = ["releng", "sre"].into();
            let (missing_now, interrupted) = (missing.clone(), [].into());
            played.needs(second, &Needs { needed, missing: missing_now, is_called_off: rejected, is_pending, interrupted });
            let (old, new) = played.rows.split_at(rows_before);
            for row in new.iter().filter(|row| row.receiver != Receiver::Channel) {
                let key = &row.page.key;
                let team = key.team.as_str();
                prop_assert!(missing.contains(team) && is_pending, "only for what is missing");
                prop_assert!(played.is_confirmed && (drills || !played.is_drill));
                prop_assert_eq!(row.page.drill, played.is_drill);
                prop_assert!(!before.contains(key) && !resolved.contains(key), "once a key");
                prop_assert!((1..=ROUNDS).contains(&key.round) && key.episode == played.episode.began);
                prop_assert!(row.page.due <= row.first && row.page.due > played.episode.since);
                let same = old.iter().filter(|other| {
                    let other = &other.page.key;
                    (&other.team, other.stage) == (&key.team, key.stage)
                });
                // A drill keeps no page back for the real thing, and everything else does.
                let mut same = same.filter(|other| row.page.drill || !other.page.drill);
                prop_assert!(same.all(|other| row.first.duration_since(other.first) >= APART));
                let slot = played.slots.iter().find(|slot| slot.team == team).unwrap();
                let asked = row.first.duration_since(slot.since);
                let after = if key.stage == Stage::Page { 10 } else { 30 };
                prop_assert!(asked >= SignedDuration::from_mins(after));
                let holds = |ack: &&Ack| {
                    let age = row.first.duration_since(ack.at);
                    ack.team == team && ack.at >= slot.asked && age < played.settings.ack_for
                };
                prop_assert!(!played.acks.iter().any(|ack| holds(&ack)), "an acknowledgement holds");
                if key.stage == Stage::Escalation {
                    let page = PageKey { stage: Stage::Page, ..key.clone() };
                    let paged = old.iter().find(|row| row.page.key == page).expect("a page came before");
                    prop_assert!(row.first.duration_since(paged.first) >= SignedDuration::from_mins(19));
                }
            }
            // Nothing stays open that nobody is needed for.
            for row in played.rows.iter().filter(|row| row.state.is_open() && row.receiver != Receiver::Channel) {
                let key = &row.page.key;
                prop_assert!(missing.contains(key.team.as_str()) && !rejected && (drills || !played.is_drill));
                prop_assert_eq!(row.page.drill, played.is_drill, "it says what the task says");
                prop_assert_eq!(key.episode, played.episode.began);
            }
            resolved.extend(played.rows.iter().filter(|row| !row.state.is_open()).map(|row| row.page.key.clone()));
        }
    }
}
