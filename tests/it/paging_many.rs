//! Very many emergencies that are paged for through a real Alertmanager, while the service is killed at random instants and the Alertmanager
//! is started anew: who was woken, seen from where the pages arrive.
//!
//! How many, and from which seed, is taken from `PHABGATE_PAGING_EPISODES` and `PHABGATE_PAGING_SEED`; without them there are some. What was
//! paged twice, fired again after it was resolved, stayed open or was opened by who is not trusted fails; the figures are printed.

mod heard;
mod lives;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;

use heard::Heard;
use lives::World;

use crate::live_server::say;
use crate::pagers::{Alertmanager, Pager};
use crate::paging::{by_key, secret, tables};
use crate::watching::Watching;

/// How many emergencies are open at once.
const AT_ONCE: u64 = 16;

pub(crate) fn number(variable: &str, otherwise: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// Sleeps for a while, or until it is over.
pub(crate) fn pause(seconds: f64, is_over: &AtomicBool) {
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    while Instant::now() < until && !is_over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn whatever_is_killed_nobody_is_paged_twice_and_no_page_stays_open() {
    let many = number("PHABGATE_PAGING_EPISODES", 10);
    let seed = number("PHABGATE_PAGING_SEED", fastrand::u64(..1_000_000));
    let (hook, webhook) = (Pager::new(), Pager::new());
    let Some(mut alertmanager) = Alertmanager::start(&hook.url, "group_by: ['...'], group_wait: 0s") else { return };
    let directory = tempfile::tempdir().unwrap();
    let secret = secret(&directory);
    let tables = tables(Some(&alertmanager.url), Some((&webhook.url, &secret)), "");
    let tables = tables.replace("\"1s\"", "\"3s\"").replace("\"20m\"", "\"7s\"");
    let mut watching = Watching::with(&tables);
    let heard = Heard::new(hook);
    let world = World::new(watching.site.clone(), watching.tag(), &heard);
    let (is_over, lived, wrong) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let (begun, mut kills, mut restarts) = (Instant::now(), 0, 0_u64);
    let outsiders = (many / 10).clamp(3, 50);
    std::thread::scope(|scope| {
        let workers = AT_ONCE.min(many);
        let all: Vec<_> = (0..workers)
            .map(|worker| {
                let (world, lived, wrong) = (&world, &lived, &wrong);
                scope.spawn(move || {
                    let mut random = Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(worker));
                    for life in (worker..many).step_by(usize::try_from(workers).unwrap()) {
                        if let Err(why) = world.live(life, &mut random) {
                            wrong.lock().unwrap().push(why);
                        }
                        lived.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .chain([scope.spawn(|| world.outsiders(outsiders))])
            .collect();
        scope.spawn(|| {
            all.into_iter().for_each(|worker| worker.join().unwrap());
            is_over.store(true, Ordering::Relaxed);
        });
        let mut random = Rng::with_seed(seed);
        while !is_over.load(Ordering::Relaxed) {
            pause(1.0 + 8.0 * random.f64(), &is_over);
            watching.killed_and_started();
            kills += 1;
            // Twice on the way.
            if lived.load(Ordering::Relaxed) as u64 * 3 >= many * (restarts + 1) && restarts < 2 {
                alertmanager.restart_orderly();
                restarts += 1;
            }
        }
    });
    let unresolved = || by_key(&webhook).into_iter().filter(|(_, events)| events.last().unwrap() != "resolve").count();
    let last = Instant::now();
    while !(heard.open().is_empty() && alertmanager.firing().is_empty() && unresolved() == 0) {
        heard.take();
        let open = (heard.open(), alertmanager.firing(), unresolved());
        assert!(last.elapsed() < Duration::from_secs(150), "PHABGATE_PAGING_SEED={seed}: these stay open: {open:#?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let took = begun.elapsed().as_secs();
    let mut wrong = wrong.into_inner().unwrap();
    wrong.extend(heard.wrong(restarts));
    wrong.extend(world.woken_by_who_may_not());
    let (mut triggers, mut resolves) = (0, 0);
    for (key, events) in by_key(&webhook) {
        let first = events.iter().position(|event| event == "resolve").unwrap_or(events.len());
        triggers += first;
        resolves += events.len() - first;
        if events[first..].iter().any(|event| event == "trigger") {
            wrong.push(format!("{key}: called again after it was resolved: {events:?}"));
        }
    }
    say(&format!(
        "PHABGATE_PAGING_SEED={seed}: {} episodes in {took} s, {outsiders} tasks of an outsider tagged twice, {kills} kills, \
         {restarts} restarts of the Alertmanager\n{}\nwebhook: {} keys, {triggers} triggers, {resolves} resolves",
        world.episodes(),
        heard.figures(),
        by_key(&webhook).len(),
    ));
    let lives: BTreeMap<&str, usize> = world.lives();
    say(&format!("{lives:?}"));
    assert_eq!(wrong, [""; 0], "PHABGATE_PAGING_SEED={seed}");
}
