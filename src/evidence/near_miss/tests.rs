//! Which lines read as an answer, and with how much weight.

use super::*;
use crate::policy::testing::built_in;

/// What the only near miss of a text reads as; `None` where there is none.
fn near(text: &str) -> Option<(NearKind, bool)> {
    let policy = built_in();
    let found = read(text, Place::Comment, &policy);
    assert!(found.len() < 2, "{text:?}: {found:?}");
    found.first().map(|found| (found.kind, found.possible))
}

const NO: Option<(NearKind, bool)> = Some((NearKind::No, true));
const LISTED_NO: Option<(NearKind, bool)> = Some((NearKind::No, false));
const WITHDRAWAL: Option<(NearKind, bool)> = Some((NearKind::Withdraw, true));
const LISTED_WITHDRAWAL: Option<(NearKind, bool)> = Some((NearKind::Withdraw, false));
const YES: Option<(NearKind, bool)> = Some((NearKind::Yes, false));

#[test]
fn what_reads_as_a_no_is_one_possibly() {
    for text in [
        "**Emergency-Reject: sre**",
        " Emergency-Reject: sre",
        "- Emergency-Reject: sre",
        "- all of it:\n  Emergency-Reject: sre",
        "`Emergency-Reject: sre`",
        "a ##\nEmergency-Reject: sre\nb ##",
        "Emergency-Reject sre",
        "Emergency Reject sre",
        "emergency reject!",
        "EMERGENCYREJECT",
        "Emergency_reject",
        "Emergency—Reject: sre",
        "Emergency-Rejected: sre",
        "Emergency-Rejekt: sre",
        "Emergancy-Reject: sre",
        "I say Emergency-Reject: sre",
        "Sorry, emergency reject sre",
        "Sorry: emergency reject",
        "I have to emergency-reject - it breaks the databases",
        "This is an emergency rejection: wait",
        "Emergency-Deny: sre",
        "Emergency-No: sre",
        "**Emergency-Veto:** no way",
        "Emergency-Approve: no",
        "Emergency-Approve: NOT yet",
        "Emergency-Approve: sre - not yet",
        "= Emergency-Reject: sre",
        "| Emergency-Reject: sre |",
        "NOTE: Emergency-Reject: sre",
        "No!\n\nVon: x <x@y>\nAn: z\n\nEmergency-Reject: sre",
    ] {
        assert_eq!(near(text), NO, "{text:?}");
    }
}

#[test]
fn each_cell_of_a_table_is_read_for_itself_and_with_the_next() {
    for text in [
        "| sre2 | Emergency-Reject | too risky |",
        "| who | vote |\n| sre2 | **Emergency-Reject** |",
        "| Emergency-Reject | Emergency-Approve: releng |",
        "| ~~sre1 | Emergency-Reject: sre | sre2~~ |",
        "| Emergency-Approve | no |",
        "| Emergency-Approve | sre | not yet |",
        "| sre2 | [[ /x | Emergency-Reject ]] | why |",
        "<table><tr><td>sre2</td><td>Emergency-Reject</td><td>why</td></tr></table>",
        "<table>\n<tr>\n<td\n>Emergency-Reject: sre</td>\n</tr>\n</table>",
        "<table>\n<tr>\n<td>\n> Emergency-Reject: sre\n</td>\n</tr>\n</table>",
        "<table>\n<tr>\n<td>Emergency-Approve</td>\n<td class=\"x\">no</td>\n</tr>\n</table>",
        "<table><tr><td>~~a</td><td>Emergency-Reject: sre</td><td>b~~</td></tr></table>",
    ] {
        assert_eq!(near(text), NO, "{text:?}");
    }
    assert_eq!(near("| who may emergency reject it | sre |"), LISTED_NO);
    // Where a cell of a table ends is not sure enough for what is struck out to weigh less.
    assert_eq!(near("| who | ~~Emergency-Reject: sre~~ | why |"), NO);
    for text in
        ["| sre | Emergency-Approve |", "| Emergency-Approve | sre | no objections |", "| Emergency-Approve: sre |"]
    {
        assert_eq!(near(text), YES, "{text:?}");
    }
    assert_eq!(near("| sre2 | Emergency-Withdraw | sre |"), WITHDRAWAL);
}

