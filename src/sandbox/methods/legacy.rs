//! `maniphest.gettasktransactions`, the frozen method that returns old and new values on every version.
//!
//! Responsible for the stored form of transactions: their inner types, and values as the server keeps them. What
//! `transaction.search` returns of the same transactions is in [`super::transactions`].

use serde_json::{Map, Value, json};

use super::super::access;
use super::super::index::Indexed;
use super::super::like::Like;
use super::super::request::{Call, CallRefusal, Outcome, reply};
use super::super::world::{Transaction, User, World};

/// The relation of an object to its projects.
const HAS_PROJECT: u32 = 41;

pub(super) fn transactions(world: &Indexed, call: &Call, viewer: &User) -> Outcome {
    let ids = ids(call)?;
    let mut found = Map::new();
    for id in ids {
        let Some(task) = world.task_numbered(id).filter(|task| access::can_view(world, task, viewer)) else { continue };
        let places = world.transactions_of(&task.phid);
        let mut history = places.iter().map(|place| world.transaction_at(*place));
        let made = history.find(|row| row.kind.as_deref() == Some("create")).map(|row| row.group.as_str());
        let mut people: Vec<String> = Vec::new();
        let mut rows = Vec::new();
        // the subscribers are returned whole, so they are followed from the beginning
        for place in places.iter().rev() {
            let transaction = world.transaction_at(*place);
            let creates = made == Some(transaction.group.as_str());
            rows.push(row(world, call.like, id, transaction, creates, &mut people));
        }
        rows.reverse();
        if !rows.is_empty() {
            found.insert(id.to_string(), Value::Array(rows));
        }
    }
    // an empty map of PHP is a list
    match found.is_empty() {
        true => reply(&json!([])),
        false => reply(&found),
    }
}

fn ids(call: &Call) -> Result<Vec<u64>, CallRefusal> {
    let refuse = || {
        let info = "Must pass an array of integer task IDs for parameter \"ids\".";
        Err(CallRefusal::new("ERR-BAD-IDS", info))
    };
    let items = match call.get("ids") {
        Some(Value::Array(items)) => items.as_slice(),
        None => &[],
        Some(_) => return refuse(),
    };
    if items.is_empty() {
        return if call.like.has_own_codes() { refuse() } else { Ok(Vec::new()) };
    }
    let number = |item: &Value| item.as_u64().or_else(|| item.as_str()?.parse().ok());
    match items.iter().map(number).collect() {
        Some(ids) => Ok(ids),
        None => refuse(),
    }
}

/// A transaction in its stored form; `creates` where it belongs to the making of the task. `people` are the subscribers,
/// before it and, when this returns, after it.
fn row(
    world: &World,
    like: Like,
    task: u64,
    transaction: &Transaction,
    creates: bool,
    people: &mut Vec<String>,
) -> Value {
    let stored = stored(transaction, people);
    let mut row = json!({
        "taskID": task.to_string(),
        "transactionID": transaction.id.to_string(),
        "transactionPHID": transaction.phid,
        "transactionType": stored.kind,
        "oldValue": stored.old,
        "newValue": stored.new,
        "comments": transaction.versions.last().map(|version| version.text.as_str()),
        "authorPHID": transaction.author,
        "dateCreated": transaction.created.to_string(),
    });
    if like.has_metadata() {
        let mut meta = stored.meta;
        if creates {
            meta.insert("core.create".into(), json!(true));
        }
        meta.insert("core.groupID".into(), json!(transaction.group));
        let author = world.user(&transaction.author).map_or("somebody", |user| user.username.as_str());
        row["title"] = json!(format!("{author} {}.", sentence(&stored.kind)));
        row["meta"] = Value::Object(meta);
    }
    row
}

struct Stored {
    kind: String,
    old: Value,
    new: Value,
    meta: Map<String, Value>,
}

fn stored(transaction: &Transaction, people: &mut Vec<String>) -> Stored {
    let field = |name: &str| transaction.fields.get(name).cloned().unwrap_or(Value::Null);
    let plain = |kind: &str, old, new| Stored { kind: kind.to_owned(), old, new, meta: Map::new() };
    let edge = |kind: u32, old, new| Stored {
        meta: Map::from_iter([("edge:type".to_owned(), json!(kind))]),
        ..plain("core:edge", old, new)
    };
    let Some(kind) = transaction.kind.as_deref() else {
        let (kind, phids) = transaction.edge.as_ref().map_or((0, Vec::new()), |edge| (edge.kind, edge.phids.clone()));
        return edge(kind, json!([]), json!(phids));
    };
    match kind {
        "comment" | "create" => plain(&format!("core:{kind}"), Value::Null, Value::Null),
        "owner" => plain("reassign", field("old"), field("new")),
        "priority" => {
            let number = |side: Value| match &side["value"] {
                Value::Null => Value::Null,
                value => json!(value.to_string()),
            };
            plain("priority", number(field("old")), number(field("new")))
        }
        "projects" => edge(HAS_PROJECT, json!(operated(transaction, "remove")), json!(operated(transaction, "add"))),
        "subscribers" => {
            let old = people.clone();
            people.extend(operated(transaction, "add"));
            let gone = operated(transaction, "remove");
            people.retain(|phid| !gone.contains(phid));
            plain("core:subscribers", json!(old), json!(people))
        }
        "core:customfield" => {
            let (key, value) = transaction.fields.iter().next().map_or(("", &Value::Null), |(key, value)| (key, value));
            Stored {
                meta: Map::from_iter([("customfield:key".to_owned(), json!(key))]),
                ..plain(kind, value["old"].clone(), value["new"].clone())
            }
        }
        other => plain(other, field("old"), field("new")),
    }
}

/// The PHIDs that a transaction added or removed.
fn operated(transaction: &Transaction, operation: &str) -> Vec<String> {
    let operations = transaction.fields.get("operations").and_then(Value::as_array);
    let done = operations.into_iter().flatten().filter(|entry| entry["operation"] == operation);
    done.filter_map(|entry| entry["phid"].as_str()).map(str::to_owned).collect()
}

/// What happened, for people; the real server's sentence says more.
fn sentence(kind: &str) -> &'static str {
    match kind {
        "core:comment" => "added a comment",
        "core:create" => "created this task",
        "core:subscribers" => "changed the subscribers",
        "core:edge" => "changed what this task is related to",
        "core:customfield" => "changed a field",
        "description" => "updated the task description",
        "reassign" => "changed the assignee",
        "status" => "changed the task status",
        _ => "edited this task",
    }
}
