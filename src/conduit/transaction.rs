//! Transactions, the history of a task: `transaction.search`.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::error::{ConduitError, Failure, misshapen};
use super::paging::{Page, Pages, SealedRows};
use super::transport::{Client, Reply};
use super::{epoch, params};
use crate::ids::{Phid, Project, Task, TaskId, TransactionId, User, Xact};

/// One thing that happened to a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transaction {
    /// Its number; the order of what happened.
    pub id: TransactionId,
    /// Its PHID.
    pub phid: Phid<Xact>,
    /// The task that it happened to.
    pub task: Phid<Task>,
    /// Who did it: a PHID of a user or of an application.
    pub author: String,
    /// When.
    #[serde(with = "epoch")]
    pub created: Timestamp,
    /// What.
    pub change: Change,
    /// Every version of its comment, newest first; empty where it has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<CommentVersion>,
}

/// What a transaction changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// The title.
    Title {
        /// Before.
        old: String,
        /// After.
        new: String,
    },
    /// The description.
    Description {
        /// Before.
        old: String,
        /// After.
        new: String,
    },
    /// The status, by its value.
    Status {
        /// Before; `None` where the server knows none.
        old: Option<String>,
        /// After.
        new: String,
    },
    /// The projects that it is tagged with.
    Projects {
        /// Tagged with these.
        added: Vec<Phid<Project>>,
        /// No longer tagged with these.
        removed: Vec<Phid<Project>>,
    },
    /// A custom field, by its name in `maniphest.search`: `custom.KEY`.
    Custom {
        /// The field.
        field: String,
        /// Its value before.
        old: Value,
        /// Its value after.
        new: Value,
    },
    /// A custom field that the server does not name.
    Unnamed {
        /// Its value before.
        old: Value,
        /// Its value after.
        new: Value,
    },
    /// Who can see it: a policy as [`super::Task::view`] is one.
    View {
        /// Before; `None` where the task was only being made.
        old: Option<String>,
        /// After.
        new: Option<String>,
    },
    /// Its Space, as no server since 2018 shows it but by an old method.
    Space {
        /// Before; `None` where the task was only being made, or was in none.
        old: Option<String>,
        /// After.
        new: Option<String>,
    },
    /// It was merged into another task, which closes it; no transaction says with which status.
    Merged,
    /// A comment alone, or a change that the gate does not look at.
    Other,
    /// A change that this version of the server does not show.
    Unexposed,
}

/// A comment as it stood between two edits.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CommentVersion {
    /// What the server knows this version by, drawn at random when it was written; empty where it was kept without.
    #[serde(default)]
    pub phid: String,
    /// 1 is what was written first.
    pub version: u32,
    /// Who wrote this version, or removed the comment.
    #[serde(rename = "authorPHID")]
    pub author: String,
    /// When this version was made.
    #[serde(rename = "dateCreated", with = "epoch")]
    pub created: Timestamp,
    /// This version is a removal; the texts of all versions are blank then.
    pub removed: bool,
    #[serde(rename = "content")]
    raw: RawContent,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct RawContent {
    raw: String,
}

impl PartialEq for CommentVersion {
    /// A version that was kept without its PHID is the same.
    fn eq(&self, other: &Self) -> bool {
        let all = |it: &Self| (it.version, it.author.clone(), it.created, it.removed, it.raw.clone());
        all(self) == all(other)
    }
}

impl Eq for CommentVersion {}

impl CommentVersion {
    /// The same, where its text is known from elsewhere.
    pub fn saying(&self, text: &str) -> Self {
        Self { removed: false, raw: RawContent { raw: text.to_owned() }, ..self.clone() }
    }

    /// The text, in Remarkup.
    pub fn text(&self) -> &str {
        &self.raw.raw
    }

    /// A version as tests and tools make it.
    pub fn new(version: u32, author: &str, created: Timestamp, removed: bool, text: &str) -> Self {
        let (phid, author) = (String::new(), author.to_owned());
        Self { phid, version, author, created, removed, raw: RawContent { raw: text.to_owned() } }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: TransactionId,
    phid: Phid<Xact>,
    // Must be there, if only as null: null says that the server does not show it.
    #[serde(rename = "type", deserialize_with = "nullable")]
    kind: Option<String>,
    #[serde(rename = "authorPHID")]
    author: String,
    #[serde(rename = "objectPHID")]
    object: Phid<Task>,
    #[serde(with = "epoch")]
    date_created: Timestamp,
    comments: Vec<CommentVersion>,
    // Of most kinds nobody looks into them.
    fields: Box<RawValue>,
}

fn nullable<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Deserialize::deserialize(deserializer)
}

