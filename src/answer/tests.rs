//! Whose answers are taken, for which team, and what the comment can be read as.

use proptest::prelude::*;

use super::*;
use crate::evidence::testing::History;
use crate::evidence::trailers::{self, Teams};
use crate::policy::testing::built_in;
use AnswerKind::{Approve, Reject, Withdraw};

fn wish(kind: AnswerKind, team: Option<&str>) -> AnswerRequest<'_> {
    AnswerRequest { kind, team, note: None }
}

fn ask(
    history: &mut History,
    who: &'static str,
    kind: AnswerKind,
    team: Option<&str>,
) -> Result<AnswerStep, AnswerError> {
    let evidence = &history.as_read_by(who, None);
    let (state, verdict) = &rules::judge(evidence, &history.policy, &Intent::default(), None, Texts::Hidden);
    plan_answer(JudgedTask { evidence, state, verdict }, &history.policy, Texts::Hidden, &wish(kind, team))
}

fn posts(team: &str, text: &str) -> Result<AnswerStep, AnswerError> {
    Ok(AnswerStep::Post { team: team.into(), text: text.into() })
}

fn why(result: Result<AnswerStep, AnswerError>) -> String {
    match result {
        Err(AnswerError::WouldNotCount { why, hint }) => {
            assert!(!hint.is_empty(), "{why}");
            why
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_team_is_the_one_that_still_needs_somebody() {
    let mut history = History::emergency();
    assert_eq!(ask(&mut history, "sre1", Approve, None), posts("sre", "Emergency-Approve: sre"));
    let both = ask(&mut history, "both", Approve, None);
    assert_eq!(both, Err(AnswerError::WhichTeam { teams: vec!["releng".into(), "sre".into()] }));
    assert_eq!(ask(&mut history, "both", Approve, Some("#SRE")), posts("sre", "Emergency-Approve: sre"));
    history.comment("releng1", 10, "Emergency-Approve: releng");
    assert_eq!(ask(&mut history, "both", Approve, None), posts("sre", "Emergency-Approve: sre"));
    // Nothing is missing, and one more does no harm.
    history.comment("sre1", 11, "Emergency-Approve: sre");
    assert_eq!(ask(&mut history, "sre2", Approve, None), posts("sre", "Emergency-Approve: sre"));
    assert!(matches!(ask(&mut history, "both", Approve, None), Err(AnswerError::WhichTeam { .. })));
}

#[test]
fn an_answer_that_stands_is_not_given_again() {
    let mut history = History::emergency();
    let given = history.comment("sre1", 10, "Emergency-Approve: sre");
    let stands = |transaction| Ok(AnswerStep::Stands { team: "sre".into(), transaction: Some(transaction) });
    assert_eq!(ask(&mut history, "sre1", Approve, None), stands(given));
    let no = history.comment("sre1", 11, "Emergency-Reject: sre - wait");
    assert_eq!(ask(&mut history, "sre1", Reject, None), stands(no));
    assert_eq!(ask(&mut history, "sre1", Approve, None), posts("sre", "Emergency-Approve: sre"));
    assert_eq!(ask(&mut history, "sre1", Withdraw, None), posts("sre", "Emergency-Withdraw: sre"));
    let back = history.comment("sre1", 12, "Emergency-Withdraw: sre");
    assert_eq!(ask(&mut history, "sre1", Withdraw, None), stands(back));
    assert_eq!(ask(&mut history, "sre1", Withdraw, Some("sre")), stands(back));
}

#[test]
fn an_approval_that_no_longer_counts_is_given_anew() {
    let mut history = History::emergency();
    history.comment("sre1", 10, "Emergency-Approve: sre");
    history.describe("deployer1", 20, "Emergency-Reason: abuse - a scraper");
    assert_eq!(ask(&mut history, "sre1", Approve, None), posts("sre", "Emergency-Approve: sre"));
}

#[test]
fn what_would_not_count_is_refused() {
    let mut history = History::emergency();
    assert!(why(ask(&mut history, "outsider", Approve, None)).contains("outsider is in no team that T1 needs"));
    assert!(why(ask(&mut history, "outsider", Approve, Some("sre"))).contains("not a member of"));
    assert!(why(ask(&mut history, "outsider", Reject, None)).contains("in no team of the policy"));
    assert!(why(ask(&mut history, "outsider", Reject, Some("sre"))).contains("in no team of the policy"));
    assert!(why(ask(&mut history, "sre1", Withdraw, None)).contains("no answer on T1"));
    assert!(why(ask(&mut history, "sre1", Withdraw, Some("sre"))).contains("no answer for"));
    assert!(why(ask(&mut history, "robot", Approve, Some("sre"))).contains("a bot"));
    assert!(why(ask(&mut history, "robot", Reject, Some("sre"))).contains("a bot"));
    assert!(why(ask(&mut history, "gone", Approve, Some("sre"))).contains("disabled"));
    assert!(why(ask(&mut history, "sec1", Approve, Some("security"))).contains("T1 needs no approval by"));
    let unknown = ask(&mut history, "sre1", Approve, Some("dba"));
    assert_eq!(unknown.unwrap_err().to_string(), "the policy has no team \"dba\"; it has releng, sre, security");
}

#[test]
fn nobody_approves_their_own_deploy() {
    let mut history = History::emergency();
    history.describe("deployer1", 5, "Emergency-Reason: abuse - x\nEmergency-Deployer: @SRE1");
    assert!(why(ask(&mut history, "sre1", Approve, None)).contains("nobody approves a deploy of their own"));
    assert_eq!(ask(&mut history, "sre2", Approve, None), posts("sre", "Emergency-Approve: sre"));
    // They can say no all the same.
    assert_eq!(ask(&mut history, "sre1", Reject, None), posts("sre", "Emergency-Reject: sre"));
}

#[test]
fn what_is_no_emergency_is_not_answered_and_a_word_can_be_taken_back_all_the_same() {
    let spoil: [fn(&mut History) -> TransactionId; 3] = [
        |history| history.status("deployer1", 20, "resolved"),
        |history| history.untag("deployer1", 20, "emergency"),
        |history| history.describe("deployer1", 20, "Emergency-Reason: marketing - launch"),
    ];
    for (at, spoil) in spoil.into_iter().enumerate() {
        let mut history = History::emergency();
        history.comment("sre2", 10, "Emergency-Reject: sre - wait");
        spoil(&mut history);
        assert!(why(ask(&mut history, "sre1", Approve, None)).starts_with("there is nothing to approve: "));
        match at {
            2 => assert_eq!(ask(&mut history, "sre1", Reject, None), posts("sre", "Emergency-Reject: sre")),
            _ => assert!(why(ask(&mut history, "sre1", Reject, None)).starts_with("there is nothing to say no to: ")),
        }
        assert_eq!(ask(&mut history, "sre2", Withdraw, None), posts("sre", "Emergency-Withdraw: sre"));
    }
}

#[test]
fn a_no_that_somebody_removed_can_be_taken_back_by_who_said_it() {
    let mut history = History::emergency();
    let no = history.comment("sre1", 10, "Emergency-Reject: sre");
    history.remove(no, "admin", 20);
    assert_eq!(ask(&mut history, "sre1", Withdraw, None), posts("sre", "Emergency-Withdraw: sre"));
}

#[test]
fn who_answered_for_several_teams_says_which() {
    let mut history = History::emergency();
    history.comment("both", 10, "Emergency-Approve: sre, releng");
    let choices = Err(AnswerError::WhichTeam { teams: vec!["releng".into(), "sre".into()] });
    assert_eq!(ask(&mut history, "both", Withdraw, None), choices);
    assert_eq!(ask(&mut history, "both", Reject, None), choices);
}

#[test]
fn a_change_while_somebody_reads_is_seen() {
    let agreed = |history: &History| {
        let evidence = history.evidence();
        ApprovedContent::of(&evidence, &TaskState::derive(&evidence, &history.policy, None))
    };
    let mut history = History::emergency();
    let before = agreed(&history);
    history.comment("sre1", 10, "Emergency-Approve: sre");
    assert_eq!(agreed(&history), before);
    history.comment("deployer1", 11, "Emergency-Change: I1");
    assert_ne!(agreed(&history), before);
}

proptest! {
    #[test]
    fn a_note_is_never_read_as_anything(
        note in "(\\PC|\\n|\\r|`|,|Emergency-(Approve|Reject|Reason|Deployer): |releng|sre| - |%%%|@|\\$\\{\\{\\{){0,40}",
        kind in prop::sample::select(vec![Approve, Withdraw, Reject]),
    ) {
        let policy = built_in();
        let text = comment(kind, "sre", Some(&note));
        for other in Key::ALL {
            let value = trailers::last(&text, other);
            prop_assert_eq!(value.is_some(), other == key(kind), "{}", text);
            let Some(value) = value else { continue };
            let teams = match kind {
                Approve => trailers::teams_of_approval(value, &policy),
                Withdraw | Reject => trailers::teams_of_refusal(value, &policy).0,
            };
            prop_assert_eq!(teams, Teams::Named(vec!["sre".into()]), "{}", text);
        }
        prop_assert!(text.lines().count() <= 3);
    }
}
