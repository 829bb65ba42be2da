//! Tests of the journal: a sample deploy, and the alphabet of events that the property tests draw from.

mod exactly_once;
mod fold;
mod recovery;
mod reserve;
mod store;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use tempfile::TempDir;
use url::Url;

use super::*;
use crate::ids::{DeployId, Phid, TaskId, TransactionId, User, Xact};
use crate::record::{self, ExitStatus, Outcome, Record, SCHEMA};

const SETTLE: i64 = 60;

/// The instant so many seconds after the test's beginning.
fn at(second: i64) -> Timestamp {
    "2026-11-20T03:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

/// How long a record of somebody else may still be on its way.
const WAIT: Duration = Duration::from_secs(SETTLE as u64);

/// What recovery writes in the end: at once, and once a read of the task has found no end of the deploy.
fn recover_all(state: &DeployState, second: i64) -> Vec<Event> {
    let mut events = recover(state, at(second), WAIT);
    let mut state = state.clone();
    events.iter().for_each(|event| state.apply(event).unwrap());
    events.extend(conclude(&state, at(second), &EndOnTask::NotFound { read_at: at(second + SETTLE) }));
    events
}

fn deploy() -> DeployId {
    "01939f2a-0000-7000-8000-000000000001".parse().unwrap()
}

fn other_deploy() -> DeployId {
    "01939f2a-0000-7000-8000-000000000002".parse().unwrap()
}

fn server() -> Url {
    "https://phab.example/".parse().unwrap()
}

fn author() -> Phid<User> {
    Phid::new("PHID-USER-phabgate").unwrap()
}

fn record(deploy: DeployId, event: record::Event) -> Box<Record> {
    Box::new(Record {
        schema: SCHEMA.to_owned(),
        deploy,
        event,
        task: TaskId::new(1234).unwrap(),
        deployer: None,
        behind: Vec::new(),
        pipeline: Vec::new(),
        caller: None,
        host: "deploy1001".to_owned(),
        reason: None,
        action: Some("rollback".to_owned()),
        change: None,
        command: Some("scap sync-file wmf-config/InitialiseSettings.php".to_owned()),
        arguments_hidden: false,
        note: None,
        approvals: Vec::new(),
        informed: Vec::new(),
        verdict: "allowed".to_owned(),
        failed: Vec::new(),
        policy: "sha256:0123".to_owned(),
        started: None,
        finished: None,
        outcome: None,
        exit: None,
        announced: None,
        share: None,
        drill: false,
        clock: None,
        dropped: 0,
        cut: Vec::new(),
        version: "0.0.0".to_owned(),
    })
}

fn finished(outcome: Outcome, exit: Option<ExitStatus>) -> Step {
    let record = Record { outcome: Some(outcome), exit, ..*record(deploy(), record::Event::Finished) };
    Step::Queued { record: Box::new(record) }
}

fn queued(event: record::Event) -> Step {
    Step::Queued { record: record(deploy(), event) }
}

fn intent_of(deploy: DeployId, mode: DeployMode) -> Step {
    Step::Intent(Box::new(Intent {
        mode,
        task: TaskId::new(1234).unwrap(),
        server: server(),
        template: record(deploy, record::Event::Started),
        identity: Identity {
            user: Some("phabgate".to_owned()),
            phid: Some(author()),
            uid: 1000,
            login: Some("ada".to_owned()),
        },
        marks: ServerMarks { task: Some(Phid::new("PHID-TASK-one").unwrap()), tag: None },
    }))
}

fn intent(mode: DeployMode) -> Step {
    intent_of(deploy(), mode)
}

fn sending(event: record::Event, second: i64) -> Delivery {
    Delivery::Sending { event, author: author(), server: server(), settle_at: at(second + SETTLE) }
}

fn not_sent(event: record::Event) -> Delivery {
    Delivery::NotSent { event, why: "connection refused".to_owned() }
}

fn unclear(event: record::Event) -> Delivery {
    Delivery::Unclear { event, why: "no answer within 10 s".to_owned(), settle_at: None, answer: ServerAnswer::Unclear }
}

fn answered(event: record::Event, answer: ServerAnswer) -> Delivery {
    Delivery::Unclear { event, why: "the server refuses the call".to_owned(), settle_at: None, answer }
}

fn refused(event: record::Event, second: i64) -> Delivery {
    Delivery::Refused { event, read_at: at(second), seen: TaskSeen { status: "open".to_owned(), modified: at(0) } }
}

fn missing(event: record::Event, second: i64) -> Delivery {
    Delivery::Missing { event, read_at: at(second) }
}

fn dropped(event: record::Event, because: GivenUp) -> Delivery {
    Delivery::Dropped { event, because, why: "the task was destroyed".to_owned(), login: None }
}

fn end_elsewhere() -> EndElsewhere {
    EndElsewhere {
        event: record::Event::Finished,
        outcome: Some(Outcome::Failed),
        transaction: TransactionId(99),
        author: "PHID-USER-other".to_owned(),
    }
}

fn delivered(event: record::Event) -> Delivery {
    Delivery::Delivered {
        event,
        transaction: TransactionId(77),
        phid: Phid::<Xact>::new("PHID-XACT-TASK-abc").unwrap(),
    }
}

/// A whole deploy without trouble, an event a second.
fn whole_run() -> Vec<Event> {
    use record::Event::{Finished, Started};
    let whats: Vec<EventKind> = vec![
        intent(DeployMode::Run).into(),
        queued(Started).into(),
        sending(Started, 2).into(),
        delivered(Started).into(),
        Step::Spawning.into(),
        Step::Spawned { pid: 4711 }.into(),
        Step::Exited { status: ExitStatus::Code(0) }.into(),
        finished(Outcome::Succeeded, Some(ExitStatus::Code(0))).into(),
        Step::Closed.into(),
        sending(Finished, 9).into(),
        delivered(Finished).into(),
    ];
    (0..).zip(whats).map(|(second, what)| Event::new(at(second), what)).collect()
}

/// A whole deploy with every trouble that a delivery knows.
fn troubled_run() -> Vec<Event> {
    use record::Event::{Finished, Recorded, Started};
    let whats: Vec<(i64, EventKind)> = vec![
        (0, intent(DeployMode::Run).into()),
        (1, queued(Started).into()),
        (2, sending(Started, 2).into()),
        (3, not_sent(Started).into()),
        (4, sending(Started, 4).into()),
        (5, unclear(Started).into()),
        (6, Step::Spawning.into()),
        (7, Step::Exited { status: ExitStatus::Signal(9) }.into()),
        (8, finished(Outcome::Failed, Some(ExitStatus::Signal(9))).into()),
        (9, sending(Finished, 9).into()),
        (10, Step::Closed.into()),
        (70, missing(Started, 70).into()),
        (71, missing(Finished, 71).into()),
        (72, sending(Finished, 72).into()),
        (73, delivered(Finished).into()),
        (74, queued(Recorded).into()),
        (75, sending(Recorded, 75).into()),
        (76, answered(Recorded, ServerAnswer::Refused).into()),
        (77, refused(Recorded, 77).into()),
        (78, sending(Recorded, 78).into()),
        (79, delivered(Recorded).into()),
    ];
    whats.into_iter().map(|(second, what)| Event::new(at(second), what)).collect()
}

/// A run that stops before the command.
fn stopped_run() -> Vec<Event> {
    use record::Event::{Finished, Started};
    let whats: Vec<EventKind> = vec![
        intent(DeployMode::Run).into(),
        queued(Started).into(),
        sending(Started, 2).into(),
        delivered(Started).into(),
        Step::NotSpawned { why: "the verdict is denied now".to_owned() }.into(),
        finished(Outcome::NotStarted, None).into(),
        Step::Closed.into(),
        sending(Finished, 7).into(),
        delivered(Finished).into(),
    ];
    (0..).zip(whats).map(|(second, what)| Event::new(at(second), what)).collect()
}

/// A deploy by other means.
fn recorded_run() -> Vec<Event> {
    use record::Event::Recorded;
    let whats: Vec<EventKind> = vec![
        intent(DeployMode::Record).into(),
        queued(Recorded).into(),
        Step::Closed.into(),
        sending(Recorded, 3).into(),
        delivered(Recorded).into(),
    ];
    (0..).zip(whats).map(|(second, what)| Event::new(at(second), what)).collect()
}

fn every_run() -> [Vec<Event>; 4] {
    [whole_run(), troubled_run(), stopped_run(), recorded_run()]
}

/// Every kind of event, at this second, some of them of another deploy or untrue.
fn alphabet(second: i64) -> Vec<Event> {
    let mut whats: Vec<EventKind> = vec![
        intent(DeployMode::Run).into(),
        intent(DeployMode::Record).into(),
        Step::Queued { record: record(other_deploy(), record::Event::Started) }.into(),
        queued(record::Event::Started).into(),
        queued(record::Event::Recorded).into(),
        Step::Spawning.into(),
        Step::Spawned { pid: 1 }.into(),
        Step::NotSpawned { why: "no such file".to_owned() }.into(),
        Step::Exited { status: ExitStatus::Code(0) }.into(),
        Step::Exited { status: ExitStatus::Code(3) }.into(),
        Step::Exited { status: ExitStatus::Signal(15) }.into(),
        Step::OwnerGone { settle_at: at(second + SETTLE) }.into(),
        Step::EndedElsewhere(end_elsewhere()).into(),
        Step::Closed.into(),
    ];
    for outcome in [Outcome::Succeeded, Outcome::Failed, Outcome::RolledBack, Outcome::Unknown, Outcome::NotStarted] {
        for exit in [None, Some(ExitStatus::Code(0)), Some(ExitStatus::Code(3)), Some(ExitStatus::Signal(15))] {
            whats.push(finished(outcome, exit).into());
        }
    }
    for event in [record::Event::Started, record::Event::Finished, record::Event::Recorded] {
        whats.extend([
            sending(event, second).into(),
            not_sent(event).into(),
            unclear(event).into(),
            answered(event, ServerAnswer::Refused).into(),
            answered(event, ServerAnswer::Filtered).into(),
            answered(event, ServerAnswer::RolledBack).into(),
            missing(event, second).into(),
            refused(event, second).into(),
            delivered(event).into(),
            dropped(event, GivenUp::Refused).into(),
            dropped(event, GivenUp::TaskGone).into(),
        ]);
    }
    whats.into_iter().map(|what| Event::new(at(second), what)).collect()
}

/// A random walk through the legal events, from numbers that proptest draws; a number can also skip a minute.
fn legal_walk(choices: &[u16]) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut second = 0;
    for choice in choices {
        second += if choice % 3 == 0 { SETTLE } else { 1 };
        let fits = |event: &Event| {
            let mut longer = events.clone();
            longer.push(event.clone());
            DeployState::from_events(&longer).is_ok()
        };
        let legal: Vec<Event> = alphabet(second).into_iter().filter(fits).collect();
        let Some(index) = usize::from(*choice).checked_rem(legal.len()) else { break };
        events.push(legal[index].clone());
    }
    events
}

