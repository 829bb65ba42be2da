//! Tasks: `maniphest.search`, `maniphest.edit`, `maniphest.status.search`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::error::{ConduitError, Failure};
use super::paging::{Page, Pages, SealedRows};
use super::transport::{Client, Reply};
use super::{epoch, params};
use crate::ids::{Phid, Project, Space, Task as TaskKind, TaskId, User, Xact};

/// A task as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its number.
    pub id: TaskId,
    /// Its PHID.
    pub phid: Phid<TaskKind>,
    /// Its title.
    pub title: String,
    /// Its description, in Remarkup.
    pub description: String,
    /// Who made it.
    pub author: Phid<User>,
    /// Its owner.
    pub owner: Option<Phid<User>>,
    /// The value of its status, such as `open`.
    pub status: String,
    /// Who can see it: `public`, `users` or something narrower.
    pub view: String,
    /// Who can comment on it: a policy as `view` is one; `no-one` where its status locks it, which leaves nobody a way
    /// to say no. `None` where this server does not say.
    #[serde(default)]
    pub interact: Option<String>,
    /// Its Space, where the server has Spaces.
    pub space: Option<Phid<Space>>,
    /// The projects it is tagged with, as tagged: a subproject without its parent.
    pub projects: Vec<Phid<Project>>,
    /// Custom fields, by their name in the reply: `custom.KEY`.
    pub custom: BTreeMap<String, Value>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed. What happens to comments that are there already does not change it.
    pub modified: Timestamp,
}

impl Task {
    /// Whether it is shown to fewer people than everyone with an account.
    pub fn is_restricted(&self, open_spaces: &[String]) -> bool {
        restricts(&self.view, self.space.as_ref().map(Phid::as_str), open_spaces)
    }

    /// The Space that alone makes it restricted; `None` where its view policy does as well, or nothing does.
    pub fn restricting_space(&self, open_spaces: &[String]) -> Option<&Phid<Space>> {
        self.closed_space(open_spaces).filter(|_| self.has_open_view())
    }

    fn has_open_view(&self) -> bool {
        is_open_view(&self.view)
    }

    fn closed_space(&self, open_spaces: &[String]) -> Option<&Phid<Space>> {
        self.space.as_ref().filter(|space| is_closed(space.as_str(), open_spaces))
    }
}

/// Whether who can see a task, and its Space, show it to fewer people than everyone with an account.
pub fn restricts(view: &str, space: Option<&str>, open_spaces: &[String]) -> bool {
    !is_open_view(view) || space.is_some_and(|space| is_closed(space, open_spaces))
}

fn is_open_view(view: &str) -> bool {
    matches!(view, "public" | "users")
}

fn is_closed(space: &str, open_spaces: &[String]) -> bool {
    !open_spaces.iter().any(|open| open == space)
}

