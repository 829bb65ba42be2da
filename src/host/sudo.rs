//! Whether the process runs under sudo: root's rights used for somebody else.
//!
//! Responsible for the user ids of the process and for what sudo sets, which come from the kernel and from sudo, neither from
//! the caller. Not responsible for who called by name (see [`super::caller`]), nor for what a caller may choose then.

use std::ffi::{OsStr, OsString};

/// Where sudo says who called it, by number. Nothing else reads it.
const SUDO_UID: &str = "SUDO_UID";
/// The same by login name.
const SUDO_USER: &str = "SUDO_USER";

/// Who runs the process, by number, and what sudo says of who called it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ids {
    /// The real user.
    pub uid: u32,
    /// The effective user.
    pub euid: u32,
    /// What sudo set.
    pub sudo: Sudo,
}

/// What sudo sets for the command that it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sudo {
    uid: Option<OsString>,
    user: Option<OsString>,
}

impl Sudo {
    /// Takes what sudo sets out of variables.
    pub fn of(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        Self { uid: variable(SUDO_UID), user: variable(SUDO_USER) }
    }

    /// The number of the user who called, as sudo wrote it.
    pub(super) fn uid(&self) -> Option<&OsStr> {
        self.uid.as_deref()
    }

    /// The login name of the user who called, as sudo wrote it.
    pub(super) fn user(&self) -> Option<&OsStr> {
        self.user.as_deref()
    }
}

impl Ids {
    /// Those of this process.
    pub fn of_process() -> Self {
        Self {
            uid: rustix::process::getuid().as_raw(),
            euid: rustix::process::geteuid().as_raw(),
            sudo: Sudo::of(|name| std::env::var_os(name)),
        }
    }

    /// Whether root's rights are used for somebody else: the effective user is root, and `SUDO_UID` is set and not 0, as in a
    /// shell of `sudo -i` too, or the program is a set-user-id one. Then nothing of the caller chooses what is trusted.
    ///
    /// The operator, who is root, calls `env -u SUDO_UID phabgate …`.
    pub fn runs_under_sudo(&self) -> bool {
        self.euid == 0 && (self.uid != 0 || self.sudo.uid.as_deref().is_some_and(|uid| uid != OsStr::new("0")))
    }
}

/// Ids as a test wants them.
#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// Those of a process with these users and these variables of sudo.
    pub(crate) fn ids(uid: u32, euid: u32, sudo: &[(&str, &str)]) -> Ids {
        let variable = |name: &str| sudo.iter().find(|(set, _)| *set == name).map(|(_, value)| OsString::from(value));
        Ids { uid, euid, sudo: Sudo::of(variable) }
    }

    /// The variables that sudo sets, the name before the number.
    pub(crate) fn sudo<'a>(user: &'a str, uid: &'a str) -> [(&'a str, &'a str); 2] {
        [("SUDO_USER", user), ("SUDO_UID", uid)]
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{ids, sudo};

    #[test]
    fn sudo_is_roots_rights_for_somebody_else() {
        for (uid, euid, set, under) in [
            (0, 0, &sudo("alice", "1000")[..], true),
            (0, 0, &[("SUDO_UID", "1000")], true),
            (0, 0, &[("SUDO_UID", "")], true),
            (0, 0, &[("SUDO_UID", "x")], true),
            (0, 0, &[("SUDO_UID", "00")], true),
            (1000, 0, &[], true),
            (1000, 0, &sudo("root", "0"), true),
            (0, 0, &[], false),
            (0, 0, &sudo("root", "0"), false),
            // As the operator calls it from a shell of sudo.
            (0, 0, &[("SUDO_USER", "alice")], false),
            (1000, 1000, &sudo("root", "0"), false),
            (1000, 1000, &sudo("alice", "1000"), false),
        ] {
            assert_eq!(ids(uid, euid, set).runs_under_sudo(), under, "{uid} {euid} {set:?}");
        }
    }
}
