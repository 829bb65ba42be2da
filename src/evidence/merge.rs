//! A history whose server answers type null for some changes, and what an old method returns of these.
//!
//! Responsible for putting the one into the other, and for finding which change of a custom field is that of the policy's
//! field where the server names none, as pure functions. Nothing is guessed: what stays unclear stays
//! [`Change::Unexposed`]. Not responsible for reading either, and for what an unclear change means for a verdict.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::timeline::field_text;
use crate::conduit::{Change, LegacyChange, ReportedChanges, Task, Transaction};

/// The two ways to read a history contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server tells two different histories of the task")]
pub(crate) struct Contradiction;

/// Puts what the old method returns into a history, oldest first, by the PHIDs and numbers of the transactions.
///
/// # Errors
/// Where the two cannot be of the same task as it was read.
pub(crate) fn merge(history: &mut [Transaction], older: &[ReportedChanges]) -> Result<(), Contradiction> {
    let by_phid: BTreeMap<_, _> = older.iter().map(|row| (&row.phid, row)).collect();
    let shown: BTreeSet<_> = history.iter().map(|row| row.phid.clone()).collect();
    let last = history.iter().map(|row| row.id).max();
    // What is newer than the history happened since it was read.
    let hidden = older.iter().any(|row| {
        matches!(row.change, LegacyChange::Custom { .. } | LegacyChange::Projects { .. })
            && last.is_some_and(|last| row.id <= last)
            && !shown.contains(&row.phid)
    });
    if hidden {
        return Err(Contradiction);
    }
    for row in history.iter_mut().filter(|row| row.change == Change::Unexposed) {
        let Some(reported) = by_phid.get(&row.phid) else { continue };
        if reported.id != row.id || reported.author != row.author {
            return Err(Contradiction);
        }
        row.change = match &reported.change {
            LegacyChange::Custom { field: Some(field), old, new } => {
                Change::Custom { field: field.clone(), old: old.clone(), new: new.clone() }
            }
            LegacyChange::Custom { field: None, old, new } => Change::Unnamed { old: old.clone(), new: new.clone() },
            LegacyChange::Projects { old, new } => Change::Projects {
                added: new.iter().filter(|project| !old.contains(project)).cloned().collect(),
                removed: old.iter().filter(|project| !new.contains(project)).cloned().collect(),
            },
            LegacyChange::View { old, new } => Change::View { old: old.clone(), new: new.clone() },
            LegacyChange::Space { old, new } => Change::Space { old: old.clone(), new: new.clone() },
            LegacyChange::Other => Change::Other,
            LegacyChange::Unclear => Change::Unexposed,
        };
    }
    Ok(())
}

/// Gives the changes of custom fields that the server does not name their field: that of the policy, or none that matters.
///
/// The last change of the field leaves the value that the task has; the one before it leaves what that one found, and so
/// on. Where the changes that may belong to this chain make one chain in their order, they are the field's; those that
/// cannot belong to it are not. Where several could, they stay unclear.
pub(crate) fn name_fields(history: &mut [Transaction], task: &Task, field: Option<&str>) {
    let value = field.and_then(|field| Some((field, task.custom.get(field)?)));
    let mut chain: Vec<usize> = Vec::new();
    if let Some((_, value)) = value {
        let mut links = BTreeSet::from([plain(value)]);
        for (at, row) in history.iter().enumerate().rev() {
            if let Change::Unnamed { old, new } = &row.change
                && links.contains(&plain(new))
            {
                links.insert(plain(old));
                chain.push(at);
            }
        }
        chain.reverse();
    }
    let ends = |at: usize| match &history[at].change {
        Change::Unnamed { old, new } => (plain(old), plain(new)),
        _ => (None, None),
    };
    let linked = chain.windows(2).all(|pair| ends(pair[0]).1 == ends(pair[1]).0);
    for (at, row) in history.iter_mut().enumerate() {
        let Change::Unnamed { old, new } = &row.change else { continue };
        row.change = match (value, chain.contains(&at)) {
            (Some((field, _)), true) if linked => {
                Change::Custom { field: field.to_owned(), old: old.clone(), new: new.clone() }
            }
            (Some(_), true) => Change::Unexposed,
            _ => Change::Other,
        };
    }
}

