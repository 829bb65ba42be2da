//! What an old method returns of a task's history where `transaction.search` answers type null:
//! `maniphest.gettasktransactions`, which is frozen and answers on every version since 2018.
//!
//! Responsible for reading it, as far as custom fields, projects and who sees the task go. Not responsible for putting it into the history
//! (see `evidence::merge`).

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::error::{ConduitError, misshapen};
use super::params;
use super::transport::Client;
use crate::ids::{Phid, Project, TaskId, TransactionId, Xact};

/// A transaction as the old method returns it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportedChanges {
    /// Its number.
    pub id: TransactionId,
    /// Its PHID.
    pub phid: Phid<Xact>,
    /// Who did it: a PHID of a user or of an application.
    pub author: String,
    /// What it changed.
    pub change: LegacyChange,
}

/// What it changed.
#[derive(Debug, Clone, PartialEq)]
pub enum LegacyChange {
    /// A custom field.
    Custom {
        /// The field, by its name in `maniphest.search`; `None` on servers before 2025, which do not name it.
        field: Option<String>,
        /// Its value before.
        old: Value,
        /// Its value after.
        new: Value,
    },
    /// The projects that the task is tagged with.
    Projects {
        /// Before.
        old: Vec<Phid<Project>>,
        /// After.
        new: Vec<Phid<Project>>,
    },
    /// Who can see it.
    View {
        /// Before; `None` where the task was only being made.
        old: Option<String>,
        /// After.
        new: Option<String>,
    },
    /// The Space that it is in.
    Space {
        /// Before; `None` where the task was only being made, or was in none.
        old: Option<String>,
        /// After.
        new: Option<String>,
    },
    /// Something that is none of these.
    Other,
    /// An edge, of which it cannot be known whether it is to projects.
    Unclear,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(rename = "transactionID", deserialize_with = "number")]
    id: u64,
    #[serde(rename = "transactionPHID")]
    phid: Phid<Xact>,
    transaction_type: String,
    #[serde(default)]
    old_value: Value,
    #[serde(default)]
    new_value: Value,
    /// An empty map is `[]`, and servers before 2025 leave it out.
    #[serde(default)]
    meta: Value,
    #[serde(rename = "authorPHID")]
    author: String,
}

/// PHP answers numbers from a database as text.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let wrong = || serde::de::Error::custom("a transaction without a number");
    match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_u64().ok_or_else(wrong),
        Value::String(text) => text.parse().map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

/// The edge from an object to its projects (`PhabricatorProjectObjectHasProjectEdgeType`).
const TO_PROJECTS: u64 = 41;

impl Row {
    fn change(&self) -> LegacyChange {
        match self.transaction_type.as_str() {
            "core:customfield" => LegacyChange::Custom {
                field: self.meta.get("customfield:key").and_then(Value::as_str).map(super::transaction::field_name),
                old: self.old_value.clone(),
                new: self.new_value.clone(),
            },
            "core:edge" => self.edge(),
            "core:view-policy" => LegacyChange::View { old: text(&self.old_value), new: text(&self.new_value) },
            "core:space" => LegacyChange::Space { old: text(&self.old_value), new: text(&self.new_value) },
            _ => LegacyChange::Other,
        }
    }

