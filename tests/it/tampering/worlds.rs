//! Kinds that change a whole world: whose project a hashtag is, what the policy says, who is a recorder.

use serde_json::json;

use super::kinds::{FIRST, Kind, Link, Link::Mark, kind};
use super::plan::ago;
use super::world::World;
use super::{AUDITS, MOVED, Turn, VANISHED};

/// A world, the kinds in it and what changes before each audit.
pub(super) struct Changed {
    pub(super) policy: &'static str,
    pub(super) kinds: Vec<Kind>,
    pub(super) turns: [Turn; AUDITS],
}

const SAME: &str = "config.toml";

fn turns(config: &'static str, second: fn(&World<'_>)) -> [Turn; AUDITS] {
    let turn = |config, before| Turn { config, before };
    let still: fn(&World<'_>) = |_| ();
    [turn(SAME, still), turn(config, second), turn(config, still), turn(config, still)]
}

/// Gives the hashtag of one project to another one.
fn move_hashtag(world: &World<'_>, from: &str, to: Option<&str>) {
    let slug = world.slug(from);
    world.server.project(Some(world.project(from)), &[("name", json!(format!("Old {slug}"))), ("slugs", json!([]))]);
    let name = ("name", json!(format!("New {slug}")));
    let with = [name, ("slugs", json!([slug]))];
    world.server.project(to.map(|to| world.project(to)), if to.is_some() { &with[1..] } else { &with });
}

fn bad(name: &str) -> Kind {
    kind(name, |p| {
        p.emergency("availability").recorded();
    })
    .error("approval-missing", FIRST)
}

pub(super) fn all() -> Vec<Changed> {
    vec![
        Changed {
            policy: "",
            kinds: vec![
                bad("the hashtag of the tag is moved: a bad deploy").then(|_| ()).found(MOVED, Link::Anywhere),
                kind("the hashtag of the tag is moved: an emergency without a record", |p| {
                    p.ready().edit("deployer1", "closed", &[("status", json!("resolved"))]);
                })
                .error("record-missing", Mark("closed"))
                .then(|_| ())
                .found(MOVED, Link::Anywhere),
            ],
            turns: turns(SAME, |world| move_hashtag(world, "tag", None)),
        },
        Changed {
            policy: "",
            kinds: vec![
                kind("the hashtag of a team is moved to a project with an outsider who approved", |p| {
                    p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
                    p.say("outsider2", "yes", "Emergency-Approve: sre").recorded();
                })
                .error("approver-not-member", Mark("yes"))
                .also(&["approval-missing"])
                .then(|_| ())
                .found(MOVED, Link::Anywhere),
            ],
            turns: turns(SAME, |world| move_hashtag(world, "sre", Some("elsewhere"))),
        },
        Changed {
            policy: "",
            kinds: vec![bad("the tag and a team are archived: a bad deploy")],
            turns: turns(SAME, |world| {
                for project in ["tag", "sre"] {
                    world.server.tool("archive-project.php", &[world.project(project)]);
                }
            }),
        },
        Changed {
            policy: "",
            kinds: vec![
                kind("an account that forged a record is made a recorder", |p| {
                    p.emergency("availability").forge(
                        "outsider",
                        "record",
                        "deployer1",
                        json!({"outcome": "succeeded"}),
                    );
                })
                .error("record-forged", Mark("record"))
                .then(|_| ())
                .found(&[VANISHED], Link::Anywhere)
                .also(&["approval-missing"]),
            ],
            turns: turns("wider.toml", |world| {
                world.write_policy("wider.toml", "", "sre", &["bot", "bot2", "outsider"]);
            }),
        },
        Changed {
            policy: "records = \"recorders\"",
            kinds: vec![
                kind("a record by the deployer's own token where recorders alone are believed", |p| {
                    p.ready().forge("deployer1", "record", "deployer1", json!({"outcome": "succeeded"}));
                })
                .error("record-forged", Mark("record")),
            ],
            turns: turns(SAME, |_| ()),
        },
        Changed {
            policy: "accept = [\"verified\", \"attested\"]",
            kinds: vec![
                kind("attested for somebody who had withdrawn", |p| {
                    p.ready().say("sre1", "no", "Emergency-Withdraw: sre");
                    let sre = format!("sre={}", p.name("sre1"));
                    p.record(&["--outcome", "succeeded", "--approved-by", &sre]);
                })
                .error("approval-missing", FIRST),
                kind("attested for somebody who had removed their approval", |p| {
                    p.ready().remove("sre1", "sre");
                    let sre = format!("sre={}", p.name("sre1"));
                    p.record(&["--outcome", "succeeded", "--approved-by", &sre]);
                })
                .error("approval-missing", FIRST)
                .also(&["approval-removed"]),
                kind("attested for an outsider", |p| {
                    p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
                    let sre = format!("sre={}", p.name("outsider"));
                    p.record(&["--outcome", "succeeded", "--approved-by", &sre]);
                })
                .error("approval-missing", FIRST),
                kind("attested for who deploys", |p| {
                    p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
                    let sre = format!("sre={}", p.name("sre2"));
                    p.record_as("bot", "sre2", SAME, &["--outcome", "succeeded", "--approved-by", &sre]);
                })
                .error("approval-missing", FIRST),
                kind("attested for somebody who had said no", |p| {
                    p.emergency("availability").say("releng1", "releng", "Emergency-Approve: releng");
                    p.say("sre1", "no", "Emergency-Reject: sre");
                    let sre = format!("sre={}", p.name("sre1"));
                    p.record(&["--outcome", "succeeded", "--approved-by", &sre]);
                })
                .error("rule-failed", Link::Either("no", 0))
                .also(&["approval-missing"]),
            ],
            turns: turns(SAME, |_| ()),
        },
        Changed {
            policy: "follow_up = \"1h\"",
            kinds: vec![
                kind("nobody followed up", |p| {
                    p.ready().age(240);
                    let times = [format!("--started={}", ago(180)), format!("--finished={}", ago(170))];
                    p.record(&["--outcome", "succeeded", &times[0], &times[1]]);
                })
                .warning("follow-up-overdue", FIRST),
                kind("the follow-up is taken away", |p| {
                    p.ready().age(240).say("deployer1", "followup", "Emergency-Followup: https://wiki.example.org/1");
                    let times = [format!("--started={}", ago(180)), format!("--finished={}", ago(170))];
                    p.record(&["--outcome", "succeeded", &times[0], &times[1]]);
                })
                .then(|p| {
                    p.rewrite("deployer1", "followup", "See the wiki.");
                })
                .warning("follow-up-overdue", FIRST),
            ],
            turns: turns(SAME, |_| ()),
        },
    ]
}