#[test]
fn emphasis_of_any_kind_is_looked_past() {
    for mark in ["**", "//", "__", "!!", "##", "`", "\"", "’", "🚫", "\u{200b}"] {
        for line in [
            "Emergency-<Reject>: sre",
            "<Emergency>-Reject: sre",
            "<Emergency>-<Reject>: sre",
            "<Emergency-Reject>: sre",
            "<Emergency-Reject: sre>",
            "I must say <Emergency-Reject>: sre",
            "I must say <Emergency-Reject>",
            "I must say <Emergency-Reject:> sre",
            "No<Emergency-Reject: sre>",
            "No<Emergency>-Reject: sre",
            "Emergency-Reject<because> it breaks the databases",
            "I say Emergency-Reject<because> it breaks the databases",
            "No<emergencyreject>because",
            "Emer<gency-Re>ject: sre",
            "No<Emergency-Veto>: it breaks the databases",
            "Emergency-Approve: <no>",
            "Emergency-Approve: <sre> <no>",
        ] {
            // Between letters a doubled mark is part of a path or a name.
            let inside = ["t<b", "o<e", "r<g"].iter().any(|inside| line.contains(inside));
            if !(inside && ["//", "__", "!!", "##"].contains(&mark)) {
                let text = line.replace(['<', '>'], mark);
                assert_eq!(near(&text), NO, "{text:?}");
            }
        }
    }
    for text in [
        "No//Emergency-Reject: sre//",
        "No__Emergency__-Reject: sre",
        "__E__mergency-__R__eject: sre",
        "//E//mergency-//R//eject: sre",
        "Emergency-Re__j__ect: sre",
        "Emergency-!!Re!!ject: sre",
    ] {
        assert_eq!(near(text), NO, "{text:?}");
    }
    for text in [
        "Emergency-[[ /x | Reject ]]: sre",
        "I must say [Emergency-Reject](https://wiki/x): sre",
        "[[ https://wiki/Emergency-Reject | Emergency-Reject ]]: sre",
        "[[ /x | ~~Emergency-Reject: sre~~ ]]",
    ] {
        assert_eq!(near(text), NO, "{text:?}");
    }
    for text in [
        "https://wiki/emergency/reject",
        "see https://wiki/emergency//rejected for how",
        "I think the Emergency-Reject's reason was fixed",
        "The `Emergency-Reject`s of yesterday are gone",
        "two \"Emergency-Reject\"s last week, both fine now",
        "the **Emergency-Reject**ion rate is low",
        "the emergency__reject__count metric is 0",
        "Look at `nginx_emergency__rejected__total` please",
        "path /srv/emergency//rejects//2026 is empty",
        "see [the docs](https://wiki.org/w/Emergency-Reject) for how",
        "see [the docs](https://wiki.org/w/Emergency-Reject)",
        "| emergency-stop | pressed |",
        "Emergency-Approve: sre (no downtime)",
        "Emergency-Approve: sre - not a big deal",
        "Emergency-Approve: sre - never been better",
    ] {
        assert_ne!(near(text), NO, "{text:?}");
    }
    assert_eq!(near("~~Emergency-//Reject//: sre~~"), LISTED_NO);
}

