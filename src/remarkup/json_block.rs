//! The one block of JSON by which a comment states something to programs.
//!
//! Responsible for finding it: a fence at the start of a line, in which JSON of a schema stands. Quoted, indented, or inside of another block it is
//! somebody showing one. Not responsible for what it states.

use serde::de::DeserializeOwned;

use super::fences;

/// What a comment holds of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonBlock<T> {
    /// Nothing that names it.
    Absent,
    /// This.
    One(T),
    /// Something that names it, and cannot be read as one statement: broken, of another version, or twice.
    Unreadable,
}

impl<T> JsonBlock<T> {
    /// The statement, where there is one.
    pub fn one(self) -> Option<T> {
        match self {
            Self::One(stated) => Some(stated),
            Self::Absent | Self::Unreadable => None,
        }
    }
}

/// The block of a comment whose `schema` is this one, such as `phabgate/notice/1`.
pub fn json_block<T: DeserializeOwned>(comment: &str, schema: &str) -> JsonBlock<T> {
    let family = schema.rsplit_once('/').map_or(schema, |(family, _)| family);
    // Nearly every comment holds none, and needs no reading.
    if !comment.contains(family) {
        return JsonBlock::Absent;
    }
    let bodies = fences(comment).into_iter().filter(|fence| fence.flush);
    let mut claims = bodies.filter_map(|fence| {
        let text = fence.body.map_or_else(|| fence.first.to_owned(), |body| body.text());
        text.contains(family).then_some(text)
    });
    let Some(text) = claims.next() else { return JsonBlock::Absent };
    if claims.next().is_some() {
        return JsonBlock::Unreadable;
    }
    let is_of_schema = serde_json::from_str::<Schema>(&text).is_ok_and(|named| named.schema == schema);
    match serde_json::from_str(&text) {
        Ok(stated) if is_of_schema => JsonBlock::One(stated),
        _ => JsonBlock::Unreadable,
    }
}

#[derive(serde::Deserialize)]
struct Schema {
    schema: String,
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Stated {
        what: u8,
    }

    #[test]
    fn one_block_is_read_and_whatever_else_names_the_schema_is_unreadable() {
        let read = |comment: &str| json_block::<Stated>(comment, "phabgate/thing/1");
        let block = "```\n{\"schema\": \"phabgate/thing/1\",\n\"what\": 7}\n```\n";
        assert_eq!(read(&format!("Words.\n\n{block}")), JsonBlock::One(Stated { what: 7 }));
        assert_eq!(read("phabgate/thing/1"), JsonBlock::Absent);
        assert_eq!(read(&format!("> {}", block.replace('\n', "\n> "))), JsonBlock::Absent);
        let twice = format!("{block}\n{block}");
        for odd in [&twice, &block.replace("/1", "/2"), &block.replace("7", "x"), &block.replace("\n```\n", "")] {
            assert_eq!(read(odd), JsonBlock::Unreadable, "{odd}");
        }
    }
}
