//! What the page says of reaching people: where a yes can be said, who is on call and was paged, and what was heard.

use super::tests::{emergency, in_order, pages, sight, text};
use super::{Emergency, Sight, task};
use crate::config::IrcAccount;
use crate::evidence::testing::{History, at};
use crate::paging::{Stage, WhoToAsk};
use crate::serve::http::{Seen, Shown};
use crate::serve::paging::{PageShown, Reached, TeamPaging};
use crate::serve::reported::Said;
use crate::serve::testing::watched;
use crate::serve::witnessing::tests::word;
use crate::serve::witnessing::{Unwritten, UnwrittenWord};
use crate::witness::WitnessedWord::{Approve, Reject};

#[test]
fn what_is_said_on_irc_to_approve_has_the_code_of_what_is_agreed_to() {
    let mut history = History::emergency();
    history.policy.accept_witnessed = true;
    let watched = watched(&history);
    let code = watched.subject.code.unwrap();
    // Of the two of sre one is listed.
    let listed = [IrcAccount { services: "kim".into(), account: "SRE1".into(), since: jiff::civil::date(2026, 1, 1) }];
    let there = Sight { channel: Some(("#ops", &listed)), ..sight(None) };
    let page = task(&there, &emergency(&watched, Shown::Whole)).whole();
    in_order(
        &text(&page),
        &["phabgate approve T1", &format!("Or on IRC in #ops, only sre1 can: !approve T1 sre {code}")],
    );
    let outside = text(&task(&Sight { is_in_channel: false, ..there }, &emergency(&watched, Shown::Whole)).whole());
    assert!(outside.contains("Not on IRC at the moment: the bot is not in #ops"), "{outside}");
    assert!(!outside.contains("!approve"), "nobody would hear it: {outside}");
    let nowhere = Sight { channel: None, ..sight(None) };
    assert!(!task(&nowhere, &emergency(&watched, Shown::Whole)).whole().contains("!approve"));
    assert!(task(&there, &emergency(&watched, Shown::Names)).whole().contains("!approve T1 sre"));
    assert!(
        !task(&sight(None), &emergency(&watched, Shown::Whole)).whole().contains("!approve"),
        "nobody would be heard"
    );
    let unheard = crate::serve::testing::watched(&History::emergency());
    let page = task(&there, &emergency(&unheard, Shown::Whole)).whole();
    assert!(!page.contains("!approve"), "nothing that is said counts by this policy");
    history.task.view = "PHID-PLCY-secret".into();
    assert_eq!(crate::serve::testing::watched(&history).subject.code, None);
}

#[test]
fn who_is_on_call_who_was_paged_and_who_has_seen_it_is_shown_to_those_who_see_names() {
    let watched = watched(&History::emergency());
    let paging = |reached| TeamPaging {
        team: "sre".into(),
        who: WhoToAsk { on_call: vec!["sre2".into()], others: vec!["sre1".into()], note: Some("a <b> note".into()) },
        pages: vec![PageShown { round: 1, stage: Stage::Page, at: at(900), reached }],
        ack: Some(("sre2".into(), at(1_800))),
    };
    let page_of = |paging, shown| {
        let seen = Seen::of(&watched, Said::default(), vec![paging], Unwritten::default(), shown);
        task(&sight(None), &Emergency { seen, evidence_at: at(995), unread_since: None, is_old: false }).whole()
    };
    let page = |reached, shown| page_of(paging(reached), shown);
    let shown = page(Reached::Accepted, Shown::Names);
    assert!(shown.contains("nobody is paged again."));
    let order = ["On call", "sre2", "Could approve too", "sre1", "Paged ", "has seen it", "a &lt;b&gt; note"];
    in_order(shown.split_once("id=\"needed\"").unwrap().1, &order);
    let held = page(Reached::Tried, Shown::Names);
    assert!(!held.contains("Not paged yet") && held.contains("nobody is paged."), "what an answer holds is not tried");
    assert!(page_of(TeamPaging { ack: None, ..paging(Reached::Tried) }, Shown::Names).contains("Not paged yet"));
    assert!(page(Reached::GivenUp, Shown::Names).contains("is given up, "));
    let less = page(Reached::Accepted, Shown::Number);
    assert!(!less.contains("sre2") && !less.contains("Paged "), "{less}");
}

