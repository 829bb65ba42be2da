//! What members of the teams wrote on a task beside their answers, as `check` and `run` print it for people.
//!
//! Responsible for the form. Not responsible for collecting it, nor for the form of programs ([`crate::view`]).

use crate::gate::Invocation;
use crate::gate::heard::{Heard, in_one_line};
use crate::ids::TaskId;
use crate::layout::{FAINT, NAME, styled};
use crate::text::{columns, shorten};
use crate::time::utc;

/// How much room words need behind who said them, for them to be read with ease.
const ROOM: usize = 24;
/// How many of what was said are shown to people.
const SHOWN: usize = 3;

/// The newest of it for people, one line each, and how many more there are.
pub(super) fn text(heard: &[Heard], task: TaskId, invocation: Invocation, width: usize) -> String {
    if heard.is_empty() {
        return String::new();
    }
    let mut page = format!("{}\n", styled(NAME, "Said on the task"));
    for one in heard.iter().take(SHOWN) {
        let head = format!("  {}, {}", one.user, utc(one.time));
        let words = one.text.as_deref().map(|text| {
            let joined = in_one_line(text);
            match width.saturating_sub(columns(&head) + 2) {
                room if room >= ROOM => format!(": {}", shorten(&joined, room)),
                // In a narrow terminal it stands below.
                _ => format!(":\n    {}", shorten(&joined, width.saturating_sub(4))),
            }
        });
        page.push_str(&format!("{head}{}\n", words.unwrap_or_default()));
    }
    if heard.len() > SHOWN {
        let history = invocation.command(&format!("history {task}"));
        page.push_str(&format!("{}\n", styled(FAINT, &format!("  and {} more: {history}", heard.len() - SHOWN))));
    }
    page
}
