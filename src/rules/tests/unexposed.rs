//! What a server does not show makes no verdict better.

use proptest::prelude::*;

use super::properties::{user, writer};
use super::*;
use crate::conduit::Change;
use crate::evidence::differences;
use crate::evidence::timeline::Timeline;
use crate::ids::TransactionId;

/// What comes out for these transactions, by the same steps as when they are gathered: a history that does not lead to
/// the task is judged by nobody.
fn judged(history: &History, rows: Vec<crate::conduit::Transaction>) -> &'static str {
    let mut evidence = history.evidence();
    evidence.timeline = Timeline::new(rows).into();
    match differences(&evidence, &history.policy).is_empty() {
        true => evaluate(&evidence, &history.policy, &Intent::default(), None).decision.word(),
        false => "undecided",
    }
}

/// How far a deploy has come by this word.
fn rank(word: &str) -> u8 {
    match word {
        "allowed" => 2,
        "pending" => 1,
        _ => 0,
    }
}

/// The kinds of change that a server shows or does not.
fn kind(change: &Change) -> usize {
    match change {
        Change::Title { .. } => 0,
        Change::Description { .. } => 1,
        Change::Status { .. } => 2,
        Change::Projects { .. } => 3,
        Change::Custom { .. } | Change::Unnamed { .. } => 4,
        Change::Merged => 5,
        Change::View { .. } | Change::Space { .. } | Change::Other | Change::Unexposed => 6,
    }
}

/// Closes and opens the task, by a status or a merge, and sets it to rights again.
#[derive(Debug, Clone, Copy)]
enum Close {
    Status(&'static str),
    Merge,
}

fn close() -> impl Strategy<Value = Close> {
    let status = prop::sample::select(vec!["open", "stalled", "resolved"]);
    prop_oneof![3 => status.prop_map(Close::Status), 1 => Just(Close::Merge)]
}

fn closed(history: &mut History, second: i64, who: &str, acts: &[Close]) {
    for (later, act) in acts.iter().enumerate() {
        let second = second + 1 + later as i64;
        match act {
            Close::Status(status) => history.status(who, second, status),
            Close::Merge => history.merge(who, second),
        };
    }
}

proptest! {
    #[test]
    fn types_that_are_null_make_no_verdict_better(
        (mut writer, second) in writer(),
        who in user(),
        acts in prop::collection::vec(close(), 0..3),
        null in prop::array::uniform7(any::<bool>()),
    ) {
        closed(&mut writer.history, second, who, &acts);
        let rows = writer.history.timeline().into_transactions();
        let whole = judged(&writer.history, rows.clone());
        let mut less = rows;
        for row in less.iter_mut().filter(|row| null[kind(&row.change)]) {
            row.change = Change::Unexposed;
        }
        let partial = judged(&writer.history, less);
        prop_assert!(rank(partial) <= rank(whole), "{} where shown, {} where null", whole, partial);
    }

    /// A comment that a server leaves out leaves no trace; whatever else it leaves out does.
    #[test]
    fn a_transaction_that_is_left_out_makes_nothing_allowed(
        (mut writer, second) in writer(),
        who in user(),
        acts in prop::collection::vec(close(), 0..3),
        nth in 0usize..64,
    ) {
        closed(&mut writer.history, second, who, &acts);
        let rows = writer.history.timeline().into_transactions();
        let whole = judged(&writer.history, rows.clone());
        let silent: Vec<TransactionId> =
            rows.iter().filter(|row| row.comments.is_empty() && row.change != Change::Unexposed).map(|row| row.id).collect();
        let Some(gone) = silent.get(nth % silent.len().max(1)) else { return Ok(()) };
        let mut less = rows;
        less.retain(|row| row.id != *gone);
        let left = judged(&writer.history, less);
        prop_assert!(whole == "allowed" || left != "allowed", "{} with {}, {} without", whole, gone, left);
    }
}

#[test]
fn a_change_that_is_left_out_voids_what_came_before_the_next() {
    let mut history = History::ready();
    let gone = [
        history.describe("deployer1", 20, "Emergency-Reason: security - leak"),
        history.describe("deployer1", 21, "Emergency-Reason: availability - 5xx"),
    ];
    for gone in gone {
        let rows = history.timeline().into_transactions().into_iter().filter(|row| row.id != gone).collect();
        assert_ne!(judged(&history, rows), "allowed", "{gone}");
    }
    let mut history = History::ready();
    let untagged = history.untag("outsider", 20, "emergency");
    history.tag("outsider", 21, "emergency");
    let rows = history.timeline().into_transactions().into_iter().filter(|row| row.id != untagged).collect();
    assert_eq!(judged(&history, rows), "pending", "it carries the tag anew, though no transaction says that it ceased");
}
