//! The months of a chart: those without deploys among them, and how they are labelled.
//!
//! Responsible for the calendar. A deploy states its own time, so one that states a time far away must not make the
//! page as long as the years between. Not responsible for charts.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::charts::{Column, LOOKS};
use crate::text::inert;

/// How many months a chart shows, and how many may be filled in.
pub(super) const CHARTED: usize = 120;

/// A month and its deploys by reason.
#[derive(Debug)]
pub(super) struct Month<'a> {
    /// `2026-11`.
    pub(super) name: String,
    counts: Option<&'a BTreeMap<String, usize>>,
}

const NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Month<'_> {
    /// All its deploys.
    pub(super) fn sum(&self) -> usize {
        self.counts.map_or(0, |counts| counts.values().sum())
    }

    /// Its deploys for a reason.
    pub(super) fn of(&self, reason: &str) -> usize {
        self.counts.and_then(|counts| counts.get(reason)).copied().unwrap_or(0)
    }

    /// Its bar. The last look stands for all reasons that have none of their own.
    pub(super) fn column(&self, at: usize, all: &[Month<'_>], reasons: &[(String, usize)]) -> Column {
        let mut layers: Vec<usize> = reasons.iter().map(|(name, _)| self.of(name)).collect();
        if layers.len() > LOOKS {
            let rest = layers.split_off(LOOKS - 1);
            layers.push(rest.iter().sum());
        }
        let parts = reasons.iter().map(|(name, _)| (name, self.of(name))).filter(|(_, count)| *count > 0);
        let parts: Vec<String> = parts.map(|(name, count)| format!("{} {count}", inert(name))).collect();
        let words = format!("{}: {}", self.name, if parts.is_empty() { "none".to_owned() } else { parts.join(", ") });
        Column { label: self.label(at, all), words, layers }
    }

    /// What is written below its bar: the month where there is room, and the year where it begins.
    fn label(&self, at: usize, all: &[Month<'_>]) -> (String, String) {
        let named = |month: &Month<'_>| all.len() <= 12 || (number_of(&month.name) % 12) % 3 == 0;
        if !named(self) {
            return (String::new(), String::new());
        }
        let (year, number) = (number_of(&self.name).div_euclid(12), number_of(&self.name).rem_euclid(12) as usize);
        let first = !all[..at].iter().any(named);
        let year = if first || number == 0 { year.to_string() } else { String::new() };
        (NAMES[number].to_owned(), year)
    }
}

/// How many months there were before this one since the year 0.
fn number_of(name: &str) -> i32 {
    let (year, month) = name.rsplit_once('-').unwrap_or((name, "01"));
    year.parse::<i32>().unwrap_or(0) * 12 + month.parse::<i32>().unwrap_or(1) - 1
}

/// The name of the month of this number.
fn name_of(number: i32) -> String {
    format!("{:04}-{:02}", number.div_euclid(12), number.rem_euclid(12) + 1)
}

/// The months in their order, those without deploys between others among them. Where a deploy states a time that is far
/// from the others or that is yet to come, the months between are left out.
pub(super) fn filled<'a>(months: &'a BTreeMap<String, BTreeMap<String, usize>>, now: Timestamp) -> Vec<Month<'a>> {
    let mut sorted: Vec<(i32, &BTreeMap<String, usize>)> =
        months.iter().map(|(name, counts)| (number_of(name), counts)).collect();
    sorted.sort_by_key(|(number, _)| *number);
    let now = number_of(&now.strftime("%Y-%m").to_string());
    let mut out: Vec<Month<'_>> = Vec::new();
    let mut before: Option<i32> = None;
    for (number, counts) in sorted {
        if let Some(before) = before.filter(|_| number <= now) {
            let gap = usize::try_from(number - before - 1).unwrap_or(0);
            if gap < CHARTED {
                out.extend((before + 1..number).map(|empty| Month { name: name_of(empty), counts: None }));
            }
        }
        out.push(Month { name: name_of(number), counts: Some(counts) });
        before = Some(number);
    }
    out
}

/// After how many months without a deploy what came before is no part of the chart.
const APART: usize = 12;

