//! What members of the teams wrote on a task beside their answers, as `check` and `run` print it.
//!
//! Responsible for the form, for people and for programs: near misses, and what else was said. Not responsible for collecting it.

use jiff::Timestamp;
use serde::Serialize;

use crate::evidence::NearKind;
use crate::gate::Invocation;
use crate::gate::heard::Heard;
use crate::ids::{TaskId, TransactionId};
use crate::layout::{FAINT, NAME, styled};
use crate::rules::{Effect, JudgedNearMiss};
use crate::text::{columns, shorten};
use crate::time::utc;

/// How much room words need behind who said them, for them to be read with ease.
const ROOM: usize = 24;
/// How many of what was said are shown to people.
const SHOWN: usize = 3;
/// How many of what was said programs get.
const MOST: usize = 50;
/// How long each may be for programs, in characters.
const LONGEST: usize = 500;

/// The newest of it for people, one line each, and how many more there are.
pub(super) fn text(heard: &[Heard], task: TaskId, invocation: Invocation, width: usize) -> String {
    if heard.is_empty() {
        return String::new();
    }
    let mut page = format!("{}\n", styled(NAME, "Said on the task"));
    for one in heard.iter().take(SHOWN) {
        let head = format!("  {}, {}", one.user, utc(one.time));
        let words = one.text.as_deref().map(|text| {
            let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
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

/// The same for programs.
pub(super) fn json(heard: &[Heard]) -> Vec<Heard> {
    let cut = |text: &String| text.chars().take(LONGEST).collect::<String>();
    let shown = heard.iter().take(MOST).cloned();
    shown.map(|one| Heard { text: one.text.as_ref().map(cut), ..one }).collect()
}

/// A near miss for programs.
#[derive(Debug, Serialize)]
pub(super) struct JsonNearMiss<'a> {
    kind: NearKind,
    user: &'a str,
    time: Timestamp,
    transaction: TransactionId,
    /// `None` where the task is restricted.
    line: Option<&'a str>,
    effect: Effect,
    why: &'a str,
    write: Option<&'a str>,
}

/// The near misses of a verdict for programs.
pub(super) fn near_misses(judged: &[JudgedNearMiss], show: bool) -> Vec<JsonNearMiss<'_>> {
    let near = judged.iter().map(|near| JsonNearMiss {
        kind: near.kind,
        user: &near.user,
        time: near.moment.time,
        transaction: near.moment.transaction,
        line: show.then_some(near.line.as_str()),
        effect: near.effect,
        why: &near.why,
        write: near.write.as_deref(),
    });
    near.collect()
}
