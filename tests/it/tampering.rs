//! A catalogue of ways to get around the gate and to change afterwards what happened, on a real Phorge; and deploys that kept to the
//! policy. The audit has to find each of the first under its name, with the transaction that shows it, and nothing in the others.
//!
//! Run where `PHABGATE_LIVE` names the state directory of a Phorge (see [`super::live`]) with `run/mysql.sock` in it, the socket of its
//! database, and where `PHABGATE_LIVE_TOOLS` names a directory with `edit-comment.php` and `archive-project.php`, which do what the web
//! interface does and Conduit cannot; `mysql` and `php` are needed. Else they are passed over with a word. Every run makes accounts,
//! teams and a tag of its own. `PHABGATE_LIVE_EACH` is how many deploys are made in each clean way; `PHABGATE_LIVE_ONLY` names, by
//! a part of their names, the kinds that are planted; `PHABGATE_LIVE_GATE` is another gate to try, such as one that is installed.
//!
//! Each world is audited four times: after what was planted, after what was tampered with, once more with all histories read again, and
//! then again. An error that an audit found is found by all later ones, or one of their findings says that it is not any more.

mod approvals;
mod clean;
mod history;
mod kinds;
mod objections;
mod plan;
mod records;
mod task;
mod world;
mod worlds;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use phabgate::record::parse::{Parsed, parse};
use serde_json::Value;

use kinds::{Expected, Kind, Link};
use plan::{Plan, own_name};
use world::{Server, World, say};

/// The audits of a world.
const AUDITS: usize = 4;
/// The one that reads all histories again.
const THOROUGH: usize = 2;
/// The finding that says that an earlier one is not any more.
const VANISHED: &str = "finding-vanished";
/// What the mirror saw and the server denies: it comes with whatever else is tampered with afterwards.
const REWRITTEN: &str = "history-rewritten";
/// What is found of a task that the audit is not shown any more.
const UNSEEN: &[&str] = &["task-unseen"];
/// What is found where the hashtag of the tag or of a team is another project now.
const MOVED: &[&str] = &["hashtag-moved"];
/// What may end because somebody did what was due: no later audit has to say so.
const MENDED: &[&str] = &["record-missing", "record-unfinished", "follow-up-overdue", "undecided", "task-unseen"];
/// How many plants are made at a time.
const AT_ONCE: usize = 5;

/// A finding as the report tells it.
#[derive(Debug, Clone)]
struct Found {
    name: String,
    severity: String,
    deploy: String,
    transaction: Option<u64>,
    url: String,
    message: String,
}

impl Found {
    /// Whether it says that an earlier audit found this, which the evidence does not show any more.
    fn says_again(&self, name: &str) -> bool {
        (self.name == VANISHED || UNSEEN.contains(&self.name.as_str())) && self.message.contains(name)
    }
}

/// What an audit found, by task.
type Findings = BTreeMap<u64, Vec<Found>>;

fn findings(report: &Value) -> Findings {
    let mut all = Findings::new();
    for finding in report["findings"].as_array().unwrap() {
        let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        let found = Found {
            name: text("name"),
            severity: text("severity"),
            deploy: text("deploy"),
            transaction: finding["transaction"].as_u64(),
            url: text("url"),
            message: text("message"),
        };
        let task = text("task").trim_start_matches('T').parse().unwrap_or_default();
        all.entry(task).or_default().push(found);
    }
    all
}

/// Does something to each of many at once; what panicked is returned with its words.
fn each<T: Send>(all: &mut [T], act: impl Fn(&mut T) + Sync) -> Vec<(usize, String)> {
    let (next, count, failed) = (AtomicUsize::new(0), all.len(), Mutex::new(Vec::new()));
    let slots: Vec<Mutex<&mut T>> = all.iter_mut().map(Mutex::new).collect();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        break;
                    }
                    let mut one = slots[at].lock().unwrap();
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| act(&mut one))) {
                        let words = panic.downcast_ref::<String>().cloned();
                        let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned()));
                        failed.lock().unwrap().push((at, words.unwrap_or_default()));
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap()
}

/// What came of a catalogue.
#[derive(Default)]
struct Score {
    found: usize,
    wrong: Vec<String>,
    counts: BTreeMap<&'static str, usize>,
}

