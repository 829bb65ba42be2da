//! Kinds: approvals that were never given, that do not count, that came late, or that somebody changed afterwards.

use serde_json::json;

use super::kinds::{FIRST, Kind, Link::Mark, kind};
use super::plan::{ago, next_second};

const MISSING: &str = "approval-missing";
const OUTSIDE: &str = "approver-not-member";

/// What reads as a yes and is none by the letter, or not any more.
const NO_YES: &[(&str, &str)] = &[
    ("struck out", "~~no longer:\nEmergency-Approve: sre\n~~"),
    ("quoted", "> Emergency-Approve: sre"),
    ("in a code block", "Write this:\n```\nEmergency-Approve: sre\n```"),
    ("indented", "Write this:\n\n    Emergency-Approve: sre"),
    ("in backticks", "`Emergency-Approve: sre`"),
    ("LGTM", "LGTM, go ahead"),
    ("for a team that nobody knows", "Emergency-Approve: sre, databases"),
    ("with a thumb down", "Emergency-Approve: sre \u{1f44e}"),
    (
        "below the head of a mail",
        "No! Please wait.\n\n________________________________\nFrom: gate <noreply@example.org>\nSent: Friday\nTo: me\n\nEmergency-Approve: sre",
    ),
    ("with a word in front", "I would say Emergency-Approve: sre"),
];

pub(super) fn kinds() -> Vec<Kind> {
    let mut kinds = missing();
    kinds.extend(late());
    kinds.extend(afterwards());
    kinds
}

