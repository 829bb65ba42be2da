//! How long it takes until the watch serves what a fresh `check` prints, and the table of that.
//!
//! Responsible for comparing them after one change, for not counting the time for which something was kept from working, and for what is
//! printed. Not responsible for what is changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::changes::Kind;
use super::watch::{Served, Verdict, Watch};

/// How long after a change a verdict that is not that of `check` is wrong.
const WRONG: Duration = Duration::from_secs(120);
/// How often the watch is asked.
const POLL: Duration = Duration::from_millis(200);
/// How long a check is believed to be fresh at first, and in the end, where the watch serves something else.
const FRESH: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));

/// What came of one change.
#[derive(Debug, Clone)]
pub(super) enum Measured {
    /// It changed nothing that is shown.
    Alike,
    /// It was served after so long; the check that printed it had ended then.
    After(Duration, Instant),
    /// It was not: what differs.
    Wrong(String),
}

/// Spans of time: when something kept the watch or the server from working, or was changed that no transaction of a task shows.
#[derive(Debug, Default)]
pub(super) struct Spans(Mutex<Vec<(Instant, Option<Instant>)>>);

impl Spans {
    /// Does something, and keeps how long that took.
    pub(super) fn during<T>(&self, what: impl FnOnce() -> T) -> T {
        let number = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.push((Instant::now(), None));
            all.len() - 1
        };
        let done = what();
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[number].1 = Some(Instant::now());
        done
    }

    /// Whether one of them lies between these, if only in part.
    pub(super) fn meet(&self, from: Instant, to: Instant) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().any(|(begun, end)| *begun < to && end.is_none_or(|end| end > from))
    }

    /// From when on the time counts of a change that was made then and was seen, or not seen yet, now.
    fn counts_from(&self, made: Instant, now: Instant) -> Instant {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = all.iter().filter(|(begun, _)| *begun <= now).map(|(_, end)| end.unwrap_or(now).min(now));
        ends.fold(made, Instant::max)
    }
}

/// Waits until the watch serves of a task what a fresh check prints. `before` is what it served before the change.
pub(super) fn measure(
    watch: &Watch<'_>,
    disturbances: &Spans,
    person: usize,
    task: u64,
    before: Option<&Verdict>,
    made: Instant,
) -> Measured {
    let mut tag: Option<String> = None;
    // What it served since the change and from when on, and what checks printed since then.
    let mut shown: Vec<(Verdict, Instant)> = Vec::new();
    let mut printed: Vec<(Verdict, Instant)> = Vec::new();
    let mut running = None;
    let (mut checked, mut fresh) = (None::<Instant>, FRESH.0);
    loop {
        if let Served::Verdict(verdict, known_by) = watch.served(person, task, tag.as_deref()) {
            if shown.last().is_none_or(|(last, _)| *last != verdict) {
                shown.push((verdict, Instant::now()));
            }
            tag = known_by;
        }
        if running.as_mut().is_some_and(super::watch::Check::has_ended)
            && let Some(verdict) = running.take().and_then(super::watch::Check::verdict)
            && printed.iter().all(|(known, _)| *known != verdict)
        {
            printed.push((verdict, Instant::now()));
        }
        let now = Instant::now();
        let find = |(verdict, at): &(Verdict, Instant)| {
            printed.iter().find(|(printed, _)| printed == verdict).map(|(verdict, ended)| (verdict, *at, *ended))
        };
        if let Some((verdict, at, ended)) = shown.iter().find_map(find) {
            if before == Some(verdict) {
                return Measured::Alike;
            }
            let from = disturbances.counts_from(made, at);
            return Measured::After(at.saturating_duration_since(from), ended);
        }
        let ends = disturbances.counts_from(made, now) + WRONG;
        if running.is_none() && now > ends && checked.is_some_and(|at| at > ends) {
            return Measured::Wrong(differences(
                task,
                shown.last().map(|(verdict, _)| verdict),
                printed.last().map(|(verdict, _)| verdict),
            ));
        }
        // What is served anew may be the answer to what somebody else changed since the check.
        let is_news = shown.last().is_some_and(|(_, at)| checked.is_none_or(|checked| *at > checked + FRESH.0));
        if running.is_none() && (is_news || checked.is_none_or(|at| at + fresh < now)) {
            running = watch.check(person, task);
            if running.is_some() {
                fresh = if checked.is_some() { (fresh * 2).min(FRESH.1) } else { fresh };
                checked = Some(now);
            }
        }
        std::thread::sleep(POLL);
    }
}