#[derive(Deserialize)]
struct Row {
    id: u64,
    phid: Phid<TaskKind>,
    fields: TaskFields,
    attachments: Attachments,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TaskFields {
    name: String,
    description: RawText,
    #[serde(rename = "authorPHID")]
    author: Phid<User>,
    #[serde(rename = "ownerPHID")]
    owner: Option<Phid<User>>,
    status: StatusValue,
    // A server without Spaces still says `null`; a missing key would hide that a task is restricted.
    #[serde(rename = "spacePHID", deserialize_with = "nullable")]
    space: Option<Phid<Space>>,
    policy: TaskPolicy,
    #[serde(with = "epoch")]
    date_created: Timestamp,
    #[serde(with = "epoch")]
    date_modified: Timestamp,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

fn nullable<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Phid<Space>>, D::Error> {
    Deserialize::deserialize(deserializer)
}

#[derive(Deserialize)]
struct RawText {
    raw: String,
}

#[derive(Deserialize)]
struct StatusValue {
    value: String,
}

#[derive(Deserialize)]
struct TaskPolicy {
    view: String,
    interact: Option<String>,
}

#[derive(Deserialize)]
struct Attachments {
    projects: ProjectPhids,
}

#[derive(Deserialize)]
struct ProjectPhids {
    #[serde(rename = "projectPHIDs")]
    phids: Vec<Phid<Project>>,
}

impl Row {
    fn into_task(self) -> Option<Task> {
        let Self { id, phid, fields, attachments } = self;
        let mut custom = fields.rest;
        custom.retain(|key, _| key.starts_with("custom."));
        Some(Task {
            id: TaskId::new(id)?,
            phid,
            title: fields.name,
            description: fields.description.raw,
            author: fields.author,
            owner: fields.owner,
            status: fields.status.value,
            view: fields.policy.view,
            interact: fields.policy.interact,
            space: fields.space,
            projects: attachments.projects.phids,
            custom,
            created: fields.date_created,
            modified: fields.date_modified,
        })
    }
}

/// What `maniphest.edit` says it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The task.
    pub task: TaskId,
    /// The transactions that it made; none where nothing changed.
    pub transactions: Vec<Phid<Xact>>,
}

/// A status that a task can have.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Status {
    /// Its value, as a task carries it.
    pub value: String,
    /// Whether a task with it is closed.
    pub closed: bool,
}

const SEARCH: &str = "maniphest.search";

/// The kinds of edit that a refusal of the kind `unknown` lists: what stands between commas behind its name. The words
/// around them are those of the account's language, and are not looked at; a list without the kinds that every server
/// has is none.
fn kinds_in(info: &str, unknown: &str) -> Option<Vec<String>> {
    let at = info.to_lowercase().find(unknown)?;
    let listed = info.get(at + unknown.len()..)?.split(',');
    let kinds = listed.filter_map(|item| {
        let last = item.split_whitespace().last()?.trim_matches(|c: char| !c.is_alphanumeric());
        Some(last.to_lowercase()).filter(|kind| !kind.is_empty())
    });
    let kinds: Vec<String> = kinds.collect();
    // One that cannot comment still lists others.
    (kinds.len() >= 3).then_some(kinds)
}

/// The tasks of these rows; none of them is left out.
fn numbered(rows: Vec<Row>) -> Result<Vec<Task>, ConduitError> {
    let tasks = rows.into_iter().map(Row::into_task).collect::<Option<Vec<_>>>();
    tasks.ok_or_else(|| Client::unexpected(SEARCH, "a task without a number"))
}

impl Client {
    /// The task of this number with its projects, or `None` where this account is shown none: it is missing or hidden,
    /// which a server does not distinguish (`maniphest.search`).
    ///
    /// # Errors
    /// Where the server gave no usable answer, or answered with something else than this task.
    pub async fn task(&self, id: TaskId) -> Result<Reply<Option<Task>>, ConduitError> {
        const METHOD: &str = "maniphest.search";
        let asked = params(json!({
            "constraints": {"ids": [id.number()]},
            "attachments": {"projects": true},
            "limit": 2,
        }));
        let page: Reply<Page<Row>> = self.read(METHOD, &asked).await?;
        let tasks: Option<Vec<Task>> = page.result.data.into_iter().map(Row::into_task).collect();
        let task = match tasks.as_deref() {
            Some([]) => None,
            Some([task]) if task.id == id => Some(task.clone()),
            _ => return Err(Self::unexpected(METHOD, format!("asked for {id} alone and got something else"))),
        };
        Ok(Reply { result: task, date: page.date })
    }