fn missing() -> Vec<Kind> {
    let mut kinds = vec![
        kind("nobody approved", |p| {
            p.emergency("availability").recorded();
        })
        .error(MISSING, FIRST),
        kind("nobody approved, recorded by the deployer", |p| {
            p.emergency("availability").record_as("deployer1", "deployer1", "config.toml", &["--outcome", "succeeded"]);
        })
        .error(MISSING, FIRST),
        kind("one of two teams approved", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng").recorded();
        })
        .error(MISSING, FIRST),
        kind("one person approved for two teams", |p| {
            p.emergency("availability").say("both", "yes", "Emergency-Approve: releng, sre").recorded();
        })
        .error(MISSING, FIRST),
        kind("the team that the reason needs was not asked", |p| {
            p.emergency("security").approved().recorded();
        })
        .error(MISSING, FIRST),
        kind("an outsider approved", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("outsider", "yes", "Emergency-Approve: sre").recorded();
        })
        .error(OUTSIDE, Mark("yes"))
        .also(&[MISSING]),
        kind("a member of another team approved", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("sec1", "yes", "Emergency-Approve: sre").recorded();
        })
        .error(OUTSIDE, Mark("yes"))
        .also(&[MISSING]),
        kind("a bot of the team approved", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("robot", "yes", "Emergency-Approve: sre").recorded();
        })
        .error(MISSING, FIRST),
        kind("the approver was disabled before the deploy", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("leaver", "yes", "Emergency-Approve: sre").disable("leaver").recorded();
        })
        .with("leaver", &["sre"])
        .error(OUTSIDE, Mark("yes"))
        .also(&[MISSING]),
        kind("the approver left the team before the deploy", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("leaver", "yes", "Emergency-Approve: sre").leave("leaver", "sre").recorded();
        })
        .with("leaver", &["sre"])
        .error(OUTSIDE, Mark("yes"))
        .also(&[MISSING]),
        kind("the approver joined the team after the deploy, before the first audit", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("joiner", "yes", "Emergency-Approve: sre").recorded().join("joiner", "sre");
        })
        .with("joiner", &[])
        .warning("verdict-differs", FIRST),
        kind("an approver withdrew", |p| {
            p.ready().say("sre1", "no", "Emergency-Withdraw: sre").recorded();
        })
        .error(MISSING, FIRST),
        kind("an approver withdrew, not by the letter", |p| {
            p.ready().say("sre1", "no", "**Emergency-Withdraw: sre**").recorded();
        })
        .error(MISSING, FIRST),
        kind("an approver withdrew between the stated start and the record", |p| {
            p.ready().age(120).say("sre1", "no", "Emergency-Withdraw: sre").recorded_at(&ago(60));
        })
        .error(MISSING, FIRST),
        kind("an approval was removed before the record", |p| {
            p.ready().remove("sre1", "sre").recorded();
        })
        .error(MISSING, FIRST)
        .also(&["approval-removed"]),
        kind("an approval was removed between the stated start and the record", |p| {
            p.ready().age(120).remove("sre1", "sre").recorded_at(&ago(60));
        })
        .error(MISSING, FIRST)
        .also(&["approval-removed"]),
        kind("an approval was edited out between the stated start and the record", |p| {
            p.ready().age(120).rewrite("sre1", "sre", "Let me think again.").recorded_at(&ago(60));
        })
        .error(MISSING, FIRST),
        kind("the approvals were too old", |p| {
            p.ready().age(13 * 60).recorded();
        })
        .error(MISSING, FIRST),
        kind("the approvals came before the tag", |p| {
            p.open("deployer1", "Emergency-Reason: availability - 5xx", &[]).approved();
            p.tag("deployer1", "tag", "projects.add", "tag").recorded();
        })
        .error(MISSING, FIRST),
        kind("the tag went and came back after the approvals", |p| {
            p.ready().tag("deployer2", "untag", "projects.remove", "tag");
            p.tag("deployer2", "tag", "projects.add", "tag").recorded();
        })
        .error(MISSING, FIRST),
        kind("another category of reason was approved", |p| {
            p.ready().describe("deployer1", "reason", "Emergency-Reason: abuse - a scraper").recorded();
        })
        .error(MISSING, FIRST),
        kind("another deployer was approved", |p| {
            let line = format!("Emergency-Deployer: {}", p.name("deployer2"));
            p.ready().say("deployer1", "change", &line);
            p.record_as("bot", "deployer2", "config.toml", &["--outcome", "succeeded"]);
        })
        .error(MISSING, FIRST),
        kind("another change was approved", |p| {
            p.ready().say("deployer1", "change", "Emergency-Change: I2");
            p.record(&["--outcome", "succeeded", "--change", "I2"]);
        })
        .error(MISSING, FIRST),
        kind("another action was approved", |p| {
            p.ready().say("deployer1", "change", "Emergency-Action: config").record(&["--outcome", "succeeded"]);
        })
        .error(MISSING, FIRST),
        kind("a member wrote the approval into the description", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.describe("sre1", "yes", "Emergency-Reason: availability - 5xx\n\nEmergency-Approve: sre");
            p.say("releng1", "releng", "Emergency-Approve: releng").recorded();
        })
        .error(MISSING, FIRST),
        kind("somebody else edited the approval into a comment", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("sre1", "sre", "Looking.");
            next_second();
            p.rewrite_below("outsider", "sre", "Emergency-Approve: sre").recorded();
        })
        .error(MISSING, FIRST),
        kind("who deploys approved", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("sre2", "own", "Emergency-Approve: sre");
            p.record_as("bot", "sre2", "config.toml", &["--outcome", "succeeded"]);
        })
        .error("approval-self", Mark("own"))
        .also(&[MISSING]),
        kind("who deploys approved and recorded with a token of their own", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("sre2", "own", "Emergency-Approve: sre");
            p.record_as("sre2", "sre2", "config.toml", &["--outcome", "succeeded"]);
        })
        .error("approval-self", Mark("own"))
        .also(&[MISSING]),
        kind("whom the task names as deployer approved", |p| {
            let line = format!("Emergency-Deployer: {}", p.name("sre2"));
            p.emergency("availability").say("deployer1", "change", &line);
            p.say("releng1", "releng", "Emergency-Approve: releng").say("sre2", "own", "Emergency-Approve: sre");
            p.recorded();
        })
        .error("approval-self", Mark("own"))
        .also(&[MISSING, "rule-failed"]),
        kind("who deployed and approved is renamed, and another takes the name", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("two", "own", "Emergency-Approve: sre");
            p.record_as("bot", "two", "config.toml", &["--outcome", "succeeded"]);
        })
        .with("two", &["sre"])
        .with("heir", &[])
        .error("approval-self", Mark("own"))
        .then(|p| {
            p.rename("two", "elsewhere").hand_name("two", "heir");
        })
        .also(&[MISSING]),
        kind("the deployer's own record says that an outsider was in the team", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("outsider", "yes", "Emergency-Approve: sre");
            let approvals = json!([p.approval("releng", "releng1", "releng"), p.approval("sre", "outsider", "yes")]);
            p.forge("deployer1", "record", "deployer1", json!({"outcome": "succeeded", "approvals": approvals}));
        })
        .error(OUTSIDE, Mark("yes"))
        .also(&[MISSING]),
        kind("the policy of another host has another team", |p| {
            p.world.write_policy("other.toml", "", "elsewhere", &["bot", "bot2"]);
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("outsider2", "yes", "Emergency-Approve: sre");
            p.record_as("bot", "deployer1", "other.toml", &["--outcome", "succeeded"]);
        })
        .error(OUTSIDE, Mark("yes"))
        .notice("policy-differs", FIRST)
        .also(&[MISSING]),
        kind("the recorder's token by hand: approvals that are none", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("sre1", "sre", "What is going on here?");
            let approvals = json!([p.approval("releng", "releng1", "releng"), p.approval("sre", "sre1", "sre")]);
            p.forge("bot", "record", "deployer1", json!({"outcome": "succeeded", "approvals": approvals}));
        })
        .error(MISSING, FIRST),
        kind("the recorder's token by hand: an outsider was in the team then", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("outsider", "yes", "Emergency-Approve: sre");
            let approvals = json!([p.approval("releng", "releng1", "releng"), p.approval("sre", "outsider", "yes")]);
            p.forge("bot", "record", "deployer1", json!({"outcome": "succeeded", "approvals": approvals}));
        })
        .warning(OUTSIDE, Mark("yes")),
        kind("attested where the policy takes no attested approvals", |p| {
            let sre = format!("sre={}", p.name("sre1"));
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.record(&["--outcome", "succeeded", "--approved-by", &sre, "--evidence", "https://irc.example.org/1"]);
        })
        .error(MISSING, FIRST),
    ];
    for (what, text) in NO_YES {
        let plant = |p: &mut super::plan::Plan<'_>| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("sre1", "sre", text).recorded();
        };
        kinds.push(kind(format!("a yes that is none: {what}"), plant).error(MISSING, FIRST));
    }
    kinds
}

