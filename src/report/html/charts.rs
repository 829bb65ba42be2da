//! Charts as SVG, drawn by pure functions of numbers.
//!
//! Responsible for bars that lie, bars that stand, and bars that stand in layers, with their scale. Widths are shares
//! of the room there is and heights are pixels, so that a chart fills a phone and a screen and its letters stay as
//! large as they are. Layers differ by pattern as well as by colour; both come from classes, so that they follow light
//! and dark. Not responsible for which numbers are shown, and the tables beside the charts.

use maud::{Markup, html};

use super::words::number;

/// How many layers have a look of their own; further ones share the last.
pub(super) const LOOKS: usize = 8;

/// A bar that lies.
#[derive(Debug)]
pub(super) struct BarRow {
    /// A sign before the label, in the colour of the bar.
    pub(super) sign: &'static str,
    /// What it stands for, short.
    pub(super) label: String,
    /// How much.
    pub(super) count: usize,
    /// The class of its colour.
    pub(super) class: String,
}

/// A bar that stands, in layers from the ground up.
#[derive(Debug)]
pub(super) struct Column {
    /// What is written below it, on two lines; nothing where it would only fill the room.
    pub(super) label: (String, String),
    /// What it stands for, in words.
    pub(super) words: String,
    /// A count for each layer.
    pub(super) layers: Vec<usize>,
}

impl Column {
    fn sum(&self) -> usize {
        self.layers.iter().sum()
    }
}

/// What a chart shows: a title, and the numbers in a sentence for those who cannot see it.
#[derive(Debug)]
pub(super) struct About<'a> {
    pub(super) title: &'a str,
    pub(super) numbers: String,
}

/// The marks of a scale that starts at 0 and reaches the greatest count, in whole steps of 1, 2 or 5 times a power of ten.
pub(super) fn scale(greatest: usize) -> Vec<usize> {
    let steps = (0..18).flat_map(|power| [1, 2, 5].map(|step| step * 10_usize.pow(power)));
    let step = steps.into_iter().find(|step| greatest.div_ceil(*step) <= 4).unwrap_or(greatest);
    (0..=greatest.div_ceil(step).max(1)).map(|mark| mark * step).collect()
}

/// A share in percent, as SVG takes it.
fn share(part: f64, whole: f64) -> String {
    let share = if whole > 0.0 { part * 100.0 / whole } else { 0.0 };
    format!("{share:.2}%")
}

/// Bars that lie below each other, each below its label and its count.
pub(super) fn bars(about: &About<'_>, bars: &[BarRow]) -> Markup {
    const ROW: usize = 38;
    let greatest = bars.iter().map(|bar| bar.count).max().unwrap_or(0).max(1) as f64;
    html! {
        svg.chart width="100%" height=(ROW * bars.len()) role="img" {
            title { (about.title) }
            desc { (about.numbers) }
            @for (bar, y) in bars.iter().zip((0..).step_by(ROW)) {
                text x="0" y=(y + 15) {
                    @if !bar.sign.is_empty() { tspan class=(&bar.class) { (bar.sign) } " " }
                    (bar.label)
                }
                text.count x="100%" y=(y + 15) text-anchor="end" { (number(bar.count)) }
                rect.track x="0" y=(y + 22) width="100%" height="8" rx="2" {}
                rect class=(&bar.class) x="0" y=(y + 22) width=(share(bar.count as f64, greatest)) height="8" rx="2" {}
            }
        }
    }
}

/// Bars that stand beside each other, each below its count and above its label, whose last word stands on a line of its
/// own.
pub(super) fn columns(about: &About<'_>, bars: &[(String, usize)]) -> Markup {
    const GROUND: f64 = 120.0;
    const TOP: f64 = 20.0;
    let greatest = bars.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1) as f64;
    let band = bars.len() as f64;
    html! {
        svg.chart width="100%" height="158" role="img" {
            title { (about.title) }
            desc { (about.numbers) }
            @for (at, (label, count)) in bars.iter().enumerate() {
                @let tall = *count as f64 / greatest * (GROUND - TOP);
                @let middle = share(at as f64 + 0.5, band);
                @let (above, below) = label.rsplit_once(' ').unwrap_or((label, ""));
                rect.plain x=(share(at as f64 + 0.14, band)) y=(format!("{:.1}", GROUND - tall)) width=(share(0.72, band))
                    height=(format!("{tall:.1}")) {}
                text class=(if *count == 0 { "zero" } else { "count" }) x=(middle) y=(format!("{:.1}", GROUND - tall - 6.0))
                    text-anchor="middle" { (number(*count)) }
                text.tick x=(middle) y="137" text-anchor="middle" { (above) }
                text.tick x=(middle) y="151" text-anchor="middle" { (below) }
            }
            line.ground x1="0" x2="100%" y1=(GROUND) y2=(GROUND) {}
        }
    }
}

