//! A line of the log as the two protocols write it.
//!
//! Responsible for the bytes; pure, with the time and the process passed in. Values come inert; where one were not, no line end in it
//! begins a field or a line of its own.

use jiff::Zoned;

use crate::gate::system_log::LogEntry;

/// The name of the gate in the log.
const IDENTIFIER: &str = "phabgate";

/// authpriv of syslog(3): who may do what, which not everybody reads.
const FACILITY: u8 = 10;

/// What the fields of the gate begin with in systemd's journal.
const PREFIX: &str = "PHABGATE_";

/// systemd's native protocol: a field a line, `NAME=value`; a value with line ends has its length in front.
pub(super) fn journald(entry: &LogEntry, process: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    field(&mut bytes, "MESSAGE", &entry.message);
    field(&mut bytes, "PRIORITY", &(entry.priority as u8).to_string());
    field(&mut bytes, "SYSLOG_IDENTIFIER", IDENTIFIER);
    field(&mut bytes, "SYSLOG_FACILITY", &FACILITY.to_string());
    field(&mut bytes, "SYSLOG_PID", &process.to_string());
    for (name, value) in &entry.fields {
        field(&mut bytes, &format!("{PREFIX}{}", name.to_ascii_uppercase()), value);
    }
    field(&mut bytes, "PHABGATE_VERSION", env!("CARGO_PKG_VERSION"));
    bytes
}

fn field(bytes: &mut Vec<u8>, name: &str, value: &str) {
    bytes.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        bytes.push(b'\n');
        let length = u64::try_from(value.len()).unwrap_or(u64::MAX);
        bytes.extend_from_slice(&length.to_le_bytes());
    } else {
        bytes.push(b'=');
    }
    bytes.extend_from_slice(value.as_bytes());
    bytes.push(b'\n');
}

/// What syslog(3) sends: RFC 3164 without the host, and behind it `name=value` for each field, in quotes where a value is no word.
pub(super) fn syslog(entry: &LogEntry, process: u32, now: &Zoned) -> Vec<u8> {
    let priority = u32::from(FACILITY) * 8 + u32::from(entry.priority as u8);
    let time = now.strftime("%b %e %H:%M:%S");
    let fields: Vec<String> = entry.fields.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
    format!("<{priority}>{time} {IDENTIFIER}[{process}]: {}", fields.join(" ")).into_bytes()
}

fn quoted(value: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.:/,@".contains(c);
    if !value.is_empty() && value.chars().all(is_word) {
        return value.to_owned();
    }
    let mut text = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => text.push(' '),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::system_log::LogPriority;

    fn entry(value: &str) -> LogEntry {
        let fields = vec![("event", "started".to_owned()), ("task", "T1".to_owned()), ("cmdline", value.to_owned())];
        LogEntry { priority: LogPriority::Notice, message: format!("T1: started: {value}"), fields }
    }

    fn at() -> Zoned {
        "2026-11-07T03:14:15+00:00[UTC]".parse().unwrap()
    }

    #[test]
    fn a_line_of_syslog_is_one_line_that_a_value_cannot_break_out_of() {
        let line = |value: &str| String::from_utf8(syslog(&entry(value), 7, &at())).unwrap();
        let head = "<85>Nov  7 03:14:15 phabgate[7]: event=started task=T1 cmdline=";
        assert_eq!(line("true"), format!("{head}true"));
        assert_eq!(line("a b=c"), format!("{head}\"a b=c\""));
        assert_eq!(line(""), format!("{head}\"\""));
        assert_eq!(line("x\" task=T2 \\"), format!("{head}\"x\\\" task=T2 \\\\\""));
        assert_eq!(line("x\n<0>Nov"), format!("{head}\"x <0>Nov\""));
    }

    #[test]
    fn a_field_of_the_journal_is_one_field_whatever_it_holds() {
        let plain = String::from_utf8(journald(&entry("true"), 7)).unwrap();
        assert_eq!(
            plain,
            format!(
                "MESSAGE=T1: started: true\nPRIORITY=5\nSYSLOG_IDENTIFIER=phabgate\nSYSLOG_FACILITY=10\nSYSLOG_PID=7\n\
                 PHABGATE_EVENT=started\nPHABGATE_TASK=T1\nPHABGATE_CMDLINE=true\nPHABGATE_VERSION={}\n",
                env!("CARGO_PKG_VERSION")
            )
        );
        let hostile = journald(&entry("x\nPRIORITY=0"), 7);
        let long = b"PHABGATE_CMDLINE\n\x0c\0\0\0\0\0\0\0x\nPRIORITY=0\nPHABGATE_VERSION=";
        assert!(hostile.windows(long.len()).any(|window| window == long));
    }
}
