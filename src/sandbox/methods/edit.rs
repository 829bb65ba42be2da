//! `maniphest.edit`: all of an edit is applied, or none.
//!
//! Responsible for the order in which the server writes the transactions of one edit, and what it adds by itself:
//! subscribers, the assignee of a resolved task, mentions. Beside it, in `change`: the reading of single changes.

mod change;
mod commit;
mod follow;

use serde_json::{Map, Value, json};

use self::change::{EditOperation, TaskChange};
use self::commit::{commit, relate};
use super::super::access::{self, Capability};
use super::super::remarkup;
use super::super::request::{Call, CallRefusal, Outcome, as_map, reply};
use super::super::world::{Edge, HiddenEdge, Task, User, World, leads_to};

/// The relations of a task to those that its texts mention, and the other way round.
const MENTIONS: u32 = 52;
const MENTIONED_BY: u32 = 51;

/// Closed statuses that do not assign the task to who sets them.
const UNCLAIMED: &[&str] = &["invalid", "duplicate"];

/// One change as it was sent: its key in the list, its type, its value.
struct Description {
    key: String,
    kind: String,
    value: Value,
}

/// Reads the list of changes, not yet what each says.
fn descriptions(call: &Call) -> Result<Vec<Description>, CallRefusal> {
    let map = call.get("transactions").and_then(|value| as_map(Some(value)));
    let map = map.ok_or_else(|| CallRefusal::core("Parameter \"transactions\" is not a list of transactions."))?;
    let mut entries: Vec<(String, Value)> = map.into_iter().collect();
    // the keys of a list are numbers, and 10 comes after 9
    entries.sort_by_key(|(key, _)| (key.parse::<u64>().unwrap_or(u64::MAX), key.clone()));
    let list = "Parameter \"transactions\" must contain a list of transaction descriptions, but item with key";
    let read = |(key, item): (String, Value)| {
        let Some(item) = item.as_object().cloned() else {
            return Err(CallRefusal::core(format!("{list} \"{key}\" is not a dictionary.")));
        };
        let field = |name: &str| {
            item.get(name).cloned().ok_or_else(|| {
                let info = format!(
                    "{list} \"{key}\" is missing a \"{name}\" field. Each transaction must have a {name} field."
                );
                CallRefusal::core(info)
            })
        };
        let kind = field("type")?;
        let kind = kind.as_str().map_or_else(|| kind.to_string(), str::to_owned);
        Ok(Description { kind, value: field("value")?, key })
    };
    entries.into_iter().map(read).collect()
}

