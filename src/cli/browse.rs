//! `browse`: the task in a browser.
//!
//! Responsible for the address and for starting a browser where somebody can see it. Asks nothing of the server. Not responsible for
//! what the page shows.

use std::process::{Command, Stdio};

use serde::Serialize;

use super::Globals;
use super::exit::{Exit, Failure};
use super::session::{environment, settings};
use super::ui::Ui;
use crate::ids::TaskId;
use crate::task_argument;

/// The schema of `browse --format json`.
const SCHEMA: &str = "phabgate/browse/1";

/// The variables of which one is set where a window can be opened.
const DISPLAYS: [&str; 2] = ["DISPLAY", "WAYLAND_DISPLAY"];

/// Arguments of `browse`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The task: T1234, #T1234 or its URL
    #[arg(value_name = "TASK", add = super::candidates::tasks())]
    task: String,
    /// Print the address and open nothing
    #[arg(long)]
    print: bool,
}

#[derive(Debug, Serialize)]
struct Json<'a> {
    schema: &'static str,
    task: TaskId,
    url: &'a str,
    opened: bool,
}

/// Runs `browse`.
///
/// # Errors
/// Where the command line or the configuration is wrong, or the browser cannot be started.
pub(super) fn run(args: &Args, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let server = match globals.sandbox {
        true => {
            ui.note("the sandbox's pages are there while `phabgate sandbox` runs");
            super::sandbox::name(super::sandbox::world(&environment(globals)?)?)?
        }
        false => settings(globals, &environment(globals)?)?.server()?.clone(),
    };
    let task =
        task_argument::parse(&args.task, &server).map_err(|error| Failure::usage(error.to_string(), error.hint()))?;
    let url = task.url(&server);
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let browser = std::env::var("BROWSER").ok().filter(|named| !named.trim().is_empty());
    let is_seen = browser.is_some() || cfg!(target_os = "macos") || DISPLAYS.iter().any(|name| set(name));
    let opened = !args.print && is_seen;
    if opened {
        open(&url, browser.as_deref())?;
    }
    match ui.is_json() {
        true => ui.json(&Json { schema: SCHEMA, task, url: &url, opened }),
        false => ui.data(&url),
    }
    Ok(Exit::Done)
}

/// Starts a browser and does not wait for it.
fn open(url: &str, browser: Option<&str>) -> Result<(), Failure> {
    let fallback = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let program = browser.unwrap_or(fallback);
    let started =
        Command::new(program).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    started.map(|_| ()).map_err(|error| {
        Failure::usage(
            format!("cannot start the browser {program:?}: {error}"),
            format!("name one in BROWSER, or open {url} yourself"),
        )
    })
}
