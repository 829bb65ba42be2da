//! Masking: which parts of a command line, a note or a change are secrets, and do not go into a record.
//!
//! Responsible for secrets that their surroundings give away (the value of `--password`, of `"token":` in JSON, of
//! `Authorization:`, of *the password is*), for what the configuration adds, and for quoting. What a secret looks like by
//! itself is known to [`crate::secrets`], which programs take one without a word for it to `programs`. Not responsible for
//! whether the command is recorded at all, nor for making it inert.
//!
//! In doubt a text is masked: a record that says less can be asked about, one that says too much stands there for good.

mod programs;
#[cfg(test)]
mod tests;
mod words;

use std::ops::Range;
use std::sync::LazyLock;

use regex_lite::{Captures, Regex};

use crate::secrets::{self, replaced};

/// How often a text is masked until nothing more changes. Two are enough for nearly all.
const MOST_ROUNDS: usize = 8;

/// What stands in a record in place of a secret.
pub const MASKED: &str = "[masked]";

/// The words after which a value is a secret, as a pattern.
const WORDS: &str = r"(?:[\w.-]*(?:passw(?:or)?[dt]|passphrase|passcode|pwd|token|secret|credential|cookie|kennwort|wachtwoord|adgangskode|salasana|contrasena|motdepasse|sess(?:ion)?[_.-]?id)[\w.-]*|(?:[\w.-]*[_.-])?(?:pass|pw|pin|psk|auth|otp|totp|session|senha|clave|mdp|(?:api|access|account|sharedaccess|private|secret|signing|encryption|master|license)?key))";

/// What people call a password, in English and in other languages, as a pattern. Letters that are no ASCII are in the case in
/// which they are written.
const NAMES: &str = "(?:pass[ -]?(?:words?|phrase|code|wd)|pw|pwd|pin|token|secret|credentials?|(?:api|access|secret)[ -]?key\
|passwort|kennwort|mot de passe|motdepasse|mdp|contrase(?:ñ|n|ny)a|clave|senha|palavra[ -]passe|parola|wachtwoord|l(?:ö|o)senord|passord\
|adgangskode|kodeord|salasana|has(?:ł|l)o|heslo|jelsz(?:ó|o)|(?:ş|s)ifre|parol(?:ă|a|e)|parool|lozinka|geslo|slapta(?:ž|z)odis|kata sandi|m(?:ậ|a)t kh(?:ẩ|a)u|lykilor(?:ð|d)\
|[Пп]ароль|[Пп]арола|[Лл]озинка|[Κκ]ωδικός|סיסמה|סיסמא|كلمة المرور|كلمة السر|رمز عبور|पासवर्ड|รหัสผ่าน|密码|密碼|口令|パスワード|暗証番号|비밀번호|암호)";

/// What stands in each of [`NAMES`], one of them, in lower case where it is ASCII.
const NAME_STEMS: &[&str] = &[
    "pass",
    "pw",
    "pin",
    "token",
    "secret",
    "credential",
    "key",
    "wort",
    "mdp",
    "contrase",
    "clave",
    "senha",
    "parol",
    "wachtw",
    "senord",
    "adgangs",
    "kodeord",
    "salasana",
    "has",
    "heslo",
    "jelsz",
    "ifre",
    "parool",
    "lozinka",
    "geslo",
    "slapta",
    "sandi",
    "kh",
    "lykil",
    "ароль",
    "арола",
    "озинка",
    "ωδικός",
    "סיסמ",
    "كلمة",
    "رمز",
    "पासवर्ड",
    "รหัสผ่าน",
    "密",
    "口令",
    "パスワード",
    "暗証",
    "비밀",
    "암호",
];

/// For whom or what a password is, between its name and itself.
const FOR: &str = r"(?:\s+(?:for|of|to|on|at|von|vom|der|des|für|pour|du|de|del|do|da|di|per|till|til|voor|van|для|от|к)(?:\s+[^\s:=]{1,64}){1,4}?)?";

/// What says that what follows is the password itself.
const IS: &str = r"(?:is|was|are|ist|war|lautet|est|es|é|è|är|er|jest|je|это|hat|changed to|set to|reset to|->|→|=>)(?:\s+(?:now|still|currently|jetzt|nun|set to|changed to|reset to))?";

