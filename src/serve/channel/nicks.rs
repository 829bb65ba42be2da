//! Under which nick somebody is addressed.
//!
//! Responsible for the services account that the configuration lists for an account of the server of the tasks: mostly it is the nick, and
//! the channel rings for it. It identifies nobody. Not responsible for who is addressed.

use crate::config::IrcAccount;

/// The services accounts of people, by their accounts on the server of the tasks.
#[derive(Debug, Clone, Default)]
pub(super) struct Nicks(Vec<IrcAccount>);

impl Nicks {
    /// As the configuration lists them.
    pub(super) fn of(accounts: &[IrcAccount]) -> Self {
        Self(accounts.to_vec())
    }

    /// Whether anybody on IRC is known to be this account.
    pub(super) fn lists(&self, account: &str) -> bool {
        self.0.iter().any(|listed| listed.is_of(account))
    }

    /// What somebody is called in the channel: of several services accounts one that `is_there` as a nick, else the first; without one
    /// their own name.
    pub(super) fn nick(&self, account: &str, is_there: impl Fn(&str) -> bool) -> String {
        let listed = || self.0.iter().filter(|listed| listed.is_of(account)).map(|listed| &listed.services);
        let found = listed().find(|services| is_there(services)).or_else(|| listed().next());
        found.map_or_else(|| account.to_owned(), Clone::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_listed_is_called_by_their_services_account_and_others_by_their_name() {
        let listed = |services: &str, account: &str| IrcAccount {
            services: services.into(),
            account: account.into(),
            since: "2026-11-28".parse().unwrap(),
        };
        let nicks = Nicks::of(&[listed("al", "Alice"), listed("alice-phone", "alice"), listed("bob", "Robert")]);
        assert_eq!(nicks.nick("alice", |_| false), "al");
        assert_eq!(nicks.nick("ALICE", |nick| nick == "alice-phone"), "alice-phone");
        assert_eq!(nicks.nick("robert", |_| true), "bob");
        assert_eq!(nicks.nick("bob", |_| true), "bob", "a services account is nobody's name on the server");
    }
}