/// Bars that stand in layers, with a scale at their left that stays where it is when they are pushed aside.
pub(super) fn layers(about: &About<'_>, bars: &[Column], class: &str) -> Markup {
    const GROUND: f64 = 180.0;
    const TOP: f64 = 12.0;
    let marks = scale(bars.iter().map(Column::sum).max().unwrap_or(0));
    let top = marks.last().copied().unwrap_or(1) as f64;
    let height = |count: usize| count as f64 / top * (GROUND - TOP);
    let at = |count: usize| format!("{:.1}", GROUND - height(count));
    // Few months would be as wide as walls.
    let band = bars.len().max(12) as f64;
    html! {
        div.plot {
            svg width="34" height="216" aria-hidden="true" {
                @for mark in &marks {
                    text.tick x="28" y=(format!("{:.1}", GROUND - height(*mark) + 4.0)) text-anchor="end" { (number(*mark)) }
                }
            }
            div.push tabindex="0" role="group" aria-label=(about.title) {
                svg class={ "chart " (class) } width="100%" height="216" role="img" {
                    title { (about.title) }
                    desc { (about.numbers) }
                    @for mark in marks.iter().skip(1) {
                        line.grid x1="0" x2="100%" y1=(at(*mark)) y2=(at(*mark)) {}
                    }
                    @for (place, bar) in bars.iter().enumerate() {
                        @let x = share(place as f64 + 0.15, band);
                        @let middle = share(place as f64 + 0.5, band);
                        g {
                            title { (bar.words) }
                            @for (layer, below, count) in stack(&bar.layers) {
                                rect class={ "l" (layer.min(LOOKS - 1)) } x=(x) y=(at(below + count)) width=(share(0.7, band))
                                    height=(format!("{:.1}", height(count))) {}
                            }
                        }
                        @if !bar.label.0.is_empty() { text.tick x=(middle) y="197" text-anchor="middle" { (bar.label.0) } }
                        @if !bar.label.1.is_empty() { text.tick x=(middle) y="211" text-anchor="middle" { (bar.label.1) } }
                    }
                    line.ground x1="0" x2="100%" y1=(GROUND) y2=(GROUND) {}
                }
            }
        }
    }
}

/// Each layer that is not empty: which one, how much is below it, and how much it is.
pub(super) fn stack(layers: &[usize]) -> Vec<(usize, usize, usize)> {
    let mut below = 0;
    let mut out = Vec::new();
    for (layer, count) in layers.iter().copied().enumerate() {
        if count > 0 {
            out.push((layer, below, count));
        }
        below += count;
    }
    out
}

/// The patterns that the looks of layers are made of; once a page. In CSS, `.l3` is filled with `#p3`.
pub(super) fn patterns() -> Markup {
    // Each is drawn over its colour, in the colour of the paper.
    const LINES: [&str; LOOKS] = [
        "",
        "M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4",
        "M2,2 h2 v2 h-2 z M6,6 h2 v2 h-2 z",
        "M0,2 H8 M0,6 H8",
        "M-2,6 l4,4 M0,0 l8,8 M6,-2 l4,4",
        "M2,0 V8 M6,0 V8",
        "M0,4 H8 M4,0 V8",
        "M0,0 h4 v4 h-4 z M4,4 h4 v4 h-4 z",
    ];
    html! {
        svg.patterns width="0" height="0" aria-hidden="true" {
            defs { @for (look, lines) in LINES.iter().enumerate() {
                pattern id={ "p" (look) } patternUnits="userSpaceOnUse" width="8" height="8" {
                    rect class={ "c" (look) } width="8" height="8" {}
                    @if !lines.is_empty() { path class={ "over o" (look) } d=(lines) {} }
                }
            } }
        }
    }
}
