//! The tags before a message: IRCv3, "Message Tags".
//!
//! Responsible for keys and values with their escapes. Not responsible for which tags are believed: a key that begins with `+` comes
//! from whoever sent the message, and is another key than the same without.

/// The tags of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(Vec<(String, String)>);

impl Tags {
    /// Reads what stands between the `@` and the blank. Of a key that stands there twice the last counts, as the standard has it.
    pub(super) fn parse(text: &str) -> Self {
        let mut tags: Vec<(String, String)> = Vec::new();
        for tag in text.split(';').filter(|tag| !tag.is_empty()) {
            let (key, value) = tag.split_once('=').unwrap_or((tag, ""));
            if key.is_empty() {
                continue;
            }
            tags.retain(|(other, _)| other != key);
            tags.push((key.to_owned(), unescaped(value)));
        }
        Self(tags)
    }

    /// The value of exactly this key; `None` where it is missing. A tag without a value has an empty one.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == key).map(|(_, value)| value.as_str())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How they are written, between the `@` and the blank.
    pub fn written(&self) -> String {
        let tag = |(key, value): &(String, String)| match value.as_str() {
            "" => key.clone(),
            value => format!("{key}={}", escaped(value)),
        };
        self.0.iter().map(tag).collect::<Vec<_>>().join(";")
    }
}

/// A value without its escapes. A backslash before anything else is dropped, and so is one at the end.
fn unescaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match characters.next() {
            Some(':') => out.push(';'),
            Some('s') => out.push(' '),
            Some('r') => out.push('\r'),
            Some('n') => out.push('\n'),
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            ';' => out.push_str("\\:"),
            ' ' => out.push_str("\\s"),
            '\r' => out.push_str("\\r"),
            '\n' => out.push_str("\\n"),
            '\\' => out.push_str("\\\\"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_are_exact() {
        let tags = Tags::parse("+account=sre1;vendor.example/account=x;Account=y;time=2026-11-28T07:00:00.000Z;bot");
        assert_eq!(tags.get("account"), None);
        assert_eq!(tags.get("+account"), Some("sre1"));
        assert_eq!(tags.get("bot"), Some(""));
        assert_eq!(tags.get("time"), Some("2026-11-28T07:00:00.000Z"));
    }

    #[test]
    fn the_last_of_a_key_counts() {
        assert_eq!(Tags::parse("account=a;account=b").get("account"), Some("b"));
        assert_eq!(Tags::parse(";;=x;a=").get("a"), Some(""));
    }

    #[test]
    fn escapes_are_those_of_the_standard() {
        for (written, read) in
            [("\\:\\s\\\\\\r\\n", "; \\\r\n"), ("a\\b", "ab"), ("a\\", "a"), ("\\\\s", "\\s"), ("a=b", "a=b")]
        {
            assert_eq!(Tags::parse(&format!("k={written}")).get("k"), Some(read));
        }
    }

    proptest! {
        #[test]
        fn a_value_that_is_written_is_read_back(value in "(\\PC|[\\\\; \r\n=]){0,20}") {
            prop_assert_eq!(unescaped(&escaped(&value)), value);
        }
    }
}
