//! `maniphest.search`.

use std::cmp::Reverse;

use serde_json::{Map, Value, json};

use super::super::access;
use super::super::page::{Cursors, application_limit, search_reply};
use super::super::request::{Call, Fields, Outcome, Refusal};
use super::super::world::{Task, User, World, leads_to, ordered};
use super::{attachments, order, query_key, resolve_users};

const CONSTRAINTS: &[&str] = &[
    "ids",
    "phids",
    "assigned",
    "authorPHIDs",
    "statuses",
    "priorities",
    "subtypes",
    "columnPHIDs",
    "hasParents",
    "hasSubtasks",
    "parentIDs",
    "subtaskIDs",
    "createdStart",
    "createdEnd",
    "modifiedStart",
    "modifiedEnd",
    "closedStart",
    "closedEnd",
    "closerPHIDs",
    "query",
    "subscribers",
    "projects",
];
const UNSUPPORTED: &[&str] = &[
    "subtypes",
    "columnPHIDs",
    "hasParents",
    "hasSubtasks",
    "parentIDs",
    "subtaskIDs",
    "closedStart",
    "closedEnd",
    "query",
];
const ORDERS: &[&str] = &[
    "priority",
    "order-priority",
    "updated",
    "order-modified",
    "outdated",
    "newest",
    "created",
    "order-created",
    "oldest",
    "closed",
    "title",
    "order-title",
    "relevance",
];

/// Which projects a task must be tagged with.
enum Tagged {
    /// With each of these or one below it.
    All(Vec<String>),
    /// With none at all.
    Untagged,
    /// A hashtag that there is none of: no task is tagged with it.
    Nothing,
}

pub(super) fn search(world: &World, call: &Call, viewer: &User) -> Outcome {
    query_key(call)?;
    let fields = Fields::constraints(call, CONSTRAINTS)?;
    let (ids, phids) = (fields.integers("ids")?, fields.phids("phids")?);
    if ids.iter().flatten().any(|id| *id < 0) {
        return Err(Refusal::core("Task IDs must be integer numbers."));
    }
    let people = |name: &str| -> Result<Option<Vec<String>>, Refusal> {
        Ok(fields.strings(name)?.map(|names| resolve_users(world, names)))
    };
    let (assigned, authors) = (people("assigned")?, people("authorPHIDs")?);
    let (closers, subscribers) = (people("closerPHIDs")?, people("subscribers")?);
    let (statuses, priorities) = (fields.strings("statuses")?, fields.integers("priorities")?);
    let created = (fields.integer("createdStart")?, fields.integer("createdEnd")?);
    let modified = (fields.integer("modifiedStart")?, fields.integer("modifiedEnd")?);
    let tagged = fields.strings("projects")?.map(|tags| resolve_tags(world, &tags)).transpose()?;
    fields.unsupported(UNSUPPORTED)?;
    let attached = attachments(call, &["columns", "subscribers", "projects"])?;
    let order = match call.get("order") {
        None => "newest",
        Some(_) => order(call, "ManiphestTaskQuery", ORDERS)?,
    };
    let (limit, echo) = application_limit(call)?;

    let mut all: Vec<&Task> = world.tasks.iter().filter(|task| access::can_view(world, task, viewer)).collect();
    sort(&mut all, order);
    let among = |list: &Option<Vec<String>>, value: Option<&String>| {
        list.as_ref().is_none_or(|list| value.is_some_and(|value| list.contains(value)))
    };
    let within = |(start, end): (Option<i64>, Option<i64>), time: i64| {
        start.is_none_or(|start| time >= start) && end.is_none_or(|end| time <= end)
    };
    let matches = |task: &Task| {
        ids.as_ref().is_none_or(|ids| ids.iter().any(|id| u64::try_from(*id) == Ok(task.id)))
            && among(&phids, Some(&task.phid))
            && among(&assigned, task.owner.as_ref())
            && among(&authors, Some(&task.author))
            && among(&closers, task.closer.as_ref())
            && among(&statuses, Some(&task.status))
            && priorities.as_ref().is_none_or(|list| list.contains(&task.priority))
            && subscribers.as_ref().is_none_or(|list| list.iter().any(|phid| leads_to(&task.subscribers, phid)))
            && within(created, task.created)
            && within(modified, task.modified)
            && tagged.as_ref().is_none_or(|tagged| carries(world, task, tagged))
    };
    let cursors = Cursors::new(call, "ManiphestTaskQuery", "Task IDs must be integer numbers.");
    let page = cursors.page(&all, limit, |task| task.id, matches)?;
    let page = page.map(|task| render(world, task, viewer, &attached));
    Ok(search_reply(call, page, echo, json!({})))
}

