//! Who may see and edit what.
//!
//! Responsible for the policies of the world, and the words in which the server refuses. Not responsible for which
//! action needs which capability.

use super::request::CallRefusal;
use super::world::{Project, Task, User, World, leads_to};

/// What a policy speaks about.
#[derive(Clone, Copy)]
enum Object<'a> {
    Task(&'a Task),
    Other,
}

/// Whether the user may see the task. Who it is assigned to always may, as far as its Space allows.
pub(crate) fn can_view(world: &World, task: &Task, user: &User) -> bool {
    in_space(world, task, user) && (owns(task, user) || satisfies(world, &task.view, Object::Task(task), user))
}

/// Whether everybody may see the task, who has no account too or every account.
pub(crate) fn is_open(world: &World, task: &Task) -> bool {
    let open = |policy: &str| matches!(policy, "public" | "users");
    let space = |phid: &String| world.spaces.iter().any(|space| space.phid == *phid && open(&space.view));
    open(&task.view) && task.space.as_ref().is_none_or(space)
}

/// Whether the user may edit the task.
pub(crate) fn can_edit(world: &World, task: &Task, user: &User) -> bool {
    can_view(world, task, user) && (owns(task, user) || satisfies(world, &task.edit, Object::Task(task), user))
}

/// Whether the user may comment on the task.
pub(crate) fn can_interact(world: &World, task: &Task, user: &User) -> bool {
    can_view(world, task, user) && (owns(task, user) || !world.locks(&task.status))
}

/// Whether the user may see the project.
pub(crate) fn can_view_project(world: &World, project: &Project, user: &User) -> bool {
    leads_to(&world.members(&project.phid), &user.phid)
        || satisfies(world, &project.edit, Object::Other, user)
        || satisfies(world, &project.view, Object::Other, user)
}

/// Whether the user sees what is in the Space.
pub(crate) fn can_view_space(world: &World, phid: &str, user: &User) -> bool {
    let space = world.spaces.iter().find(|space| space.phid == phid);
    space.is_some_and(|space| satisfies(world, &space.view, Object::Other, user))
}

fn in_space(world: &World, task: &Task, user: &User) -> bool {
    task.space.as_deref().is_none_or(|space| can_view_space(world, space, user))
}

fn owns(task: &Task, user: &User) -> bool {
    task.owner.as_deref() == Some(user.phid.as_str())
}

fn satisfies(world: &World, policy: &str, object: Object<'_>, user: &User) -> bool {
    match (policy, object) {
        ("public" | "users", _) => true,
        ("admin", _) => user.is("admin"),
        ("obj.maniphest.author", Object::Task(task)) => task.author == user.phid,
        ("obj.subscriptions.subscribers", Object::Task(task)) => leads_to(&task.subscribers, &user.phid),
        (phid, _) if phid.starts_with("PHID-USER-") => phid == user.phid,
        (phid, _) if phid.starts_with("PHID-PROJ-") => leads_to(&world.members(phid), &user.phid),
        _ => false,
    }
}

/// What may be done with an object, in the server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capability {
    View,
    Edit,
    Interact,
}

/// The refusal where a task may not be seen or edited.
pub(crate) fn refuse_task(world: &World, task: &Task, capability: Capability) -> CallRefusal {
    let monogram = format!("T{}", task.id);
    let (name, policy, title, verb) = match capability {
        Capability::View => ("Restricted Maniphest Task", task.view.as_str(), "Can View", "view"),
        Capability::Edit => (monogram.as_str(), task.edit.as_str(), "Can Edit", "edit"),
        Capability::Interact => (monogram.as_str(), "no-one", "Can Interact", "interact with"),
    };
    CallRefusal::core(format!(
        "[You Shall Not Pass: {name}] ({title}) You do not have permission to {verb} this object. // {} \
         The assignee of a task can always view and edit it.",
        explain(world, policy)
    ))
}

fn explain(world: &World, policy: &str) -> String {
    match policy {
        "admin" => "Administrators can take this action.".to_owned(),
        "no-one" => "By default, no one can take this action.".to_owned(),
        "users" => "Logged in users can take this action.".to_owned(),
        "public" => "This object is public.".to_owned(),
        "obj.maniphest.author" => "The author of this task can take this action.".to_owned(),
        "obj.subscriptions.subscribers" => "Subscribers can take this action.".to_owned(),
        phid if phid.starts_with("PHID-PROJ-") => "Members of a particular project can take this action. (You can not \
             see this object, so the name of this project is restricted.)"
            .to_owned(),
        other => match world.user(other) {
            Some(user) => format!("{} ({}) can take this action.", user.username, user.real_name),
            None => format!("This object has an unknown or invalid policy setting (\"{other}\")."),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_restricted_task_is_seen_by_its_one_reader_and_its_assignee() {
        let mut world = World::built_in().unwrap();
        let see = |world: &World| -> Vec<String> {
            let task = world.task_numbered(27).unwrap();
            world.users.iter().filter(|user| can_view(world, task, user)).map(|user| user.username.clone()).collect()
        };
        assert_eq!(see(&world), ["admin"]);
        let sre1 = world.user_named("sre1").unwrap().phid.clone();
        world.tasks[26].owner = Some(sre1);
        assert_eq!(see(&world), ["admin", "sre1"]);
    }

    #[test]
    fn a_space_hides_its_tasks_from_their_assignee_too() {
        let mut world = World::built_in().unwrap();
        let space = super::super::world::Space { phid: "PHID-SPCE-x".into(), name: "S".into(), view: "admin".into() };
        world.spaces.push(space);
        world.tasks[0].space = Some("PHID-SPCE-x".into());
        let sre1 = world.user_named("sre1").unwrap().clone();
        world.tasks[0].owner = Some(sre1.phid.clone());
        assert!(!can_view(&world, &world.tasks[0], &sre1));
        assert!(can_view(&world, &world.tasks[0], world.user_named("admin").unwrap()));
        assert!(
            !is_open(&world, &world.tasks[0]) && is_open(&world, &world.tasks[1]) && !is_open(&world, &world.tasks[26])
        );
    }
}
