//! Other deploys of the task: whose start stops one, who may end it, and what it costs to forge one.

use super::*;
use crate::evidence::testing::{at, person, record};
use crate::ids::{DeployId, TransactionId};
use crate::local_deploy::{LocalDeploy, LocalProgress};
use crate::record::{Event, Outcome as Ended, Record};

use Outcome::{Fail, Pass, Warn};

fn in_flight(history: &History) -> Outcome {
    outcome(history, "in-flight")
}

fn start(deploy: DeployId, deployer: &str) -> Record {
    record(deploy, Event::Started, deployer)
}

/// What a member of a team says of the deploy of somebody else.
fn end_by_member(deploy: DeployId) -> Record {
    let ended = record(deploy, Event::Finished, "nobody");
    Record { deployer: None, outcome: Some(Ended::Unknown), ..ended }
}

#[test]
fn a_start_by_a_recorder_stops_others() {
    let mut history = History::ready();
    history.record("phabgate", 20, &start(DeployId::fresh(), "outsider"));
    assert_eq!((in_flight(&history), decision(&history)), (Fail, "denied"));
}

#[test]
fn a_start_by_who_could_have_run_it_stops_others() {
    // Nobody is stated and the configuration names nobody: anybody could have, once it was allowed.
    for who in ["deployer2", "outsider"] {
        let mut history = History::ready();
        history.record(who, 20, &start(DeployId::fresh(), who));
        assert_eq!(in_flight(&history), Fail, "{who}");
        // It was not allowed yet.
        let mut history = History::emergency();
        history.record(who, 5, &start(DeployId::fresh(), who));
        history.comment("releng1", 10, "Emergency-Approve: releng");
        history.comment("sre1", 11, "Emergency-Approve: sre");
        assert_eq!((in_flight(&history), decision(&history)), (Warn, "allowed"), "{who}");
    }
    // Who approved could not.
    let mut history = History::ready();
    history.record("sre1", 20, &start(DeployId::fresh(), "sre1"));
    assert_eq!(in_flight(&history), Warn);
}

/// An approved emergency that this account reported, with the deployers that are listed and the one that is stated.
fn approved(reporter: &str, deployers: &[&str], stated: Option<&str>) -> History {
    let mut history = History::new(reporter);
    history.describe("admin", 1, "Emergency-Reason: availability - 5xx");
    if let Some(stated) = stated {
        history.comment(reporter, 1, &format!("Emergency-Deployer: {stated}"));
    }
    history.tag("admin", 2, "emergency");
    history.comment("releng1", 10, "Emergency-Approve: releng");
    history.comment("sre1", 11, "Emergency-Approve: sre");
    history.deployers = deployers.iter().map(|name| (*name).to_owned()).collect();
    history
}

#[test]
fn where_it_is_known_who_deploys_a_forged_start_stops_nobody() {
    let forged = |deployers: &[&str], stated: Option<&str>, author: &str| {
        let mut history = approved("admin", deployers, stated);
        history.record(author, 20, &start(DeployId::fresh(), author));
        in_flight(&history)
    };
    assert_eq!(forged(&[], None, "outsider"), Fail);
    assert_eq!(forged(&["deployer1", "deployer2"], None, "outsider"), Warn);
    assert_eq!(forged(&["deployer1", "Deployer2"], None, "deployer2"), Fail);
    assert_eq!(forged(&[], Some("deployer1"), "outsider"), Warn);
    assert_eq!(forged(&[], Some("deployer1"), "deployer1"), Fail);
    assert_eq!(forged(&["deployer2"], Some("deployer1"), "admin"), Warn, "the sources would have disagreed");
    assert_eq!(forged(&["deployer2"], None, "admin"), Fail, "the task's author");
}

#[test]
fn nothing_stops_by_the_end_that_somebody_writes_who_is_not_known_to_deploy_here() {
    let believed = |deployers: &[&str], stated: Option<&str>, author: &str| {
        let history = approved("outsider", deployers, stated);
        let count = |history: &History| crate::rules::believed_ends(&history.evidence(), &history.policy).count();
        let (mut alone, mut begun) = (history.clone(), history);
        alone.record(author, 20, &record(DeployId::fresh(), Event::Finished, author));
        // It helps nobody to say first that it starts.
        let deploy = DeployId::fresh();
        begun.record(author, 20, &start(deploy, author));
        begun.record(author, 30, &record(deploy, Event::Finished, author));
        assert_eq!(count(&alone), count(&begun));
        count(&alone) == 1
    };
    assert!(!believed(&["deployer1"], None, "outsider"), "the author of the task, where others deploy");
    assert!(!believed(&[], Some("deployer1"), "outsider"));
    assert!(believed(&[], None, "outsider"), "nobody is known to deploy, and the task is theirs");
    assert!(!believed(&[], None, "deployer2"), "nor is it known of this one");
    assert!(believed(&["deployer1"], None, "deployer1") && believed(&[], Some("deployer1"), "deployer1"));
    assert!(believed(&[], None, "releng2"), "one of a team, who did not approve");
    assert!(believed(&["deployer1"], None, "phabgate"), "a recorder");
}

