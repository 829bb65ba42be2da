//! What is done with each word that was heard, by what the task shows just then.

use super::judge::{Judged, Refusal, judge};
use super::lines;
use super::spoken::{Speaker, SpokenWord};
use crate::conduit::Account;
use crate::evidence::testing::{History, at};
use crate::rules::{Intent, JudgedTask, Verdict, evaluate, stated};
use crate::witness::WitnessedWord::{Approve, Reject, Withdraw};
use crate::witness::{Code, WitnessedWord, render};

/// A word about the task of the stories, as it is heard at second 20.
pub(in crate::serve) fn word(user: &str, word: WitnessedWord) -> SpokenWord {
    SpokenWord {
        task: "T1".parse().unwrap(),
        word,
        team: (word == Approve).then(|| "sre".into()),
        code: None,
        why: None,
        nick: user.into(),
        speaker: Some(Speaker {
            account: user.into(),
            user: user.into(),
            said: at(19),
            message: format!("message-{user}-{word:?}"),
            is_certain: true,
        }),
        network: "irc.example".into(),
        channel: "#example".into(),
        heard: at(20),
    }
}

/// An emergency where what witnesses hear counts.
fn emergency() -> History {
    let mut history = History::emergency();
    history.policy.witnesses = vec!["heard".into()];
    history.policy.accept_witnessed = true;
    history.comment("releng1", 10, "Emergency-Approve: releng");
    history
}

fn verdict(history: &History) -> Verdict {
    evaluate(&history.evidence(), &history.policy, &Intent::default(), None)
}

fn code(history: &History) -> Option<Code> {
    stated(&history.evidence(), &history.policy, None).code
}

fn judged(history: &History, word: &SpokenWord) -> Judged {
    let evidence = history.evidence();
    let policy = &history.policy;
    let state = stated(&evidence, policy, None);
    let verdict = verdict(history);
    let user = word.speaker.as_ref().map(|speaker| speaker.user.as_str());
    let account: Option<&Account> =
        user.and_then(|user| evidence.accounts.values().find(|account| account.is_named(user)));
    judge(word, JudgedTask { evidence: &evidence, state: &state, verdict: &verdict }, account, policy)
}