    fn edge(&self) -> LegacyChange {
        let kind = match self.meta.get("edge:type") {
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.parse().ok(),
            _ => None,
        };
        if kind.is_some_and(|kind| kind != TO_PROJECTS) {
            return LegacyChange::Other;
        }
        let (Some(old), Some(new)) = (ends(&self.old_value), ends(&self.new_value)) else {
            return LegacyChange::Unclear;
        };
        let mut projects = old.iter().chain(&new).filter(|phid| phid.starts_with("PHID-PROJ-")).count();
        let all = old.len() + new.len();
        if kind == Some(TO_PROJECTS) && projects != all {
            projects = usize::MAX;
        }
        let parsed = |ends: Vec<String>| ends.into_iter().map(Phid::new).collect::<Result<Vec<_>, _>>();
        match (projects, parsed(old), parsed(new)) {
            (0, ..) => LegacyChange::Other,
            (some, Ok(old), Ok(new)) if some == all => LegacyChange::Projects { old, new },
            _ => LegacyChange::Unclear,
        }
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The PHIDs at the other end of an edge: a list of them, or, of transactions from before 2017, a map by them.
fn ends(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Array(list) => list.iter().map(|phid| phid.as_str().map(str::to_owned)).collect(),
        Value::Object(map) => Some(map.keys().cloned().collect()),
        _ => None,
    }
}

const METHOD: &str = "maniphest.gettasktransactions";

impl Client {
    /// What the old method returns of the histories of these tasks. Tasks that this account is not shown are left out.
    ///
    /// # Errors
    /// Where the server gave no usable answer, or answered with another task.
    pub async fn older_changes(
        &self,
        tasks: &[TaskId],
    ) -> Result<BTreeMap<TaskId, Vec<ReportedChanges>>, ConduitError> {
        if tasks.is_empty() {
            return Ok(BTreeMap::new());
        }
        let ids: Vec<u64> = tasks.iter().map(|task| task.number()).collect();
        let reply: Value = self.read(METHOD, &params(json!({"ids": ids}))).await?.result;
        let wrong = |error: serde_json::Error| Self::unexpected(METHOD, misshapen(&error));
        // PHP writes an empty map as `[]`.
        let by_task: BTreeMap<String, Vec<Row>> = match reply {
            Value::Array(rows) if rows.is_empty() => BTreeMap::new(),
            other => Deserialize::deserialize(other).map_err(wrong)?,
        };
        let mut changes = BTreeMap::new();
        for (task, rows) in by_task {
            let task = task.parse().ok().and_then(TaskId::new).filter(|task| tasks.contains(task));
            let task = task.ok_or_else(|| Self::unexpected(METHOD, "a task that was not asked for"))?;
            let rows = rows.into_iter().map(|row| ReportedChanges {
                id: TransactionId(row.id),
                change: row.change(),
                phid: row.phid,
                author: row.author,
            });
            changes.insert(task, rows.collect());
        }
        Ok(changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: &str, old: Value, new: Value, meta: Value) -> LegacyChange {
        let row = json!({
            "taskID": "1", "transactionID": "7", "transactionPHID": "PHID-XACT-TASK-7", "transactionType": kind,
            "oldValue": old, "newValue": new, "meta": meta, "comments": null, "authorPHID": "PHID-USER-a",
            "dateCreated": "1",
        });
        serde_json::from_value::<Row>(row).unwrap().change()
    }

    #[test]
    fn fields_and_projects_are_read_with_and_without_their_names() {
        let meta = json!({"customfield:key": "std:maniphest:emergency.reason"});
        let field = Some("custom.emergency.reason".to_owned());
        let custom = |field| LegacyChange::Custom { field, old: json!(null), new: json!("abuse") };
        assert_eq!(change("core:customfield", json!(null), json!("abuse"), meta), custom(field));
        assert_eq!(change("core:customfield", json!(null), json!("abuse"), Value::Null), custom(None));
        let tag: Phid<Project> = Phid::new("PHID-PROJ-a").unwrap();
        let tagged = LegacyChange::Projects { old: vec![], new: vec![tag] };
        for meta in [json!({"edge:type": 41}), json!({"edge:type": "41"}), json!([]), Value::Null] {
            assert_eq!(change("core:edge", json!([]), json!(["PHID-PROJ-a"]), meta.clone()), tagged, "{meta}");
            assert_eq!(change("core:edge", json!([]), json!({"PHID-PROJ-a": {"dst": "PHID-PROJ-a"}}), meta), tagged);
        }
    }

    #[test]
    fn who_can_see_a_task_is_read() {
        let (old, new) = (Some("users".to_owned()), Some("PHID-PLCY-1".to_owned()));
        let view = change("core:view-policy", json!("users"), json!("PHID-PLCY-1"), Value::Null);
        assert_eq!(view, LegacyChange::View { old, new });
        let space = change("core:space", Value::Null, json!("PHID-SPCE-1"), Value::Null);
        assert_eq!(space, LegacyChange::Space { old: None, new: Some("PHID-SPCE-1".into()) });
    }

    #[test]
    fn what_is_neither_is_no_matter_and_what_cannot_be_known_is_unclear() {
        let task = json!(["PHID-TASK-2"]);
        assert_eq!(change("core:edge", json!([]), task.clone(), Value::Null), LegacyChange::Other);
        assert_eq!(change("core:edge", json!([]), task.clone(), json!({"edge:type": 51})), LegacyChange::Other);
        assert_eq!(change("core:edit-policy", json!("users"), json!("admin"), Value::Null), LegacyChange::Other);
        let both = json!(["PHID-TASK-2", "PHID-PROJ-a"]);
        assert_eq!(change("core:edge", json!([]), both, Value::Null), LegacyChange::Unclear);
        assert_eq!(change("core:edge", json!([]), task, json!({"edge:type": 41})), LegacyChange::Unclear);
        assert_eq!(change("core:edge", json!("x"), json!([]), Value::Null), LegacyChange::Unclear);
    }
}
