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
        "| Emergency-Deny | sre |",
        "| sre2 | [[ /x | Emergency-Reject ]] | why |",
        "<table><tr><td>sre2</td><td>Emergency-Reject</td><td>why</td></tr></table>",
        "<table>\n<tr>\n<td\n>Emergency-Reject: sre</td>\n</tr>\n</table>",
        "<table>\n<tr>\n<td>\n> Emergency-Reject: sre\n</td>\n</tr>\n</table>",
        "<table>\n<tr>\n<td>Emergency-Approve</td>\n<td class=\"x\">no</td>\n</tr>\n</table>",
        "<table><tr><td>~~a</td><td>Emergency-Reject: sre</td><td>b~~</td></tr></table>",
    ] {
        assert_eq!(near(text), NO, "{text:?}");
    }
    for text in ["| who | ~~Emergency-Reject: sre~~ | why |", "| who may emergency reject it | sre |"] {
        assert_eq!(near(text), LISTED_NO, "{text:?}");
    }
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
            let text = line.replace(['<', '>'], mark);
            assert_eq!(near(&text), NO, "{text:?}");
        }
    }
    for text in [
        "Emergency-[[ /x | Reject ]]: sre",
        "I must say [Emergency-Reject](https://wiki/x): sre",
        "[[ https://wiki/Emergency-Reject | Emergency-Reject ]]: sre",
        "[[ /x | ~~Emergency-Reject: sre~~ ]]",
    ] {
        assert_eq!(near(text), NO, "{text:?}");
    }
    for text in ["https://wiki/emergency/reject", "see https://wiki/emergency//rejected for how"] {
        assert_ne!(near(text), NO, "{text:?}");
    }
    assert_eq!(near("~~Emergency-//Reject//: sre~~"), LISTED_NO);
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
