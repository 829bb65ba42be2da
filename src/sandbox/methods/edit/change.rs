//! The single changes that an edit of a task can ask for, and how each is read.

use serde_json::Value;

use super::super::super::request::{CallRefusal, integer, string_list, text};
use super::super::super::world::{FieldKind, World};
use super::super::resolve_users;
use super::Description;

/// What is done with a list of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EditOperation {
    /// Add these.
    Add,
    /// Remove these.
    Remove,
    /// Have these and no others.
    Set,
}

/// A change of a task.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TaskChange {
    Title(String),
    Description(String),
    Status(String),
    Priority(String),
    Owner(Option<String>),
    Space(String),
    View(String),
    Edit(String),
    Projects(EditOperation, Vec<String>),
    Subscribers(EditOperation, Vec<String>),
    Custom(String, Value),
    Comment(String),
}

/// Types that the real server knows and the sandbox does not carry out.
const UNSUPPORTED: &[&str] = &[
    "parent",
    "column",
    "parents.add",
    "parents.remove",
    "parents.set",
    "subtasks.add",
    "subtasks.remove",
    "subtasks.set",
    "commits.add",
    "commits.remove",
    "commits.set",
    "subtype",
    "mfa",
];

/// What is done by a type like `projects.add`.
fn operation(kind: &str) -> EditOperation {
    match kind.rsplit('.').next() {
        Some("remove") => EditOperation::Remove,
        Some("set") => EditOperation::Set,
        _ => EditOperation::Add,
    }
}

/// Says of which type the value could not be read.
fn within(kind: &str, refusal: &CallRefusal) -> CallRefusal {
    CallRefusal::core(format!("Exception when processing transaction of type \"{kind}\": {}", refusal.info))
}

/// The refusal of a type that there is none of.
fn invalid(change: &Description, known: &[String]) -> CallRefusal {
    CallRefusal::core(format!(
        "Transaction with key \"{}\" has invalid type \"{}\". This type is not recognized. Valid types are: {}.",
        change.key,
        change.kind,
        known.join(", ")
    ))
}

/// Reads one change.
pub(super) fn read(world: &World, change: &Description) -> Result<TaskChange, CallRefusal> {
    let (kind, value) = (change.kind.as_str(), &change.value);
    let word = || text("value", value).map_err(|refusal| within(kind, &refusal));
    let words = || string_list("value", value).map_err(|refusal| within(kind, &refusal));
    match kind {
        "title" => word().map(TaskChange::Title),
        "description" => word().map(TaskChange::Description),
        "status" => word().map(TaskChange::Status),
        "priority" => word().map(TaskChange::Priority),
        "comment" => word().map(TaskChange::Comment),
        "view" => word().map(TaskChange::View),
        "edit" => word().map(TaskChange::Edit),
        "owner" => match value {
            Value::Null => Ok(TaskChange::Owner(None)),
            Value::String(phid) if phid.is_empty() => Ok(TaskChange::Owner(None)),
            Value::String(phid) => Ok(TaskChange::Owner(Some(phid.clone()))),
            _ => Err(expected(kind, "Expected PHID or null, got something else.")),
        },
        "space" => match value {
            Value::String(phid) => Ok(TaskChange::Space(phid.clone())),
            _ => Err(expected(kind, "Expected PHID, got something else.")),
        },
        "projects.add" | "projects.remove" | "projects.set" => {
            Ok(TaskChange::Projects(operation(kind), resolve_projects(world, words()?)?))
        }
        "subscribers.add" | "subscribers.remove" | "subscribers.set" => {
            Ok(TaskChange::Subscribers(operation(kind), resolve_users(world, words()?)))
        }
        _ => match kind
            .strip_prefix("custom.")
            .and_then(|key| world.custom_fields.iter().find(|field| field.key == key))
        {
            Some(field) => {
                let value = match field.kind {
                    FieldKind::Text => Value::from(word()?),
                    FieldKind::Users => Value::from(resolve_users(world, words()?)),
                    FieldKind::Date => {
                        let time = integer(value, false);
                        time.ok_or_else(|| expected(kind, "Expected epoch timestamp as integer, got something else."))?
                            .into()
                    }
                };
                Ok(TaskChange::Custom(field.key.clone(), value))
            }
            None if UNSUPPORTED.contains(&kind) => {
                Err(CallRefusal::core(format!("The sandbox does not carry out transactions of type \"{kind}\".")))
            }
            None => Err(invalid(change, &known(world))),
        },
    }
}

fn expected(kind: &str, complaint: &str) -> CallRefusal {
    within(kind, &CallRefusal::core(format!("Error while reading \"value\": {complaint}")))
}

/// The types in the order in which the server lists them.
fn known(world: &World) -> Vec<String> {
    let custom: Vec<String> = world.custom_fields.iter().map(|field| format!("custom.{}", field.key)).collect();
    let before = [
        "parent",
        "column",
        "space",
        "title",
        "owner",
        "status",
        "priority",
        "description",
        "parents.add",
        "parents.remove",
        "parents.set",
        "subtasks.add",
        "subtasks.remove",
        "subtasks.set",
        "commits.add",
        "commits.remove",
        "commits.set",
        "view",
        "edit",
        "projects.add",
        "projects.remove",
        "projects.set",
        "subscribers.add",
        "subscribers.remove",
        "subscribers.set",
    ];
    let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    [own(&before), custom, own(&["subtype", "comment", "mfa"])].concat()
}

/// PHIDs of projects that are named by PHID or hashtag. A PHID of nothing is taken as it is, a wrong hashtag is not.
fn resolve_projects(world: &World, names: Vec<String>) -> Result<Vec<String>, CallRefusal> {
    let resolve = |name: String| match world.project_tagged(&name) {
        Some(project) => Ok(project.phid.clone()),
        None if name.starts_with("PHID-") => Ok(name),
        None => Err(CallRefusal::core(format!(
            "Edge transactions must have destination PHIDs as in edge lists (found key \"{name}\" on transaction of \
             type \"41\")."
        ))),
    };
    names.into_iter().map(resolve).collect()
}
