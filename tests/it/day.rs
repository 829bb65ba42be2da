//! A day of twelve emergencies at once: ten accounts at three hosts, who type only what the gate printed.
//!
//! On the sandbox, and on a real server where `PHABGATE_LIVE` names one. Every deploy is on its task once and as it was, the audit finds what
//! was planned and nothing else, and no screen names a command that who reads it cannot type.

mod person;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use phabgate::record::{Event, ExitStatus, Outcome, Record};

use crate::site::Site;
use person::{Day, Person, Screen};

const ACCOUNTS: [&str; 10] =
    ["deployer1", "deployer2", "releng1", "releng2", "sre1", "sre2", "both", "sec1", "outsider", "phabgate"];

/// One emergency: what is done in it, and what the audit says of it.
struct Emergency {
    title: &'static str,
    author: &'static str,
    work: fn(&Work),
    findings: &'static [&'static str],
}

const EMERGENCIES: [Emergency; 12] = [
    Emergency { title: "approved and deployed", author: "deployer1", work: deployed, findings: &[] },
    Emergency { title: "rejected, and withdrawn", author: "deployer2", work: rejected, findings: &[] },
    Emergency { title: "the reason changes", author: "deployer1", work: reason_changes, findings: &[] },
    Emergency { title: "fails, and is rolled back", author: "deployer2", work: rolled_back, findings: &[] },
    Emergency { title: "the run waits", author: "releng2", work: waits, findings: &[] },
    Emergency { title: "deployed by hand", author: "deployer1", work: by_hand, findings: &[] },
    Emergency { title: "taken over", author: "deployer1", work: taken_over, findings: &[] },
    Emergency { title: "security has to approve", author: "deployer2", work: security, findings: &[] },
    Emergency { title: "closed in between", author: "outsider", work: closed, findings: &[] },
    Emergency { title: "two hosts at once", author: "deployer1", work: two_hosts, findings: &[] },
    Emergency { title: "the gate is killed", author: "deployer2", work: killed, findings: &[] },
    Emergency { title: "abandoned", author: "outsider", work: abandoned, findings: &["record-missing"] },
];

/// The work on one emergency.
struct Work<'a> {
    day: &'a Day,
    task: String,
    number: usize,
}

#[test]
fn a_day_of_twelve_emergencies_is_recorded_as_it_was() {
    a_day(Site::sandbox(&ACCOUNTS));
}

#[test]
fn a_day_of_twelve_emergencies_on_a_real_server() {
    match Site::real(&ACCOUNTS) {
        Some(site) => a_day(site),
        None => say("passed over, PHABGATE_LIVE names no Phorge"),
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a test that is passed over says so, and one on a real server gives its figures"
)]
fn say(words: &str) {
    eprintln!("{words}");
}

fn a_day(site: Site) {
    let begun = Instant::now();
    let day = Day::new(site);
    let tasks: Vec<String> =
        EMERGENCIES.iter().map(|emergency| day.site.task(emergency.author, emergency.title)).collect();
    std::thread::scope(|scope| {
        for (number, (emergency, task)) in EMERGENCIES.iter().zip(&tasks).enumerate() {
            let work = Work { day: &day, task: task.clone(), number };
            scope.spawn(move || (emergency.work)(&work));
        }
    });
    day.type_what_is_left();
    for host in ["alpha", "beta", "gamma"] {
        let screen = day.person("phabgate", host).starts("outbox list");
        assert_eq!(
            (screen.code, screen.out.as_str()),
            (0, "nothing is undelivered; nothing is to be done\n"),
            "{host}: {screen:?}"
        );
    }
    let (mut deploys, mut records) = (0, 0);
    for (number, task) in tasks.iter().enumerate() {
        let on_task = day.site.records(task);
        records += on_task.len();
        let recorded = deploys_of(&on_task);
        let children = std::fs::read_to_string(day.ran(number)).unwrap_or_default();
        let children: Vec<&str> = children.lines().collect();
        assert_eq!(recorded, children, "{task} {}: {on_task:?}", EMERGENCIES[number].title);
        deploys += recorded.len();
    }
    let found = audited(&day, &tasks);
    let planned: Vec<String> = EMERGENCIES
        .iter()
        .flat_map(|emergency| emergency.findings.iter().map(move |name| format!("{}: {name}", emergency.title)))
        .collect();
    say(&format!(
        "{deploys} deploys, {records} records, {} findings, {} hints read, {:.1} s",
        found.len(),
        day.hints(),
        begun.elapsed().as_secs_f64()
    ));
    assert_eq!(found, planned);
    assert_eq!(day.wrong(), [] as [String; 0]);
}

