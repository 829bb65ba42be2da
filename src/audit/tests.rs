//! What holds of whole audits.

use proptest::prelude::*;

use super::testing::*;
use crate::attribution::ApprovalKind;
use crate::evidence::testing::{History, at, person};
use crate::ids::DeployId;
use crate::record::{Event, Outcome, RecordedApproval};

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
    assert_eq!(deploy.as_of.time, at(100));
    assert!(deploy.ran());
}

#[test]
fn a_deploy_that_its_own_deployer_recorded_is_clean_too() {
    let mut history = task_state(&["releng1", "sre1"]);
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
    let mut history = task_state(&["releng1"]);
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
    for (names_itself, expected) in
        [(false, &["record-unfinished"][..]), (true, &["record-unfinished", "record-forged"])]
    {
        let mut history = task_state(&["releng1", "sre1"]);
        let id = DeployId::fresh();
        let started = sample(&history, id, Event::Started, "deployer1");
        history.record("phabgate", 101, &started);
        let mut closing = sample(&history, id, Event::Recorded, "sre1");
        closing.deployer = closing.deployer.filter(|_| names_itself);
        closing.outcome = Some(Outcome::Unknown);
        history.record("sre1", 300, &closing);
        // That nobody knows how it ended lets another deploy start, and is no end of this one. Who names themselves as the
        // deployer of somebody else's says what is not true.
        assert_eq!(names(&history), expected);
    }
}

#[test]
fn attested_approvals_come_from_the_record() {
    let mut history = task_state(&["releng1"]);
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
        let mut history = task_state(&["releng1", "sre1"]);
        let before = history.comment("outsider", 90, "Hello.");
        let mut record = sample(&history, DeployId::fresh(), Event::Recorded, "deployer1");
        record.started = started;
        history.record("phabgate", 101, &record);
        let as_of = audit(&history).deploys[0].as_of;
        assert_eq!((as_of.through, as_of.time), (before, at(101)));
    }
}

#[test]
fn a_start_before_the_task_was_made_allows_nothing() {
    let mut history = task_state(&["releng1", "sre1"]);
    let mut record = sample(&history, DeployId::fresh(), Event::Recorded, "deployer1");
    record.started = Some(at(-100));
    history.record("phabgate", 101, &record);
    assert_ne!(audit(&history).deploys[0].verdict.decision.word(), "allowed");
    assert!(names(&history).contains(&"approval-late"));
}

#[test]
fn a_stranger_cannot_turn_a_deploy_into_none() {
    let mut history = task_state(&[]);
    let id = DeployId::fresh();
    deploy_of(&mut history, id, "phabgate", "deployer1", 101);
    let mut never = sample(&history, id, Event::Recorded, "outsider");
    never.outcome = Some(Outcome::NotStarted);
    history.record("outsider", 300, &never);
    assert!(audit(&history).deploys[0].ran());
    assert!(names(&history).contains(&"approval-missing"));
}

