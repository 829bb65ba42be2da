//! The port to the machine's own log.
//!
//! Responsible for the port, and for a line as data: its values are inert, in one line and cut. Not responsible for what is said
//! (`gate::logged`), for how a line reaches the log (`system_log` in the crate's root), nor for the journal of the gate
//! ([`crate::journal`]).

use std::fmt;

use crate::ids::DeployId;
use crate::text::shorten;

/// How many columns of a value are kept.
const LONGEST: usize = 512;

/// The log of the machine. That a line could not be written changes nothing for whoever writes it, so nothing is returned.
pub trait SystemLog: fmt::Debug + Send + Sync {
    /// Writes a line, at once or not at all.
    fn write(&self, entry: &LogEntry);
}

/// No log.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLog;

impl SystemLog for NoLog {
    fn write(&self, _: &LogEntry) {}
}

/// How much a line matters, as syslog(3) numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogPriority {
    /// Somebody should look at it.
    Warning = 4,
    /// It is what the gate is for.
    Notice = 5,
    /// Nothing was done.
    Info = 6,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// How much it matters.
    pub priority: LogPriority,
    /// It in words, for people.
    pub message: String,
    /// It for programs: names in lower case, such as `task`, and values. Both are inert and in one line.
    pub fields: Vec<(&'static str, String)>,
}

impl LogEntry {
    /// A line without fields.
    pub(super) fn new(priority: LogPriority, message: &str) -> Self {
        Self { priority, message: one_line(message), fields: Vec::new() }
    }

    pub(super) fn add(&mut self, name: &'static str, value: &str) {
        self.fields.push((name, one_line(value)));
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.add(name, value);
        self
    }

    pub(super) fn deploy(self, deploy: DeployId) -> Self {
        self.with("deploy", &deploy.to_string())
    }
}

/// A text that can do nothing but be read, in one line of a bounded length.
fn one_line(text: &str) -> String {
    let text: Vec<&str> = text.split_whitespace().collect();
    shorten(&text.join(" "), LONGEST)
}
