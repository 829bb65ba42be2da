//! Comments that were edited or removed.

use super::*;
use crate::conduit::CommentVersion;
use crate::evidence::testing::{at, person};

/// An emergency with a yes of Release Engineering.
fn half() -> History {
    let mut history = History::emergency();
    history.comment("releng1", 10, "Emergency-Approve: releng");
    history
}

#[test]
fn an_edit_that_leaves_a_trailer_as_it_was_does_not_make_it_newer() {
    let mut history = half();
    let yes = history.comment("sre1", 11, "Emergency-Approve: sre");
    history.comment("deployer1", 20, "Emergency-Change: I1");
    history.edit(yes, "sre1", 30, "Good luck.\n\nEmergency-Approve: sre");
    assert!(matches!(why_not(&history, "sre1")[..], [Some(WhyNot::Outdated { .. })]));
    history.edit(yes, "sre1", 31, "Hm.");
    history.edit(yes, "sre1", 32, "Emergency-Approve: sre");
    assert_eq!(why_not(&history, "sre1"), [None], "said anew");
}

#[test]
fn an_approval_that_was_edited_in_counts_from_then() {
    let mut history = half();
    let yes = history.comment("sre1", 11, "Looking.");
    history.comment("deployer1", 20, "Emergency-Change: I1");
    history.edit(yes, "sre1", 19, "Emergency-Approve: sre");
    assert!(matches!(why_not(&history, "sre1")[..], [Some(WhyNot::Outdated { .. })]));
    let mut history = half();
    let yes = history.comment("sre1", 1, "Looking.");
    history.edit(yes, "sre1", 30, "Emergency-Approve: sre");
    assert_eq!(decision(&history), "allowed");
    let age = history.policy.max_age.as_secs();
    assert_eq!(why_not(history.later(30 + age), "sre1"), [None]);
}

#[test]
fn what_was_edited_out_is_not_said() {
    let mut history = half();
    let yes = history.comment("sre1", 11, "Emergency-Approve: sre");
    history.edit(yes, "sre1", 12, "Emergency-Approve: sre, after the backup");
    assert_ne!(why_not(&history, "sre1"), [None]);
    let mut history = History::ready();
    let no = history.comment("sre2", 20, "Emergency-Reject: sre");
    assert_eq!(decision(&history), "denied");
    history.edit(no, "sre2", 21, "All good.");
    assert_eq!(decision(&history), "allowed");
}

#[test]
fn in_the_same_second_an_approval_loses() {
    // Against each: a change of the reason, the tag, a withdrawal of their own, a no of their own.
    let against: [fn(&mut History); 4] = [
        |history| {
            history.describe("outsider", 20, "Emergency-Reason: abuse - x");
        },
        |history| {
            history.untag("outsider", 19, "emergency");
            history.tag("outsider", 20, "emergency");
        },
        |history| {
            history.comment("sre1", 20, "Emergency-Withdraw: sre");
        },
        |history| {
            history.comment("sre1", 20, "Emergency-Reject: sre");
        },
    ];
    for (case, act) in against.into_iter().enumerate() {
        let mut history = half();
        let yes = history.comment("sre1", 11, "Looking.");
        act(&mut history);
        history.edit(yes, "sre1", 20, "Emergency-Approve: sre");
        assert_eq!(outcome(&history, "team:sre"), Outcome::Pending, "{case}");
        history.edit(yes, "sre1", 21, "No.");
        history.edit(yes, "sre1", 22, "Emergency-Approve: sre");
        assert_eq!(outcome(&history, "team:sre"), Outcome::Pass, "{case}");
    }
}

#[test]
fn in_the_same_second_a_withdraw_or_a_reject_wins() {
    for word in ["Withdraw", "Reject"] {
        let mut history = half();
        let word_ = history.comment("sre1", 11, "Looking.");
        history.comment("sre1", 20, "Emergency-Approve: sre");
        history.edit(word_, "sre1", 20, &format!("Emergency-{word}: sre"));
        assert_eq!(outcome(&history, "team:sre"), Outcome::Pending, "{word}");
    }
    // Of the two, the no.
    let mut history = History::ready();
    let back = history.comment("sre2", 12, "Looking.");
    history.comment("sre2", 20, "Emergency-Reject: sre");
    history.edit(back, "sre2", 20, "Emergency-Withdraw: sre");
    assert_eq!(decision(&history), "denied");
    history.edit(back, "sre2", 21, "");
    history.edit(back, "sre2", 22, "Emergency-Withdraw: sre");
    assert_eq!(decision(&history), "allowed");
}

