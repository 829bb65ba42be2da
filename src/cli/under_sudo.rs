//! What is refused under sudo, where root's rights are used for the caller.
//!
//! Responsible for the flags and commands with which a caller would choose what is trusted, read what only root may read, or
//! speak for others. Not responsible for variables and files, which under sudo are never the caller's (see
//! [`crate::host::Environment`]), nor for who may deploy (see [`super::session`]).

use super::exit::Failure;
use super::{Cli, Command, outbox};

/// Why this command line is refused under sudo; `None` where it is not.
pub(super) fn refusal(cli: &Cli) -> Option<Failure> {
    let globals = &cli.globals;
    let by_file = "under sudo the gate is configured by /etc/phabgate/config.toml and /etc/phabgate/environment alone";
    let flag = |name: &str| Some(Failure::usage(format!("{name} is refused under sudo"), by_file));
    if globals.config.is_some() {
        return flag("--config");
    }
    if globals.url.is_some() {
        return flag("--url");
    }
    if globals.sandbox {
        return without_sudo("--sandbox", "the sandbox needs no right of root's");
    }
    if cli.command.shows_restricted() {
        return Some(Failure::usage(
            "--show-restricted is refused under sudo: it would show you what only this token's account may see",
            "look at the task in a browser, with an account of your own",
        ));
    }
    match &cli.command {
        Command::Check(args) if args.server.is_some() => flag("--server"),
        Command::Run(args) if args.server.is_some() => flag("--server"),
        Command::Run(args) if args.as_root => Some(Failure::usage(
            "--as-root is refused under sudo: the command runs as you",
            "leave --as-root out; what needs root's rights calls sudo itself",
        )),
        Command::Approve(_) => answer("approve"),
        Command::Withdraw(_) => answer("withdraw"),
        Command::Reject(_) => answer("reject"),
        Command::Config(_) => without_sudo("config", "under sudo it would show you what only root may read"),
        Command::Sandbox(_) => without_sudo("sandbox", "the sandbox needs no right of root's"),
        #[cfg(feature = "serve")]
        Command::Serve(_) => without_sudo("serve", "the service runs as a user of its own"),
        Command::Browse(_) => without_sudo("browse", "it would open a browser as root"),
        Command::Man(args) if args.output.is_some() => {
            without_sudo("man --output", "under sudo it would write where only root may")
        }
        Command::Outbox(args) if args.drops() => Some(Failure::usage(
            "`outbox drop` is refused under sudo: it gives a record up",
            "whoever administers this machine drops it, as root without sudo",
        )),
        // It writes nothing, and whoever calls could make as good a one anywhere.
        #[cfg(feature = "serve")]
        Command::Token(_) => None,
        Command::Check(_)
        | Command::Run(_)
        | Command::Record(_)
        | Command::Request(_)
        | Command::Announce(_)
        | Command::Page(_)
        | Command::Outbox(outbox::Args { .. })
        | Command::History(_)
        | Command::List(_)
        | Command::Audit(_)
        | Command::Doctor(_)
        | Command::Explain(_)
        | Command::Completions(_)
        | Command::Man(_) => None,
    }
}

fn answer(verb: &str) -> Option<Failure> {
    Some(Failure::usage(
        format!("`{verb}` is refused under sudo: an answer is its author's, with a token of their own"),
        "type it without sudo",
    ))
}

fn without_sudo(what: &str, why: &str) -> Option<Failure> {
    Some(Failure::usage(
        format!("`{what}` is refused under sudo: {why}"),
        "type it without sudo; as root, put `env -u SUDO_UID` in front",
    ))
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    fn said(line: &str) -> Option<String> {
        let matches = super::super::definition().try_get_matches_from(line.split(' ')).unwrap();
        refusal(&Cli::from_arg_matches(&matches).unwrap()).map(|failure| failure.message)
    }

    #[test]
    fn what_would_let_the_caller_choose_is_refused() {
        for line in [
            "check T1 --config /etc/shadow",
            "--config /etc/shadow check T1",
            "check T1 --url https://mallory.example",
            "--sandbox check T1",
            "run T1 --as-root -- true",
            "run T1 --show-restricted -- true",
            "check T1 --show-restricted",
            "check T1 --wait --server https://mallory.example",
            "run T1 --share --server https://mallory.example -- true",
            "record T1 --show-restricted",
            "history T1 --show-restricted",
            "request T1 --reason abuse --show-restricted",
            "approve T1",
            "withdraw T1",
            "reject T1",
            "config show",
            "config check",
            "browse T1",
            "sandbox",
            "man --output /usr/share/man/man1",
        ] {
            let said = said(&format!("phabgate {line}"));
            assert!(said.as_ref().is_some_and(|said| said.contains("refused under sudo")), "{line}: {said:?}");
        }
        for line in [
            "check T1",
            "run T1 -- true --config x",
            "run T1 --share -- true",
            "record T1",
            "request T1 --reason abuse",
            "history T1",
            "announce T1",
            "page T1 --team sre",
            "outbox list",
            "outbox flush",
            "doctor",
            "explain",
            "man",
        ] {
            assert_eq!(said(&format!("phabgate {line}")), None, "{line}");
        }
    }
}
