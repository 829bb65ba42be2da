//! The watch over a real Phorge whose tasks people change at random: whether and how soon it serves what a fresh `check` prints, and
//! whether each notice is there once and within its budget.
//!
//! Run where `PHABGATE_LIVE` names the state directory of a Phorge with its daemons (see [`super::live_server`]), `PHABGATE_LIVE_TOOLS` a
//! directory with `edit-comment.php`, `webhook.php` and `faultproxy.py`, and `PHABGATE_LIVE_SOURCE` the directory of its code; else they
//! are passed over with a word. One test at a time measures: `--test-threads 1`. How many changes are made, on how many tasks, and from
//! which seed, is taken from `PHABGATE_LIVE_CHANGES`, `PHABGATE_LIVE_TASKS` and `PHABGATE_LIVE_SEED`. Times are printed and not
//! asserted, since they depend on the machine; what is wrong, said twice or above the budget fails.

mod changes;
mod hidden;
mod locked;
mod measure;
mod said;
mod server;
mod watch;

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::process::Signal;

use changes::{PEOPLE, World};
use hidden::Hidden;
use said::said;
use server::{Part, Server, number, server};
use watch::Watch;

use crate::live_server::{Proxy, say};

/// How long it may take until everything that was to be said is said.
const QUIET: Duration = Duration::from_secs(180);

/// The faults of the proxy.
const FAULTS: [&str; 16] = [
    "refuse",
    "reset",
    "lost-reply",
    "truncate",
    "stall",
    "drip",
    "429",
    "502",
    "503",
    "504",
    "late-commit",
    "late-502",
    "html",
    "redirect",
    "garbage",
    "huge",
];

/// The seed of a run, which is printed.
fn seed(test: &str) -> u64 {
    let seed = number("PHABGATE_LIVE_SEED", fastrand::u64(..1_000_000));
    say(&format!("{test}: PHABGATE_LIVE_SEED={seed}"));
    seed
}

