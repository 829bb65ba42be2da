//! Whether a server is the one that the mirror is of: a URL alone does not say so, since behind it there may be a tunnel,
//! a copy or a sandbox today.
//!
//! Responsible for whom earlier audits saw there. Not for asking the server.

use std::collections::BTreeSet;

use super::{Mirror, MirrorError, ServerFacts};
use crate::ids::{Phid, Project, User};

/// Whom and what audits that came to their end saw where the server answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Witnesses {
    /// The projects behind the tag.
    pub tags: BTreeSet<Phid<Project>>,
    /// Who asked, and the recorders.
    pub people: Vec<Phid<User>>,
}

impl Witnesses {
    /// Whether one of them is there again, or there is none yet.
    pub fn know(&self, facts: &ServerFacts) -> bool {
        let people = || facts.recorders.iter().chain([&facts.owner.phid]);
        (self.tags.is_empty() && self.people.is_empty())
            || self.tags.contains(&facts.tag.phid)
            || people().any(|person| self.people.contains(person))
    }
}

impl Mirror {
    /// Whom and what audits that came to their end saw.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn witnesses(&self) -> Result<Witnesses, MirrorError> {
        let error = self.error("read");
        let mut witnesses = Witnesses::default();
        let mut statement = self.connection.prepare("SELECT kind, phid FROM witness").map_err(&error)?;
        let mut rows = statement.query([]).map_err(&error)?;
        while let Some(row) = rows.next().map_err(&error)? {
            let (kind, phid): (String, String) = (row.get(0).map_err(&error)?, row.get(1).map_err(&error)?);
            match kind.as_str() {
                "tag" => drop(witnesses.tags.insert(self.phid(phid, "the project of a tag")?)),
                _ => witnesses.people.push(self.phid(phid, "an account")?),
            }
        }
        Ok(witnesses)
    }

    /// Remembers whom this run saw; within a transaction that has begun.
    pub(super) fn know(&self, facts: &ServerFacts) -> Result<(), MirrorError> {
        let people = facts.recorders.iter().chain([&facts.owner.phid]).map(|person| (person.as_str(), "person"));
        for (phid, kind) in people.chain([(facts.tag.phid.as_str(), "tag")]) {
            self.connection
                .prepare_cached("INSERT OR IGNORE INTO witness (phid, kind) VALUES (?1, ?2)")
                .and_then(|mut statement| statement.execute([phid, kind]))
                .map_err(self.error("write"))?;
        }
        Ok(())
    }

    /// Says that the server is another one.
    pub fn other_server(&self) -> MirrorError {
        MirrorError::OtherServer { path: self.path.clone() }
    }
}
