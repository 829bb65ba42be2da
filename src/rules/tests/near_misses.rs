//! Near misses: what they do to a verdict, for whom, and until when.

use super::*;
use crate::evidence::NearKind;
use crate::evidence::testing::person;

const NO: &str = "**Emergency-Reject: sre**";

/// The effect of every near miss, newest first.
fn effects(history: &History) -> Vec<(NearKind, Effect)> {
    verdict(history).near_misses.iter().map(|near| (near.kind, near.effect)).collect()
}

#[test]
fn a_possible_no_of_a_member_denies_and_is_quoted_with_what_to_write() {
    for (user, decided) in
        [("sre2", "denied"), ("sec1", "denied"), ("outsider", "allowed"), ("robot", "allowed"), ("gone", "allowed")]
    {
        let mut history = History::ready();
        history.comment(user, 20, NO);
        assert_eq!(decision(&history), decided, "{user}");
    }
    let mut history = History::ready();
    history.comment("sre2", 20, NO);
    let rule = verdict(&history).rule("possible-no").unwrap().clone();
    assert!(rule.message.contains("sre2 wrote '**Emergency-Reject: sre**'"), "{}", rule.message);
    assert!(rule.hint.unwrap().contains("sre2 has to write on T1, alone on a line, \"Emergency-Reject: sre\""));
    assert_eq!(effects(&history), [(NearKind::No, Effect::Denies)]);
}

#[test]
fn a_possible_no_stands_until_its_author_answers_by_the_letter_or_edits_it_away() {
    let denied = || {
        let mut history = History::ready();
        let comment = history.comment("sre2", 20, NO);
        (history, comment)
    };
    for answer in ["Emergency-Withdraw: sre", "Emergency-Approve: releng", "Emergency-Withdraw: sre, security"] {
        let (mut history, _) = denied();
        history.comment("sre2", 21, answer);
        assert_eq!(decision(&history), "allowed", "{answer}");
    }
    for (user, answer) in [
        ("sre1", "Emergency-Withdraw: sre"),
        ("sre2", "Emergency-Withdraw: x"),
        ("sre2", "Emergency-Approve: x"),
        ("sre2", " Emergency-Approve: sre"),
        ("sre2", "- Emergency-Withdraw: sre"),
        ("sre2", "never mind"),
        ("sre2", "Emergency-Reject: sre"),
    ] {
        let (mut history, _) = denied();
        history.comment(user, 21, answer);
        assert_eq!(decision(&history), "denied", "{user} {answer}");
    }
    let (mut history, comment) = denied();
    history.edit(comment, "sre2", 21, "I read it now, fine.");
    assert_eq!(decision(&history), "allowed");
    let (mut history, comment) = denied();
    history.edit(comment, "admin", 21, "fine.");
    assert_eq!(decision(&history), "denied", "somebody else took it out");
    // What stands in the same comment, or was written before, is no later answer.
    let (mut history, comment) = denied();
    history.edit(comment, "sre2", 21, &format!("{NO}\n\nEmergency-Withdraw: sre"));
    assert_eq!(decision(&history), "denied");
}

#[test]
fn a_no_in_the_description_is_of_who_first_wrote_it_and_stands_until_they_take_it_out() {
    const TEXT: &str = "Emergency-Reason: availability - 5xx on every page view";
    let with = |line: &str| format!("{TEXT}\n\n{line}");
    let mut history = History::ready();
    history.describe("sre2", 20, &with("Emergency-Reject: sre"));
    assert_eq!(decision(&history), "denied");
    history.describe("deployer1", 21, TEXT);
    assert_eq!(decision(&history), "denied", "the deployer took it out");
    let mut again = history.clone();
    again.describe("outsider", 22, &with("Emergency-Reject: sre"));
    again.describe("sre2", 23, TEXT);
    assert_eq!(decision(&again), "allowed", "its author took it out");
    history.comment("sre2", 22, "Emergency-Withdraw: sre");
    assert_eq!(decision(&history), "allowed", "its author answered");
    let mut outsider = History::ready();
    outsider.describe("outsider", 20, &with("Emergency-Reject: sre"));
    assert_eq!(decision(&outsider), "allowed");
}