#[derive(Deserialize)]
struct OldNew<T> {
    old: T,
    new: T,
}

#[derive(Deserialize)]
struct Operations {
    operations: Vec<Operation>,
}

#[derive(Deserialize)]
struct Operation {
    operation: String,
    phid: Phid<Project>,
}

/// A custom field by its name in `maniphest.search`, from its key in transactions: `std:maniphest:KEY`.
pub(super) fn field_name(key: &str) -> String {
    format!("custom.{}", key.rsplit_once(':').map_or(key, |(_, field)| field))
}

impl Row {
    fn change(&self) -> Result<Vec<Change>, serde_json::Error> {
        let Some(kind) = self.kind.as_deref() else { return Ok(vec![Change::Unexposed]) };
        Ok(match kind {
            "title" => {
                let OldNew::<Option<String>> { old, new } = serde_json::from_str(self.fields.get())?;
                vec![Change::Title { old: old.unwrap_or_default(), new: new.unwrap_or_default() }]
            }
            "description" => {
                let OldNew::<Option<String>> { old, new } = serde_json::from_str(self.fields.get())?;
                vec![Change::Description { old: old.unwrap_or_default(), new: new.unwrap_or_default() }]
            }
            "status" => {
                let OldNew::<Option<String>> { old, new } = serde_json::from_str(self.fields.get())?;
                match new {
                    Some(new) => vec![Change::Status { old, new }],
                    None => vec![Change::Unexposed],
                }
            }
            "projects" => {
                let Operations { operations } = serde_json::from_str(self.fields.get())?;
                let (mut added, mut removed) = (Vec::new(), Vec::new());
                for Operation { operation, phid } in operations {
                    match operation.as_str() {
                        "add" => added.push(phid),
                        "remove" => removed.push(phid),
                        other => {
                            return Err(serde::de::Error::custom(format!("unknown operation {other:?} on projects")));
                        }
                    }
                }
                vec![Change::Projects { added, removed }]
            }
            "core:customfield" => {
                // An empty PHP array is `[]`: a change of a field that is not exposed.
                let fields: BTreeMap<String, OldNew<Value>> = match serde_json::from_str(self.fields.get())? {
                    Value::Array(rows) if rows.is_empty() => BTreeMap::new(),
                    fields => Deserialize::deserialize(fields)?,
                };
                if fields.is_empty() {
                    return Ok(vec![Change::Unexposed]);
                }
                fields
                    .into_iter()
                    .map(|(key, OldNew { old, new })| Change::Custom { field: field_name(&key), old, new })
                    .collect()
            }
            "core:view-policy" => {
                let OldNew { old, new } = serde_json::from_str(self.fields.get())?;
                vec![Change::View { old, new }]
            }
            "core:space" => {
                let OldNew { old, new } = serde_json::from_str(self.fields.get())?;
                vec![Change::Space { old, new }]
            }
            "mergedinto" => vec![Change::Merged],
            _ => vec![Change::Other],
        })
    }

    /// One transaction a change: a custom-field transaction that holds several becomes several with the same id.
    fn into_transactions(self) -> Result<Vec<Transaction>, serde_json::Error> {
        let changes = self.change()?;
        let Self { id, phid, author, object: task, date_created: created, mut comments, .. } = self;
        comments.sort_by_key(|comment| std::cmp::Reverse(comment.version));
        // Nearly all hold one, for which nothing is copied.
        let shared = std::iter::repeat_n((phid, task, author, comments), changes.len());
        let rows = changes.into_iter().zip(shared);
        let row = |(change, (phid, task, author, comments))| Transaction {
            id,
            phid,
            task,
            author,
            created,
            change,
            comments,
        };
        Ok(rows.map(row).collect())
    }
}

const METHOD: &str = "transaction.search";