fn late() -> Vec<Kind> {
    vec![
        kind("an approval came a second late", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            next_second();
            let start = ago(0);
            next_second();
            p.say("sre1", "sre", "Emergency-Approve: sre").recorded_at(&start);
        })
        .error("approval-late", Mark("sre")),
        kind("approvals came between the stated start and the record", |p| {
            p.emergency("availability").age(120).approved().recorded_at(&ago(60));
        })
        .error("approval-late", Mark("sre"))
        .error("approval-late", Mark("releng")),
        kind("an approval came after the record", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng").recorded();
            p.say("sre1", "sre", "Emergency-Approve: sre");
        })
        .error("approval-late", Mark("sre")),
        kind("an approval came after the first audit", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng").recorded();
        })
        .error(MISSING, FIRST)
        .then(|p| {
            p.say("sre1", "sre", "Emergency-Approve: sre");
        })
        .error("approval-late", Mark("sre")),
        kind("an approval was edited into a comment after the record", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("sre1", "sre", "Looking.").recorded();
            next_second();
            p.rewrite("sre1", "sre", "Emergency-Approve: sre");
        })
        .error("approval-late", Mark("sre")),
        kind("an approval was edited in between the stated start and the record", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("sre1", "sre", "Looking.").age(120);
            p.rewrite("sre1", "sre", "Emergency-Approve: sre").recorded_at(&ago(60));
        })
        .error("approval-late", Mark("sre")),
        kind("the missing team approved after the first audit, edited into an old comment", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("sre1", "sre", "Looking.").recorded();
        })
        .error(MISSING, FIRST)
        .then(|p| {
            next_second();
            p.rewrite("sre1", "sre", "Emergency-Approve: sre");
        })
        .error("approval-late", Mark("sre")),
    ]
}

