//! `maniphest.search`.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::access;
use super::super::index::Indexed;
use super::super::like::Like;
use super::super::page::{Cursors, application_limit, search_reply};
use super::super::request::{Call, CallRefusal, FormFields, Outcome, reply};
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
enum TaggedRow {
    /// With each of these or one below it.
    All(Vec<String>),
    /// With none at all.
    Untagged,
    /// A hashtag that there is none of: no task is tagged with it.
    Nothing,
}

pub(super) fn search(world: &Indexed, call: &Call, viewer: &User) -> Outcome {
    query_key(call)?;
    let fields = FormFields::constraints(call, CONSTRAINTS)?;
    let (ids, phids) = (fields.integers("ids")?, fields.phids("phids")?);
    if ids.iter().flatten().any(|id| *id < 0) {
        return Err(CallRefusal::core("Task IDs must be integer numbers."));
    }
    let people = |name: &str| -> Result<Option<Vec<String>>, CallRefusal> {
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

    let seen = |task: &Task| access::can_view(world, task, viewer);
    let oldest_first = order == "oldest";
    // By number a part of the tasks can be returned in order; by anything else all are sorted.
    let sorted = sorted(world, order);
    let some = match (&sorted, &ids, &phids) {
        (Some(sorted), ..) => Cow::Borrowed(sorted.as_slice()),
        (None, Some(ids), _) => {
            let ids: Vec<u64> = ids.iter().filter_map(|id| u64::try_from(*id).ok()).collect();
            Cow::Owned(world.some_tasks(&ids, &[], oldest_first))
        }
        (None, None, Some(phids)) => Cow::Owned(world.some_tasks(&[], phids, oldest_first)),
        (None, None, None) => Cow::Borrowed(world.tasks_by_number(oldest_first)),
    };
    let place = |cursor: u64| {
        world.task_numbered(cursor).filter(|task| seen(task))?;
        match &sorted {
            Some(sorted) => sorted.iter().position(|at| world.task_at(*at).id == cursor).map(|at| at..at + 1),
            None => Some(world.task_stands_among(&some, cursor, oldest_first)),
        }
    };
    let among = |list: &Option<Vec<String>>, value: Option<&String>| {
        list.as_ref().is_none_or(|list| value.is_some_and(|value| list.contains(value)))
    };
    let within = |(start, end): (Option<i64>, Option<i64>), time: i64| {
        start.is_none_or(|start| time >= start) && end.is_none_or(|end| time <= end)
    };
    let matches = |place| {
        let task = world.task_at(place);
        seen(task)
            && ids.as_ref().is_none_or(|ids| ids.iter().any(|id| u64::try_from(*id) == Ok(task.id)))
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
    let page = cursors.page_of_some(&some, limit, |at| world.task_at(at).id, place, matches)?;
    let page = page.map(|at| Row::of(world, world.task_at(at), viewer, &attached, call.like));
    search_reply(call, page, echo, json!({}))
}

/// `maniphest.status.search`, which says nothing of locks.
pub(super) fn statuses(world: &World) -> Outcome {
    let row = |status: &super::super::world::Status| {
        let mut row = json!({"name": status.name, "value": status.value, "closed": status.closed});
        if let Some(special) = &status.special {
            row["special"] = json!(special);
        }
        row
    };
    reply(&json!({"data": world.statuses.iter().map(row).collect::<Vec<_>>()}))
}

/// The places of all tasks in this order; `None` where it is that of their numbers.
fn sorted(world: &Indexed, order: &str) -> Option<Vec<usize>> {
    if matches!(order, "newest" | "created" | "order-created" | "oldest" | "relevance") {
        return None;
    }
    let mut all = world.tasks_by_number(true).to_vec();
    let task = |place: &usize| world.task_at(*place);
    match order {
        "updated" | "order-modified" => all.sort_by_key(|at| Reverse((task(at).modified, task(at).id))),
        "outdated" => all.sort_by_key(|at| (task(at).modified, task(at).id)),
        "priority" | "order-priority" => all.sort_by_key(|at| Reverse((task(at).priority, task(at).id))),
        "closed" => all.sort_by_key(|at| Reverse((task(at).closed, task(at).id))),
        _ => all.sort_by_key(|at| (task(at).title.to_lowercase(), Reverse(task(at).id))),
    }
    Some(all)
}

/// The projects that are asked for by PHID or by hashtag without `#`; with `#` the server does not know them.
fn resolve_tags(world: &World, tags: &[String]) -> Result<TaggedRow, CallRefusal> {
    if let [tag] = tags
        && tag == "null()"
    {
        return Ok(TaggedRow::Untagged);
    }
    let mut phids = Vec::new();
    for tag in tags {
        if tag.ends_with(')') {
            let info = format!("The sandbox does not support the function \"{tag}\" in the constraint \"projects\".");
            return Err(CallRefusal::core(info));
        }
        match world.project(tag).or_else(|| world.project_tagged(tag)) {
            Some(project) => phids.push(project.phid.clone()),
            None => return Ok(TaggedRow::Nothing),
        }
    }
    Ok(TaggedRow::All(phids))
}

fn carries(world: &World, task: &Task, tagged: &TaggedRow) -> bool {
    match tagged {
        TaggedRow::Nothing => false,
        TaggedRow::Untagged => task.projects.is_empty(),
        TaggedRow::All(phids) => {
            phids.iter().all(|phid| task.projects.iter().any(|edge| world.is_within(&edge.phid, phid)))
        }
    }
}

/// A task as it is returned.
#[derive(Serialize)]
struct Row<'w> {
    id: u64,
    #[serde(rename = "type")]
    kind: &'static str,
    phid: &'w str,
    fields: SeenTask<'w>,
    attachments: Map<String, Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SeenTask<'w> {
    name: &'w str,
    description: Raw<'w>,
    #[serde(rename = "authorPHID")]
    author: &'w str,
    #[serde(rename = "ownerPHID")]
    owner: Option<&'w str>,
    status: StatusRow<'w>,
    priority: PriorityRow<'w>,
    points: (),
    subtype: &'static str,
    #[serde(rename = "closerPHID")]
    closer: Option<&'w str>,
    date_closed: Option<i64>,
    /// Always null where it is returned.
    #[serde(rename = "groupByProjectPHID", skip_serializing_if = "Option::is_none")]
    group_by: Option<()>,
    #[serde(rename = "spacePHID")]
    space: Option<&'w str>,
    date_created: i64,
    date_modified: i64,
    policy: PolicyRow<'w>,
    #[serde(flatten)]
    custom: BTreeMap<String, Option<&'w Value>>,
}

#[derive(Serialize)]
struct Raw<'w> {
    raw: &'w str,
}

