//! Something together with its JSON.
//!
//! Whoever reads or judges puts it in writing, on whatever thread that is: one at a time writes to the mirror or to the
//! report, and has the less to do. Of some things one part is long and seldom asked for: it is a text of its own.
//! Responsible for those pairs. Not responsible for where they are kept.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Something and its text, JSON.
#[derive(Debug)]
pub struct Encoded<T> {
    value: T,
    text: String,
}

impl<T> Encoded<T> {
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

/// What is put in writing as two texts, since one part of it is long and few ask for it.
pub trait InParts: Serialize + DeserializeOwned {
    /// The long part, which its own text lacks.
    fn long(&self) -> impl Serialize + '_;

    /// Puts the long part in its place.
    ///
    /// # Errors
    /// Where the text is not that of its long part.
    fn add_long(&mut self, text: &str) -> Result<(), serde_json::Error>;
}

/// Something and its two texts, JSON; the long one where it was asked for.
#[derive(Debug)]
pub struct EncodedInParts<T> {
    short: Encoded<T>,
    long: Option<String>,
}

impl<T: InParts> EncodedInParts<T> {
    /// Puts it in writing.
    ///
    /// # Errors
    /// Where JSON has no words for it.
    pub fn new(value: T) -> Result<Self, serde_json::Error> {
        let long = serde_json::to_string(&value.long())?;
        Ok(Self { short: Encoded::new(value)?, long: Some(long) })
    }

    /// Reads what was put in writing before. The long part stays a text.
    ///
    /// # Errors
    /// Where the text is not that of such a thing.
    pub fn read(short: String, long: Option<String>) -> Result<Self, serde_json::Error> {
        Ok(Self { short: Encoded::read(short)?, long })
    }

    /// The thing, whose long part may be missing.
    pub fn value(&self) -> &T {
        self.short.value()
    }

    /// The text of all but the long part.
    pub fn text(&self) -> &str {
        self.short.text()
    }

    /// The text of the long part, where it was asked for.
    pub fn long(&self) -> Option<&str> {
        self.long.as_deref()
    }

    /// The same, whose long part nobody asks for.
    #[must_use]
    pub fn without_long(self) -> Self {
        Self { long: None, ..self }
    }

    /// The thing, with its long part where it was asked for.
    ///
    /// # Errors
    /// Where the long part cannot be read.
    pub fn into_value(self) -> Result<T, serde_json::Error> {
        let Self { short, long } = self;
        let mut value = short.into_value();
        if let Some(long) = long {
            value.add_long(&long)?;
        }
        Ok(value)
    }
}