#[test]
fn a_possible_withdrawal_voids_earlier_approvals_and_lifts_no_rejection() {
    let mut history = History::ready();
    history.comment("sre1", 20, "- Emergency-Withdraw: sre");
    assert_eq!(decision(&history), "pending");
    assert_eq!(why_not(&history, "sre1"), [Some(WhyNot::Doubted { what: "a withdrawal" })]);
    assert_eq!(effects(&history), [(NearKind::Withdraw, Effect::Voids)]);
    history.comment("sre1", 21, "Emergency-Approve: sre");
    assert_eq!(decision(&history), "allowed");
    let mut rejected = History::ready();
    rejected.comment("sre2", 20, "Emergency-Reject: sre");
    rejected.comment("sre2", 21, "**Emergency-Withdraw: sre**");
    assert_eq!(decision(&rejected), "denied");
}

#[test]
fn a_yes_that_nothing_but_its_form_misses_counts_and_lifts_no_possible_no() {
    let mut history = History::emergency();
    history.comment("releng1", 10, "**Emergency-Approve: releng**");
    history.comment("sre1", 11, "Emergency—Approve: SRE 👍");
    assert_eq!((decision(&history), effects(&history)), ("allowed", vec![(NearKind::Yes, Effect::Counts); 2]));
    let mut history = History::emergency();
    history.comment("releng1", 10, "Emergency-Approve: releng.");
    history.comment("sre1", 11, "Looks fine.\n\n**Emergency-Approve: sre**");
    assert_eq!(decision(&history), "pending");
    let listed = verdict(&history).near_misses[0].clone();
    assert_eq!(
        (listed.effect, listed.write.as_deref()),
        (Effect::Listed, Some("\"Emergency-Approve: sre\" (as a comment)"))
    );
    for user in ["outsider", "deployer1", "gone", "robot"] {
        let mut history = History::emergency();
        history.comment("releng1", 10, "Emergency-Approve: releng");
        history.comment(user, 11, "**Emergency-Approve: sre**");
        assert_eq!(decision(&history), "pending", "{user}");
    }
}

#[test]
fn below_the_head_of_a_mail_nothing_is_a_yes_and_a_no_that_was_said_before_is_none() {
    let mail = |words: &str, quoted: &str| format!("{words}\n\n-----Ursprüngliche Nachricht-----\nVon: x\n\n{quoted}");
    let mut history = History::emergency();
    history.comment("releng1", 10, "Emergency-Approve: releng");
    history.comment("sre1", 11, &mail("No! Please wait", "Emergency-Approve: sre"));
    assert_eq!(decision(&history), "pending");
    history.comment("sre1", 12, &mail("Emergency-Approve: sre", "> fine?"));
    assert_eq!(decision(&history), "allowed", "what stands above it counts");
    let mut history = History::ready();
    history.comment("sre2", 20, &mail("Yes", "Emergency-Reject: sre"));
    assert_eq!(decision(&history), "denied", "nobody said it before");
    let mut history = History::ready();
    history.comment("sre2", 20, "Emergency-Reject: sre");
    history.comment("sre2", 21, "Emergency-Withdraw: sre");
    history.comment("releng2", 22, &mail("Ah.", "Emergency-Reject: sre"));
    assert_eq!((decision(&history), effects(&history)[0]), ("allowed", (NearKind::No, Effect::Listed)));
    for (who, earlier) in [
        ("outsider", "Emergency-Reject: sre"),
        ("deployer1", "Emergency-Reject: sre"),
        ("releng2", "> Emergency-Reject: sre"),
        ("releng2", "```\nEmergency-Reject: sre\n```"),
    ] {
        let mut history = History::ready();
        history.comment(who, 20, earlier);
        history.comment("sre2", 22, &mail("Please wait.", "Emergency-Reject: sre"));
        assert_eq!(decision(&history), "denied", "{who} {earlier:?} is nobody's no");
        // Nor is it one where nobody can say who is in a team.
        let mut evidence = history.evidence();
        std::sync::Arc::make_mut(&mut evidence.teams).remove("security");
        let verdict = evaluate(&evidence, &history.policy, &Intent::default(), None);
        assert_eq!(verdict.rule("possible-no").unwrap().outcome, Outcome::Fail, "{who} {earlier:?}");
    }
}

