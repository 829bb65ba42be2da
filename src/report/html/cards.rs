//! The figures: each a chart and a table with the same numbers.
//!
//! Responsible for which numbers a chart shows, their words, and the tables. Not responsible for how charts are drawn,
//! and how the numbers came about.

use maud::{Markup, html};

use super::super::Report;
use super::super::figures::{BINS, Figures, Spread};
use super::charts::{About, BarRow, LOOKS, bars, columns, layers, patterns};
use super::months::{self, Month};
use super::words::{number, percent, plural};
use crate::audit::{Severity, findings};
use crate::text::{Inert, inert, shorten};

/// How many columns a label of a chart may have.
const LABEL: usize = 28;

/// All figures.
pub(super) fn figures(report: &Report<'_>) -> Markup {
    let figures = report.figures;
    html! {
        @if figures.deploys > 0 || !figures.findings.is_empty() {
            h2 { "Figures" }
            div.cards {
                @if figures.deploys > 0 {
                    (by_month(report))
                    (by_reason(figures))
                    (by_outcome(figures))
                    (findings_card(figures))
                    (spread("", "From the tag to the last approval", &figures.to_approve, figures.deploys))
                    (spread("", "From the last approval to the start", &figures.to_deploy, figures.deploys))
                    (spread("last", "From the start to the end", &figures.duration, figures.deploys))
                } @else {
                    (findings_card(figures))
                }
            }
        }
    }
}

/// A card: its title, its chart, and its numbers for those who cannot see that.
fn card(class: &str, title: &str, chart: Markup, table: Markup) -> Markup {
    html! {
        section class={ "card " (class) } {
            h3 { (title) }
            (chart)
            details.table { summary { "As a table" } div.wide tabindex="0" role="group" aria-label={ (title) ", as a table" } { (table) } }
        }
    }
}

/// A table of counts and shares.
fn counts(what: &str, rows: &[(String, usize)], whole: usize) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { (what) } th.n scope="col" { "Deploys" } th.n scope="col" { "Share" } } }
            tbody { @for (name, count) in rows {
                tr { th scope="row" { (Inert(name)) } td.n { (number(*count)) } td.n { (percent(*count, whole)) } }
            } }
        }
    }
}

/// Numbers in a sentence.
fn sentence<'a>(numbers: impl IntoIterator<Item = (&'a str, usize)>) -> String {
    numbers.into_iter().map(|(name, count)| format!("{} {count}", inert(name))).collect::<Vec<_>>().join(", ")
}

/// Counts with the greatest first; what is equal in the order of names.
fn greatest_first<'a>(counts: impl Iterator<Item = (&'a str, usize)>) -> Vec<(String, usize)> {
    let mut sorted: Vec<(String, usize)> = counts.map(|(name, count)| (name.to_owned(), count)).collect();
    sorted.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    sorted
}

/// The reasons, the most frequent first: that is also the order of the layers and their looks.
fn reasons(figures: &Figures) -> Vec<(String, usize)> {
    greatest_first(figures.reasons.iter().map(|(name, count)| (name.as_str(), *count)))
}

/// The class of the look that a reason has in every chart.
fn look(at: usize) -> String {
    format!("l{}", at.min(LOOKS - 1))
}

fn by_reason(figures: &Figures) -> Markup {
    let rows = reasons(figures);
    // Where there are more than there are looks, the rest is one bar, as it is one layer of the months.
    let own = if rows.len() > LOOKS { LOOKS - 1 } else { rows.len() };
    let (own, rest) = rows.split_at(own);
    let bar = |(at, (name, count)): (usize, &(String, usize))| BarRow {
        sign: "",
        label: shorten(name, LABEL),
        count: *count,
        class: look(at),
    };
    let mut drawn: Vec<BarRow> = own.iter().enumerate().map(bar).collect();
    if !rest.is_empty() {
        let count = rest.iter().map(|(_, count)| count).sum();
        drawn.push(BarRow { sign: "", label: plural(rest.len(), "other reason"), count, class: look(own.len()) });
    }
    let numbers = sentence(rows.iter().map(|(name, count)| (name.as_str(), *count)));
    let chart = bars(&About { title: "Deploys by reason", numbers }, &drawn);
    card("", "Deploys by reason", chart, counts("Reason", &rows, figures.deploys))
}

fn by_outcome(figures: &Figures) -> Markup {
    let rows = greatest_first(figures.outcomes.iter().map(|(name, count)| (*name, *count)));
    let drawn: Vec<BarRow> = rows
        .iter()
        .map(|(name, count)| BarRow { sign: "", label: name.clone(), count: *count, class: "plain".to_owned() })
        .collect();
    let numbers = sentence(rows.iter().map(|(name, count)| (name.as_str(), *count)));
    let chart = bars(&About { title: "Deploys by outcome", numbers }, &drawn);
    card("", "Deploys by outcome", chart, counts("Outcome", &rows, figures.deploys))
}

