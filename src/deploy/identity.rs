//! Whom the command runs as.
//!
//! Responsible for the choice between the gate's own user and the caller for whom root's rights are used. Not responsible
//! for who that is (see [`crate::host::Caller`]), the Phabricator account behind them (the configuration maps it), and
//! how the privileges are dropped ([`super::plan`]).

use crate::host::{CallerError, Getent, Ids, Login, UserDatabase, behind_sudo};

/// Whom the command runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// As the gate itself.
    Own,
    /// As the one who called the gate, which is root.
    Caller(Login),
}

impl Identity {
    /// Whom this process is to run the command as; with `as_root`, always as itself.
    ///
    /// # Errors
    /// Where the gate is root on behalf of somebody who is not known for sure.
    pub fn of_caller(as_root: bool) -> Result<Self, CallerError> {
        Self::choose(&Ids::of_process(), as_root, &Getent)
    }

    fn choose(ids: &Ids, as_root: bool, database: &dyn UserDatabase) -> Result<Self, CallerError> {
        if as_root {
            return Ok(Self::Own);
        }
        Ok(behind_sudo(ids, database)?.map_or(Self::Own, Self::Caller))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Sudo;

    #[derive(Debug)]
    struct Ann;

    impl UserDatabase for Ann {
        fn look_up(&self, key: &str) -> Result<Option<Login>, CallerError> {
            let ann = || Login {
                name: "ann".to_owned(),
                uid: 1000,
                gid: 100,
                home: "/home/ann".into(),
                shell: "/bin/zsh".into(),
            };
            Ok((key == "ann" || key == "1000").then(ann))
        }
    }

    fn ids(uid: u32, euid: u32, sudo: Option<&'static str>) -> Ids {
        let sudo = Sudo::of(|name| {
            sudo.map(|uid| if name == "SUDO_USER" { if uid == "0" { "root" } else { "ann" } } else { uid }.into())
        });
        Ids { uid, euid, sudo }
    }

    #[test]
    fn only_root_on_behalf_of_another_becomes_the_caller() {
        let chosen = |ids: Ids| Identity::choose(&ids, false, &Ann).unwrap();
        let ann = Identity::Caller(Ann.look_up("ann").unwrap().unwrap());
        assert_eq!(chosen(ids(0, 0, Some("1000"))), ann);
        assert_eq!(chosen(ids(1000, 0, None)), ann);
        assert_eq!(chosen(ids(1000, 0, Some("0"))), ann);
        for own in [ids(1000, 1000, None), ids(1000, 1000, Some("1000")), ids(0, 0, None), ids(0, 0, Some("0"))] {
            assert_eq!(chosen(own), Identity::Own);
        }
        assert_eq!(Identity::choose(&ids(0, 0, Some("1000")), true, &Ann).unwrap(), Identity::Own);
        assert!(Identity::choose(&ids(0, 0, Some("1001")), false, &Ann).is_err());
    }
}