    /// The tasks of a project, its subprojects and milestones that have one of these statuses (`maniphest.search`).
    ///
    /// # Errors
    /// Where the server gave no usable answer, or answered with something else than such tasks.
    pub async fn tasks_of(&self, project: &Phid<Project>, statuses: &[String]) -> Result<Vec<Task>, ConduitError> {
        const METHOD: &str = "maniphest.search";
        if statuses.is_empty() {
            // Without its constraint a search returns every task there is.
            return Ok(Vec::new());
        }
        let asked = params(json!({
            "constraints": {"projects": [project], "statuses": statuses},
            "attachments": {"projects": true},
            "limit": 100,
        }));
        let rows: Vec<Row> = self.read_pages(METHOD, asked).await?.result;
        let tasks: Vec<Task> = rows.into_iter().filter_map(Row::into_task).collect();
        let fits = |task: &Task| statuses.contains(&task.status) && !task.projects.is_empty();
        match tasks.iter().find(|task| !fits(task)) {
            Some(other) => Err(Self::unexpected(METHOD, format!("{} was not asked for", other.id))),
            None => Ok(tasks),
        }
    }

    /// The tasks of a project, its subprojects and milestones that were modified since a moment by the server's clock, to the second
    /// (`maniphest.search`).
    ///
    /// # Errors
    /// Where the server gave no usable answer, or answered with something else than such tasks.
    pub async fn tasks_modified(&self, project: &Phid<Project>, since: Timestamp) -> Result<Vec<Task>, ConduitError> {
        let asked = params(json!({
            "constraints": {"projects": [project], "modifiedStart": since.as_second()},
            "attachments": {"projects": true},
            "limit": 100,
        }));
        let tasks = numbered(self.read_pages(SEARCH, asked).await?.result)?;
        match tasks.iter().find(|task| task.projects.is_empty() || task.modified.as_second() < since.as_second()) {
            Some(other) => Err(Self::unexpected(SEARCH, format!("{} was not asked for", other.id))),
            None => Ok(tasks),
        }
    }

    /// The next page of the tasks that carry this tag or one below it, oldest first (`maniphest.search`), for
    /// [`Client::tagged_tasks`].
    ///
    /// # Errors
    /// Where the server gave no usable answer.
    pub async fn tagged_page(&self, tag: &Phid<Project>, pages: &mut Pages) -> Result<SealedRows, ConduitError> {
        let asked = json!({
            "constraints": {"projects": [tag]},
            "attachments": {"projects": true},
            "order": "oldest",
            "limit": 100,
        });
        self.read_sealed(SEARCH, &params(asked), pages).await
    }

    /// The tasks of such a page.
    ///
    /// # Errors
    /// Where the server answered with something else than tagged tasks.
    pub fn tagged_tasks(page: &SealedRows) -> Result<Reply<Vec<Task>>, ConduitError> {
        let Reply { result, date } = page.read::<Row>()?;
        let tasks = numbered(result)?;
        // A constraint that a server drops makes it answer every task there is.
        match tasks.iter().find(|task| task.projects.is_empty()) {
            Some(other) => Err(Self::unexpected(SEARCH, format!("{} was not asked for", other.id))),
            None => Ok(Reply { result: tasks, date }),
        }
    }

    /// Tasks by PHID. Those that this account is not shown are left out (`maniphest.search`).
    ///
    /// # Errors
    /// Where the server gave no usable answer, or answered with something else than these tasks.
    pub async fn tasks_by_phid(&self, phids: &[Phid<TaskKind>]) -> Result<Reply<Vec<Task>>, ConduitError> {
        let (mut tasks, mut first) = (Vec::new(), None);
        for some in phids.chunks(100) {
            let asked = json!({
                "constraints": {"phids": some},
                "attachments": {"projects": true},
                "limit": 100,
            });
            let Reply { result, date } = self.read_pages::<Row>(SEARCH, params(asked)).await?;
            first = first.or(date);
            tasks.extend(numbered(result)?);
        }
        match tasks.iter().find(|task| !phids.contains(&task.phid)) {
            Some(other) => Err(Self::unexpected(SEARCH, format!("{} was not asked for", other.id))),
            None => Ok(Reply { result: tasks, date: first }),
        }
    }

