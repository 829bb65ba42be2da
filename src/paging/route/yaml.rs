//! The YAML of an Alertmanager's configuration as plain data.
//!
//! Responsible for its bounds: it comes over the network, so that nesting has a limit, and aliases, by which a few lines make gigabytes and which an
//! Alertmanager never writes, are refused. Not responsible for what it means.

use yaml_rust2::Event;
use yaml_rust2::parser::Parser;
use yaml_rust2::scanner::TScalarStyle;

/// How deep it may be nested: each route below another takes two.
const DEEPEST: usize = 100;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// Nothing.
    Null,
    /// A text; a number or a truth value is the text that it is written as.
    Scalar(String),
    /// A list.
    List(Vec<Node>),
    /// Values by their names, in their order.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The value of this name; `None` where there is none, or nothing.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        entries.iter().find(|(known, _)| known == name).map(|(_, node)| node).filter(|node| **node != Self::Null)
    }
}

/// A text that is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum YamlError {
    /// It is no YAML, and where.
    #[error("it is no YAML: {0}")]
    Syntax(String),
    /// There is nothing in it.
    #[error("there is nothing in it")]
    Empty,
    /// It is nested deeper than any is.
    #[error("it is nested more than {DEEPEST} deep")]
    Deep,
    /// It refers to a part of itself.
    #[error("it has an alias, which an Alertmanager does not write")]
    Alias,
    /// A name is no text.
    #[error("a name in it is no text")]
    Name,
}

/// A list or a map that has not ended.
enum Open {
    List(Vec<Node>),
    Map(Vec<(String, Node)>, Option<String>),
}

/// Reads the first document of a text.
///
/// # Errors
/// Where it is no YAML, or goes beyond the bounds.
pub(super) fn read(text: &str) -> Result<Node, YamlError> {
    let mut parser = Parser::new_from_str(text);
    let mut open: Vec<Open> = Vec::new();
    loop {
        let (event, _) = parser.next_token().map_err(|error| YamlError::Syntax(error.to_string()))?;
        let whole = match event {
            Event::Nothing | Event::StreamStart | Event::DocumentStart => continue,
            Event::DocumentEnd | Event::StreamEnd => return Err(YamlError::Empty),
            Event::Alias(_) => return Err(YamlError::Alias),
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() >= DEEPEST => return Err(YamlError::Deep),
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(Vec::new(), None));
                continue;
            }
            Event::Scalar(text, TScalarStyle::Plain, ..) if matches!(text.as_str(), "" | "~" | "null") => Node::Null,
            Event::Scalar(text, ..) => Node::Scalar(text),
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(nodes)) => Node::List(nodes),
                Some(Open::Map(entries, _)) => Node::Map(entries),
                None => return Err(YamlError::Empty),
            },
        };
        match open.last_mut() {
            None => return Ok(whole),
            Some(Open::List(nodes)) => nodes.push(whole),
            Some(Open::Map(entries, name)) => match (name.take(), whole) {
                (Some(name), value) => entries.push((name, value)),
                (None, Node::Scalar(text)) => *name = Some(text),
                (None, _) => return Err(YamlError::Name),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(text: &str) -> Node {
        Node::Scalar(text.to_owned())
    }

    #[test]
    fn both_forms_of_lists_and_maps_are_read() {
        let entries = |text: &str| read(text).unwrap();
        let list = Node::List(vec![scalar("a"), scalar("b")]);
        let map = Node::Map(vec![("x".into(), list), ("y".into(), scalar("true")), ("z".into(), Node::Null)]);
        assert_eq!(entries("x:\n- a\n- 'b'\ny: true\nz:\n"), map);
        assert_eq!(entries("{x: [a, \"b\"], y: true, z: ~} # no more"), map);
        assert_eq!((map.get("y"), map.get("z"), map.get("w")), (Some(&scalar("true")), None, None));
        assert_eq!(read("x: 'null'").unwrap().get("x"), Some(&scalar("null")));
    }

    #[test]
    fn what_goes_beyond_the_bounds_is_refused() {
        assert_eq!(read(""), Err(YamlError::Empty));
        assert!(matches!(read("a: [b"), Err(YamlError::Syntax(_))));
        assert_eq!(read("a: &x [b]\nc: *x\n"), Err(YamlError::Alias));
        assert_eq!(read("[a]: b"), Err(YamlError::Name));
        assert_eq!(read(&"- ".repeat(100_000)), Err(YamlError::Deep));
        assert!(read(&"[".repeat(100_000)).is_err());
    }
}
