//! What an audit found, for people.
//!
//! Responsible for the text, section by section, of which each takes the tasks one after the other. Not responsible for
//! what is found, what of it is asked about, and the other forms.

use std::collections::BTreeMap;
use std::io::{self, Write};

use jiff::SignedDuration;

use super::entry::{DeployEntry, TaskEntry};
use super::figures::Spread;
use super::{AuditOutcome, LIMITS, Report};
use crate::audit::{Finding, Severity};
use crate::layout::{BAD, FAINT, GOOD, MIND, NAME, hanging, styled};
use crate::text::{columns, inert};
use crate::time::{rough, utc};

/// Writes the report in at most `width` columns.
///
/// # Errors
/// Where it cannot be written.
pub fn write(report: &Report<'_>, width: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", styled(NAME, "Deploys"))?;
    let mut none = true;
    let widest = report.figures.widest;
    report.tasks.visit(&mut |task| {
        none &= task.deploys.is_empty();
        task.deploys.iter().try_for_each(|deploy| out.write_all(deploy_line(task, deploy, widest, width).as_bytes()))
    })?;
    if none {
        writeln!(out, "  none")?;
    }
    out.write_all(figures(report, width).as_bytes())?;
    for severity in [Severity::Notice, Severity::Warning, Severity::Error] {
        if report.figures.of(severity) > 0 {
            let (style, title) = match severity {
                Severity::Error => (BAD, "Errors"),
                Severity::Warning => (MIND, "Warnings"),
                Severity::Notice => (NAME, "Notices"),
            };
            writeln!(out, "\n{}", styled(style, title))?;
            let general = report.general.iter().filter(|finding| finding.severity == severity);
            general
                .map(|finding| finding_lines(report, finding, width))
                .try_for_each(|text| out.write_all(text.as_bytes()))?;
            report.tasks.visit_found(&mut |task| {
                let findings = task.findings.iter().filter(|finding| finding.severity == severity);
                findings
                    .map(|finding| finding_lines(report, finding, width))
                    .try_for_each(|text| out.write_all(text.as_bytes()))
            })?;
        }
    }
    out.write_all(how_to_accept(report, width)?.as_bytes())?;
    out.write_all(missing(report, width).as_bytes())?;
    out.write_all(headline(report, width).as_bytes())
}

