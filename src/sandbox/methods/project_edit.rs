//! `project.edit`, as far as tests of teams and tags need it. Transactions of projects are not kept.

use serde_json::{Value, json};

use super::super::access::{self, Capability};
use super::super::request::{Call, CallRefusal, Outcome, reply, string_list, text};
use super::super::world::{Edge, Project, User, World, leads_to};
use super::edit::{Description, EditOperation, descriptions, identifier, invalid, operation, within};
use super::resolve_users;

const TYPES: &[&str] = &[
    "parent",
    "milestone",
    "space",
    "name",
    "description",
    "icon",
    "color",
    "slugs",
    "members.add",
    "members.remove",
    "members.set",
    "view",
    "edit",
    "join",
    "subtype",
    "mfa",
];

/// Carries out the edit.
pub(super) fn edit(world: &mut World, call: &Call, user: &User, now: i64) -> Outcome {
    let changes = descriptions(call)?;
    let was = identifier(call).map(|name| find(world, &name).cloned()).transpose()?;
    let mut project = was.clone().unwrap_or_else(|| blank(world, now));
    let mut written = usize::from(was.is_none());
    for change in &changes {
        if let Some(project) = &was {
            permit(world, project, user, change)?;
        }
        let before = project.clone();
        apply(world, &mut project, change, now)?;
        written += usize::from(before != project);
    }
    validate(world, &project, was.is_some(), user)?;
    if was.is_none() {
        project.phid = world.fresh_phid("PROJ");
        adopt_members(world, &mut project);
    }
    if written > 0 {
        project.modified = now;
    }
    let transactions: Vec<Value> = (0..written).map(|_| json!({"phid": world.fresh_phid("XACT-PROJ")})).collect();
    let answer = json!({"object": {"id": project.id, "phid": project.phid}, "transactions": transactions});
    match world.projects.iter_mut().find(|known| known.phid == project.phid) {
        Some(known) => *known = project,
        None => world.projects.push(project),
    }
    reply(&answer)
}

fn blank(world: &World, now: i64) -> Project {
    Project {
        id: world.projects.iter().map(|project| project.id).max().unwrap_or_default() + 1,
        phid: String::new(),
        name: String::new(),
        slugs: Vec::new(),
        parent: None,
        milestone: None,
        description: None,
        created: now,
        modified: now,
        view: "users".to_owned(),
        edit: "users".to_owned(),
        join: "users".to_owned(),
        archived: false,
        members: Vec::new(),
    }
}

fn find<'w>(world: &'w World, name: &str) -> Result<&'w Project, CallRefusal> {
    if let Some(slug) = name.strip_prefix('#') {
        return world
            .project_tagged(slug)
            .ok_or_else(|| CallRefusal::core(format!("Monogram \"{name}\" does not identify a valid object.")));
    }
    if let Ok(id) = name.parse::<u64>() {
        let found = world.projects.iter().find(|project| project.id == id);
        return found.ok_or_else(|| CallRefusal::core(format!("No object exists with ID \"{id}\".")));
    }
    if name.starts_with("PHID-") {
        let found = world.project(name);
        return found.ok_or_else(|| CallRefusal::core(format!("No object exists with PHID \"{name}\".")));
    }
    Err(CallRefusal::core(format!("Monogram \"{name}\" does not identify a valid object.")))
}

/// Who may join may add and remove themselves; everything else needs the right to edit.
fn permit(world: &World, project: &Project, user: &User, change: &Description) -> Result<(), CallRefusal> {
    let only_me = change.value.as_array().is_some_and(|list| list.iter().all(|phid| *phid == json!(user.phid)));
    let needed = match change.kind.as_str() {
        "members.remove" if only_me => return Ok(()),
        "members.add" if only_me => Capability::Join,
        _ => Capability::Edit,
    };
    let allowed = match needed {
        Capability::Join => access::can_join(world, project, user),
        _ => access::can_edit_project(world, project, user),
    };
    if allowed { Ok(()) } else { Err(access::refuse_project(world, project, needed)) }
}

