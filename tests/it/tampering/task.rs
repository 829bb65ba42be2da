//! Kinds: the tag, the reason, the drill, and the other rules of the policy.

use serde_json::json;

use super::kinds::{FIRST, Kind, Link, Link::Mark, kind};
use super::plan::{Plan, ago};

const MISSING: &str = "approval-missing";
const REASON: &str = "Emergency-Reason: availability - 5xx";
const FIELD: &str = "custom.emergency.reason";

pub(super) fn kinds() -> Vec<Kind> {
    let mut kinds = tag();
    kinds.extend(reason());
    kinds.extend(drill());
    kinds.extend(rules());
    kinds
}

fn tag() -> Vec<Kind> {
    vec![
        kind("never tagged", |p| {
            p.open("deployer1", REASON, &[]).approved().recorded();
        })
        .error("tag-late", FIRST)
        .also(&[MISSING]),
        kind("tagged after the record", |p| {
            p.open("deployer1", REASON, &[]).approved().recorded().tag("deployer1", "tag", "projects.add", "tag");
        })
        .error("tag-late", Mark("tag"))
        .also(&[MISSING]),
        kind("tagged between the stated start and the record", |p| {
            p.open("deployer1", REASON, &[]).age(120).tag("deployer1", "tag", "projects.add", "tag");
            p.approved().recorded_at(&ago(60));
        })
        .error("tag-late", Mark("tag"))
        .also(&[MISSING, "approval-late"]),
        kind("tagged with a subproject after the record", |p| {
            p.open("deployer1", REASON, &[]).approved().recorded().tag("deployer1", "tag", "projects.add", "subtag");
        })
        .error("tag-late", Mark("tag"))
        .also(&[MISSING]),
        kind("tagged only after the first audit", |p| {
            p.open("deployer1", REASON, &[]).approved().recorded();
        })
        .error("tag-late", Link::Either("tag", 0))
        .then(|p| {
            p.tag("deployer1", "tag", "projects.add", "tag");
        })
        .also(&[MISSING]),
        kind("the tag was removed before the deploy", |p| {
            p.ready().tag("deployer2", "untag", "projects.remove", "tag").recorded();
        })
        .error("tag-late", Mark("untag"))
        .also(&[MISSING]),
        kind("the tag was removed between the stated start and the record", |p| {
            p.ready().age(120).tag("deployer2", "untag", "projects.remove", "tag").recorded_at(&ago(60));
        })
        .warning("tag-removed", Mark("untag")),
        kind("the tag is removed after the deploy", |p| {
            p.ready().run();
        })
        .then(|p| {
            p.tag("deployer1", "untag", "projects.remove", "tag");
        })
        .warning("tag-removed", Mark("untag")),
        kind("the tag is removed and comes back", |p| {
            p.ready().run();
        })
        .then(|p| {
            p.tag("deployer1", "untag", "projects.remove", "tag").tag("deployer1", "tag", "projects.add", "tag");
        })
        .warning("tag-removed", Mark("untag")),
        kind("the milestone that was the tag is removed", |p| {
            let milestone = json!([p.world.project("milestone")]);
            p.open("deployer1", REASON, &[("projects.add", milestone)]).approved().run();
        })
        .then(|p| {
            p.tag("deployer1", "untag", "projects.remove", "milestone");
        })
        .warning("tag-removed", Mark("untag")),
        kind("the tag of a task without any record is removed", |p| {
            p.ready();
        })
        .then(|p| {
            p.tag("deployer1", "untag", "projects.remove", "tag");
        })
        .notice("tag-removed", Mark("untag")),
        kind("the tag of a bad deploy is removed", |p| {
            p.emergency("availability").record_as("deployer1", "deployer1", "config.toml", &["--outcome", "succeeded"]);
        })
        .error(MISSING, FIRST)
        .then(|p| {
            p.tag("deployer1", "untag", "projects.remove", "tag");
        })
        .warning("tag-removed", Mark("untag")),
        kind("resolved without a record, and the tag is removed", |p| {
            p.ready().edit("deployer1", "closed", &[("status", json!("resolved"))]);
        })
        .error("record-missing", Mark("closed"))
        .then(|p| {
            p.tag("deployer1", "untag", "projects.remove", "tag");
        })
        .found(&["tag-removed"], Mark("untag")),
    ]
}

/// A task with this category in its field, approved.
fn in_field(p: &mut Plan<'_>, category: &str) {
    let tag = json!([p.world.project("tag")]);
    p.open("deployer1", "It is down.", &[("projects.add", tag), (FIELD, json!(category))]).approved();
}