#[test]
fn what_readers_do_not_see_is_looked_past() {
    for text in [
        "(WARNING) Emergency-Reject this deploy",
        "WARNING: Emergency-Reject this deploy",
        "(IMPORTANT) **Emergency-Reject**, please wait until Monday",
        ":x: Emergency-Reject this deploy",
        "{icon ban} Emergency-Reject this deploy",
        "| sre2 | {icon ban} Emergency-Reject this |",
        "{anchor #x} Emergency-Reject this deploy",
        "I Emergency-Reject {icon ban}",
        "I Emergency-Reject ℹ️",
        "{nav Emergency-Reject > sre}",
        "{nav name=Emergency-Reject: sre > name=x}",
        "{Emergency-Reject: sre}",
        "{Emergency-Reject} sre",
        "Hi all, {Emergency-Reject: sre}",
        "{{Emergency-Reject: sre}}",
        "{foo Emergency-Reject: sre}",
        "- {Emergency-Reject: sre}",
        "{Emergency-Approve: no}",
        "- Emergency\n  Reject: sre",
        "- I'd say Emergency\n  Reject: sre",
        "NOTE: Emergency\nReject: sre",
        "{key Emergency-Reject this}",
        "- Emergency-Approve: :x: no",
        "Emergency-Approve: :x: no",
        "Emergency-Approve: ℹ️ no",
        "| Emergency-Approve | :x: no |",
        "| Emergency-Approve | [[ /x | no ]] |",
        "<table>\n<tr><th>Approvals</th></tr><tr><td>Emergency-Approve</td>\n<td>**NO**</td>\n</tr>\n</table>",
        "- Emergency-\n  Reject: sre",
        "Emergency-\nReject: sre",
        "Hello\rEmergency-Reject this",
        "Hello\u{2028}Emergency-Reject this",
        "- Emergency-Reject: sre, see https://x.org/Emergency-Approve",
        "Emergency-Reject - see http://x.org/w/emergency-approve/",
    ] {
        assert_eq!(near(text), NO, "{text:?}");
    }
    assert_eq!(near("(IMPORTANT) Emergency-Withdraw my approval"), WITHDRAWAL);
}

#[test]
fn what_is_not_surely_struck_out_is_read() {
    for text in [
        "| ~~retry -> fail~~Emergency-Reject: sre~~ |",
        "| ~~a <b>~~Emergency-Reject: sre~~ |",
        "| `cat <a>~~` Emergency-Reject: sre `~~` |",
        "| `echo >~~` Emergency-Reject: sre `~~` |",
        "| [[ /x | y~~]] Emergency-Reject: sre~~ |",
        "| https://x.org/>~~a Emergency-Reject: sre~~ |",
        "- foo ~~bar\n  x~~Emergency-Reject: sre~~y",
        "- took ~~5 min\n  or~~Emergency-Reject: sre~~10",
        "- see ##rm\n  ~~/x## Emergency-Reject: sre ##~~##",
        "`x` {a ~~} https://x.org/a~~b ~~Emergency-Reject: sre~~",
        "%%%~~%%% Emergency-Reject: sre~~",
    ] {
        assert_eq!(near(text), NO, "{text:?}");
    }
    for text in [
        "- ~~Emergency-Reject: sre~~\n- done, `a` [b](/c)",
        "= ~~Emergency-Reject: sre~~",
        "NOTE: ~~Emergency-Reject: sre~~",
    ] {
        assert_eq!(near(text), LISTED_NO, "{text:?}");
    }
}

#[test]
fn long_lines_take_their_time_once() {
    for text in [
        format!("Emergency-Reject: sre {}", "[".repeat(300_000)),
        format!("Emergency-Reject: sre {}", "{a".repeat(150_000)),
        format!("Emergency-Reject: sre {}", "[](".repeat(100_000)),
        format!("a\nEmergency-Reject: sre {}]", "[a".repeat(150_000)),
        format!("Emergency-Reject: sre {}", "`a` ".repeat(80_000)),
        format!("Emergency-Reject: sre {}", ":a".repeat(150_000)),
        format!("{}Emergency-Reject: sre", "~~x~~\n".repeat(60_000)),
        format!("Emergency-Reject {}", "я*".repeat(100_000)),
        format!("<table><tr>\n{}</tr></table>", "Emergency-Reject\n".repeat(20_000)),
    ] {
        let _ = read(&text, Place::Comment, &built_in());
    }
}

