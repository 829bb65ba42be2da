//! What holds of whole audits.

use proptest::prelude::*;

use super::testing::*;
use crate::evidence::testing::{History, at, person};
use crate::ids::DeployId;
use crate::record::{ApprovalKind, Event, Outcome, RecordedApproval};

#[test]
fn a_clean_deploy_has_no_findings() {
    let audit = audit(&clean());
    assert!(audit.findings.is_empty(), "{:?}", audit.findings);
    assert!(audit.tagged_now && !audit.restricted && !audit.drill);
    let [deploy] = &audit.deploys[..] else { panic!("one deploy") };
    assert_eq!(deploy.verdict.decision.word(), "allowed");
    assert_eq!((deploy.started, deploy.finished, deploy.recorded), (Some(at(100)), Some(at(199)), at(101)));
    assert_eq!((deploy.outcome, deploy.duplicates), (Some(Outcome::Succeeded), 0));
    assert_eq!(deploy.deployer.as_deref(), Some("deployer1"));
    assert_eq!(deploy.reason.as_deref(), Some("availability"));
    assert_eq!(deploy.cut.time, at(100));
    assert!(deploy.ran());
}

#[test]
fn a_deploy_that_its_own_deployer_recorded_is_clean_too() {
    let mut history = story(&["releng1", "sre1"]);
    deploy_by(&mut history, "deployer1", 101);
    assert!(names(&history).is_empty(), "{:?}", names(&history));
}

#[test]
fn a_task_without_deploys_has_none() {
    let audit = audit(&History::ready());
    assert!(audit.deploys.is_empty() && audit.findings.is_empty());
}

fn attested() -> RecordedApproval {
    RecordedApproval {
        team: "sre".into(),
        user: "sre1".into(),
        phid: Some(person("sre1")),
        project: None,
        kind: ApprovalKind::Attested,
        transaction: None,
        time: at(90),
        evidence: None,
    }
}

#[test]
fn what_is_attested_after_the_deploy_does_not_mend_it() {
    let mut history = story(&["releng1"]);
    history.policy.accept_attested = true;
    let id = DeployId::fresh();
    deploy_of(&mut history, id, "deployer1", "deployer1", 101);
    let mut later = sample(&history, id, Event::Recorded, "deployer1");
    later.approvals.push(attested());
    history.record("deployer1", 300, &later);
    assert_eq!(names(&history), ["approval-missing"]);
}

#[test]
fn who_closes_a_deploy_is_not_behind_it() {
    let mut history = story(&["releng1", "sre1"]);
    let id = DeployId::fresh();
    let started = sample(&history, id, Event::Started, "deployer1");
    history.record("phabgate", 101, &started);
    let mut closing = sample(&history, id, Event::Recorded, "sre1");
    closing.outcome = Some(Outcome::Unknown);
    history.record("sre1", 300, &closing);
    // That nobody knows how it ended lets another deploy start, and is no end of this one.
    assert_eq!(names(&history), ["record-unfinished"]);
}

#[test]
fn attested_approvals_come_from_the_record() {
    let mut history = story(&["releng1"]);
    history.policy.accept_attested = true;
    let mut record = sample(&history, DeployId::fresh(), Event::Recorded, "deployer1");
    record.outcome = Some(Outcome::Succeeded);
    record.approvals.push(attested());
    history.record("phabgate", 101, &record);
    assert!(names(&history).is_empty(), "{:?}", names(&history));
}

#[test]
fn the_record_cuts_where_it_states_no_start_or_a_later_one() {
    for started in [None, Some(at(500))] {
        let mut history = story(&["releng1", "sre1"]);
        let before = history.comment("outsider", 90, "Hello.");
        let mut record = sample(&history, DeployId::fresh(), Event::Recorded, "deployer1");
        record.started = started;
        history.record("phabgate", 101, &record);
        let cut = audit(&history).deploys[0].cut;
        assert_eq!((cut.through, cut.time), (before, at(101)));
    }
}

#[test]
fn a_start_before_the_task_was_made_allows_nothing() {
    let mut history = story(&["releng1", "sre1"]);
    let mut record = sample(&history, DeployId::fresh(), Event::Recorded, "deployer1");
    record.started = Some(at(-100));
    history.record("phabgate", 101, &record);
    assert_ne!(audit(&history).deploys[0].verdict.decision.word(), "allowed");
    assert!(names(&history).contains(&"approval-late"));
}

