//! The accounts of everybody who did something to a task of the mirror.
//!
//! Responsible for whose they are, and as what the server last showed them. Not responsible for asking for them.

use std::collections::BTreeMap;

use rusqlite::params;

use super::{Mirror, MirrorError};
use crate::conduit::Account;
use crate::ids::{Phid, User};

impl Mirror {
    /// Remembers that these accounts matter.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn add_accounts<'p>(&self, people: impl IntoIterator<Item = &'p Phid<User>>) -> Result<(), MirrorError> {
        let transaction = self.transaction()?;
        self.add_accounts_in(people)?;
        self.commit(transaction)
    }

    /// The same within a transaction that has begun.
    pub(super) fn add_accounts_in<'p>(
        &self,
        people: impl IntoIterator<Item = &'p Phid<User>>,
    ) -> Result<(), MirrorError> {
        for phid in people {
            self.connection
                .prepare_cached("INSERT OR IGNORE INTO account (phid) VALUES (?1)")
                .and_then(|mut statement| statement.execute([phid.as_str()]))
                .map_err(self.error("write"))?;
        }
        Ok(())
    }

    /// Everybody who matters.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn people(&self) -> Result<Vec<Phid<User>>, MirrorError> {
        let error = self.error("read");
        let mut statement = self.connection.prepare("SELECT phid FROM account ORDER BY phid").map_err(&error)?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).map_err(&error)?;
        rows.map(|row| self.phid(row.map_err(&error)?, "an account")).collect()
    }

    /// Takes in the accounts of these people as they are now; of those who are not shown nothing is known any more.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn update_accounts(&self, asked: &[Phid<User>], accounts: &[Account]) -> Result<(), MirrorError> {
        let transaction = self.transaction()?;
        let shown: BTreeMap<_, _> = accounts.iter().map(|account| (&account.phid, account)).collect();
        for phid in asked {
            let row = shown.get(phid).map(serde_json::to_string).transpose();
            let row = row.map_err(super::damaged(&self.path, phid.to_string()))?;
            self.remember_account(phid, row.as_deref())?;
            self.connection
                .prepare_cached("UPDATE account SET row = ?2 WHERE phid = ?1 AND row IS NOT ?2")
                .and_then(|mut statement| statement.execute(params![phid.as_str(), row]))
                .map_err(self.error("write"))?;
        }
        self.commit(transaction)
    }

    /// The accounts that are known.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn accounts(&self) -> Result<BTreeMap<Phid<User>, Account>, MirrorError> {
        let error = self.error("read");
        let mut statement = self.connection.prepare("SELECT row FROM account WHERE row IS NOT NULL").map_err(&error)?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).map_err(&error)?;
        let read = |row: Result<String, rusqlite::Error>| {
            let account: Account = self.parse(&row.map_err(&error)?, || "an account".to_owned())?;
            Ok((account.phid.clone(), account))
        };
        rows.map(read).collect()
    }
}
