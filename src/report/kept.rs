//! What is read only where it is asked for.
//!
//! Responsible for leaving a part of an entry as the JSON that it was written down as, so that a report that does not show
//! it has nothing to make of it. Not for what that part is.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// Something, or its JSON.
#[derive(Debug, Clone)]
pub struct Kept<T>(State<T>);

#[derive(Debug, Clone)]
enum State<T> {
    Made(T),
    Written(Box<RawValue>),
}

impl<T> From<T> for Kept<T> {
    fn from(value: T) -> Self {
        Self(State::Made(value))
    }
}

impl<T: DeserializeOwned + Clone> Kept<T> {
    /// Reads it.
    ///
    /// # Errors
    /// Where the JSON is not that of such a thing.
    pub fn read(&self) -> Result<Cow<'_, T>, serde_json::Error> {
        match &self.0 {
            State::Made(value) => Ok(Cow::Borrowed(value)),
            State::Written(json) => serde_json::from_str(json.get()).map(Cow::Owned),
        }
    }
}

impl<T: DeserializeOwned + Clone + PartialEq> PartialEq for Kept<T> {
    fn eq(&self, other: &Self) -> bool {
        matches!((self.read(), other.read()), (Ok(one), Ok(other)) if one == other)
    }
}

impl<T: Serialize> Serialize for Kept<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            State::Made(value) => value.serialize(serializer),
            State::Written(json) => json.serialize(serializer),
        }
    }
}

impl<'de, T> Deserialize<'de> for Kept<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::deserialize(deserializer).map(|json| Self(State::Written(json)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_it_was_and_read_where_it_is_asked_for() {
        let made = Kept::from(vec![1, 2]);
        let text = serde_json::to_string(&made).unwrap();
        assert_eq!(text, "[1,2]");
        let kept: Kept<Vec<u8>> = serde_json::from_str("[ 1, 2]").unwrap();
        assert_eq!(*kept.read().unwrap(), [1, 2]);
        assert_eq!(serde_json::to_string(&kept).unwrap(), "[ 1, 2]");
        let wrong: Kept<Vec<u8>> = serde_json::from_str(r#"{"a":1}"#).unwrap();
        assert!(wrong.read().is_err() && wrong != kept);
        assert!(serde_json::from_str::<Kept<Vec<u8>>>("[1,").is_err());
    }
}
