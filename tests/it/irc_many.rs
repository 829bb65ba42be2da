//! Many emergencies that people answer on a real IRC network, while the watch is killed at random instants: what is on the tasks in the end, and
//! what was said in the channel.
//!
//! How many, and from which seed, is taken from `PHABGATE_IRC_EPISODES` and `PHABGATE_IRC_SEED`; without them there are some. A no that was said
//! to be recorded and is not there, a word that is there twice, a team that was asked twice and any line that was said twice fail; the
//! figures are printed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::irc_network::network::Person;
use crate::live_server::say;
use crate::paging_many::{number, pause};
use crate::site::Site;
use crate::witnessed::{Heard, witnesses};

/// How long somebody waits for an answer before they say it again, as `!help` says.
const ANSWER: Duration = Duration::from_secs(16);

/// How long all of it may take of one emergency, with a watch that is killed meanwhile.
const PATIENCE: Duration = Duration::from_secs(240);

/// Those who say yes and no, one of each team; each has one emergency at a time.
const PAIRS: [(&str, &str); 2] = [("sre1", "releng1"), ("sre2", "releng2")];

/// What becomes of an emergency.
const LIVES: [&str; 4] = ["approved", "rejected", "rejected and taken back", "approved and rejected"];

struct World<'a> {
    site: Arc<Site>,
    watch: &'a Mutex<Heard>,
    answers: AtomicUsize,
    repeated: AtomicUsize,
    lives: Mutex<BTreeMap<&'static str, usize>>,
    tasks: Mutex<Vec<String>>,
}

impl World<'_> {
    /// Says something until it is answered that it is recorded; returns how often it was said.
    fn says(&self, person: &mut Person, name: &str, line: &str, what: &str) -> Result<(), String> {
        let begun = Instant::now();
        let mark = format!("{name}: your {what} is recorded: ");
        while begun.elapsed() < PATIENCE {
            person.say(line);
            let end = Instant::now() + ANSWER;
            while let Some(left) = end.checked_duration_since(Instant::now()) {
                let Some(heard) = person.within(left, |heard| heard.contains(&format!("{name}: "))) else { break };
                if heard.contains(&mark) {
                    self.answers.fetch_add(1, Ordering::Relaxed);
                    let link = heard.rsplit(&mark).next().unwrap_or_default().trim().to_owned();
                    let (task, transaction) = link.rsplit_once('#').ok_or(format!("no link: {heard}"))?;
                    let task = task.rsplit('/').next().unwrap_or_default();
                    let is_there = witnesses(&self.site, task).iter().any(|(id, _)| *id == transaction);
                    return if is_there {
                        Ok(())
                    } else {
                        Err(format!("{task}: said to be recorded, and is not: {heard}"))
                    };
                }
                if heard.contains("REFUSED: ") {
                    return Err(format!("{line}: {heard}"));
                }
            }
            self.repeated.fetch_add(1, Ordering::Relaxed);
        }
        Err(format!("`{line}` is never answered"))
    }

    /// The code of what would be approved, as the bot says it.
    fn code(&self, person: &mut Person, task: &str) -> Result<String, String> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            person.say(&format!("!status {task}"));
            let mark = format!("; to approve: !approve {task} ");
            let found = person.within(ANSWER, |heard| heard.contains(&mark));
            let code = found.as_deref().and_then(|heard| heard.rsplit_once(&mark)?.1.split_whitespace().nth(1));
            if let Some(code) = code {
                return Ok(code.to_owned());
            }
        }
        Err(format!("{task}: its code is never said"))
    }

    fn verdict(&self, task: &str, wanted: &str) -> Result<(), String> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let output =
                self.watch.lock().unwrap().watching.command(&["check", task, "--format", "json"]).output().unwrap();
            let checked: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            if checked["verdict"] == wanted {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        Err(format!("{task} does not come to be {wanted}"))
    }

    /// One emergency, from its beginning to its end.
    fn live(&self, life: &'static str, pair: (&str, &str), people: &mut [Person; 2]) -> Result<(), String> {
        let task = self.watch.lock().unwrap().watching.emergency(life);
        self.tasks.lock().unwrap().push(task.clone());
        let (sre, releng) = pair;
        let [first, second] = people;
        let reject = format!("!reject {task} the graphs look wrong");
        match life {
            "approved" => {
                let code = self.code(first, &task)?;
                self.says(first, sre, &format!("!approve {task} sre {code}"), "yes")?;
                self.site.edit(releng, &task, "comment", "Emergency-Approve: releng");
                self.verdict(&task, "allowed")?;
            }
            "rejected" => {
                self.says(first, sre, &reject, "no")?;
                self.verdict(&task, "denied")?;
            }
            "rejected and taken back" => {
                self.says(first, sre, &reject, "no")?;
                self.says(first, sre, &format!("!withdraw {task}"), "withdrawal")?;
                self.verdict(&task, "pending")?;
            }
            "approved and rejected" => {
                let code = self.code(second, &task)?;
                self.says(second, releng, &format!("!approve {task} releng {code}"), "yes")?;
                self.says(first, sre, &reject, "no")?;
                self.says(second, releng, &reject, "no")?;
                self.verdict(&task, "denied")?;
            }
            other => unreachable!("{other}"),
        }
        self.site.edit("deployer1", &task, "status", "resolved");
        *self.lives.lock().unwrap().entry(life).or_default() += 1;
        Ok(())
    }

    /// What is wrong on the tasks.
    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for task in self.tasks.lock().unwrap().iter() {
            let mut words: BTreeMap<String, usize> = BTreeMap::new();
            let mut messages: BTreeMap<String, usize> = BTreeMap::new();
            for (_, text) in witnesses(&self.site, task) {
                let said = text.lines().next().unwrap_or_default().to_owned();
                let message = text.lines().find(|line| line.contains("\"message\"")).unwrap_or_default().to_owned();
                *words.entry(said).or_default() += 1;
                *messages.entry(message).or_default() += 1;
            }
            // Of a yes each has its own time.
            let twice = words.iter().filter(|(said, times)| **times > 1 && !said.contains("says yes"));
            wrong.extend(twice.map(|(said, times)| format!("{task}: {times} times on the task: {said}")));
            let twice = messages.iter().filter(|(_, times)| **times > 1);
            wrong.extend(twice.map(|(message, times)| format!("{task}: one message {times} times: {message}")));
        }
        wrong
    }
}

