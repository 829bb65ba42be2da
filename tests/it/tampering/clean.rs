//! Deploys that kept to the policy, in the ways in which people come by one, and what they do on the task when it is over: no audit may
//! find an error in any.

use serde_json::json;

use super::plan::{Plan, ago, next_second};

/// What is done on the task of a clean deploy; how often it was done before comes with it.
type Step = fn(&mut Plan<'_>);

/// A way to a clean deploy.
pub(crate) struct DeployMode {
    pub(crate) name: &'static str,
    /// Accounts that each deploy of this way has for itself, and their teams.
    pub(crate) people: &'static [(&'static str, &'static [&'static str])],
    pub(crate) plant: Step,
    /// What happens after the first audit.
    pub(crate) after: Step,
}

const REASON: &str = "Emergency-Reason: availability - 5xx";

fn nothing(_: &mut Plan<'_>) {}

fn way(name: &'static str, plant: Step, after: Step) -> DeployMode {
    DeployMode { name, people: &[], plant, after }
}

fn run(p: &mut Plan<'_>) {
    p.ready().run();
}

fn recorded(p: &mut Plan<'_>) {
    p.ready().recorded();
}

/// Approved by two who are of this task alone, and deployed.
fn by_own_people(p: &mut Plan<'_>) {
    p.emergency("availability").say("engineer", "releng", "Emergency-Approve: releng");
    p.say("responder", "sre", "Emergency-Approve: sre").run_of("own", &["--", "true"], 0);
}

const OWN: &[(&str, &[&str])] = &[("engineer", &["releng"]), ("responder", &["sre"]), ("own", &[]), ("heir", &[])];

fn by_own(name: &'static str, after: Step) -> DeployMode {
    DeployMode { name, people: OWN, plant: by_own_people, after }
}

pub(crate) fn ways() -> Vec<DeployMode> {
    let mut ways = deployed();
    ways.extend(afterwards());
    ways
}

fn deployed() -> Vec<DeployMode> {
    vec![
        way("run, and nothing else", run, nothing),
        way("recorded, and nothing else", recorded, nothing),
        way(
            "recorded with its times",
            |p| {
                p.ready().age(60).record(&[
                    "--outcome",
                    "succeeded",
                    &format!("--started={}", ago(30)),
                    &format!("--finished={}", ago(20)),
                ]);
            },
            nothing,
        ),
        way(
            "recorded with the deployer's own token",
            |p| {
                p.ready().record_as("deployer1", "deployer1", "config.toml", &["--outcome", "succeeded"]);
            },
            nothing,
        ),
        way(
            "run with the deployer's own token",
            |p| {
                let task = format!("T{}", p.ready().task);
                let (code, _, said) = p.gate_with("deployer1", "config.toml", &["run", &task, "--", "true"]);
                assert_eq!(code, 0, "{said}");
            },
            nothing,
        ),
        way(
            "failed",
            |p| {
                p.ready().run_of("deployer1", &["--", "false"], 1);
            },
            nothing,
        ),
        way(
            "failed, then rolled back",
            |p| {
                p.ready().run_of("deployer1", &["--", "false"], 1);
                p.run_of("deployer1", &["--action", "rollback", "--", "true"], 0);
            },
            nothing,
        ),
        way(
            "two deploys on one task",
            |p| {
                p.ready().run().run();
            },
            nothing,
        ),
        way(
            "approved hours before",
            |p| {
                p.ready().age(11 * 60).run();
            },
            nothing,
        ),
        way(
            "tagged with a subproject",
            |p| {
                let tag = json!([p.world.project("subtag")]);
                p.open("deployer1", REASON, &[("projects.add", tag)]).approved().run();
            },
            nothing,
        ),
        way(
            "tagged with a milestone",
            |p| {
                let tag = json!([p.world.project("milestone")]);
                p.open("deployer1", REASON, &[("projects.add", tag)]).approved().run();
            },
            nothing,
        ),
        way(
            "one of two teams, and another",
            |p| {
                p.emergency("availability").say("both", "both", "Emergency-Approve: releng, sre");
                p.say("sre1", "sre", "Emergency-Approve: sre").run();
            },
            nothing,
        ),
        way(
            "approved and asked for by the gate",
            |p| {
                let task = format!("T{}", p.open("deployer1", "It is down.", &[]).task);
                let ask = ["request", &task, "--reason", "availability", "5xx", "--deployer", p.name("deployer1")];
                let (code, _, said) = p.gate_with("deployer1", "config.toml", &ask);
                assert_eq!(code, 0, "{said}");
                for (who, team) in [("releng1", "releng"), ("sre1", "sre")] {
                    let (code, _, said) = p.gate_with(who, "config.toml", &["approve", &task, "--team", team, "--yes"]);
                    assert_eq!(code, 0, "{said}");
                }
                p.run();
            },
            nothing,
        ),
        way(
            "a security issue that Security approved",
            |p| {
                p.emergency("security").approved().say("sec1", "sec", "Emergency-Approve: security").run();
            },
            nothing,
        ),
        way(
            "the reason in the field",
            |p| {
                let tag = json!([p.world.project("tag")]);
                p.open(
                    "deployer1",
                    "It is down.",
                    &[("projects.add", tag), ("custom.emergency.reason", json!("abuse"))],
                );
                p.approved().run();
            },
            nothing,
        ),
        way(
            "a drill",
            |p| {
                let tag = json!([p.world.project("tag")]);
                p.open("deployer1", &format!("{REASON}\nEmergency-Drill: yes"), &[("projects.add", tag)])
                    .approved()
                    .run();
            },
            nothing,
        ),
        way(
            "an approval that was withdrawn and given again",
            |p| {
                p.ready()
                    .say("sre1", "no", "Emergency-Withdraw: sre")
                    .say("sre1", "sre", "Emergency-Approve: sre")
                    .run();
            },
            nothing,
        ),
        way(
            "a no that was taken back before",
            |p| {
                p.ready().say("sre2", "no", "Emergency-Reject: sre").say("sre2", "yes", "Emergency-Approve: sre").run();
            },
            nothing,
        ),
        way(
            "an outsider said no",
            |p| {
                p.ready().say("outsider", "no", "Emergency-Reject: sre").run();
            },
            nothing,
        ),
        way(
            "an approval edited into a comment before",
            |p| {
                p.emergency("availability")
                    .say("releng1", "releng", "Emergency-Approve: releng")
                    .say("sre1", "sre", "Looking.");
                next_second();
                p.rewrite("sre1", "sre", "Emergency-Approve: sre");
                next_second();
                p.run();
            },
            nothing,
        ),
        way(
            "a member's comment was removed before",
            |p| {
                p.ready().say("sre2", "word", "Looking at the graphs.").remove("sre2", "word").run();
            },
            nothing,
        ),
        way(
            "stranded, and closed by the recorder",
            |p| {
                p.ready();
                let approvals = json!([p.approval("releng", "releng1", "releng"), p.approval("sre", "sre1", "sre")]);
                let deploy = phabgate::ids::DeployId::fresh().to_string();
                p.forge(
                    "bot",
                    "started",
                    "deployer1",
                    json!({"event": "started", "deploy": deploy, "approvals": approvals}),
                );
                p.record(&["--deploy", &deploy, "--outcome", "unknown", "--finished"]);
            },
            nothing,
        ),
    ]
}

fn afterwards() -> Vec<DeployMode> {
    vec![
        by_own("the approvers are renamed", |p| {
            p.rename("engineer", "x").rename("responder", "x");
        }),
        by_own("the deployer is renamed, and an approver takes the name", |p| {
            p.rename("own", "x").hand_name("own", "responder");
        }),
        by_own("the approvers leave their teams", |p| {
            p.leave("engineer", "releng").leave("responder", "sre");
        }),
        by_own("the approvers are disabled", |p| {
            p.disable("engineer").disable("responder");
        }),
        by_own("the deployer is disabled", |p| {
            p.disable("own");
        }),
        by_own("the deployer joins a team", |p| {
            p.join("own", "sre");
        }),
        DeployMode {
            name: "an unrelated comment of a member is removed",
            people: &[],
            plant: |p| {
                p.ready().say("sre2", "word", "Looking at the graphs.").run();
            },
            after: |p| {
                p.remove("sre2", "word");
            },
        },
        DeployMode {
            name: "an unrelated comment of an approver is removed by an administrator",
            people: &[],
            plant: |p| {
                p.ready().say("sre1", "word", "I watch the graphs.").run();
            },
            after: |p| {
                p.remove("admin", "word");
            },
        },
        DeployMode {
            name: "an unrelated comment of a member is removed before the first audit",
            people: &[],
            plant: |p| {
                p.ready().say("sre2", "word", "Looking at the graphs.").run().remove("sre2", "word");
            },
            after: nothing,
        },
        DeployMode {
            name: "unrelated comments of the deployer and an outsider are removed",
            people: &[],
            plant: |p| {
                p.ready().say("deployer1", "one", "Now.").say("outsider", "two", "What is it?").run();
            },
            after: |p| {
                p.remove("deployer1", "one").remove("admin", "two");
            },
        },
        DeployMode {
            name: "an unrelated comment of a member is edited",
            people: &[],
            plant: |p| {
                p.ready().say("sre2", "word", "Looking at the graphs.").run();
            },
            after: |p| {
                p.rewrite("sre2", "word", "Looked at the graphs; all is well.");
            },
        },
        way("a word is added to an approval", run, |p| {
            p.rewrite("sre1", "sre", "Emergency-Approve: sre\n\nGood luck.");
        }),
        way("the explanation is reworded", run, |p| {
            p.describe("deployer1", "reason", "Emergency-Reason: availability - every page view failed");
        }),
        way("the title is changed", run, |p| {
            p.edit("deployer1", "title", &[("title", json!("What broke"))]);
        }),
        way("the description is rewritten around the reason", run, |p| {
            p.describe("deployer2", "text", &format!("Summary of the incident.\n\n{REASON}\n\nIt is over."));
        }),
        way("the tag is removed", run, |p| {
            p.tag("deployer1", "untag", "projects.remove", "tag");
        }),
        way("it is resolved", run, |p| {
            p.edit("deployer1", "closed", &[("status", json!("resolved"))]);
        }),
        way("it is closed as a duplicate", run, |p| {
            p.edit("deployer1", "closed", &[("status", json!("duplicate"))]);
        }),
        way("a subtask is made", run, |p| {
            let parent = json!([p.marked_task()]);
            let mut other = Plan::new(p.world, p.number);
            other.open("deployer2", "See what broke.", &[("parents.set", parent)]);
        }),
        way("another task mentions it", run, |p| {
            let words = format!("Follows from T{}.", p.task);
            Plan::new(p.world, p.number).open("deployer2", &words, &[]);
        }),
        way("a follow-up is named", run, |p| {
            p.say("deployer1", "followup", "Emergency-Followup: https://wiki.example.org/incident");
        }),
        way("an approver says yes again", run, |p| {
            p.say("sre1", "again", "Emergency-Approve: sre");
        }),
        way("an approver withdraws when all is over", run, |p| {
            p.say("sre1", "no", "Emergency-Withdraw: sre");
        }),
        way("a member says no when all is over", recorded, |p| {
            p.say("sre2", "no", "Emergency-Reject: sre - next time");
        }),
        way("another field is changed", run, |p| {
            p.edit("deployer1", "field", &[("custom.release.version", json!("1.46.0-wmf.3"))]);
        }),
    ]
}