/// How each deploy on a task ended by its records, oldest first; each was started once and ended once.
fn deploys_of(records: &[Record]) -> Vec<String> {
    let mut order = Vec::new();
    let mut events: BTreeMap<_, Vec<&Record>> = BTreeMap::new();
    for record in records {
        if !order.contains(&record.deploy) {
            order.push(record.deploy);
        }
        events.entry(record.deploy).or_default().push(record);
    }
    let mut ended = Vec::new();
    for deploy in order {
        let events = &events[&deploy];
        let end = events.last().unwrap();
        match events.iter().map(|record| record.event).collect::<Vec<_>>().as_slice() {
            [Event::Recorded] | [Event::Started, Event::Finished] => {}
            other => panic!("{deploy}: {other:?}"),
        }
        match (end.outcome, end.exit) {
            (Some(Outcome::NotStarted), None) => {}
            (Some(Outcome::Unknown), None) => ended.push("killed".to_owned()),
            (Some(Outcome::Succeeded), None) => ended.push("by hand".to_owned()),
            (Some(_), Some(ExitStatus::Code(code))) => ended.push(code.to_string()),
            other => panic!("{deploy}: {other:?}"),
        }
    }
    ended
}

/// What the audit finds on these tasks, in their order.
fn audited(day: &Day, tasks: &[String]) -> Vec<String> {
    let screen = day.person("phabgate", "alpha").starts("audit --format json --fail-on notice");
    let report: serde_json::Value = serde_json::from_str(&screen.out).unwrap_or_else(|_| panic!("{screen:?}"));
    let of = |task: &String| -> Vec<String> {
        let findings = report["findings"].as_array().unwrap().iter().filter(|finding| finding["task"] == **task);
        findings.map(|finding| finding["name"].as_str().unwrap().to_owned()).collect()
    };
    let titled = tasks.iter().zip(&EMERGENCIES);
    titled
        .flat_map(|(task, emergency)| of(task).into_iter().map(|name| format!("{}: {name}", emergency.title)))
        .collect()
}

/// Waits until something is so.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Day {
    /// Where the commands of an emergency write how they end.
    fn ran(&self, number: usize) -> std::path::PathBuf {
        self.home.path().join(format!("ran-{number}"))
    }
}

