//! The latest word of each person for each team.

use super::*;

fn said(words: &[(&str, &str)]) -> History {
    let mut history = History::emergency();
    for (second, (user, word)) in words.iter().enumerate() {
        history.comment(user, 10 + second as i64, &format!("Emergency-{word}"));
    }
    history
}

const YES: (&str, &str) = ("releng1", "Approve: releng");

#[test]
fn the_latest_word_per_person_and_team_stands_alone() {
    let history = said(&[YES, ("sre1", "Approve: sre"), ("sre1", "Withdraw: sre")]);
    assert_eq!((why_not(&history, "sre1"), decision(&history)), (vec![Some(WhyNot::Withdrawn)], "pending"));
    let history = said(&[YES, ("sre1", "Withdraw: sre"), ("sre1", "Approve: sre")]);
    assert_eq!((why_not(&history, "sre1"), decision(&history)), (vec![None], "allowed"));
    let history = said(&[YES, ("sre1", "Approve: sre"), ("sre1", "Reject: sre - wait")]);
    assert_eq!((why_not(&history, "sre1"), decision(&history)), (vec![Some(WhyNot::Rejected)], "denied"));
    let history = said(&[YES, ("sre1", "Reject: sre - wait"), ("sre1", "Approve: sre")]);
    assert_eq!(decision(&history), "allowed");
    let history = said(&[YES, ("sre1", "Approve: sre"), ("sre1", "Reject: sre"), ("sre1", "Withdraw: sre")]);
    assert_eq!(decision(&history), "pending", "the yes before the no does not come back");
}

#[test]
fn a_word_for_one_team_is_none_for_another() {
    let history = said(&[("both", "Approve: sre, releng"), ("both", "Withdraw: sre")]);
    assert_eq!(why_not(&history, "both"), [None, Some(WhyNot::Withdrawn)]);
    let history = said(&[YES, ("sre1", "Approve: sre"), ("both", "Reject: sre"), ("both", "Withdraw: releng")]);
    assert_eq!(decision(&history), "denied");
    let history = said(&[YES, ("sre1", "Approve: sre"), ("sre2", "Withdraw: sre")]);
    assert_eq!(decision(&history), "allowed", "nobody takes back what another said");
}

#[test]
fn in_one_comment_a_no_is_the_last_word() {
    let mut history = said(&[YES]);
    history.comment("sre1", 20, "Emergency-Reject: sre\nEmergency-Approve: sre");
    assert_eq!(decision(&history), "denied");
    let mut history = said(&[YES]);
    history.comment("sre1", 20, "Emergency-Withdraw: sre\nEmergency-Approve: sre");
    assert_eq!(decision(&history), "pending");
}

#[test]
fn an_approval_that_is_not_understood_counts_for_none_and_is_shown() {
    let history = said(&[YES, ("sre1", "Approve: sre, but after the backup")]);
    let verdict = verdict(&history);
    let shown = verdict.approvals.iter().find(|approval| approval.user == "sre1").unwrap();
    assert_eq!(shown.team, "sre, but after the backup");
    assert_eq!(shown.why_not, Some(WhyNot::NotUnderstood { example: "sre".into() }));
    assert_eq!(verdict.decision.word(), "pending");
}

#[test]
fn a_rejection_that_is_not_understood_counts_for_all_teams_of_its_author() {
    let history = said(&[YES, ("sre1", "Approve: sre"), ("both", "Reject: please do not")]);
    let verdict_ = verdict(&history);
    let rejected = verdict_.rule("rejected").unwrap();
    assert_eq!(rejected.outcome, Outcome::Fail);
    assert!(rejected.hint.as_ref().unwrap().contains("Emergency-Withdraw: releng, sre"), "{rejected:?}");
    let history = said(&[YES, ("sre1", "Approve: sre"), ("both", "Reject: not now"), ("both", "Withdraw: sre")]);
    assert_eq!(decision(&history), "denied", "the no for the other team stands");
    let history =
        said(&[YES, ("sre1", "Approve: sre"), ("both", "Reject: not now"), ("both", "Withdraw: sre, releng")]);
    assert_eq!(decision(&history), "allowed");
    let history = said(&[YES, ("sre1", "Approve: sre"), ("outsider", "Reject: not now")]);
    assert_eq!(outcome(&history, "rejected"), Outcome::Warn, "somebody without a team is shown all the same");
}

#[test]
fn a_withdrawal_that_is_not_understood_takes_back_a_yes_and_no_no() {
    let history = said(&[YES, ("sre1", "Approve: sre"), ("sre1", "Withdraw: what I said")]);
    assert_eq!(why_not(&history, "sre1"), [Some(WhyNot::Withdrawn)]);
    let history = said(&[YES, ("sre1", "Approve: sre"), ("sre2", "Reject: sre"), ("sre2", "Withdraw: my approval")]);
    assert_eq!(decision(&history), "denied");
}

#[test]
fn who_rejects_is_an_enabled_human_member_of_any_team() {
    let ready = [YES, ("sre1", "Approve: sre")];
    let denied = |word| decision(&said(&[ready[0], ready[1], word]));
    assert_eq!(denied(("sec1", "Reject: security")), "denied");
    assert_eq!(denied(("sec1", "Reject: sre")), "denied");
    for user in ["outsider", "robot", "gone", "deployer1"] {
        assert_eq!(denied((user, "Reject: sre")), "allowed", "{user}");
    }
}

#[test]
fn a_rejection_counts_where_a_team_or_an_account_could_not_be_read() {
    for word in ["Reject: security", "Reject: not now"] {
        let history = said(&[YES, ("sre1", "Approve: sre"), ("sec1", word)]);
        let mut evidence = history.evidence();
        std::sync::Arc::make_mut(&mut evidence.teams).remove("security");
        let judged = |evidence| evaluate(evidence, &history.policy, &Intent::default(), None).decision;
        assert_eq!(judged(&evidence).word(), "denied", "{word}");
        let mut evidence = history.evidence();
        std::sync::Arc::make_mut(&mut evidence.accounts).remove(&crate::evidence::testing::person("sec1"));
        assert_eq!(judged(&evidence).word(), "denied", "{word}");
    }
}

#[test]
fn a_trailer_in_a_quote_or_a_code_block_is_none() {
    for text in ["> Emergency-Approve: sre", "```\nEmergency-Approve: sre\n```", "  Emergency-Approve: sre"] {
        let mut history = said(&[YES]);
        history.comment("sre1", 20, text);
        assert!(why_not(&history, "sre1").is_empty(), "{text}");
    }
}