/// What differs between what is served and what a check prints.
fn differences(task: u64, served: Option<&Verdict>, checked: Option<&Verdict>) -> String {
    let (served, checked) = match (served, checked) {
        (Some(Some(served)), Some(Some(checked))) => (served, checked),
        (served, checked) => {
            let word = |verdict: Option<&Verdict>| match verdict {
                None => "nothing".to_owned(),
                Some(None) => "no open emergency".to_owned(),
                Some(Some(page)) => page["verdict"].to_string(),
            };
            return format!("T{task}: {} is served, {} is printed", word(served), word(checked));
        }
    };
    let mut differs = Vec::new();
    for (name, served) in served.as_object().into_iter().flatten() {
        let checked = &checked[name.as_str()];
        match (served.as_array(), checked.as_array()) {
            // Of a list those that differ.
            (Some(served), Some(checked)) if served != checked => {
                let only = |these: &[Value], others: &[Value]| {
                    Value::Array(these.iter().filter(|one| !others.contains(one)).cloned().collect())
                };
                let (served, checked) = (only(served, checked), only(checked, served));
                differs.push(format!("{name}: {served} is served, {checked} is printed"));
            }
            _ if served != checked => differs.push(format!("{name}: {served} is served, {checked} is printed")),
            _ => {}
        }
    }
    format!("T{task}: {}", differs.join("; "))
}

/// What came of all changes.
#[derive(Debug, Default)]
pub(super) struct Results(Mutex<BTreeMap<Kind, Vec<Measured>>>);

impl Results {
    /// One more; returns how many there are.
    pub(super) fn add(&self, kind: Kind, measured: Measured) -> usize {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(kind).or_default().push(measured);
        all.values().map(Vec::len).sum()
    }

    /// What was wrong.
    pub(super) fn wrong(&self) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wrong = all.iter().flat_map(|(kind, measured)| measured.iter().map(move |one| (kind, one)));
        wrong
            .filter_map(|(kind, one)| match one {
                Measured::Wrong(why) => Some(format!("{}: {why}", kind.word())),
                Measured::Alike | Measured::After(..) => None,
            })
            .collect()
    }

    /// Seconds by kind: the median, within which 95 of a hundred were served, and the longest.
    pub(super) fn table(&self) -> String {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = format!(
            "{:22}{:>7}{:>7}{:>7}{:>9}{:>9}{:>9}{:>7}{:>7}\n",
            "kind", "target", "count", "alike", "median", "95 %", "longest", "over", "wrong"
        );
        for (kind, measured) in &*all {
            let mut times: Vec<Duration> = Vec::new();
            let (mut alike, mut wrong) = (0, 0);
            for one in measured {
                match one {
                    Measured::Alike => alike += 1,
                    Measured::After(time, _) => times.push(*time),
                    Measured::Wrong(_) => wrong += 1,
                }
            }
            times.sort_unstable();
            let at = |percent: usize| match times.len() {
                0 => "-".to_owned(),
                count => format!("{:.1}", times[(count * percent).div_ceil(100).clamp(1, count) - 1].as_secs_f64()),
            };
            let over = times.iter().filter(|time| **time > kind.target()).count();
            let (median, most, longest) = (at(50), at(95), at(100));
            let (count, target) = (measured.len(), kind.target().as_secs());
            let _ = writeln!(
                table,
                "{:22}{target:>7}{count:>7}{alike:>7}{median:>9}{most:>9}{longest:>9}{over:>7}{wrong:>7}",
                kind.word()
            );
        }
        table
    }
}
