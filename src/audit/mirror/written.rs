//! Something together with the text that the mirror keeps of it.
//!
//! Whoever reads puts it in writing, on whatever thread that is: one at a time writes to the mirror, and has the less to
//! do. In the room: that pair. Not in the room: keeping it.

use serde::Serialize;

use super::Mirror;
use super::error::{MirrorError, damaged};

/// Something and its text, JSON.
#[derive(Debug)]
pub struct Written<T> {
    value: T,
    text: Result<String, serde_json::Error>,
}

impl<T: Serialize> Written<T> {
    /// Puts it in writing.
    pub fn new(value: T) -> Self {
        let text = serde_json::to_string(&value);
        Self { value, text }
    }

    /// What was put in writing.
    pub fn value(&self) -> &T {
        &self.value
    }
}

impl Mirror {
    /// The text of what is to be kept.
    pub(super) fn text<T>(&self, written: Written<T>, what: impl FnOnce() -> String) -> Result<String, MirrorError> {
        written.text.map_err(|error| damaged(&self.path, what())(error))
    }
}
