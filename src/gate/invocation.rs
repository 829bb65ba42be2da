//! How the caller called the gate, and so how they have to type the next command.
//!
//! Responsible for one thing: a command of the gate as it is to be typed here. Everything else writes commands as they are
//! by themselves, in backticks: `phabgate check T1`. Not responsible for which command comes next.

use std::borrow::Cow;

/// How the gate was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Invocation {
    /// By itself.
    #[default]
    Plain,
    /// Through sudo, which the installation with a bot's token needs.
    Sudo,
    /// With `--sandbox`, and these options behind it.
    Sandbox(&'static str),
    /// With options that say which configuration and server are meant, which every command needs again.
    Given(&'static str),
}

/// Commands that read or write with the bot's token, and so are called through sudo where that is how it is installed.
pub(crate) const THROUGH_SUDO: &[&str] =
    &["check", "run", "record", "request", "announce", "page", "history", "outbox", "audit", "doctor", "list"];
/// Commands that ask a server, and so ask the sandbox where that is what is used.
pub(crate) const IN_SANDBOX: &[&str] = &["approve", "withdraw", "reject", "config", "browse"];

/// How a command begins where it stands in a text.
const BEGIN: &str = "`phabgate ";

impl Invocation {
    /// A command as it is to be typed: `check T1` becomes `sudo phabgate check T1`.
    pub fn command(self, words: &str) -> String {
        let verb = words.split([' ', '`']).next().unwrap_or_default();
        let through_sudo = THROUGH_SUDO.contains(&verb);
        match self {
            Self::Sudo if through_sudo => format!("sudo phabgate {words}"),
            Self::Sandbox("") if through_sudo || IN_SANDBOX.contains(&verb) => format!("phabgate --sandbox {words}"),
            Self::Sandbox(options) if through_sudo || IN_SANDBOX.contains(&verb) => {
                format!("phabgate --sandbox {options} {words}")
            }
            Self::Given(options) if through_sudo || IN_SANDBOX.contains(&verb) => format!("phabgate {options} {words}"),
            _ => format!("phabgate {words}"),
        }
    }

    /// Whether the sandbox is what is asked.
    pub fn is_sandbox(self) -> bool {
        matches!(self, Self::Sandbox(_))
    }

    /// A text of the gate's own in which every command in backticks is as it is to be typed.
    pub fn adapt(self, text: &str) -> Cow<'_, str> {
        if self == Self::Plain || !text.contains(BEGIN) {
            return Cow::Borrowed(text);
        }
        let mut parts = text.split(BEGIN);
        let mut adapted = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            adapted.push('`');
            adapted.push_str(&self.command(part));
        }
        Cow::Owned(adapted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_as_the_caller_has_to_type_it() {
        let text = "close it: `phabgate record T1 --deploy ID`, `phabgate outbox list`, read `phabgate explain tag`, \
                    or `phabgate approve T1`";
        assert_eq!(Invocation::Plain.adapt(text), text);
        assert_eq!(
            Invocation::Sudo.adapt(text),
            "close it: `sudo phabgate record T1 --deploy ID`, `sudo phabgate outbox list`, read `phabgate explain tag`, \
             or `phabgate approve T1`"
        );
        assert_eq!(
            Invocation::Given("--url https://phab.example/").command("check T1"),
            "phabgate --url https://phab.example/ check T1"
        );
        assert_eq!(
            Invocation::Sandbox("").adapt(text),
            "close it: `phabgate --sandbox record T1 --deploy ID`, `phabgate --sandbox outbox list`, read \
             `phabgate explain tag`, or `phabgate --sandbox approve T1`"
        );
        assert_eq!(
            Invocation::Sandbox("--config /etc/mine.toml").command("doctor"),
            "phabgate --sandbox --config /etc/mine.toml doctor"
        );
    }
}
