//! `transaction.search`.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::access::{self, Capability};
use super::super::index::Indexed;
use super::super::like::Like;
use super::super::page::{Cursors, transaction_limit};
use super::super::request::{Call, CallRefusal, Outcome, as_map, reply};
use super::super::world::{Transaction, User, WorldCommentVersion};

/// Kinds of object that have transactions. The sandbox keeps those of tasks only.
const TYPES: &[&str] = &["TASK", "PROJ", "USER", "CMIT", "DREV", "FILE", "PSTE", "SPCE"];

/// Whose transactions are asked for.
enum SearchScope {
    Task(String),
    AllTasks,
    /// An object of another kind: it exists, and nothing of it is kept.
    Other,
}

pub(super) fn search(world: &Indexed, call: &Call, viewer: &User) -> Outcome {
    let scope = scope(world, call, viewer)?;
    let constraints = as_map(call.get("constraints")).ok_or_else(|| {
        CallRefusal::new("ERR-INVALID-CONSTRAINTS-FORMAT", "\"constraints\" must be a list of constraints.")
    })?;
    let known = |key: &str| key == "phids" || key == "authorPHIDs" && call.like.takes_authors();
    let unknown: Vec<&str> = constraints.keys().map(String::as_str).filter(|key| !known(key)).collect();
    if !unknown.is_empty() {
        let info = format!("Got unexpected parameters: {}", unknown.join(", "));
        return Err(CallRefusal::new("ERR-CONDUIT-CALL", &info).formerly(info));
    }
    let phids = phids(&constraints, "phids", "ERR-INVALID-CONSTRAINT-PHIDS-FORMAT", "transaction")?;
    let authors = phids_of_authors(&constraints)?;
    let (limit, echo) = transaction_limit(call);

    let some = match (&scope, &phids, &authors) {
        (SearchScope::Other, ..) => Cow::Borrowed(&[][..]),
        (SearchScope::Task(phid), ..) => Cow::Borrowed(world.transactions_of(phid)),
        (SearchScope::AllTasks, Some(phids), _) => world.transactions_named(phids),
        (SearchScope::AllTasks, None, Some(authors)) => world.transactions_by(authors),
        (SearchScope::AllTasks, None, None) => Cow::Borrowed(world.transactions_by_number()),
    };
    let (phids, authors) = (phids.as_deref().map(set), authors.as_deref().map(set));
    let seen = |transaction: &Transaction| match &scope {
        SearchScope::Task(phid) => transaction.object == *phid,
        SearchScope::AllTasks => {
            world.task(&transaction.object).is_some_and(|task| access::can_view(world, task, viewer))
        }
        SearchScope::Other => false,
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
    let page = page.map(|place| Row::of(world.transaction_at(place), call.like));
    let cursor = json!({"limit": echo, "after": page.after, "before": page.before});
    reply(&TransactionsReply { data: page.items, cursor })
}

#[derive(Serialize)]
struct TransactionsReply<'w> {
    data: Vec<Row<'w>>,
    cursor: Value,
}

/// A transaction as it is returned.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'w> {
    id: u64,
    phid: &'w str,
    #[serde(rename = "type")]
    kind: Option<&'w str>,
    #[serde(rename = "authorPHID")]
    author: &'w str,
    #[serde(rename = "objectPHID")]
    object: &'w str,
    date_created: i64,
    date_modified: i64,
    #[serde(rename = "groupID", skip_serializing_if = "Option::is_none")]
    group: Option<&'w str>,
    comments: Vec<VersionRow<'w>>,
    fields: Cow<'w, Map<String, Value>>,
}

/// A version of its comment.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VersionRow<'w> {
    id: u64,
    phid: &'w str,
    version: usize,
    #[serde(rename = "authorPHID")]
    author: &'w str,
    date_created: i64,
    date_modified: i64,
    removed: bool,
    content: CommentContent<'w>,
}

#[derive(Serialize)]
struct CommentContent<'w> {
    raw: &'w str,
}

