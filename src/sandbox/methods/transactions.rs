//! `transaction.search`.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::super::access::{self, Capability};
use super::super::index::Indexed;
use super::super::page::{Cursors, transaction_limit};
use super::super::request::{Call, Outcome, Refusal, as_map};
use super::super::world::{Transaction, User};

/// Kinds of object that have transactions. The sandbox keeps those of tasks only.
const TYPES: &[&str] = &["TASK", "PROJ", "USER", "CMIT", "DREV", "FILE", "PSTE", "SPCE"];

/// Whose transactions are asked for.
enum Scope {
    Task(String),
    AllTasks,
    /// An object of another kind: it exists, and nothing of it is kept.
    Other,
}

pub(super) fn search(world: &Indexed, call: &Call, viewer: &User) -> Outcome {
    let scope = scope(world, call, viewer)?;
    let constraints = as_map(call.get("constraints")).ok_or_else(|| {
        Refusal::new("ERR-INVALID-CONSTRAINTS-FORMAT", "\"constraints\" must be a list of constraints.")
    })?;
    let unknown: Vec<&str> =
        constraints.keys().map(String::as_str).filter(|key| !matches!(*key, "phids" | "authorPHIDs")).collect();
    if !unknown.is_empty() {
        let info = format!("Got unexpected parameters: {}", unknown.join(", "));
        return Err(Refusal::new("ERR-CONDUIT-CALL", info));
    }
    let phids = phids(&constraints, "phids", "ERR-INVALID-CONSTRAINT-PHIDS-FORMAT", "transaction")?;
    let authors = phids_of_authors(&constraints)?;
    let (limit, echo) = transaction_limit(call);

    let some = match (&scope, &phids, &authors) {
        (Scope::Other, ..) => Cow::Borrowed(&[][..]),
        (Scope::Task(phid), ..) => Cow::Borrowed(world.transactions_of(phid)),
        (Scope::AllTasks, Some(phids), _) => world.transactions_named(phids),
        (Scope::AllTasks, None, Some(authors)) => world.transactions_by(authors),
        (Scope::AllTasks, None, None) => Cow::Borrowed(world.transactions_by_number()),
    };
    let (phids, authors) = (phids.as_deref().map(set), authors.as_deref().map(set));
    let seen = |transaction: &Transaction| match &scope {
        Scope::Task(phid) => transaction.object == *phid,
        Scope::AllTasks => world.task(&transaction.object).is_some_and(|task| access::can_view(world, task, viewer)),
        Scope::Other => false,
    };
    let matches = |place| {
        let transaction = world.transaction_at(place);
        seen(transaction)
            && phids.as_ref().is_none_or(|phids| phids.contains(transaction.phid.as_str()))
            && authors.as_ref().is_none_or(|authors| authors.contains(transaction.author.as_str()))
    };
    let nonsense = "Expected a numeric scalar or null for %Ld conversion. Query: x.id IN (%Ld)";
    let page = Cursors::new(call, "ManiphestTransactionQuery", nonsense).page_of_some(
        &some,
        limit,
        |place| world.transaction_at(place).id,
        |cursor| world.stands_among(&some, cursor),
        matches,
    )?;
    let page = page.map(|place| render(world.transaction_at(place)));
    let mut reply = json!({"cursor": {"limit": echo, "after": page.after, "before": page.before}});
    reply["data"] = Value::Array(page.items);
    Ok(reply)
}

fn set(list: &[String]) -> HashSet<&str> {
    list.iter().map(String::as_str).collect()
}

