//! `project.search`.

use serde_json::{Map, Value, json};

use super::super::access;
use super::super::like::Like;
use super::super::page::{Cursors, application_limit, search_reply};
use super::super::request::{Call, FormFields, Outcome};
use super::super::world::{Project, User, World, leads_to, ordered};
use super::{attachments, order, query_key, resolve_users};

const CONSTRAINTS: &[&str] = &[
    "ids",
    "phids",
    "slugs",
    "name",
    "members",
    "watchers",
    "status",
    "isMilestone",
    "isRoot",
    "minDepth",
    "maxDepth",
    "subtypes",
    "icons",
    "colors",
    "parents",
    "ancestors",
    "query",
];
const UNSUPPORTED: &[&str] =
    &["watchers", "isMilestone", "minDepth", "maxDepth", "subtypes", "icons", "colors", "query"];
const ORDERS: &[&str] = &["name", "newest", "created", "oldest", "relevance"];

pub(super) fn search(world: &World, call: &Call, viewer: &User) -> Outcome {
    query_key(call)?;
    let known: Vec<&str> =
        CONSTRAINTS.iter().copied().filter(|name| *name != "status" || call.like.has_project_status()).collect();
    let fields = FormFields::constraints(call, &known)?;
    let status = fields.string("status")?;
    // any other word is no constraint, and no word hides what was archived
    let of_status = |project: &Project| match status.as_deref() {
        None => !(call.like.has_project_status() && project.archived),
        Some("active") => !project.archived,
        Some("archived") => project.archived,
        Some(_) => true,
    };
    let (ids, phids) = (fields.integers("ids")?, fields.phids("phids")?);
    let (slugs, name) = (fields.strings("slugs")?, fields.string("name")?);
    let (parents, ancestors) = (fields.phids("parents")?, fields.phids("ancestors")?);
    let members = fields.strings("members")?.map(|names| resolve_users(world, names));
    let root = fields.flag("isRoot")?;
    fields.unsupported(UNSUPPORTED)?;
    let attached = attachments(call, &["members", "watchers", "ancestors"])?;
    let order = order(call, "PhabricatorProjectQuery", ORDERS)?;
    let (limit, echo) = application_limit(call)?;

    let mut slug_map = Map::new();
    for asked in slugs.iter().flatten() {
        let slug = asked.trim_start_matches('#').to_lowercase();
        if let Some(project) = world
            .project_tagged(&slug)
            .filter(|project| of_status(project) && access::can_view_project(world, project, viewer))
        {
            slug_map.insert(asked.clone(), json!({"slug": slug, "projectPHID": project.phid}));
        }
    }
    let tagged: Vec<String> =
        slug_map.values().filter_map(|entry| entry["projectPHID"].as_str()).map(str::to_owned).collect();

    let mut all: Vec<&Project> =
        world.projects.iter().filter(|project| access::can_view_project(world, project, viewer)).collect();
    match order {
        "oldest" => {}
        "name" => all.sort_by_key(|project| (project.name.to_lowercase(), project.id)),
        _ => all.reverse(),
    }
    let below = |project: &Project, above: &String| project.phid != *above && world.is_within(&project.phid, above);
    let matches = |project: &Project| {
        let joined = |members: &Vec<String>| {
            let own = world.members(&project.phid);
            members.iter().any(|member| leads_to(&own, member))
        };
        ids.as_ref().is_none_or(|ids| ids.iter().any(|id| u64::try_from(*id) == Ok(project.id)))
            && phids.as_ref().is_none_or(|phids| phids.contains(&project.phid))
            && (slugs.is_none() || tagged.contains(&project.phid))
            && name.as_ref().is_none_or(|name| project.name.to_lowercase().contains(&name.to_lowercase()))
            && members.as_ref().is_none_or(joined)
            && parents.as_ref().is_none_or(|phids| project.parent.as_ref().is_some_and(|own| phids.contains(own)))
            && ancestors.as_ref().is_none_or(|phids| phids.iter().any(|phid| below(project, phid)))
            && of_status(project)
            && root.is_none_or(|root| project.parent.is_none() == root)
    };
    let cursors = Cursors::new(call, "PhabricatorProjectQuery", "Project IDs must be integer numbers.");
    let page = cursors.page(&all, limit, |project| project.id, matches)?;
    let page = page.map(|project| render(world, project, &attached, call.like));
    search_reply(call, page, echo, json!({ "slugMap": slug_map }))
}

fn brief(project: &Project) -> Value {
    json!({"id": project.id, "phid": project.phid, "name": project.name})
}

fn render(world: &World, project: &Project, attached: &[String], like: Like) -> Value {
    let ancestors = world.ancestors(&project.phid);
    let mut extra = Map::new();
    for key in attached {
        let list = match key.as_str() {
            "members" => {
                let members = world.members(&project.phid);
                ordered(&members).into_iter().map(|phid| json!({ "phid": phid })).collect()
            }
            "ancestors" => ancestors.iter().map(|above| brief(above)).collect(),
            _ => Vec::new(),
        };
        extra.insert(key.clone(), json!({ key: list }));
    }
    let icon = match project.milestone {
        Some(_) => json!({"key": "milestone", "name": "Milestone", "icon": "fa-map-marker"}),
        None => json!({"key": "project", "name": "Project", "icon": "fa-briefcase"}),
    };
    let color = match project.archived {
        true => json!({"key": "disabled", "name": null}),
        false => json!({"key": "blue", "name": "Blue"}),
    };
    let mut fields = json!({
        "name": project.name,
        "slug": project.slugs.first(),
        "milestone": project.milestone,
        "depth": ancestors.len(),
        "parent": ancestors.first().map(|above| brief(above)),
        "icon": icon,
        "color": color,
        "dateCreated": project.created,
        "dateModified": project.modified,
        "policy": {"view": project.view, "edit": project.edit, "join": project.join},
        "description": project.description,
    });
    if like.has_project_subtype() {
        fields["subtype"] = json!("default");
        fields["spacePHID"] = Value::Null;
    }
    if like.has_project_status() {
        fields["status"] = json!(if project.archived { "archived" } else { "active" });
    }
    json!({"id": project.id, "type": "PROJ", "phid": project.phid, "fields": fields, "attachments": extra})
}
