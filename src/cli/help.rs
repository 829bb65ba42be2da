//! What `--help` and the manual pages say below the options: examples, and how each command ends.
//!
//! Responsible for one entry a command, and putting them onto the command line's definition. Not responsible for the
//! options, which say what they are themselves, nor for variables and files ([`super::help_around`]).

use anstyle::Style;

use super::help_around::around;
use super::help_sudo::under_sudo;

/// An exit code and when a command ends with it.
pub(super) type Ending = (&'static str, &'static str);

/// What is said of a command beside its options.
#[derive(Debug)]
pub(super) struct HelpEntry {
    /// The command, as it is typed after `phabgate`.
    name: &'static str,
    /// What to type, and what that does.
    pub(super) examples: &'static [(&'static str, &'static str)],
    /// How it ends.
    pub(super) endings: &'static [Ending],
}

const WRONG: Ending = ("2", "the command line or the configuration is wrong");
const INCOMPLETE: Ending = ("3", "no usable answer from the server, or the output cannot be written");
const UNWRITTEN: Ending = ("3", "the output cannot be written");
const CREDENTIALS: Ending = ("4", "the credentials are missing, refused or unsafe");

/// How what asks nothing of the server ends.
const LOCAL: &[Ending] = &[("0", "done"), WRONG, UNWRITTEN];

/// How a verdict ends.
const VERDICT: &[Ending] = &[
    ("0", "allowed"),
    ("1", "denied"),
    WRONG,
    ("3", "undecided: no usable answer; or the output cannot be written"),
    CREDENTIALS,
    ("8", "pending: approvals can still come, also when --wait runs out"),
    ("130", "interrupted while it waited"),
];

/// How delivering ends.
const FLUSH: &[Ending] = &[
    ("0", "nothing is undelivered"),
    WRONG,
    ("3", "something stays in the outbox, or the server did not answer"),
    CREDENTIALS,
];

/// How what reads or writes one task ends.
const TASK: &[Ending] =
    &[("0", "done"), ("1", "the task is not visible to this account"), WRONG, INCOMPLETE, CREDENTIALS];

/// How an answer ends.
const ANSWER: &[Ending] = &[
    ("0", "the answer stands on the task, now or already"),
    ("1", "the answer would not count, was not confirmed, or may not be written; or the task is not visible"),
    ("2", "the command line or the configuration is wrong, the team is not clear, or --yes is missing"),
    ("3", "it is not certain that the answer stands on the task; type the same again"),
    CREDENTIALS,
];

