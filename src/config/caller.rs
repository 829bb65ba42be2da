//! The calling user: who typed the command, also behind sudo. Never `$USER`, which anybody can set.
//!
//! In the room: the real user by number, their entry in the user database, the account they are mapped to. Not in
//! the room: who is the deployer (the evidence has more sources) and how the child becomes this user.

use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::environment::{Environment, Ids, VariableError};
use super::settings::Settings;

/// Who typed the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallingUser {
    /// The number of the user.
    pub uid: u32,
    /// The number of the user's group: the primary one where the user database knows it.
    pub gid: u32,
    /// The name; `None` where the user database has none, or was not asked.
    pub name: Option<String>,
    /// The home folder; `None` as for the name.
    pub home: Option<PathBuf>,
}

/// An entry of the user database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The name.
    pub name: String,
    /// The number.
    pub uid: u32,
    /// The number of the primary group.
    pub gid: u32,
    /// The home folder.
    pub home: PathBuf,
}

/// Why it is not known who typed the command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallerError {
    /// A variable of sudo cannot be used.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// sudo sets all three.
    #[error("{set} is set and {missing} is not: call the gate through sudo itself, or unset both")]
    Incomplete {
        /// The one that is there.
        set: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// Not a number.
    #[error("{0} is not a number: call the gate through sudo itself")]
    NotANumber(&'static str),
    /// The user database says otherwise.
    #[error("SUDO_USER is {name:?} and SUDO_UID is {uid}, which is not that user: call the gate through sudo itself")]
    Inconsistent {
        /// The name.
        name: String,
        /// The number.
        uid: u32,
    },
    /// The user database has no such user.
    #[error("the user {0:?} that sudo names is not in the user database")]
    Unknown(String),
    /// The user database did not answer.
    #[error("cannot look up the calling user: {0}")]
    Database(String),
}

/// The user database of the machine: files, LDAP, whatever the name service is made of.
pub trait UserDatabase: fmt::Debug {
    /// The entry of a name or a number in decimal; `None` where there is none.
    ///
    /// # Errors
    /// Where the database did not answer.
    fn look_up(&self, key: &str) -> Result<Option<Account>, CallerError>;
}

/// The user database as `getent passwd` answers it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Getent;

impl UserDatabase for Getent {
    fn look_up(&self, key: &str) -> Result<Option<Account>, CallerError> {
        let failed = |why: String| CallerError::Database(format!("getent passwd {key}: {why}"));
        let mut command = Command::new("getent");
        // The child has no business with the token; the name service needs no variables.
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
        let output = command.args(["passwd", "--", key]).output().map_err(|error| failed(error.to_string()))?;
        match output.status.code() {
            Some(0) => match String::from_utf8(output.stdout).ok().as_deref().and_then(entry) {
                Some(account) => Ok(Some(account)),
                None => Err(failed("the answer is no entry".to_owned())),
            },
            Some(2) => Ok(None),
            _ => Err(failed(output.status.to_string())),
        }
    }
}

/// One line of passwd(5).
fn entry(line: &str) -> Option<Account> {
    let fields: Vec<&str> = line.lines().next()?.split(':').collect();
    let [name, _, uid, gid, _, home, _] = fields.as_slice() else {
        return None;
    };
    let name = Some(*name).filter(|name| !name.is_empty())?;
    Some(Account { name: name.to_owned(), uid: uid.parse().ok()?, gid: gid.parse().ok()?, home: PathBuf::from(home) })
}

impl CallingUser {
    /// Who typed the command: the real user, or where the effective user is root, the one that sudo names.
    ///
    /// The database is asked where sudo is in play, and otherwise where `by_name` says that the name is of use.
    ///
    /// # Errors
    /// Where what sudo says does not hold together, or the database did not answer.
    pub fn find(environment: &Environment, database: &dyn UserDatabase, by_name: bool) -> Result<Self, CallerError> {
        let Ids { uid, euid, gid } = environment.ids();
        if euid == 0
            && uid == 0
            && let Some(caller) = behind_sudo(environment, database)?
        {
            return Ok(caller);
        }
        let account = if by_name { database.look_up(&uid.to_string())? } else { None };
        Ok(match account.filter(|account| account.uid == uid) {
            Some(account) => Self { uid, gid, name: Some(account.name), home: Some(account.home) },
            None => Self { uid, gid, name: None, home: None },
        })
    }
}

fn behind_sudo(environment: &Environment, database: &dyn UserDatabase) -> Result<Option<CallingUser>, CallerError> {
    let name = environment.text("SUDO_USER")?;
    let uid = number(environment, "SUDO_UID")?;
    let gid = number(environment, "SUDO_GID")?;
    let (name, uid) = match (name, uid, gid) {
        (None, None, None) => return Ok(None),
        (Some(name), Some(uid), Some(_)) => (name, uid),
        (Some(_), None, _) => return Err(CallerError::Incomplete { set: "SUDO_USER", missing: "SUDO_UID" }),
        (Some(_), _, None) => return Err(CallerError::Incomplete { set: "SUDO_USER", missing: "SUDO_GID" }),
        (None, Some(_), _) => return Err(CallerError::Incomplete { set: "SUDO_UID", missing: "SUDO_USER" }),
        (None, None, Some(_)) => return Err(CallerError::Incomplete { set: "SUDO_GID", missing: "SUDO_USER" }),
    };
    // By name, because two names may share a number; the group is the primary one, whatever newgrp(1) made of it.
    let account = database.look_up(name)?.ok_or_else(|| CallerError::Unknown(name.to_owned()))?;
    if account.name != name || account.uid != uid {
        return Err(CallerError::Inconsistent { name: name.to_owned(), uid });
    }
    Ok(Some(CallingUser { uid, gid: account.gid, name: Some(account.name), home: Some(account.home) }))
}

fn number(environment: &Environment, name: &'static str) -> Result<Option<u32>, CallerError> {
    let text = environment.text(name)?;
    text.map(|text| text.parse().map_err(|_| CallerError::NotANumber(name))).transpose()
}

/// The username of the account that the configuration maps the calling user to.
pub fn map_deployer<'a>(settings: &'a Settings, caller: &CallingUser) -> Option<&'a str> {
    let name = caller.name.as_deref()?;
    settings.deployers.get(name).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Fixed;

    impl UserDatabase for Fixed {
        fn look_up(&self, key: &str) -> Result<Option<Account>, CallerError> {
            Ok(match key {
                "alice" | "1000" => entry("alice:x:1000:100:Alice:/home/alice:/bin/sh"),
                "alias" => entry("alias:x:1000:100::/home/alice:/bin/sh"),
                "0" | "root" => entry("root:x:0:0::/root:/bin/sh"),
                "broken" => return Err(CallerError::Database("no answer".to_owned())),
                _ => None,
            })
        }
    }

    fn find(ids: (u32, u32), sudo: &[(&str, &str)], by_name: bool) -> Result<CallingUser, CallerError> {
        let ids = Ids { uid: ids.0, euid: ids.1, gid: 7 };
        let environment = Environment::new(sudo.iter().copied(), None, PathBuf::from("/"), ids);
        CallingUser::find(&environment, &Fixed, by_name)
    }

    fn sudo<'a>(user: &'a str, uid: &'a str, gid: &'a str) -> [(&'a str, &'a str); 3] {
        [("SUDO_USER", user), ("SUDO_UID", uid), ("SUDO_GID", gid)]
    }

    #[test]
    fn the_real_user_calls_and_variables_do_not_matter() {
        let caller = find((1000, 1000), &sudo("root", "0", "0"), true).unwrap();
        assert_eq!((caller.uid, caller.gid, caller.name.as_deref()), (1000, 7, Some("alice")));
        let caller = find((1000, 0), &sudo("root", "0", "0"), true).unwrap();
        assert_eq!(caller.name.as_deref(), Some("alice"), "a set-uid program");
        assert_eq!(find((1000, 1000), &[("USER", "root")], false).unwrap().name, None);
        assert_eq!(find((42, 42), &[], true).unwrap().name, None);
    }

    #[test]
    fn behind_sudo_the_one_whom_it_names_calls() {
        let caller = find((0, 0), &sudo("alice", "1000", "5"), false).unwrap();
        assert_eq!((caller.uid, caller.gid, caller.name.as_deref()), (1000, 100, Some("alice")));
        assert_eq!(find((0, 0), &sudo("alias", "1000", "5"), false).unwrap().name.as_deref(), Some("alias"));
        assert_eq!(find((0, 0), &[], true).unwrap().name.as_deref(), Some("root"));
    }

    #[test]
    fn what_sudo_would_not_say_is_refused() {
        let inconsistent = CallerError::Inconsistent { name: "alice".to_owned(), uid: 1001 };
        assert_eq!(find((0, 0), &sudo("alice", "1001", "5"), false), Err(inconsistent));
        assert!(matches!(find((0, 0), &sudo("1000", "1000", "5"), false), Err(CallerError::Inconsistent { .. })));
        assert_eq!(find((0, 0), &sudo("nobody", "9", "9"), false), Err(CallerError::Unknown("nobody".to_owned())));
        assert_eq!(find((0, 0), &sudo("alice", "x", "5"), false), Err(CallerError::NotANumber("SUDO_UID")));
        assert_eq!(
            find((0, 0), &sudo("", "1000", "5"), false),
            Err(CallerError::Variable(VariableError::Empty("SUDO_USER")))
        );
        for (index, set) in [(0, "SUDO_UID"), (1, "SUDO_USER"), (2, "SUDO_USER")] {
            let mut variables = sudo("alice", "1000", "5").to_vec();
            variables.remove(index);
            assert!(
                matches!(find((0, 0), &variables, false), Err(CallerError::Incomplete { set: name, .. }) if name == set)
            );
        }
        assert!(matches!(find((0, 0), &sudo("broken", "1", "1"), false), Err(CallerError::Database(_))));
    }

    #[test]
    fn a_line_that_is_no_entry_is_none() {
        for line in ["", "alice", "alice:x:1000:100:Alice:/home/alice", ":x:1:1::/:/", "alice:x:-1:1::/:/"] {
            assert_eq!(entry(line), None, "{line:?}");
        }
    }
}