fn reason() -> Vec<Kind> {
    let tagged = |p: &mut Plan<'_>, text: &str| {
        let tag = json!([p.world.project("tag")]);
        p.open("deployer1", text, &[("projects.add", tag)]);
    };
    vec![
        kind("no reason", move |p| {
            tagged(p, "It is down.");
            p.approved().recorded();
        })
        .error("reason-missing", FIRST)
        .also(&[MISSING]),
        kind("a reason that the policy does not list", move |p| {
            tagged(p, "Emergency-Reason: marketing - launch is today");
            p.approved().recorded();
        })
        .error("reason-missing", FIRST)
        .also(&[MISSING]),
        kind("the reason was taken out before the deploy", |p| {
            p.ready().describe("deployer2", "out", "It was down.").recorded();
        })
        .error("reason-missing", FIRST)
        .also(&[MISSING]),
        kind("the reason was written after the record", move |p| {
            tagged(p, "It is down.");
            p.approved().recorded().describe("deployer1", "reason", REASON);
        })
        .error("reason-missing", FIRST)
        .also(&[MISSING]),
        kind("the reason is written after the first audit", move |p| {
            tagged(p, "It is down.");
            p.approved().recorded();
        })
        .error("reason-missing", FIRST)
        .then(|p| {
            p.describe("deployer1", "reason", REASON);
        })
        .also(&[MISSING]),
        kind("the category is changed after the deploy", |p| {
            p.ready().run();
        })
        .then(|p| {
            p.describe("deployer1", "reason", "Emergency-Reason: abuse - a scraper");
        })
        .warning("reason-changed", Mark("reason")),
        kind("the category is changed to one that needs another team", |p| {
            p.ready().run();
        })
        .then(|p| {
            p.say("deployer1", "reason", "Emergency-Reason: security - a leak");
        })
        .warning("reason-changed", Mark("reason")),
        kind("the category was changed to one that needs another team before the deploy", |p| {
            p.ready().describe("deployer1", "reason", "Emergency-Reason: security - a leak").recorded();
        })
        .error(MISSING, FIRST),
        kind("the category was changed between the stated start and the record", |p| {
            p.ready().age(120).describe("deployer1", "reason", "Emergency-Reason: security - a leak");
            p.recorded_at(&ago(60));
        })
        .warning("reason-changed", Mark("reason")),
        kind("the reason is taken out after the deploy", |p| {
            p.ready().run();
        })
        .then(|p| {
            p.describe("deployer2", "reason", "It was down.");
        })
        .warning("reason-changed", Mark("reason")),
        kind("the comment with the reason is edited to another category", move |p| {
            tagged(p, "It is down.");
            p.say("deployer1", "reason", REASON).approved().run();
        })
        .then(|p| {
            p.rewrite("deployer1", "reason", "Emergency-Reason: abuse - a scraper");
        })
        .warning("reason-changed", Mark("reason")),
        kind("the comment with the reason is removed", move |p| {
            tagged(p, "It is down.");
            p.say("deployer1", "reason", REASON).approved().run();
        })
        .then(|p| {
            p.remove("deployer1", "reason");
        })
        .error("history-rewritten", Mark("reason")),
        kind("a record by hand names another reason", |p| {
            p.ready();
            let approvals = json!([p.approval("releng", "releng1", "releng"), p.approval("sre", "sre1", "sre")]);
            let changes = json!({"outcome": "succeeded", "approvals": approvals, "reason": {"category": "abuse"}});
            p.forge("bot", "record", "deployer1", changes);
        })
        .warning("reason-changed", FIRST),
        kind("the field is changed after the deploy", |p| {
            in_field(p, "abuse");
            p.run();
        })
        .then(|p| {
            p.edit("deployer1", "reason", &[(FIELD, json!("availability"))]);
        })
        .warning("reason-changed", Mark("reason")),
        kind("the field is emptied after the deploy", |p| {
            in_field(p, "abuse");
            p.run();
        })
        .then(|p| {
            p.edit("deployer1", "reason", &[(FIELD, json!(""))]);
        })
        .warning("reason-changed", Link::Anywhere),
        kind("the field was changed after the approvals", |p| {
            in_field(p, "abuse");
            p.edit("deployer1", "reason", &[(FIELD, json!("availability"))]).recorded();
        })
        .error(MISSING, FIRST),
        kind("the field is filled only after the deploy", move |p| {
            tagged(p, "It is down.");
            p.approved().recorded();
        })
        .error("reason-missing", FIRST)
        .then(|p| {
            p.edit("deployer1", "reason", &[(FIELD, json!("abuse"))]);
        })
        .also(&[MISSING]),
        kind("the field said security when it was deployed and does not any more", |p| {
            in_field(p, "security");
            p.recorded();
        })
        .error(MISSING, FIRST)
        .then(|p| {
            p.edit("deployer1", "reason", &[(FIELD, json!("abuse"))]);
        })
        .warning("reason-changed", Mark("reason")),
    ]
}

