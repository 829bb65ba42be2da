//! Saying one line once.
//!
//! Responsible for keeping what is said before it is: a line of which nobody knows whether it was heard is never said again, and one that
//! surely was not is given back. Not responsible for which line, nor for the way that it goes ([`super::voice`]).

use super::said::SaidLine;
use super::voice::{Spoken, Voice};
use crate::ids::{TaskId, TransactionId};
use crate::irc::Line;
use crate::serve::store::{Store, StoreError};
use crate::serve::watch::Watch;
use crate::text::inert;

/// A line that is said once.
#[derive(Debug)]
pub(super) struct Once {
    pub(super) task: TaskId,
    pub(super) episode: TransactionId,
    /// Which one it is.
    pub(super) line: SaidLine,
    /// The keys of what needs no line of its own any more then.
    pub(super) besides: Vec<String>,
}

/// What is left of a line after its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing: it was said, or may have been.
    Over,
    /// It surely was not said, and is judged anew.
    Later,
}

/// Has a line said that is made when its turn has come, unless it was said before.
pub(super) async fn say_once<S: Store>(
    watch: &Watch<S>,
    voice: &mut Voice,
    once: &Once,
    make: impl FnOnce() -> Option<Line> + Send + 'static,
) -> Result<Turn, StoreError> {
    let Once { task, episode, line, besides } = once;
    let key = &line.key();
    if !voice.is_ready() {
        return Ok(Turn::Later);
    }
    // What it says besides is kept first: whoever dies between the two says this line, and that one not.
    let mut taken = Vec::new();
    for key in besides.iter().chain([key]) {
        if watch.store.with(|store| store.take_line(*task, *episode, key))? {
            taken.push(key);
        }
    }
    if !taken.contains(&key) {
        return Ok(Turn::Over);
    }
    let spoken = voice.say(make).await;
    let (place, words) = (voice.place(), line.words());
    match &spoken {
        Spoken::Said => tracing::info!("{task}: said {place} that {words}"),
        Spoken::Unclear(why) => {
            let why = inert(why);
            tracing::warn!(
                "{task}: it is not clear whether it was said {place} that {words}; it is not said again: {why}"
            );
        }
        Spoken::Nothing => tracing::debug!("{task}: not said {place} that {words}: it is not so any more"),
        Spoken::NotSaid(why) => tracing::debug!("{task}: not said yet {place} that {words}: {}", inert(why)),
    }
    if matches!(spoken, Spoken::Nothing | Spoken::NotSaid(_)) {
        for key in taken {
            watch.store.with(|store| store.give_line_back(*task, *episode, key))?;
        }
        return Ok(Turn::Later);
    }
    Ok(Turn::Over)
}