/// Words that follow *is* where nobody gives a password away.
const HARMLESS: &[&str] = &[
    "a",
    "again",
    "already",
    "also",
    "an",
    "at",
    "available",
    "being",
    "broken",
    "by",
    "changed",
    "compromised",
    "correct",
    "empty",
    "expired",
    "exposed",
    "fine",
    "for",
    "from",
    "gone",
    "hardcoded",
    "in",
    "invalid",
    "known",
    "leaked",
    "logged",
    "lost",
    "missing",
    "needed",
    "new",
    "no",
    "not",
    "now",
    "ok",
    "old",
    "on",
    "out",
    "printed",
    "public",
    "rejected",
    "required",
    "reset",
    "revoked",
    "right",
    "rotated",
    "same",
    "sent",
    "set",
    "shared",
    "shown",
    "still",
    "stored",
    "that",
    "the",
    "to",
    "too",
    "unknown",
    "used",
    "valid",
    "visible",
    "what",
    "where",
    "with",
    "wrong",
    "written",
    "yours",
    "abgelaufen",
    "falsch",
    "geändert",
    "im",
    "nicht",
    "öffentlich",
    "weg",
];

/// A value in quotes, in quotes within quotes, or up to the next blank.
const VALUE: &str = r#"(?<secret>'\\''.*?'\\''|"(?:[^"\\]|\\.)*"|'[^']*'|\\"(?:[^"\\]|\\[^"])*\\"|[^\s"'\\]\S*)"#;

/// A value in quotes, or up to the next blank or quote: of an option that needs no blank before its value.
const SHORT_VALUE: &str = r#"(?<secret>"[^"]*"|'[^']*'|[^\s"']+)"#;

/// A string of SQL, in quotes of any depth, or a word.
const SQL_VALUE: &str =
    r#"(?<secret>'\\''.*?'\\''|\\?"(?:[^"\\]|\\[^"])*\\?"|\\'.*?\\'|'(?:[^']|'')*'|[^\s"'\\;(),]+)"#;

/// What stands in each of [`WORDS`], one of them.
const STEMS: &[&str] = &[
    "pass",
    "pw",
    "token",
    "secret",
    "credential",
    "cookie",
    "auth",
    "otp",
    "key",
    "pin",
    "psk",
    "sess",
    "kennwort",
    "wachtwoord",
    "adgangskode",
    "salasana",
    "contrasena",
    "senha",
    "clave",
    "mdp",
];

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
    /// Secrets inside of a text that may itself be a command line (`sh -c '…'`), JSON, SQL or a header.
    inside: Vec<Guarded>,
    /// A password as people write about it: `the root password is x`.
    said: Guarded,
    /// The same without a word between: `password x1`.
    beside: Guarded,
    /// The option of curl and others whose value is a name and a password; of docker, a user and a group.
    user: Guarded,
    /// `-pVALUE`, of any program.
    short: Guarded,
}

