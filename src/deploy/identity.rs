//! Whom the command runs as.
//!
//! In the room: telling whether the gate works for somebody else, and who that is on this machine. Not in the room: the
//! Phabricator account behind them (the configuration maps it), and how the privileges are dropped ([`super::plan`]).
//!
//! Who calls is the real user id of the process; where that is root, it is the one that sudo names in `SUDO_UID`. Both
//! come from the kernel or from sudo, neither from the caller. `SUDO_USER` must agree with `SUDO_UID`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Folders in which tools are trusted that run as root. `PATH` is not asked: a caller may have set it.
const TRUSTED: &[&str] = &["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/run/current-system/sw/bin"];

/// Whom the command runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// As the gate itself.
    Own,
    /// As the one who called the gate, which is root.
    Caller(Caller),
}

/// A user of this machine, as the password database has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The user id.
    pub uid: u32,
    /// The id of the primary group.
    pub gid: u32,
    /// The login name.
    pub name: OsString,
    /// The home folder.
    pub home: OsString,
    /// The login shell.
    pub shell: OsString,
}

/// Why it cannot be told whom the command is to run as.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// sudo names a user and no id, or something that is not an id.
    #[error("SUDO_UID is {0:?}, which is no user id: call phabgate through sudo, or give --as-root")]
    NotAnId(OsString),
    /// The id has no entry in the password database.
    #[error("no user of this machine has the id {0}: give --as-root to run the command as root")]
    NoAccount(u32),
    /// The id and the name that sudo gives are not of one user.
    #[error("SUDO_UID is {uid}, which is {account:?}, but SUDO_USER is {sudo_user:?}: call phabgate through sudo")]
    Disagree {
        /// The id.
        uid: u32,
        /// Whose it is.
        account: OsString,
        /// The name that was given.
        sudo_user: OsString,
    },
    /// The password database could not be asked.
    #[error("cannot look up the user {uid}: {source}")]
    Lookup {
        /// The id that was looked up.
        uid: u32,
        /// What went wrong.
        source: std::io::Error,
    },
}

impl Identity {
    /// Whom this process is to run the command as; with `as_root`, always as itself.
    ///
    /// # Errors
    /// Where the gate is root on behalf of somebody who cannot be told for sure.
    pub fn of_caller(as_root: bool) -> Result<Self, IdentityError> {
        let ids = Ids {
            real: rustix::process::getuid().as_raw(),
            effective: rustix::process::geteuid().as_raw(),
            sudo_uid: std::env::var_os("SUDO_UID"),
            sudo_user: std::env::var_os("SUDO_USER"),
        };
        ids.identity(as_root, Caller::look_up)
    }
}

/// What there is to tell the caller by.
struct Ids {
    real: u32,
    effective: u32,
    sudo_uid: Option<OsString>,
    sudo_user: Option<OsString>,
}

impl Ids {
    fn identity(
        &self,
        as_root: bool,
        look_up: impl FnOnce(u32) -> Result<Option<Caller>, IdentityError>,
    ) -> Result<Identity, IdentityError> {
        if as_root || self.effective != 0 {
            return Ok(Identity::Own);
        }
        let (uid, sudo_user) = if self.real != 0 {
            (self.real, None)
        } else if self.sudo_uid.is_none() && self.sudo_user.is_none() {
            // Root itself called.
            return Ok(Identity::Own);
        } else {
            let text = self.sudo_uid.clone().unwrap_or_default();
            let digits = text.to_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            let uid = digits.and_then(|digits| digits.parse().ok()).ok_or(IdentityError::NotAnId(text))?;
            (uid, self.sudo_user.as_deref())
        };
        if uid == 0 {
            return Ok(Identity::Own);
        }
        let caller = look_up(uid)?.filter(|caller| caller.uid == uid).ok_or(IdentityError::NoAccount(uid))?;
        match sudo_user {
            Some(sudo_user) if sudo_user != caller.name => {
                Err(IdentityError::Disagree { uid, account: caller.name, sudo_user: sudo_user.to_owned() })
            }
            _ => Ok(Identity::Caller(caller)),
        }
    }
}

