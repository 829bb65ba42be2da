//! Kinds: records that are missing, that somebody wrote by hand, changed, copied or took away.

use serde_json::{Value, json};

use super::kinds::{FIRST, Kind, Link, Link::Mark, kind};
use super::plan::{Plan, ago};

const FORGED: &str = "record-forged";
const CONTRADICTED: &str = "record-contradicted";
const IMPOSSIBLE: &str = "times-impossible";
const MISSING: &str = "approval-missing";

pub(super) fn kinds() -> Vec<Kind> {
    let mut kinds = missing();
    kinds.extend(changed());
    kinds.extend(forged());
    kinds.extend(ends());
    kinds.extend(times());
    kinds
}

/// The approvals of a task that is ready, as records hold them.
fn approvals(p: &mut Plan<'_>) -> Value {
    json!([p.approval("releng", "releng1", "releng"), p.approval("sre", "sre1", "sre")])
}

/// A record by hand of a deploy that was approved.
fn forge(p: &mut Plan<'_>, who: &str, mark: &'static str, deployer: &str, mut changes: Value) {
    changes["approvals"] = approvals(p);
    p.forge(who, mark, deployer, changes);
}

fn missing() -> Vec<Kind> {
    vec![
        kind("resolved, and nobody recorded a deploy", |p| {
            p.ready().edit("deployer1", "closed", &[("status", json!("resolved"))]);
        })
        .error("record-missing", Mark("closed")),
        kind("made as resolved, and nobody recorded a deploy", |p| {
            let tag = json!([p.world.project("tag")]);
            let more = [("projects.add", tag), ("status", json!("resolved"))];
            p.open("deployer1", "Emergency-Reason: availability - 5xx", &more);
        })
        .error("record-missing", Mark("open")),
        kind("resolved after a run that never started", |p| {
            p.ready();
            let deploy = phabgate::ids::DeployId::fresh().to_string();
            forge(p, "bot", "started", "deployer1", json!({"event": "started", "deploy": deploy}));
            let never = json!({"event": "finished", "deploy": deploy, "outcome": "not-started"});
            p.forge("bot", "never", "deployer1", never).edit("deployer1", "closed", &[("status", json!("resolved"))]);
        })
        .error("record-missing", Mark("closed")),
        kind("resolved, and only an outsider recorded a deploy", |p| {
            p.ready();
            forge(p, "outsider", "record", "deployer1", json!({"outcome": "succeeded"}));
            p.edit("deployer1", "closed", &[("status", json!("resolved"))]);
        })
        .error("record-missing", Mark("closed"))
        .error(FORGED, Mark("record")),
        kind("started, and nobody recorded an end", |p| {
            p.ready();
            forge(p, "bot", "started", "deployer1", json!({"event": "started"}));
            p.age(120);
        })
        .warning("record-unfinished", FIRST),
        kind("started just now, and nobody recorded an end yet", |p| {
            p.ready();
            forge(p, "bot", "started", "deployer1", json!({"event": "started"}));
        })
        .notice("record-unfinished", FIRST),
    ]
}