fn afterwards() -> Vec<Kind> {
    vec![
        kind("an approval is edited away", |p| {
            p.ready().run();
        })
        .then(|p| {
            p.rewrite("sre1", "sre", "I was wrong.");
        })
        .warning("approval-edited", Mark("sre")),
        kind("an approval is turned to another team", |p| {
            p.ready().run();
        })
        .then(|p| {
            p.rewrite("sre1", "sre", "Emergency-Approve: releng");
        })
        .warning("approval-edited", Mark("sre")),
        kind("an approval is turned into a no", |p| {
            p.ready().run();
        })
        .then(|p| {
            p.rewrite("sre1", "sre", "Emergency-Reject: sre");
        })
        .warning("approval-edited", Mark("sre")),
        kind("somebody else edits an approval away", |p| {
            p.ready().run();
        })
        .then(|p| {
            p.rewrite_below("outsider", "sre", "(edited)");
        })
        .warning("approval-edited", Mark("sre")),
        kind("an approval is removed before the first audit", |p| {
            p.ready().run().remove("sre1", "sre");
        })
        .error("approval-removed", Mark("sre")),
        kind("an approver removes the approval", |p| {
            p.ready().run();
        })
        .then(|p| {
            p.remove("sre1", "sre");
        })
        .error("approval-removed", Mark("sre")),
        kind("an administrator removes an approval", |p| {
            p.ready().run();
        })
        .then(|p| {
            p.remove("admin", "sre");
        })
        .error("approval-removed", Mark("sre"))
        .error("history-rewritten", Mark("sre")),
        kind("an approval is removed and given again", |p| {
            p.ready().run();
        })
        .then(|p| {
            p.remove("sre1", "sre").say("sre1", "again", "Emergency-Approve: sre");
        })
        .error("approval-removed", Mark("sre")),
        kind("an approval is removed that the deployer's own record names", |p| {
            p.ready().record_as("deployer1", "deployer1", "config.toml", &["--outcome", "succeeded"]);
        })
        .then(|p| {
            p.remove("sre1", "sre");
        })
        .error("approval-removed", Mark("sre")),
        kind("an outsider who approved is made a member", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("joiner", "yes", "Emergency-Approve: sre").recorded();
        })
        .with("joiner", &[])
        .error(OUTSIDE, Mark("yes"))
        .then(|p| {
            p.join("joiner", "sre");
        })
        .also(&[MISSING]),
        kind("an outsider who approved and recorded it as allowed is made a member", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("joiner", "yes", "Emergency-Approve: sre");
            let approvals = json!([p.approval("releng", "releng1", "releng"), p.approval("sre", "joiner", "yes")]);
            p.forge("deployer1", "record", "deployer1", json!({"outcome": "succeeded", "approvals": approvals}));
        })
        .with("joiner", &[])
        .error(OUTSIDE, Mark("yes"))
        .then(|p| {
            p.join("joiner", "sre");
        })
        .also(&[MISSING]),
        kind("who withdrew before the deploy leaves the team", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("leaver", "yes", "Emergency-Approve: sre").say("leaver", "no", "Emergency-Withdraw: sre").recorded();
        })
        .with("leaver", &["sre"])
        .error(MISSING, FIRST)
        .then(|p| {
            p.leave("leaver", "sre");
        })
        .also(&[OUTSIDE]),
    ]
}