/// A value as it is compared: nothing, an empty text and an empty list are the same.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Array(list) if list.is_empty() => None,
        value => field_text(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::evidence::testing::{History, project};
    use crate::ids::TransactionId;

    const FIELD: &str = "custom.emergency.reason";

    /// A history as a server returns it, with what it leaves null, and what its old method returns of it.
    fn server(history: &History, names: bool) -> (Vec<Transaction>, Vec<ReportedChanges>) {
        let whole = history.timeline().into_transactions();
        let mut projects: Vec<crate::ids::Phid<crate::ids::Project>> = Vec::new();
        let older = whole.iter().map(|row| {
            let change = match &row.change {
                Change::Custom { field, old, new } => {
                    LegacyChange::Custom { field: names.then(|| field.clone()), old: old.clone(), new: new.clone() }
                }
                Change::Projects { added, removed } => {
                    let old = projects.clone();
                    projects.extend(added.iter().cloned());
                    projects.retain(|project| !removed.contains(project));
                    LegacyChange::Projects { old, new: projects.clone() }
                }
                _ => LegacyChange::Other,
            };
            ReportedChanges { id: row.id, phid: row.phid.clone(), author: row.author.clone(), change }
        });
        let older = older.collect();
        let null = |mut row: Transaction| {
            if matches!(row.change, Change::Custom { .. } | Change::Projects { .. }) {
                row.change = Change::Unexposed;
            }
            row
        };
        (whole.iter().cloned().map(null).collect(), older)
    }

    fn changed() -> History {
        let mut history = History::emergency();
        history.field("deployer1", 3, Some("abuse"));
        history.unexposed("outsider", 4);
        history.field("deployer1", 5, Some("security"));
        history.retag("deployer1", 6, "emergency", "emergency-sub");
        history.field("deployer1", 7, None);
        history
    }

    #[test]
    fn what_was_null_is_read_as_a_newer_server_returns_it() {
        for names in [true, false] {
            let history = changed();
            let (mut rows, older) = server(&history, names);
            merge(&mut rows, &older).unwrap();
            name_fields(&mut rows, &history.task(), Some(FIELD));
            let mut whole = history.timeline().into_transactions();
            whole.iter_mut().filter(|row| row.change == Change::Unexposed).for_each(|row| row.change = Change::Other);
            assert_eq!(rows, whole, "{names}");
        }
    }

    #[test]
    fn two_histories_that_contradict_each_other_are_none() {
        let history = changed();
        let (rows, older) = server(&history, true);
        type Spoil = fn(&mut Vec<Transaction>, &mut Vec<ReportedChanges>);
        let spoiled: [Spoil; 3] = [
            |rows, _| rows.retain(|row| row.id != TransactionId(4)),
            |_, older| older[3].id = TransactionId(99),
            |_, older| older[3].author = "PHID-USER-other".into(),
        ];
        for spoil in spoiled {
            let (mut rows, mut older) = (rows.clone(), older.clone());
            spoil(&mut rows, &mut older);
            assert_eq!(merge(&mut rows, &older), Err(Contradiction));
        }
        // What happened since the history was read is no contradiction.
        let (mut rows, mut older) = (rows, older);
        older[7].id = TransactionId(99);
        rows.pop();
        older[7].phid = crate::ids::Phid::new("PHID-XACT-TASK-new").unwrap();
        assert_eq!(merge(&mut rows, &older), Ok(()));
    }

    #[test]
    fn what_the_old_method_leaves_out_stays_unclear() {
        let history = changed();
        let (mut rows, _) = server(&history, true);
        merge(&mut rows, &[]).unwrap();
        assert_eq!(rows.iter().filter(|row| row.change == Change::Unexposed).count(), 6);
    }

    fn unnamed(changes: &[(Value, Value)], value: Value) -> Vec<Change> {
        let mut history = History::emergency();
        let mut rows = history.timeline().into_transactions();
        for (old, new) in changes {
            history.unexposed("deployer1", 5);
            let mut row = history.timeline().into_transactions().pop().unwrap();
            row.change = Change::Unnamed { old: old.clone(), new: new.clone() };
            rows.push(row);
        }
        let mut task = history.task();
        task.custom.insert(FIELD.to_owned(), value);
        let before = rows.len() - changes.len();
        name_fields(&mut rows, &task, Some(FIELD));
        rows.split_off(before).into_iter().map(|row| row.change).collect()
    }

    #[test]
    fn a_change_without_a_name_is_the_fields_where_no_other_reading_fits() {
        let ours = |old: Value, new: Value| Change::Custom { field: FIELD.to_owned(), old, new };
        let (none, abuse, version) = (json!(null), json!("abuse"), json!("1.45"));
        let changes = [(none.clone(), abuse.clone()), (none.clone(), version.clone()), (version, json!("1.46"))];
        assert_eq!(
            unnamed(&changes, abuse.clone()),
            [ours(none.clone(), abuse.clone()), Change::Other, Change::Other],
            "another field is told from it by its values"
        );
        let cleared = [(none.clone(), abuse.clone()), (abuse.clone(), json!(""))];
        assert_eq!(unnamed(&cleared, json!("")), [ours(none.clone(), abuse.clone()), ours(abuse.clone(), json!(""))]);
        // Two fields of the same value: which of the two was set last is not known.
        let twice = [(none.clone(), abuse.clone()), (none.clone(), abuse.clone())];
        assert_eq!(unnamed(&twice, abuse.clone()), [Change::Unexposed, Change::Unexposed]);
        // Nothing leads to the value that the task has: none of them is the field's.
        assert_eq!(unnamed(&[(none, abuse)], json!("security")), [Change::Other]);
    }

    #[test]
    fn a_field_that_the_policy_does_not_read_is_no_matter() {
        let mut history = History::emergency();
        history.field("deployer1", 3, Some("abuse"));
        let (mut rows, older) = server(&history, false);
        merge(&mut rows, &older).unwrap();
        name_fields(&mut rows, &history.task(), None);
        assert!(rows.iter().all(|row| !matches!(row.change, Change::Unexposed | Change::Unnamed { .. })));
        assert!(matches!(&rows[2].change, Change::Projects { added, .. } if added == &[project("emergency")]));
    }
}