#[test]
fn findings_show_no_texts_of_a_restricted_task_and_nothing_that_steers_a_terminal() {
    let mut history = task_state(&["releng1"]);
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
    let mut history = task_state(&["releng1"]);
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
        let mut history = task_state(&approvers);
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

/// What an outsider can write of deploys on somebody else's task: event, outcome, start, of the very deploy, whom it names
/// as deployer, and as a drill.
type Forgery = (Event, Option<Outcome>, Option<i64>, bool, &'static str, bool);

fn forgery() -> impl Strategy<Value = Forgery> {
    let events = prop::sample::select(vec![Event::Started, Event::Finished, Event::Recorded]);
    let outcomes = prop::option::of(prop::sample::select(vec![
        Outcome::Succeeded,
        Outcome::Failed,
        Outcome::RolledBack,
        Outcome::Unknown,
        Outcome::NotStarted,
    ]));
    let starts = prop::option::of(prop::sample::select(vec![-9_000_000, 0, 15, 100, 150, 9_000_000]));
    let names = prop::sample::select(vec!["outsider", "deployer1", "sre1"]);
    (events, outcomes, starts, any::<bool>(), names, any::<bool>())
}

/// What is found about these deploys and about the task, without what is found about records that are not believed.
fn about(history: &History, deploys: &[DeployId]) -> Vec<(&'static str, super::Severity, Option<DeployId>, String)> {
    let findings = audit(history).findings.into_iter();
    let of =
        findings.filter(|it| it.deploy.is_none_or(|deploy| deploys.contains(&deploy)) && it.name != "record-forged");
    let mut of: Vec<_> = of.map(|it| (it.name, it.severity, it.deploy, it.message)).collect();
    of.sort();
    of
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn a_record_by_an_outsider_removes_no_finding_and_adds_none_to_the_deploy_of_somebody_else(
        approvers in prop::sample::subsequence(vec!["releng1", "sre1"], 0..=2),
        by in prop::sample::select(vec!["phabgate", "deployer1"]),
        ended in any::<bool>(),
        before in prop::collection::vec(forgery(), 0..3),
        after in prop::collection::vec(forgery(), 0..4),
    ) {
        let id = DeployId::fresh();
        let forge = |history: &mut History, second: i64, forged: &[Forgery]| {
            for (second, (event, outcome, started, same, name, drill)) in (second..).zip(forged) {
                let mut record = sample(history, if *same { id } else { DeployId::fresh() }, *event, name);
                (record.outcome, record.started, record.drill) = (*outcome, started.map(at), *drill);
                history.record("outsider", second, &record);
            }
        };
        // Nobody knows the id of a deploy before its first record.
        let before: Vec<_> = before.into_iter().map(|it| (it.0, it.1, it.2, false, it.4, it.5)).collect();
        let task_state = |forged: bool| {
            let mut history = task_state(&approvers);
            if forged {
                forge(&mut history, 20, &before);
            }
            let started = sample(&history, id, Event::Started, "deployer1");
            history.record(by, 101, &started);
            if forged {
                forge(&mut history, 110, &after);
            }
            if ended {
                let finished = sample(&history, id, Event::Finished, "deployer1");
                history.record(by, 200, &finished);
            }
            if forged {
                forge(&mut history, 210, &after);
            }
            history
        };
        prop_assert_eq!(about(&task_state(true), &[id]), about(&task_state(false), &[id]));
    }

    #[test]
    fn the_removal_of_an_unrelated_comment_adds_no_error_to_a_clean_deploy(
        words in prop::collection::vec(
            (prop::sample::select(vec!["sre1", "sre2", "releng1", "deployer1", "outsider"]), 3..250_i64, any::<bool>()),
            1..4,
        ),
        by in prop::sample::select(vec!["phabgate", "deployer1"]),
    ) {
        let mut events: Vec<(i64, Option<&str>)> = words.iter().map(|(who, second, _)| (*second, Some(*who))).collect();
        events.extend([(10, None), (11, None), (101, None), (200, None)]);
        events.sort();
        let mut history = History::emergency();
        let (id, mut comments) = (DeployId::fresh(), Vec::new());
        for (second, event) in events {
            match (event, second) {
                (Some(who), _) => comments.push((who, history.comment(who, second, "The graphs look odd."))),
                (None, 10) => { history.comment("releng1", 10, "Emergency-Approve: releng"); }
                (None, 11) => { history.comment("sre1", 11, "Emergency-Approve: sre"); }
                (None, 101) => {
                    let record = sample(&history, id, Event::Started, "deployer1");
                    history.record(by, 101, &record);
                }
                (None, _) => {
                    let record = sample(&history, id, Event::Finished, "deployer1");
                    history.record(by, 200, &record);
                }
            }
        }
        prop_assert!(names(&history).is_empty(), "{:?}", names(&history));
        let seen = history.clone();
        for ((who, comment), (_, _, own)) in comments.into_iter().zip(&words) {
            history.remove(comment, if *own { who } else { "admin" }, 400);
        }
        let errors = |audit: super::TaskAudit| {
            let errors = audit.findings.into_iter().filter(|it| it.severity == super::Severity::Error);
            errors.map(|it| it.message).collect::<Vec<_>>()
        };
        prop_assert_eq!(errors(audit(&history)), Vec::<String>::new());
        // With the texts that an earlier audit kept nothing is left but that they were removed.
        let known = audit_knowing(&seen, &history);
        prop_assert!(known.findings.iter().all(|it| it.name == "history-rewritten"), "{:?}", known.findings);
        prop_assert!(known.findings.iter().all(|it| it.severity == super::Severity::Notice), "{:?}", known.findings);
    }

    #[test]
    fn a_no_before_the_first_record_is_hidden_by_no_start_that_is_stated(
        no in prop::sample::select(vec!["Emergency-Reject: sre - no", "**Emergency-Reject: sre**", "Emergency-Deny: releng"]),
        who in prop::sample::select(vec!["sre1", "sre2", "releng2"]),
        second in 12..190_i64,
        starts in prop::collection::vec(prop::option::of(-500..400_i64), 2),
        event in prop::sample::select(vec![Event::Started, Event::Finished, Event::Recorded]),
        author in prop::sample::select(vec!["deployer1", "phabgate"]),
    ) {
        // What the gate of a recorder measured while it ran is no start that somebody states.
        let event = if author == "phabgate" { Event::Recorded } else { event };
        let mut history = task_state(&["releng1", "sre1"]);
        history.comment(who, second, no);
        let id = DeployId::fresh();
        for (at_second, (author, event, started)) in
            [(190, (author, event, starts[0])), (200, ("phabgate", Event::Finished, starts[1]))]
        {
            let sample = sample(&history, id, event, "deployer1");
            let (started, version) = (started.map(at), "0.2.0".to_owned());
            history.record(author, at_second, &crate::record::Record { started, version, ..sample });
        }
        let found = names(&history);
        prop_assert!(found.contains(&"rule-failed"), "{found:?}");
    }
}

/// The audit of a history as it is now, by a mirror that had seen it before.
fn audit_knowing(seen: &History, now: &History) -> super::TaskAudit {
    use super::mirror::lost::{Lost, denied};
    let mut evidence = now.evidence();
    evidence.candidates.clear();
    let (seen, rows) = (seen.timeline(), evidence.timeline.transactions());
    let lost = seen
        .transactions()
        .iter()
        .filter_map(|was| Some(Lost { was: was.clone(), noticed: at(900), hidden: false, denied: denied(was, rows)? }));
    let lost: Vec<Lost> = lost.collect();
    super::audit_task(&evidence, &super::AuditPolicy::new(&now.policy), &lost)
}

#[test]
fn what_a_removed_comment_said_is_judged_where_an_earlier_audit_saw_it() {
    for (text, found) in [
        ("Emergency-Reject: sre - not now", "rule-failed"),
        ("**Emergency-Reject: sre**", "rule-failed"),
        ("Emergency-Withdraw: sre", "approval-missing"),
    ] {
        for by in ["phabgate", "deployer1"] {
            let mut history = task_state(&["releng1", "sre1"]);
            let word = history.comment("sre1", 20, text);
            let mut record = sample(&history, DeployId::fresh(), Event::Recorded, "deployer1");
            record.version = "0.2.0".into();
            history.record(by, 101, &record);
            let seen = history.clone();
            history.remove(word, "sre1", 300);
            let names: Vec<_> = audit_knowing(&seen, &history).findings.iter().map(|it| it.name).collect();
            assert!(names.contains(&found) && names.contains(&"history-rewritten"), "{text} {by}: {names:?}");
        }
    }
}

#[test]
fn a_record_that_was_removed_counts_where_an_earlier_audit_saw_it() {
    let mut history = task_state(&["releng1"]);
    let id = DeployId::fresh();
    let first = deploy_of(&mut history, id, "phabgate", "deployer1", 101);
    let seen = history.clone();
    history.remove(first, "admin", 300);
    let audit = audit_knowing(&seen, &history);
    assert_eq!(audit.deploys.len(), 1);
    let names: Vec<_> = audit.findings.iter().map(|it| it.name).collect();
    assert!(names.contains(&"approval-missing") && names.contains(&"record-removed"), "{names:?}");
    assert!(!names.contains(&"record-edited"), "{names:?}");
}

#[test]
fn what_is_only_known_of_a_time_when_the_task_was_restricted_is_not_shown() {
    use super::mirror::lost::{Lost, denied};
    let mut history = task_state(&["releng1", "sre1"]);
    let no = history.comment("sre2", 20, "Emergency-Reject: sre - the login is open");
    deploy(&mut history);
    let seen = history.timeline();
    history.remove(no, "sre2", 300);
    let mut evidence = history.evidence();
    evidence.candidates.clear();
    let was = seen.transactions().iter().find(|row| row.id == no).unwrap().clone();
    let denied = denied(&was, evidence.timeline.transactions()).unwrap();
    let lost = [Lost { was, noticed: at(900), hidden: true, denied }];
    let audit = super::audit_task(&evidence, &super::AuditPolicy::new(&history.policy), &lost);
    assert!(audit.findings.iter().any(|it| it.name == "rule-failed"), "{:?}", audit.findings);
    assert!(audit.findings.iter().all(|it| !it.message.contains("login")), "{:?}", audit.findings);
    let rules = audit.deploys.iter().flat_map(|deploy| &deploy.verdict_as_recorded.rules);
    assert!(audit.restricted && rules.into_iter().all(|rule| !rule.message.contains("login")));
}

#[test]
fn a_deploy_of_the_past_is_not_pending_and_this_machines_clock_is_no_matter() {
    let mut history = task_state(&["releng1"]);
    deploy(&mut history);
    let audit = audit(&history);
    let verdict = &audit.deploys[0].verdict_as_recorded;
    assert_eq!(verdict.decision.word(), "denied");
    assert!(verdict.rule("clock").is_none());
    assert!(verdict.rules.iter().all(|rule| rule.outcome != crate::rules::Outcome::Pending));
}

#[test]
fn a_field_that_is_changed_after_a_deploy_neither_accuses_nor_acquits() {
    use crate::conduit::Change;
    use crate::evidence::merge::name_fields;
    use crate::evidence::timeline::Timeline;
    const FIELD: &str = "custom.emergency.reason";
    // What the task said before the deploy, what the field says later, and whether Security had approved.
    for (before, later, security, clean) in [
        ("availability", Some("security"), false, true),
        ("availability", None, false, true),
        ("security", Some("availability"), false, false),
        ("security", None, false, false),
        ("security", Some("availability"), true, true),
    ] {
        let mut history = History::new("deployer1");
        history.policy.field = Some(FIELD.into());
        history.describe("deployer1", 1, "It is down.");
        history.field("deployer1", 1, Some(before));
        history.tag("deployer1", 2, "emergency");
        history.comment("releng1", 10, "Emergency-Approve: releng");
        history.comment("sre1", 11, "Emergency-Approve: sre");
        if security {
            history.comment("sec1", 12, "Emergency-Approve: security");
        }
        deploy(&mut history);
        history.unexposed("outsider", 290);
        history.field("deployer1", 300, later);
        for (server, names_field) in [("tells", true), ("2026.27", true), ("2026.27", false)] {
            let mut evidence = history.evidence();
            evidence.candidates.clear();
            if server == "2026.27" {
                // The server leaves these null, and the old method returns them, with their field or without.
                let mut rows = evidence.timeline.transactions().to_vec();
                for row in &mut rows {
                    row.change = match row.change.clone() {
                        Change::Custom { old, new, .. } if !names_field => Change::Unnamed { old, new },
                        Change::Unexposed => Change::Other,
                        other => other,
                    };
                }
                name_fields(&mut rows, &history.task(), Some(FIELD));
                evidence.timeline = std::sync::Arc::new(Timeline::new(rows));
            }
            let audit = super::audit_task(&evidence, &super::AuditPolicy::new(&history.policy), &[]);
            let errors: Vec<_> = audit.findings.iter().filter(|it| it.severity == super::Severity::Error).collect();
            assert_eq!(errors.is_empty(), clean, "{before} {later:?} {server} {names_field}: {errors:?}");
            assert!(audit.findings.iter().any(|it| it.name == "reason-changed"), "{before} {later:?} {server}");
            assert_eq!(audit.deploys[0].reason.as_deref(), Some(before));
        }
    }
}