#[test]
fn a_version_by_somebody_else_gives_no_yes_and_lifts_no_no() {
    let mut history = half();
    let comment = history.comment("sre1", 11, "Looking.");
    history.edit(comment, "admin", 12, "Emergency-Approve: sre");
    assert_eq!(why_not(&history, "sre1"), [Some(WhyNot::Foreign)]);
    for instead in ["All good.", "Emergency-Withdraw: sre", "Emergency-Approve: sre"] {
        let mut history = History::ready();
        let no = history.comment("sre2", 20, "Emergency-Reject: sre");
        history.edit(no, "admin", 21, instead);
        assert_eq!(decision(&history), "denied", "{instead}");
        history.edit(no, "sre2", 22, "I agree.");
        assert_eq!(decision(&history), "allowed", "{instead}");
    }
    let mut history = History::ready();
    let comment = history.comment("sre2", 20, "Looking.");
    history.edit(comment, "admin", 21, "Emergency-Reject: sre");
    assert_eq!(decision(&history), "denied", "a no counts whoever wrote it");
}

#[test]
fn a_version_by_somebody_else_that_leaves_the_approval_alone_does_it_no_harm() {
    let mut history = half();
    let yes = history.comment("sre1", 11, "Emergency-Approve: sre");
    history.edit(yes, "admin", 12, "(formatted)\n\nEmergency-Approve: sre");
    assert_eq!(decision(&history), "allowed");
}

#[test]
fn a_removed_comment_voids_the_older_approvals_of_its_author() {
    let mut history = History::ready();
    let comment = history.comment("sre1", 20, "Something.");
    history.comment("releng2", 21, "Unrelated.");
    history.remove(comment, "sre1", 30);
    assert_eq!(why_not(&history, "sre1"), [Some(WhyNot::CommentRemoved)]);
    assert_eq!(why_not(&history, "releng1"), [None]);
    history.comment("sre1", 31, "Emergency-Approve: sre");
    assert_eq!(decision(&history), "allowed");
}

#[test]
fn an_approval_after_the_removed_comment_stands() {
    let mut history = half();
    let comment = history.comment("sre1", 11, "Something.");
    history.comment("sre1", 12, "Emergency-Approve: sre");
    history.remove(comment, "sre1", 30);
    assert_eq!(decision(&history), "allowed");
    // One that was edited before it was removed spoke when it was edited.
    let mut history = half();
    let comment = history.comment("sre1", 11, "Something.");
    history.comment("sre1", 12, "Emergency-Approve: sre");
    history.edit(comment, "sre1", 13, "Something else.");
    history.remove(comment, "sre1", 30);
    assert_eq!(why_not(&history, "sre1"), [Some(WhyNot::CommentRemoved)]);
}

#[test]
fn a_removed_comment_of_who_may_state_the_reason_changes_what_was_agreed() {
    for speaker in ["deployer1", "phabgate"] {
        let mut history = History::ready();
        let comment = history.comment(speaker, 5, "Something.");
        history.remove(comment, "admin", 30);
        let what = "a comment that may have held the reason was removed by admin".to_owned();
        assert_eq!(why_not(&history, "sre1"), [Some(WhyNot::Outdated { what })], "{speaker}");
        history.comment("sre1", 31, "Emergency-Approve: sre");
        assert_eq!(why_not(&history, "sre1"), [None], "{speaker}");
    }
    let mut history = History::ready();
    let comment = history.comment("outsider", 12, "Something.");
    history.remove(comment, "outsider", 30);
    assert_eq!(decision(&history), "allowed");
}

#[test]
fn a_comment_of_a_member_that_somebody_else_removed_may_have_been_a_no() {
    let mut history = History::ready();
    let no = history.comment("sre2", 20, "Emergency-Reject: sre");
    let mut own = history.clone();
    history.remove(no, "admin", 30);
    assert_eq!((outcome(&history, "rejected"), decision(&history)), (Outcome::Fail, "denied"));
    history.comment("sre2", 31, "Emergency-Withdraw: sre");
    assert_eq!(decision(&history), "allowed");
    own.remove(no, "sre2", 30);
    assert_eq!(decision(&own), "allowed", "their own no is theirs to remove");
}

#[test]
fn a_comment_that_comes_back_after_its_removal_speaks_from_then() {
    let mut history = half();
    history.comment("sre1", 11, "Emergency-Approve: sre");
    let comment = history.comment("sre1", 12, "Something.");
    history.remove(comment, "sre1", 13);
    history.put(comment, CommentVersion::new(3, person("sre1").as_str(), at(14), false, "Hello again."));
    assert_eq!(why_not(&history, "sre1"), [Some(WhyNot::CommentRemoved)]);
    history.put(comment, CommentVersion::new(4, person("sre1").as_str(), at(15), false, "Emergency-Approve: sre"));
    assert_eq!(why_not(&history, "sre1"), [None]);
}
