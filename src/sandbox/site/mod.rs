//! The site for people: a page of each task as a browser shows it, and the list of the tasks. It only shows.
//!
//! Responsible for which page there is at a path, and what all pages share. Not responsible for the task ([`task`]), the
//! rendering of what people wrote ([`prose`]), and the headers under which a page is sent ([`super::reply`]).
//!
//! A page loads nothing from anywhere, its own server included, and has no script. Whoever looks has no account: a task that not
//! every account may see is shown to nobody, and nothing distinguishes it from one that is not there.

mod prose;
mod task;

use axum::http::StatusCode;
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::access;
use super::world::{Task, World};

const STYLE: &str = include_str!("style.css");

/// The page at this path, as HTML, and its status.
pub(super) fn page(world: &World, path: &str, now: i64) -> (StatusCode, String) {
    let found = match path.strip_prefix('/') {
        Some("") => Some(index(world)),
        Some(name) => find(world, name).map(|shown| task::page(&View { world, now }, shown)),
        None => None,
    };
    match found {
        Some(page) => (StatusCode::OK, page.into_string()),
        None => (StatusCode::NOT_FOUND, missing().into_string()),
    }
}

/// The task of this name, where everybody may see it.
fn find<'w>(world: &'w World, name: &str) -> Option<&'w Task> {
    let number = name.strip_prefix(['T', 't'])?;
    // `T007` and `T+7` are no names
    let id = number.parse::<u64>().ok().filter(|id| id.to_string() == number)?;
    world.task_numbered(id).filter(|task| access::is_open(world, task))
}

/// The world, and when it is looked at.
#[derive(Clone, Copy)]
struct View<'w> {
    world: &'w World,
    now: i64,
}

impl<'w> View<'w> {
    /// A moment: when it was, and how long ago that is.
    fn moment(self, time: i64) -> Markup {
        let stamp = Timestamp::from_second(time).unwrap_or(Timestamp::UNIX_EPOCH);
        html! {
            time datetime=(stamp) { (stamp.strftime("%Y-%m-%d %H:%M UTC")) }
            " (" (ago(self.now - time)) ")"
        }
    }

    /// An account, by its name and the name for people.
    fn person(self, phid: &str) -> Markup {
        match self.world.user(phid) {
            Some(user) => html! { b { (user.username) } " " span.faint { "(" (user.real_name) ")" } },
            None => html! { b { "somebody" } },
        }
    }

    /// An account in a word.
    fn name(self, phid: &str) -> &'w str {
        self.world.user(phid).map_or("somebody", |user| user.username.as_str())
    }

    /// A project's name, where everybody may see the project.
    fn project(self, phid: &str) -> Option<&'w str> {
        let project = self.world.project(phid).filter(|project| matches!(project.view.as_str(), "public" | "users"))?;
        Some(project.name.as_str())
    }
}

/// How long ago something was.
fn ago(seconds: i64) -> String {
    let of = |count: i64, unit: &str| format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" });
    match seconds {
        ..60 => "just now".to_owned(),
        60..3600 => of(seconds / 60, "minute"),
        3600..172_800 => of(seconds / 3600, "hour"),
        _ => of(seconds / 86_400, "day"),
    }
}

/// The status of a task, as a mark.
fn status(world: &World, task: &Task) -> Markup {
    let name = world.statuses.iter().find(|known| known.value == task.status).map_or("?", |known| known.name.as_str());
    html! { span.mark.closed[world.closes(&task.status)] { (name) } }
}

fn frame(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                p.strip { "The sandbox of phabgate: a look-alike of Phorge. Nothing here is real, and this page only shows. " a href="/" { "All tasks" } }
                main { (body) }
            }
        }
    }
}

fn index(world: &World) -> Markup {
    let shown = world.tasks.iter().filter(|task| access::is_open(world, task));
    let body = html! {
        h1 { "Tasks" }
        ul.tasks {
            @for task in shown {
                li {
                    a href={ "/T" (task.id) } { "T" (task.id) " " (task.title) } " " (status(world, task))
                    @for one in world.guide.scenarios.iter().filter(|one| one.task == task.id) {
                        br; span.faint { (one.shows) }
                    }
                }
            }
        }
        p.faint { "Restricted tasks are not listed." }
    };
    frame("Tasks", &body)
}

fn missing() -> Markup {
    let body = html! {
        h1 { "404 Not Found" }
        p { "There is no such page, or it is of a task that not everybody may see." }
    };
    frame("404 Not Found", &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::BuiltIn;

    #[test]
    fn a_restricted_task_is_as_one_that_is_not_there() {
        let world = BuiltIn::Demo.world(1_800_000_000).unwrap();
        let get = |path: &str| page(&world, path, 1_800_000_000);
        assert_eq!(get("/T7"), get("/T999"));
        assert_eq!(get("/T7").0, StatusCode::NOT_FOUND);
        let all = ["/", "/T1", "/T2", "/T12"].map(get);
        assert!(all.iter().all(|(status, text)| *status == StatusCode::OK && !text.contains("can be guessed")));
        for path in ["/T01", "/T+1", "/T1/", "/t", "/x", "/T18446744073709551616"] {
            assert_eq!(get(path).0, StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn a_time_is_said_as_people_say_it() {
        let said = [0, 59, 60, 119, 3600, 172_799, 172_800].map(ago);
        assert_eq!(
            said,
            ["just now", "just now", "1 minute ago", "1 minute ago", "1 hour ago", "47 hours ago", "2 days ago"]
        );
    }
}