    /// The newest task with this tag or one below it, or `None` where this account is shown none (`maniphest.search`).
    ///
    /// # Errors
    /// Where the server gave no usable answer.
    pub async fn newest_task(&self, tag: &Phid<Project>) -> Result<Option<Task>, ConduitError> {
        const METHOD: &str = "maniphest.search";
        let asked = params(json!({
            "constraints": {"projects": [tag]},
            "attachments": {"projects": true},
            "order": "newest",
            "limit": 1,
        }));
        let page: Reply<Page<Row>> = self.read(METHOD, &asked).await?;
        page.result
            .data
            .into_iter()
            .next()
            .map(|row| row.into_task().ok_or_else(|| Self::unexpected(METHOD, "a task without a number")))
            .transpose()
    }

    /// The kinds of edit that this account can ask for on a task, without making one: the server is asked for a kind
    /// that there is none of, which it refuses before it writes anything, with a list of those that there are
    /// (`maniphest.edit`).
    ///
    /// # Errors
    /// Where the server gave no usable answer, or refused for another reason.
    pub async fn edit_types(&self, task: TaskId) -> Result<Vec<String>, ConduitError> {
        const METHOD: &str = "maniphest.edit";
        const NO_KIND: &str = "phabgate.probe";
        let asked = params(json!({
            "objectIdentifier": task,
            "transactions": [{"type": NO_KIND, "value": null}],
        }));
        let error = match self.read::<Value>(METHOD, &asked).await {
            Ok(_) => return Err(Self::unexpected(METHOD, format!("the server took an edit of the kind {NO_KIND}"))),
            Err(error) => error,
        };
        let Failure::Refused { info, .. } = &error.kind else { return Err(error) };
        match kinds_in(info, NO_KIND) {
            Some(kinds) => Ok(kinds),
            None => Err(error),
        }
    }

    /// Every status that a task can have (`maniphest.status.search`).
    ///
    /// # Errors
    /// Where the server gave no usable answer, or none that names a closed status.
    pub async fn statuses(&self) -> Result<Vec<Status>, ConduitError> {
        const METHOD: &str = "maniphest.status.search";
        #[derive(Deserialize)]
        struct Statuses {
            data: Vec<Status>,
        }
        let reply: Reply<Statuses> = self.read(METHOD, &Map::new()).await?;
        if !reply.result.data.iter().any(|status| status.closed) {
            return Err(Self::unexpected(METHOD, "no status is closed"));
        }
        Ok(reply.result.data)
    }

    /// Writes a comment on a task, once; a failure may leave it written (`maniphest.edit`).
    ///
    /// # Errors
    /// Where the server gave no usable answer; [`ConduitError::write_effect`] says whether it may have acted.
    pub async fn comment_once(&self, task: TaskId, text: &str) -> Result<Edited, ConduitError> {
        self.edit_once(task, &[("comment", json!(text))]).await
    }

    /// Makes several changes to a task, once, all or none; a failure may leave them made (`maniphest.edit`).
    ///
    /// # Errors
    /// As [`Client::comment_once`].
    pub async fn edit_once(&self, task: TaskId, changes: &[(&str, Value)]) -> Result<Edited, ConduitError> {
        const METHOD: &str = "maniphest.edit";
        #[derive(Deserialize)]
        struct CreatedTask {
            object: CreatedObject,
            transactions: Vec<EditTransaction>,
        }
        #[derive(Deserialize)]
        struct CreatedObject {
            id: u64,
        }
        #[derive(Deserialize)]
        struct EditTransaction {
            phid: Phid<Xact>,
        }
        let transactions: Vec<Value> =
            changes.iter().map(|(kind, value)| json!({"type": kind, "value": value})).collect();
        let asked = params(json!({"objectIdentifier": task, "transactions": transactions}));
        let reply: Reply<CreatedTask> = self.call_once(METHOD, &asked).await?;
        if reply.result.object.id != task.number() {
            return Err(Self::unexpected(METHOD, format!("edited {task} and was told of T{}", reply.result.object.id)));
        }
        let transactions = reply.result.transactions.into_iter().map(|made| made.phid).collect();
        Ok(Edited { task, transactions })
    }
}