fn plural(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

fn deploy_line(task: &TaskEntry, deploy: &DeployEntry, widest: usize, width: usize) -> String {
    let time = deploy.time().strftime("%Y-%m-%d %H:%M").to_string();
    let label = task.task.to_string();
    let mut words = vec![
        inert(deploy.reason.as_deref().unwrap_or("no reason")),
        format!("by {}", inert(deploy.deployer.as_deref().unwrap_or("nobody known"))),
        if deploy.outcome.is_none() { "end unknown" } else { deploy.outcome_word() }.to_owned(),
    ];
    if deploy.is_rollback() {
        words.push("a rollback".to_owned());
    }
    let names: Vec<String> =
        deploy.counted().map(|approval| format!("{} ({})", inert(&approval.user), inert(&approval.team))).collect();
    words.push(match names.is_empty() {
        true => "approved by nobody".to_owned(),
        false => format!("approved by {}", names.join(", ")),
    });
    if deploy.drill {
        words.push("a drill".to_owned());
    }
    let count = task.against(deploy).count();
    if count > 0 {
        words.push(plural(count, "finding"));
    }
    let mark = if count == 0 { styled(GOOD, "ok  ") } else { styled(MIND, "look") };
    let head =
        format!("  {mark}  {time}  {}{}  ", styled(NAME, &label), " ".repeat(widest.saturating_sub(label.len())));
    hanging(&head, 2 + 4 + 2 + columns(&time) + 2 + widest + 2, &words.join(", "), width)
}

/// The figures; nothing where there is no deploy to take them of.
fn figures(report: &Report<'_>, width: usize) -> String {
    let figures = report.figures;
    if figures.deploys == 0 {
        return String::new();
    }
    fn list<K: AsRef<str>>(counts: &BTreeMap<K, usize>) -> String {
        let mut counts: Vec<_> = counts.iter().map(|(what, count)| (*count, inert(what.as_ref()))).collect();
        counts.sort_by(|one, two| two.0.cmp(&one.0).then_with(|| one.1.cmp(&two.1)));
        counts.into_iter().map(|(count, what)| format!("{what} {count}")).collect::<Vec<_>>().join(", ")
    }
    let months: BTreeMap<&str, usize> =
        figures.months.iter().map(|(month, reasons)| (month.as_str(), reasons.values().sum())).collect();
    let months = months.iter().map(|(month, count)| format!("{month} {count}")).collect::<Vec<_>>().join(", ");
    let drills = match figures.drills {
        0 => String::new(),
        drills => format!("; {} left out", plural(drills, "drill")),
    };
    let never = match figures.not_started {
        0 => String::new(),
        never => format!("; {never} that never started left out"),
    };
    let rows = [
        ("deploys", format!("{}, {} without a finding{drills}{never}", figures.deploys, figures.clean)),
        ("by reason", list(&figures.reasons)),
        ("by outcome", list(&figures.outcomes)),
        ("by month", months),
        ("tag to approval", times(&figures.to_approve)),
        ("approval to start", times(&figures.to_deploy)),
        ("start to end", times(&figures.duration)),
    ];
    let label = rows.iter().map(|(label, _)| label.len()).max().unwrap_or_default();
    let mut page = format!("\n{}\n", styled(NAME, "Figures"));
    for (name, words) in rows {
        page.push_str(&hanging(&format!("  {name:label$}  "), 2 + label + 2, &words, width));
    }
    page
}

fn times(spread: &Spread) -> String {
    let Some(of) = spread.quantiles() else { return "not known of any".to_owned() };
    // Times are whole seconds: what took none took up to one.
    let took = |seconds: u32| rough(SignedDuration::from_secs(seconds.max(1).into()));
    format!(
        "half within {}, nine of ten within {}, all within {} (known of {})",
        took(of.median),
        took(of.p90),
        took(of.longest),
        of.count
    )
}

fn finding_lines(report: &Report<'_>, finding: &Finding, width: usize) -> String {
    let style = match finding.severity {
        Severity::Error => BAD,
        Severity::Warning => MIND,
        Severity::Notice => NAME,
    };
    let id = finding.id();
    let label = inert(&id.about);
    let head = format!("  {}  {}  ", styled(NAME, &label), styled(style, finding.name));
    let indent = 2 + label.len() + 2;
    // The time is that of the transaction, not of what the words speak of.
    let url = format!("{}  {}", report.url_of(finding), utc(finding.time));
    let text = hanging(&head, indent + finding.name.len() + 2, &finding.message, width);
    let space = " ".repeat(indent);
    // By which it is accepted, where there is anything to accept.
    let id = match finding.severity {
        Severity::Notice => String::new(),
        _ if indent + columns(&url) + 2 + columns(&id.digest) <= width => format!("  {}", id.digest),
        _ => format!("\n{space}{}", id.digest),
    };
    format!("{text}{space}{}\n", styled(FAINT, &format!("{url}{id}")))
}

/// How a finding that was looked at is let be, by the example of the first of the worst.
fn how_to_accept(report: &Report<'_>, width: usize) -> io::Result<String> {
    let Some(worst) = report.worst().filter(|worst| *worst > Severity::Notice) else { return Ok(String::new()) };
    let is_worst = |finding: &&Finding| finding.severity == worst;
    let mut first = report.general.iter().find(is_worst).map(Finding::id);
    if first.is_none() {
        report.tasks.visit_found(&mut |task| {
            first = first.take().or_else(|| task.findings.iter().find(is_worst).map(Finding::id));
            Ok(())
        })?;
    }
    let Some(id) = first else { return Ok(String::new()) };
    let words = "To make a notice of one that was looked at, write its id and why under [audit] in the configuration:";
    // In one line however narrow the terminal is, so that it can be copied.
    let line = format!("accepted = [{{ finding = \"{}\", why = \"…\" }}]", inert(&id.to_string()));
    Ok(format!("\n{}  {line}\n", hanging("", 0, words, width)))
}

/// What could not be read, which the audit says nothing of.
fn missing(report: &Report<'_>, width: usize) -> String {
    let mut page = String::new();
    for unread in report.unread {
        let label = unread.task.to_string();
        let head = format!("  {}  ", styled(NAME, &label));
        page.push_str(&hanging(&head, 2 + label.len() + 2, &inert(&unread.why), width));
    }
    if report.unseen() > 0 {
        let words =
            format!("{} with the tag or a record that this account is not shown", plural(report.unseen(), "task"));
        page.push_str(&hanging("  ", 2, &words, width));
    }
    match page.is_empty() {
        true => page,
        false => format!("\n{}\n{page}", styled(BAD, "Not audited")),
    }
}

fn headline(report: &Report<'_>, width: usize) -> String {
    let figures = report.figures;
    let found = format!(
        "{}, {}, {}",
        plural(figures.of(Severity::Error), "error"),
        plural(figures.of(Severity::Warning), "warning"),
        plural(figures.of(Severity::Notice), "notice")
    );
    let (style, word, rest) = match report.outcome() {
        AuditOutcome::Incomplete => (BAD, "INCOMPLETE", format!("not all could be read; of the rest {found}")),
        AuditOutcome::Findings(Severity::Error) => (BAD, "FINDINGS", found),
        AuditOutcome::Findings(_) => (MIND, "FINDINGS", found),
        AuditOutcome::NoDeploys => (NAME, "NO DEPLOYS", report.no_deploys()),
        AuditOutcome::Compliant => (GOOD, "COMPLIANT", "nothing to find fault with".to_owned()),
    };
    let population = report.population;
    let mirrored = match population.mirrored {
        0 => String::new(),
        count => format!(", {count} more that once had one of these"),
    };
    let source = match report.offline {
        true => format!(" All of it is from the mirror, as of {}.", utc(report.now)),
        false => String::new(),
    };
    let read = format!(
        "{} with #{}, {} more with a record{mirrored}; {}.{source} {LIMITS}",
        plural(population.tagged, "task"),
        report.policy.tag,
        population.recorded,
        plural(figures.all_deploys(), "deploy")
    );
    let verdict = hanging(&format!("{}  ", styled(style, word)), word.len() + 2, &rest, width);
    format!("\n{verdict}{}", hanging("", 0, &read, width))
}