#[test]
fn a_stranger_cannot_turn_a_deploy_into_none() {
    let mut history = story(&[]);
    let id = DeployId::fresh();
    deploy_of(&mut history, id, "phabgate", "deployer1", 101);
    let mut never = sample(&history, id, Event::Recorded, "outsider");
    never.outcome = Some(Outcome::NotStarted);
    history.record("outsider", 300, &never);
    assert!(audit(&history).deploys[0].ran());
    assert!(names(&history).contains(&"approval-missing"));
}

#[test]
fn findings_tell_no_texts_of_a_restricted_task_and_nothing_that_steers_a_terminal() {
    let mut history = story(&["releng1"]);
    history.task.view = "PHID-PLCY-1".into();
    history.task.title = "secret".into();
    history.comment("deployer1", 20, "Emergency-Change: secret-change");
    history.comment("sre2", 21, "Emergency-Reject: sre - secret-why");
    history.comment("sre1", 22, "Emergency-Approve: sre, secret-team");
    let mut record = sample(&history, DeployId::fresh(), Event::Started, "deployer1");
    record.change = Some("secret-other".into());
    record.command = Some("secret-command".into());
    record.note = Some("secret-note".into());
    record.host = "\u{1b}[31m".into();
    record.policy = "\u{202e}".into();
    record.verdict = "\u{7}".into();
    history.record("phabgate", 101, &record);
    history.describe("deployer1", 300, "Emergency-Reason: secret-reason");
    let audit = audit(&history);
    assert!(audit.restricted && audit.findings.len() > 3, "{:?}", audit.findings);
    for finding in &audit.findings {
        assert!(!finding.message.contains("secret"), "{finding:?}");
        assert!(!finding.message.chars().any(crate::text::is_hidden), "{finding:?}");
    }
}

#[test]
fn a_drill_leaves_no_finding_out() {
    let mut history = story(&["releng1"]);
    history.comment("deployer1", 20, "Emergency-Drill: yes");
    let mut record = sample(&history, DeployId::fresh(), Event::Recorded, "deployer1");
    record.drill = true;
    history.record("phabgate", 101, &record);
    let audit = audit(&history);
    assert!(audit.deploys[0].drill && !audit.findings.is_empty());
}

#[derive(Debug, Clone)]
enum Later {
    Comment(&'static str, &'static str),
    Describe(&'static str),
    Untag,
    Tag,
    Status(&'static str),
    EditDescription,
}

fn later() -> impl Strategy<Value = Later> {
    let people = prop::sample::select(vec!["sre1", "sre2", "releng1", "deployer1", "outsider"]);
    let texts = prop::sample::select(vec![
        "Emergency-Approve: sre",
        "Emergency-Approve: releng",
        "Emergency-Withdraw: sre",
        "Emergency-Reject: sre - no",
        "Emergency-Reason: abuse - x",
        "Emergency-Deployer: sre1",
        "hello",
    ]);
    prop_oneof![
        6 => (people, texts).prop_map(|(who, text)| Later::Comment(who, text)),
        1 => Just(Later::Describe("Emergency-Reason: security - y")),
        1 => Just(Later::Untag),
        1 => Just(Later::Tag),
        1 => Just(Later::EditDescription),
        1 => prop::sample::select(vec!["resolved", "open", "invalid"]).prop_map(Later::Status),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_came_after_the_cut_never_changes_the_verdict(
        approvers in prop::sample::subsequence(vec!["releng1", "sre1"], 0..=2),
        events in prop::collection::vec(later(), 0..12),
    ) {
        let mut history = story(&approvers);
        deploy(&mut history);
        let before = audit(&history).deploys[0].verdict.clone();
        for (second, event) in (300..).zip(events) {
            match event {
                Later::Comment(who, text) => {
                    let id = history.comment(who, second, text);
                    history.edit(id, who, second + 100, "Never mind.");
                }
                Later::Describe(text) => { history.describe("deployer1", second, text); }
                Later::EditDescription => { history.describe("outsider", second, ""); }
                Later::Untag => { history.untag("outsider", second, "emergency"); }
                Later::Tag => { history.tag("outsider", second, "emergency-sub"); }
                Later::Status(status) => { history.status("outsider", second, status); }
            }
        }
        let after = audit(&history);
        prop_assert_eq!(&after.deploys[0].verdict, &before);
        let allowed = before.decision.word() == "allowed";
        let found = after.findings.iter().any(|it| it.name.starts_with("approval-m") || it.name == "approval-late");
        prop_assert_eq!(found, !allowed);
    }
}
