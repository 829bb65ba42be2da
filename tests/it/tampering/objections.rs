//! Kinds: a no that was passed over, hidden, taken away, or whose author is made to have no say.

use super::kinds::{Kind, Link, Link::Mark, kind};
use super::plan::ago;

const FAILED: &str = "rule-failed";
const NO: Link = Link::Either("no", 0);

/// What people read as a no.
const NOES: &[(&str, &str)] = &[
    ("by the letter", "Emergency-Reject: sre - this takes the databases down"),
    ("for another team", "Emergency-Reject: releng"),
    ("for a team that nobody knows", "Emergency-Reject: databases"),
    ("in bold", "**Emergency-Reject: sre**"),
    ("after a blank", " Emergency-Reject: sre"),
    ("in a list", "- Emergency-Reject: sre"),
    ("in backticks", "`Emergency-Reject: sre`"),
    ("with another ending", "Emergency-Rejected: sre - stop"),
    ("with a slip", "Emergency-Rejcet: sre"),
    ("without the dash", "emergency reject: sre"),
    ("with a long dash", "Emergency\u{2013}Reject: sre"),
    ("after other words", "Please stop. Emergency-Reject: sre"),
    ("as a veto", "Emergency-Veto: sre"),
    ("as a yes that says no", "Emergency-Approve: no"),
    (
        "below the head of a mail",
        "See below.\n\n________________________________\nFrom: gate <noreply@example.org>\nSent: Friday\nTo: me\n\nEmergency-Reject: sre - stop",
    ),
];

pub(super) fn kinds() -> Vec<Kind> {
    let mut kinds: Vec<Kind> = NOES
        .iter()
        .map(|(what, text)| {
            kind(format!("a no {what}"), |p| {
                p.ready().say("sre2", "no", text).recorded();
            })
            .error(FAILED, NO)
        })
        .collect();
    kinds.extend(before());
    kinds.extend(afterwards());
    kinds
}

fn before() -> Vec<Kind> {
    vec![
        kind("a no of a team that had nothing to approve", |p| {
            p.ready().say("sec1", "no", "Emergency-Reject: security").recorded();
        })
        .error(FAILED, NO),
        kind("a no in the description", |p| {
            p.ready();
            p.describe("sre2", "no", "Emergency-Reason: availability - 5xx\n\nEmergency-Reject: sre - stop");
            p.recorded();
        })
        .error(FAILED, NO),
        kind("a no that somebody else took out of the description", |p| {
            p.ready();
            p.describe("sre2", "no", "Emergency-Reason: availability - 5xx\n\nEmergency-Reject: sre - stop");
            p.describe("deployer1", "out", "Emergency-Reason: availability - 5xx").recorded();
        })
        .error(FAILED, NO),
        kind("a no over which another of the team said yes", |p| {
            p.ready()
                .say("sre2", "no", "Emergency-Reject: sre")
                .say("sre3", "yes", "Emergency-Approve: sre")
                .recorded();
        })
        .error(FAILED, NO),
        kind("a no between the stated start and the record", |p| {
            p.ready().age(120).say("sre2", "no", "Emergency-Reject: sre").recorded_at(&ago(60));
        })
        .error(FAILED, NO),
        kind("a no that is none by the letter between the stated start and the record", |p| {
            p.ready().age(120).say("sre2", "no", "**Emergency-Reject: sre**").recorded_at(&ago(60));
        })
        .error(FAILED, NO),
        kind("a no in the description between the stated start and the record", |p| {
            p.ready().age(120);
            p.describe("sre2", "no", "Emergency-Reason: availability - 5xx\n\nEmergency-Reject: sre - stop");
            p.recorded_at(&ago(60));
        })
        .error(FAILED, NO),
        kind("a no edited into a comment between the stated start and the record", |p| {
            p.ready().say("sre2", "no", "Looking.").age(120);
            p.rewrite("sre2", "no", "Emergency-Reject: sre").recorded_at(&ago(60));
        })
        .error(FAILED, NO),
        kind("a no below a record that was copied", |p| {
            p.ready().run();
            let copied = format!("{}\n\nEmergency-Reject: sre - not again", p.text_of(0));
            p.say("sre2", "no", &copied).recorded().mark_last("second");
        })
        .error(FAILED, Mark("second"))
        .also(&["record-forged"]),
        kind("a no that was removed between the stated start and the record", |p| {
            p.ready().say("sre2", "no", "Emergency-Reject: sre").age(120);
            p.remove("sre2", "no").recorded_at(&ago(60));
        })
        .warning("approval-removed", Mark("no"))
        .also(&[FAILED]),
        kind("a no while it ran", |p| {
            p.ready().run_meanwhile(|p| {
                p.say("sre2", "no", "Emergency-Reject: sre - look at the graphs");
            });
        })
        .notice("objected-meanwhile", Mark("no")),
        kind("a withdrawal while it ran", |p| {
            p.ready().run_meanwhile(|p| {
                p.say("sre1", "no", "Emergency-Withdraw: sre");
            });
        })
        .notice("objected-meanwhile", Mark("no")),
        kind("what reads as a no while it ran", |p| {
            p.ready().run_meanwhile(|p| {
                p.say("sre2", "no", "**Emergency-Reject: sre**");
            });
        })
        .notice("objected-meanwhile", Mark("no")),
    ]
}

