//! Transactions, the history of a task: `transaction.search`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::{ConduitError, misshapen};
use super::paging::Pages;
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
    /// A comment alone, or a change that the gate does not look at.
    Other,
    /// A change that this version of the server does not tell.
    Unexposed,
}

/// A comment as it stood between two edits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentVersion {
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
    raw: Content,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    raw: String,
}

impl CommentVersion {
    /// The text, in Remarkup.
    pub fn text(&self) -> &str {
        &self.raw.raw
    }

    /// A version as tests and tools make it.
    pub fn new(version: u32, author: &str, created: Timestamp, removed: bool, text: &str) -> Self {
        Self { version, author: author.to_owned(), created, removed, raw: Content { raw: text.to_owned() } }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: TransactionId,
    phid: Phid<Xact>,
    // Must be there, if only as null: null says that the server does not tell.
    #[serde(rename = "type", deserialize_with = "nullable")]
    kind: Option<String>,
    #[serde(rename = "authorPHID")]
    author: String,
    #[serde(rename = "objectPHID")]
    object: Phid<Task>,
    #[serde(with = "epoch")]
    date_created: Timestamp,
    comments: Vec<CommentVersion>,
    fields: Value,
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

impl Row {
    fn change(&self) -> Result<Vec<Change>, serde_json::Error> {
        let Some(kind) = self.kind.as_deref() else { return Ok(vec![Change::Unexposed]) };
        Ok(match kind {
            "title" => {
                let OldNew::<Option<String>> { old, new } = Deserialize::deserialize(&self.fields)?;
                vec![Change::Title { old: old.unwrap_or_default(), new: new.unwrap_or_default() }]
            }
            "description" => {
                let OldNew::<Option<String>> { old, new } = Deserialize::deserialize(&self.fields)?;
                vec![Change::Description { old: old.unwrap_or_default(), new: new.unwrap_or_default() }]
            }
            "status" => {
                let OldNew::<Option<String>> { old, new } = Deserialize::deserialize(&self.fields)?;
                match new {
                    Some(new) => vec![Change::Status { old, new }],
                    None => vec![Change::Unexposed],
                }
            }
            "projects" => {
                let Operations { operations } = Deserialize::deserialize(&self.fields)?;
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
                let fields: BTreeMap<String, OldNew<Value>> = match &self.fields {
                    Value::Array(rows) if rows.is_empty() => BTreeMap::new(),
                    fields => Deserialize::deserialize(fields)?,
                };
                if fields.is_empty() {
                    return Ok(vec![Change::Unexposed]);
                }
                let named = |key: String| match key.rsplit_once(':') {
                    Some((_, field)) => format!("custom.{field}"),
                    None => format!("custom.{key}"),
                };
                fields
                    .into_iter()
                    .map(|(key, OldNew { old, new })| Change::Custom { field: named(key), old, new })
                    .collect()
            }
            _ => vec![Change::Other],
        })
    }

    /// One transaction a change: a custom-field transaction that holds several becomes several with the same id.
    fn into_transactions(self) -> Result<Vec<Transaction>, serde_json::Error> {
        let changes = self.change()?;
        let Self { id, phid, author, object: task, date_created: created, mut comments, .. } = self;
        comments.sort_by_key(|comment| std::cmp::Reverse(comment.version));
        Ok(changes
            .into_iter()
            .map(|change| Transaction {
                id,
                phid: phid.clone(),
                task: task.clone(),
                author: author.clone(),
                created,
                change,
                comments: comments.clone(),
            })
            .collect())
    }
}

const METHOD: &str = "transaction.search";

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
    /// Where the server gave no usable answer, or told of another object.
    pub async fn history(&self, task: TaskId) -> Result<Reply<Vec<Transaction>>, ConduitError> {
        self.transactions(json!({"objectIdentifier": task, "limit": 1000})).await
    }

    /// What these accounts did on a task, oldest first: the cheap read-back.
    ///
    /// # Errors
    /// As [`Client::history`].
    pub async fn history_by(&self, task: TaskId, authors: &[Phid<User>]) -> Result<Vec<Transaction>, ConduitError> {
        let asked = json!({"objectIdentifier": task, "constraints": {"authorPHIDs": authors}, "limit": 1000});
        let rows = self.transactions(asked).await?.result;
        if let Some(row) = rows.iter().find(|row| !authors.iter().any(|author| author.as_str() == row.author)) {
            return Err(Self::unexpected(METHOD, format!("asked for some authors and got {}", row.author)));
        }
        Ok(rows)
    }

    /// The next page of what these accounts did on any task, newest first; `limit` is 1,000 at most.
    ///
    /// # Errors
    /// Where the server gave no usable answer, or told of other accounts.
    pub async fn page_by(
        &self,
        authors: &[Phid<User>],
        limit: usize,
        pages: &mut Pages,
    ) -> Result<Vec<Transaction>, ConduitError> {
        let asked = json!({"objectType": "TASK", "constraints": {"authorPHIDs": authors}, "limit": limit});
        let rows = understood(self.read_page::<Row>(METHOD, &params(asked), pages).await?.result)?;
        match rows.iter().find(|row| !authors.iter().any(|author| author.as_str() == row.author)) {
            Some(row) => Err(Self::unexpected(METHOD, format!("asked for some authors and got {}", row.author))),
            None => Ok(rows),
        }
    }

    /// Transactions of any tasks by PHID, oldest first; at most 1,000 of them fit a call. Those that this account is not
    /// shown are left out.
    ///
    /// # Errors
    /// Where the server gave no usable answer, or told of other transactions.
    pub async fn transactions_by_phid(&self, phids: &[Phid<Xact>]) -> Result<Vec<Transaction>, ConduitError> {
        if phids.is_empty() {
            // Without its constraint a search returns what everybody did.
            return Ok(Vec::new());
        }
        let asked = json!({"objectType": "TASK", "constraints": {"phids": phids}, "limit": 1000});
        let mut rows = understood(self.read_pages::<Row>(METHOD, params(asked)).await?.result)?;
        rows.sort_by_key(|row| row.id);
        let asked: BTreeSet<&Phid<Xact>> = phids.iter().collect();
        match rows.iter().find(|row| !asked.contains(&row.phid)) {
            Some(row) => Err(Self::unexpected(METHOD, format!("{} was not asked for", row.phid))),
            None => Ok(rows),
        }
    }

    async fn transactions(&self, asked: Value) -> Result<Reply<Vec<Transaction>>, ConduitError> {
        let Reply { result, date } = self.read_pages::<Row>(METHOD, params(asked)).await?;
        let mut rows = understood(result)?;
        // Newest first on the wire; reversed before the stable sort so that changes of one transaction keep their order.
        rows.sort_by_key(|row| row.id);
        if let Some(pair) = rows.windows(2).find(|pair| pair[0].task != pair[1].task) {
            return Err(Self::unexpected(
                METHOD,
                format!("asked for one task and got {} and {}", pair[0].task, pair[1].task),
            ));
        }
        Ok(Reply { result: rows, date })
    }
}