static PATTERNS: LazyLock<Option<Patterns>> = LazyLock::new(|| {
    let inside: [(&'static [&'static str], String); 9] = [
        // `PASSWORD=x`, `password: x`, `{"password": "x"}`, and the same JSON inside of a string.
        (STEMS, format!(r#"(?i)(?:^|[^\w.-])-{{0,2}}{WORDS}(?:\\?["'])?\s*[=:]\s*{VALUE}"#)),
        (STEMS, format!(r"(?i)(?:^|\s)--?{WORDS}\s+{VALUE}")),
        (NAME_STEMS, format!(r#"(?i)(?:^|[^\w.-]){NAMES}(?:\\?["'])?{FOR}\s*[:=：]\s*{VALUE}"#)),
        (&["bearer", "basic"], r#"(?i)\b(?:bearer|basic)\s+(?<secret>[^\s"']+)"#.to_owned()),
        (&["authorization"], r#"(?i)authorization["']?\s*[=:]\s*["']?(?:\w+[ \t]+)?(?<secret>[^\s"']+)"#.to_owned()),
        (&["cookie"], r#"(?i)\bcookie["']?\s*[=:]\s*(?<secret>[^\r\n"']+)"#.to_owned()),
        // SQL, of MySQL and of PostgreSQL.
        (
            &["identified"],
            format!(r#"(?i)\bidentified\s+(?:with\s+\S+\s+)?(?:by|as|using)\s+(?:password\s+)?{SQL_VALUE}"#),
        ),
        (
            &["password"],
            format!(r#"(?i)\bset\s+password\b[^;]{{0,200}}?=\s*(?:(?:old_)?password\s*\(\s*)?{SQL_VALUE}"#),
        ),
        (&["password"], r#"(?i)\bpassword\s+(?<secret>'\\''.*?'\\''|\\?"[^"]*"|\\?'[^']*')"#.to_owned()),
    ];
    Some(Patterns {
        option: Guarded::new(STEMS, &format!("(?i)^--?{WORDS}$"))?,
        assignment: Guarded::new(STEMS, &format!(r"(?is)^-{{0,2}}{WORDS}[=:]\s*(?<secret>.+)$"))?,
        inside: inside.iter().map(|(words, pattern)| Guarded::new(words, pattern)).collect::<Option<_>>()?,
        said: Guarded::new(NAME_STEMS, &format!(r"(?i)(?:^|[^\w.-]){NAMES}{FOR}\s+{IS}\s+{VALUE}"))?,
        beside: Guarded::new(NAME_STEMS, &format!(r"(?i)(?:^|[^\w.-]){NAMES}\s+{VALUE}"))?,
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
        // What is masked already is not masked again with what follows it.
        let secret = |found: &Captures<'_>| {
            let secret = found.name("secret").filter(|secret| !secret.as_str().starts_with(MASKED))?;
            Some((whole(found), secret.range()))
        };
        let value = |found: &Captures<'_>, is_one: fn(&str) -> bool| {
            found.name("secret").is_some_and(|value| is_one(value.as_str()))
        };
        let inside = self.inside.iter().flat_map(|pattern| pattern.find(text, lower));
        let said = self.said.find(text, lower).filter(|found| value(found, is_given_away));
        let beside = self.beside.find(text, lower).filter(|found| value(found, looks_written_down));
        let numbers = |found: &Captures<'_>| is_number(found, "user") && is_number(found, "secret");
        let users = self.user.find(text, lower).filter(|found| !numbers(found));
        let short = self.short.find(text, lower).filter(|found| value(found, looks_chosen));
        inside.chain(said).chain(beside).chain(users).chain(short).filter_map(|found| secret(&found)).collect()
    }
}

/// Whether what follows *is* may be a password, and is no word of a sentence.
fn is_given_away(value: &str) -> bool {
    let word = value.trim_end_matches(['.', ',', ';', ':', '!', '?', ')']).to_lowercase();
    !word.is_empty() && !HARMLESS.contains(&word.as_str())
}

/// Whether what follows the name of a password is one, and no word of a sentence: it holds a digit or a mark, and is no
/// task, path or option.
fn looks_written_down(value: &str) -> bool {
    let bare = value.trim_end_matches(['.', ',', ';', ':', '!', '?', ')']);
    let is_task = bare.strip_prefix(['T', 't']).is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    let marked = |byte: u8| byte.is_ascii_digit() || b"!@#$%^&*+?~".contains(&byte);
    bare.len() >= 4 && !is_task && bare.bytes().any(marked) && !bare.starts_with('-') && !bare.contains(['/', ':', '='])
}

fn is_number(found: &Captures<'_>, group: &str) -> bool {
    found.name(group).is_some_and(|text| text.as_str().bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether what stands directly after `-p` looks like a password and not like a port, a path, or more options.
fn looks_chosen(value: &str) -> bool {
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
        let mut masked = arguments.to_vec();
        // What is masked can make something else look like a secret: nothing that was masked once is masked otherwise later.
        for _ in 0..MOST_ROUNDS {
            let again = self.once(&masked);
            if again == masked {
                return masked;
            }
            masked = again;
        }
        masked
    }

    fn once(&self, arguments: &[String]) -> Vec<String> {
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
        for secret in programs::in_arguments(arguments) {
            spread(arguments, &mut secrets, &secret);
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