impl<'w> Row<'w> {
    fn of(transaction: &'w Transaction, like: Like) -> Self {
        let kind = transaction.kind.as_deref().filter(|kind| like.returns(kind));
        // the newest first
        let versions = transaction.versions.iter().enumerate().rev();
        let version = |(index, version): (usize, &'w WorldCommentVersion)| VersionRow {
            id: version.id,
            phid: &version.phid,
            version: index + 1,
            author: &version.author,
            date_created: version.created,
            date_modified: version.created,
            removed: version.removed,
            content: CommentContent { raw: &version.text },
        };
        Self {
            id: transaction.id,
            phid: &transaction.phid,
            kind,
            author: &transaction.author,
            object: &transaction.object,
            date_created: transaction.created,
            date_modified: transaction.modified,
            group: like.has_groups().then_some(transaction.group.as_str()),
            comments: versions.map(version).collect(),
            fields: match kind {
                Some(_) => Cow::Borrowed(&transaction.fields),
                None => Cow::Owned(Map::new()),
            },
        }
    }
}

fn set(list: &[String]) -> HashSet<&str> {
    list.iter().map(String::as_str).collect()
}

fn scope(world: &Indexed, call: &Call, viewer: &User) -> Result<SearchScope, CallRefusal> {
    let (identifier, kind) = (call.get("objectIdentifier"), call.get("objectType"));
    match (identifier, kind) {
        (Some(_), Some(_)) => Err(CallRefusal::new(
            "ERR-INVALID-PARAMETERS",
            "Must not specify both parameter \"objectType\" and parameter \"objectIdentifier\".",
        )),
        (None, None) => Err(CallRefusal::new(
            "ERR-INVALID-PARAMETER",
            "Must specify either parameter \"objectType\" or parameter \"objectIdentifier\".",
        )),
        (None, Some(kind)) => match kind.as_str() {
            Some("TASK") => Ok(SearchScope::AllTasks),
            Some(known) if TYPES.contains(&known) => Ok(SearchScope::Other),
            _ => Err(CallRefusal::new(
                "ERR-INVALID-OBJECT-TYPE",
                "Specified \"objectType\" does not exist. See the endpoint documentation for valid object types.",
            )),
        },
        (Some(Value::String(name)), None) => object(world, name, viewer),
        (Some(_), None) => Err(CallRefusal::new(
            "ERR-INVALID-OBJECT-PHID-FORMAT",
            "\"objectIdentifier\" must be a string (PHID or object monogram).",
        )),
    }
}

fn object(world: &Indexed, name: &str, viewer: &User) -> Result<SearchScope, CallRefusal> {
    let missing = || {
        let info = "Specified \"objectIdentifier\" does not exist.";
        let formerly = format!("No object \"{name}\" exists.");
        Err(CallRefusal::new("ERR-INVALID-OBJECT-PHID", info).formerly(formerly))
    };
    // by its PHID a hidden object is distinguished from a missing one, by its monogram it is not
    if let Some(task) = world.task(name) {
        return match access::can_view(world, task, viewer) {
            true => Ok(SearchScope::Task(task.phid.clone())),
            false => Err(access::refuse_task(world, task, Capability::View)),
        };
    }
    if let Some(digits) = name.strip_prefix(['T', 't']) {
        let task = digits.parse().ok().and_then(|id| world.task_numbered(id));
        return match task.filter(|task| access::can_view(world, task, viewer)) {
            Some(task) => Ok(SearchScope::Task(task.phid.clone())),
            None => missing(),
        };
    }
    let known = world.user(name).is_some()
        || world.project(name).is_some()
        || name.strip_prefix('@').is_some_and(|name| world.user_named(name).is_some())
        || name.strip_prefix('#').is_some_and(|slug| world.project_tagged(slug).is_some());
    if known { Ok(SearchScope::Other) } else { missing() }
}

fn phids_of_authors(constraints: &Map<String, Value>) -> Result<Option<Vec<String>>, CallRefusal> {
    phids(constraints, "authorPHIDs", "ERR-INVALID-CONSTRAINT-AUTHORPHIDS-FORMAT", "author")
}

fn phids(
    constraints: &Map<String, Value>,
    name: &str,
    code: &'static str,
    of: &str,
) -> Result<Option<Vec<String>>, CallRefusal> {
    let mistyped = |kind: &str| {
        let info =
            format!("Parameter '{name}' has invalid type. Expected type 'optional list<string>', got type '{kind}'.");
        CallRefusal::core(info)
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
            Err(CallRefusal::new(code, format!("\"{name}\" must be a non-empty list of {of} PHIDs.")))
        }
        Some(texts) => Ok(Some(texts)),
        None => Err(mistyped("list<wild>")),
    }
}