fn changed() -> Vec<Kind> {
    let ran = |name: &str| {
        kind(name, |p| {
            p.ready().run().mark_record("started", 0).mark_record("finished", 1);
        })
    };
    let recorded = |name: &str| {
        kind(name, |p| {
            p.ready().recorded().mark_record("record", 0);
        })
    };
    vec![
        recorded("the recorder removes a record")
            .then(|p| {
                p.remove("bot", "record");
            })
            .error("record-removed", Mark("record")),
        recorded("an administrator removes a record")
            .then(|p| {
                p.remove("admin", "record");
            })
            .error("record-removed", Mark("record")),
        ran("both records of a run are removed")
            .then(|p| {
                p.remove("bot", "started").remove("bot", "finished");
            })
            .error("record-removed", Mark("started"))
            .error("record-removed", Mark("finished")),
        ran("the end of a run is removed")
            .then(|p| {
                p.remove("bot", "finished");
            })
            .error("record-removed", Mark("finished")),
        kind("the deployer removes the record of a deploy that nobody approved", |p| {
            p.emergency("availability").record_as("deployer1", "deployer1", "config.toml", &["--outcome", "succeeded"]);
            p.mark_record("record", 0);
        })
        .error(MISSING, FIRST)
        .then(|p| {
            p.remove("deployer1", "record");
        })
        .error("record-removed", Mark("record")),
        kind("a record was removed before the first audit", |p| {
            p.emergency("availability").recorded().mark_record("record", 0).remove("bot", "record");
        })
        .error("record-removed", Mark("record")),
        recorded("the recorder edits a record")
            .then(|p| {
                let text = p.text_of(0).replace("succeeded", "failed");
                p.rewrite("bot", "record", &text);
            })
            .error("record-edited", Mark("record")),
        recorded("somebody else edits a record")
            .then(|p| {
                let text = format!("{}\n\nAll was well.", p.text_of(0));
                p.rewrite_below("outsider", "record", &text);
            })
            .error("record-edited", Mark("record")),
        recorded("a record is edited out")
            .then(|p| {
                p.rewrite("bot", "record", "Nothing.");
            })
            .error("record-edited", Mark("record")),
        kind("a record was edited before the first audit", |p| {
            p.emergency("availability").recorded().mark_record("record", 0).rewrite("bot", "record", "Nothing.");
        })
        .error("record-edited", Mark("record"))
        .error(MISSING, FIRST),
        kind("a deployer edits a comment into a record", |p| {
            p.ready().say("deployer1", "record", "Done.");
            let text = p.by_hand("deployer1", json!({"outcome": "succeeded"}));
            p.rewrite("deployer1", "record", &text);
        })
        .error(FORGED, Mark("record")),
        kind("the recorder edits a comment into a record", |p| {
            p.ready().say("bot", "record", "Done.");
            let text = p.by_hand("deployer1", json!({"outcome": "succeeded"}));
            p.rewrite("bot", "record", &text);
        })
        .error(FORGED, Mark("record")),
        ran("a record is posted again")
            .then(|p| {
                let text = p.text_of(1);
                p.say("bot", "again", &text);
            })
            .notice("record-duplicate", Mark("again")),
        recorded("a second recorder posts the record again, and it differs")
            .then(|p| {
                let (deploy, approvals) = (p.deploy(), approvals(p));
                let changes =
                    json!({"deploy": deploy, "outcome": "succeeded", "approvals": approvals, "host": "other"});
                p.forge("bot2", "again", "deployer1", changes);
            })
            .warning("record-duplicate", Mark("again")),
        ran("an outsider copies a record")
            .then(|p| {
                let text = p.text_of(1);
                p.say("outsider", "copy", &text);
            })
            .error(FORGED, Mark("copy")),
    ]
}

