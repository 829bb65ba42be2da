//! Accounts: `user.whoami`, `user.search`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::error::ConduitError;
use super::paging::Page;
use super::params;
use super::transport::{Client, Reply};
use crate::ids::{Phid, User};

/// What an account is, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountRole {
    /// It can no longer be used.
    Disabled,
    /// Not a person: `bot` in `user.search`, `agent` in `user.whoami`.
    Bot,
    /// A mailing list.
    List,
    /// Approved and verified as the server demands.
    Activated,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its PHID.
    pub phid: Phid<User>,
    /// Its username, as it is written.
    pub username: String,
    /// Its roles.
    pub roles: BTreeSet<AccountRole>,
}

impl Account {
    /// A person who can act: enabled, activated, no bot and no mailing list.
    pub fn is_enabled_person(&self) -> bool {
        self.roles.contains(&AccountRole::Activated)
            && ![AccountRole::Disabled, AccountRole::Bot, AccountRole::List]
                .iter()
                .any(|role| self.roles.contains(role))
    }

    /// Not a person.
    pub fn is_bot(&self) -> bool {
        self.roles.contains(&AccountRole::Bot) || self.roles.contains(&AccountRole::List)
    }

    /// Whether a username names this account; Phabricator ignores case.
    pub fn is_named(&self, username: &str) -> bool {
        self.username.eq_ignore_ascii_case(username)
    }

    /// Whether its username is in a list, such as that of the policy's witnesses.
    pub fn is_named_in(&self, usernames: &[String]) -> bool {
        usernames.iter().any(|username| self.is_named(username))
    }
}

/// Whose token it is.
pub type Whoami = Account;

fn roles(names: &[String]) -> BTreeSet<AccountRole> {
    names
        .iter()
        .filter_map(|name| match name.as_str() {
            "disabled" => Some(AccountRole::Disabled),
            "bot" | "agent" => Some(AccountRole::Bot),
            "list" => Some(AccountRole::List),
            "activated" => Some(AccountRole::Activated),
            _ => None,
        })
        .collect()
}

#[derive(Deserialize)]
struct Row {
    phid: Phid<User>,
    fields: UserFields,
}

#[derive(Deserialize)]
struct UserFields {
    username: String,
    roles: Vec<String>,
}

const SEARCH: &str = "user.search";

impl Client {
    /// Whose token this client uses (`user.whoami`).
    ///
    /// # Errors
    /// Where the server gave no usable answer or refused the token.
    pub async fn whoami(&self) -> Result<Reply<Whoami>, ConduitError> {
        #[derive(Deserialize)]
        struct Me {
            phid: Phid<User>,
            #[serde(rename = "userName")]
            username: String,
            roles: Vec<String>,
        }
        let Reply { result: me, date } = self.read::<Me>("user.whoami", &Map::new()).await?;
        Ok(Reply { result: Account { phid: me.phid, username: me.username, roles: roles(&me.roles) }, date })
    }

    /// Accounts by PHID. Those that this account cannot see are left out.
    ///
    /// # Errors
    /// Where the server gave no usable answer.
    pub async fn users(&self, phids: &[Phid<User>]) -> Result<Vec<Account>, ConduitError> {
        let mut accounts = Vec::new();
        for some in phids.chunks(100) {
            accounts.extend(self.search(json!({"phids": some})).await?);
        }
        match accounts.iter().all(|account| phids.contains(&account.phid)) {
            true => Ok(accounts),
            false => Err(Self::unexpected(SEARCH, "an account that was not asked for")),
        }
    }

    /// Accounts by username. Names that the server does not know are left out.
    ///
    /// # Errors
    /// Where the server gave no usable answer.
    pub async fn users_named(&self, names: &[String]) -> Result<Vec<Account>, ConduitError> {
        let mut accounts = Vec::new();
        for some in names.chunks(100) {
            accounts.extend(self.search(json!({"usernames": some})).await?);
        }
        match accounts.iter().all(|account| names.iter().any(|name| account.is_named(name))) {
            true => Ok(accounts),
            false => Err(Self::unexpected(SEARCH, "an account that was not asked for")),
        }
    }

    async fn search(&self, constraints: Value) -> Result<Vec<Account>, ConduitError> {
        let page: Reply<Page<Row>> =
            self.read(SEARCH, &params(json!({"constraints": constraints, "limit": 100}))).await?;
        let rows = page.result.data.into_iter();
        Ok(rows
            .map(|row| Account { phid: row.phid, username: row.fields.username, roles: roles(&row.fields.roles) })
            .collect())
    }
}
