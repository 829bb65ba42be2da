//! Masking: which parts of a command line are secrets, and do not go into a record.
//!
//! In the room: the patterns that always apply, those of the configuration, how both are applied to the arguments of a
//! command, and quoting. Not in the room: whether the command is recorded at all, and making it inert.

use std::ops::Range;
use std::sync::LazyLock;

use regex_lite::Regex;

/// What stands in a record in place of a secret.
pub const MASKED: &str = "[masked]";

/// The words after which a value is a secret, as a pattern.
const WORDS: &str = r"(?:[\w.-]*(?:passw(?:or)?d|passphrase|pwd|token|secret|credential)[\w.-]*|(?:[\w.-]*[_.-])?(?:pass|auth|(?:api|access|private|secret|signing)?key))";

/// A whole argument that is an option whose value is the next argument: `--password`, `-token`, `--header`'s not.
static OPTION: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&format!("(?i)^--?{WORDS}$")).ok());

/// A whole argument that is a word and its value: `--token=x`, `PASSWORD=a b`.
static ASSIGNMENT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!(r"(?is)^-{{0,2}}{WORDS}[=:](?<secret>.+)$")).ok());

/// Secrets inside of an argument, which may itself be a command line (`sh -c '…'`).
static INSIDE: LazyLock<Option<Vec<Regex>>> = LazyLock::new(|| {
    let value = r#"(?<secret>"[^"]*"|'[^']*'|[^\s"']\S*)"#;
    [
        r"(?<secret>(?:api|cli)-[0-9A-Za-z]{28})".to_owned(),
        format!(r"(?i)(?:^|[^\w.-])-{{0,2}}{WORDS}\s*[=:]\s*{value}"),
        format!(r"(?i)(?:^|\s)--?{WORDS}\s+{value}"),
        r#"(?i)\b(?:bearer|basic)\s+(?<secret>[^\s"']+)"#.to_owned(),
        r#"(?i)authorization["']?\s*[=:]\s*["']?\w+\s+(?<secret>[^\s"']+)"#.to_owned(),
        r"(?i)://(?<secret>[^/@\s]+)@".to_owned(),
    ]
    .iter()
    .map(|pattern| Regex::new(pattern).ok())
    .collect()
});

/// What is masked in a command line: always what looks like a secret, and what the configuration adds.
#[derive(Debug, Clone, Default)]
pub struct Mask(Vec<Pattern>);

impl Mask {
    /// What the configuration adds.
    pub fn new(patterns: Vec<Pattern>) -> Self {
        Self(patterns)
    }

    /// The patterns that the configuration adds.
    pub fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.0.iter()
    }

    /// The arguments of a command with every secret replaced by [`MASKED`].
    ///
    /// ```
    /// use phabgate::record::mask::Mask;
    /// let command = ["deploy", "--password", "hunter 2", "TOKEN=x", "--message=hello"].map(String::from);
    /// assert_eq!(Mask::default().arguments(&command), ["deploy", "--password", "[masked]", "TOKEN=[masked]", "--message=hello"]);
    /// ```
    pub fn arguments(&self, arguments: &[String]) -> Vec<String> {
        // A constant pattern that does not compile must not let a secret through; a test holds that all do.
        let (Some(option), Some(assignment), Some(inside)) = (&*OPTION, &*ASSIGNMENT, &*INSIDE) else {
            return vec![MASKED.to_owned(); arguments.len()];
        };
        let mut secrets: Vec<Vec<Range<usize>>> = Vec::with_capacity(arguments.len());
        let mut whole = false;
        for argument in arguments {
            let mut found: Vec<Range<usize>> = Vec::new();
            if whole {
                found.push(0..argument.len());
            }
            found.extend(matches(assignment, argument));
            found.extend(inside.iter().flat_map(|pattern| matches(pattern, argument)));
            whole = option.is_match(argument);
            secrets.push(found);
        }
        self.add_configured(arguments, &mut secrets);
        arguments.iter().zip(secrets).map(|(argument, found)| replaced(argument, found)).collect()
    }

    /// The patterns of the configuration see the arguments joined by spaces, so that one can span several of them.
    fn add_configured(&self, arguments: &[String], secrets: &mut [Vec<Range<usize>>]) {
        let line = arguments.join(" ");
        for found in self.0.iter().flat_map(|pattern| matches(&pattern.0, &line)) {
            let mut start = 0;
            for (argument, secrets) in arguments.iter().zip(secrets.iter_mut()) {
                let end = start + argument.len();
                let (from, to) = (found.start.max(start), found.end.min(end));
                if from < to {
                    secrets.push(from - start..to - start);
                }
                start = end + 1;
            }
        }
    }
}

/// A regular expression, compared by its text.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl Pattern {
    /// A pattern of this expression. Its group `secret`, where it has one, is what is masked.
    pub fn new(expression: Regex) -> Self {
        Self(expression)
    }

    /// The text of the expression.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// The argument quoted for a POSIX shell, where it needs it.
