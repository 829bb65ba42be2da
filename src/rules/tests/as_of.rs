//! A task as it was: what came later does not matter, and what cannot be known speaks against the deploy.

use super::*;
use crate::ids::TransactionId;

fn then(history: &History, through: TransactionId) -> Verdict {
    evaluate(&history.evidence(), &history.policy, &Intent::default(), Some(history.as_of(through)))
}

fn ready_then() -> (History, TransactionId) {
    let mut history = History::ready();
    let as_of = history.comment("outsider", 50, "The deploy starts here.");
    (history, as_of)
}

#[test]
fn what_came_later_does_not_matter() {
    let (mut history, as_of) = ready_then();
    let before = then(&history, as_of);
    assert_eq!(before.decision.word(), "allowed");
    history.comment("sre2", 60, "Emergency-Reject: sre");
    history.comment("sre1", 61, "Emergency-Withdraw: sre");
    history.comment("deployer1", 62, "Emergency-Reason: abuse - x");
    history.field("deployer1", 63, Some("security - x"));
    history.untag("outsider", 64, "emergency");
    history.status("outsider", 65, "resolved");
    history.describe("outsider", 66, "");
    history.unexposed("outsider", 67);
    let comment = history.comment("sre1", 68, "Something.");
    history.remove(comment, "admin", 69);
    assert_eq!(then(&history, as_of), before);
    assert_eq!(decision(&history), "denied");
}

#[test]
fn an_approval_that_came_later_is_late() {
    let mut history = History::emergency();
    let as_of = history.comment("releng1", 10, "Emergency-Approve: releng");
    history.comment("sre1", 11, "Emergency-Approve: sre");
    assert_eq!(decision(&history), "allowed");
    assert_eq!(then(&history, as_of).decision.word(), "pending");
}

#[test]
fn an_approval_that_was_edited_in_later_or_in_the_very_second_is_late() {
    for (second, word) in [(49, "allowed"), (50, "pending"), (51, "pending")] {
        let mut history = History::emergency();
        history.comment("releng1", 10, "Emergency-Approve: releng");
        let yes = history.comment("sre1", 11, "Looking.");
        let as_of = history.comment("outsider", 50, "The deploy starts here.");
        history.edit(yes, "sre1", second, "Emergency-Approve: sre");
        assert_eq!(then(&history, as_of).decision.word(), word, "{second}");
    }
}

#[test]
fn a_no_that_was_edited_out_later_or_in_the_very_second_stood() {
    for instead in ["Fine.", "Emergency-Withdraw: sre"] {
        for (second, word) in [(49, "allowed"), (50, "denied"), (51, "denied")] {
            let mut history = History::ready();
            let no = history.comment("sre2", 20, "Emergency-Reject: sre");
            let as_of = history.comment("outsider", 50, "The deploy starts here.");
            history.edit(no, "sre2", second, instead);
            assert_eq!(then(&history, as_of).decision.word(), word, "{second} {instead}");
        }
    }
}

#[test]
fn a_later_edit_of_an_approval_does_not_matter() {
    let mut history = History::emergency();
    history.comment("releng1", 10, "Emergency-Approve: releng");
    let yes = history.comment("sre1", 11, "Emergency-Approve: sre");
    let as_of = history.comment("outsider", 50, "The deploy starts here.");
    history.edit(yes, "sre1", 60, "Never mind.");
    assert_eq!(then(&history, as_of).decision.word(), "allowed");
}

#[test]
fn what_was_removed_later_is_not_known_to_have_been_harmless() {
    // The text of a removed comment is gone from all its versions: the approval cannot be shown any more.
    let mut history = History::emergency();
    history.comment("releng1", 10, "Emergency-Approve: releng");
    let yes = history.comment("sre1", 11, "Emergency-Approve: sre");
    let as_of = history.comment("outsider", 50, "The deploy starts here.");
    history.remove(yes, "sre1", 60);
    assert_eq!(then(&history, as_of).rule("team:sre").unwrap().outcome, Outcome::Pending);
    // And a no, or a change of what was agreed, must not vanish after the deploy.
    let mut history = History::ready();
    let no = history.comment("sre2", 20, "Emergency-Reject: sre");
    let as_of = history.comment("outsider", 50, "The deploy starts here.");
    history.remove(no, "sre2", 60);
    assert_eq!(then(&history, as_of).decision.word(), "denied");
    let mut history = History::ready();
    let change = history.comment("deployer1", 20, "Emergency-Change: I666");
    let as_of = history.comment("outsider", 50, "The deploy starts here.");
    history.remove(change, "deployer1", 60);
    assert_eq!(then(&history, as_of).decision.word(), "pending");
}

#[test]
fn a_comment_that_was_made_and_removed_later_does_not_matter() {
    let (mut history, as_of) = ready_then();
    for user in ["sre1", "deployer1"] {
        let comment = history.comment(user, 60, "Something.");
        history.remove(comment, "admin", 61);
    }
    assert_eq!(then(&history, as_of).decision.word(), "allowed");
}

#[test]
fn age_is_measured_at_the_cut() {
    let (mut history, as_of) = ready_then();
    history.later(1_000_000);
    assert_eq!(decision(&history), "pending");
    assert_eq!(then(&history, as_of).decision.word(), "allowed");
    let age = history.policy.max_age.as_secs();
    let at_limit = history.comment("outsider", 11 + age, "Now.");
    let beyond = history.comment("outsider", 12 + age, "Now.");
    assert_eq!(then(&history, at_limit).rule("team:sre").unwrap().outcome, Outcome::Pass);
    assert_eq!(then(&history, beyond).rule("team:sre").unwrap().outcome, Outcome::Pending);
}

#[test]
fn the_status_is_that_of_the_cut() {
    let mut history = History::ready();
    let closed = history.status("outsider", 20, "resolved");
    let open = history.status("outsider", 21, "open");
    assert_eq!(then(&history, closed).decision.word(), "denied");
    assert_eq!(then(&history, open).decision.word(), "allowed");
}

#[test]
fn what_an_imported_task_held_before_its_first_change_is_known() {
    let mut history = History::new("deployer1");
    history.task.description = "Emergency-Reason: abuse - imported".into();
    history.tag("deployer1", 1, "emergency");
    history.comment("releng1", 10, "Emergency-Approve: releng");
    let as_of = history.comment("sre1", 11, "Emergency-Approve: sre");
    history.describe("outsider", 60, "It is over.");
    assert_eq!(then(&history, as_of).decision.word(), "allowed");
}