fn state_directory() -> (TempDir, PathBuf) {
    let above = tempfile::tempdir().unwrap();
    let directory = above.path().join("state");
    (above, directory)
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// A step of a deploy by the process that owns it.
fn write_as(journal: &mut Journal, owner: &Ownership, event: &Event) {
    match &event.what {
        EventKind::Step(step) => journal.step(owner, event.at, step.clone()).unwrap(),
        EventKind::Delivery(_) => write_one(journal, event).unwrap(),
    };
}

fn reserve_file(dir: &Path) -> PathBuf {
    dir.join("deploys").join(format!("{}.reserve", deploy()))
}

/// The connection of an intruder or of a test that looks closely.
fn raw(dir: &Path) -> Connection {
    Connection::open(dir.join("journal.sqlite3")).unwrap()
}

fn write_one(journal: &mut Journal, event: &Event) -> Result<DeployState, JournalError> {
    match &event.what {
        EventKind::Step(step) => {
            let owner = journal.own(deploy())?;
            journal.step(&owner, event.at, step.clone())
        }
        EventKind::Delivery(delivery) => {
            let lock = journal.lock_outbox(&server(), LockWait::TryNow)?.unwrap();
            journal.delivery(&lock, deploy(), event.at, delivery.clone())
        }
    }
}
