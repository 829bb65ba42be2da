//! The page of a task: what it is, what it says, and what was done to it.
//!
//! Responsible for what of a task and its history is shown, and in which words. Not responsible for who may see it
//! ([`super`]).

use maud::{Markup, html};
use serde_json::Value;

use super::super::world::{FieldKind, Task, Transaction, ordered};
use super::{View, frame, prose, status};

/// The page.
pub(super) fn page(view: &View<'_>, task: &Task) -> Markup {
    let view = *view;
    let priority = view.world.priorities.iter().find(|known| known.value == task.priority);
    let tags: Vec<&str> = ordered(&task.projects).into_iter().filter_map(|phid| view.project(phid)).collect();
    let mut rows = view.world.history(&task.phid);
    rows.reverse();
    let body = html! {
        h1 { span.faint { "T" (task.id) } " " (task.title) }
        p.marks {
            (status(view.world, task))
            @if let Some(priority) = priority { span.mark { (priority.name) } }
            @for tag in tags { span.mark.tag { (tag) } }
        }
        dl {
            dt { "Author" } dd { (view.person(&task.author)) ", " (view.moment(task.created)) }
            @if let Some(owner) = &task.owner { dt { "Assigned to" } dd { (view.person(owner)) } }
            @for (key, value) in fields(view, task) { dt { (key) } dd { (value) } }
            @if !task.subscribers.is_empty() {
                dt { "Subscribers" }
                dd { (ordered(&task.subscribers).into_iter().map(|phid| view.name(phid)).collect::<Vec<_>>().join(", ")) }
            }
        }
        section.text aria-label="Description" {
            @if task.description.trim().is_empty() { p.faint { "No description." } }
            @else { (prose::render(&task.description, view.world)) }
        }
        h2 { "History" }
        ol.history { @for row in rows { @if let Some(item) = item(view, row) { (item) } } }
    };
    frame(&format!("T{} {}", task.id, task.title), &body)
}

/// The custom fields that are set.
fn fields(view: View<'_>, task: &Task) -> Vec<(String, String)> {
    let set = view.world.custom_fields.iter().filter_map(|field| {
        let value = task.custom.get(&field.key)?;
        let text = match (field.kind, value) {
            (FieldKind::Users, Value::Array(phids)) => {
                phids.iter().filter_map(Value::as_str).map(|phid| view.name(phid)).collect::<Vec<_>>().join(", ")
            }
            (_, Value::String(text)) => text.clone(),
            (_, Value::Null) => String::new(),
            (_, other) => other.to_string(),
        };
        (!text.is_empty()).then(|| (field.key.clone(), text))
    });
    set.collect()
}

/// One entry of the history; none of what people are not shown.
fn item(view: View<'_>, row: &Transaction) -> Option<Markup> {
    if !row.versions.is_empty() {
        return Some(comment(view, row));
    }
    let what = action(view, row)?;
    Some(
        html! { li #(row.id) { b { (view.name(&row.author)) } " " (what) " " span.faint { (view.moment(row.created)) } } },
    )
}

fn comment(view: View<'_>, row: &Transaction) -> Markup {
    let last = row.versions.last();
    let removed = last.is_some_and(|version| version.removed);
    html! {
        li.comment #(row.id) {
            p.head {
                (view.person(&row.author)) " " span.faint { a href={ "#" (row.id) } { (view.moment(row.created)) } }
                @if let (Some(last), true) = (last, row.versions.len() > 1 && !removed) {
                    " " span.mark.edited { "Edited" }
                    " " span.faint { "by " (view.name(&last.author)) ", " (view.moment(last.created)) }
                }
            }
            @match last {
                Some(last) if removed => { p.faint { "This comment was removed by " (view.name(&last.author)) ", " (view.moment(last.created)) "." } }
                Some(last) => { div.text { (prose::render(&last.text, view.world)) } }
                None => {}
            }
        }
    }
}

/// What a transaction without a comment did; `None` for what people are not shown.
fn action(view: View<'_>, row: &Transaction) -> Option<Markup> {
    let old = || row.fields.get("old").unwrap_or(&Value::Null);
    let new = || row.fields.get("new").unwrap_or(&Value::Null);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Some(match row.kind.as_deref()? {
        "create" => html! { "created this task" },
        "title" if text(old()).is_empty() => return None,
        "title" => html! { "renamed this task from “" (text(old())) "” to “" (text(new())) "”" },
        "description" if text(old()).is_empty() => return None,
        "description" => html! { "edited the description" },
        "status" => {
            let value = text(new());
            let name = view.world.statuses.iter().find(|known| known.value == value).map(|known| known.name.clone());
            let verb = if view.world.closes(&value) { "closed this task as " } else { "changed the status to " };
            html! { (verb) (name.unwrap_or(value)) }
        }
        "priority" => html! { "set the priority to " (text(&new()["name"])) },
        "owner" => match new().as_str() {
            Some(phid) => html! { "assigned this task to " (view.name(phid)) },
            None => html! { "took the assignment away" },
        },
        "projects" => listed(row, "tag", |phid| view.project(phid))?,
        // who speaks is subscribed by that, which is no news
        "subscribers" => listed(row, "subscriber", |phid| Some(view.name(phid)).filter(|_| phid != row.author))?,
        "mergedinto" => html! { "merged this task into " (other(view, new())?) },
        "mergedfrom" => {
            let other = new().as_array().and_then(|all| all.first()).and_then(|phid| other(view, phid))?;
            html! { "merged " (other) " into this task" }
        }
        "core:customfield" => html! { "changed a custom field" },
        "core:view-policy" | "core:edit-policy" if old().is_null() => return None,
        "core:view-policy" => html! { "changed who can see this task" },
        "core:edit-policy" => html! { "changed who can edit this task" },
        _ => return None,
    })
}

/// What was added to a list and taken from it.
fn listed<'w>(row: &Transaction, what: &str, name: impl Fn(&str) -> Option<&'w str>) -> Option<Markup> {
    let operations = row.fields.get("operations")?.as_array()?;
    let of = |kind: &str| -> Vec<&str> {
        let those = operations.iter().filter(|operation| operation["operation"] == kind);
        those.filter_map(|operation| name(operation["phid"].as_str()?)).collect()
    };
    let (added, removed) = (of("add"), of("remove"));
    if added.is_empty() && removed.is_empty() {
        return None;
    }
    let plural = |list: &[&str]| if list.len() == 1 { "" } else { "s" };
    Some(html! {
        @if !added.is_empty() { "added the " (what) (plural(&added)) " " (added.join(", ")) }
        @if !added.is_empty() && !removed.is_empty() { ", and " }
        @if !removed.is_empty() { "removed the " (what) (plural(&removed)) " " (removed.join(", ")) }
    })
}

/// Another task, with its title where everybody may see it.
fn other(view: View<'_>, phid: &Value) -> Option<Markup> {
    let task = view.world.task(phid.as_str()?)?;
    Some(match super::access::is_open(view.world, task) {
        true => html! { a href={ "/T" (task.id) } { "T" (task.id) " " (task.title) } },
        false => html! { "another task" },
    })
}