#[test]
fn comments_of_the_gate_are_not_searched_and_a_copied_record_shields_nobody() {
    let record =
        crate::evidence::testing::record(crate::ids::DeployId::fresh(), crate::record::Event::Recorded, "deployer2");
    let copied = format!("{}\n\n{NO}", &*crate::record::comment::render(&record).unwrap());
    let mut history = History::ready();
    history.comment("phabgate", 20, &copied);
    assert_eq!(outcome(&history, "possible-no"), Outcome::Pass);
    let mut history = History::ready();
    history.comment("sre2", 20, &copied);
    assert_eq!(outcome(&history, "possible-no"), Outcome::Fail);
}

#[test]
fn a_no_of_an_account_that_was_not_read_denies() {
    let mut history = History::ready();
    history.comment("sre2", 20, NO);
    let mut evidence = history.evidence();
    std::sync::Arc::make_mut(&mut evidence.accounts).remove(&person("sre2"));
    assert_eq!(evaluate(&evidence, &history.policy, &Intent::default(), None).decision.word(), "denied");
}

#[test]
fn what_was_written_before_the_tag_is_no_answer() {
    let mut history = History::new("deployer1");
    history.describe("deployer1", 1, "Emergency-Reason: availability - x");
    history.comment("sre2", 2, NO);
    history.tag("deployer1", 5, "emergency");
    history.comment("releng1", 10, "Emergency-Approve: releng");
    history.comment("sre1", 11, "Emergency-Approve: sre");
    assert_eq!(decision(&history), "allowed");
}

#[test]
fn an_own_word_beats_what_the_deployer_says_of_them() {
    let attested = || {
        let mut history = History::emergency();
        history.policy.accept_attested = true;
        history.attested.push(("sre", "sre1"));
        history.comment("releng1", 10, "Emergency-Approve: releng");
        history
    };
    assert_eq!(decision(&attested()), "allowed");
    for text in ["Emergency-Approve: sre", "Emergency-Reject: sre", "not now"] {
        let mut history = attested();
        let comment = history.comment("sre1", 11, text);
        history.remove(comment, "sre1", 12);
        assert_ne!(decision(&history), "allowed", "{text}, removed");
    }
    for text in [
        "I would not emergency approve it",
        "**Emergency-Withdraw: sre**",
        "would you emergency reject that too",
        "Reject: sre",
        "Emergency-Revoke: sre",
        "Emergency-Withdraw: releng",
        "```\nEmergency-Reject: sre\n```",
        "> Emergency-Reject: sre",
        "  Emergency-Reject: sre",
        "%%%\nEmergency-Reject: sre\n%%%",
        "ok, but only after the failover",
        "Nein, bitte nicht",
        "いいえ",
        "\u{1f44e}",
        "-1",
    ] {
        let mut history = attested();
        history.comment("sre1", 11, text);
        assert_ne!(decision(&history), "allowed", "{text}");
        let Some(Some(why)) = why_not(&history, "sre1").pop() else { panic!("{text}") };
        assert!(why.to_string().starts_with("sre1 "), "{text}: {why}");
        assert!(why.to_string().contains("they write, alone on a line, \"Emergency-Approve: sre\""), "{text}: {why}");
    }
    for text in ["LGTM", "+1", "Looking into it", "\u{1f44d}", "Emergency-Approve: releng"] {
        let mut history = attested();
        history.comment("sre1", 11, text);
        assert_eq!(decision(&history), "allowed", "{text}");
    }
}

