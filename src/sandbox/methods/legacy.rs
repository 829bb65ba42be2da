//! `maniphest.gettasktransactions`, the frozen method that tells old and new values on every version.
//!
//! Responsible for the stored form of the transactions that change a field or the projects; what `transaction.search`
//! tells of the same transactions is in [`super::transactions`].

use serde_json::{Map, Value, json};

use super::super::access;
use super::super::index::Indexed;
use super::super::request::{Call, Outcome, Refusal, tell};
use super::super::world::{Transaction, User};

/// The relation of an object to its projects.
const HAS_PROJECT: u32 = 41;

pub(super) fn transactions(world: &Indexed, call: &Call, viewer: &User) -> Outcome {
    let Some(Value::Array(ids)) = call.get("ids") else {
        return Err(Refusal::new("ERR-BAD-IDS", "Must pass an array of integer task IDs for parameter \"ids\"."));
    };
    let mut found = Map::new();
    for id in ids.iter().filter_map(Value::as_u64) {
        let Some(task) = world.task_numbered(id).filter(|task| access::can_view(world, task, viewer)) else { continue };
        let rows = world.transactions_of(&task.phid).iter().map(|place| row(id, world.transaction_at(*place)));
        found.insert(id.to_string(), Value::Array(rows.collect()));
    }
    // An empty map of PHP is a list.
    if found.is_empty() { tell(&json!([])) } else { tell(&found) }
}

fn row(task: u64, transaction: &Transaction) -> Value {
    let (kind, old, new, meta) = stored(transaction);
    json!({
        "taskID": task.to_string(),
        "title": "",
        "transactionID": transaction.id.to_string(),
        "transactionPHID": transaction.phid,
        "transactionType": kind,
        "oldValue": old,
        "newValue": new,
        "meta": meta,
        "comments": transaction.versions.last().map(|version| version.text.as_str()),
        "authorPHID": transaction.author,
        "dateCreated": transaction.created.to_string(),
    })
}

fn stored(transaction: &Transaction) -> (String, Value, Value, Value) {
    match transaction.kind.as_deref() {
        Some("projects") => {
            let (removed, added) = (operated(transaction, "remove"), operated(transaction, "add"));
            ("core:edge".to_owned(), json!(removed), json!(added), json!({"edge:type": HAS_PROJECT}))
        }
        Some("core:customfield") => {
            let (key, value) = transaction.fields.iter().next().map_or(("", &Value::Null), |(key, value)| (key, value));
            let meta = json!({"customfield:key": key});
            ("core:customfield".to_owned(), value["old"].clone(), value["new"].clone(), meta)
        }
        Some(other) => (other.to_owned(), Value::Null, Value::Null, json!([])),
        // What the world keeps no kind of are mentions.
        None => ("core:edge".to_owned(), json!([]), json!([]), json!({"edge:type": 51})),
    }
}

/// The PHIDs that a transaction added or removed.
fn operated(transaction: &Transaction, operation: &str) -> Vec<String> {
    let operations = transaction.fields.get("operations").and_then(Value::as_array);
    let done = operations.into_iter().flatten().filter(|entry| entry["operation"] == operation);
    done.filter_map(|entry| entry["phid"].as_str()).map(str::to_owned).collect()
}
