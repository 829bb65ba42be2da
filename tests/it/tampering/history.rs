//! Kinds: history that somebody rewrote in the database of the server, and tasks that nobody can see any more.
//!
//! What was changed in comments the next audit finds, since it reads all of them again. What was changed elsewhere and leaves the
//! task's own date alone is found by an audit that reads all histories again.

use serde_json::json;

use super::UNSEEN;
use super::kinds::{FIRST, Kind, Link, Link::Mark, kind};
use super::plan::{Plan, ago};

const REWRITTEN: &str = "history-rewritten";
const MISSING: &str = "approval-missing";

pub(super) fn kinds() -> Vec<Kind> {
    let mut kinds = comments();
    kinds.extend(elsewhere());
    kinds.extend(unseen());
    kinds
}

fn comments() -> Vec<Kind> {
    let rejected = |p: &mut Plan<'_>| {
        p.ready().say("sre2", "no", "Emergency-Reject: sre").recorded();
    };
    let no = Link::Either("no", 0);
    vec![
        kind("the text of a no is rewritten", rejected)
            .error("rule-failed", no)
            .then(|p| {
                p.comment_text("no", "Go ahead.");
            })
            .error(REWRITTEN, Mark("no")),
        kind("the author of a no is rewritten", rejected)
            .error("rule-failed", no)
            .then(|p| {
                let change = format!("authorPHID = '{}'", p.person("outsider").phid);
                p.row("no", &change).comment_row("no", &change);
            })
            .error(REWRITTEN, Mark("no")),
        kind("a no is deleted", rejected)
            .error("rule-failed", no)
            .then(|p| {
                p.delete_row("no");
            })
            .error(REWRITTEN, Mark("no")),
        kind("a no is moved to after the record", |p| {
            p.ready().say("sre2", "no", "Emergency-Reject: sre").record(&["--outcome", "succeeded"]).age(120);
        })
        .error("rule-failed", no)
        .then(|p| {
            let later = "dateCreated = dateCreated + 3600, dateModified = dateModified + 3600";
            p.row("no", later).comment_row("no", later);
        })
        .error(REWRITTEN, Mark("no")),
        kind("a no is turned into a comment of another task", rejected)
            .error("rule-failed", no)
            .then(|p| {
                p.row("no", "objectPHID = 'PHID-TASK-aaaaaaaaaaaaaaaaaaaa'");
            })
            .error(REWRITTEN, Mark("no")),
        kind("a no changes places with another comment", |p| {
            p.ready().say("sre2", "no", "Emergency-Reject: sre").recorded();
            p.say("outsider", "after", "What happened?");
        })
        .error("rule-failed", no)
        .then(|p| {
            let (no, after) = (p.look_up("no")[0], p.look_up("after")[0]);
            let moved = [(no, 0), (after, no), (0, after)].map(|(from, to)| {
                format!("update phabricator_maniphest.maniphest_transaction set id = {to} where id = {from}")
            });
            p.world.server.sql(&moved.join("; "));
        })
        .error(REWRITTEN, Link::Anywhere),
        kind("an approval is deleted", |p| {
            p.ready().run();
        })
        .then(|p| {
            p.delete_row("sre");
        })
        .error(REWRITTEN, Mark("sre"))
        .also(&[MISSING]),
        kind("the text of an approval is rewritten", |p| {
            p.ready().run();
        })
        .then(|p| {
            p.comment_text("sre", "Looking.");
        })
        .error(REWRITTEN, Mark("sre"))
        .also(&[MISSING]),
        kind("an approval is marked as removed", |p| {
            p.ready().run();
        })
        .then(|p| {
            p.comment_row("sre", "isDeleted = 1");
        })
        .found(&[REWRITTEN, "approval-removed"], Mark("sre"))
        .also(&[MISSING]),
        kind("a comment is turned into an approval", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("sre1", "sre", "Looking.").recorded();
        })
        .error(MISSING, FIRST)
        .then(|p| {
            p.comment_text("sre", "Emergency-Approve: sre");
        })
        .error(REWRITTEN, Mark("sre")),
        kind("the approval of an outsider is given to a member", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
            p.say("outsider", "sre", "Emergency-Approve: sre").recorded();
        })
        .error("approver-not-member", Mark("sre"))
        .also(&[MISSING])
        .then(|p| {
            let change = format!("authorPHID = '{}'", p.person("sre1").phid);
            p.row("sre", &change).comment_row("sre", &change);
        })
        .error(REWRITTEN, Mark("sre")),
        kind("a late approval is dated to before the start", |p| {
            p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng").age(120);
            p.say("sre1", "sre", "Emergency-Approve: sre").recorded_at(&ago(60));
        })
        .error("approval-late", Mark("sre"))
        .then(|p| {
            let earlier = "dateCreated = dateCreated - 6000, dateModified = dateModified - 6000";
            p.row("sre", earlier).comment_row("sre", earlier);
        })
        .error(REWRITTEN, Mark("sre")),
        kind("the old version of an edited approval is rewritten", |p| {
            p.ready().run();
        })
        .then(|p| {
            p.rewrite("sre1", "sre", "I was wrong.");
        })
        .warning("approval-edited", Mark("sre"))
        .then(|p| {
            let phid = p.marked("sre");
            p.world.server.sql(&format!(
                "update phabricator_maniphest.maniphest_transaction_comment set content = 'I was wrong.' \
                 where transactionPHID = '{phid}' and commentVersion = 1"
            ));
        })
        .error(REWRITTEN, Mark("sre"))
        .also(&[MISSING]),
        kind("the outcome of a record is rewritten", |p| {
            p.ready().run_of("deployer1", &["--", "false"], 1).mark_record("record", 1);
        })
        .then(|p| {
            let text = p.text_of(1).replace("failed", "succeeded");
            p.comment_text("record", &text);
        })
        .error(REWRITTEN, Mark("record")),
        kind("the approvals of a record are rewritten", |p| {
            p.emergency("availability").recorded().mark_record("record", 0);
        })
        .error(MISSING, FIRST)
        .then(|p| {
            let text = p.text_of(0).replace("pending", "allowed");
            p.comment_text("record", &text);
        })
        .error(REWRITTEN, Mark("record")),
        kind("a record is deleted", |p| {
            p.ready().recorded().mark_record("record", 0);
        })
        .then(|p| {
            p.delete_row("record");
        })
        .error(REWRITTEN, Mark("record")),
        kind("the records of a bad deploy are deleted", |p| {
            p.emergency("availability").recorded().mark_record("record", 0);
        })
        .error(MISSING, FIRST)
        .then(|p| {
            p.delete_row("record");
        })
        .error(REWRITTEN, Mark("record")),
        kind("the author of a forged record is rewritten to a recorder", |p| {
            p.emergency("availability").forge("outsider", "record", "deployer1", json!({"outcome": "succeeded"}));
        })
        .error("record-forged", Mark("record"))
        .then(|p| {
            let change = format!("authorPHID = '{}'", p.person("bot").phid);
            p.row("record", &change).comment_row("record", &change);
        })
        .error(REWRITTEN, Mark("record"))
        .also(&[MISSING]),
    ]
}

