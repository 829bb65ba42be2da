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
        project: None,
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
        caller: None,
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
        drill: false,
        clock: None,
        dropped: 0,
        cut: Vec::new(),
        version: "0.1.0".to_owned(),
    }
}

#[test]
fn a_whole_record() {
    insta::assert_snapshot!(render(&example()), @r#"
    (NOTE) **Emergency deploy finished: succeeded** by `deployer1` for `security`, approved by `releng1` and `sre1` (attested).

    - **Command:** `scap sync-world --pause 'T28: roll back'`
    - **Change:** `I0123456789abcdef0123456789abcdef01234567`, action `rollback`
    - **Reason:** `security`: `private pages are public`
    - **Approved by:** `releng1` for `releng`, on this task (transaction 412), 2026-08-09 03:12:00 UTC
    - **Approved by:** `sre1` for `sre`, **attested** by the deployer, 2026-08-09 03:13:00 UTC, see `https://irc.example/log#L7`
    - **Informed:** `comms` and `legal`
    - **Started:** 2026-08-09 03:17:05 UTC
    - **Finished:** 2026-08-09 03:19:19 UTC, after 2 mins 14 secs
    - **Note:** `first line` `second line`
    - **Deployer:** `deployer1` (the calling user), on `deploy1.example`
    - **Also behind it:** `deployer2` (named on the task)
    - **Verdict:** `allowed`, by policy `sha256:0f1e2d3c4b5a…`
    - **Deploy:** `0198f5d0-0000-7000-8000-000000000001`, recorded by phabgate `0.1.0`

    ```lang=json, name=phabgate/record/1, lines=6
    {
    "schema": "phabgate/record/1",
    "event": "finished",
    "command": "scap sync-world --pause \u0027T28: roll back\u0027",
    "started": "2026-08-09T03:17:05.25Z",
    "finished": "2026-08-09T03:19:19.75Z",
    "outcome": "succeeded",
    "exit": {"code": 0},
    "approvals": [{"team": "releng", "user": "releng1", "time": "2026-08-09T03:12:00Z", "kind": "verified", "transaction": 412}, {"team": "sre", "user": "sre1", "time": "2026-08-09T03:13:00Z", "kind": "attested", "evidence": "https:/\u002firc.example/log\u0023L7"}],
    "deployer": {"user": "deployer1", "source": "calling-user"},
    "behind": [{"user": "deployer2", "source": "task"}],
    "host": "deploy1.example",
    "reason": {"category": "security", "explanation": "private pages are public"},
    "action": "rollback",
    "change": "I0123456789abcdef0123456789abcdef01234567",
    "note": "first line\nsecond line",
    "informed": ["comms", "legal"],
    "verdict": "allowed",
    "policy": "sha256:0f1e2d3c4b5a69788796",
    "task": "T28",
    "deploy": "0198f5d0-0000-7000-8000-000000000001",
    "version": "0.1.0"
    }
    ```
    "#);
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
    insta::assert_snapshot!(lines.join("\n"), @r#"
    (NOTE) **Emergency deploy started** by `deployer1` for `security`, approved by `releng1` and `sre1` (attested).
    (NOTE) **DRILL, not an emergency: deploy started** by `deployer1` for `security`, approved by `releng1` and `sre1` (attested).
    (NOTE) **Emergency deploy finished: succeeded** by `deployer1` for `security`, approved by `releng1` and `sre1` (attested).
    (IMPORTANT) **Emergency deploy finished: FAILED, exit status 3** by `deployer1` for `security`, approved by `releng1` and `sre1` (attested).
    (IMPORTANT) **Emergency deploy finished: FAILED, killed by signal 9** by `deployer1` for `security`, approved by `releng1` and `sre1` (attested).
    (WARNING) **Emergency deploy finished: rolled back** by `deployer1` for `security`, approved by `releng1` and `sre1` (attested).
    (WARNING) **Emergency deploy finished: outcome unknown** by `deployer1` for `security`, approved by `releng1` and `sre1` (attested).
    (WARNING) **Emergency deploy called off before the command started**, deployer `deployer1` for `security`, approved by `releng1` and `sre1` (attested).
    (WARNING) **Emergency deploy called off before the command started**, deployer `deployer1` for `security`; the verdict was `denied`, with approval only by `releng1` and `sre1` (attested).
    (NOTE) **Emergency deploy by other means, recorded afterwards: succeeded** by `deployer1` for `security`, approved by `releng1` and `sre1` (attested).
    (IMPORTANT) **Emergency deploy by other means, recorded afterwards: succeeded, WITHOUT being allowed** by `deployer1` for `security`; the verdict was `denied`, approved by nobody.
    (IMPORTANT) **Emergency deploy by other means, recorded afterwards: outcome not stated, WITHOUT being allowed** by unknown for `security`; the verdict was `denied`, approved by nobody.
    "#);
}

#[test]
fn what_is_long_is_cut_for_people_and_whole_in_the_block() {
    let command = "x".repeat(70_000);
    let approval = example().approvals.swap_remove(0);
    let record = Record {
        command: Some(command.clone()),
        approvals: vec![approval; 500],
        failed: vec!["r".to_owned(); 500],
        ..example()
    };
    let comment = render(&record);
    let (people, block) = comment.split_once("```").unwrap();
    assert!(people.len() < 10_000 && people.contains('…') && people.contains("480 more"));
    assert!(block.contains(&command));
}

#[test]
fn a_clock_that_went_back_gives_no_duration() {
    let record = Record { finished: Some("2026-08-09T03:00:00Z".parse().unwrap()), ..example() };
    assert!(!render(&record).contains("after"));
}