/// The identifier of what is edited; `None` where something is to be made.
fn identifier(call: &Call) -> Option<String> {
    match call.get("objectIdentifier") {
        Some(Value::String(name)) if !name.is_empty() => Some(name.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    }
}

fn find(world: &World, name: &str, user: &User) -> Result<Task, CallRefusal> {
    let visible = |task: &Task| access::can_view(world, task, user);
    if let Some(digits) = name.strip_prefix(['T', 't']) {
        let task = digits.parse().ok().and_then(|id| world.task_numbered(id)).filter(|task| visible(task));
        return task
            .cloned()
            .ok_or_else(|| CallRefusal::core(format!("Monogram \"{name}\" does not identify a valid object.")));
    }
    let task = match name.parse() {
        Ok(id) => {
            world.task_numbered(id).ok_or_else(|| CallRefusal::core(format!("No object exists with ID \"{id}\".")))
        }
        Err(_) if name.starts_with("PHID-") => {
            world.task(name).ok_or_else(|| CallRefusal::core(format!("No object exists with PHID \"{name}\".")))
        }
        Err(_) => Err(CallRefusal::core(format!("Monogram \"{name}\" does not identify a valid object."))),
    }?;
    match visible(task) {
        true => Ok(task.clone()),
        false => Err(access::refuse_task(world, task, Capability::View)),
    }
}

/// Carries out the edit.
pub(super) fn edit(world: &mut World, call: &Call, user: &User, now: i64) -> Outcome {
    let descriptions = descriptions(call)?;
    let existing = identifier(call).map(|name| find(world, &name, user)).transpose()?;
    let changes = descriptions.iter().map(|change| change::read(world, change)).collect::<Result<Vec<_>, _>>()?;
    if let Some(task) = &existing {
        let mild = |change: &TaskChange| matches!(change, TaskChange::Comment(_) | TaskChange::Subscribers(..));
        if !changes.iter().all(mild) && !access::can_edit(world, task, user) {
            return Err(access::refuse_task(world, task, Capability::Edit));
        }
        let speaks =
            changes.iter().any(|change| matches!(change, TaskChange::Comment(text) if !text.trim().is_empty()));
        if speaks && !access::can_interact(world, task, user) {
            return Err(access::refuse_task(world, task, Capability::Interact));
        }
    }
    let mut draft = Draft::new(world, existing, user, now);
    for change in &changes {
        draft.apply(change, &changes);
    }
    draft.validate(&changes)?;
    draft.claim(&changes);
    draft.subscribe(&changes);
    let linked = draft.link(&changes);
    let Draft { task, rows, comments, .. } = draft;
    reply(&commit(world, user, now, task, rows, comments, &linked))
}

/// A transaction to be written.
struct Row {
    kind: Option<&'static str>,
    edge: Option<HiddenEdge>,
    fields: Map<String, Value>,
}

/// Who is to be added, removed or set, in the order of the edits.
type Subscriptions = Vec<(EditOperation, Vec<String>)>;

/// The task as it will be, and what is to be written of how it came to be so.
struct Draft<'w> {
    world: &'w World,
    user: &'w User,
    now: i64,
    was: Option<Task>,
    task: Task,
    rows: Vec<Row>,
    comments: Vec<String>,
    errors: Vec<String>,
    /// Where explicit changes of the subscribers stand among the rows, and what they are.
    subscriptions: Option<(usize, Subscriptions)>,
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

impl<'w> Draft<'w> {
    fn new(world: &'w World, was: Option<Task>, user: &'w User, now: i64) -> Self {
        let task = was.clone().unwrap_or_else(|| Task {
            id: world.tasks.iter().map(|task| task.id).max().unwrap_or_default() + 1,
            phid: String::new(),
            title: String::new(),
            description: String::new(),
            author: user.phid.clone(),
            owner: None,
            status: "open".to_owned(),
            priority: 90,
            closer: None,
            closed: None,
            space: None,
            created: now,
            modified: now,
            view: "users".to_owned(),
            edit: "users".to_owned(),
            custom: Map::new(),
            projects: Vec::new(),
            subscribers: Vec::new(),
            unsubscribed: Vec::new(),
            mentions: Vec::new(),
        });
        let mut draft = Self {
            world,
            user,
            now,
            was,
            task,
            rows: Vec::new(),
            comments: Vec::new(),
            errors: Vec::new(),
            subscriptions: None,
        };
        if draft.was.is_none() {
            draft.row("create", json!({}));
        }
        draft
    }

    fn row(&mut self, kind: &'static str, value: Value) {
        self.rows.push(Row { kind: Some(kind), edge: None, fields: fields(value) });
    }

    fn apply(&mut self, change: &TaskChange, all: &[TaskChange]) {
        let was = self.was.as_ref();
        match change {
            TaskChange::Title(text) => {
                let old = was.map_or("", |was| was.title.as_str()).to_owned();
                if *text != old {
                    self.row("title", json!({"old": old, "new": text}));
                    self.task.title.clone_from(text);
                }
                if text.trim().is_empty() {
                    self.task.title.clear();
                }
            }
            TaskChange::Description(text) => {
                let old = was.map_or("", |was| was.description.as_str()).to_owned();
                if *text != old {
                    self.row("description", json!({"old": old, "new": text}));
                    self.task.description.clone_from(text);
                }
            }
            TaskChange::Status(status) => self.status(status),
            TaskChange::Owner(owner) => self.owner(owner.as_ref()),
            TaskChange::Priority(keyword) => self.priority(keyword),
            TaskChange::View(policy) => {
                let old = was.map(|was| was.view.clone());
                if old.as_ref() != Some(policy) {
                    self.row("core:view-policy", json!({"old": old, "new": policy}));
                    self.task.view.clone_from(policy);
                }
            }
            TaskChange::Edit(policy) => {
                let old = was.map(|was| was.edit.clone());
                if old.as_ref() != Some(policy) {
                    self.row("core:edit-policy", json!({"old": old, "new": policy}));
                    self.task.edit.clone_from(policy);
                }
            }
            TaskChange::Space(space) => self.space(space),
            TaskChange::Custom(key, new) => {
                let old = self.task.custom.get(key).cloned().unwrap_or(Value::Null);
                let empty = |value: &Value| value.is_null() || *value == json!("") || *value == json!([]);
                // a text that is cleared stays an empty one
                let new_value = if empty(new) && (empty(&old) || new.is_array()) { Value::Null } else { new.clone() };
                if new_value != old && !(empty(&new_value) && empty(&old)) {
                    let stored = |value: &Value| match value {
                        Value::Array(_) => json!(value.to_string()),
                        other => other.clone(),
                    };
                    let name = format!("std:maniphest:{key}");
                    self.row("core:customfield", json!({ name: {"old": stored(&old), "new": stored(new)} }));
                    self.task.custom.insert(key.clone(), new_value);
                }
            }
            TaskChange::Projects(..) => self.projects(change, all),
            TaskChange::Subscribers(operation, phids) => {
                let place = self.rows.len();
                self.subscriptions.get_or_insert((place, Vec::new())).1.push((*operation, phids.clone()));
            }
            TaskChange::Comment(text) => {
                if !text.trim().is_empty() {
                    self.comments.push(text.clone());
                }
            }
        }
    }

    fn status(&mut self, status: &str) {
        let old = self.was.as_ref().map_or("open", |was| was.status.as_str()).to_owned();
        if status == old {
            return;
        }
        self.row("status", json!({"old": old, "new": status}));
        self.task.status = status.to_owned();
        let (was_closed, is_closed) = (self.world.closes(&old), self.world.closes(status));
        if is_closed && !was_closed {
            self.task.closed = Some(self.now);
            self.task.closer = Some(self.user.phid.clone());
        } else if !is_closed {
            self.task.closed = None;
            self.task.closer = None;
        }
    }

    /// Assigns an open task that nobody has to who closes it. After the validation: a policy that would lock out whoever
    /// sets it is refused even where the task would become theirs.
    fn claim(&mut self, changes: &[TaskChange]) {
        let was = self.was.as_ref();
        let was_open = was.is_none_or(|was| !self.world.closes(&was.status));
        let closes = self.world.closes(&self.task.status) && !UNCLAIMED.contains(&self.task.status.as_str());
        let named = changes.iter().any(|change| matches!(change, TaskChange::Owner(_)));
        if was_open && closes && !named && self.task.owner.is_none() {
            self.row("owner", json!({"old": null, "new": self.user.phid}));
            self.task.owner = Some(self.user.phid.clone());
        }
    }

    fn owner(&mut self, owner: Option<&String>) {
        if let Some(owner) = owner
            && self.world.user(owner).is_none()
        {
            self.errors.push(format!("User \"{owner}\" is not a valid user."));
            return;
        }
        let old = self.was.as_ref().and_then(|was| was.owner.clone());
        if owner == old.as_ref() {
            return;
        }
        self.row("owner", json!({"old": old, "new": owner}));
        self.task.owner = owner.cloned();
        // who loses a task goes on hearing of it
        if let Some(old) = old {
            let place = self.rows.len();
            let subscriptions = self.subscriptions.get_or_insert((place, Vec::new()));
            subscriptions.1.push((EditOperation::Add, vec![old]));
        }
    }

    fn priority(&mut self, keyword: &str) {
        let Some(new) = self.world.priorities.iter().find(|priority| priority.keyword == keyword) else {
            let keywords: Vec<&str> = self.world.priorities.iter().map(|priority| priority.keyword.as_str()).collect();
            self.errors.push(format!(
                "Task priority \"{keyword}\" is not a valid task priority. Use a priority keyword to choose a task \
                 priority: {}.",
                keywords.join(", ")
            ));
            return;
        };
        let old = self.was.as_ref().map_or(90, |was| was.priority);
        if new.value != old {
            let name = self.world.priorities.iter().find(|priority| priority.value == old).map(|old| old.name.clone());
            self.row(
                "priority",
                json!({"old": {"value": old, "name": name}, "new": {"value": new.value, "name": new.name}}),
            );
            self.task.priority = new.value;
        }
    }

    fn space(&mut self, space: &str) {
        if !access::can_view_space(self.world, space, self.user) {
            self.errors.push(
                "You can not shift this object in the selected space, because the space does not exist or you do not \
                 have access to it."
                    .to_owned(),
            );
        } else if self.task.space.as_deref() != Some(space) {
            self.row("core:space", json!({"old": self.task.space, "new": space}));
            self.task.space = Some(space.to_owned());
        }
    }

    /// All changes of the projects are one transaction, at the place of the first.
    fn projects(&mut self, change: &TaskChange, all: &[TaskChange]) {
        let mut parts = all.iter().filter(|other| matches!(other, TaskChange::Projects(..)));
        if parts.next().is_some_and(|first| !std::ptr::eq(first, change)) {
            return;
        }
        let parts: Vec<(EditOperation, Vec<String>)> = all
            .iter()
            .filter_map(|change| match change {
                TaskChange::Projects(operation, phids) => Some((*operation, phids.clone())),
                _ => None,
            })
            .collect();
        let (operations, edges) = relate(&self.task.projects, &parts, self.now);
        if !operations.is_empty() {
            self.row("projects", json!({ "operations": operations }));
            self.task.projects = edges;
        }
    }

    fn validate(&mut self, changes: &[TaskChange]) -> Result<(), CallRefusal> {
        let titled = changes.iter().any(|change| matches!(change, TaskChange::Title(_)));
        if self.task.title.is_empty() && (titled || self.was.is_none()) {
            self.errors.push("Tasks must have a title.".to_owned());
        }
        let locks = |kind: fn(&TaskChange) -> bool| changes.iter().any(kind);
        if locks(|change| matches!(change, TaskChange::View(_))) && !access::can_view(self.world, &self.task, self.user)
        {
            self.errors.push("The view policy of this object would no longer allow you to view the object.".to_owned());
        } else if locks(|change| matches!(change, TaskChange::Edit(_)))
            && !access::can_edit(self.world, &self.task, self.user)
        {
            self.errors.push("The edit policy of this object would no longer allow you to edit the object.".to_owned());
        }
        match self.errors.is_empty() {
            true => Ok(()),
            false => Err(CallRefusal::validation(&self.errors)),
        }
    }
}