fn forged() -> Vec<Kind> {
    let mut kinds: Vec<Kind> = [
        ("an outsider records somebody's deploy", "outsider"),
        ("a member of a team records somebody's deploy", "sre2"),
        ("another deployer records somebody's deploy", "deployer2"),
        ("a bot that is no recorder records somebody's deploy", "robot"),
    ]
    .into_iter()
    .map(|(name, who)| {
        kind(name, move |p| {
            p.ready();
            forge(p, who, "record", "deployer1", json!({"outcome": "succeeded"}));
        })
        .error(FORGED, Mark("record"))
    })
    .collect();
    kinds.extend([
        kind("a record of another task", |p| {
            p.ready();
            forge(p, "bot", "record", "deployer1", json!({"outcome": "succeeded", "task": "T1"}));
        })
        .error(FORGED, Mark("record")),
        kind("a record that cannot be read", |p| {
            p.ready().say("bot", "record", "```lang=json\n{\"schema\": \"phabgate/record/1\",\n\"event\": 7}\n```");
        })
        .error(FORGED, Mark("record")),
        kind("a comment with two records", |p| {
            p.ready();
            let text = format!("{}\n\n{}", p.by_hand("deployer1", json!({})), p.by_hand("deployer1", json!({})));
            p.say("bot", "record", &text);
        })
        .error(FORGED, Mark("record")),
        kind("a record of a schema that is not there yet", |p| {
            p.ready();
            let text = p.by_hand("deployer1", json!({"outcome": "succeeded"}));
            p.say("bot", "record", &text.replace("phabgate/record/1", "phabgate/record/2"));
        })
        .warning(FORGED, Mark("record")),
        kind("a record under the deployer's name and another's account", |p| {
            p.ready();
            let framed = json!({"user": p.name("deployer1"), "phid": p.person("outsider").phid, "source": "token"});
            forge(p, "deployer2", "record", "deployer1", json!({"outcome": "succeeded", "deployer": framed}));
        })
        .error(FORGED, Mark("record")),
        kind("a deployer speaks of the deploy of another as their own", |p| {
            p.ready().run();
            let deploy = p.deploy();
            forge(p, "deployer2", "record", "deployer2", json!({"deploy": deploy, "outcome": "failed"}));
        })
        .error(FORGED, Mark("record")),
        kind("a member dates the deploy of somebody to another year", |p| {
            p.ready().run();
            let deploy = p.deploy();
            let changes = json!({"deploy": deploy, "outcome": "succeeded", "started": "2020-01-01T00:00:00Z"});
            p.forge("sre2", "record", "deployer1", changes);
        })
        .error(FORGED, Mark("record")),
        kind("the start of a deploy is forged by an outsider", |p| {
            p.ready();
            forge(p, "outsider", "started", "deployer1", json!({"event": "started"}));
            p.run();
        })
        .error(FORGED, Mark("started")),
        kind("recorded under another policy", |p| {
            p.world.write_policy("older.toml", "max_age = \"6h\"", "sre", &["bot", "bot2"]);
            p.ready().record_as("bot", "deployer1", "older.toml", &["--outcome", "succeeded"]);
        })
        .notice("policy-differs", FIRST),
    ]);
    kinds
}