#[test]
fn a_start_in_the_name_of_another_only_warns() {
    let mut history = History::ready();
    history.record("outsider", 20, &start(DeployId::fresh(), "deployer1"));
    let verdict = verdict(&history);
    let rule = verdict.rule("in-flight").unwrap();
    assert_eq!((rule.outcome, verdict.decision.word()), (Warn, "allowed"));
    assert!(rule.message.contains("outsider") && !rule.message.contains("deployer1"), "{}", rule.message);
}

#[test]
fn who_may_end_a_deploy() {
    let deploy = DeployId::fresh();
    let begun = |author: &str| {
        let mut history = History::ready();
        history.record(author, 20, &start(deploy, "deployer2"));
        history
    };
    let ended = |starter: &str, author: &str, record: &Record| {
        let mut history = begun(starter);
        history.record(author, 30, record);
        in_flight(&history)
    };
    let finished = |by: &str| record(deploy, Event::Finished, by);
    for starter in ["phabgate", "deployer2"] {
        assert_eq!(ended(starter, "phabgate", &finished("deployer2")), Pass);
        assert_eq!(ended(starter, "sre2", &end_by_member(deploy)), Pass);
        assert_eq!(ended(starter, "outsider", &end_by_member(deploy)), Fail);
        assert_eq!(ended(starter, "gone", &end_by_member(deploy)), Fail, "a member whose account is disabled");
        assert_eq!(ended(starter, "robot", &end_by_member(deploy)), Fail, "a bot");
        assert_eq!(ended(starter, "outsider", &finished("outsider")), Fail);
        assert_eq!(ended(starter, "sre2", &finished("sre2")), Fail, "a member cannot know that it succeeded");
    }
    assert_eq!(ended("deployer2", "deployer2", &finished("deployer2")), Pass);
    assert_eq!(ended("phabgate", "deployer2", &finished("deployer2")), Fail, "a recorder wrote that it started");
    // What a member says ends nothing but this: no record of the deploy comes of it.
    let mut history = begun("phabgate");
    history.record("sre2", 30, &end_by_member(deploy));
    assert_eq!(history.evidence().records(&history.policy, None).len(), 1);
}

#[test]
fn a_start_of_long_ago_warns() {
    let mut history = History::emergency();
    history.record("phabgate", 20, &start(DeployId::fresh(), "deployer2"));
    history.comment("releng1", 50_000, "Emergency-Approve: releng");
    history.comment("sre1", 50_001, "Emergency-Approve: sre");
    history.later(43_220);
    assert_eq!(in_flight(&history), Fail);
    history.later(50_010);
    assert_eq!((in_flight(&history), decision(&history)), (Warn, "allowed"));
}

#[test]
fn the_hint_is_one_that_the_reader_can_type() {
    let mut history = History::ready();
    history.record("deployer2", 20, &start(DeployId::fresh(), "deployer2"));
    let hint = |reader| {
        let evidence = history.as_read_by(reader, None);
        let verdict = evaluate(&evidence, &history.policy, &Intent::default(), None);
        verdict.rule("in-flight").unwrap().hint.clone().unwrap()
    };
    for may in ["phabgate", "deployer2", "sre2"] {
        assert!(hint(may).contains("if it is over, end it: `phabgate record T1 --deploy"), "{may}: {}", hint(may));
    }
    let outsider = hint("outsider");
    assert!(outsider.contains("have them or a member of Release Engineering, SRE or Security type"), "{outsider}");
}

#[test]
fn a_hundred_forged_starts_are_judged_each_once() {
    let mut history = History::ready();
    history.deployers = vec!["deployer1".into()];
    for second in 0..100 {
        history.record("outsider", 20 + second, &start(DeployId::fresh(), "outsider"));
        history.record("deployer1", 20 + second, &start(DeployId::fresh(), "outsider"));
    }
    assert_eq!((in_flight(&history), decision(&history)), (Warn, "allowed"));
}