fn refusal(history: &History, word: &SpokenWord) -> Refusal {
    match judged(history, word) {
        Judged::Refuse(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_yes_with_the_code_of_now_is_written_and_counts() {
    let mut history = emergency();
    let yes = SpokenWord { code: code(&history), team: Some("SRE".into()), ..word("sre1", Approve) };
    let Judged::Write(witness) = judged(&history, &yes) else { panic!("{:?}", judged(&history, &yes)) };
    assert_eq!((witness.teams.as_slice(), witness.user.as_str()), (["sre".to_owned()].as_slice(), "sre1"));
    assert!(witness.why.is_none() && witness.code.is_some());
    history.comment("heard", 21, &render(&witness));
    assert_eq!(verdict(&history).decision.word(), "allowed");
}

#[test]
fn a_yes_that_could_not_count_is_not_written() {
    let mut history = emergency();
    let now = code(&history).unwrap();
    let yes = SpokenWord { code: Some(now), ..word("sre1", Approve) };
    let other = Code::of(&[7; 32]);
    assert_eq!(refusal(&history, &SpokenWord { code: Some(other), ..yes.clone() }), Refusal::OtherCode { now });
    assert_eq!(refusal(&history, &SpokenWord { code: None, ..yes.clone() }), Refusal::OtherCode { now });
    assert_eq!(refusal(&history, &SpokenWord { team: Some("dba".into()), ..yes.clone() }), Refusal::NoTeam);
    assert_eq!(
        refusal(&history, &SpokenWord { speaker: None, ..yes.clone() }).to_string(),
        "nobody is known to have said it"
    );
    for user in ["releng1", "gone", "robot", "deployer1"] {
        let yes = SpokenWord { code: Some(now), ..word(user, Approve) };
        assert!(matches!(refusal(&history, &yes), Refusal::MayNot(_) | Refusal::NoMember), "{user}");
    }
    history.policy.accept_witnessed = false;
    assert_eq!(refusal(&history, &yes), Refusal::NotAccepted);
}

#[test]
fn what_came_right_before_a_yes_was_not_seen() {
    // Its own no of the second before: whatever the clocks of two servers say, the yes is not after it.
    let mut history = emergency();
    let yes = SpokenWord { code: code(&history), ..word("sre1", Approve) };
    history.comment("sre1", 19, "Emergency-Reject: sre");
    let Judged::Write(witness) = judged(&history, &yes) else { panic!("{:?}", judged(&history, &yes)) };
    history.comment("heard", 21, &render(&witness));
    assert_eq!(verdict(&history).decision.word(), "denied");
    // What would be approved changed in that second: the code is of something else.
    let mut history = emergency();
    history.comment("deployer1", 19, "Emergency-Change: another");
    let now = code(&history).unwrap();
    let yes = SpokenWord { code: Some(now), ..word("sre1", Approve) };
    assert_eq!(refusal(&history, &yes), Refusal::StatedSince { wait: 5 });
    // By a clock that is behind it takes as much longer, and then counts.
    let slow = |heard: i64| {
        let behind = |speaker| Speaker { said: at(heard - 40), ..speaker };
        SpokenWord { speaker: yes.speaker.clone().map(behind), heard: at(heard), ..yes.clone() }
    };
    assert_eq!(refusal(&history, &slow(20)), Refusal::StatedSince { wait: 43 });
    assert!(matches!(judged(&history, &slow(20 + 43)), Judged::Write(_)));
    let other = SpokenWord { code: Some(Code::of(&[7; 32])), ..yes };
    assert_eq!(refusal(&history, &other), Refusal::OtherCode { now });
}

#[test]
fn a_yes_that_was_under_way_for_long_is_as_old_as_it_was_said() {
    let mut history = emergency();
    let code = code(&history);
    history.comment("sre1", 30, "Emergency-Reject: sre");
    let speaker = |said| word("sre1", Approve).speaker.map(|speaker| Speaker { said, ..speaker });
    let late = |said, heard| SpokenWord { code, speaker: speaker(said), heard, ..word("sre1", Approve) };
    // Its own no came between: the yes is before it.
    let Judged::Write(witness) = judged(&history, &late(at(20), at(50))) else { panic!() };
    history.comment("heard", 51, &render(&witness));
    assert_eq!(verdict(&history).decision.word(), "denied");
    for (said, heard) in [(at(20), at(100)), (at(170), at(50)), (at(-9_000), at(50))] {
        assert_eq!(refusal(&history, &late(said, heard)), Refusal::Clocks);
    }
    let no = SpokenWord { word: Reject, ..late(at(-9_000), at(50)) };
    assert!(matches!(judged(&history, &no), Judged::Write(_)), "a no is one by whatever clock");
}

#[test]
fn a_no_is_written_of_every_member_and_once() {
    let mut history = emergency();
    history.policy.accept_witnessed = false;
    for user in ["outsider", "gone", "robot"] {
        assert_eq!(refusal(&history, &word(user, Reject)), Refusal::NoMember, "{user}");
    }
    let no = SpokenWord { why: Some("the graphs look wrong".into()), ..word("sre2", Reject) };
    let Judged::Write(witness) = judged(&history, &no) else { panic!("{:?}", judged(&history, &no)) };
    assert_eq!((witness.why.as_deref(), witness.teams.len()), (Some("the graphs look wrong"), 0));
    let id = history.comment("heard", 21, &render(&witness));
    assert_eq!(verdict(&history).decision.word(), "denied");
    assert_eq!(judged(&history, &no), Judged::Known(id));
    assert_eq!(judged(&history, &again(&no, 22)), Judged::Known(id), "nothing of it is new");
    let Judged::Write(withdrawal) = judged(&history, &word("sre2", Withdraw)) else { panic!() };
    let mut lifted = history.clone();
    lifted.policy.accept_witnessed = true;
    lifted.comment("heard", 25, &render(&withdrawal));
    assert_eq!(verdict(&lifted).decision.word(), "pending");
    history.comment("sre2", 30, "Emergency-Reject: sre");
    assert!(matches!(judged(&history, &again(&no, 31)), Judged::Write(_)), "what they wrote since is another word");
    assert_eq!(judged(&history, &no), Judged::Known(id), "the very message is never written twice");
    // A withdrawal that comes late lifts no no that was said after it.
    assert_eq!(judged(&history, &word("sre2", Withdraw)), Judged::Refuse(Refusal::NoIsNewer));
    history.policy.accept_witnessed = true;
    history.comment("heard", 31, &render(&withdrawal));
    assert_eq!(verdict(&history).decision.word(), "denied");
}

/// The same, said once more.
fn again(word: &SpokenWord, second: i64) -> SpokenWord {
    let said = |speaker: Speaker| Speaker { said: at(second), message: format!("message-{second}"), ..speaker };
    SpokenWord { speaker: word.speaker.clone().map(said), heard: at(second), ..word.clone() }
}

#[test]
fn a_no_for_another_reason_is_on_the_task_too_up_to_ten_words_an_hour_and_what_is_not_is_said_to_be_not() {
    let mut history = emergency();
    let for_reason = |why: &str, second| again(&SpokenWord { why: Some(why.into()), ..word("sre1", Reject) }, second);
    let mut write = |word: &SpokenWord, second| {
        let Judged::Write(witness) = judged(&history, word) else { panic!("{:?}", judged(&history, word)) };
        history.comment("heard", second, &render(&witness));
        history.clone()
    };
    write(&for_reason("the graphs look wrong", 20), 21);
    let mut history = write(&for_reason("STOP the database is corrupted", 22), 23);
    let text = verdict(&history).rule("rejected").unwrap().message.clone();
    assert!(text.contains("STOP the database is corrupted"), "{text}");
    // What was said before, in whatever order, or without a reason, says nothing new; nor does the very message.
    for known in [
        for_reason("the graphs look wrong", 24),
        for_reason("STOP the database is corrupted", 24),
        again(&word("sre1", Reject), 24),
        SpokenWord { why: Some("anything".into()), ..for_reason("STOP the database is corrupted", 22) },
    ] {
        assert!(matches!(judged(&history, &known), Judged::Known(_)), "{known:?}");
    }
    let mut written = 2;
    for second in (100..).step_by(20) {
        let Judged::Write(witness) = judged(&history, &for_reason(&format!("reason {second}"), second)) else { break };
        history.comment("heard", second + 1, &render(&witness));
        written += 1;
    }
    assert_eq!(written, 10);
    assert_eq!(refusal(&history, &for_reason("one more", 600)), Refusal::NoStands);
    assert!(matches!(judged(&history, &for_reason("one more", 5_000)), Judged::Write(_)), "after an hour");
}

#[test]
fn a_witness_that_a_stranger_forged_keeps_no_no_from_the_task() {
    let mut history = emergency();
    let no = word("sre1", Reject);
    let Judged::Write(witness) = judged(&history, &no) else { panic!() };
    history.comment("outsider", 21, &render(&witness));
    assert!(matches!(judged(&history, &no), Judged::Write(_)));
}

#[test]
fn of_who_says_much_only_a_no_is_still_written() {
    let mut history = emergency();
    history.policy.accept_witnessed = true;
    let said = |word, second| {
        let speaker = self::word("sre1", word).speaker;
        let speaker = speaker.map(|speaker| Speaker { said: at(second), message: format!("m{second}"), ..speaker });
        SpokenWord { speaker, heard: at(second), ..self::word("sre1", word) }
    };
    let mut written = 0;
    for second in (100..).step_by(20) {
        let word = if written % 2 == 0 { Reject } else { Withdraw };
        let Judged::Write(witness) = judged(&history, &said(word, second)) else { break };
        history.comment("heard", second + 1, &render(&witness));
        written += 1;
    }
    assert_eq!(written, 11, "ten, and a no");
    assert_eq!(refusal(&history, &said(Withdraw, 400)), Refusal::Many);
    let yes = SpokenWord { code: code(&history), team: Some("sre".into()), ..said(Approve, 400) };
    assert_eq!(refusal(&history, &yes), Refusal::Many);
    assert_eq!(verdict(&history).decision.word(), "denied");
    // Whoever said yes on the task may take it back all the same.
    let mut yes = history.clone();
    yes.comment("sre1", 390, "Emergency-Approve: sre");
    assert!(matches!(judged(&yes, &said(Withdraw, 400)), Judged::Write(_)));
    // After an hour it is heard again.
    assert!(matches!(judged(&history, &said(Withdraw, 100 + 3_700)), Judged::Write(_)));
}

#[test]
fn who_is_not_certain_takes_back_a_yes_and_lifts_no_no() {
    let mut history = emergency();
    let uncertain = |word| {
        let speaker = self::word("sre1", word).speaker.map(|speaker| Speaker { is_certain: false, ..speaker });
        SpokenWord { speaker, ..self::word("sre1", word) }
    };
    history.comment("sre1", 12, "Emergency-Approve: sre");
    assert!(matches!(judged(&history, &uncertain(Withdraw)), Judged::Write(_)));
    assert!(matches!(judged(&history, &uncertain(Reject)), Judged::Write(_)));
    for no in ["Emergency-Reject: sre", "Emergency-Rejekt: sre"] {
        let mut rejected = history.clone();
        rejected.comment("sre1", 14, no);
        assert_eq!(refusal(&rejected, &uncertain(Withdraw)), Refusal::Uncertain, "{no}");
        assert!(matches!(judged(&rejected, &word("sre1", Withdraw)), Judged::Write(_)));
    }
    // A no that they took back does not stand, unless nothing but a yes that was heard says so: that may stop to count.
    let mut lifted = history.clone();
    lifted.comment("sre1", 14, "Emergency-Reject: sre");
    let mut heard = lifted.clone();
    lifted.comment("sre1", 15, "Emergency-Approve: sre");
    assert!(matches!(judged(&lifted, &uncertain(Withdraw)), Judged::Write(_)));
    let yes = SpokenWord { code: code(&heard), ..again(&word("sre1", Approve), 17) };
    let Judged::Write(yes) = judged(&heard, &yes) else { panic!("{:?}", judged(&heard, &yes)) };
    heard.comment("heard", 18, &render(&yes));
    assert_eq!(verdict(&heard).decision.word(), "allowed");
    assert_eq!(refusal(&heard, &uncertain(Withdraw)), Refusal::Uncertain);
}

#[test]
fn a_no_of_others_keeps_nobody_from_taking_back_a_yes_and_is_not_lifted_by_it() {
    let uncertain = word("sre1", Withdraw).speaker.map(|speaker| Speaker { is_certain: false, ..speaker });
    let withdrawal = SpokenWord { speaker: uncertain, ..word("sre1", Withdraw) };
    for (who, no, decision) in [
        ("outsider", "Emergency-Reject: sre", "pending"),
        ("sre2", "Emergency-Reject: sre", "denied"),
        ("sre2", "Emergency-Rejekt: sre", "denied"),
    ] {
        let mut history = emergency();
        history.comment("sre1", 12, "Emergency-Approve: sre");
        history.comment(who, 14, no);
        let Judged::Write(witness) = judged(&history, &withdrawal) else {
            panic!("{who} {no}: {:?}", judged(&history, &withdrawal))
        };
        history.comment("heard", 21, &render(&witness));
        let verdict = verdict(&history);
        assert_eq!(verdict.decision.word(), decision, "{who} {no}");
        assert!(verdict.missing_teams().any(|team| team.team == "sre"), "the yes is taken back");
    }
}

#[test]
fn what_is_gone_may_have_been_their_no_until_they_answer_on_the_task() {
    let uncertain = word("sre1", Withdraw).speaker.map(|speaker| Speaker { is_certain: false, ..speaker });
    let withdrawal = SpokenWord { speaker: uncertain, ..word("sre1", Withdraw) };
    for (who, keeps) in [("heard", true), ("sre1", true), ("sre2", false)] {
        let mut history = emergency();
        let gone = history.comment(who, 11, "who knows");
        history.remove(gone, "admin", 14);
        match keeps {
            true => assert_eq!(refusal(&history, &withdrawal), Refusal::Uncertain, "{who}"),
            false => assert!(matches!(judged(&history, &withdrawal), Judged::Write(_)), "{who}"),
        }
        history.comment("sre1", 16, "Emergency-Approve: sre");
        assert!(matches!(judged(&history, &withdrawal), Judged::Write(_)), "{who}: they answered since");
    }
}

#[test]
fn of_a_restricted_task_and_of_none_nothing_is_written() {
    let mut history = emergency();
    let no = word("sre1", Reject);
    history.task.view = "PHID-PLCY-secret".into();
    assert_eq!(refusal(&history, &no), Refusal::Restricted);
    let mut history = emergency();
    history.status("deployer1", 15, "resolved");
    assert_eq!(refusal(&history, &no), Refusal::NoEmergency);
}

#[test]
fn every_answer_says_whether_it_is_recorded_and_what_to_do() {
    let url = "https://phabricator.example.org/T1";
    let no = SpokenWord { nick: "sre1\u{3}04 !log".into(), ..word("sre1", Reject) };
    let said = |line: crate::irc::Line| line.as_str().to_owned();
    insta::assert_snapshot!(
        [
            said(lines::recorded(&word("sre1", Approve), url, crate::ids::TransactionId(7))),
            said(lines::recorded(&no, url, crate::ids::TransactionId(7))),
            said(lines::recorded(
                &SpokenWord { why: Some("T31, both please".into()), ..no.clone() },
                url,
                crate::ids::TransactionId(7)
            )),
            said(lines::not_recorded(
                &word("sre1", Approve),
                &Refusal::OtherCode { now: Code::of(&[7; 32]) },
                Some(url)
            )),
            said(lines::not_recorded(&word("sre1", Approve), &Refusal::StatedSince { wait: 5 }, Some(url))),
            said(lines::not_recorded(&word("sre1", Approve), &Refusal::Clocks, Some(url))),
            said(lines::not_recorded(&word("sre1", Withdraw), &Refusal::NoIsNewer, Some(url))),
            said(lines::not_recorded(&word("sre1", Approve), &Refusal::Late, Some(url))),
            said(lines::not_recorded(&no, &Refusal::NoMember, Some(url))),
            said(lines::not_recorded(&no, &Refusal::NoEmergency, Some(url))),
            said(lines::not_recorded(&no, &Refusal::NoStands, Some(url))),
            said(lines::not_yet(&no, url)),
            said(lines::unclear(&word("sre1", Approve), url)),
            said(lines::usage(true)),
            said(lines::usage(false)),
        ]
        .join("\n")
    );
}
