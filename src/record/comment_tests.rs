//! Tests of how a record reads.

use crate::ids::{DeployId, TaskId};
use crate::record::{RecordedReason, SCHEMA};

use super::*;

/// A record with something in every field.
pub(crate) fn example() -> Record {
    let approval = |team: &str, user: &str, kind, transaction: Option<u64>, time: &str| RecordedApproval {
        team: team.to_owned(),
        user: user.to_owned(),
        phid: None,
        project: Some(crate::ids::Phid::new(format!("PHID-PROJ-{team}")).unwrap()),
        kind,
        transaction: transaction.map(crate::ids::TransactionId),
        time: time.parse().unwrap(),
        evidence: (kind == ApprovalKind::Attested).then(|| "https://irc.example/log#L7".to_owned()),
    };
    Record {
        schema: SCHEMA.to_owned(),
        deploy: "0198f5d0-0000-7000-8000-000000000001".parse::<DeployId>().unwrap(),
        event: Event::Finished,
        task: "T28".parse::<TaskId>().unwrap(),
        deployer: Some(Deployer { user: "deployer1".to_owned(), phid: None, source: DeployerSource::CallingUser }),
        behind: vec![Deployer { user: "deployer2".to_owned(), phid: None, source: DeployerSource::Task }],
        pipeline: Vec::new(),
        caller: Some("alice".to_owned()),
        host: "deploy1.example".to_owned(),
        reason: Some(RecordedReason {
            category: "security".to_owned(),
            explanation: Some("private pages are public".to_owned()),
        }),
        action: Some("rollback".to_owned()),
        change: Some("I0123456789abcdef0123456789abcdef01234567".to_owned()),
        command: Some("scap sync-world --pause 'T28: roll back'".to_owned()),
        arguments_hidden: false,
        note: Some("first line\nsecond line".to_owned()),
        approvals: vec![
            approval("releng", "releng1", ApprovalKind::Verified, Some(412), "2026-08-09T03:12:00Z"),
            approval("sre", "sre1", ApprovalKind::Attested, None, "2026-08-09T03:13:00Z"),
        ],
        informed: vec!["comms".to_owned(), "legal".to_owned()],
        verdict: "allowed".to_owned(),
        failed: Vec::new(),
        policy: "sha256:0f1e2d3c4b5a69788796".to_owned(),
        started: Some("2026-08-09T03:17:05.25Z".parse().unwrap()),
        finished: Some("2026-08-09T03:19:19.75Z".parse().unwrap()),
        outcome: Some(Outcome::Succeeded),
        exit: Some(ExitStatus::Code(0)),
        announced: None,
        share: None,
        drill: false,
        clock: Some(Clock::Server),
        dropped: 0,
        cut: Vec::new(),
        version: "0.1.0".to_owned(),
    }
}

#[test]
fn a_whole_record() {
    let started =
        Record { event: Event::Started, started: None, finished: None, outcome: None, exit: None, ..example() };
    insta::assert_snapshot!("started", &*render(&started).unwrap());
    insta::assert_snapshot!("finished-alone", &*render(&example()).unwrap());
    let announced = Record { announced: Some(crate::ids::TransactionId(417)), ..example() };
    insta::assert_snapshot!("finished", &*render(&announced).unwrap());
}

#[test]
fn kinds_of_record_differ_in_the_first_line() {
    let base = Record { behind: Vec::new(), note: None, ..example() };
    let started = Record { event: Event::Started, outcome: None, exit: None, finished: None, ..base.clone() };
    let denied = Record {
        event: Event::Recorded,
        verdict: "denied".to_owned(),
        failed: vec!["tag".to_owned(), "team:sre".to_owned()],
        approvals: Vec::new(),
        ..base.clone()
    };
    let lines = [
        started.clone(),
        Record { drill: true, ..started },
        base.clone(),
        Record { outcome: Some(Outcome::Failed), exit: Some(ExitStatus::Code(3)), ..base.clone() },
        Record { outcome: Some(Outcome::Failed), exit: Some(ExitStatus::Signal(9)), ..base.clone() },
        Record { outcome: Some(Outcome::RolledBack), exit: None, ..base.clone() },
        Record { outcome: Some(Outcome::Unknown), exit: None, ..base.clone() },
        Record { outcome: Some(Outcome::NotStarted), exit: None, ..base.clone() },
        Record { outcome: Some(Outcome::NotStarted), exit: None, verdict: "denied".to_owned(), ..base.clone() },
        Record { event: Event::Recorded, ..base.clone() },
        denied.clone(),
        Record { deployer: None, outcome: None, ..denied },
    ]
    .map(|record| headline(&record));
    let mut distinct = lines.to_vec();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), lines.len());
    insta::assert_snapshot!("first-lines", lines.join("\n"));
}

