//! The words of a command line, before they are parsed and where they cannot be.
//!
//! Responsible for taking a time behind an option whether `=` or a blank stands between, and for naming what was meant by the slips that
//! are easily made. Not responsible for what the options mean.

use std::ffi::OsString;
use std::path::PathBuf;

use jiff::SignedDuration;

use super::Globals;
use crate::layout::{HINT, styled};
use crate::record::mask::quote;
use crate::task_argument;
use crate::text::inert;

/// The option of a command that takes a time or none, so that a blank before the time would leave it without.
fn option_with_time(command: &str) -> Option<&'static str> {
    match command {
        "check" | "run" => Some("--wait"),
        "record" => Some("--finished"),
        _ => None,
    }
}

/// The command line with `--wait 30m` and `--finished 03:14` written with `=`. What is no time is left as it is.
pub(super) fn joined(arguments: Vec<OsString>) -> Vec<OsString> {
    let Some(option) = first_word(&arguments).and_then(|command| option_with_time(&command)) else { return arguments };
    let is_time = |word: &str| match option {
        "--wait" => word.parse::<SignedDuration>().is_ok(),
        _ => super::record::stated(word).is_ok(),
    };
    let mut joined: Vec<OsString> = Vec::with_capacity(arguments.len());
    let mut words = arguments.into_iter();
    for word in words.by_ref() {
        if word == "--" {
            joined.push(word);
            break;
        }
        match (joined.last_mut(), word.to_str()) {
            (Some(before), Some(time)) if before == option && is_time(time) => {
                before.push("=");
                before.push(time);
            }
            _ => joined.push(word),
        }
    }
    joined.extend(words);
    joined
}

/// What was meant, for the slips that are easily made: a time behind `--wait` or `--finished` without `=`, a command without
/// `--`, and a task without a command.
pub(super) fn suggest_fix(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    let named = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    if error.kind() == ErrorKind::InvalidSubcommand {
        let task = named(ContextKind::InvalidSubcommand).filter(|text| task_argument::mentioned(text).is_some())?;
        return Some(format!("to see whether it may be deployed, type `phabgate check {}`", inert(&quote(task))));
    }
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let unknown = named(ContextKind::InvalidArg)?;
    let command = first_word(arguments)?;
    let option = option_with_time(&command);
    // Where the time stands before the task, the time was taken for the task, and the task is what is unknown.
    let is_time = |word: &str| word == unknown || word.starts_with(|first: char| first.is_ascii_digit());
    let mut pairs = arguments.windows(2).take_while(|pair| pair[1] != "--");
    let value = pairs.find(|pair| option.is_some_and(|option| pair[0] == option)).and_then(|pair| pair[1].to_str());
    if let (Some(option), Some(value)) = (option, value.filter(|value| is_time(value))) {
        return Some(format!("write {option}={}", inert(&quote(value))));
    }
    let bare = command == "run" && !unknown.starts_with('-') && arguments.iter().all(|word| word != "--");
    bare.then(|| "write the command after --, as in `phabgate run T1234 -- scap sync-world`".to_owned())
}

/// What clap says of a wrong command line, with its tips called what every other is called: a hint.
pub(super) fn with_own_label(said: &str) -> String {
    let relabelled = |line: &str| {
        let plain = anstream::adapter::strip_str(line).to_string();
        match plain.strip_prefix("  tip:") {
            Some(tip) => format!("{}{tip}", styled(HINT, "hint:")),
            None => line.to_owned(),
        }
    };
    said.split_inclusive('\n').map(relabelled).collect()
}

/// The options of a command line that cannot be parsed which every command needs again: those that say what is asked.
pub(super) fn globals(arguments: &[OsString]) -> Globals {
    let own = || arguments.iter().skip(1).take_while(|word| *word != "--").map(|word| word.to_string_lossy());
    let value = |option: &str| {
        let behind = own().zip(own().skip(1)).find(|(word, _)| word == option).map(|(_, value)| value.into_owned());
        let joined = own().find_map(|word| Some(word.strip_prefix(option)?.strip_prefix('=')?.to_owned()));
        joined.or(behind)
    };
    Globals {
        sandbox: own().any(|word| word == "--sandbox"),
        config: value("--config").map(PathBuf::from),
        url: value("--url"),
        ..Globals::default()
    }
}