/// What the bot said by itself more than once.
fn said_twice(observer: &Person) -> Vec<String> {
    let mut said: BTreeMap<&str, usize> = BTreeMap::new();
    let own = ["is an emergency deploy", "may be deployed", "REJECTED by", "ended as an emergency", "still waits for"];
    for line in observer.seen() {
        let Some((_, text)) = line.split_once(" PRIVMSG #ops :") else { continue };
        if text.starts_with('T') && own.iter().any(|mark| text.contains(mark)) && !text.contains("open for") {
            *said.entry(text).or_default() += 1;
        }
    }
    said.into_iter()
        .filter(|(_, times)| *times > 1)
        .map(|(text, times)| format!("said {times} times: {text}"))
        .collect()
}

#[test]
fn whenever_the_watch_is_killed_no_no_is_lost_and_nothing_is_said_or_written_twice() {
    let many = number("PHABGATE_IRC_EPISODES", 2);
    let seed = number("PHABGATE_IRC_SEED", fastrand::u64(..1_000_000));
    let Some(heard) = Heard::with("\"verified\", \"witnessed\"") else { return };
    let mut observer = heard.first("outsider");
    let mut people: Vec<[Person; 2]> =
        PAIRS.iter().map(|(sre, releng)| [heard.person(sre), heard.person(releng)]).collect();
    let site = heard.watching.site.clone();
    let watch = Mutex::new(heard);
    let world = World {
        site,
        watch: &watch,
        answers: AtomicUsize::new(0),
        repeated: AtomicUsize::new(0),
        lives: Mutex::default(),
        tasks: Mutex::default(),
    };
    let (is_over, wrong, mut kills) = (AtomicBool::new(false), Mutex::new(Vec::new()), 0);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = people
            .iter_mut()
            .enumerate()
            .map(|(worker, people)| {
                let (world, wrong) = (&world, &wrong);
                scope.spawn(move || {
                    for life in (worker..usize::try_from(many).unwrap()).step_by(PAIRS.len()) {
                        if let Err(why) = world.live(LIVES[life % LIVES.len()], PAIRS[worker], people) {
                            wrong.lock().unwrap().push(why);
                        }
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            workers.into_iter().for_each(|worker| _ = worker.join());
            is_over.store(true, Ordering::Relaxed);
        });
        // Who reads nothing for long is put out.
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                observer.within(Duration::from_secs(1), |_| false);
            }
        });
        let mut random = Rng::with_seed(seed);
        while !is_over.load(Ordering::Relaxed) {
            pause(5.0 + 20.0 * random.f64(), &is_over);
            watch.lock().unwrap().watching.killed_and_started();
            kills += 1;
        }
    });
    // What is left to be said is said.
    let last = world.tasks.lock().unwrap().last().cloned().unwrap_or_default();
    observer.within(Duration::from_secs(30), |line| line.contains(&format!("{last} ended as an emergency")));
    let mut wrong = wrong.into_inner().unwrap();
    wrong.extend(world.wrong());
    wrong.extend(said_twice(&observer));
    say(&format!(
        "PHABGATE_IRC_SEED={seed}: {many} emergencies in {} s, {kills} kills; {} words answered as recorded, {} said again for want of an answer; \
         {} lines that one is an emergency, {} that one may be deployed, {} that one is rejected, {} that one ended; {:?}",
        begun.elapsed().as_secs(),
        world.answers.load(Ordering::Relaxed),
        world.repeated.load(Ordering::Relaxed),
        observer.count("is an emergency deploy"),
        observer.count("may be deployed (yes of"),
        observer.count("is REJECTED by"),
        observer.count("ended as an emergency"),
        world.lives.lock().unwrap(),
    ));
    assert_eq!(wrong, [""; 0], "PHABGATE_IRC_SEED={seed}");
}
