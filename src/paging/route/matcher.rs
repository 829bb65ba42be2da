//! A matcher of a route: what it asks of one label.
//!
//! Responsible for both forms in which an Alertmanager writes matchers (`alertname="X"` and, of older versions, `match` and `match_re`), as its
//! `pkg/labels` and `matcher/parse` read them: <https://prometheus.io/docs/alerting/latest/configuration/#matcher>. What is not understood is an
//! error, and nothing is guessed. Not responsible for which routes there are.

use std::collections::BTreeMap;

use regex_lite::Regex;

use crate::text::shorten;

/// How much of a matcher is shown.
const SHOWN: usize = 60;

/// Labels by their names.
pub(super) type LabelSet = BTreeMap<&'static str, String>;

/// A matcher that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the matcher `{}` is not understood", shorten(.0, SHOWN))]
pub struct MatcherError(String);

/// What is asked of one label.
#[derive(Debug)]
pub(super) struct Matcher {
    name: String,
    condition: Condition,
}

#[derive(Debug)]
enum Condition {
    Is(String),
    IsNot(String),
    Matches(Regex),
    MatchesNot(Regex),
}

impl Matcher {
    /// Of `match`: the label has this value.
    pub(super) fn equal(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), condition: Condition::Is(value.to_owned()) }
    }

    /// Of `match_re`: the whole value matches.
    ///
    /// # Errors
    /// Where the expression is not understood.
    pub(super) fn regex(name: &str, value: &str) -> Result<Self, MatcherError> {
        let matcher = anchored(value).map(|regex| Self { name: name.to_owned(), condition: Condition::Matches(regex) });
        matcher.ok_or_else(|| MatcherError(format!("{name}=~{value}")))
    }

    /// Whether it holds. A label that is not there is an empty one.
    pub(super) fn holds(&self, labels: &LabelSet) -> bool {
        let value = labels.get(self.name.as_str()).map_or("", String::as_str);
        match &self.condition {
            Condition::Is(wanted) => value == wanted,
            Condition::IsNot(other) => value != other,
            Condition::Matches(regex) => regex.is_match(value),
            Condition::MatchesNot(regex) => !regex.is_match(value),
        }
    }

    /// The label that has one value alone where this holds.
    pub(super) fn pins(&self) -> Option<&str> {
        matches!(self.condition, Condition::Is(_)).then_some(self.name.as_str())
    }
}

/// The matchers of one text: one, or several with commas between, perhaps in braces.
///
/// # Errors
/// Where one of them is not understood.
pub(super) fn matchers(text: &str) -> Result<Vec<Matcher>, MatcherError> {
    parse(text).ok_or_else(|| MatcherError(text.to_owned()))
}

fn parse(text: &str) -> Option<Vec<Matcher>> {
    let text = text.trim();
    let inner = match text.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}')?,
        None => text,
    };
    let mut rest = inner.trim();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (name, after) = name(rest)?;
        let (operator, after) = operator(after.trim_start())?;
        let (value, after) = value(after.trim_start())?;
        let condition = match operator {
            "=" => Condition::Is(value),
            "!=" => Condition::IsNot(value),
            "=~" => Condition::Matches(anchored(&value)?),
            _ => Condition::MatchesNot(anchored(&value)?),
        };
        found.push(Matcher { name, condition });
        rest = match after.trim_start() {
            "" => "",
            more => more.strip_prefix(',')?.trim_start(),
        };
    }
    Some(found)
}

/// A name, in quotes where it holds other characters than most do.
fn name(text: &str) -> Option<(String, &str)> {
    if text.starts_with('"') {
        return quoted(text);
    }
    let reserved =
        |c: char| c.is_whitespace() || matches!(c, '{' | '}' | '!' | '=' | '~' | ',' | '\\' | '"' | '\'' | '`');
    let end = text.find(reserved).unwrap_or(text.len());
    (end > 0).then(|| (text[..end].to_owned(), &text[end..]))
}

fn operator(text: &str) -> Option<(&'static str, &str)> {
    // The longer ones first.
    ["=~", "!~", "!=", "="].into_iter().find_map(|operator| Some((operator, text.strip_prefix(operator)?)))
}

/// A value, in quotes or up to the next comma.
fn value(text: &str) -> Option<(String, &str)> {
    if text.starts_with('"') {
        return quoted(text);
    }
    let end = text.find(',').unwrap_or(text.len());
    let value = text[..end].trim_end();
    // What these mean without quotes differs between versions.
    (!value.contains(['"', '\\'])).then(|| (value.to_owned(), &text[end..]))
}

/// A text in quotes, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.strip_prefix('"')?.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((value, &text[at + 2..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                escaped @ ('\\' | '"') => value.push(escaped),
                // What Go writes for a character; versions differ in what they read.
                'a' | 'b' | 'f' | 'r' | 't' | 'v' | 'x' | 'u' | 'U' | '0'..='7' => return None,
                other => value.extend(['\\', other]),
            },
            c => value.push(c),
        }
    }
    None
}

/// An expression that the whole value matches.
fn anchored(expression: &str) -> Option<Regex> {
    Regex::new(&format!("^(?:{expression})$")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str) -> Option<bool> {
        let labels = LabelSet::from([("team", "sre".to_owned()), ("stage", "page".to_owned())]);
        matchers(text).ok().map(|found| found.iter().all(|matcher| matcher.holds(&labels)))
    }

    #[test]
    fn matchers_hold_as_an_alertmanager_has_them() {
        for text in [
            "team=\"sre\"",
            "team = sre",
            "team!=\"releng\"",
            "team=~\"sre|releng\"",
            "team!~\"s\"",
            "\"team\"=\"sre\"",
            "nothing=\"\"",
            "nothing!=\"x\"",
            "nothing=~\"a*\"",
            "{team=\"sre\",stage=~\"pa.e\"}",
            "team=sre, stage=page,",
            "{ }",
            "",
            "\"ä b\"!=\"x\"",
            "team!~\"s\\\\.e\"",
            "team=~\"s\\\\we\"",
            "team=~\"s\\we\"",
            "team!=\"a,b\"",
        ] {
            assert_eq!(holds(text), Some(true), "{text}");
        }
        for text in [
            "team=\"SRE\"",
            "team!=\"sre\"",
            "team=~\"sr\"",
            "team=~\"re\"",
            "team!~\"sr.\"",
            "team=\"\"",
            "nothing!=\"\"",
            "team=sre,stage=asked",
            "team=~\"s\\\\.e\"",
            "team=\"s\\\"re\"",
            "team=sre releng",
        ] {
            assert_eq!(holds(text), Some(false), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error_that_names_it() {
        for text in [
            "team",
            "=\"sre\"",
            "team==\"sre\"x",
            "team=\"sre",
            "team=~\"(\"",
            "team=~\"\\\\p{Greek}\"",
            "{team=sre",
            "team=s\"re",
            "team=\"a\"b=\"c\"",
            "team=\"\\x41\"",
            "team~sre",
            ",",
        ] {
            assert_eq!(holds(text), None, "{text}");
        }
        let said = matchers("team~\u{202e}sre").unwrap_err().to_string();
        assert_eq!(said, "the matcher `team~\\u{202e}sre` is not understood");
        assert!(Matcher::regex("team", "(").is_err());
    }
}
