//! The figures of an audit: how many deploys there were, for which reasons, how they ended, how long all took, and how
//! many findings of which kind there are.
//!
//! Responsible for the figures as data, taken from one entry after the other. Drills are counted and leave all other
//! figures, but never the findings. Not responsible for how figures are shown.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::Serialize;

use super::entry::{DeployEntry, TaskEntry};
use crate::audit::{Finding, Severity};

/// The figures of an audit.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Deploys, drills and those that never started left out.
    pub deploys: usize,
    /// Deploys whose command never ran: they are in no other figure.
    pub not_started: usize,
    /// Deploys that were drills.
    pub drills: usize,
    /// Deploys, drills left out, about which nothing was found.
    pub clean: usize,
    /// Deploys by the category of the reason; `none` where there is none.
    pub reasons: BTreeMap<String, usize>,
    /// Deploys by how they ended.
    pub outcomes: BTreeMap<&'static str, usize>,
    /// Deploys by month, `2026-11`, in UTC, and within it by reason.
    pub months: BTreeMap<String, BTreeMap<String, usize>>,
    /// Deploys by reason, outcome and whether nothing was found about them.
    pub cells: BTreeMap<(String, &'static str, bool), usize>,
    /// From the tag to the last approval that was needed.
    pub to_approve: Spread,
    /// From the last approval that was needed to the start.
    pub to_deploy: Spread,
    /// From the start to the end.
    pub duration: Spread,
    /// Findings by severity and name, drills among them.
    pub findings: BTreeMap<(Severity, &'static str), usize>,
    /// How many columns the longest number of a task with a deploy takes.
    pub widest: usize,
}

/// How long something took, for all deploys of which that is known.
#[derive(Debug, Clone, Default)]
pub struct Spread {
    /// Whole seconds.
    seconds: Vec<u32>,
}

/// Some figures of a spread, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Quantiles {
    /// Of how many deploys it is known.
    pub count: usize,
    /// Half of them took no longer.
    pub median: u32,
    /// Nine of ten took no longer.
    pub p90: u32,
    /// The longest.
    pub longest: u32,
    /// All of them together.
    pub sum: u64,
}

/// What a reason is called where there is none.
pub const NO_REASON: &str = "none";

/// The bounds of the bins that a chart of times has, in seconds, and how each is called; what is longer than the last
/// has a bin of its own.
pub const BINS: [(u32, &str); 6] = [
    (60, "up to 1 min"),
    (300, "up to 5 min"),
    (900, "up to 15 min"),
    (3_600, "up to 1 h"),
    (14_400, "up to 4 h"),
    (43_200, "up to 12 h"),
];

impl Spread {
    fn add(&mut self, took: Option<SignedDuration>) {
        self.seconds.extend(took.map(|took| u32::try_from(took.as_secs()).unwrap_or(u32::MAX)));
    }

    /// The figures; `None` where nothing is known of any deploy. A quantile is the smallest of the known times that is
    /// no smaller than that share of them.
    pub fn quantiles(&self) -> Option<Quantiles> {
        let mut sorted = self.seconds.clone();
        sorted.sort_unstable();
        let longest = *sorted.last()?;
        let at = |tenths: usize| sorted.get((sorted.len() * tenths).div_ceil(10).saturating_sub(1)).copied();
        let sum = sorted.iter().map(|seconds| u64::from(*seconds)).sum();
        Some(Quantiles { count: sorted.len(), median: at(5)?, p90: at(9)?, longest, sum })
    }

    /// How many deploys are in each of the [`BINS`], and in the one of what is longer.
    pub fn bins(&self) -> [usize; BINS.len() + 1] {
        let mut bins = [0; BINS.len() + 1];
        for seconds in &self.seconds {
            let bin = BINS.iter().position(|(bound, _)| seconds <= bound).unwrap_or(BINS.len());
            bins[bin] += 1;
        }
        bins
    }
}

impl Figures {
    /// Takes a task in.
    pub fn add(&mut self, task: &TaskEntry) {
        for deploy in &task.deploys {
            match (deploy.not_started, deploy.drill) {
                (true, _) => self.not_started += 1,
                (false, true) => self.drills += 1,
                (false, false) => self.add_deploy(deploy, task.against(deploy).next().is_none()),
            }
        }
        if !task.deploys.is_empty() {
            self.widest = self.widest.max(task.task.to_string().len());
        }
        task.findings.iter().for_each(|finding| self.add_finding(finding));
    }

    /// How many deploys there are, drills and those that never started among them.
    pub fn all_deploys(&self) -> usize {
        self.deploys + self.drills + self.not_started
    }

    /// Takes in a finding.
    pub fn add_finding(&mut self, finding: &Finding) {
        *self.findings.entry((finding.severity, finding.name)).or_default() += 1;
    }

    fn add_deploy(&mut self, deploy: &DeployEntry, clean: bool) {
        let reason = deploy.reason.clone().unwrap_or_else(|| NO_REASON.to_owned());
        let month = deploy.time().strftime("%Y-%m").to_string();
        self.deploys += 1;
        self.clean += usize::from(clean);
        *self.reasons.entry(reason.clone()).or_default() += 1;
        *self.outcomes.entry(deploy.outcome_word()).or_default() += 1;
        *self.months.entry(month).or_default().entry(reason.clone()).or_default() += 1;
        *self.cells.entry((reason, deploy.outcome_word(), clean)).or_default() += 1;
        self.to_approve.add(deploy.to_approve());
        self.to_deploy.add(deploy.to_deploy());
        self.duration.add(deploy.duration());
    }

    /// How many findings there are of a severity.
    pub fn of(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|((of, _), _)| *of == severity).map(|(_, count)| count).sum()
    }

    /// The severity of the worst finding; `None` where there is none.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.keys().map(|(severity, _)| *severity).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_were_measured() {
        let spread = |seconds: &[u32]| Spread { seconds: seconds.to_vec() };
        assert_eq!(spread(&[]).quantiles(), None);
        let one = spread(&[7]).quantiles().unwrap();
        assert_eq!((one.count, one.median, one.p90, one.longest, one.sum), (1, 7, 7, 7, 7));
        let ten = spread(&[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]).quantiles().unwrap();
        assert_eq!((ten.median, ten.p90, ten.longest, ten.sum), (5, 9, 10, 55));
    }

    #[test]
    fn a_bin_holds_its_bound() {
        let spread = Spread { seconds: vec![0, 60, 61, 43_200, 43_201, u32::MAX] };
        assert_eq!(spread.bins(), [2, 1, 0, 0, 0, 1, 2]);
    }
}
