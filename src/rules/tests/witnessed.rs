//! What witnesses heard: which yes of it counts, and that no no of it is lost.

use super::*;
use crate::attribution::ApprovalKind;
use crate::evidence::testing::at;
use crate::evidence::timeline::Timeline;
use crate::evidence::{TaskState, WitnessFault};
use crate::ids::TransactionId;
use crate::time::utc;
use crate::witness::WitnessedWord::{Approve, Reject, Withdraw};
use crate::witness::{Witness, render};

/// An emergency that waits for SRE alone, where what witnesses hear counts.
fn waiting() -> History {
    let mut history = History::emergency();
    history.policy.witnesses = vec!["heard".into()];
    history.policy.accept_witnessed = true;
    history.comment("releng1", 10, "Emergency-Approve: releng");
    history
}

/// The only reason why a yes of sre1 does not count.
fn why_only(history: &History) -> WhyNot {
    let mut why = why_not(history, "sre1");
    assert_eq!(why.len(), 1, "{why:?}");
    why.remove(0).expect("it counts")
}

#[test]
fn a_witnessed_yes_counts_where_the_policy_takes_it_and_only_there() {
    let mut history = waiting();
    let id = history.witness(20, Approve, "sre1", "sre");
    let allowed = verdict(&history);
    assert_eq!(allowed.decision.word(), "allowed");
    let approval = allowed.approvals.iter().find(|approval| approval.user == "sre1").unwrap();
    assert_eq!((approval.kind, approval.transaction, approval.time), (ApprovalKind::Witnessed, Some(id), at(18)));
    history.policy.accept_witnessed = false;
    assert_eq!(why_only(&history), WhyNot::KindNotAccepted { kind: "witnessed" });
    assert_eq!(decision(&history), "pending");
    // Without a witness in the policy it is a comment like any other.
    history.policy.accept_witnessed = true;
    history.policy.witnesses.clear();
    assert_eq!((decision(&history), why_not(&history, "sre1").len()), ("pending", 0));
}

#[test]
fn nobody_but_a_witness_writes_one() {
    for author in ["sre1", "phabgate", "outsider", "deployer1", "releng1", "stranger"] {
        let mut history = waiting();
        let text = render(&history.heard(20, Approve, "sre1", "sre"));
        history.comment(author, 20, &text);
        assert_eq!(decision(&history), "pending", "{author}");
        assert!(why_not(&history, "sre1").is_empty(), "{author}");
    }
}

#[test]
fn every_rule_for_an_approval_holds_for_a_witnessed_one() {
    let mut history = waiting();
    history.witness(20, Approve, "releng2", "sre");
    history.witness(21, Approve, "gone", "sre");
    history.witness(22, Approve, "robot", "sre");
    history.witness(23, Approve, "stranger", "sre");
    history.witness(24, Approve, "deployer1", "sre");
    for (user, why) in [
        ("releng2", WhyNot::NotMember { team: "SRE".into() }),
        ("gone", WhyNot::NotEnabled),
        ("robot", WhyNot::Bot),
        ("an account that cannot be read", WhyNot::NoAccount),
        ("deployer1", WhyNot::BehindDeploy),
    ] {
        assert_eq!(why_not(&history, user), [Some(why)], "{user}");
    }
    history.witness(25, Approve, "sre1", "sre");
    history.later(25 + 13 * 3600);
    assert!(matches!(why_only(&history), WhyNot::TooOld { .. }));
    assert_eq!(decision(&history), "pending");
}