/// Waits so many seconds, drawn from a range, or until it is over.
fn pause(random: &mut Rng, seconds: RangeInclusive<u64>, goes_on: &dyn Fn() -> bool) {
    let until = Instant::now() + Duration::from_millis(random.u64(seconds.start() * 1_000..=seconds.end() * 1_000));
    while goes_on() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until nothing waits to be written.
fn quiet(watch: &Watch<'_>) {
    let begun = Instant::now();
    while watch.metric("outbox_records") != Some(0.0) && begun.elapsed() < QUIET {
        std::thread::sleep(Duration::from_secs(2));
    }
}

/// Prints what came of it all; returns what is wrong.
fn judged(test: &str, world: &World<'_>) -> Vec<String> {
    world.at_the_end();
    quiet(world.watch);
    let numbers = world.tasks.iter().map(|task| task.lock().unwrap().number);
    let said = said(&world.watch.server.live, numbers);
    let given_up = world.watch.metric("notices_given_up_total").unwrap_or_default();
    let kinds: Vec<String> = said.kinds.iter().map(|(kind, count)| format!("{count} {}", kind.word())).collect();
    say(&format!(
        "{test}:\n{}notices: {}; since the last start {given_up} given up; {} twice, {} above the budget",
        world.results.table(),
        kinds.join(", "),
        said.doubled.len(),
        said.over_budget.len()
    ));
    [world.results.wrong(), said.doubled, said.over_budget].concat()
}

/// Changes at random under a watch that asks there, with something that disturbs meanwhile; returns what is wrong.
fn disturbed(
    test: &str,
    (server, asks): (&Server, &str),
    (changes, tasks): (u64, u64),
    disturb: impl FnOnce(&World<'_>, &mut Rng, &dyn Fn() -> bool),
) -> Vec<String> {
    let seed = seed(test);
    let watch = Watch::start(server, asks, PEOPLE.len());
    let world = World::new(&watch, tasks);
    world.change(changes, seed, |goes_on| disturb(&world, &mut Rng::with_seed(seed), goes_on));
    judged(test, &world)
}

/// How many changes, on how many tasks.
fn many(changes: u64, tasks: u64) -> (u64, u64) {
    (number("PHABGATE_LIVE_CHANGES", changes), number("PHABGATE_LIVE_TASKS", tasks))
}

/// Nothing.
const FINE: [String; 0] = [];

#[test]
fn what_changes_at_random_is_served_as_check_prints_it() {
    let test = "what_changes_at_random_is_served_as_check_prints_it";
    let Some(server) = server(test) else { return };
    let wrong = disturbed(test, (&server, &server.live.url), many(100, 24), |_, _, _| {});
    assert_eq!(wrong, FINE);
}

#[test]
fn a_watch_that_is_killed_or_stopped_serves_it_and_says_nothing_twice() {
    let test = "a_watch_that_is_killed_or_stopped_serves_it_and_says_nothing_twice";
    let Some(server) = server(test) else { return };
    let wrong = disturbed(test, (&server, &server.live.url), many(100, 24), |world, random, goes_on| {
        while goes_on() {
            pause(random, 5..=20, goes_on);
            world.disturbances.during(|| match random.bool() {
                true => {
                    world.watch.kill();
                    world.watch.run();
                }
                false => {
                    world.watch.signal(Signal::STOP);
                    pause(random, 3..=20, goes_on);
                    world.watch.signal(Signal::CONT);
                }
            });
        }
    });
    assert_eq!(wrong, FINE);
}

#[test]
fn it_is_served_after_parts_of_the_server_were_away() {
    let test = "it_is_served_after_parts_of_the_server_were_away";
    let Some(server) = server(test) else { return };
    let wrong = disturbed(test, (&server, &server.live.url), many(100, 24), |world, random, goes_on| {
        while goes_on() {
            pause(random, 10..=25, goes_on);
            world.disturbances.during(|| {
                let _away = server.stop(Part::ALL[random.usize(..Part::ALL.len())]);
                pause(random, 3..=13, goes_on);
            });
        }
    });
    assert_eq!(wrong, FINE);
}

#[test]
fn it_is_served_after_any_fault_of_a_proxy_and_nothing_is_said_twice() {
    let test = "it_is_served_after_any_fault_of_a_proxy_and_nothing_is_said_twice";
    let Some(server) = server(test) else { return };
    let only = std::env::var("PHABGATE_LIVE_FAULTS").unwrap_or_else(|_| FAULTS.join(","));
    let mut wrong = Vec::new();
    for fault in only.split(',') {
        let proxy = RefCell::new(Proxy::start(&server.live, &server.proxy(), &[]));
        let asks = proxy.borrow().url.clone();
        let of_fault =
            disturbed(&format!("{test}, {fault}"), (&server, &asks), many(60, 12), |world, random, goes_on| {
                while goes_on() {
                    world.disturbances.during(|| {
                        let share = random.u32(30..=100);
                        proxy.borrow_mut().change(&[format!("*:{fault}:{:.2}", f64::from(share) / 100.0)]);
                        pause(random, 3..=12, goes_on);
                        proxy.borrow_mut().change(&[]);
                    });
                    pause(random, 10..=25, goes_on);
                }
            });
        wrong.extend(of_fault.into_iter().map(|what| format!("{fault}: {what}")));
    }
    assert_eq!(wrong, FINE);
}

#[test]
fn what_a_lock_in_the_database_made_late_is_served() {
    let test = "what_a_lock_in_the_database_made_late_is_served";
    let Some(server) = server(test) else { return };
    let watch = Watch::start(&server, &server.live.url, PEOPLE.len());
    let world = World::new(&watch, 6);
    for _ in 0..number("PHABGATE_LIVE_ROUNDS", 3) {
        world.change_behind_a_lock(20);
    }
    assert_eq!(judged(test, &world), FINE);
}

#[test]
fn it_is_served_while_many_hidden_tasks_are_edited() {
    let test = "it_is_served_while_many_hidden_tasks_are_edited";
    let Some(server) = server(test) else { return };
    let hidden = Hidden::new(&server, number("PHABGATE_LIVE_HIDDEN", 100));
    let mut wrong = disturbed(test, (&server, &server.live.url), many(100, 24), |world, random, goes_on| {
        while goes_on() {
            hidden.edit_all();
            wrong_of_hidden(world, &hidden);
            // One batch after the other would measure how busy the server is.
            pause(random, 20..=40, goes_on);
        }
    });
    let said = said(&server.live, hidden.tasks.iter().copied());
    wrong.extend(said.kinds.iter().map(|(kind, count)| format!("{count} {} on hidden tasks", kind.word())));
    assert_eq!(wrong, FINE);
}

/// Nothing is served of a task that the watch does not see.
fn wrong_of_hidden(world: &World<'_>, hidden: &Hidden<'_>) {
    for task in hidden.tasks.iter().take(3) {
        let served = world.served(0, *task);
        assert!(served.flatten().is_none(), "T{task} is hidden, and served");
    }
}

#[test]
fn a_watch_that_lost_its_store_says_nothing_twice() {
    let test = "a_watch_that_lost_its_store_says_nothing_twice";
    let Some(server) = server(test) else { return };
    let seed = seed(test);
    let (changes, tasks) = many(60, 12);
    let watch = Watch::start(&server, &server.live.url, PEOPLE.len());
    let world = World::new(&watch, tasks);
    for part in 0..2 {
        world.change(changes / 2, seed + part, |_| {});
        quiet(&watch);
        watch.end();
        watch.lose_the_store();
        watch.run();
    }
    assert_eq!(judged(test, &world), FINE);
}
