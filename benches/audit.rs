//! How long an audit takes and how much memory: `cargo bench --bench audit -- 1000 10000` audits worlds of so many tasks
//! with fifteen transactions each.
//!
//! The sandbox serves the world in this process, and the release build of `phabgate` asks it from another one, so that
//! the time and the memory of the audit are its own. Each report is checked: it is complete, tells of every deploy, and
//! finds fault with the tasks that are wrong and with no other. A fast wrong audit is no result.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "clippy's exception for tests does not know benchmarks")]
#![allow(missing_docs, reason = "a program")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use common::Server;
use common::world::{WRONG, world};

/// How a run went.
struct Run {
    wall: Duration,
    /// The time that its own process ran.
    cpu: Duration,
    /// The time that the sandbox took to answer it.
    server: Duration,
    /// The most memory that it held, in KiB.
    peak: u64,
    calls: BTreeMap<String, usize>,
}

/// What the system says of a process: the most memory that it held, and how long it ran.
fn watch(process: u32) -> Option<(u64, Duration)> {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{process}/{name}")).ok();
    let status = read("status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let peak = peak.trim().strip_suffix(" kB")?.parse().ok()?;
    let stat = read("stat")?;
    // behind the name, which may hold anything: the time in user mode and in the kernel, in hundredths of a second
    let ticks =
        stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap_or(0));
    Some((peak, Duration::from_millis(ticks.sum::<u64>() * 10)))
}

/// `phabgate` as the recorder, with a home of its own.
fn phabgate(server: &Server, home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_phabgate"));
    let config = home.join("config.toml");
    std::fs::write(&config, "").unwrap();
    command.env_clear().env("HOME", home).env("PHABGATE_CONFIG", config);
    command.env("XDG_CACHE_HOME", home.join("cache")).env("XDG_STATE_HOME", home.join("state"));
    command.env("PHABGATE_URL", server.running.url.as_str());
    command.env("PHABGATE_TOKEN", server.running.token_of("phabgate").unwrap().unwrap());
    command.stdin(Stdio::null());
    command
}

/// How many calls of each method there were since there were so many.
fn calls_since(before: &BTreeMap<String, usize>, server: &Server) -> BTreeMap<String, usize> {
    let since = |(method, count): (String, usize)| {
        let made = count - before.get(&method).copied().unwrap_or_default();
        (made > 0).then_some((method, made))
    };
    server.running.counts().into_iter().filter_map(since).collect()
}

/// Runs the audit with its report in this file.
fn audit(server: &Server, home: &Path, format: &str, cache: &str, report: &Path) -> Run {
    let mut command = phabgate(server, home);
    command
        .args(["audit", "--format", format])
        .args((cache == "offline").then_some("--offline"))
        .stdout(File::create(report).unwrap());
    let (before, cpu) = (server.running.counts(), server.cpu());
    let begun = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut seen = (0, Duration::ZERO);
    let status = loop {
        // The system tells the high-water mark for as long as the process lives.
        seen = watch(child.id()).unwrap_or(seen);
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let wall = begun.elapsed();
    // Errors were found.
    assert_eq!(status.code(), Some(1), "the audit failed");
    let (peak, ran) = seen;
    Run { wall, cpu: ran, server: server.cpu() - cpu, peak, calls: calls_since(&before, server) }
}

/// The tasks that are wrong.
fn wrong(tasks: usize) -> BTreeSet<String> {
    (1..=tasks).filter(|number| number % WRONG == 0).map(|number| format!("T{number}")).collect()
}

fn check_json(path: &Path, tasks: usize) {
    let report: Value = serde_json::from_reader(std::io::BufReader::new(File::open(path).unwrap())).unwrap();
    assert_eq!(report["complete"], true, "{}", report["unread"]);
    let deploys = report["deploys"].as_array().unwrap();
    let of: BTreeSet<&str> = deploys.iter().map(|deploy| deploy["task"].as_str().unwrap()).collect();
    assert_eq!((deploys.len(), of.len()), (tasks, tasks), "deploys");
    let found = report["findings"].as_array().unwrap();
    let named: BTreeSet<String> = found.iter().map(|finding| finding["task"].as_str().unwrap().to_owned()).collect();
    assert_eq!(named, wrong(tasks), "findings: {:#?}", &found[..found.len().min(5)]);
}

fn check_csv(path: &Path, tasks: usize) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let of: BTreeSet<String> = reader.records().map(|row| row.unwrap()[0].to_owned()).collect();
    let tasks = (1..=tasks).map(|number| format!("T{number}"));
    assert!(tasks.into_iter().all(|task| of.contains(&task)), "a task is not in the table");
}

fn main() {
    let sizes = common::sizes(&[1_000, 10_000, 50_000]);
    println!(
        "{:>7}  {:<6} {:<7} {:>8} {:>9} {:>8} {:>9} {:>8}  calls",
        "tasks", "format", "cache", "wall s", "tasks/s", "cpu s", "server s", "peak MB"
    );
    for tasks in sizes {
        let server = Server::of(world(tasks));
        let scratch = tempfile::tempdir().unwrap();
        // The sandbox finds out where things are when it is first asked: that is no time of the audit.
        assert!(phabgate(&server, scratch.path()).args(["history", "T1"]).output().unwrap().status.success());
        for format in ["json", "csv"] {
            let home = scratch.path().join(format);
            std::fs::create_dir(&home).unwrap();
            for cache in ["cold", "warm", "offline"] {
                let report = home.join(format!("{cache}.{format}"));
                let run = audit(&server, &home, format, cache, &report);
                let calls: Vec<String> = run.calls.iter().map(|(method, count)| format!("{method} {count}")).collect();
                let wall = run.wall.as_secs_f64();
                println!(
                    "{tasks:>7}  {format:<6} {cache:<7} {wall:>8.2} {:>9.0} {:>8.2} {:>9.2} {:>8.1}  {}",
                    tasks as f64 / wall,
                    run.cpu.as_secs_f64(),
                    run.server.as_secs_f64(),
                    run.peak as f64 / 1024.0,
                    calls.join(", ")
                );
                match format {
                    "json" => check_json(&report, tasks),
                    _ => check_csv(&report, tasks),
                }
            }
        }
    }
}
