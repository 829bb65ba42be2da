//! The caller: the local login that typed the command, also behind sudo.
//!
//! Responsible for who called: the real user of the process, or where that is root, the one whom sudo names. Both come from
//! the kernel or from sudo ([`super::sudo`]), neither from the caller; `$USER` is never asked, which anybody can set. Not
//! responsible for who is the deployer (the evidence has more sources), nor for how a child becomes this user (that is of
//! `deploy::plan`).

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::environment::Environment;
use super::sudo::Ids;

/// Directories in which programs are trusted that run as root. `PATH` is not asked: a caller may have set it.
const TRUSTED: &[&str] = &["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/run/current-system/sw/bin"];

/// A program of the system, where it is in one of the directories that only root can write.
pub(crate) fn system_program(name: &str) -> Option<PathBuf> {
    TRUSTED.iter().map(|directory| Path::new(directory).join(name)).find(|path| path.is_file())
}

/// The local login that typed the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The number of the user.
    pub uid: u32,
    /// The login name; `None` where the user database has none, or did not answer and is not needed.
    pub login: Option<String>,
}

impl fmt::Display for Caller {
    /// The login name, or the number where there is none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.login {
            Some(login) => f.write_str(login),
            None => write!(f, "uid {}", self.uid),
        }
    }
}

/// An entry of the user database, as passwd(5) has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The login name.
    pub name: String,
    /// The number.
    pub uid: u32,
    /// The number of the primary group.
    pub gid: u32,
    /// The home directory.
    pub home: OsString,
    /// The login shell.
    pub shell: OsString,
}

/// Why it is not known who typed the command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallerError {
    /// sudo names no user.
    #[error("SUDO_UID is {0:?}, which is no user id: call phabgate through sudo itself")]
    NotAnId(OsString),
    /// sudo sets both.
    #[error("SUDO_UID is set and SUDO_USER is not: call phabgate through sudo itself")]
    NoName,
    /// The two that sudo sets are not of one user.
    #[error("SUDO_USER is {name:?} and SUDO_UID is {uid}, which is not that user: call phabgate through sudo itself")]
    Disagree {
        /// The name.
        name: String,
        /// The number.
        uid: u32,
    },
    /// The user database has no such user.
    #[error("the user {0:?} who called is not in the user database of this machine")]
    Unknown(String),
    /// The user database did not answer.
    #[error("cannot look up the calling user: {0}")]
    Database(String),
}

/// The user database of the machine: files, LDAP, whatever the name service is made of.
pub trait UserDatabase: fmt::Debug {
    /// The entry of a name or of a number in decimal; `None` where there is none.
    ///
    /// # Errors
    /// Where the database did not answer.
    fn look_up(&self, key: &str) -> Result<Option<Login>, CallerError>;
}

/// The user database as getent(1) answers it, or `/etc/passwd` where there is no getent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Getent;

impl UserDatabase for Getent {
    fn look_up(&self, key: &str) -> Result<Option<Login>, CallerError> {
        let failed = |why: String| CallerError::Database(format!("getent passwd {key}: {why}"));
        let Some(getent) = system_program("getent") else {
            let all = std::fs::read("/etc/passwd").map_err(|error| failed(error.to_string()))?;
            let mut entries = all.split(|byte| *byte == b'\n').filter_map(Login::parse);
            return Ok(entries.find(|entry| entry.name == key || entry.uid.to_string() == key));
        };
        // The name service needs no variables, and no business with the token.
        let output = Command::new(getent).args(["passwd", "--", key]).env_clear().stdin(Stdio::null()).output();
        let output = output.map_err(|error| failed(error.to_string()))?;
        // getent ends with 2 where there is no such key.
        match output.status.code() {
            Some(0) => match output.stdout.split(|byte| *byte == b'\n').next().and_then(Login::parse) {
                Some(login) => Ok(Some(login)),
                None => Err(failed("the answer is no entry".to_owned())),
            },
            Some(2) => Ok(None),
            _ => Err(failed(format!("it ended with {}", output.status))),
        }
    }
}