/// Every command.
const ENTRIES: &[HelpEntry] = &[
    HelpEntry {
        name: "check",
        examples: &[
            ("phabgate check T1234", "say whether it may be deployed"),
            ("phabgate check T1234 --wait=30m", "wait for the approvals that are missing"),
            (
                "phabgate check T1234 --wait --server https://watch.example.org/",
                "and read the task when that watch says that it changed",
            ),
            ("phabgate check T1234 --format json | jq -r .verdict", "for a script"),
        ],
        endings: VERDICT,
    },
    HelpEntry {
        name: "run",
        examples: &[
            ("phabgate run T1234 -- scap sync-world", "run it if the task allows it, and record it there"),
            ("phabgate run T1234 --wait=30m -- scap sync-world", "wait for missing approvals first"),
            ("phabgate run T1234 --dry-run -- scap sync-world", "show what would be posted"),
        ],
        endings: &[
            ("N", "the command was run and ended with N"),
            ("128+N", "the command was run and killed by signal N"),
            ("125", "the command was not run: it is not allowed, or the gate failed"),
            ("126", "the command was not run: it was found and cannot be run"),
            ("127", "the command was not run: it was not found"),
            ("", "A command can end with these itself; --result FILE tells"),
        ],
    },
    HelpEntry {
        name: "record",
        examples: &[
            ("phabgate record T1234 --outcome succeeded --command 'scap sync-world'", "record what was done by hand"),
            (
                "phabgate record T1234 --started=03:02 --finished=03:09 --outcome succeeded",
                "with its times, of this host's zone",
            ),
            ("phabgate record T1234 --deploy ID --finished --outcome unknown", "close a deploy that was stranded"),
        ],
        endings: &[
            ("0", "posted, or queued and said so, whatever the verdict"),
            ("1", "the task is not visible to this account, or it was not confirmed"),
            WRONG,
            ("3", "the journal cannot be written"),
            CREDENTIALS,
        ],
    },
    HelpEntry {
        name: "request",
        examples: &[
            ("phabgate request T1234 --reason availability 5xx on every page", "open an emergency"),
            ("phabgate request T1234 --reason abuse --action config --change I0123abcd", "say what will be deployed"),
            ("phabgate request T1234 --reason outage search is down --send", "and ask for help in the channel"),
            ("phabgate request T1234 --reason data-loss --drill --yes", "a fire drill, without being asked"),
        ],
        endings: &[
            ("0", "done, or the task states all of it already"),
            ("1", "the task is closed or not visible, or it was not confirmed"),
            WRONG,
            ("3", "no clear answer: run it again; or the message was perhaps not sent"),
            CREDENTIALS,
        ],
    },
    HelpEntry {
        name: "announce",
        examples: &[
            ("phabgate announce T1234", "the message, with the name of the train's conductor"),
            ("phabgate announce T1234 --send", "say it in the channel too"),
            ("phabgate announce T1234 --conductor alice", "call somebody else"),
            ("phabgate announce T1234 --format json | jq -r .message", "for a bot"),
        ],
        endings: &[
            ("0", "done"),
            ("1", "the task is not visible; with --send, an approval would not be enough"),
            WRONG,
            ("3", "the server did not answer; or the message was perhaps not sent"),
            CREDENTIALS,
        ],
    },
    HelpEntry {
        name: "page",
        examples: &[
            ("phabgate page T1234 --team sre", "wake those on call for a team, after being asked"),
            ("phabgate page T1234 --escalate --yes", "the next stage, for all teams that are missing"),
            ("phabgate page T1234 --team sre --resolve", "it is over"),
        ],
        endings: &[
            ("0", "the pagers took it, or nobody is missing"),
            ("1", "nobody may be paged for it, which is said, or it was not confirmed"),
            WRONG,
            ("3", "a pager did not take it, or the server did not answer"),
            CREDENTIALS,
        ],
    },
    HelpEntry {
        name: "approve",
        examples: &[
            ("phabgate approve T1234", "show what is approved, ask, and approve it for your team"),
            ("phabgate approve T1234 --team sre --note 'I watch the graphs'", "for one of your teams, with a word"),
            ("phabgate approve T1234 --yes", "without being asked"),
        ],
        endings: ANSWER,
    },
    HelpEntry {
        name: "withdraw",
        examples: &[
            ("phabgate withdraw T1234", "take back what you said"),
            ("phabgate withdraw T1234 --team sre", "for one of your teams"),
        ],
        endings: ANSWER,
    },
    HelpEntry {
        name: "reject",
        examples: &[("phabgate reject T1234 --note 'it takes the databases down'", "stop the deploy, and say why")],
        endings: ANSWER,
    },
    HelpEntry {
        name: "outbox",
        examples: &[
            ("phabgate outbox list", "what is not yet on its task"),
            ("phabgate outbox flush --wait", "deliver it"),
        ],
        endings: FLUSH,
    },
    HelpEntry {
        name: "outbox list",
        examples: &[("phabgate outbox list --format json", "for a monitor")],
        endings: &[
            ("0", "nothing is undelivered"),
            WRONG,
            ("3", "something is undelivered; or the journal or the output cannot be used"),
        ],
    },
    HelpEntry {
        name: "outbox flush",
        examples: &[
            ("phabgate outbox flush", "from cron: deliver what can be delivered now"),
            ("phabgate outbox flush --wait", "until it is settled for each whether it arrived"),
            ("phabgate outbox flush --retry", "once the server may take what it refused"),
        ],
        endings: FLUSH,
    },
    HelpEntry {
        name: "outbox drop",
        examples: &[(
            "phabgate outbox drop 01939f2a-0000-7000-8000-000000000001 --why 'the task was destroyed'",
            "give up what can never reach its task",
        )],
        endings: &[
            ("0", "given up; the journal keeps it"),
            ("1", "it can still be delivered"),
            WRONG,
            ("3", "the journal or the server cannot be used"),
            CREDENTIALS,
        ],
    },
    #[cfg(feature = "serve")]
    HelpEntry {
        name: "serve",
        examples: &[
            ("phabgate serve", "watch, as the account of the token, on 127.0.0.1:8471"),
            ("phabgate serve --sandbox", "see it all without a server"),
        ],
        endings: &[
            ("0", "ended by SIGTERM or Ctrl-C"),
            WRONG,
            ("3", "the address or the store cannot be used"),
            CREDENTIALS,
        ],
    },
    #[cfg(feature = "serve")]
    HelpEntry {
        name: "token",
        examples: &[("phabgate token new dashboard", "make a token that reads")],
        endings: LOCAL,
    },
    #[cfg(feature = "serve")]
    HelpEntry {
        name: "token new",
        examples: &[
            ("phabgate token new dashboard", "make a token that reads"),
            (
                "phabgate token new ci --scope deploy --deployer alice --person bob",
                "one for a pipeline that deploys for alice, and that bob can start",
            ),
        ],
        endings: &[
            ("0", "made and shown: it is kept nowhere"),
            ("2", "no such token can stand in the configuration"),
            ("3", "no random bytes, or the output cannot be written"),
        ],
    },
    HelpEntry {
        name: "sandbox",
        examples: &[
            ("phabgate sandbox --list", "what there is to try, with the command for each"),
            ("phabgate sandbox", "serve the sandbox until interrupted; its tasks are pages in a browser"),
            ("phabgate sandbox --reset", "make its world new"),
            ("phabgate sandbox --fault maniphest.edit:lost-reply:0.5", "break some of the calls"),
        ],
        endings: &[("0", "done"), WRONG, ("3", "the world or the port cannot be used")],
    },
    HelpEntry {
        name: "history",
        examples: &[
            ("phabgate history T1234", "who did what, and what of it counts now"),
            ("phabgate history T1234 --format json", "the same for a program"),
        ],
        endings: TASK,
    },
    HelpEntry {
        name: "list",
        examples: &[
            ("phabgate list", "the open emergencies, the newest first"),
            ("phabgate list --format json | jq -r '.tasks[] | select(.verdict == \"pending\").url'", "for a bot"),
        ],
        endings: &[
            ("0", "all of them are shown, also where there is none"),
            WRONG,
            ("3", "the server did not answer, some could not be judged, or there are more than are shown"),
            CREDENTIALS,
        ],
    },
    HelpEntry {
        name: "browse",
        examples: &[
            ("phabgate browse T1234", "open the task with $BROWSER or xdg-open, and print its address"),
            ("phabgate browse T1234 --print", "print the address alone"),
        ],
        endings: LOCAL,
    },
    HelpEntry {
        name: "audit",
        examples: &[
            ("phabgate audit", "all deploys on record, and what broke the rules"),
            ("phabgate audit --since 2026-11 --until 2026-11", "those of a month; --since 2026-11-01 is a day"),
            ("phabgate audit --fail-on warning --format json", "for a program that minds warnings"),
            ("phabgate audit --format html > audit.html", "one page, to read, to hand on, to print"),
            ("phabgate audit --format prometheus > FILE.prom", "for node_exporter's textfile collector"),
            ("phabgate audit --offline", "judge what earlier audits read"),
        ],
        endings: &[
            ("0", "compliant, or no deploys: no finding of --fail-on or worse"),
            ("1", "findings of --fail-on or worse"),
            WRONG,
            ("3", "not all could be read or written, whatever was found in the rest"),
            CREDENTIALS,
        ],
    },
    HelpEntry {
        name: "doctor",
        examples: &[
            ("phabgate doctor", "is all there that a deploy will need"),
            ("phabgate doctor --task T1234", "try on this task whether records can be written"),
            ("phabgate doctor --format json", "for a monitor"),
        ],
        endings: &[
            ("0", "all is there; warnings are no failure"),
            ("1", "a check failed"),
            WRONG,
            ("3", "no usable answer from the server: something could not be checked, or written"),
            CREDENTIALS,
        ],
    },
    HelpEntry {
        name: "explain",
        examples: &[
            ("phabgate explain", "list all rules"),
            ("phabgate explain rejected", "the page of one rule"),
            ("phabgate explain team:sre", "a rule as a verdict names it"),
        ],
        endings: &[("0", "done"), ("2", "there is no such rule"), UNWRITTEN],
    },
    HelpEntry {
        name: "config",
        examples: &[
            ("phabgate config check", "is it right"),
            ("phabgate config show", "what is in force, and where it came from"),
        ],
        endings: LOCAL,
    },
    HelpEntry {
        name: "config show",
        examples: &[
            ("phabgate config show", "every setting and where it came from"),
            ("phabgate config show --config new.toml", "the same for a file that is not in force yet"),
        ],
        endings: LOCAL,
    },
    HelpEntry {
        name: "config check",
        examples: &[("phabgate config check --config new.toml", "check a file before it is put in force")],
        endings: LOCAL,
    },
    HelpEntry {
        name: "completions",
        examples: &[
            ("phabgate completions bash > /etc/bash_completion.d/phabgate", "for everyone's bash"),
            ("phabgate completions fish > ~/.config/fish/completions/phabgate.fish", "for your fish"),
        ],
        endings: LOCAL,
    },
    HelpEntry {
        name: "man",
        examples: &[
            ("phabgate man | man -l -", "read the page of phabgate"),
            ("phabgate man check | man -l -", "read the page of one command"),
            ("phabgate man --output /usr/local/share/man/man1", "install all pages"),
        ],
        endings: &[("0", "done"), ("2", "there is no such command, or the directory cannot be written"), UNWRITTEN],
    },
];

