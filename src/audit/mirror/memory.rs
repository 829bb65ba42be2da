//! What audits saw of teams, hashtags, accounts and policies, with its dates.
//!
//! Responsible for keeping what was when it becomes another, and for handing it out. Not for what follows from it
//! ([`crate::audit::memory`]).

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::{Mirror, MirrorError, ServerFacts, SyncRun, error::damaged};
use crate::audit::memory::{Behind, Memory};
use crate::ids::{Phid, User};
use crate::policy::Policy;

/// What is kept of a fact.
const MEMBERS: &str = "members";
const HASHTAG: &str = "hashtag";

impl Mirror {
    /// What audits that came to their end saw.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn memory(&self) -> Result<Memory, MirrorError> {
        let mut memory = Memory::default();
        for (subject, value) in
            self.rows::<(String, String)>("SELECT subject, value FROM fact WHERE kind = ?1", &[&MEMBERS], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
        {
            memory.members.insert(self.phid(subject, "a team")?, (self.members_of(&value)?, Vec::new()));
        }
        let past = "SELECT kind, subject, until, value FROM fact_past ORDER BY until";
        for (kind, subject, until, value) in self.rows::<(String, String, i64, String)>(past, &[], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })? {
            let until = self.time(until, "a moment")?;
            match kind.as_str() {
                MEMBERS => {
                    let members = self.members_of(&value)?;
                    let known = memory.members.entry(self.phid(subject, "a team")?);
                    known.or_insert_with(|| (members.clone(), Vec::new())).1.push((until, members));
                }
                _ => {
                    let behind: Behind = self.parse(&value, || format!("the project behind #{subject}"))?;
                    memory.hashtags.entry(subject).or_default().push((until, behind));
                }
            }
        }
        let past = "SELECT until, row FROM account_past ORDER BY until";
        for (until, row) in self.rows::<(i64, String)>(past, &[], |row| Ok((row.get(0)?, row.get(1)?)))? {
            let account: crate::conduit::Account = self.parse(&row, || "an account".to_owned())?;
            let until = self.time(until, "a moment")?;
            memory.accounts.entry(account.phid.clone()).or_default().push((until, account));
        }
        let policies = "SELECT digest, team, project FROM policy";
        for (digest, team, project) in
            self.rows::<(String, String, String)>(policies, &[], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        {
            let known = memory.policies.entry(digest).or_default();
            let project = self.phid(project, "a team")?;
            // Where its hashtag led to two of them, it is not known which one a record speaks of.
            if let Some(other) = known.insert(team.clone(), project)
                && known.get(&team) != Some(&other)
            {
                known.remove(&team);
            }
        }
        Ok(memory)
    }