#[test]
fn a_rollback_is_called_one_and_reads_as_the_first_line_of_a_record() {
    let line = |record: Record| {
        let line = headline(&record);
        assert!(is_headline(&line), "{line}");
        line
    };
    let back = example();
    let on = Record { action: Some("fix".to_owned()), ..example() };
    let announced = Some(crate::ids::TransactionId(417));
    for (event, outcome, announced) in [
        (Event::Started, None, None),
        (Event::Finished, Some(Outcome::Succeeded), announced),
        (Event::Finished, Some(Outcome::Failed), announced),
        (Event::Finished, Some(Outcome::NotStarted), announced),
        (Event::Recorded, Some(Outcome::Succeeded), None),
        (Event::Recorded, None, None),
    ] {
        let of = |record: &Record| line(Record { event, outcome, announced, exit: None, ..record.clone() });
        assert!(of(&back).contains("**, a rollback,"), "{}", of(&back));
        assert!(!of(&on).contains("rollback"), "{}", of(&on));
    }
    let finished = Record { announced, ..back };
    assert_eq!(line(finished), "**Deploy succeeded**, a rollback, 2026-08-09 03:19 UTC, after 2 min.");
    let untimed = Record { announced, action: Some("Rollback ".into()), finished: None, started: None, ..example() };
    assert!(
        line(Record { outcome: Some(Outcome::NotStarted), exit: None, ..untimed }).ends_with("started**, a rollback.")
    );
}

#[test]
fn finished_says_only_what_is_new_where_started_stands_on_the_task() {
    let announced = Some(crate::ids::TransactionId(417));
    let record = Record { announced, action: Some("fix".to_owned()), ..example() };
    let rendered = render(&record).unwrap();
    assert_eq!(rendered.words(), "**Deploy succeeded** 2026-08-09 03:19 UTC, after 2 min.");
    assert!(render(&example()).unwrap().words().contains("approved by `releng1`"));
}

#[test]
fn who_typed_it_is_named_where_the_deployers_name_does_not_say_so() {
    let words = |caller: &str| {
        let record = Record { caller: Some(caller.to_owned()), ..example() };
        render(&record).unwrap().words().contains("(login ")
    };
    assert!(words("alice") && !words("Deployer1"));
}

#[test]
fn another_clock_and_records_that_were_given_up_are_shown_to_people() {
    let record = Record { clock: Some(Clock::Host), dropped: 2, ..example() };
    let rendered = render(&record).unwrap();
    assert!(rendered.words().contains("The times are by the clock of `deploy1.example`"), "{rendered}");
    assert!(rendered.words().contains("2 earlier records were given up"), "{rendered}");
}

#[test]
fn what_is_long_is_short_for_people() {
    let record = Record {
        command: Some("x".repeat(70_000)),
        note: Some("y\n".repeat(500)),
        failed: vec!["r".to_owned(); 100],
        verdict: "denied".to_owned(),
        informed: vec!["z".repeat(500); 3],
        dropped: 1,
        clock: Some(Clock::Host),
        ..example()
    };
    let rendered = render(&record).unwrap();
    let words = rendered.words();
    assert!(words.len() < 2500 && words.contains('…') && words.contains("94 more"), "{words}");
    assert_eq!(words.lines().count(), 8);
}

#[test]
fn a_clock_that_went_back_gives_no_duration() {
    let record = Record { finished: Some("2026-08-09T03:00:00Z".parse().unwrap()), ..example() };
    assert!(!render(&record).unwrap().words().contains("after"));
}