impl Login {
    /// One line of passwd(5).
    fn parse(line: &[u8]) -> Option<Self> {
        use std::os::unix::ffi::OsStrExt as _;
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
        let &[name, _, uid, gid, _, home, shell] = fields.as_slice() else { return None };
        let number = |field: &[u8]| std::str::from_utf8(field).ok()?.parse().ok();
        let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty())?;
        let shell = if shell.is_empty() { b"/bin/sh" } else { shell };
        let text = |field: &[u8]| OsStr::from_bytes(field).to_owned();
        Some(Self { name: name.to_owned(), uid: number(uid)?, gid: number(gid)?, home: text(home), shell: text(shell) })
    }
}

/// The entry of the one for whom root's rights are used; `None` where the process works for its own user.
///
/// # Errors
/// Where what sudo says does not hold together, or the database did not answer.
pub(crate) fn behind_sudo(ids: &Ids, database: &dyn UserDatabase) -> Result<Option<Login>, CallerError> {
    if !ids.runs_under_sudo() {
        return Ok(None);
    }
    if ids.uid != 0 {
        // A set-user-id program believes the kernel, not the environment.
        let found = database.look_up(&ids.uid.to_string())?.filter(|login| login.uid == ids.uid);
        return found.map(Some).ok_or_else(|| CallerError::Unknown(ids.uid.to_string()));
    }
    let text = ids.sudo.uid().unwrap_or_default().to_owned();
    let digits = text.to_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let uid: u32 = digits.and_then(|digits| digits.parse().ok()).ok_or(CallerError::NotAnId(text))?;
    let name = ids.sudo.user().filter(|name| !name.is_empty()).ok_or(CallerError::NoName)?;
    let name = name.to_string_lossy().into_owned();
    // By name, because two names may share a number.
    let login = database.look_up(&name)?.ok_or_else(|| CallerError::Unknown(name.clone()))?;
    if login.name != name || login.uid != uid || uid == 0 {
        return Err(CallerError::Disagree { name, uid });
    }
    Ok(Some(login))
}