fn afterwards() -> Vec<Kind> {
    let rejected = |name: &str| {
        kind(name, |p| {
            p.ready().say("objector", "no", "Emergency-Reject: sre - no").recorded();
        })
        .with("objector", &["sre"])
        .error(FAILED, NO)
    };
    vec![
        rejected("who said no leaves the team").then(|p| {
            p.leave("objector", "sre");
        }),
        rejected("who said no is disabled").then(|p| {
            p.disable("objector");
        }),
        rejected("who said no is renamed, and an outsider takes the name").with("heir", &[]).then(|p| {
            p.rename("objector", "x").hand_name("objector", "heir");
        }),
        rejected("who said no is made a bot").then(|p| {
            p.make_bot("objector");
        }),
        rejected("who said no edits it away").then(|p| {
            p.rewrite("objector", "no", "Never mind.");
        }),
        rejected("who said no says yes").then(|p| {
            p.say("objector", "yes", "Emergency-Approve: sre");
        }),
        rejected("who said no removes it")
            .then(|p| {
                p.remove("objector", "no");
            })
            .error("history-rewritten", Mark("no"))
            .also(&["approval-removed"]),
        rejected("an administrator removes a no")
            .then(|p| {
                p.remove("admin", "no");
            })
            .error("history-rewritten", Mark("no"))
            .also(&["approval-removed"]),
        rejected("somebody else edits a no away").then(|p| {
            p.rewrite_below("outsider", "no", "(edited)");
        }),
        kind("a no that is none by the letter is removed", |p| {
            p.ready().say("sre2", "no", "**Emergency-Reject: sre**").recorded();
        })
        .error(FAILED, NO)
        .then(|p| {
            p.remove("sre2", "no");
        })
        .error("history-rewritten", Mark("no"))
        .also(&["approval-removed"]),
        kind("a no is removed before the first audit", |p| {
            p.ready().say("sre2", "no", "Emergency-Reject: sre").recorded().remove("sre2", "no");
        })
        .found(&["approval-removed"], Mark("no"))
        .also(&[FAILED]),
        kind("a no that a recorder passed over with a record that says allowed is removed", |p| {
            p.ready().say("sre2", "no", "Emergency-Reject: sre");
            let approvals =
                serde_json::json!([p.approval("releng", "releng1", "releng"), p.approval("sre", "sre1", "sre")]);
            let changes = serde_json::json!({"outcome": "succeeded", "approvals": approvals});
            p.forge("bot", "record", "deployer1", changes);
        })
        .error(FAILED, NO)
        .then(|p| {
            p.remove("sre2", "no");
        })
        .error("history-rewritten", Mark("no"))
        .also(&["approval-removed"]),
        kind("a no leaves with a member who never approved", |p| {
            p.ready().say("objector", "no", "Emergency-Veto: sre").recorded();
        })
        .with("objector", &["security"])
        .error(FAILED, NO)
        .then(|p| {
            p.leave("objector", "security");
        }),
    ]
}