fn sort(all: &mut [&Task], order: &str) {
    match order {
        "oldest" => all.sort_by_key(|task| task.id),
        "updated" | "order-modified" => all.sort_by_key(|task| Reverse((task.modified, task.id))),
        "outdated" => all.sort_by_key(|task| (task.modified, task.id)),
        "priority" | "order-priority" => all.sort_by_key(|task| Reverse((task.priority, task.id))),
        "closed" => all.sort_by_key(|task| Reverse((task.closed, task.id))),
        "title" | "order-title" => all.sort_by_key(|task| (task.title.to_lowercase(), Reverse(task.id))),
        _ => all.sort_by_key(|task| Reverse(task.id)),
    }
}

/// The projects that are asked for by PHID or by hashtag without `#`; with `#` the server does not know them.
fn resolve_tags(world: &World, tags: &[String]) -> Result<Tagged, Refusal> {
    if let [tag] = tags
        && tag == "null()"
    {
        return Ok(Tagged::Untagged);
    }
    let mut phids = Vec::new();
    for tag in tags {
        if tag.ends_with(')') {
            let info = format!("The sandbox does not support the function \"{tag}\" in the constraint \"projects\".");
            return Err(Refusal::core(info));
        }
        match world.project(tag).or_else(|| world.project_tagged(tag)) {
            Some(project) => phids.push(project.phid.clone()),
            None => return Ok(Tagged::Nothing),
        }
    }
    Ok(Tagged::All(phids))
}

fn carries(world: &World, task: &Task, tagged: &Tagged) -> bool {
    match tagged {
        Tagged::Nothing => false,
        Tagged::Untagged => task.projects.is_empty(),
        Tagged::All(phids) => {
            phids.iter().all(|phid| task.projects.iter().any(|edge| world.is_within(&edge.phid, phid)))
        }
    }
}

fn render(world: &World, task: &Task, viewer: &User, attached: &[String]) -> Value {
    let status = world.statuses.iter().find(|status| status.value == task.status);
    let priority = world.priorities.iter().find(|priority| priority.value == task.priority);
    let mut fields = json!({
        "name": task.title,
        "description": {"raw": task.description},
        "authorPHID": task.author,
        "ownerPHID": task.owner,
        "status": {
            "value": task.status,
            "name": status.map_or("Unknown Status", |status| status.name.as_str()),
            "color": null,
        },
        "priority": {
            "value": task.priority,
            "name": priority.map(|priority| &priority.name),
            "color": priority.map(|priority| &priority.color),
        },
        "points": null,
        "subtype": "default",
        "closerPHID": task.closer,
        "dateClosed": task.closed,
        "groupByProjectPHID": null,
        "spacePHID": task.space,
        "dateCreated": task.created,
        "dateModified": task.modified,
        "policy": {"view": task.view, "interact": task.view, "edit": task.edit},
    });
    for field in &world.custom_fields {
        fields[format!("custom.{}", field.key)] = task.custom.get(&field.key).cloned().unwrap_or(Value::Null);
    }
    let mut extra = Map::new();
    for key in attached {
        let value = match key.as_str() {
            "projects" => json!({"projectPHIDs": ordered(&task.projects)}),
            "subscribers" => json!({
                "subscriberPHIDs": ordered(&task.subscribers),
                "subscriberCount": task.subscribers.len(),
                "viewerIsSubscribed": leads_to(&task.subscribers, &viewer.phid),
            }),
            _ => json!({"boards": {}}),
        };
        extra.insert(key.clone(), value);
    }
    json!({"id": task.id, "type": "TASK", "phid": task.phid, "fields": fields, "attachments": extra})
}