#[test]
fn the_verdict_names_the_own_word_that_outweighs_an_attestation() {
    let mut history = History::emergency();
    history.policy.accept_attested = true;
    history.attested.push(("sre", "sre1"));
    history.comment("releng1", 10, "Emergency-Approve: releng");
    let comment = history.comment("sre1", 11, "Reject: sre\n\nThe DBAs are at it.");
    let message = |history: &History| verdict(history).rule("team:sre").unwrap().message.clone();
    let said = message(&history);
    assert!(said.contains("sre1 wrote 'Reject: sre The DBAs are at it.' on the task themselves"), "{said}");
    // What somebody else makes of their words is not theirs, and what they take back is said no more.
    let mut edited = history.clone();
    edited.edit(comment, "admin", 12, "LGTM");
    assert!(message(&edited).contains("'Reject: sre"));
    edited.edit(comment, "sre1", 13, "LGTM");
    assert_eq!(decision(&edited), "allowed");
    history.task.view = "PHID-PLCY-1".into();
    assert!(!message(&history).contains("DBAs"), "{}", message(&history));
}

#[test]
fn what_somebody_wrote_before_the_tag_outweighs_no_attestation() {
    let mut history = History::new("deployer1");
    history.policy.accept_attested = true;
    history.attested.push(("sre", "sre1"));
    history.describe("deployer1", 1, "Emergency-Reason: availability - x");
    history.comment("sre1", 2, "5xx on all wikis");
    history.tag("deployer1", 5, "emergency");
    history.comment("releng1", 10, "Emergency-Approve: releng");
    assert_eq!(decision(&history), "allowed");
    history.describe("sre1", 11, "Emergency-Reason: availability - x\n\nPlease do not deploy now");
    assert_eq!(decision(&history), "pending");
}

#[test]
fn near_misses_of_a_restricted_task_are_not_quoted() {
    let mut history = History::ready();
    history.task.view = "PHID-PLCY-1".into();
    history.comment("sre2", 20, "**Emergency-Reject: the secret**");
    history.comment("sre1", 21, "I would emergency approve the secret");
    let shown = format!("{:?}", verdict(&history).rules);
    assert!(!shown.contains("secret"), "{shown}");
}

/// What the description says when nobody has said no in it.
const STATED: &str = "Emergency-Reason: availability - 5xx on every page view";

#[test]
fn a_no_that_somebody_else_took_out_of_the_description_outlives_other_edits_of_its_author() {
    let mut history = History::ready();
    history.describe("sre2", 20, &format!("{STATED}\n\nEmergency-Reject: sre"));
    history.describe("deployer1", 21, STATED);
    history.describe("sre2", 22, &format!("{STATED}\n\nDown since 03:00."));
    assert_eq!(decision(&history), "denied");
    history.describe("sre2", 23, &format!("{STATED}\n\nEmergency-Reject: sre"));
    assert_eq!(decision(&history), "denied");
    history.describe("sre2", 24, STATED);
    assert_eq!(decision(&history), "allowed", "now its author took it out");
}

#[test]
fn the_same_line_of_somebody_else_shields_no_no_in_the_description() {
    let mut history = History::ready();
    history.describe("deployer1", 20, &format!("{STATED}\n\nTo say no:\nEmergency-Reject: sre"));
    assert_eq!(decision(&history), "allowed", "no member says it");
    history.describe("sre2", 21, &format!("{STATED}\n\nTo say no:\nEmergency-Reject: sre\nEmergency-Reject: sre"));
    assert_eq!(decision(&history), "denied");
    history.describe("sre2", 22, &format!("{STATED}\n\nTo say no:\nEmergency-Reject: sre"));
    assert_eq!(decision(&history), "allowed", "its author took it out");
}