impl Score {
    fn fault(&mut self, what: &'static str, words: String) {
        *self.counts.entry(what).or_default() += 1;
        self.wrong.push(format!("{what}: {words}"));
    }
}

/// What changes in a world as a whole before an audit: with which configuration it is made then, and what is done before.
struct Turn {
    config: &'static str,
    before: fn(&World<'_>),
}

const STILL: [Turn; AUDITS] = [
    Turn { config: "config.toml", before: |_| () },
    Turn { config: "config.toml", before: |_| () },
    Turn { config: "config.toml", before: |_| () },
    Turn { config: "config.toml", before: |_| () },
];

/// A world in which the gate has recorded a deploy: those who write records by hand copy it.
fn world<'s>(server: &'s Server, people: &[(String, Vec<&'static str>)], policy: &str) -> World<'s> {
    let world = World::new(server, people, policy);
    let mut plan = Plan::new(&world, usize::MAX);
    let text = plan.ready().recorded().text_of(0);
    let Parsed::Record(record) = parse(&text) else { panic!("the gate's own record is one") };
    world.keep_template(serde_json::to_value(record).unwrap());
    world
}

/// Plants kinds in a world of their own, audits it, and judges what was found.
fn examine(server: &Server, policy: &str, kinds: Vec<Kind>, turns: &[Turn; AUDITS], score: &mut Score) {
    let only = std::env::var("PHABGATE_LIVE_ONLY").unwrap_or_default();
    let kinds: Vec<Kind> = kinds.into_iter().filter(|kind| kind.name.contains(&only)).collect();
    if kinds.is_empty() {
        return;
    }
    let people = kinds
        .iter()
        .enumerate()
        .flat_map(|(number, kind)| kind.people.iter().map(move |(who, teams)| (own_name(who, number), teams.clone())));
    let world = world(server, &people.collect::<Vec<_>>(), policy);
    let mut plans: Vec<(Plan<'_>, Kind)> =
        kinds.into_iter().enumerate().map(|(number, kind)| (Plan::new(&world, number), kind)).collect();
    let mut audits: Vec<Findings> = Vec::new();
    let mut broken = BTreeSet::new();
    for (audit, turn) in turns.iter().enumerate() {
        let failed = each(&mut plans, |(plan, kind)| {
            if let Some(step) = kind.steps.get(audit) {
                step(plan);
                if !kind.name.contains("destroyed") || audit == 0 {
                    plan.resolve();
                }
            }
        });
        for (at, words) in failed {
            broken.insert(at);
            score.fault("not planted", format!("{} (step {audit}): {words}", plans[at].1.name));
        }
        (turn.before)(&world);
        let report = world.audit(turn.config, audit == THOROUGH);
        let may_be = |unread: &Value| {
            let mut torn = plans.iter().filter(|(_, kind)| kind.unjudged && audit > 0);
            torn.any(|(plan, _)| unread["task"] == format!("T{}", plan.task))
        };
        for unread in report["unread"].as_array().into_iter().flatten().filter(|unread| !may_be(unread)) {
            score.fault("unread", format!("audit {audit} of world {}: {unread}", world.mark));
        }
        audits.push(findings(&report));
    }
    for (at, (plan, kind)) in plans.iter().enumerate().filter(|(_, (plan, _))| plan.exists()) {
        if broken.contains(&at) {
            continue;
        }
        let of_task: Vec<Vec<Found>> = audits.iter().map(|audit| of_task(audit, plan.task)).collect();
        judge(plan, kind, &of_task, score);
    }
}

/// What an audit found on a task, and on none.
fn of_task(audit: &Findings, task: u64) -> Vec<Found> {
    [task, 0].iter().filter_map(|task| audit.get(task)).flatten().cloned().collect()
}

/// Judges what the audits found on the task of one kind.
fn judge(plan: &Plan<'_>, kind: &Kind, audits: &[Vec<Found>], score: &mut Score) {
    let before = score.wrong.len();
    let mut said = BTreeSet::new();
    for (audit, found) in audits.iter().enumerate() {
        let words = |about: &str| {
            let all: Vec<String> = found
                .iter()
                .map(|it| format!("{} {} #{} {}", it.severity, it.name, it.transaction.unwrap_or_default(), it.message))
                .collect();
            format!("{} (T{}, audit {}): {about}; found: {all:#?}", kind.name, plan.task, audit + 1)
        };
        let mut fault = |what: &'static str, about: String| {
            // Once is enough, with the audit that it was first so in.
            if said.insert((what, about.clone())) {
                score.fault(what, words(&about));
            }
        };
        for expected in kind.expected.iter().filter(|expected| expected.since <= audit) {
            let about = format!("{expected:?}");
            match meets(plan, expected, found) {
                Met::Whole => {}
                Met::Said if expected.since < audit => {}
                _ if expected.since < audit && expected.names.iter().all(|name| MENDED.contains(name)) => {}
                Met::Mislinked => fault("mislinked", about),
                Met::OtherSeverity => fault("of another severity", about),
                Met::Said | Met::Missed => fault("missed", about),
            }
        }
        for extra in found.iter().filter(|it| it.severity == "error" && it.name != VANISHED) {
            let mut known = kind.expected.iter().filter(|expected| expected.since <= audit);
            let expected = known.any(|it| it.names.iter().any(|name| extra.name == *name))
                || kind.also.iter().any(|name| extra.name == *name)
                || audit > 0 && kind.steps.len() > 1 && extra.name == REWRITTEN;
            if !expected {
                fault("not expected", extra.name.clone());
            }
            let page = extra.transaction.map_or(format!("/T{}", plan.task), |id| format!("/T{}#{id}", plan.task));
            if !MOVED.contains(&extra.name.as_str()) && !extra.url.ends_with(&page) {
                fault("mislinked", format!("{} of {}", extra.url, extra.name));
            }
        }
    }
    law(&format!("{} (T{})", kind.name, plan.task), audits, score);
    if score.wrong.len() == before {
        score.found += 1;
    }
}

/// An error on a deploy that an audit found is found by the next one, or that says that it is not any more.
fn law(name: &str, audits: &[Vec<Found>], score: &mut Score) {
    for (at, pair) in audits.windows(2).enumerate() {
        let errors = pair[0].iter().filter(|it| it.severity == "error" && !MENDED.contains(&it.name.as_str()));
        for error in errors {
            let is_there = pair[1].iter().any(|it| it.name == error.name && it.deploy == error.deploy);
            let is_said = pair[1].iter().any(|it| it.says_again(&error.name));
            if !is_there && !is_said {
                let now: Vec<&str> = pair[1].iter().map(|it| it.name.as_str()).collect();
                score.fault(
                    "vanished",
                    format!("{name}: {} between audit {} and the next: {now:?}", error.name, at + 1),
                );
            }
        }
    }
}

/// How what was found meets what is expected.
enum Met {
    Whole,
    /// An earlier audit found it, and this one says that it is not any more.
    Said,
    Mislinked,
    OtherSeverity,
    Missed,
}

fn meets(plan: &Plan<'_>, expected: &Expected, found: &[Found]) -> Met {
    let named: Vec<&Found> = found.iter().filter(|it| expected.names.iter().any(|name| it.name == *name)).collect();
    let right: Vec<&&Found> =
        named.iter().filter(|it| expected.severity.is_empty() || it.severity == expected.severity).collect();
    let is_said = found.iter().any(|it| expected.names.iter().any(|name| it.says_again(name)));
    match (named.is_empty(), right.is_empty()) {
        (_, false) if right.iter().any(|it| is_linked(plan, expected.link, it)) => Met::Whole,
        _ if is_said => Met::Said,
        (_, false) => Met::Mislinked,
        (false, true) => Met::OtherSeverity,
        (true, true) => Met::Missed,
    }
}

fn is_linked(plan: &Plan<'_>, link: Link, found: &Found) -> bool {
    let Some(transaction) = found.transaction else { return matches!(link, Link::Anywhere) };
    match link {
        Link::Mark(mark) => plan.known(mark).contains(&transaction),
        Link::Record(number) => plan.record_id(number) == Some(transaction),
        Link::Either(mark, number) => {
            plan.known(mark).contains(&transaction) || plan.record_id(number) == Some(transaction)
        }
        Link::Anywhere => true,
    }
}

/// Says what came of a catalogue and fails where anything was wrong.
fn conclude(test: &str, count: usize, score: &Score) {
    say(&format!("{test}: {} of {count} in order, {:?}", score.found, score.counts));
    for wrong in &score.wrong {
        say(&format!("{test}: {wrong}"));
    }
    assert!(score.wrong.is_empty(), "{} faults", score.wrong.len());
}

/// All kinds that one world holds.
fn catalogue() -> Vec<Kind> {
    let mut kinds = approvals::kinds();
    kinds.extend(objections::kinds());
    kinds.extend(task::kinds());
    kinds.extend(records::kinds());
    kinds.extend(history::kinds());
    kinds
}

#[test]
fn there_are_a_hundred_kinds_and_thirty_clean_ways_each_with_a_name_of_its_own() {
    let kinds = catalogue();
    let names: BTreeSet<&str> = kinds.iter().map(|kind| kind.name.as_str()).collect();
    assert!(names.len() == kinds.len() && names.len() >= 100, "{}", names.len());
    assert!(kinds.iter().all(|kind| !kind.expected.is_empty() && kind.steps.len() < AUDITS));
    let ways: BTreeSet<&str> = clean::ways().iter().map(|way| way.name).collect();
    assert!(ways.len() == clean::ways().len() && ways.len() >= 30, "{}", ways.len());
}

#[test]
fn every_kind_of_tampering_is_found_under_its_name() {
    let test = "every_kind_of_tampering_is_found_under_its_name";
    let Some(server) = Server::find(test) else { return };
    let (kinds, mut score) = (catalogue(), Score::default());
    let count = kinds.len();
    examine(&server, "", kinds, &STILL, &mut score);
    conclude(test, count, &score);
}

#[test]
fn what_happens_to_tag_teams_and_policy_is_found() {
    let test = "what_happens_to_tag_teams_and_policy_is_found";
    let Some(server) = Server::find(test) else { return };
    let (mut count, mut score) = (0, Score::default());
    for worlds::Changed { policy, kinds, turns } in worlds::all() {
        count += kinds.len();
        examine(&server, policy, kinds, &turns, &mut score);
    }
    conclude(test, count, &score);
}

#[test]
fn no_audit_finds_an_error_in_a_clean_deploy() {
    let test = "no_audit_finds_an_error_in_a_clean_deploy";
    let Some(server) = Server::find(test) else { return };
    let each_way: usize = std::env::var("PHABGATE_LIVE_EACH").ok().and_then(|number| number.parse().ok()).unwrap_or(10);
    let only = std::env::var("PHABGATE_LIVE_ONLY").unwrap_or_default();
    let ways: Vec<_> = clean::ways().into_iter().filter(|way| way.name.contains(&only)).collect();
    let numbered = || (0..each_way).flat_map(|_| &ways).enumerate();
    let people = numbered()
        .flat_map(|(number, way)| way.people.iter().map(move |(who, teams)| (own_name(who, number), teams.to_vec())));
    let world = world(&server, &people.collect::<Vec<_>>(), "");
    let mut plans: Vec<_> = numbered().map(|(number, way)| (Plan::new(&world, number), way)).collect();
    let (mut score, mut accused) = (Score::default(), BTreeSet::new());
    for audit in 0..AUDITS {
        let failed = each(&mut plans, |(plan, way)| match audit {
            0 => (way.plant)(plan),
            1 => (way.after)(plan),
            _ => (),
        });
        for (at, words) in failed {
            score.fault("not planted", format!("{} (step {audit}): {words}", plans[at].1.name));
        }
        let report = world.audit("config.toml", audit == THOROUGH);
        if report["complete"] != Value::Bool(true) {
            score.fault("incomplete", format!("audit {audit}: {}", report["unread"]));
        }
        let found = findings(&report);
        for (plan, way) in &plans {
            let errors = found.get(&plan.task).into_iter().flatten().filter(|it| it.severity == "error");
            let errors: Vec<String> = errors.map(|it| format!("{}: {}", it.name, it.message)).collect();
            if !errors.is_empty() && accused.insert(plan.task) {
                score.fault("false errors", format!("{} (T{}, audit {}): {errors:#?}", way.name, plan.task, audit + 1));
            }
        }
    }
    score.found = plans.len() - accused.len();
    conclude(test, plans.len(), &score);
}
