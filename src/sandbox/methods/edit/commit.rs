//! The end of an edit: what it comes to, written into the world.
//!
//! Responsible for relations as they will be, and for the rows, comments and links that are kept. Not responsible for which
//! changes an edit holds ([`super`]).

use serde_json::{Map, Value, json};

use super::super::super::world::{
    Edge, HiddenEdge, Task, Transaction, User, World, WorldCommentVersion, leads_to, ordered,
};
use super::{EditOperation, MENTIONED_BY, Row};

/// Applies additions and removals to a relation: what the transaction says, and the relation as it will be.
pub(super) fn relate(edges: &[Edge], parts: &[(EditOperation, Vec<String>)], now: i64) -> (Vec<Value>, Vec<Edge>) {
    let mut wanted: Vec<String> = edges.iter().map(|edge| edge.phid.clone()).collect();
    for (operation, phids) in parts {
        match operation {
            EditOperation::Set => wanted.clone_from(phids),
            EditOperation::Add => {}
            EditOperation::Remove => wanted.retain(|phid| !phids.contains(phid)),
        }
        for phid in phids {
            if *operation == EditOperation::Add && !wanted.contains(phid) {
                wanted.push(phid.clone());
            }
        }
    }
    let mut operations = Vec::new();
    let mut kept: Vec<Edge> = edges.iter().filter(|edge| wanted.contains(&edge.phid)).cloned().collect();
    let mut seq = 0;
    for phid in &wanted {
        if !leads_to(&kept, phid) {
            operations.push(json!({"operation": "add", "phid": phid}));
            kept.push(Edge { phid: phid.clone(), time: now, seq });
            seq += 1;
        }
    }
    for phid in ordered(edges) {
        if !wanted.iter().any(|wanted| wanted == phid) {
            operations.push(json!({"operation": "remove", "phid": phid}));
        }
    }
    (operations, kept)
}

/// Writes the edit into the world.
pub(super) fn commit(
    world: &mut World,
    user: &User,
    now: i64,
    mut task: Task,
    rows: Vec<Row>,
    comments: Vec<String>,
    linked: &[String],
) -> Value {
    let object = |task: &Task| json!({"id": task.id, "phid": task.phid});
    let created = task.phid.is_empty();
    if rows.is_empty() && comments.is_empty() {
        return json!({"object": object(&task), "transactions": []});
    }
    if created {
        task.phid = world.fresh_phid("TASK");
    }
    task.modified = now;
    let group = world.fresh_group();
    let mut transactions = Vec::new();
    let write = |world: &mut World, object: &str, row: Row, text: Option<String>| {
        let versions = text.map(|text| WorldCommentVersion {
            id: world.next_version(),
            phid: world.fresh_phid("XCMT"),
            author: user.phid.clone(),
            created: now,
            removed: false,
            text,
        });
        let phid = world.fresh_phid("XACT-TASK");
        world.transactions.push(Transaction {
            id: world.next_transaction(),
            phid: phid.clone(),
            object: object.to_owned(),
            kind: row.kind.map(str::to_owned),
            author: user.phid.clone(),
            created: now,
            modified: now,
            group: group.clone(),
            edge: row.edge,
            fields: row.fields,
            versions: versions.into_iter().collect(),
        });
        phid
    };
    for row in rows {
        transactions.push(json!({"phid": write(world, &task.phid, row, None)}));
    }
    for text in comments {
        let row = Row { kind: Some("comment"), edge: None, fields: Map::new() };
        transactions.push(json!({"phid": write(world, &task.phid, row, Some(text))}));
    }
    for other in linked {
        let edge = HiddenEdge { kind: MENTIONED_BY, phids: vec![task.phid.clone()] };
        write(world, other, Row { kind: None, edge: Some(edge), fields: Map::new() }, None);
    }
    for other in &mut world.tasks {
        if linked.contains(&other.phid) {
            other.modified = now;
        }
    }
    let answer = json!({"object": object(&task), "transactions": transactions});
    match world.tasks.iter_mut().find(|known| known.phid == task.phid) {
        Some(known) => *known = task,
        None => world.tasks.push(task),
    }
    answer
}