/// The most bytes of a task's history; what is longer can be judged by nobody in the time there is.
const HISTORY_LIMIT: usize = 64 << 20;
/// The most rows that one call answers.
const ROWS: usize = 1_000;

/// The ids of a listing come newest first, each once, and none is zero: what does not is no history.
fn descending(rows: &[Row]) -> Result<(), ConduitError> {
    let positive = rows.iter().all(|row| row.id.0 > 0);
    match positive && rows.windows(2).all(|pair| pair[0].id > pair[1].id) {
        true => Ok(()),
        false => Err(Client::unexpected(METHOD, "the transactions do not come newest first, each once")),
    }
}

fn understood(rows: Vec<Row>) -> Result<Vec<Transaction>, ConduitError> {
    let mut transactions = Vec::with_capacity(rows.len());
    for row in rows {
        let id = row.id;
        let unread = |error| Client::unexpected(METHOD, format!("transaction {id}: {}", misshapen(&error)));
        transactions.extend(row.into_transactions().map_err(unread)?);
    }
    Ok(transactions)
}

impl Client {
    /// All that happened to a task, oldest first (`transaction.search`, 1,000 a page).
    ///
    /// # Errors
    /// Where the server gave no usable answer, or answered with another object.
    pub async fn history(&self, task: TaskId) -> Result<Reply<Vec<Transaction>>, ConduitError> {
        self.transactions(json!({"objectIdentifier": task})).await
    }

    /// What these accounts did on a task, oldest first: the cheap read-back. Servers before February 2019 refuse to be asked
    /// for some accounts alone: of these the whole history is read.
    ///
    /// # Errors
    /// As [`Client::history`].
    pub async fn history_by(&self, task: TaskId, authors: &[Phid<User>]) -> Result<Vec<Transaction>, ConduitError> {
        let asked = json!({"objectIdentifier": task, "constraints": {"authorPHIDs": authors}});
        let refused = match self.transactions(asked).await {
            Ok(reply) => {
                by_these(authors, &reply.result)?;
                return Ok(reply.result);
            }
            Err(error) if matches!(error.kind, Failure::Refused { .. }) && !error.is_credentials() => error,
            Err(error) => return Err(error),
        };
        let Ok(whole) = self.history(task).await else { return Err(refused) };
        let is_one = |row: &Transaction| authors.iter().any(|author| author.as_str() == row.author);
        Ok(whole.result.into_iter().filter(is_one).collect())
    }

    /// Asks for what anybody did on any task, which an audit needs (`transaction.search` with `objectType`, since March
    /// 2021).
    ///
    /// # Errors
    /// Where the server gave no usable answer, or refuses it.
    pub async fn newest_of_all_tasks(&self) -> Result<(), ConduitError> {
        let asked = params(json!({"objectType": "TASK", "limit": 1}));
        self.read::<Page<Value>>(METHOD, &asked).await.map(drop)
    }

    /// Pages of what accounts did on any task, for [`Client::page_by`].
    pub fn pages_by() -> Pages {
        Pages::of(ROWS)
    }

    /// The next page of what these accounts did on any task, newest first (`transaction.search` with `objectType`, since
    /// March 2021), for [`Client::done_by`].
    ///
    /// # Errors
    /// Where the server gave no usable answer.
    pub async fn page_by(&self, authors: &[Phid<User>], pages: &mut Pages) -> Result<SealedRows, ConduitError> {
        let asked = json!({"objectType": "TASK", "constraints": {"authorPHIDs": authors}});
        self.read_sealed(METHOD, &params(asked), pages).await
    }

    /// What these accounts did, of such a page.
    ///
    /// # Errors
    /// Where the server returned other accounts, or nothing that can be understood.
    pub fn done_by(authors: &[Phid<User>], page: &SealedRows) -> Result<Vec<Transaction>, ConduitError> {
        let rows = page.read::<Row>()?.result;
        descending(&rows)?;
        let rows = understood(rows)?;
        by_these(authors, &rows)?;
        Ok(rows)
    }