#[test]
fn what_came_after_what_they_had_seen_voids_it() {
    type Case = (&'static str, fn(&mut History), WhyNot);
    let cases: [Case; 4] = [
        (
            "the reason changed",
            |history| {
                history.describe("deployer1", 15, "Emergency-Reason: security - pages are public");
            },
            WhyNot::Outdated { what: "the reason was changed by deployer1".into() },
        ),
        (
            "it was tagged anew",
            |history| {
                history.untag("deployer1", 15, "emergency");
                history.tag("deployer1", 16, "emergency");
            },
            WhyNot::BeforeTag,
        ),
        (
            "their line",
            |history| {
                history.comment("sre1", 15, "- emergency-reject: sre");
            },
            WhyNot::Doubted { what: "a no" },
        ),
        (
            "their words",
            |history| {
                history.comment("sre1", 15, "wait, I am looking at the graphs");
            },
            WhyNot::LaterWord {
                did: "sre1 wrote 'wait, I am looking at the graphs' later, on the task, at 2026-11-22 23:43:35 UTC"
                    .into(),
                team: Some("sre".into()),
            },
        ),
    ];
    for (case, happens, why) in cases {
        // They said it before that, and the witness wrote it down after it.
        let mut history = waiting();
        let witness = history.heard(20, Approve, "sre1", "sre");
        happens(&mut history);
        history.comment("heard", 20, &render(&witness));
        assert_eq!(why_only(&history), why, "{case}");
        assert_ne!(decision(&history), "allowed", "{case}");
        // Where they had seen it, it counts but for a no of theirs.
        let mut history = waiting();
        happens(&mut history);
        history.witness(20, Approve, "sre1", "sre");
        let counts = why_not(&history, "sre1") == [None];
        assert_eq!(counts, !case.starts_with("no"), "{case}");
    }
}

#[test]
fn a_witness_that_is_late_edited_or_impossible_counts_for_nobody() {
    let faulty = |fault: WitnessFault, change: fn(&mut Witness)| {
        let mut history = waiting();
        let mut witness = history.heard(20, Approve, "sre1", "sre");
        change(&mut witness);
        history.comment("heard", 20, &render(&witness));
        assert_eq!(why_only(&history), WhyNot::Witness { fault });
        assert_eq!(decision(&history), "pending");
    };
    faulty(WitnessFault::Late, |witness| witness.heard = at(-41));
    faulty(WitnessFault::Impossible, |witness| witness.heard = at(3_000));
    faulty(WitnessFault::Impossible, |witness| witness.said = at(3_000));
    faulty(WitnessFault::Impossible, |witness| witness.seen = TransactionId(99));
    faulty(WitnessFault::Impossible, |witness| witness.task = "T2".parse().unwrap());
    faulty(WitnessFault::OtherCode, |witness| witness.code = None);
    faulty(WitnessFault::OtherCode, |witness| witness.code = Some(crate::witness::Code::of(&[0; 32])));
    let mut history = waiting();
    let id = history.witness(20, Approve, "sre1", "sre");
    let text = render(&history.heard(20, Approve, "sre2", "sre"));
    history.edit(id, "admin", 30, &text);
    assert_eq!(why_only(&history), WhyNot::Witness { fault: WitnessFault::Edited });
    assert!(why_not(&history, "sre2").is_empty(), "what was edited in is nobody's yes");
}

#[test]
fn nobody_can_know_the_code_of_what_they_write_before_it_is_written() {
    let code =
        |history: &History| TaskState::derive(&history.evidence(), &history.policy, None).code.unwrap().to_string();
    let mut history = waiting();
    let first = code(&history);
    let (text, other) = (history.task.description.clone(), "Emergency-Reason: abuse - looked for until it fits");
    history.describe("deployer1", 20, other);
    history.describe("deployer1", 21, &text);
    assert_ne!(code(&history), first, "the same words, written by another transaction");
    let comment = history.comment("deployer1", 22, "Emergency-Change: I1");
    let stated = code(&history);
    history.edit(comment, "deployer1", 23, "Emergency-Change: I2");
    history.edit(comment, "deployer1", 24, "Emergency-Change: I1");
    assert_ne!(code(&history), stated, "the same words, in another version of the comment");
    // Nor by removing something that was there before: what the server draws for the removal is in the code, and without it there is none.
    let removed = |drawn: &str| {
        let mut history = history.clone();
        history.remove(comment, "deployer1", 25);
        let mut evidence = history.evidence();
        let mut rows = evidence.timeline.transactions().to_vec();
        let row = rows.iter_mut().find(|row| row.id == comment).unwrap();
        row.comments.iter_mut().filter(|version| version.removed).for_each(|version| version.phid = drawn.into());
        evidence.timeline = Timeline::new(rows).into();
        TaskState::derive(&evidence, &history.policy, None).code
    };
    let (one, other) = (removed("PHID-XCMT-1"), removed("PHID-XCMT-2"));
    assert!(one.is_some() && other.is_some() && one != other, "{one:?} {other:?}");
    assert_eq!(removed(""), None);
    // What states nothing changes nothing of it.
    let stated = code(&history);
    history.comment("deployer1", 25, "Looking at it.");
    history.comment("sre1", 26, "Emergency-Approve: sre");
    assert_eq!(code(&history), stated);
}

#[test]
fn a_no_and_a_withdrawal_work_whether_or_not_the_policy_takes_a_yes() {
    for accepted in [true, false] {
        let mut history = waiting();
        history.policy.accept_witnessed = accepted;
        history.comment("sre1", 11, "Emergency-Approve: sre");
        assert_eq!(decision(&history), "allowed");
        let mut rejected = history.clone();
        rejected.witness(20, Reject, "sre2", "sre");
        assert_eq!((decision(&rejected), outcome(&rejected, "rejected")), ("denied", Outcome::Fail));
        // It is taken back where it was said, if that counts by this policy.
        let hint = verdict(&rejected).rule("rejected").and_then(|rule| rule.hint.clone()).unwrap_or_default();
        assert_eq!(hint.contains("or say `!withdraw T1` where they said it on IRC"), accepted, "{hint}");
        rejected.comment("sre2", 21, "Emergency-Reject: sre");
        let hint = verdict(&rejected).rule("rejected").and_then(|rule| rule.hint.clone()).unwrap_or_default();
        assert!(!hint.contains("!withdraw"), "what is written on the task is taken back there: {hint}");
        history.witness(20, Withdraw, "sre1", "sre");
        assert_eq!((decision(&history), why_only(&history)), ("pending", WhyNot::Withdrawn));
    }
}

#[test]
fn a_later_answer_is_said_to_stand_where_it_was_given() {
    for (word, written, did) in [(Reject, "Reject", "said no"), (Withdraw, "Withdraw", "withdrew")] {
        let mut history = waiting();
        history.witness(20, Approve, "sre1", "sre");
        let mut on_task = history.clone();
        history.witness(25, word, "sre1", "sre");
        let why = why_only(&history).to_string();
        assert_eq!(why, format!("sre1 {did} later, on IRC, at {}", utc(at(25))));
        on_task.comment("sre1", 25, &format!("Emergency-{written}: sre"));
        let why = why_only(&on_task).to_string();
        assert_eq!(why, format!("sre1 {did} later, on the task, at {}", utc(at(25))));
    }
    // What others say of them does not count beside it either.
    let mut history = waiting();
    history.policy.accept_attested = true;
    history.attested = vec![("sre", "sre1")];
    history.witness(20, Reject, "sre1", "sre");
    let why = why_only(&history).to_string();
    assert!(why.starts_with("sre1 said no on IRC themselves, at "), "{why}");
    assert!(why.contains("what others say of them does not count beside it"), "{why}");
}

#[test]
fn a_yes_that_does_not_count_lifts_no_no() {
    let mut history = waiting();
    history.comment("sre1", 15, "Emergency-Reject: sre - not now");
    history.comment("sre2", 16, "Emergency-Approve: sre");
    history.policy.accept_witnessed = false;
    history.witness(20, Approve, "sre1", "sre");
    assert_eq!(decision(&history), "denied");
    let mut withdrawn = history.clone();
    withdrawn.witness(21, Withdraw, "sre1", "sre");
    assert_eq!(
        decision(&withdrawn),
        "denied",
        "where nothing counts that is heard, a no on the task is taken back there"
    );
    history.policy.accept_witnessed = true;
    assert_eq!(decision(&history), "allowed");
    // Nor one that was said before the no.
    let mut history = waiting();
    let witness = history.heard(20, Approve, "sre1", "sre");
    history.comment("sre1", 15, "Emergency-Reject: sre - not now");
    history.comment("heard", 20, &render(&witness));
    assert_eq!(decision(&history), "denied");
}

#[test]
fn no_edit_takes_a_witnessed_no_back() {
    for accepted in [true, false] {
        let mut history = waiting();
        history.policy.accept_witnessed = accepted;
        history.comment("sre1", 11, "Emergency-Approve: sre");
        let id = history.witness(20, Reject, "sre2", "sre");
        let yes = render(&history.heard(20, Approve, "sre2", "sre"));
        for text in ["", "Never mind.", &yes] {
            let mut edited = history.clone();
            edited.edit(id, "heard", 30, text);
            assert_eq!(decision(&edited), "denied", "{text}");
        }
    }
}

#[test]
fn a_witness_that_is_gone_may_have_been_anybodys_no() {
    let mut history = waiting();
    history.witness(15, Approve, "sre2", "sre");
    let gone = history.witness(20, Reject, "sre1", "sre");
    history.remove(gone, "admin", 30);
    assert_eq!((decision(&history), outcome(&history, "rejected")), ("pending", Outcome::Pending));
    assert_eq!(why_not(&history, "sre2"), [Some(WhyNot::WitnessLost)]);
    let hint = verdict(&history).rule("rejected").unwrap().hint.clone().unwrap();
    assert!(hint.contains("may have been a no of any of these teams, said on IRC, so somebody of each of"), "{hint}");
    assert!(hint.contains("releng, sre and security"), "{hint}");
    // Somebody of every team has to answer on the task; what a witness hears is no such answer.
    history.comment("releng1", 40, "Emergency-Approve: releng");
    history.comment("sec1", 41, "Emergency-Approve: security");
    history.witness(42, Approve, "sre1", "sre");
    let rejected = verdict(&history).rule("rejected").unwrap().clone();
    assert_eq!(rejected.outcome, Outcome::Pending);
    assert_eq!(
        rejected.hint.unwrap(),
        "it may have been a no of that team, said on IRC, so somebody of sre has to answer on T1, alone on a line, with \
         \"Emergency-Approve: sre\" or \"Emergency-Reject: sre\" (as a comment)"
    );
    history.comment("sre1", 43, "Emergency-Approve: sre");
    assert_eq!(decision(&history), "allowed");
}

#[test]
fn of_a_restricted_task_only_a_no_is_heard() {
    let mut history = waiting();
    history.task.view = "PHID-PLCY-1".into();
    history.witness(20, Approve, "sre1", "sre");
    assert_eq!(why_only(&history), WhyNot::WitnessedRestricted);
    history.comment("sre2", 21, "Emergency-Approve: sre");
    assert_eq!(decision(&history), "allowed");
    history.witness(22, Reject, "sre1", "sre");
    assert_eq!(decision(&history), "denied");
}

#[test]
fn whether_the_task_was_restricted_is_judged_as_of_when_it_was_heard_and_as_of_the_deploy() {
    let mut history = waiting();
    let heard = history.witness(20, Approve, "sre1", "sre");
    history.view("admin", 30, "PHID-PLCY-1");
    let then = evaluate(&history.evidence(), &history.policy, &Intent::default(), Some(history.as_of(heard)));
    assert_eq!(then.decision.word(), "allowed", "nobody had restricted it yet");
    assert_eq!(why_only(&history), WhyNot::WitnessedRestricted);
    history.view("admin", 40, "users");
    assert_eq!(decision(&history), "allowed");
    // What was heard while it was restricted does not count when it is open again.
    let mut history = waiting();
    history.view("admin", 15, "PHID-PLCY-1");
    history.witness(20, Approve, "sre1", "sre");
    history.view("admin", 30, "users");
    assert_eq!(why_only(&history), WhyNot::WitnessedRestricted);
}

#[test]
fn a_withdrawal_that_cannot_be_lifts_no_no_and_a_no_that_cannot_be_stands() {
    let changes: [fn(&mut Witness); 2] = [
        |witness| witness.seen = TransactionId(9_999),
        |witness| (witness.said, witness.heard) = (at(3_000), at(3_000)),
    ];
    for change in changes {
        for on_task in [true, false] {
            let mut history = waiting();
            history.comment("sre2", 14, "Emergency-Approve: sre");
            match on_task {
                true => history.comment("sre1", 15, "Emergency-Reject: sre - not now"),
                false => history.witness(15, Reject, "sre1", "sre"),
            };
            let mut lifted = history.clone();
            lifted.witness(20, Withdraw, "sre1", "sre");
            assert_eq!(decision(&lifted), "allowed");
            let mut witness = history.heard(20, Withdraw, "sre1", "sre");
            change(&mut witness);
            history.comment("heard", 20, &render(&witness));
            assert_eq!(decision(&history), "denied", "{witness:?}");
        }
        let mut history = waiting();
        history.comment("sre2", 14, "Emergency-Approve: sre");
        let mut witness = history.heard(20, Reject, "sre1", "sre");
        change(&mut witness);
        history.comment("heard", 20, &render(&witness));
        assert_eq!(decision(&history), "denied", "{witness:?}");
    }
}

#[test]
fn where_the_clock_of_the_network_is_ahead_a_no_and_a_withdrawal_are_what_they_are() {
    let mut history = waiting();
    history.comment("sre2", 14, "Emergency-Approve: sre");
    for (second, word, then) in [(15, Reject, "denied"), (20, Withdraw, "allowed")] {
        let mut witness = history.heard(second, word, "sre1", "sre");
        witness.said = at(3_000);
        history.comment("heard", second, &render(&witness));
        assert_eq!(decision(&history), then);
    }
}

#[test]
fn no_edit_makes_a_no_somebody_elses() {
    let mut history = waiting();
    history.comment("both", 11, "Emergency-Approve: sre");
    let id = history.witness(20, Reject, "sre2", "sre");
    let other = render(&history.heard(20, Reject, "sre1", "sre"));
    history.edit(id, "admin", 30, &other);
    history.comment("sre1", 40, "Emergency-Withdraw: sre");
    assert_eq!(decision(&history), "denied", "the no of sre2 was not taken back");
    history.comment("sre2", 41, "Emergency-Withdraw: sre");
    assert_eq!(decision(&history), "allowed");
}

#[test]
fn a_no_of_who_is_no_witness_here_is_a_warning_that_says_what_to_do() {
    let warning = |history: &History| {
        assert_eq!(decision(history), "allowed");
        let rule = verdict(history).rule("rejected").unwrap().clone();
        (rule.outcome, rule.message, rule.hint.unwrap_or_default())
    };
    let mut history = waiting();
    history.comment("sre1", 11, "Emergency-Approve: sre");
    for witnesses in [vec![], vec!["other".to_owned()]] {
        let mut history = history.clone();
        history.policy.witnesses = witnesses;
        let mut said = history.clone();
        said.witness(20, Reject, "sre2", "sre");
        let (found, message, hint) = warning(&said);
        assert_eq!(found, Outcome::Warn);
        assert_eq!(
            message,
            "heard wrote that sre2 said no on IRC, which is not believed here: `policy.witnesses` does not name heard"
        );
        assert_eq!(
            hint,
            "it does not stop the deploy; ask sre2 whether they did; if heard is the account of the watch, name it in \
             `policy.witnesses` on this host too"
        );
        // A yes is none, nor is what is gone or of another task.
        history.witness(20, Approve, "sre2", "sre");
        let gone = history.witness(21, Reject, "sre2", "sre");
        history.remove(gone, "heard", 22);
        let mut elsewhere = history.heard(23, Reject, "sre2", "sre");
        elsewhere.task = "T2".parse().unwrap();
        history.comment("heard", 23, &render(&elsewhere));
        assert_eq!(warning(&history).0, Outcome::Pass);
        // An edit takes it back as little as that of a witness.
        let id = history.witness(24, Withdraw, "stranger", "sre");
        history.edit(id, "admin", 25, "Never mind.");
        assert!(
            warning(&history).1.starts_with("heard wrote that 'stranger' withdrew on IRC, "),
            "{}",
            warning(&history).1
        );
    }
    // What a witness wrote and nobody can read may have been one too.
    let broken = render(&history.heard(20, Reject, "sre2", "sre")).replace("\"word\"", "\"wrd\"");
    history.comment("heard", 20, &broken);
    assert_eq!(
        warning(&history),
        (
            Outcome::Warn,
            "heard wrote what claims to be somebody's word on IRC and cannot be read".to_owned(),
            "it does not stop the deploy; ask heard what it was".to_owned()
        )
    );
    // Of a restricted task no text of it is shown.
    let mut history = waiting();
    history.policy.witnesses.clear();
    history.task.view = "PHID-PLCY-1".into();
    let mut said = history.heard(20, Reject, "stranger", "sre");
    said.user = "SECRET".into();
    history.comment("outsider", 20, &render(&said));
    let message = verdict(&history).rule("rejected").unwrap().message.clone();
    assert!(message.contains("hidden") && !message.contains("SECRET"), "{message}");
}