fn scope(world: &Indexed, call: &Call, viewer: &User) -> Result<Scope, Refusal> {
    let (identifier, kind) = (call.get("objectIdentifier"), call.get("objectType"));
    match (identifier, kind) {
        (Some(_), Some(_)) => Err(Refusal::new(
            "ERR-INVALID-PARAMETERS",
            "Must not specify both parameter \"objectType\" and parameter \"objectIdentifier\".",
        )),
        (None, None) => Err(Refusal::new(
            "ERR-INVALID-PARAMETER",
            "Must specify either parameter \"objectType\" or parameter \"objectIdentifier\".",
        )),
        (None, Some(kind)) => match kind.as_str() {
            Some("TASK") => Ok(Scope::AllTasks),
            Some(known) if TYPES.contains(&known) => Ok(Scope::Other),
            _ => Err(Refusal::new(
                "ERR-INVALID-OBJECT-TYPE",
                "Specified \"objectType\" does not exist. See the endpoint documentation for valid object types.",
            )),
        },
        (Some(Value::String(name)), None) => object(world, name, viewer),
        (Some(_), None) => Err(Refusal::new(
            "ERR-INVALID-OBJECT-PHID-FORMAT",
            "\"objectIdentifier\" must be a string (PHID or object monogram).",
        )),
    }
}

fn object(world: &Indexed, name: &str, viewer: &User) -> Result<Scope, Refusal> {
    let missing = || {
        let info = "Specified \"objectIdentifier\" does not exist.";
        Err(Refusal::new("ERR-INVALID-OBJECT-PHID", info))
    };
    // by its PHID a hidden object is told from a missing one, by its monogram it is not
    if let Some(task) = world.task(name) {
        return match access::can_view(world, task, viewer) {
            true => Ok(Scope::Task(task.phid.clone())),
            false => Err(access::refuse_task(world, task, Capability::View)),
        };
    }
    if let Some(digits) = name.strip_prefix(['T', 't']) {
        let task = digits.parse().ok().and_then(|id| world.task_numbered(id));
        return match task.filter(|task| access::can_view(world, task, viewer)) {
            Some(task) => Ok(Scope::Task(task.phid.clone())),
            None => missing(),
        };
    }
    let known = world.user(name).is_some()
        || world.project(name).is_some()
        || name.strip_prefix('@').is_some_and(|name| world.user_named(name).is_some())
        || name.strip_prefix('#').is_some_and(|slug| world.project_tagged(slug).is_some());
    if known { Ok(Scope::Other) } else { missing() }
}

fn phids_of_authors(constraints: &Map<String, Value>) -> Result<Option<Vec<String>>, Refusal> {
    phids(constraints, "authorPHIDs", "ERR-INVALID-CONSTRAINT-AUTHORPHIDS-FORMAT", "author")
}

fn phids(
    constraints: &Map<String, Value>,
    name: &str,
    code: &'static str,
    of: &str,
) -> Result<Option<Vec<String>>, Refusal> {
    let mistyped = |kind: &str| {
        let info =
            format!("Parameter '{name}' has invalid type. Expected type 'optional list<string>', got type '{kind}'.");
        Refusal::core(info)
    };
    let items = match constraints.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(items)) => items,
        Some(Value::String(_)) => return Err(mistyped("string")),
        Some(Value::Number(_)) => return Err(mistyped("int")),
        Some(Value::Bool(_)) => return Err(mistyped("bool")),
        Some(Value::Object(_)) => return Err(mistyped("map<string, string>")),
    };
    let texts: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
    match texts {
        Some(texts) if texts.is_empty() => {
            Err(Refusal::new(code, format!("\"{name}\" must be a non-empty list of {of} PHIDs.")))
        }
        Some(texts) => Ok(Some(texts)),
        None => Err(mistyped("list<wild>")),
    }
}

fn render(transaction: &Transaction) -> Value {
    let version = |(index, version): (usize, &super::super::world::CommentVersion)| {
        json!({
            "id": version.id,
            "phid": version.phid,
            "version": index + 1,
            "authorPHID": version.author,
            "dateCreated": version.created,
            "dateModified": version.created,
            "removed": version.removed,
            "content": {"raw": version.text},
        })
    };
    let comments: Vec<Value> = transaction.versions.iter().enumerate().rev().map(version).collect();
    let mut row = json!({
        "id": transaction.id,
        "phid": transaction.phid,
        "type": transaction.kind,
        "authorPHID": transaction.author,
        "objectPHID": transaction.object,
        "dateCreated": transaction.created,
        "dateModified": transaction.modified,
        "groupID": transaction.group,
    });
    row["comments"] = Value::Array(comments);
    row["fields"] = Value::Object(transaction.fields.clone());
    row
}