pub fn quote(argument: &str) -> String {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"%+,-./:=@_".contains(&byte);
    if !argument.is_empty() && argument.bytes().all(safe) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

/// What the pattern matches: its group `secret` where it has one, else all of it.
fn matches(pattern: &Regex, text: &str) -> Vec<Range<usize>> {
    pattern
        .captures_iter(text)
        .filter_map(|found| found.name("secret").or_else(|| found.get(0)))
        .map(|found| found.range())
        .collect()
}

fn replaced(text: &str, mut secrets: Vec<Range<usize>>) -> String {
    secrets.sort_by_key(|range| range.start);
    let mut masked = String::new();
    let mut end = 0;
    let mut first = true;
    for range in secrets {
        if range.start > end || first {
            masked.push_str(text.get(end..range.start).unwrap_or_default());
            masked.push_str(MASKED);
            first = false;
        }
        end = end.max(range.end);
    }
    masked.push_str(text.get(end..).unwrap_or_default());
    masked
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masked(arguments: &[&str]) -> String {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Mask::default().arguments(&arguments).join(" ")
    }

    #[test]
    fn quotes_what_a_shell_would_act_on() {
        for (argument, expected) in [
            ("plain-1.2:/x=y", "plain-1.2:/x=y"),
            ("", "''"),
            ("two words", "'two words'"),
            ("it's", r"'it'\''s'"),
            ("$(id)", "'$(id)'"),
            ("*", "'*'"),
        ] {
            assert_eq!(quote(argument), expected);
        }
    }

    fn pattern(expression: &str) -> Pattern {
        Pattern::new(Regex::new(expression).unwrap())
    }

    #[test]
    fn the_constant_patterns_compile() {
        assert!(OPTION.is_some() && ASSIGNMENT.is_some() && INSIDE.is_some());
    }

    #[test]
    fn secrets_are_masked_in_the_shapes_people_write_them() {
        for (arguments, expected) in [
            (&["--password", "a b"][..], "--password [masked]"),
            (&["-pwd", "x", "y"], "-pwd [masked] y"),
            (&["--db-password=x y"], "--db-password=[masked]"),
            (&["AWS_SECRET_ACCESS_KEY=x", "go"], "AWS_SECRET_ACCESS_KEY=[masked] go"),
            (&["apiKey=x"], "apiKey=[masked]"),
            (&["key=x"], "key=[masked]"),
            (&["sh", "-c", "TOKEN=x deploy --password 'a b' --all"], "sh -c TOKEN=[masked]"),
            (&["sh", "-c", "deploy --password 'a b' --all"], "sh -c deploy --password [masked] --all"),
            (&["sh", "-c", "A=1 TOKEN=x deploy"], "sh -c A=1 TOKEN=[masked] deploy"),
            (&["curl", "-H", "Authorization: Bearer abc.def"], "curl -H Authorization: Bearer [masked]"),
            (&["curl", "-H", "authorization: token abc"], "curl -H authorization: token [masked]"),
            (&["x", "api-abcdefghijklmnopqrstuvwxyz23"], "x [masked]"),
            (&["git", "https://me:pw@host/x"], "git https://[masked]@host/x"),
            (&["--tokens-file=/etc/x"], "--tokens-file=[masked]"),
        ] {
            assert_eq!(masked(arguments), expected);
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for arguments in [
            &["scap", "sync-file", "--message=T1: roll back", "wmf-config/x.php"][..],
            &["monkey=5", "turkey", "--keyboard", "dvorak"],
            &["https://host/a@b", "cli-tool", "api-gateway"],
        ] {
            assert_eq!(masked(arguments), arguments.join(" "));
        }
    }

    #[test]
    fn configured_patterns_mask_their_group_or_all_and_may_span_arguments() {
        let mask = Mask::new(vec![pattern(r"-u (?<secret>\w+)"), pattern("PIN\\d+")]);
        let arguments = ["x", "-u", "alice", "PIN123-4"].map(String::from);
        assert_eq!(mask.arguments(&arguments), ["x", "-u", "[masked]", "[masked]-4"]);
    }

    proptest! {
        #[test]
        fn a_masked_secret_is_never_in_the_output(secret in "[!-~]{9,20}", other in "[a-z ]{0,10}") {
            let arguments = [other.clone(), "--password".to_owned(), secret.clone(), other, format!("TOKEN={secret}")];
            let line = Mask::default().arguments(&arguments).join(" ");
            prop_assert!(!line.contains(&secret), "{line}");
        }

        #[test]
        fn the_number_of_arguments_stays(arguments in proptest::collection::vec(".*", 0..6)) {
            prop_assert_eq!(Mask::default().arguments(&arguments).len(), arguments.len());
        }
    }
}
