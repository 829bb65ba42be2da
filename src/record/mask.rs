//! Masking: which parts of a command line, a note or a change are secrets, and do not go into a record.
//!
//! Responsible for secrets that their surroundings give away (the value of `--password`, of `"token":` in JSON, of
//! `Authorization:`), for what the configuration adds, and for quoting. What a secret looks like by itself is known to
//! [`crate::secrets`]. Not responsible for whether the command is recorded at all, nor for making it inert.
//!
//! In doubt a text is masked: a record that says less can be asked about, one that says too much stands there for good.

use std::ops::Range;
use std::sync::LazyLock;

use regex_lite::{Captures, Regex};

use crate::secrets::{self, replaced};

/// What stands in a record in place of a secret.
pub const MASKED: &str = "[masked]";

/// The words after which a value is a secret, as a pattern.
const WORDS: &str = r"(?:[\w.-]*(?:passw(?:or)?d|passphrase|passcode|pwd|token|secret|credential|cookie)[\w.-]*|(?:[\w.-]*[_.-])?(?:pass|pw|auth|otp|(?:api|access|private|secret|signing)?key))";

/// A value in quotes, in quotes within quotes, or up to the next blank.
const VALUE: &str = r#"(?<secret>"(?:[^"\\]|\\.)*"|'[^']*'|\\"(?:[^"\\]|\\[^"])*\\"|[^\s"'\\]\S*)"#;

/// A value in quotes, or up to the next blank or quote: of an option that needs no blank before its value.
const SHORT_VALUE: &str = r#"(?<secret>"[^"]*"|'[^']*'|[^\s"']+)"#;

/// What stands in each of [`WORDS`], one of them.
const STEMS: &[&str] = &["pass", "pw", "token", "secret", "credential", "cookie", "auth", "otp", "key"];

/// A pattern, and words of which one stands in whatever it matches. Most texts hold none of them, and a command line can
/// be megabytes: looking for words is quick, matching is not.
struct Guarded {
    words: &'static [&'static str],
    pattern: Regex,
}

impl Guarded {
    fn new(words: &'static [&'static str], pattern: &str) -> Option<Self> {
        Some(Self { words, pattern: Regex::new(pattern).ok()? })
    }

    /// The matches in a text, which is given in lower case too.
    fn find<'t>(&'t self, text: &'t str, lower: &str) -> impl Iterator<Item = Captures<'t>> {
        let may = self.words.iter().any(|word| lower.contains(word));
        may.then(|| self.pattern.captures_iter(text)).into_iter().flatten()
    }
}

/// The patterns of the surroundings.
struct Patterns {
    /// A whole argument that is an option whose value is the next argument: `--password`, `-token`, `--header`'s not.
    option: Guarded,
    /// A whole argument that is a word and its value: `--token=x`, `PASSWORD=a b`.
    assignment: Guarded,
    /// Secrets inside of a text that may itself be a command line (`sh -c '…'`), JSON or a header.
    inside: Vec<Guarded>,
    /// The option of curl and others whose value is a name and a password; of docker, a user and a group.
    user: Guarded,
    /// `-pVALUE`, of any program.
    short: Guarded,
}