fn ends() -> Vec<Kind> {
    let never = |p: &mut Plan<'_>, who: &str| {
        let deploy = p.deploy();
        p.forge(who, "never", "deployer1", json!({"event": "finished", "deploy": deploy, "outcome": "not-started"}));
    };
    let failed = |p: &mut Plan<'_>, who: &str| {
        let deploy = p.deploy();
        forge(p, who, "end", "deployer1", json!({"event": "finished", "deploy": deploy, "outcome": "failed"}));
    };
    let started = |p: &mut Plan<'_>| {
        p.ready();
        forge(p, "bot", "started", "deployer1", json!({"event": "started"}));
    };
    vec![
        kind("the deployer says that it never started", move |p| {
            started(p);
            never(p, "deployer1");
        })
        .error(CONTRADICTED, Mark("never")),
        kind("the deployer says that a deploy that nobody approved never started", move |p| {
            p.emergency("availability").forge("bot", "started", "deployer1", json!({"event": "started"}));
            never(p, "deployer1");
        })
        .error(CONTRADICTED, Mark("never"))
        .error(MISSING, FIRST),
        kind("the deployer says that a deploy that ended never started", |p| {
            p.ready().run();
        })
        .then(move |p| never(p, "deployer1"))
        .error(CONTRADICTED, Mark("never")),
        kind("an outsider says that it never started", move |p| {
            started(p);
            never(p, "outsider");
        })
        .error(FORGED, Mark("never")),
        kind("an outsider says that a deploy that nobody approved never started", move |p| {
            p.emergency("availability").forge("bot", "started", "deployer1", json!({"event": "started"}));
            never(p, "outsider");
        })
        .error(FORGED, Mark("never"))
        .error(MISSING, FIRST),
        kind("the deployer says that a deploy that succeeded failed", |p| {
            p.ready().run();
        })
        .then(move |p| failed(p, "deployer1"))
        .error(CONTRADICTED, Mark("end")),
        kind("a second recorder says that a deploy that succeeded failed", |p| {
            p.ready().run();
        })
        .then(move |p| failed(p, "bot2"))
        .error(CONTRADICTED, Mark("end")),
        kind("an outsider says that a deploy that succeeded failed", |p| {
            p.ready().run();
        })
        .then(move |p| failed(p, "outsider"))
        .error(FORGED, Mark("end")),
        kind("the deployer's own record is contradicted by the deployer", |p| {
            p.ready();
            let deploy = phabgate::ids::DeployId::fresh().to_string();
            forge(p, "deployer1", "started", "deployer1", json!({"event": "started", "deploy": deploy}));
            let end = |outcome: &str| json!({"event": "finished", "deploy": deploy, "outcome": outcome});
            p.forge("deployer1", "first", "deployer1", end("failed"));
            p.forge("deployer1", "second", "deployer1", end("succeeded"));
        })
        .error(CONTRADICTED, Mark("second")),
        kind("a recorder contradicts what the deployer recorded", |p| {
            p.ready().record_as("deployer1", "deployer1", "config.toml", &["--outcome", "succeeded"]);
        })
        .then(move |p| failed(p, "bot"))
        .error(CONTRADICTED, Link::Either("end", 0)),
        kind("a member says that nobody knows how it ended", move |p| {
            started(p);
            let deploy = p.deploy();
            p.forge("sre2", "end", "deployer1", json!({"event": "finished", "deploy": deploy, "outcome": "unknown"}));
        })
        .notice("record-unfinished", FIRST)
        .also(&[FORGED]),
    ]
}

fn times() -> Vec<Kind> {
    let stated = |name: &str, changes: fn() -> Value| {
        kind(name, move |p| {
            p.ready().age(30);
            let mut changes = changes();
            changes["outcome"] = json!("succeeded");
            forge(p, "bot", "record", "deployer1", changes);
        })
    };
    vec![
        stated("a start in 2031", || json!({"started": "2031-01-01T00:00:00Z"})).error(IMPOSSIBLE, Mark("record")),
        stated("an end in 2031", || json!({"started": ago(10), "finished": "2031-01-01T00:00:00Z"}))
            .error(IMPOSSIBLE, Mark("record")),
        stated("an end before its start", || json!({"started": ago(5), "finished": ago(10)}))
            .error(IMPOSSIBLE, Mark("record")),
        stated("a start two minutes after its record", || json!({"started": ago(-2)}))
            .error(IMPOSSIBLE, Mark("record")),
        kind("a start in 2020 by the deployer", |p| {
            p.ready();
            let changes = json!({"outcome": "succeeded", "started": "2020-01-01T00:00:00Z"});
            forge(p, "deployer1", "record", "deployer1", changes);
        })
        .error("tag-late", Link::Anywhere)
        .warning("record-late", FIRST)
        .also(&[MISSING, "approval-late", "reason-missing"]),
        kind("a start before a no by the deployer's own record", |p| {
            p.ready().age(120).say("sre2", "no", "Emergency-Reject: sre");
            forge(p, "deployer1", "record", "deployer1", json!({"outcome": "succeeded", "started": ago(60)}));
        })
        .error("rule-failed", Link::Either("no", 0)),
        kind("recorded two hours late", |p| {
            p.ready().age(180);
            let (started, finished) = (format!("--started={}", ago(130)), format!("--finished={}", ago(125)));
            p.record(&["--outcome", "succeeded", &started, &finished]);
        })
        .warning("record-late", FIRST),
    ]
}
