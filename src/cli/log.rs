//! Lines on standard error of what is done: API calls where that was asked for, and what a service does.
//!
//! Responsible for their form. Not responsible for what is logged.

use jiff::Timestamp;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::time::utc;

/// The time of a line, as the gate writes times.
struct Clock;

impl FormatTime for Clock {
    fn format_time(&self, line: &mut Writer<'_>) -> std::fmt::Result {
        write!(line, "{}", utc(Timestamp::now()))
    }
}

/// Logs what is at least of this level. A service says the time of each line, unless the system's journal notes it.
pub(super) fn install(level: tracing::Level, is_service: bool) {
    let subscriber = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    // Where standard error cannot be written, that could not be said there either: it would panic.
    let subscriber = subscriber.log_internal_errors(false).with_target(false);
    let says_time = is_service && std::env::var_os("JOURNAL_STREAM").is_none();
    // It is installed once.
    let _ = match says_time {
        true => tracing::subscriber::set_global_default(subscriber.with_timer(Clock).finish()),
        false => tracing::subscriber::set_global_default(subscriber.without_time().finish()),
    };
}