#[test]
fn what_was_said_on_irc_and_cannot_be_read_is_not_passed_over() {
    let watched = watched(&History::emergency());
    let none = text(&pages(&watched, Shown::Whole, None)[0]);
    assert!(!none.contains("Said on IRC"), "{none}");
    let spoken = Unwritten { is_incomplete: true, ..Unwritten::default() };
    for shown in [Shown::Whole, Shown::Names] {
        let seen = Seen::of(&watched, Said::default(), vec![], spoken.clone(), shown);
        let emergency = Emergency { seen, ..emergency(&watched, shown) };
        let read = text(&task(&sight(None), &emergency).whole());
        assert!(read.contains("Said on IRC, not counted Not all of it can be read"), "{read}");
    }
}

#[test]
fn where_no_pager_is_configured_the_words_to_paste_stand_beside_what_to_do() {
    let mut history = History::emergency();
    let by_hand = Sight { by_hand: Some("Klaxon, https://klaxon.example/, pages"), ..sight(None) };
    let page =
        |history: &History, sight: &Sight<'_>, shown| text(&task(sight, &emergency(&watched(history), shown)).whole());
    let words = "Nobody answers? Klaxon, https://klaxon.example/, pages. Words to paste: emergency deploy T1";
    for shown in [Shown::Whole, Shown::Names] {
        let shown = page(&history, &by_hand, shown);
        assert!(shown.contains(words) && shown.contains("needs releng and sre: https://"), "{shown}");
    }
    assert!(!page(&history, &by_hand, Shown::Number).contains("Klaxon"));
    assert!(!page(&history, &sight(None), Shown::Whole).contains("Klaxon"), "the service pages");
    history.comment("deployer1", 9, "Emergency-Drill: yes");
    assert!(!page(&history, &by_hand, Shown::Whole).contains("Klaxon"), "a drill pages nobody");
}

#[test]
fn whose_yes_did_not_count_and_who_said_no_since_is_said_to_have_said_no() {
    let spoken = |kind| {
        let unwritten = |word| UnwrittenWord { word, why: "the code is another".into(), is_open: false };
        Unwritten { words: vec![unwritten(word("sre1", kind)), unwritten(word("sre2", kind))], is_incomplete: false }
    };
    let page = |history: &History, kind, shown| {
        let watched = watched(history);
        let seen = Seen::of(&watched, Said::default(), vec![], spoken(kind), shown);
        text(&task(&sight(None), &Emergency { seen, ..emergency(&watched, shown) }).whole())
    };
    let not_counted = |page: &str, user: &str| page.contains(&format!("Does not count {user} in #example: "));
    let mut history = History::emergency();
    let open = page(&history, Approve, Shown::Names);
    assert!(not_counted(&open, "sre1") && not_counted(&open, "sre2"), "{open}");
    let mut earlier = history.clone();
    earlier.comment("sre1", 12, "Emergency-Reject: sre - no, the databases");
    assert!(not_counted(&page(&earlier, Approve, Shown::Names), "sre1"), "they said it after their no");
    history.comment("sre1", 30, "Emergency-Reject: sre - no, the databases");
    for shown in [Shown::Names, Shown::Whole] {
        let rejected = page(&history, Approve, shown);
        assert!(!not_counted(&rejected, "sre1") && not_counted(&rejected, "sre2"), "{rejected}");
        assert!(not_counted(&page(&history, Reject, shown), "sre1"), "a no is never left out");
    }
    let names = page(&history, Approve, Shown::Names);
    assert!(names.contains("rejected by sre1; why is shown to those with an account"), "{names}");
    assert!(!names.contains("databases"), "{names}");
    let number = page(&history, Approve, Shown::Number);
    assert!(!number.contains("sre1") && !number.contains("rejected"), "{number}");
    // Nor is a yes that was given since.
    let mut approved = History::emergency();
    approved.comment("sre1", 30, "Emergency-Approve: sre");
    assert!(!not_counted(&page(&approved, Approve, Shown::Names), "sre1"));
}
