//! What audits found, and the tasks that are not shown any more.
//!
//! Responsible for keeping errors and warnings, each at its worst, and never losing one. Not for what is made of them
//! ([`crate::audit::past`]).

use rusqlite::params;

use super::{Mirror, MirrorError, SyncRun, error::damaged};
use crate::audit::Finding;
use crate::audit::findings::{PastFinding, VERSION};
use crate::audit::population::Unseen;
use crate::ids::TaskId;
use crate::policy::PolicyDigest;

impl Mirror {
    /// What earlier audits found, in the order of the tasks.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn found(&self) -> Result<Vec<PastFinding>, MirrorError> {
        let sql = "SELECT finding, policy, version, last FROM found ORDER BY task, id";
        let rows = self.rows::<(String, String, String, i64)>(sql, &[], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?;
        let mut found = Vec::with_capacity(rows.len());
        for (text, policy, version, last) in rows {
            // One of a newer phabgate may have a name that this one does not know.
            let Ok(finding) = serde_json::from_str(&text) else { continue };
            found.push(PastFinding { finding, policy, version, last: self.time(last, "the time of a finding")? });
        }
        Ok(found)
    }

    /// Keeps what an audit found, all of it or nothing. What was worse before stays as it was.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn keep_found<'f>(
        &self,
        sync: &SyncRun,
        policy: &PolicyDigest,
        found: impl IntoIterator<Item = &'f Finding>,
    ) -> Result<(), MirrorError> {
        let transaction = self.transaction()?;
        for finding in found {
            let Some(task) = finding.task else { continue };
            let text = serde_json::to_string(finding).map_err(damaged(&self.path, task.to_string()))?;
            self.write(
                "INSERT INTO found (id, policy, version, task, severity, finding, last) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (id, policy, version) DO UPDATE SET severity = ?5, finding = ?6, last = ?7
                 WHERE severity <= ?5",
                params![
                    finding.id().to_string(),
                    policy.as_str(),
                    VERSION,
                    super::number(task.number()),
                    finding.severity as i64,
                    text,
                    sync.now.as_second()
                ],
            )?;
        }
        self.commit(transaction)
    }

    /// The tasks of the population that a run was not shown, in the order of their numbers.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn unseen(&self, sync: &SyncRun) -> Result<Vec<Unseen>, MirrorError> {
        let sql = "SELECT m.task, t.id, coalesce(t.restricted, 0), (SELECT began FROM sync WHERE id = m.shown)
            FROM member m LEFT JOIN task t ON t.phid = m.task
            WHERE m.scope = ?1 AND m.shown < ?2 ORDER BY t.id, m.task";
        let rows = self.rows::<(String, Option<i64>, bool, Option<i64>)>(sql, &[&sync.scope, &sync.id], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?;
        let read = |(phid, id, restricted, seen): (String, Option<i64>, bool, Option<i64>)| {
            Ok(Unseen {
                phid: self.phid(phid, "a task")?,
                id: id.and_then(|id| TaskId::new(u64::try_from(id).ok()?)),
                restricted,
                seen: seen.map(|seen| self.time(seen, "a moment")).transpose()?,
            })
        };
        rows.into_iter().map(read).collect()
    }
}