#[test]
fn what_only_mentions_a_no_is_listed() {
    for text in [
        "Who may emergency reject this thing?",
        "~~Emergency-Reject: sre~~",
        "~~a\nEmergency-Reject: sre\nb~~",
        "Emergency-Reject: sre or Emergency-Approve: sre - which one is it",
        "the emergency rejection of last week",
    ]
    .map(|text| text.replacen("Emergency-Reject: sre or", "**Emergency-Reject: sre** or", 1))
    {
        assert_eq!(near(&text), LISTED_NO, "{text:?}");
    }
    assert_eq!(near("Emergency-Reject: releng\nEmergency-Reject: sre"), LISTED_NO, "the last one is the answer");
}

#[test]
fn a_withdrawal_is_read_likewise() {
    for text in
        ["*Emergency-Withdraw: sre*", "Emergency withdrawn", "Emergency-Withdrawl: sre", "ok emergency withdraw sre"]
    {
        assert_eq!(near(text), WITHDRAWAL, "{text:?}");
    }
    assert_eq!(near("the emergency withdrawal is not needed"), LISTED_WITHDRAWAL);
}

#[test]
fn other_forms_of_a_yes_are_listed() {
    for text in [
        "- Emergency-Approve: sre",
        "Emergency-Approved: sre",
        "Emergency-Aprove: sre",
        "I emergency-approve this",
        "`Emergency-Approve: sre`",
        "> no\n\nNo!\n\nVon: x <x@y>\nAn: z\n\nEmergency-Approve: sre",
        "Emergency-Approve: sre\nEmergency-Approve: releng",
    ] {
        assert_eq!(near(text), YES, "{text:?}");
    }
}

#[test]
fn all_else_is_no_near_miss() {
    for text in [
        "",
        "Emergency-Reject: sre - by the letter",
        "Emergency-Approve: sre",
        "Emergency-Approve: sre - no objections",
        "Emergency-Reason: availability - the deploy of the emergency reject page",
        "> Emergency-Reject: sre",
        "```\nEmergency-Reject: sre\n```",
        "%%%\n**Emergency-Reject: sre**\n%%%",
        "  Emergency-Reject: sre",
        "This is an emergency. Reject nothing.",
        "Reject: sre",
        "The emergency is over, no deploy needed.",
        "Is there no emergency stop: the button?",
        "Emergency - no, wait: is it one?",
        "merge the emergent project",
    ] {
        assert_eq!(near(text), None, "{text:?}");
    }
}

#[test]
fn a_yes_that_is_missed_by_its_form_alone_and_stands_alone_is_taken_for_one() {
    for text in [
        " Emergency-Approve: sre",
        "**Emergency-Approve: sre**",
        "\u{feff}Emergency-Approve: sre",
        "Emergency-Appro\u{200b}ve: sre",
        "Emergency–Approve: sre",
        "Emergency-Approve： sre",
        "Emergency-Approve: sre.",
        "Emergency-Approve: sre!",
        "Emergency-Approve: sre 👍",
        "**Emergency-Approve: sre** ✅",
        "**Emergency-Approve: sre!**\n\n",
        "Emergency\u{2011}Approve : sre",
    ] {
        assert_eq!(lone_approval(text).map(|(_, value)| value).as_deref(), Some("sre"), "{text:?}");
    }
    for text in [
        "\u{202e}Emergency-Approve: sre",
        "  Emergency-Approve: sre",
        "- Emergency-Approve: sre",
        "Fine.\n\n**Emergency-Approve: sre**",
        "**Emergency-Approve: sre**\nbut only after the failover",
        "`Emergency-Approve: sre`",
        "Emergency Approve: sre",
        "Emergency-Approved: sre",
        "~~Emergency-Approve: sre~~",
        "> Emergency-Approve: sre",
        "**Emergency-Approve:** sre",
        "\"Emergency-Approve: sre\"",
        "Emergency-Approve:",
    ] {
        let value = lone_approval(text).map(|(_, value)| value);
        assert_ne!(value.as_deref(), Some("sre"), "{text:?}");
    }
}