/// What is said of the command line as a whole.
const WHOLE: HelpEntry = HelpEntry {
    name: "",
    examples: &[
        ("phabgate check T1234", "say whether it may be deployed, and what is missing"),
        ("phabgate run T1234 -- scap sync-world", "run it if it may, and record it on the task"),
        ("phabgate --sandbox check T1", "try it without a server"),
        ("phabgate explain rejected", "what a rule means"),
    ],
    endings: &[
        ("0", "allowed, done"),
        ("1", "denied, or something was found"),
        WRONG,
        ("3", "undecided or incomplete: no usable answer, or the output cannot be written"),
        CREDENTIALS,
        ("8", "pending: approvals can still come"),
    ],
};

/// The entry of a command; that of the command line as a whole where `name` is empty.
pub(super) fn of(name: &str) -> Option<&'static HelpEntry> {
    match name {
        "" => Some(&WHOLE),
        name => ENTRIES.iter().find(|entry| entry.name == name),
    }
}

/// Adds examples and endings to the help of every command.
pub(super) fn dress(command: clap::Command) -> clap::Command {
    dress_below(command, "")
}

fn dress_below(command: clap::Command, name: &str) -> clap::Command {
    let command = command.mut_subcommands(|below| {
        let path = format!("{name} {}", below.get_name());
        dress_below(below, path.trim_start())
    });
    match of(name) {
        Some(entry) => command.after_help(entry.text()),
        None => command,
    }
}

