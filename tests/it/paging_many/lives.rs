//! What becomes of each emergency: what people do to it, and when.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::{Value, json};

use super::heard::Heard;
use crate::site::Site;

/// How long it may take until somebody is paged, with a service that is killed meanwhile.
const PATIENCE: Duration = Duration::from_secs(120);

/// What becomes of an emergency.
const LIVES: [&str; 12] = [
    "answered at once",
    "paged and approved",
    "paged and closed",
    "paged and untagged",
    "paged and a drill",
    "paged and rejected",
    "escalated and approved",
    "acknowledged by a team",
    "approved and taken back",
    "untagged and tagged again",
    "closed and opened again",
    "changed under the approvers",
];

const REASON: &str = "Emergency-Reason: availability - 5xx on every page";

pub(super) struct World<'a> {
    site: Arc<Site>,
    tag: Value,
    heard: &'a Heard,
    episodes: AtomicUsize,
    /// The tasks for which nobody may be woken.
    quiet: Mutex<Vec<String>>,
    lives: Mutex<BTreeMap<&'static str, usize>>,
}

impl<'a> World<'a> {
    pub(super) fn new(site: Arc<Site>, tag: Value, heard: &'a Heard) -> Self {
        Self { site, tag, heard, episodes: AtomicUsize::new(0), quiet: Mutex::default(), lives: Mutex::default() }
    }

    /// How many episodes there were of those who may open them.
    pub(super) fn episodes(&self) -> usize {
        self.episodes.load(Ordering::Relaxed)
    }

    /// How many lives of each kind.
    pub(super) fn lives(&self) -> BTreeMap<&'static str, usize> {
        self.lives.lock().unwrap().clone()
    }

    fn tags(&self, who: &str, task: &str, kind: &str) {
        let edit = json!({"objectIdentifier": task, "transactions": [{"type": kind, "value": [self.tag]}]});
        self.site.call(who, "maniphest.edit", edit);
        if kind == "projects.add" && who == "deployer1" {
            self.episodes.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn begins(&self, who: &str, title: &str, description: &str) -> String {
        let task = self.site.task(who, title);
        self.site.edit(who, &task, "description", description);
        self.tags(who, &task, "projects.add");
        task
    }

    fn approve(&self, task: &str) {
        self.site.edit("releng1", task, "comment", "Emergency-Approve: releng");
        self.site.edit("sre1", task, "comment", "Emergency-Approve: sre");
    }

    fn paged(&self, task: &str, teams: &[&str], stage: &str) -> Result<(), String> {
        let begun = Instant::now();
        while !teams.iter().all(|team| self.heard.is_paged(task, team, stage)) {
            if begun.elapsed() > PATIENCE {
                return Err(format!("{task}: {teams:?} are not paged ({stage})"));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    /// One emergency, from its beginning to its end.
    pub(super) fn live(&self, number: u64, random: &mut Rng) -> Result<(), String> {
        let life = LIVES[usize::try_from(number).unwrap() % LIVES.len()];
        let mut wait = |most: f64| std::thread::sleep(Duration::from_secs_f64(most * random.f64()));
        let task = self.begins("deployer1", &format!("{life} {number}"), REASON);
        let edit = |who: &str, kind: &str, text: &str| self.site.edit(who, &task, kind, text);
        let both = ["releng", "sre"];
        match life {
            "answered at once" => {
                wait(6.0);
                self.approve(&task);
            }
            "paged and approved" => {
                self.paged(&task, &both, "page")?;
                wait(4.0);
                self.approve(&task);
            }
            "paged and closed" => {
                self.paged(&task, &both, "page")?;
                wait(2.0);
            }
            "paged and untagged" => {
                self.paged(&task, &both, "page")?;
                wait(2.0);
                self.tags("deployer1", &task, "projects.remove");
            }
            "paged and a drill" => {
                self.paged(&task, &both, "page")?;
                edit("deployer1", "description", &format!("{REASON}\nEmergency-Drill: yes"));
                wait(4.0);
            }
            "paged and rejected" => {
                self.paged(&task, &both, "page")?;
                edit("sec1", "comment", "Emergency-Reject: security - wait");
                wait(4.0);
            }
            "escalated and approved" => {
                self.paged(&task, &both, "escalation")?;
                self.approve(&task);
            }
            "acknowledged by a team" => {
                edit("sre1", "comment", "I am looking at it.");
                self.paged(&task, &["releng"], "page")?;
                wait(3.0);
                self.approve(&task);
            }
            "approved and taken back" => {
                self.paged(&task, &both, "page")?;
                self.approve(&task);
                wait(5.0);
                edit("sre1", "comment", "Emergency-Withdraw: sre");
                wait(8.0);
            }
            "untagged and tagged again" => {
                for _ in 0..2 {
                    wait(6.0);
                    self.tags("deployer1", &task, "projects.remove");
                    wait(1.0);
                    self.tags("deployer1", &task, "projects.add");
                }
                wait(8.0);
            }
            "closed and opened again" => {
                self.paged(&task, &both, "page")?;
                edit("deployer1", "status", "resolved");
                wait(3.0);
                edit("deployer1", "status", "open");
                self.episodes.fetch_add(1, Ordering::Relaxed);
                wait(8.0);
            }
            "changed under the approvers" => {
                wait(2.0);
                self.approve(&task);
                wait(3.0);
                edit("deployer1", "description", "Emergency-Reason: data-loss - rows vanish");
                self.paged(&task, &both, "page")?;
            }
            other => unreachable!("{other}"),
        }
        // Some stay open, with all that they need.
        let is_approved = matches!(life, "answered at once" | "paged and approved" | "escalated and approved");
        if !(is_approved && number.is_multiple_of(3)) {
            edit("deployer1", "status", "resolved");
        }
        *self.lives.lock().unwrap().entry(life).or_default() += 1;
        Ok(())
    }

    /// Somebody who is not trusted tags tasks, and takes the tag away and sets it again; and there are drills.
    pub(super) fn outsiders(&self, many: u64) {
        let mut theirs = Vec::new();
        for number in 0..many {
            theirs.push(self.begins("outsider", &format!("Wake up {number}"), REASON));
            let drill = self.begins("outsider", &format!("As if {number}"), &format!("{REASON}\nEmergency-Drill: yes"));
            self.tags("sre1", &drill, "projects.remove");
            self.tags("sre1", &drill, "projects.add");
            self.quiet.lock().unwrap().push(drill);
        }
        for task in &theirs {
            self.tags("outsider", task, "projects.remove");
            self.tags("outsider", task, "projects.add");
        }
        // Longer than it takes until somebody would be paged.
        std::thread::sleep(Duration::from_secs(15));
        self.quiet.lock().unwrap().extend(theirs);
    }

    /// The tasks that somebody was woken for all the same.
    pub(super) fn woken_by_who_may_not(&self) -> Vec<String> {
        let tasks = self.heard.tasks();
        let quiet = self.quiet.lock().unwrap();
        quiet.iter().filter(|task| tasks.contains(*task)).map(|task| format!("{task}: woke somebody")).collect()
    }
}
