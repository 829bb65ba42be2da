//! What the webhook of an Alertmanager was sent, by what each page is known by.
//!
//! Responsible for reading it as it comes, and for what is wrong with it: a page that began twice, was said twice, or went on after it was over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use crate::pagers::{Pager, notified_by};

type Labels = BTreeMap<String, String>;

/// What was said of a page.
#[derive(Debug, Default)]
struct Said {
    starts: BTreeSet<String>,
    /// Whether it fired, each time.
    fires: Vec<bool>,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Heard {
    hook: Pager,
    said: Mutex<(usize, BTreeMap<Labels, Said>)>,
}

impl Heard {
    pub(super) fn new(hook: Pager) -> Self {
        Self { hook, said: Mutex::default() }
    }

    /// Reads what came since.
    pub(super) fn take(&self) {
        let (read, said) = &mut *self.said.lock().unwrap();
        let calls = self.hook.calls_from(*read);
        *read += calls.len();
        for (status, labels, starts) in notified_by(&calls) {
            let said = said.entry(labels).or_default();
            said.starts.insert(starts);
            said.fires.push(status == "firing");
        }
    }

    /// Whether a team was paged for a task at a stage.
    pub(super) fn is_paged(&self, task: &str, team: &str, stage: &str) -> bool {
        self.take();
        let is_it = |labels: &&Labels| labels["task"] == task && labels["team"] == team && labels["stage"] == stage;
        self.said.lock().unwrap().1.keys().any(|labels| is_it(&labels))
    }

    /// The tasks that somebody was paged for.
    pub(super) fn tasks(&self) -> BTreeSet<String> {
        self.said.lock().unwrap().1.keys().map(|labels| labels["task"].clone()).collect()
    }

    /// The pages that go on.
    pub(super) fn open(&self) -> Vec<String> {
        let all = &self.said.lock().unwrap().1;
        all.iter().filter(|(_, said)| said.fires.last() == Some(&true)).map(|(labels, _)| name(labels)).collect()
    }

    /// What is wrong, where an Alertmanager that forgot all so many times may have said a page again that goes on.
    pub(super) fn wrong(&self, restarts: u64) -> Vec<String> {
        let all = &self.said.lock().unwrap().1;
        let mut wrong = Vec::new();
        let mut stages: BTreeMap<[&str; 3], usize> = BTreeMap::new();
        for (labels, Said { starts, fires }) in all {
            let name = name(labels);
            if starts.len() != 1 {
                wrong.push(format!("{name}: began more than once: {starts:?}"));
            }
            let fired = fires.iter().filter(|fires| **fires).count() as u64;
            if fired > 1 + restarts {
                wrong.push(format!("{name}: paged {fired} times"));
            }
            let over = fires.iter().position(|fires| !fires).unwrap_or(fires.len());
            if fires[over..].contains(&true) {
                wrong.push(format!("{name}: fired again after it was resolved"));
            }
            *stages.entry(["task", "team", "stage"].map(|label| labels[label].as_str())).or_default() += 1;
        }
        // All of it took less than an hour.
        let often = stages.into_iter().filter(|(_, times)| *times > 1);
        wrong.extend(often.map(|(stage, times)| format!("{}: paged {times} times within an hour", stage.join(" "))));
        wrong
    }

    /// How much it was.
    pub(super) fn figures(&self) -> String {
        let all = &self.said.lock().unwrap().1;
        let starts: usize = all.values().map(|said| said.starts.len()).sum();
        let fired: usize = all.values().flat_map(|said| &said.fires).filter(|fires| **fires).count();
        let ended: usize = all.values().flat_map(|said| &said.fires).filter(|fires| !**fires).count();
        format!(
            "Alertmanager: {} label sets with {starts} starts, {fired} notifications that one fires, {ended} that one is resolved",
            all.len()
        )
    }
}

fn name(labels: &Labels) -> String {
    ["task", "episode", "team", "round", "stage"].map(|label| labels[label].as_str()).join("/")
}