fn drill() -> Vec<Kind> {
    vec![
        kind("called a drill after the deploy", |p| {
            p.ready().run();
        })
        .then(|p| {
            p.describe("outsider", "drill", &format!("{REASON}\nEmergency-Drill: yes"));
        })
        .warning("drill-late", Mark("drill")),
        kind("called a drill by the deployer after the record", |p| {
            p.ready().recorded().say("deployer1", "drill", "Emergency-Drill: yes");
        })
        .warning("drill-late", Mark("drill")),
        kind("called a drill between the stated start and the record", |p| {
            p.ready().age(120).say("deployer1", "drill", "Emergency-Drill: yes").recorded_at(&ago(60));
        })
        .warning("drill-late", Link::Either("drill", 0)),
        kind("a drill by its record alone", |p| {
            p.ready();
            let approvals = json!([p.approval("releng", "releng1", "releng"), p.approval("sre", "sre1", "sre")]);
            p.forge(
                "bot",
                "record",
                "deployer1",
                json!({"outcome": "succeeded", "approvals": approvals, "drill": true}),
            );
        })
        .warning("drill-late", FIRST),
        kind("a drill by the deployer's own record alone, nobody approved", |p| {
            p.emergency("availability");
            p.forge("deployer1", "record", "deployer1", json!({"outcome": "succeeded", "drill": true}));
        })
        .warning("drill-late", FIRST)
        .error(MISSING, FIRST),
        kind("a drill that nobody approved", |p| {
            let tag = json!([p.world.project("tag")]);
            p.open("deployer1", &format!("{REASON}\nEmergency-Drill: yes"), &[("projects.add", tag)]).recorded();
        })
        .error(MISSING, FIRST),
    ]
}

fn rules() -> Vec<Kind> {
    vec![
        kind("the task was closed before", |p| {
            p.ready().edit("deployer1", "closed", &[("status", json!("resolved"))]).recorded();
        })
        .error("rule-failed", FIRST),
        kind("the task was declined before", |p| {
            p.ready().edit("deployer1", "closed", &[("status", json!("wontfix"))]).recorded();
        })
        .error("rule-failed", FIRST),
        kind("the task names another deployer", |p| {
            let line = format!("Emergency-Deployer: {}", p.name("deployer2"));
            p.emergency("availability").say("deployer1", "deployer", &line).approved().recorded();
        })
        .error("rule-failed", FIRST),
        kind("nobody knows who deployed", |p| {
            p.ready();
            let task = format!("T{}", p.task);
            let (code, _, said) =
                p.gate_with("bot", "config.toml", &["record", &task, "--yes", "--outcome", "succeeded"]);
            assert_eq!(code, 0, "{said}");
        })
        .error("rule-failed", FIRST),
        kind("another deploy was under way", |p| {
            p.ready();
            let approvals = json!([p.approval("releng", "releng1", "releng"), p.approval("sre", "sre1", "sre")]);
            p.forge("bot", "started", "deployer2", json!({"event": "started", "approvals": approvals}));
            p.recorded();
        })
        .error("rule-failed", Link::Record(1)),
        kind("a team that everybody may join since", |p| {
            p.emergency("data-loss").approved().say("open1", "open", "Emergency-Approve: open").run();
        })
        .then(|p| {
            p.world.server.project(Some(p.world.project("open")), &[("join", json!("users"))]);
        })
        .warning("team-open", FIRST),
        kind("a team with a subproject that everybody may join since", |p| {
            p.emergency("functionality").approved().say("wide1", "wide", "Emergency-Approve: wide").run();
        })
        .then(|p| {
            let (wide, name) = (p.world.project("wide"), format!("Open {}", p.world.mark));
            p.world.server.project(None, &[("name", json!(name)), ("parent", json!(wide)), ("join", json!("users"))]);
        })
        .warning("team-open", FIRST),
    ]
}