impl Caller {
    /// Looks a user up with getent(1), which asks directories too, or in `/etc/passwd` where there is no getent.
    ///
    /// # Errors
    /// Where neither can be read.
    pub fn look_up(uid: u32) -> Result<Option<Self>, IdentityError> {
        let failed = |source| IdentityError::Lookup { uid, source };
        let Some(getent) = trusted("getent") else {
            let all = std::fs::read("/etc/passwd").map_err(failed)?;
            return Ok(all.split(|&byte| byte == b'\n').filter_map(Self::parse).find(|caller| caller.uid == uid));
        };
        let output = Command::new(getent)
            .args(["passwd", &uid.to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(failed)?;
        // getent ends with 2 where there is no such key.
        match output.status.code() {
            Some(0) => Ok(output.stdout.split(|&byte| byte == b'\n').find_map(Self::parse)),
            Some(2) => Ok(None),
            _ => Err(failed(std::io::Error::other(format!("getent ended with {}", output.status)))),
        }
    }

    /// One line of passwd(5).
    fn parse(line: &[u8]) -> Option<Self> {
        use std::os::unix::ffi::OsStrExt as _;
        let fields: Vec<&[u8]> = line.split(|&byte| byte == b':').collect();
        let &[name, _, uid, gid, _, home, shell] = fields.as_slice() else { return None };
        let number = |field: &[u8]| std::str::from_utf8(field).ok()?.parse().ok();
        let text = |field: &[u8]| OsStr::from_bytes(field).to_owned();
        let shell = if shell.is_empty() { b"/bin/sh" } else { shell };
        (!name.is_empty()).then_some(())?;
        Some(Self { uid: number(uid)?, gid: number(gid)?, name: text(name), home: text(home), shell: text(shell) })
    }
}

/// A tool of the system, where it is in one of the folders that only root can write.
pub(crate) fn trusted(tool: &str) -> Option<PathBuf> {
    TRUSTED.iter().map(|folder| Path::new(folder).join(tool)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(real: u32, effective: u32, sudo: Option<(&str, &str)>) -> Ids {
        Ids { real, effective, sudo_uid: sudo.map(|(uid, _)| uid.into()), sudo_user: sudo.map(|(_, user)| user.into()) }
    }

    fn ann() -> Caller {
        Caller::parse(b"ann:x:1000:100:Ann,,,:/home/ann:/bin/zsh").unwrap()
    }

    fn found(uid: u32) -> Result<Option<Caller>, IdentityError> {
        Ok((uid == 1000).then(ann))
    }

    fn never(uid: u32) -> Result<Option<Caller>, IdentityError> {
        panic!("{uid} was looked up")
    }

    #[test]
    fn only_root_on_behalf_of_another_becomes_the_caller() {
        let sudo = Some(("1000", "ann"));
        assert_eq!(ids(0, 0, sudo).identity(false, found).unwrap(), Identity::Caller(ann()));
        assert_eq!(ids(1000, 0, None).identity(false, found).unwrap(), Identity::Caller(ann()));
        // A setuid gate believes the kernel, not the environment.
        assert_eq!(ids(1000, 0, Some(("0", "root"))).identity(false, found).unwrap(), Identity::Caller(ann()));
        for own in [ids(1000, 1000, None), ids(1000, 1000, sudo), ids(0, 0, None), ids(0, 0, Some(("0", "root")))] {
            assert_eq!(own.identity(false, never).unwrap(), Identity::Own);
        }
        assert_eq!(ids(0, 0, sudo).identity(true, never).unwrap(), Identity::Own);
    }

    #[test]
    fn a_caller_who_cannot_be_told_is_an_error_and_never_root() {
        for (sudo, expected) in [
            (("", "ann"), "no user id"),
            (("-1", "ann"), "no user id"),
            (("+1000", "ann"), "no user id"),
            (("1000x", "ann"), "no user id"),
            (("4294967296", "ann"), "no user id"),
            (("1001", "ann"), "no user of this machine"),
            (("1000", "bob"), "SUDO_USER is \"bob\""),
            (("1000", ""), "SUDO_USER is \"\""),
        ] {
            let error = ids(0, 0, Some(sudo)).identity(false, found).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
        let nameless = Ids { sudo_uid: None, ..ids(0, 0, Some(("", "ann"))) };
        assert!(matches!(nameless.identity(false, found), Err(IdentityError::NotAnId(_))));
        // A database that answers with somebody else is not believed.
        let other = ids(0, 0, Some(("1001", "ann"))).identity(false, |_| Ok(Some(ann())));
        assert!(matches!(other, Err(IdentityError::NoAccount(1001))));
    }

    #[test]
    fn reads_lines_of_passwd() {
        assert_eq!(ann().home, "/home/ann");
        assert_eq!(Caller::parse(b"a:x:1:2::/:").unwrap().shell, "/bin/sh");
        for line in [&b""[..], b"a:x:1", b"a:x:one:2::/:/bin/sh", b":x:1:2::/:/bin/sh", b"a:x:1:2::/:/bin/sh:more"] {
            assert_eq!(Caller::parse(line), None);
        }
    }

    #[test]
    fn the_machine_knows_root_and_not_an_id_that_nobody_has() {
        assert_eq!(Caller::look_up(0).unwrap().unwrap().name, "root");
        assert_eq!(Caller::look_up(u32::MAX - 7).unwrap(), None);
    }
}