#[test]
fn what_a_member_says_is_shown_in_whatever_form_it_stands() {
    let shown = |user: &str, text: &str| {
        let mut history = History::ready();
        history.comment(user, 20, text);
        let said = crate::evidence::said(&history.evidence(), &history.policy);
        said.into_iter().map(|said| said.text).collect::<Vec<_>>().join("\n")
    };
    for text in [
        "Hallo,\n\nAm 27.11.2026 um 03:14 schrieb releng1 <releng1@x.org>:\n> may we?\n\nNO, please stop this",
        "Hi all\n\n____________\n\nplease stop this",
        "Hi\n\n----- my view -----\nplease stop this",
        "Emergency-Reason: none - please stop this",
        "Emergency-Action: nothing, please stop this",
        "Emergency-Followup: please stop this",
        "Emergency-Change: none. please stop this",
        "Emergency-Drill: please stop this",
        "Emergency-Approve: sre - only after the failover, please stop this",
        "Emergency-Approve: don't, please stop this",
    ] {
        assert!(shown("sre2", text).contains("please stop this"), "{text:?}: {:?}", shown("sre2", text));
    }
    for text in [
        "Emergency-Approve: sre",
        "Emergency-Approve: sre \u{1f44d}",
        "Emergency-Followup: https://x.org/1",
        "> quoted",
    ] {
        assert!(!shown("sre2", text).contains("Emergency"), "{text:?}: {:?}", shown("sre2", text));
    }
    let mut history = History::ready();
    let with = |line: &str| format!("{STATED}\n{line}");
    history.describe("deployer1", 20, &with("please wait"));
    history.describe("sre2", 21, &with("please wait\nplease wait"));
    let said = crate::evidence::said(&history.evidence(), &history.policy);
    assert_eq!(said.iter().map(|said| said.text.as_str()).collect::<Vec<_>>(), ["please wait"]);
}

#[test]
fn a_yes_with_nothing_against_it_is_no_no() {
    for text in ["not a problem", "never mind the CI", "no further questions", "no objections"] {
        let mut history = History::ready();
        history.comment("sre2", 20, &format!("Emergency-Approve: sre - {text}"));
        assert_eq!(decision(&history), "allowed", "{text}");
    }
    for text in ["not yet", "never", "no", "no, wait"] {
        let mut history = History::ready();
        history.comment("sre2", 20, &format!("Emergency-Approve: sre - {text}"));
        assert_eq!(decision(&history), "denied", "{text}");
    }
}

/// A table whose marks hold lines that the server does not show.
const HIDDEN: [&str; 4] = [
    "<table><tr><td title=\"\nLINE\n\">Logs attached</td></tr></table>",
    "<table><tr title=\"\nLINE\n\"><td>Logs attached</td></tr></table>",
    "<TABLE><COLGROUP>\nLINE\n</COLGROUP><tr><td>Logs attached</td></tr></TABLE>",
    "<table><tr>\nLINE\n<td>Logs attached</td></tr></table>",
];

#[test]
fn what_a_table_hides_states_nothing_approves_nothing_and_may_be_a_no() {
    for table in HIDDEN {
        let hidden = |line: &str| table.replace("LINE", line);
        let mut history = History::new("deployer1");
        history.tag("deployer1", 0, "emergency");
        let reason = format!("Emergency-Reason: security - leak\n\n{}", hidden("Emergency-Reason: availability - x"));
        history.describe("deployer1", 1, &reason);
        history.comment("releng1", 10, "Emergency-Approve: releng");
        history.comment("sre1", 11, "Emergency-Approve: sre");
        assert_eq!(decision(&history), "pending", "{table}");
        assert_eq!(verdict(&history).rule("team:security").unwrap().outcome, Outcome::Pending);
        let mut history = History::emergency();
        history.comment("releng1", 10, "Emergency-Approve: releng");
        history.comment("sre1", 11, &hidden("Emergency-Approve: sre"));
        assert_eq!(decision(&history), "pending", "{table}");
        let mut history = History::ready();
        history.comment("sre2", 20, &hidden("Emergency-Reject: sre"));
        assert_eq!(decision(&history), "denied", "{table}");
    }
}

#[test]
fn a_no_below_a_log_that_nothing_closes_may_be_a_no() {
    for open in ["```\nlog", "%%%\nlog", "cowsay {{{\nlog"] {
        let mut history = History::ready();
        history.comment("sre2", 20, &format!("Wait!\n{open}\nEmergency-Reject: sre"));
        assert_eq!(decision(&history), "denied", "{open}");
        let mut history = History::emergency();
        history.comment("releng1", 10, "Emergency-Approve: releng");
        history.comment("sre1", 11, &format!("{open}\nEmergency-Approve: sre"));
        assert_eq!(decision(&history), "pending", "{open}");
    }
}