impl HelpEntry {
    fn text(&self) -> String {
        let heading = Style::new().bold().underline();
        let mut text = format!("{heading}Examples:{heading:#}\n");
        for (typed, does) in self.examples {
            text.push_str(&format!("  {typed}\n      {does}\n"));
        }
        text.push_str(&format!("\n{heading}Exit codes:{heading:#}\n"));
        let width = self.endings.iter().map(|(code, _)| code.len()).max().unwrap_or_default();
        for (code, when) in self.endings {
            text.push_str(&format!("  {code:<width$}  {when}\n"));
        }
        let around = around(self.name);
        for (title, list) in [("Environment", around.environment), ("Files", around.files)] {
            if !list.is_empty() {
                text.push_str(&format!("\n{heading}{title}:{heading:#}\n"));
            }
            for (names, what) in list {
                text.push_str(&format!("  {names:<27}  {what}\n"));
            }
        }
        let lines = under_sudo(self.name);
        if !lines.is_empty() {
            text.push_str(&format!("\n{heading}Under sudo:{heading:#}\n"));
            for line in lines {
                text.push_str(&format!("  {line}\n"));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::definition;
    use super::super::help_sudo::UNDER_SUDO;
    use super::*;

    fn each(command: &clap::Command, path: &str, see: &mut impl FnMut(&str, &clap::Command)) {
        see(path, command);
        for below in command.get_subcommands() {
            each(below, format!("{path} {}", below.get_name()).trim_start(), see);
        }
    }

    #[test]
    fn every_command_has_a_purpose_an_example_of_itself_and_its_endings() {
        each(&definition(), "", &mut |path, command| {
            let purpose = command.get_about().expect(path).to_string();
            assert!(!purpose.ends_with('.') && !purpose.contains('\n'), "{path}: {purpose}");
            let entry = of(path).unwrap_or_else(|| panic!("`{path}` is missing in cli/help.rs"));
            assert!(!entry.examples.is_empty(), "{path}");
            assert!(entry.endings.iter().any(|(code, _)| matches!(*code, "2" | "125")), "{path}");
            let name = path.split(' ').next().unwrap_or_default();
            for (typed, _) in entry.examples {
                assert!(typed.contains(&format!("phabgate {name}")), "{path}: {typed}");
            }
        });
    }

    #[test]
    fn what_is_refused_under_sudo_says_so_in_its_help() {
        use clap::FromArgMatches;
        for line in [
            "check T1 --server https://watch.example/",
            "run T1 --as-root -- true",
            "approve T1",
            "withdraw T1",
            "reject T1",
            "outbox drop 01939f2a-0000-7000-8000-000000000001 --why gone",
            "config show",
            "config check",
            "sandbox",
            "man --output /man",
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            let matches = definition().try_get_matches_from([&["phabgate"], &words[..]].concat());
            let matches = matches.unwrap_or_else(|error| panic!("{line}: {error}"));
            let cli = super::super::Cli::from_arg_matches(&matches).unwrap();
            assert!(super::super::under_sudo::refusal(&cli).is_some(), "{line}");
            let lines =
                [words[..2.min(words.len())].join(" "), words[0].to_owned()].map(|path| under_sudo(&path).join(" "));
            assert!(lines.iter().any(|lines| lines.contains("refused")), "{line}");
        }
        for (path, _) in UNDER_SUDO {
            assert!(of(path).is_some(), "{path}");
        }
    }

    #[test]
    fn every_command_that_the_gate_adapts_is_one() {
        use crate::gate::invocation::{IN_SANDBOX, THROUGH_SUDO};
        let definition = definition();
        let known: Vec<&str> = definition.get_subcommands().map(clap::Command::get_name).collect();
        // Those that other pages of the gate name and that come with them.
        let later = ["list", "browse"];
        for name in THROUGH_SUDO.iter().chain(IN_SANDBOX) {
            assert!(known.contains(name) || later.contains(name), "{name}");
        }
    }

    #[test]
    fn every_entry_is_of_a_command() {
        let mut paths = Vec::new();
        each(&definition(), "", &mut |path, _| paths.push(path.to_owned()));
        for entry in ENTRIES {
            assert!(paths.iter().any(|path| path == entry.name), "there is no command `{}`", entry.name);
        }
    }

    #[test]
    fn what_stands_around_a_command_is_there() {
        let mut pages = vec!["phabgate".to_owned()];
        each(&definition(), "", &mut |path, _| pages.push(format!("phabgate-{}", path.replace(' ', "-"))));
        each(&definition(), "", &mut |path, _| {
            let around = around(path);
            for (name, _) in around.see_also.iter().filter(|(name, _)| name.starts_with("phabgate")) {
                assert!(pages.iter().any(|page| page == name), "{path}: there is no page {name}");
            }
            for (names, what) in around.environment.iter().chain(around.files) {
                assert!(names.len() <= 27 && what.len() <= 49, "{path}: {names}: {what}");
            }
        });
    }

    #[test]
    fn every_example_parses() {
        use clap::FromArgMatches as _;
        each(&definition(), "", &mut |path, _| {
            for (typed, _) in of(path).unwrap_or_else(|| panic!("{path}")).examples {
                let typed = typed.replace("--deploy ID", "--deploy 0198f5d0-0000-7000-8000-000000000001");
                // What stands between quotes is one word.
                let quoted = typed.split('\'').enumerate().map(|(at, part)| match at % 2 {
                    0 => part.to_owned(),
                    _ => part.replace(' ', "_"),
                });
                let typed = quoted.collect::<String>();
                let words = typed.split_whitespace().take_while(|word| !matches!(*word, "|" | ">"));
                let matches = definition().try_get_matches_from(words);
                let parsed = matches.and_then(|matches| super::super::Cli::from_arg_matches(&matches));
                assert!(parsed.is_ok(), "{typed}: {}", parsed.err().map(|error| error.to_string()).unwrap_or_default());
            }
        });
    }

    #[test]
    fn no_help_text_of_an_option_ends_with_a_full_stop() {
        // Most arguments are defined where the command is built.
        let mut definition = definition().disable_help_subcommand(true);
        definition.build();
        let mut all = 0;
        each(&definition, "", &mut |path, command| {
            for argument in command.get_arguments() {
                all += 1;
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(!help.is_empty() && !help.ends_with('.'), "{path} {}: {help}", argument.get_id());
            }
        });
        assert!(all > 100, "{all}");
    }
}