/// The history with the record of a deploy by deployer1 that ended so.
fn after(author: &str, ended: Ended) -> History {
    let mut history = History::emergency();
    history.comment("deployer1", 3, "Emergency-Action: fix");
    history.comment("releng1", 10, "Emergency-Approve: releng");
    history.comment("sre1", 11, "Emergency-Approve: sre");
    let deploy = DeployId::fresh();
    history.record(author, 20, &start(deploy, "deployer1"));
    let finished = Record { outcome: Some(ended), ..record(deploy, Event::Finished, "deployer1") };
    history.record(author, 30, &finished);
    history
}

fn rolling_back(history: &History) -> Verdict {
    let intent = Intent { action: Some(Action::Rollback), ..Intent::default() };
    evaluate(&history.evidence(), &history.policy, &intent, None)
}

#[test]
fn a_rollback_of_what_failed_is_within_what_was_approved() {
    for author in ["phabgate", "deployer1"] {
        let verdict = rolling_back(&after(author, Ended::Failed));
        let rule = verdict.rule("action").unwrap();
        assert_eq!((rule.outcome, verdict.decision.word()), (Warn, "allowed"), "{:#?}", verdict.rules);
        assert!(rule.message.contains("deployer1 deployed it"), "{}", rule.message);
        for other in [Ended::Succeeded, Ended::Unknown, Ended::NotStarted] {
            assert_eq!(rolling_back(&after(author, other)).rule("action").unwrap().outcome, Fail, "{other:?}");
        }
    }
    let mut by_another = after("phabgate", Ended::Failed);
    by_another.candidates[0].0 = "deployer2".into();
    assert_eq!(rolling_back(&by_another).rule("action").unwrap().outcome, Fail);
    // Somebody says so who may not.
    assert_eq!(rolling_back(&after("outsider", Ended::Failed)).rule("action").unwrap().outcome, Fail);
    // Everything else is judged as ever.
    let mut withdrawn = after("phabgate", Ended::Failed);
    withdrawn.comment("sre1", 40, "Emergency-Withdraw: sre");
    assert_eq!(rolling_back(&withdrawn).decision.word(), "pending");
    let mut rejected = after("phabgate", Ended::Failed);
    rejected.comment("sre2", 40, "Emergency-Reject: sre");
    assert_eq!(rolling_back(&rejected).decision.word(), "denied");
    let mut old = after("phabgate", Ended::Failed);
    old.later(50_000);
    assert_eq!(rolling_back(&old).decision.word(), "pending");
}

#[test]
fn the_journal_of_this_machine_knows_of_a_failure_before_the_task_does() {
    let judged = |account: &str, outcome| {
        let mut history = History::emergency();
        history.comment("deployer1", 3, "Emergency-Action: fix");
        history.comment("releng1", 10, "Emergency-Approve: releng");
        history.comment("sre1", 11, "Emergency-Approve: sre");
        let mut evidence = history.evidence();
        evidence.local_deploys = Ok(vec![LocalDeploy {
            deploy: DeployId::fresh(),
            deployer: Some(account.to_owned()),
            account: Some(person(account)),
            login: None,
            token: None,
            begun: at(20),
            progress: LocalProgress::Ended { outcome: Some(outcome), at: at(30) },
        }]);
        let intent = Intent { action: Some(Action::Rollback), ..Intent::default() };
        evaluate(&evidence, &history.policy, &intent, None).rule("action").unwrap().outcome
    };
    assert_eq!(judged("deployer1", Ended::Failed), Warn);
    assert_eq!(judged("deployer2", Ended::Failed), Fail);
    assert_eq!(judged("deployer1", Ended::Succeeded), Fail);
}

#[test]
fn who_reads_learns_who_may_roll_back() {
    let history = after("phabgate", Ended::Failed);
    let intent = Intent { action: Some(Action::Rollback), ..Intent::default() };
    let judged = |deployer| {
        let evidence = history.as_read_by("sre2", deployer);
        evaluate(&evidence, &history.policy, &intent, None).rule("action").unwrap().clone()
    };
    let whoever = judged(None);
    assert_eq!(whoever.outcome, Fail);
    assert!(whoever.hint.as_ref().unwrap().contains("`--deployer deployer1`"), "{whoever:?}");
    assert_eq!(judged(Some("deployer1")).outcome, Warn);
}