fn by_month(report: &Report<'_>) -> Markup {
    let figures = report.figures;
    let names = reasons(figures);
    let months = months::filled(&figures.months, report.now);
    let charted = months::charted(&months, report.now);
    let hidden = months.iter().map(Month::sum).sum::<usize>() - charted.iter().map(Month::sum).sum::<usize>();
    let drawn: Vec<_> = charted.iter().enumerate().map(|(at, month)| month.column(at, charted, &names)).collect();
    let numbers = sentence(charted.iter().map(|month| (month.name.as_str(), month.sum())));
    let chart = html! {
        (patterns())
        ul.legend { @for (at, (name, _)) in names.iter().enumerate().take(LOOKS) {
            li {
                svg width="14" height="14" aria-hidden="true" { rect class=(look(at)) width="14" height="14" rx="2" {} }
                @if at == LOOKS - 1 && names.len() > LOOKS { (plural(names.len() - at, "other reason")) } @else { (shorten(name, LABEL)) }
            }
        } }
        (layers(&About { title: "Deploys by month and reason", numbers }, &drawn, &months::width_class(charted.len())))
        @if hidden > 0 {
            p.note { (plural(hidden, "deploy")) " far from these months not drawn; all are in the table." }
        }
    };
    card("full", "Deploys by month", chart, month_table(&months, &names))
}

fn month_table(months: &[Month<'_>], names: &[(String, usize)]) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Month" }
                th.n scope="col" { "Deploys" }
                @for (name, _) in names { th.n scope="col" { (shorten(name, LABEL)) } }
            } }
            tbody { @for month in months {
                tr {
                    th scope="row" { (month.name) }
                    td.n { (number(month.sum())) }
                    @for (name, _) in names { td.n { (number(month.of(name))) } }
                }
            } }
        }
    }
}

fn findings_card(figures: &Figures) -> Markup {
    let mut rows: Vec<(Severity, &str, usize)> =
        figures.findings.iter().map(|((severity, name), count)| (*severity, *name, *count)).collect();
    rows.sort_by(|left, right| right.0.cmp(&left.0).then(right.2.cmp(&left.2)).then(left.1.cmp(right.1)));
    let title = "Findings by kind and severity";
    if rows.is_empty() {
        return html! { section.card { h3 { (title) } p.none { "None." } } };
    }
    let bar = |(severity, name, count): &(Severity, &str, usize)| BarRow {
        sign: shape(*severity),
        label: name.to_string(),
        count: *count,
        class: severity.word().to_owned(),
    };
    let words: Vec<(String, usize)> =
        rows.iter().map(|(severity, name, count)| (format!("{} {name}", severity.word()), *count)).collect();
    let numbers = sentence(words.iter().map(|(words, count)| (words.as_str(), *count)));
    let meaning = |name: &str| findings::ALL.iter().find(|rule| rule.name == name).map_or("", |rule| rule.summary);
    let chart = html! {
        p.key {
            @for severity in [Severity::Error, Severity::Warning, Severity::Notice] {
                span { (super::words::mark(severity)) " " (number(figures.of(severity))) }
            }
        }
        (bars(&About { title, numbers }, &rows.iter().map(bar).collect::<Vec<_>>()))
    };
    let table = html! {
        table {
            thead { tr { th scope="col" { "Finding" } th scope="col" { "Severity" } th.n scope="col" { "Count" } th scope="col" { "Meaning" } } }
            tbody { @for (severity, name, count) in &rows {
                tr { th scope="row" { (name) } td { (severity.word()) } td.n { (number(*count)) } td.wrap { (meaning(name)) } }
            } }
        }
    };
    card("kinds", title, chart, table)
}

/// The shape of the mark of a severity; the style draws the same beside its word.
fn shape(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "■",
        Severity::Warning => "▲",
        Severity::Notice => "●",
    }
}

fn spread(class: &str, title: &'static str, spread: &Spread, deploys: usize) -> Markup {
    let Some(known) = spread.quantiles() else {
        return html! { section class={ "card " (class) } { h3 { (title) } p.none { "Not known of any deploy." } } };
    };
    let last = BINS.last().map_or(String::new(), |(_, name)| name.replace("up to ", "> "));
    let names = BINS.iter().map(|(_, name)| name.replace("up to ", "≤ ")).chain([last]);
    let bins: Vec<(String, usize)> = names.zip(spread.bins()).collect();
    let words = |seconds: u32| crate::time::rough(jiff::SignedDuration::from_secs(seconds.into()));
    let quantiles = [("Median", known.median), ("Nine of ten took up to", known.p90), ("Longest", known.longest)];
    let numbers = sentence(bins.iter().map(|(name, count)| (name.as_str(), *count)));
    let chart = html! {
        dl.quantiles { @for (name, seconds) in quantiles { div { dt { (name) } dd { (words(seconds)) } } } }
        (columns(&About { title, numbers }, &bins))
        p.note { "Known of " (number(known.count)) " of " (plural(deploys, "deploy")) "." }
    };
    card(class, title, chart, counts("Time", &bins, known.count))
}