fn elsewhere() -> Vec<Kind> {
    const EARLIER: &str = "dateCreated = dateCreated - 7200, dateModified = dateModified - 7200";
    vec![
        kind("the time of a late tag is rewritten", |p| {
            p.open("deployer1", "Emergency-Reason: availability - 5xx", &[]).approved().recorded();
            p.tag("deployer1", "tag", "projects.add", "tag");
        })
        .error("tag-late", Mark("tag"))
        .also(&[MISSING])
        .then(|p| {
            p.row("tag", EARLIER);
        })
        .thorough(REWRITTEN, Mark("tag")),
        kind("a description is rewritten to another reason", |p| {
            p.ready().describe("deployer1", "reason", "Emergency-Reason: abuse - a scraper").recorded();
        })
        .error(MISSING, FIRST)
        .then(|p| {
            p.row("reason", "newValue = '\"Emergency-Reason: availability - 5xx\"'");
        })
        .thorough(REWRITTEN, Mark("reason"))
        .unjudged(),
        kind("the old text of a description is rewritten", |p| {
            p.ready().describe("deployer1", "reason", "Emergency-Reason: abuse - a scraper").recorded();
        })
        .error(MISSING, FIRST)
        .then(|p| {
            p.row("reason", "oldValue = '\"Emergency-Reason: abuse - a scraper\"'");
        })
        .thorough(REWRITTEN, Mark("reason"))
        .also(&["undecided"]),
        kind("the change of a description is deleted", |p| {
            p.ready().describe("deployer1", "reason", "Emergency-Reason: abuse - a scraper").recorded();
        })
        .error(MISSING, FIRST)
        .then(|p| {
            p.delete_row("reason");
        })
        .thorough(REWRITTEN, Mark("reason"))
        .unjudged(),
        kind("the removal of the tag is deleted", |p| {
            p.ready().run().tag("deployer1", "untag", "projects.remove", "tag");
        })
        .warning("tag-removed", Mark("untag"))
        .then(|p| {
            p.delete_row("untag");
        })
        .thorough(REWRITTEN, Mark("untag"))
        .unjudged(),
        kind("the author of a change of the reason is rewritten", |p| {
            p.ready().describe("outsider", "reason", "Emergency-Reason: abuse - a scraper").recorded();
        })
        .error(MISSING, FIRST)
        .then(|p| {
            let change = format!("authorPHID = '{}'", p.person("deployer1").phid);
            p.row("reason", &change);
        })
        .thorough(REWRITTEN, Mark("reason")),
        kind("the closing of the task is deleted", |p| {
            p.ready().edit("deployer1", "closed", &[("status", json!("resolved"))]);
        })
        .error("record-missing", Mark("closed"))
        .then(|p| {
            p.delete_row("closed");
        })
        .thorough(REWRITTEN, Mark("closed"))
        .also(&["undecided"]),
        kind("a no is taken out of the old text of a description", |p| {
            p.ready();
            p.describe("sre2", "no", "Emergency-Reason: availability - 5xx\n\nEmergency-Reject: sre - stop").recorded();
        })
        .error("rule-failed", Link::Either("no", 0))
        .then(|p| {
            p.row("no", "newValue = '\"Emergency-Reason: availability - 5xx\"'");
        })
        .thorough(REWRITTEN, Mark("no"))
        .unjudged(),
        kind("a text is rewritten in the database and the task is touched", |p| {
            p.ready().describe("deployer1", "reason", "Emergency-Reason: abuse - a scraper").recorded();
        })
        .error(MISSING, FIRST)
        .then(|p| {
            p.row("reason", "oldValue = '\"x\"'").say("outsider", "touch", "Any news?");
        })
        .error(REWRITTEN, Mark("reason"))
        .also(&["undecided"]),
    ]
}

fn unseen() -> Vec<Kind> {
    vec![
        kind("the task of a bad deploy is hidden", |p| {
            p.emergency("availability").recorded();
        })
        .error(MISSING, FIRST)
        .then(|p| {
            p.hide();
        })
        .found(UNSEEN, Link::Anywhere),
        kind("the task of a clean deploy is hidden", |p| {
            p.ready().run();
        })
        .then(|p| {
            p.hide();
        })
        .found(UNSEEN, Link::Anywhere),
        kind("the task of a bad deploy is destroyed", |p| {
            p.emergency("availability").recorded();
        })
        .error(MISSING, FIRST)
        .then(|p| {
            p.destroy();
        })
        .found(UNSEEN, Link::Anywhere),
        kind("an emergency without any record is hidden", |p| {
            p.ready();
        })
        .then(|p| {
            p.hide();
        })
        .found(UNSEEN, Link::Anywhere),
        kind("a bad deploy is hidden and shown again", |p| {
            p.emergency("availability").recorded();
        })
        .error(MISSING, FIRST)
        .then(|p| {
            p.hide();
        })
        .found(UNSEEN, Link::Anywhere)
        .then(|p| {
            p.show();
        }),
    ]
}