static PATTERNS: LazyLock<Option<Patterns>> = LazyLock::new(|| {
    let near = "[^|;&]{0,120}?";
    let inside: [(&'static [&'static str], String); 8] = [
        // `PASSWORD=x`, `password: x`, `{"password": "x"}`, and the same JSON inside of a string.
        (STEMS, format!(r#"(?i)(?:^|[^\w.-])-{{0,2}}{WORDS}(?:\\?["'])?\s*[=:]\s*{VALUE}"#)),
        (STEMS, format!(r"(?i)(?:^|\s)--?{WORDS}\s+{VALUE}")),
        (&["bearer", "basic"], r#"(?i)\b(?:bearer|basic)\s+(?<secret>[^\s"']+)"#.to_owned()),
        (&["authorization"], r#"(?i)authorization["']?\s*[=:]\s*["']?(?:\w+[ \t]+)?(?<secret>[^\s"']+)"#.to_owned()),
        (&["cookie"], r#"(?i)\bcookie["']?\s*[=:]\s*(?<secret>[^\r\n"']+)"#.to_owned()),
        // Programs whose short options are secrets.
        (&["mysql", "mariadb", "mycli"], format!(r"\b(?:mysql\w*|mariadb[\w-]*|mycli)\b{near}\s-p{SHORT_VALUE}")),
        (&["sshpass", "htpasswd", "login"], format!(r"\b(?:sshpass|htpasswd|login)\b{near}\s-p\s*{SHORT_VALUE}")),
        (&["curl"], format!(r"\bcurl\b{near}\s-b\s*{SHORT_VALUE}")),
    ];
    Some(Patterns {
        option: Guarded::new(STEMS, &format!("(?i)^--?{WORDS}$"))?,
        assignment: Guarded::new(STEMS, &format!(r"(?is)^-{{0,2}}{WORDS}[=:](?<secret>.+)$"))?,
        inside: inside.iter().map(|(words, pattern)| Guarded::new(words, pattern)).collect::<Option<_>>()?,
        user: Guarded::new(
            &["-u", "-user"],
            &format!(
                r#"(?:^|\s)(?:-[uU]|--user|--proxy-user)(?:\s+|=)?["']?(?<user>[^\s:"'=-][^\s:"']*):{SHORT_VALUE}"#
            ),
        )?,
        short: Guarded::new(&["-p"], &format!(r"(?:^|\s)-p{SHORT_VALUE}"))?,
    })
});

impl Patterns {
    /// Every match in a text: where it begins, and what of it is secret.
    fn find(&self, text: &str, lower: &str) -> Vec<(usize, Range<usize>)> {
        let whole = |found: &Captures<'_>| found.get(0).map_or(0, |whole| whole.start());
        let secret = |found: &Captures<'_>| Some((whole(found), found.name("secret")?.range()));
        let inside = self.inside.iter().flat_map(|pattern| pattern.find(text, lower));
        let numbers = |found: &Captures<'_>| is_number(found, "user") && is_number(found, "secret");
        let users = self.user.find(text, lower).filter(|found| !numbers(found));
        let short = self.short.find(text, lower).filter(|found| found.name("secret").is_some_and(looks_chosen));
        inside.chain(users).chain(short).filter_map(|found| secret(&found)).collect()
    }
}

fn is_number(found: &Captures<'_>, group: &str) -> bool {
    found.name(group).is_some_and(|text| text.as_str().bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether what stands directly after `-p` looks like a password and not like a port, a path, or more options.
fn looks_chosen(value: regex_lite::Match<'_>) -> bool {
    let value = value.as_str();
    let mixed = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase() || b"!@#$%^&*+?~".contains(&byte);
    value.len() >= 4
        && value.bytes().any(|byte| byte.is_ascii_alphabetic())
        && value.bytes().any(mixed)
        && !value.contains(['/', ':', '='])
}

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

    /// A text that a person wrote, such as a note, with every secret replaced by [`MASKED`].
    ///
    /// ```
    /// use phabgate::record::mask::Mask;
    /// assert_eq!(Mask::default().text("rotated, see https://me:pw@host/x"), "rotated, see https://[masked]@host/x");
    /// ```
    pub fn text(&self, text: &str) -> String {
        self.arguments(&[text.to_owned()]).concat()
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
        let Some(patterns) = &*PATTERNS else {
            return vec![MASKED.to_owned(); arguments.len()];
        };
        let mut secrets: Vec<Vec<Range<usize>>> = Vec::with_capacity(arguments.len());
        let mut whole = false;
        for argument in arguments {
            let mut found = secrets::find(argument);
            if whole {
                found.push(0..argument.len());
            }
            let lower = argument.to_ascii_lowercase();
            let assigned = patterns.assignment.find(argument, &lower);
            found.extend(assigned.filter_map(|found| found.name("secret").map(|secret| secret.range())));
            found.extend(patterns.find(argument, &lower).into_iter().map(|(_, secret)| secret));
            whole = patterns.option.find(argument, &lower).next().is_some();
            secrets.push(found);
        }
        // A program and its option, an option and its value, can be arguments of their own. What follows from an argument
        // before is secret to its end: a blank in it is its own.
        let line = arguments.join(" ");
        if arguments.len() > 1 {
            for (begin, secret) in patterns.find(&line, &line.to_ascii_lowercase()) {
                let ends_later = |start: usize, end: usize| if begin < start { end } else { secret.end.min(end) };
                mark_first(arguments, &mut secrets, secret.start, ends_later);
            }
        }
        // The patterns of the configuration see the whole line too, so that one can span several arguments.
        for secret in self.0.iter().flat_map(|pattern| secrets::matches(&pattern.0, &line)) {
            spread(arguments, &mut secrets, &secret);
        }
        arguments.iter().zip(secrets).map(|(argument, found)| replaced(argument, found, MASKED)).collect()
    }
}

/// Marks what begins at this place of the line, in the argument that holds the place. `until` says where it ends, given
/// where the argument begins and ends in the line.
fn mark_first(
    arguments: &[String],
    secrets: &mut [Vec<Range<usize>>],
    from: usize,
    until: impl Fn(usize, usize) -> usize,
) {
    let mut start = 0;
    for (argument, secrets) in arguments.iter().zip(secrets.iter_mut()) {
        let end = start + argument.len();
        if (start..end).contains(&from) {
            secrets.push(from - start..until(start, end) - start);
            return;
        }
        start = end + 1;
    }
}

/// Marks a range of the line in all arguments that it is made of.
fn spread(arguments: &[String], secrets: &mut [Vec<Range<usize>>], range: &Range<usize>) {
    let mut start = 0;
    for (argument, secrets) in arguments.iter().zip(secrets.iter_mut()) {
        let end = start + argument.len();
        let (from, to) = (range.start.max(start), range.end.min(end));
        if from < to {
            secrets.push(from - start..to - start);
        }
        start = end + 1;
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
        assert!(PATTERNS.is_some());
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
            (&["curl", "-d", r#"{"password":"a \"b", "n": 1}"#], r#"curl -d {"password":[masked], "n": 1}"#),
            (&["curl", "-d", r#"{"body": "{\"token\": \"a\"}"}"#], r#"curl -d {"body": "{\"token\": [masked]}"}"#),
            (&["curl", "-u", "me:p w", "https://host"], "curl -u me:[masked] https://host"),
            (&["curl", "-ume:pw", "--user=me:pw"], "curl -ume:[masked] --user=me:[masked]"),
            (&["sh", "-c", "curl -u 'me:pw' x"], "sh -c curl -u 'me:[masked]' x"),
            (&["mysql", "-u", "root", "-ppw", "wiki"], "mysql -u root -p[masked] wiki"),
            (&["sh", "-c", "mysqldump -p'a b' wiki"], "sh -c mysqldump -p[masked] wiki"),
            (&["sshpass", "-p", "a b", "ssh", "host"], "sshpass -p [masked] ssh host"),
            (&["deploy", "-phunter2"], "deploy -p[masked]"),
            (&["deploy", "--pw", "x", "--otp=1"], "deploy --pw [masked] --otp=[masked]"),
            (&["curl", "-H", "Cookie: a=b; c=d", "x"], "curl -H Cookie:[masked] x"),
            (&["sh", "-c", "curl -H 'Cookie: a=b; c=d' x"], "sh -c curl -H 'Cookie: [masked]' x"),
            (&["curl", "-b", "session=abc", "x"], "curl -b [masked] x"),
            (&["curl", "-H", "Authorization: abc"], "curl -H Authorization: [masked]"),
            (
                &["env", "PGPASSWORD=x", "DATABASE_URL=postgres://u:p@db/w"],
                "env PGPASSWORD=[masked] DATABASE_URL=postgres://[masked]@db/w",
            ),
            (
                &["git", "push", "https://ghp_0123456789abcdefghijABCDEFGHIJ012345@github.com/x"],
                "git push https://[masked]@github.com/x",
            ),
            (&["aws", "AKIAIOSFODNN7EXAMPLE"], "aws [masked]"),
        ] {
            assert_eq!(masked(arguments), expected);
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for arguments in [
            &["scap", "sync-file", "--message=T1: roll back", "wmf-config/x.php"][..],
            &["monkey=5", "turkey", "--keyboard", "dvorak"],
            &["https://host/a@b", "cli-tool", "api-gateway01"],
            &["docker", "run", "-u", "1000:1000", "-p8080:80", "x"],
            &["ssh", "-p2222", "host", "mkdir", "-pv", "/srv/x1", "find", "-print", "-perm"],
            &["rsync", "-a", "here:/srv", "there:/srv"],
            &["scap", "deploy", "-u", "deploy1"],
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

    #[test]
    fn notes_and_changes_are_masked_as_commands_are() {
        let masked = Mask::default().text("rolled back; password: hunter2\nsee https://me:pw@host/T1, or ask \"sre\"");
        assert_eq!(masked, "rolled back; password: [masked]\nsee https://[masked]@host/T1, or ask \"sre\"");
        let words = "The roll back took 3 min: see T123 and https://gerrit.example.org/r/c/1234";
        assert_eq!(Mask::default().text(words), words);
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
