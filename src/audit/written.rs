//! Something together with its JSON.
//!
//! Whoever reads or judges puts it in writing, on whatever thread that is: one at a time writes to the mirror or to the
//! report, and has the less to do. In the room: that pair. Not in the room: where it is kept.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Something and its text, JSON.
#[derive(Debug)]
pub struct Written<T> {
    value: T,
    text: String,
}

impl<T> Written<T> {
    /// Puts it in writing.
    ///
    /// # Errors
    /// Where JSON has no words for it.
    pub fn new(value: T) -> Result<Self, serde_json::Error>
    where
        T: Serialize,
    {
        let text = serde_json::to_string(&value)?;
        Ok(Self { value, text })
    }

    /// Reads what was put in writing before.
    ///
    /// # Errors
    /// Where the text is not that of such a thing.
    pub fn read(text: String) -> Result<Self, serde_json::Error>
    where
        T: DeserializeOwned,
    {
        let value = serde_json::from_str(&text)?;
        Ok(Self { value, text })
    }

    /// The thing.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The thing alone.
    pub fn into_value(self) -> T {
        self.value
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }
}