/// Whether a command line that cannot be parsed is one of `run`.
pub(super) fn names_run(arguments: &[OsString]) -> bool {
    first_word(arguments).is_some_and(|word| word == "run")
}

/// The first word of a command line that is no option: its command.
fn first_word(arguments: &[OsString]) -> Option<String> {
    let with_value = ["--config", "--url", "--format", "--color"];
    let mut words = arguments.iter().skip(1);
    while let Some(word) = words.next() {
        let word = word.to_string_lossy();
        if with_value.contains(&word.as_ref()) {
            words.next();
        } else if !word.starts_with('-') {
            return Some(word.into_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(line: &str) -> String {
        let joined = joined(line.split(' ').map(OsString::from).collect());
        joined.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_tip_is_a_hint() {
        let said = "error: unrecognized subcommand 'chek'\n\n  \u{1b}[32mtip:\u{1b}[0m a similar one exists: 'check'\n\nUsage: x\n";
        let shown = anstream::adapter::strip_str(&with_own_label(said)).to_string();
        assert_eq!(shown, "error: unrecognized subcommand 'chek'\n\nhint: a similar one exists: 'check'\n\nUsage: x\n");
    }

    #[test]
    fn what_says_what_is_asked_is_found_where_nothing_can_be_parsed() {
        let of = |line: &str| {
            let found = globals(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
            (found.sandbox, found.config, found.url)
        };
        let config = Some(PathBuf::from("mine.toml"));
        assert_eq!(of("phabgate --config mine.toml --sandbox T1"), (true, config.clone(), None));
        assert_eq!(of("phabgate T1 --config=mine.toml --url https://x"), (false, config, Some("https://x".into())));
        assert_eq!(of("phabgate run T1 -- cmd --sandbox --config x"), (false, None, None));
    }

    #[test]
    fn a_time_may_stand_behind_a_blank() {
        for (line, expected) in [
            ("phabgate check T1 --wait 30m", "phabgate check T1 --wait=30m"),
            ("phabgate check --wait 1h T1", "phabgate check --wait=1h T1"),
            ("phabgate run T1 --wait 30m -- sh --wait 5m", "phabgate run T1 --wait=30m -- sh --wait 5m"),
            ("phabgate record T1 --finished 03:14", "phabgate record T1 --finished=03:14"),
            ("phabgate --format json record --finished now T1", "phabgate --format json record --finished=now T1"),
        ] {
            assert_eq!(join(line), expected);
        }
        for line in [
            "phabgate check --wait T1",
            "phabgate check T1 --wait",
            "phabgate record --finished T1",
            "phabgate outbox flush --wait 30m",
            "phabgate run T1 -- sleep --wait 30m",
            "phabgate",
        ] {
            assert_eq!(join(line), line);
        }
    }

    fn slip_of(line: &str) -> Option<String> {
        let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        suggest_fix(&super::super::definition().try_get_matches_from(&arguments).unwrap_err(), &arguments)
    }

    #[test]
    fn a_slip_names_what_was_meant() {
        assert_eq!(slip_of("phabgate check T1 --wait 30min5").as_deref(), Some("write --wait=30min5"));
        assert!(slip_of("phabgate run T1 echo hi").unwrap().contains("-- scap sync-world"));
        assert_eq!(slip_of("phabgate check --wait 1h T1").as_deref(), Some("write --wait=1h"));
        assert_eq!(slip_of("phabgate record T1 --finished 03:14").as_deref(), Some("write --finished=03:14"));
        assert_eq!(slip_of("phabgate record --finished 03:14 T1").as_deref(), Some("write --finished=03:14"));
        assert_eq!(slip_of("phabgate outbox flush --wait 30m"), None);
        assert!(slip_of("phabgate T5").unwrap().ends_with("`phabgate check T5`"));
        assert!(slip_of("phabgate --format json t5.").unwrap().ends_with("`phabgate check t5.`"));
        assert!(slip_of("phabgate https://h.example/T5#6").unwrap().contains("check 'https://h.example/T5#6'"));
        assert_eq!(slip_of("phabgate T5,T6"), None);
        assert_eq!(slip_of("phabgate chek"), None);
        assert_eq!(slip_of("phabgate check --wait T1 T2"), None);
        assert_eq!(slip_of("phabgate check T1 T2"), None);
        assert_eq!(slip_of("phabgate run T1 --frobnicate -- true"), None);
    }
}