#[test]
fn an_action_that_needs_fewer_teams_counts_where_the_task_states_it() {
    let one_team = |stated: bool| {
        let mut history = History::emergency();
        history.policy.actions = vec![ActionPolicy { action: Action::Rollback, teams: vec!["sre".into()] }];
        if stated {
            history.comment("deployer1", 3, "Emergency-Action: rollback");
        }
        history.comment("sre1", 11, "Emergency-Approve: sre");
        history
    };
    assert_eq!(rolling_back(&one_team(false)).decision.word(), "pending", "nobody approved a rollback");
    assert_eq!(rolling_back(&one_team(true)).decision.word(), "allowed");
    assert_eq!(decision(&one_team(true)), "allowed");
    // What needs more teams needs them whoever says it.
    let mut more = History::ready();
    more.policy.actions =
        vec![ActionPolicy { action: Action::Rollback, teams: ["sre", "security"].map(str::to_owned).into() }];
    let verdict = rolling_back(&more);
    assert_eq!(verdict.decision.word(), "pending");
    assert_eq!(verdict.teams.iter().map(|team| team.team.as_str()).collect::<Vec<_>>(), ["releng", "sre", "security"]);
    // So does the rollback of what failed.
    let mut failed = after("phabgate", Ended::Failed);
    failed.policy.actions = vec![ActionPolicy { action: Action::Rollback, teams: vec!["security".into()] }];
    assert_eq!(rolling_back(&failed).failed(), ["team:security"]);
}

#[test]
fn a_repeat_is_shown_with_whose_it_was_and_how_it_ended() {
    let approvals = |history: &History| {
        let approval = verdict(history).approvals[0].clone();
        vec![crate::record::RecordedApproval {
            team: approval.team,
            user: approval.user,
            phid: Some(person("releng1")),
            project: None,
            kind: approval.kind,
            transaction: approval.transaction,
            time: approval.time,
            evidence: None,
        }]
    };
    let mut history = History::ready();
    let deploy = DeployId::fresh();
    let approved = approvals(&history);
    history.record("phabgate", 20, &Record { approvals: approved.clone(), ..start(deploy, "deployer2") });
    let repeat = |history: &History| verdict(history).rule("repeat").unwrap().clone();
    assert_eq!(repeat(&history).outcome, Pass, "it still runs");
    let mut stopped = history.clone();
    let not_started = Record {
        outcome: Some(Ended::NotStarted),
        approvals: approved.clone(),
        ..record(deploy, Event::Finished, "deployer2")
    };
    stopped.record("phabgate", 30, &not_started);
    assert_eq!(repeat(&stopped).outcome, Pass, "its command never ran");
    let failed = Record { outcome: Some(Ended::Failed), approvals: approved, ..not_started };
    history.record("phabgate", 30, &failed);
    let found = repeat(&history);
    assert_eq!(found.outcome, Warn);
    assert!(found.message.contains("the deploy of deployer2") && found.message.ends_with("which failed"), "{found:?}");
    let another =
        Record { deploy: DeployId::fresh(), event: Event::Recorded, outcome: Some(Ended::Succeeded), ..failed };
    history.record("phabgate", 40, &another);
    let found = repeat(&history);
    assert!(found.message.ends_with("which succeeded, and one before it"), "{found:?}");
}

#[test]
fn what_is_locked_is_denied_now_and_says_nothing_of_the_past() {
    let mut history = History::ready();
    let judged = |history: &History| outcome(history, "can-record");
    for (interact, found) in [
        (Some("users"), Pass),
        (Some("public"), Pass),
        (None, Pass),
        (Some("PHID-PLCY-1"), Warn),
        (Some("admin"), Warn),
        (Some("no-one"), Fail),
    ] {
        history.task.interact = interact.map(str::to_owned);
        assert_eq!(judged(&history), found, "{interact:?}");
    }
    assert_eq!(decision(&history), "denied");
    let as_of = history.as_of(TransactionId(5));
    let then = evaluate(&history.evidence(), &history.policy, &Intent::default(), Some(as_of));
    assert_eq!(then.decision.word(), "allowed");
}

#[test]
fn a_team_of_many_is_counted_whole_and_any_need_is_judged() {
    let mut history = History::emergency();
    history.members.insert("sre", vec!["sre1", "sre2", "both"]);
    let evidence = |history: &History| {
        let mut evidence = history.evidence();
        let teams = std::sync::Arc::make_mut(&mut evidence.teams);
        teams.get_mut("sre").unwrap().members.extend((0..130).map(|number| person(&format!("m{number}"))));
        evidence
    };
    let judged = evaluate(&evidence(&history), &history.policy, &Intent::default(), None);
    let hint = judged.rule("team:sre").unwrap().hint.clone().unwrap();
    assert!(hint.starts_with("ask both, sre1, sre2 or another of the 133 members of SRE to write"), "{hint}");
    history.policy.teams[1].need = u32::MAX;
    history.comment("sre1", 10, "Emergency-Approve: sre");
    let judged = evaluate(&evidence(&history), &history.policy, &Intent::default(), None);
    assert_eq!((judged.decision.word(), judged.teams[1].by.clone()), ("denied", vec!["sre1".to_owned()]));
}