    /// The projects that a hashtag led to before, whatever it leads to now.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn led_to(&self, slug: &str) -> Result<Vec<Phid<crate::ids::Project>>, MirrorError> {
        let sql = "SELECT value ->> '$.phid' FROM fact_past WHERE kind = ?1 AND subject = ?2
            UNION SELECT value ->> '$.phid' FROM fact WHERE kind = ?1 AND subject = ?2";
        let rows = self.rows::<String>(sql, &[&HASHTAG, &slug], |row| row.get(0))?;
        rows.into_iter().map(|phid| self.phid(phid, "the project behind a hashtag")).collect()
    }

    /// Takes in what a run that came to its end saw; within a transaction that has begun.
    pub(super) fn remember(&self, sync: &SyncRun, policy: &Policy, facts: &ServerFacts) -> Result<(), MirrorError> {
        let now = sync.now;
        for (slug, project) in &facts.projects {
            let behind = Behind { phid: project.phid.clone(), name: project.name.clone() };
            self.see(HASHTAG, slug, &self.json(&behind)?, now)?;
            let mut members: Vec<&str> = project.members.iter().map(Phid::as_str).collect();
            members.sort_unstable();
            self.see(MEMBERS, project.phid.as_str(), &self.json(&members)?, now)?;
        }
        let digest = policy.digest();
        for team in &policy.teams {
            let Some(project) = facts.projects.get(&team.project) else { continue };
            let sql = "INSERT OR IGNORE INTO policy (digest, team, project) VALUES (?1, ?2, ?3)";
            self.write(sql, params![digest.as_str(), team.key, project.phid.as_str()])?;
        }
        Ok(())
    }

    /// Takes in what something is now. What it was, where that was another, it was until it was last seen so.
    fn see(&self, kind: &str, subject: &str, value: &str, now: Timestamp) -> Result<(), MirrorError> {
        let known: Option<(String, i64)> = self
            .connection
            .prepare_cached("SELECT value, seen FROM fact WHERE kind = ?1 AND subject = ?2")
            .and_then(|mut it| it.query_row([kind, subject], |row| Ok((row.get(0)?, row.get(1)?))).optional())
            .map_err(self.error("read"))?;
        // A project that is renamed stays what it was.
        let is_another = |was: &str| match kind {
            HASHTAG => {
                let phid = |text: &str| serde_json::from_str::<Behind>(text).ok().map(|behind| behind.phid);
                phid(was) != phid(value)
            }
            _ => was != value,
        };
        if let Some((was, seen)) = known.filter(|(was, _)| is_another(was)) {
            let sql = "INSERT OR IGNORE INTO fact_past (kind, subject, until, value) VALUES (?1, ?2, ?3, ?4)";
            self.write(sql, params![kind, subject, seen, was])?;
        }
        let sql = "INSERT INTO fact (kind, subject, value, seen) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (kind, subject) DO UPDATE SET value = ?3, seen = ?4";
        self.write(sql, params![kind, subject, value, now.as_second()])
    }

    /// Keeps an account as it was until the last run that came to its end, before another state of it takes its place.
    pub(super) fn remember_account(&self, phid: &Phid<User>, next: Option<&str>) -> Result<(), MirrorError> {
        let sql = "INSERT OR IGNORE INTO account_past (phid, until, row)
            SELECT phid, (SELECT max(began) FROM sync WHERE ended IS NOT NULL), row FROM account
            WHERE phid = ?1 AND row IS NOT NULL AND row IS NOT ?2
            AND EXISTS (SELECT 1 FROM sync WHERE ended IS NOT NULL)";
        self.write(sql, params![phid.as_str(), next])
    }

    fn members_of(&self, value: &str) -> Result<Vec<Phid<User>>, MirrorError> {
        self.parse(value, || "the members of a team".to_owned())
    }

    fn json<T: serde::Serialize>(&self, value: &T) -> Result<String, MirrorError> {
        serde_json::to_string(value).map_err(damaged(&self.path, "what is remembered".to_owned()))
    }

    /// Carries out a statement that is used often.
    pub(super) fn write(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), MirrorError> {
        let encoded = self.connection.prepare_cached(sql).and_then(|mut statement| statement.execute(values));
        encoded.map(drop).map_err(self.error("write"))
    }

    /// All rows of a query.
    pub(super) fn rows<T>(
        &self,
        sql: &str,
        values: &[&dyn rusqlite::ToSql],
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, MirrorError> {
        let error = self.error("read");
        let mut statement = self.connection.prepare_cached(sql).map_err(&error)?;
        let rows = statement.query_map(values, read).map_err(&error)?;
        rows.collect::<Result<_, _>>().map_err(&error)
    }
}

impl Memory {
    /// How much of it there is: it only ever grows.
    pub fn size(&self) -> usize {
        fn sum<K, V>(map: &BTreeMap<K, V>, count: impl Fn(&V) -> usize) -> usize {
            map.values().map(count).sum()
        }
        sum(&self.members, |(_, until)| until.len())
            + sum(&self.hashtags, Vec::len)
            + sum(&self.accounts, Vec::len)
            + sum(&self.policies, BTreeMap::len)
    }
}