fn apply(world: &World, project: &mut Project, change: &Description, now: i64) -> Result<(), CallRefusal> {
    let (kind, value) = (change.kind.as_str(), &change.value);
    let word = || text("value", value).map_err(|refusal| within(kind, &refusal));
    let words = || string_list("value", value).map_err(|refusal| within(kind, &refusal));
    match kind {
        "name" => {
            let name = word()?;
            let slug = main_slug(&name);
            // the main hashtag follows the name, and a milestone has none
            if project.slugs.is_empty() {
                project.slugs.push(slug);
            } else {
                project.slugs[0] = slug;
            }
            project.name = name;
        }
        "slugs" => {
            let main = project.slugs.first().cloned();
            let more = words()?.into_iter().map(|slug| slug.to_lowercase()).filter(|slug| Some(slug) != main.as_ref());
            project.slugs = main.iter().cloned().chain(more).collect();
        }
        "description" => project.description = Some(word()?),
        "view" => project.view = word()?,
        "edit" => project.edit = word()?,
        "join" => project.join = word()?,
        "parent" => project.parent = Some(find(world, &word()?)?.phid.clone()),
        "milestone" => {
            let parent = find(world, &word()?)?.phid.clone();
            let siblings = world.projects.iter().filter(|other| other.parent.as_ref() == Some(&parent));
            project.milestone = Some(siblings.filter_map(|other| other.milestone).max().unwrap_or_default() + 1);
            project.parent = Some(parent);
        }
        "members.add" | "members.remove" | "members.set" => {
            let phids = resolve_users(world, words()?);
            let operation = operation(kind);
            match operation {
                EditOperation::Set => project.members.retain(|edge| phids.contains(&edge.phid)),
                EditOperation::Remove => project.members.retain(|edge| !phids.contains(&edge.phid)),
                EditOperation::Add => {}
            }
            let mut seq = 0;
            for phid in phids {
                if operation != EditOperation::Remove && !leads_to(&project.members, &phid) {
                    project.members.push(Edge { phid, time: now, seq });
                    seq += 1;
                }
            }
        }
        _ if TYPES.contains(&kind) => {
            return Err(CallRefusal::core(format!("The sandbox does not carry out transactions of type \"{kind}\".")));
        }
        _ => {
            let known: Vec<String> = TYPES.iter().map(|kind| (*kind).to_owned()).collect();
            return Err(invalid(change, &known));
        }
    }
    Ok(())
}

/// The hashtag that a name gives: lower case, and `_` for what is neither letter, digit, `-` nor `.`.
fn main_slug(name: &str) -> String {
    let mut slug = String::new();
    for letter in name.to_lowercase().chars() {
        if letter.is_alphanumeric() || "-.".contains(letter) {
            slug.push(letter);
        } else if !slug.ends_with('_') {
            slug.push('_');
        }
    }
    slug.trim_matches('_').to_owned()
}

fn validate(world: &World, project: &Project, existed: bool, user: &User) -> Result<(), CallRefusal> {
    let mut errors = Vec::new();
    let others = || world.projects.iter().filter(|other| other.phid != project.phid);
    if project.name.trim().is_empty() {
        errors.push("Projects must have a name.".to_owned());
    }
    for (index, slug) in project.slugs.iter().enumerate() {
        if project.milestone.is_some() || !others().any(|other| other.slugs.contains(slug)) {
            continue;
        }
        errors.push(match index {
            0 => format!(
                "Project name generates the same hashtag (\"#{slug}\") as another existing project. Choose a unique name."
            ),
            _ => format!("Project hashtag \"{slug}\" is already used by another project."),
        });
    }
    if existed && !access::can_edit_project(world, project, user) {
        let joined_only = world.project(&project.phid).is_some_and(|was| was.edit == project.edit);
        if !joined_only {
            errors.push("The edit policy of this object would no longer allow you to edit the object.".to_owned());
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(CallRefusal::validation(&errors)) }
}

/// A milestone has no hashtag of its own; the first subproject takes over its parent's members.
fn adopt_members(world: &mut World, project: &mut Project) {
    let Some(parent) = project.parent.clone() else { return };
    if project.milestone.is_some() {
        project.slugs.clear();
        return;
    }
    let first = !world.projects.iter().any(|other| other.parent.as_ref() == Some(&parent) && other.milestone.is_none());
    if first && let Some(parent) = world.projects.iter_mut().find(|other| other.phid == parent) {
        project.members.append(&mut parent.members);
    }
}