/// The months that a chart shows: the last ones up to `now`, back to where there was no deploy for a year. A single stray
/// time would squeeze all others otherwise.
pub(super) fn charted<'m, 'a>(months: &'m [Month<'a>], now: Timestamp) -> &'m [Month<'a>] {
    let now = number_of(&now.strftime("%Y-%m").to_string());
    let end = months.partition_point(|month| number_of(&month.name) <= now);
    let months = &months[..end];
    let mut start = end;
    for at in (0..end).rev().take(CHARTED) {
        let between = number_of(&months.get(start).unwrap_or(&months[at]).name) - number_of(&months[at].name);
        if usize::try_from(between).is_ok_and(|between| between > APART) {
            break;
        }
        if months[at].sum() > 0 {
            start = at;
        }
    }
    &months[start..]
}

/// The class by which a chart is wide enough for its months, in whole years.
pub(super) fn width_class(months: usize) -> String {
    format!("y{}", months.div_ceil(12).clamp(1, CHARTED / 12))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Counts = BTreeMap<String, BTreeMap<String, usize>>;

    fn counts(months: &[&str]) -> Counts {
        let one =
            |month: &&str| (month.to_string(), BTreeMap::from([("outage".to_owned(), 2), ("abuse".to_owned(), 1)]));
        months.iter().map(one).collect()
    }

    fn names(months: &[&str]) -> Vec<String> {
        let now = "2026-11-20T00:00:00Z".parse().unwrap();
        filled(&counts(months), now).iter().map(|month| format!("{} {}", month.name, month.sum())).collect()
    }

    #[test]
    fn months_without_deploys_between_others_are_there() {
        assert_eq!(names(&["2025-11", "2026-02"]), ["2025-11 3", "2025-12 0", "2026-01 0", "2026-02 3"]);
        assert!(names(&[]).is_empty());
    }

    #[test]
    fn a_time_that_is_far_away_does_not_fill_the_page() {
        assert_eq!(names(&["0001-01", "2026-10", "2026-11", "2031-05", "9999-12"]).len(), 5);
    }

    #[test]
    fn a_stray_time_is_no_part_of_the_chart() {
        let now = "2026-11-20T00:00:00Z".parse().unwrap();
        let shown = |months: &[&str]| {
            let counts = counts(months);
            let filled = filled(&counts, now);
            charted(&filled, now).iter().map(|month| month.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(shown(&["2019-03", "2026-09", "2026-11", "2031-05"]), ["2026-09", "2026-10", "2026-11"]);
        assert_eq!(shown(&["2025-11", "2026-11"]).len(), 13);
        assert_eq!(shown(&["2019-03"]), ["2019-03"]);
        assert!(shown(&["2031-05"]).is_empty() && shown(&[]).is_empty());
    }

    #[test]
    fn a_year_is_written_where_it_begins() {
        let all: Vec<String> = (0..14).map(|at| name_of(2025 * 12 + 9 + at)).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let counts = counts(&all);
        let months = filled(&counts, "2026-11-20T00:00:00Z".parse().unwrap());
        let reasons = [("outage".to_owned(), 1)];
        let columns: Vec<Column> = (0..14).map(|at| months[at].column(at, &months, &reasons)).collect();
        let label = |at: usize| (columns[at].label.0.as_str(), columns[at].label.1.as_str());
        assert_eq!([label(0), label(1), label(3), label(6)], [("Oct", "2025"), ("", ""), ("Jan", "2026"), ("Apr", "")]);
        assert_eq!((columns[0].words.as_str(), &columns[0].layers), ("2025-10: outage 2", &vec![2]));
    }

    #[test]
    fn reasons_without_a_look_share_the_last() {
        let reasons: Vec<(String, usize)> = (0..LOOKS + 3).map(|reason| (format!("r{reason}"), 1)).collect();
        let counts = Counts::from([("2026-11".to_owned(), reasons.iter().cloned().collect())]);
        let months = filled(&counts, "2026-11-20T00:00:00Z".parse().unwrap());
        assert_eq!(months[0].column(0, &months, &reasons).layers, [1, 1, 1, 1, 1, 1, 1, 4]);
        assert_eq!([width_class(0), width_class(12), width_class(13), width_class(999)], ["y1", "y1", "y2", "y10"]);
    }
}