impl Work<'_> {
    fn person(&self, account: &'static str, host: &'static str) -> Person<'_> {
        self.day.person(account, host)
    }

    /// A command that writes down how it ends, and ends so.
    fn command(&self, status: u8) -> String {
        self.shell(&format!("echo {status} >> {}; exit {status}", self.ran().display()))
    }

    fn shell(&self, script: &str) -> String {
        format!("sh -c '{script}'")
    }

    fn ran(&self) -> std::path::PathBuf {
        self.day.ran(self.number)
    }

    /// Somebody opens the emergency; the screen holds the call for help.
    fn opens(&self, who: &Person, words: &str) -> Screen {
        let screen = who.starts(&format!("request {} {words}", self.task));
        assert_eq!(screen.code, 0, "{screen:?}");
        screen
    }

    /// Who was called writes in a browser what the call says to write.
    fn approve(&self, call: &Screen, who: &[(&'static str, &str)]) {
        for (account, team) in who {
            let line = format!("Emergency-Approve: {team}");
            self.person(account, "alpha").writes(call, &self.task, &line);
        }
    }

    /// A member of one team approves with the gate, and looks how it stands.
    fn approve_here(&self, account: &'static str, host: &'static str) {
        let approver = self.person(account, host);
        let screen = approver.by_help("approve", "--yes", &self.task, "");
        assert_eq!(screen.code, 0, "{screen:?}");
        approver.next("true");
    }

    /// The deployer waits for the approvals, as they were advised, and runs what comes next.
    fn wait_and_run(&self, deployer: &Person, status: u8) -> Screen {
        let screen = deployer.next("");
        assert_eq!(screen.code, 0, "{screen:?}");
        let screen = deployer.next(&self.command(status));
        assert_eq!(screen.code, i32::from(status), "{screen:?}");
        screen
    }
}

fn deployed(work: &Work) {
    let deployer = work.person("deployer1", "alpha");
    let call = work.opens(&deployer, "--reason availability --change Iabc 5xx everywhere");
    work.approve(&call, &[("releng1", "releng")]);
    work.approve_here("sre1", "beta");
    work.wait_and_run(&deployer, 0);
    let reader = work.person("outsider", "gamma");
    assert_eq!(reader.starts(&format!("history {}", work.task)).code, 0);
    assert_eq!(reader.next("").code, 0);
}

fn rejected(work: &Work) {
    let deployer = work.person("deployer2", "beta");
    let call = work.opens(&deployer, "--reason abuse --action config bots make accounts");
    work.approve(&call, &[("releng2", "releng"), ("sre1", "sre")]);
    let objector = work.person("sre2", "alpha");
    let screen = objector.by_help("reject", "--note", &work.task, "");
    assert_eq!(screen.code, 2, "{screen:?}");
    let no = objector.again_with("--yes");
    assert_eq!(no.code, 0, "{no:?}");
    let screen = deployer.by_help("run", "-- scap", &work.task, &work.command(0));
    assert_eq!(screen.code, 125, "{screen:?}");
    objector.writes(&screen, &work.task, "Emergency-Withdraw: sre");
    let screen = deployer.next("");
    assert_eq!(screen.code, 0, "{screen:?}");
}

fn reason_changes(work: &Work) {
    let deployer = work.person("deployer1", "gamma");
    let call = work.opens(&deployer, "--reason functionality nobody can log in");
    work.approve(&call, &[("both", "releng"), ("sre2", "sre")]);
    let screen = deployer.starts(&format!("request {} --reason data-loss edits are lost", work.task));
    assert_eq!(screen.code, 2, "{screen:?}");
    let call = deployer.again_with("--yes");
    assert_eq!(call.code, 0, "{call:?}");
    work.approve(&call, &[("both", "releng"), ("sre2", "sre")]);
    work.wait_and_run(&deployer, 0);
}

/// With the token of the recorder, who has to be given who deploys.
fn rolled_back(work: &Work) {
    let recorder = work.person("phabgate", "alpha");
    let call = work.opens(&recorder, "--reason functionality --deployer deployer2 no styles");
    work.approve(&call, &[("releng1", "releng"), ("both", "sre")]);
    work.wait_and_run(&recorder, 3);
    let screen = recorder.next(&work.command(0));
    assert_eq!(screen.code, 0, "{screen:?}");
}

fn waits(work: &Work) {
    let deployer = work.person("releng2", "gamma");
    let call = work.opens(&deployer, "--reason availability --action rollback the cache is down");
    let screen = deployer.by_help("run", "-- scap", &work.task, &work.command(0));
    assert_eq!(screen.code, 125, "{screen:?}");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| deployer.next(""));
        work.approve(&call, &[("releng1", "releng")]);
        work.approve_here("sre2", "gamma");
        let screen = waiting.join().unwrap();
        assert_eq!(screen.code, 0, "{screen:?}");
    });
}

fn by_hand(work: &Work) {
    let deployer = work.person("deployer1", "beta");
    let call = work.opens(&deployer, "--reason abuse scrapers");
    work.approve(&call, &[("releng1", "releng"), ("sre1", "sre")]);
    assert_eq!(deployer.next("true").code, 0);
    std::fs::write(work.ran(), "by hand\n").unwrap();
    let screen = deployer.by_help("record", "--command", &work.task, "scap by hand");
    assert_eq!(screen.code, 0, "{screen:?}");
}

