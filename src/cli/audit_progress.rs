//! How far an audit has come, on standard error where a terminal is there.
//!
//! Responsible for one line that is drawn over, with an estimate where the end is known. Not responsible for what is
//! counted.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::audit::progress::{AuditProgress, AuditStep};

/// How often the line is drawn, a second.
const DRAWN: u8 = 10;
/// The room that the words beside the bar need.
const WORDS: usize = 60;

/// The line.
pub(super) struct ProgressLine {
    bar: ProgressBar,
    step: Option<AuditStep>,
    width: usize,
}

fn words(step: AuditStep) -> (&'static str, &'static str) {
    match step {
        AuditStep::List => ("listing", "tasks and comments of recorders"),
        AuditStep::Histories => ("reading", "changed tasks"),
        AuditStep::Comments => ("reading again", "comments"),
        AuditStep::Judge => ("judging", "tasks"),
    }
}

impl ProgressLine {
    /// A line of at most `width` columns; none where nobody would see it.
    pub(super) fn new(width: usize) -> Self {
        let target = match std::io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr_with_hz(DRAWN),
            false => ProgressDrawTarget::hidden(),
        };
        Self { bar: ProgressBar::with_draw_target(None, target), step: None, width }
    }

    /// Shows how far it has come.
    pub(super) fn show(&mut self, AuditProgress { step, done, of }: AuditProgress) {
        if self.step != Some(step) {
            self.step = Some(step);
            self.begin(step, of);
        }
        self.bar.set_position(done as u64);
    }

    fn begin(&self, step: AuditStep, of: Option<usize>) {
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