impl Caller {
    /// Who typed the command. `needed` says that the login name decides something: where it is only recorded, a user
    /// database that does not answer leaves the number.
    ///
    /// # Errors
    /// Where what sudo says does not hold together, or the database did not answer and is needed.
    pub fn find(environment: &Environment, database: &dyn UserDatabase, needed: bool) -> Result<Self, CallerError> {
        let ids = environment.ids();
        if let Some(login) = behind_sudo(ids, database)? {
            return Ok(Self { uid: login.uid, login: Some(login.name) });
        }
        let uid = ids.uid;
        let found = match database.look_up(&uid.to_string()) {
            Err(error) if needed => return Err(error),
            found => found.ok().flatten(),
        };
        Ok(Self { uid, login: found.filter(|login| login.uid == uid).map(|login| login.name) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::sudo::testing::{ids, sudo};
    use super::*;

    #[derive(Debug)]
    struct Fixed;

    impl UserDatabase for Fixed {
        fn look_up(&self, key: &str) -> Result<Option<Login>, CallerError> {
            Ok(match key {
                "alice" | "1000" => Login::parse(b"alice:x:1000:100:Alice:/home/alice:/bin/zsh"),
                "alias" => Login::parse(b"alias:x:1000:100::/home/alice:/bin/sh"),
                "0" | "root" => Login::parse(b"root:x:0:0::/root:/bin/sh"),
                "broken" | "13" => return Err(CallerError::Database("no answer".to_owned())),
                _ => None,
            })
        }
    }

    fn find(ids: Ids, needed: bool) -> Result<Caller, CallerError> {
        let environment = Environment::new([] as [(&str, &str); 0], None, PathBuf::from("/nonexistent"), ids);
        Caller::find(&environment, &Fixed, needed)
    }

    #[test]
    fn the_real_user_calls_and_variables_do_not_matter() {
        let caller = find(ids(1000, 1000, &sudo("root", "0")), true).unwrap();
        assert_eq!((caller.uid, caller.login.as_deref()), (1000, Some("alice")));
        let caller = find(ids(1000, 0, &sudo("root", "0")), true).unwrap();
        assert_eq!(caller.login.as_deref(), Some("alice"), "a set-user-id program");
        let nameless = find(ids(42, 42, &[]), true).unwrap();
        assert_eq!((nameless.login.as_deref(), nameless.to_string().as_str()), (None, "uid 42"));
        assert_eq!(find(ids(13, 13, &[]), false).unwrap().login, None);
        assert!(find(ids(13, 13, &[]), true).is_err(), "who is needed must be known");
    }

    #[test]
    fn behind_sudo_the_one_whom_it_names_calls() {
        let caller = find(ids(0, 0, &sudo("alice", "1000")), false).unwrap();
        assert_eq!((caller.uid, caller.login.as_deref()), (1000, Some("alice")));
        assert_eq!(find(ids(0, 0, &sudo("alias", "1000")), false).unwrap().login.as_deref(), Some("alias"));
        assert_eq!(find(ids(0, 0, &[]), true).unwrap().login.as_deref(), Some("root"));
        let login = behind_sudo(&ids(0, 0, &sudo("alice", "1000")), &Fixed).unwrap().unwrap();
        assert_eq!((login.gid, login.home, login.shell), (100, "/home/alice".into(), "/bin/zsh".into()));
    }

    #[test]
    fn what_sudo_would_not_say_is_an_error_and_never_root() {
        let disagree = |name: &str, uid| Err(CallerError::Disagree { name: name.to_owned(), uid });
        assert_eq!(find(ids(0, 0, &sudo("alice", "1001")), false), disagree("alice", 1001));
        assert_eq!(find(ids(0, 0, &sudo("1000", "1000")), false), disagree("1000", 1000));
        assert_eq!(find(ids(0, 0, &sudo("root", "00")), false), disagree("root", 0));
        assert_eq!(find(ids(0, 0, &sudo("nobody", "9")), false), Err(CallerError::Unknown("nobody".to_owned())));
        for uid in ["", "x", "-1", "+1000", "1000x", "4294967296"] {
            let not_an_id = Err(CallerError::NotAnId(uid.into()));
            assert_eq!(find(ids(0, 0, &sudo("alice", uid)), false), not_an_id);
        }
        for set in [&sudo("", "1000")[1..], &sudo("", "1000")] {
            assert_eq!(find(ids(0, 0, set), false), Err(CallerError::NoName));
        }
        assert!(matches!(find(ids(0, 0, &sudo("broken", "1")), false), Err(CallerError::Database(_))));
        assert_eq!(find(ids(77, 0, &[]), false), Err(CallerError::Unknown("77".to_owned())));
    }

    #[test]
    fn a_line_that_is_no_entry_is_none() {
        assert_eq!(Login::parse(b"a:x:1:2::/:").unwrap().shell, "/bin/sh");
        for line in
            ["", "alice", "alice:x:1000:100:Alice:/home/alice", ":x:1:1::/:/", "alice:x:-1:1::/:/", "a:x:1:2::/:/:"]
        {
            assert_eq!(Login::parse(line.as_bytes()), None, "{line:?}");
        }
    }

    #[test]
    fn the_machine_knows_root_and_not_an_id_that_nobody_has() {
        assert_eq!(Getent.look_up("0").unwrap().unwrap().name, "root");
        assert_eq!(Getent.look_up("root").unwrap().unwrap().uid, 0);
        assert_eq!(Getent.look_up(&(u32::MAX - 7).to_string()).unwrap(), None);
    }
}