    /// Transactions of any tasks by PHID, oldest first; at most 1,000 of them fit a call. Those that this account is not
    /// shown are left out.
    ///
    /// # Errors
    /// Where the server gave no usable answer, or answered with other transactions.
    pub async fn transactions_by_phid(&self, phids: &[Phid<Xact>]) -> Result<Vec<Transaction>, ConduitError> {
        if phids.is_empty() {
            // Without its constraint a search returns what everybody did.
            return Ok(Vec::new());
        }
        let asked = json!({"objectType": "TASK", "constraints": {"phids": phids}});
        let pages = Pages::of(ROWS).bounded(HISTORY_LIMIT, "the listing");
        let rows = self.read_all::<Row>(METHOD, params(asked), pages).await?.result;
        let mut rows = understood(rows)?;
        rows.sort_by_key(|row| row.id);
        let asked: HashSet<&str> = phids.iter().map(Phid::as_str).collect();
        match rows.iter().all(|row| asked.contains(row.phid.as_str())) {
            true => Ok(rows),
            false => Err(Self::unexpected(METHOD, "a transaction that was not asked for")),
        }
    }

    async fn transactions(&self, asked: Value) -> Result<Reply<Vec<Transaction>>, ConduitError> {
        let pages = Pages::of(ROWS).bounded(HISTORY_LIMIT, "the history of the task");
        let Reply { result, date } = self.read_all::<Row>(METHOD, params(asked), pages).await?;
        descending(&result)?;
        let mut rows = understood(result)?;
        // The stable sort keeps changes of one transaction in their order.
        rows.sort_by_key(|row| row.id);
        match rows.windows(2).all(|pair| pair[0].task == pair[1].task) {
            true => Ok(Reply { result: rows, date }),
            false => Err(Self::unexpected(METHOD, "asked for one task and got several")),
        }
    }
}

fn by_these(authors: &[Phid<User>], rows: &[Transaction]) -> Result<(), ConduitError> {
    match rows.iter().all(|row| authors.iter().any(|author| author.as_str() == row.author)) {
        true => Ok(()),
        false => Err(Client::unexpected(METHOD, "asked for what some accounts did and got what others did")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u64, kind: &str, fields: Value) -> Value {
        json!({
            "id": id, "phid": format!("PHID-XACT-TASK-{id}"), "type": kind, "authorPHID": "PHID-USER-a",
            "objectPHID": "PHID-TASK-1", "dateCreated": 1, "dateModified": 1, "comments": [], "fields": fields,
        })
    }

    fn rows(ids: &[u64]) -> Vec<Row> {
        ids.iter().map(|id| serde_json::from_value(row(*id, "comment", json!({}))).unwrap()).collect()
    }

    #[test]
    fn ids_that_are_not_positive_and_strictly_descending_are_no_history() {
        assert!(descending(&rows(&[9, 5, 1])).is_ok() && descending(&[]).is_ok());
        for ids in [&[5, 9][..], &[5, 5], &[0], &[9, 0], &[9, 1, 5]] {
            assert!(descending(&rows(ids)).is_err(), "{ids:?}");
        }
        for id in [json!(-1), json!(1.5), json!("1"), Value::Null] {
            let mut wrong = row(1, "comment", json!({}));
            wrong["id"] = id;
            assert!(serde_json::from_value::<Row>(wrong).is_err());
        }
    }

    #[test]
    fn who_can_see_a_task_is_read_as_it_was_and_as_it_became() {
        let change = |kind, old, new| {
            let row = row(1, kind, json!({"old": old, "new": new}));
            serde_json::from_value::<Row>(row).unwrap().change().unwrap()
        };
        let (old, new) = (Some("users".to_owned()), Some("PHID-PLCY-1".to_owned()));
        assert_eq!(change("core:view-policy", json!("users"), json!("PHID-PLCY-1")), [Change::View { old, new }]);
        let made = Change::Space { old: None, new: Some("PHID-SPCE-1".into()) };
        assert_eq!(change("core:space", Value::Null, json!("PHID-SPCE-1")), [made]);
    }

    #[test]
    fn a_merge_is_known_as_what_closes_a_task() {
        let merged = row(1, "mergedinto", json!({"old": null, "new": "PHID-TASK-2"}));
        let change = serde_json::from_value::<Row>(merged).unwrap().change().unwrap();
        assert_eq!(change, [Change::Merged]);
    }
}
