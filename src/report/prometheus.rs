//! The report for monitoring: Prometheus' text format, as the textfile collector of node_exporter reads it.
//!
//! Responsible for the figures as metrics. Every finding has one, if only of 0, so that an alert has something to
//! watch. Months are not exported: a monitor keeps its own time.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::Report;
use super::figures::{NO_REASON, Spread};
use crate::audit::findings;

/// What a reason is called that the policy does not know.
const UNKNOWN_REASON: &str = "other";

/// Writes the report as metrics.
///
/// # Errors
/// Where it cannot be written.
pub fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let figures = report.figures;
    let mut metric = |name: &str, kind: &str, help: &str, values: &[(String, String)]| {
        writeln!(out, "# HELP phabgate_audit_{name} {help}\n# TYPE phabgate_audit_{name} {kind}")?;
        values.iter().try_for_each(|(labels, value)| writeln!(out, "phabgate_audit_{name}{labels} {value}"))
    };
    let plain = |value: String| vec![(String::new(), value)];
    let time = plain(report.now.as_second().to_string());
    metric("time_seconds", "gauge", "When the audit began, by the server's clock.", &time)?;
    let complete = plain(u8::from(report.is_complete()).to_string());
    metric("complete", "gauge", "Whether every task could be read and judged.", &complete)?;
    let population = report.population;
    let tasks = [
        ("tagged", population.tagged),
        ("recorded", population.recorded),
        ("mirrored", population.mirrored),
        ("unseen", population.unseen),
    ];
    let tasks = tasks.map(|(kind, count)| (labels(&[("kind", kind)]), count.to_string()));
    let help =
        "The tasks that were audited: with the tag, with a record alone, known from the mirror alone, and not shown.";
    metric("tasks", "gauge", help, &tasks)?;
    let unread = plain(report.unread.len().to_string());
    metric("unread_tasks", "gauge", "Tasks that could not be read.", &unread)?;
    let mut cells: BTreeMap<(&str, &str, bool), usize> = BTreeMap::new();
    for ((reason, outcome, clean), count) in &figures.cells {
        // A record can say anything, and each new label is a new series of the monitor.
        let known = reason == NO_REASON || report.policy.reason(reason).is_some();
        *cells.entry((if known { reason } else { UNKNOWN_REASON }, outcome, *clean)).or_default() += count;
    }
    let cells = cells.into_iter().map(|((reason, outcome, clean), count)| {
        let clean = if clean { "yes" } else { "no" };
        (labels(&[("reason", reason), ("outcome", outcome), ("clean", clean)]), count.to_string())
    });
    let help = "The deploys on record, drills and those that never started left out, and whether there is no finding about them.";
    metric("deploys", "gauge", help, &cells.collect::<Vec<_>>())?;
    metric("drills", "gauge", "The deploys on record that were drills.", &plain(figures.drills.to_string()))?;
    let mut counts: BTreeMap<(&str, &str), usize> =
        findings::ALL.iter().map(|rule| ((rule.name, rule.severity.word()), 0)).collect();
    for ((severity, name), count) in &figures.findings {
        *counts.entry((name, severity.word())).or_default() += count;
    }
    let counts = counts
        .into_iter()
        .map(|((name, severity), count)| (labels(&[("name", name), ("severity", severity)]), count.to_string()));
    metric("findings", "gauge", "What was found, by name and severity.", &counts.collect::<Vec<_>>())?;
    for (name, spread, help) in [
        ("to_approve_seconds", &figures.to_approve, "From the tag to the last approval that was needed."),
        ("to_deploy_seconds", &figures.to_deploy, "From the last approval that was needed to the start."),
        ("duration_seconds", &figures.duration, "From the start to the end."),
    ] {
        summary(out, name, spread, help)?;
    }
    Ok(())
}

/// A spread as a summary. Where nothing is known of any deploy its count is 0, and it has no quantiles.
fn summary(out: &mut dyn Write, name: &str, spread: &Spread, help: &str) -> io::Result<()> {
    let name = format!("phabgate_audit_{name}");
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} summary")?;
    let known = spread.quantiles();
    if let Some(of) = known {
        for (quantile, seconds) in [("0.5", of.median), ("0.9", of.p90), ("1", of.longest)] {
            writeln!(out, "{name}{{quantile=\"{quantile}\"}} {seconds}")?;
        }
    }
    let (sum, count) = known.map_or((0, 0), |of| (of.sum, of.count));
    writeln!(out, "{name}_sum {sum}\n{name}_count {count}")
}

/// Labels as the format writes them; values are people's words at times.
fn labels(pairs: &[(&str, &str)]) -> String {
    let escaped = |value: &str| crate::text::inert(value).replace('\\', "\\\\").replace('"', "\\\"");
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_end_its_label() {
        assert_eq!(labels(&[("reason", "a\"} 1\n\\")]).matches('\n').count(), 0);
        assert!(labels(&[("reason", "a\"b\\")]).contains("a\\\"b\\\\"));
    }
}
