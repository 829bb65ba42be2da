//! How far an audit has come, on standard error where a terminal is there.
//!
//! Responsible for one line that is drawn over, with an estimate where the end is known. Not responsible for what is
//! counted.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::audit::population::{Progress, Step};

/// How often the line is drawn, a second.
const DRAWN: u8 = 10;
/// The room that the words beside the bar need.
const WORDS: usize = 60;

/// The line.
pub(super) struct Bar {
    bar: ProgressBar,
    step: Option<Step>,
    width: usize,
}

fn words(step: Step) -> (&'static str, &'static str) {
    match step {
        Step::List => ("listing", "tasks and comments of recorders"),
        Step::Histories => ("reading", "changed tasks"),
        Step::Comments => ("reading again", "comments"),
        Step::Judge => ("judging", "tasks"),
    }
}

impl Bar {
    /// A line of at most `width` columns; none where nobody would see it.
    pub(super) fn new(width: usize) -> Self {
        let target = match std::io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr_with_hz(DRAWN),
            false => ProgressDrawTarget::hidden(),
        };
        Self { bar: ProgressBar::with_draw_target(None, target), step: None, width }
    }

    /// Shows how far it has come.
    pub(super) fn show(&mut self, Progress { step, done, of }: Progress) {
        if self.step != Some(step) {
            self.step = Some(step);
            self.begin(step, of);
        }
        self.bar.set_position(done as u64);
    }

    fn begin(&self, step: Step, of: Option<usize>) {
        let (doing, what) = words(step);
        let room = self.width.saturating_sub(WORDS).clamp(8, 30);
        let template = match of {
            Some(_) => format!("{doing} {{bar:{room}}} {{pos}} of {{len}} {what}, about {{eta}} left"),
            None => format!("{doing} {{spinner}} {{pos}} {what}"),
        };
        self.bar.reset();
        self.bar.set_length(of.map_or(u64::MAX, |of| of as u64));
        if let Ok(style) = ProgressStyle::with_template(&template) {
            self.bar.set_style(style.progress_chars("=> "));
        }
        // The line moves while a slow server keeps it waiting.
        self.bar.enable_steady_tick(Duration::from_millis(250));
    }

    /// Says something beside it.
    pub(super) fn aside(&self, say: impl FnOnce()) {
        self.bar.suspend(say);
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