fn taken_over(work: &Work) {
    let first = work.person("deployer1", "alpha");
    let call = work.opens(&first, "--reason availability the queue is stuck");
    work.approve(&call, &[("releng2", "releng"), ("sre2", "sre")]);
    let second = work.person("deployer2", "beta");
    let screen = second.by_help("run", "-- scap", &work.task, &work.command(0));
    assert_eq!(screen.code, 125, "{screen:?}");
    let again = second.hinted(&screen, "request");
    assert_eq!(again.code, 2, "{again:?}");
    let call = second.again_with("--yes");
    work.approve(&call, &[("releng2", "releng"), ("sre2", "sre")]);
    work.wait_and_run(&second, 0);
    // The first reads that it is somebody else's now.
    assert_eq!(first.next("true").code, 0);
}

fn security(work: &Work) {
    let deployer = work.person("deployer2", "gamma");
    let call = work.opens(&deployer, "--reason security a private wiki is public");
    work.approve(&call, &[("sre1", "sre")]);
    let both = work.person("both", "beta");
    let screen = both.by_help("approve", "--team sre", &work.task, "");
    assert_eq!(screen.code, 2, "{screen:?}");
    assert_eq!(both.again_with("--yes").code, 0);
    work.approve(&call, &[("releng1", "releng")]);
    work.approve_here("sec1", "alpha");
    work.wait_and_run(&deployer, 0);
}

fn closed(work: &Work) {
    let deployer = work.person("outsider", "alpha");
    let call = work.opens(&deployer, "--reason data-loss --change Idef uploads vanish");
    work.approve(&call, &[("both", "sre")]);
    work.approve_here("releng1", "gamma");
    work.day.site.edit("deployer1", &work.task, "status", "invalid");
    let screen = deployer.by_help("run", "-- scap", &work.task, &work.command(0));
    assert_eq!(screen.code, 125, "{screen:?}");
    work.day.site.edit("outsider", &work.task, "status", "open");
    let screen = deployer.next("");
    assert_eq!(screen.code, 0, "{screen:?}");
}

fn two_hosts(work: &Work) {
    let here = work.person("deployer1", "alpha");
    let there = work.person("deployer1", "gamma");
    let call = work.opens(&here, "--reason availability 5xx on login");
    work.approve(&call, &[("releng2", "releng"), ("sre1", "sre")]);
    let go = work.day.home.path().join("go");
    let script = format!("echo 0 >> {}; until [ -e {} ]; do sleep 0.1; done", work.ran().display(), go.display());
    let command = work.shell(&script);
    let count = || lines(&work.ran());
    let run = |person: &Person| person.by_help("run", "-- scap", &work.task, &command).code;
    std::thread::scope(|scope| {
        let (one, other) = (scope.spawn(|| run(&here)), scope.spawn(|| run(&there)));
        until("one of two is refused", || one.is_finished() || other.is_finished());
        assert!(count() <= 1, "two at once");
        std::fs::write(&go, "").unwrap();
        let mut codes = [one.join().unwrap(), other.join().unwrap()];
        codes.sort_unstable();
        assert_eq!(codes, [0, 125]);
    });
    assert_eq!(count(), 1);
}

fn killed(work: &Work) {
    let deployer = work.person("deployer2", "alpha");
    let call = work.opens(&deployer, "--reason abuse --action fix spam on every page");
    work.approve(&call, &[("both", "releng"), ("sre1", "sre")]);
    deployer.next("true");
    let script = format!("echo killed >> {}; kill -9 $PPID", work.ran().display());
    let screen = deployer.next(&work.shell(&script));
    assert_eq!(screen.code, 137, "{screen:?}");
    let screen = deployer.by_help("run", "-- scap", &work.task, &work.command(0));
    assert_eq!(screen.code, 125, "{screen:?}");
    let settled = deployer.hinted(&screen, "outbox");
    assert_eq!(settled.code, 0, "{settled:?}");
    let screen = deployer.by_help("run", "-- scap", &work.task, &work.command(0));
    assert_eq!(screen.code, 0, "{screen:?}");
}

/// Nobody deploys, and it is closed as if somebody had.
fn abandoned(work: &Work) {
    let deployer = work.person("outsider", "beta");
    let call = work.opens(&deployer, "--reason functionality the search is empty");
    work.approve(&call, &[("sre2", "sre")]);
    let screen = deployer.by_help("run", "-- scap", &work.task, &work.command(0));
    assert_eq!(screen.code, 125, "{screen:?}");
    work.day.site.edit("outsider", &work.task, "status", "resolved");
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap_or_default().lines().count()
}