#[derive(Serialize)]
struct StatusRow<'w> {
    value: &'w str,
    name: &'w str,
    color: (),
}

#[derive(Serialize)]
struct PriorityRow<'w> {
    value: i64,
    name: Option<&'w str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subpriority: Option<u32>,
    color: Option<&'w str>,
}

#[derive(Serialize)]
struct PolicyRow<'w> {
    view: &'w str,
    interact: &'w str,
    edit: &'w str,
}

impl<'w> Row<'w> {
    fn of(world: &'w World, task: &'w Task, viewer: &User, attached: &[String], like: Like) -> Self {
        let status = world.statuses.iter().find(|status| status.value == task.status);
        let priority = world.priorities.iter().find(|priority| priority.value == task.priority);
        let custom = world.custom_fields.iter();
        let fields = SeenTask {
            name: &task.title,
            description: Raw { raw: &task.description },
            author: &task.author,
            owner: task.owner.as_deref(),
            status: StatusRow {
                value: &task.status,
                name: status.map_or("Unknown Status", |status| status.name.as_str()),
                color: (),
            },
            priority: PriorityRow {
                value: task.priority,
                name: priority.map(|priority| priority.name.as_str()),
                subpriority: like.has_subpriority().then_some(0),
                color: priority.map(|priority| priority.color.as_str()),
            },
            points: (),
            subtype: "default",
            closer: task.closer.as_deref(),
            date_closed: task.closed,
            group_by: like.has_task_group().then_some(()),
            space: task.space.as_deref(),
            date_created: task.created,
            date_modified: task.modified,
            policy: PolicyRow {
                view: &task.view,
                interact: if world.locks(&task.status) { "no-one" } else { &task.view },
                edit: &task.edit,
            },
            custom: custom.map(|field| (format!("custom.{}", field.key), task.custom.get(&field.key))).collect(),
        };
        let attachment = |key: &String| {
            let value = match key.as_str() {
                "projects" => json!({"projectPHIDs": ordered(&task.projects)}),
                "subscribers" => json!({
                    "subscriberPHIDs": ordered(&task.subscribers),
                    "subscriberCount": task.subscribers.len(),
                    "viewerIsSubscribed": leads_to(&task.subscribers, &viewer.phid),
                }),
                _ => json!({"boards": {}}),
            };
            (key.clone(), value)
        };
        let attachments = attached.iter().map(attachment).collect();
        Self { id: task.id, kind: "TASK", phid: &task.phid, fields, attachments }
    }
}
