//! The command line as a record shows it: shell-quoted, with secrets masked.
//!
//! In the room: [`mask`], [`quote`] and the patterns that are built in. Not in the room: making the text inert for where it is
//! shown ([`super::remarkup`], [`crate::text`]).

use std::ops::Range;

use regex_lite::Regex;

/// What stands for a secret.
const MASK: &str = "***";

/// The patterns that are always masked; the first capture group is the secret.
///
/// They know names that end in or hold `password`, `passwd`, `passphrase`, `secret`, `token`, `api-key`, `access-key`,
/// `private-key` or `credential` (as `NAME=VALUE`, `--name=VALUE`, `--name VALUE` and headers), authorization headers,
/// Conduit tokens, `curl -u USER:PASS` and passwords in URLs. They mask too much rather than too little.
pub const BUILT_IN: &[&str] = &[
    // NAME=VALUE, --name=VALUE, ?name=value
    r#"(?i)(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)[a-z0-9_-]*=("[^"]*"|'[^']*'|[^\s&;]+)"#,
    // --name VALUE; a value that begins with two dashes is the next option
    r#"(?i)(?:^|\s)--?[a-z0-9_-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)[a-z0-9_-]*\s+("[^"]*"|'[^']*'|[^\s-]\S*|-[^\s-]\S*)"#,
    // Name: value, as in the headers of HTTP
    r#"(?i)(?:password|passwd|secret|token|api[_-]?key|access[_-]?key)[a-z0-9_-]*:\s*([^\s"']+)"#,
    r#"(?i)authorization\s*:\s*(?:[a-z]+\s+)?([^\s"']+)"#,
    r#"(?i)\bbearer\s+([^\s"']+)"#,
    r"\b((?:api|cli)-[a-z0-9]{28})\b",
    r"(?:^|\s)(?:-u|--user|--proxy-user)[\s=]*[^\s:=]+:(\S+)",
    r"(?i)[a-z][a-z0-9+.-]*://[^\s/:@]*:([^\s/]+)@",
];

/// [`BUILT_IN`], compiled.
///
/// # Errors
/// Never, as long as the patterns are ones that a test has compiled.
pub fn built_in() -> Result<Vec<Regex>, regex_lite::Error> {
    BUILT_IN.iter().map(|pattern| Regex::new(pattern)).collect()
}

/// The command as a person can paste it into a POSIX shell, with what the patterns match replaced by `***`.
///
/// Each pattern is tried on each argument and on all of them joined by single spaces, before quoting; so `--password VALUE`
/// is found in two arguments. Where a pattern has a capture group that took part in the match, the first such group is what
/// is masked, else the whole match. A secret that stops at a space in the middle of an argument, and that nothing
/// but its own name goes before, is taken to the end of the argument: `PASSWORD=two words` is one secret. After `-c` it is not:
/// there the argument is a command of its own.
///
/// With `hide_args` only the name of the program is shown.
///
/// ```
/// use phabgate::record::mask::{built_in, mask};
/// let command = ["deploy", "--password", "hunter2", "it's on"].map(str::to_owned);
/// assert_eq!(mask(&command, &built_in()?, false), r"deploy --password '***' 'it'\''s on'");
/// assert_eq!(mask(&command, &[], true), "deploy");
/// # Ok::<(), regex_lite::Error>(())
/// ```
pub fn mask(argv: &[String], patterns: &[Regex], hide_args: bool) -> String {
    let argv = if hide_args { argv.get(..1).unwrap_or_default() } else { argv };
    let joined = argv.join(" ");
    // Where each argument is in the joined text.
    let mut places = Vec::with_capacity(argv.len());
    let mut at = 0;
    for argument in argv {
        places.push(at..at + argument.len());
        at += argument.len() + 1;
    }
    let mut secrets: Vec<Range<usize>> = Vec::new();
    for pattern in patterns {
        secrets.extend(matches(pattern, &joined));
        for place in &places {
            let found = matches(pattern, &joined[place.clone()]);
            secrets.extend(found.map(|range| range.start + place.start..range.end + place.start));
        }
    }
    let mut shown = Vec::with_capacity(argv.len());
    for (index, (argument, place)) in argv.iter().zip(&places).enumerate() {
        let is_script =
            index.checked_sub(1).and_then(|before| argv.get(before)).is_some_and(|before| is_dash_c(before));
        let mut inside: Vec<Range<usize>> = secrets
            .iter()
            .filter(|secret| secret.start < place.end && secret.end > place.start)
            .map(|secret| secret.start.max(place.start) - place.start..secret.end.min(place.end) - place.start)
            .map(|secret| if is_script { secret } else { to_the_end(argument, secret) })
            .collect();
        inside.sort_by_key(|secret| (secret.start, secret.end));
        shown.push(quote(&masked(argument, &inside)));
    }
    shown.join(" ")
}

/// The argument quoted for a POSIX shell, where it needs it.
pub fn quote(argument: &str) -> String {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"%+,-./:=@_".contains(&byte);
    if !argument.is_empty() && argument.bytes().all(safe) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

/// What the pattern says is secret in the text.
fn matches<'a>(pattern: &'a Regex, text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
    pattern.captures_iter(text).filter_map(|captures| {
        let group = captures.iter().skip(1).flatten().next();
        let range = group.or_else(|| captures.get(0))?.range();
        (!range.is_empty()).then_some(range)
    })
}

/// `-c`, also in a bundle of short options, as of `sh -ec`.
fn is_dash_c(argument: &str) -> bool {
    argument.strip_prefix('-').and_then(|rest| rest.strip_suffix('c')).is_some_and(|rest| !rest.starts_with('-'))
}

fn to_the_end(argument: &str, secret: Range<usize>) -> Range<usize> {
    let alone = !argument[..secret.start].contains(char::is_whitespace);
    let stops_at_space = argument[secret.end..].starts_with(char::is_whitespace);
    if alone && stops_at_space { secret.start..argument.len() } else { secret }
}

/// The text with the sorted ranges replaced; ranges that touch or overlap become one mask.
fn masked(text: &str, secrets: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done: Option<usize> = None;
    for secret in secrets {
        match done {
            Some(end) if secret.start <= end => done = Some(end.max(secret.end)),
            _ => {
                out.push_str(&text[done.unwrap_or(0)..secret.start]);
                out.push_str(MASK);
                done = Some(secret.end);
            }
        }
    }
    out.push_str(&text[done.unwrap_or(0)..]);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(argv: &[&str]) -> String {
        let argv: Vec<String> = argv.iter().map(|&argument| argument.to_owned()).collect();
        mask(&argv, &built_in().unwrap(), false)
    }

    #[test]
    fn known_secrets_are_masked() {
        for (argv, expected) in [
            (&["PASSWORD=hunter2", "x"][..], "'PASSWORD=***' x"),
            (&["env", "DB_PASSWD=a b c", "x"], "env 'DB_PASSWD=***' x"),
            (&["x", "--password", "two words", "y"], "x --password '***' y"),
            (&["x", "--password=two words", "y"], "x '--password=***' y"),
            (&["x", "--api-key", "k", "--api_key=k"], "x --api-key '***' '--api_key=***'"),
            (&["x", "--db-password-prod", "-k-"], "x --db-password-prod '***'"),
            (&["x", "--no-token", "--prod"], "x --no-token --prod"),
            (&["curl", "-H", "Authorization: Bearer abc.def"], "curl -H 'Authorization: Bearer ***'"),
            (&["curl", "-H", "authorization: abc"], "curl -H 'authorization: ***'"),
            (&["curl", "-H", "X-Auth-Token: abc", "u"], "curl -H 'X-Auth-Token: ***' u"),
            (&["curl", "-u", "me:pass", "u"], "curl -u 'me:***' u"),
            (&["x", "api-abcdefghijklmnopqrstuvwxyz12", "cli-abcdefghijklmnopqrstuvwxyz12"], "x '***' '***'"),
            (&["git", "push", "https://u:p@ss@host/path"], "git push 'https://u:***@host/path'"),
            (&["curl", "https://h/?token=abc&x=1"], "curl 'https://h/?token=***&x=1'"),
            (&["sh", "-c", "TOKEN=abc deploy --all"], "sh -c 'TOKEN=*** deploy --all'"),
            (&["sh", "-c", "deploy --password 'a b' --all"], r"sh -c 'deploy --password *** --all'"),
        ] {
            assert_eq!(shown(argv), expected);
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for (argv, expected) in [
            (
                &["scap", "sync-file", "wmf-config/Settings.php", "T123: fix"][..],
                "scap sync-file wmf-config/Settings.php 'T123: fix'",
            ),
            (&["ssh", "git@host"], "ssh git@host"),
            (&["x", "", "a'b", "$(id)", "a\nb"], "x '' 'a'\\''b' '$(id)' 'a\nb'"),
            (&["x", "~root", "#x"], "x '~root' '#x'"),
        ] {
            assert_eq!(shown(argv), expected);
        }
    }

    #[test]
    fn a_pattern_without_a_group_masks_the_whole_match_and_may_span_arguments() {
        let argv = ["x", "open sesame", "now"].map(str::to_owned);
        assert_eq!(mask(&argv, &[Regex::new("sesame now").unwrap()], false), "x 'open ***' '***'");
        assert_eq!(mask(&argv, &[Regex::new("(nothing)?sesame").unwrap()], false), "x 'open ***' now");
        assert_eq!(mask(&argv, &[Regex::new("q*").unwrap()], false), "x 'open sesame' now");
    }

    #[test]
    fn hidden_arguments_are_not_there() {
        let argv = ["deploy", "--password", "x"].map(str::to_owned);
        assert_eq!(mask(&argv, &built_in().unwrap(), true), "deploy");
        assert_eq!(mask(&[], &built_in().unwrap(), true), "");
    }

    proptest! {
        #[test]
        fn a_password_of_any_kind_is_gone(secret in "[A-Z][A-Z' \"&;|$]{6,20}[A-Z]") {
            let argv = ["x".to_owned(), "--password".to_owned(), secret.clone(), format!("--token={secret}")];
            // What stands before a space, a quote or the like must be gone, and so must what stands after it.
            let shown = mask(&argv[..3], &built_in().unwrap(), false);
            prop_assert_eq!(shown, "x --password '***'");
        }

        #[test]
        fn quoting_is_undone_by_a_shell(argument in "[ -~ßé\\n]{0,20}") {
            let quoted = quote(&argument);
            let undone = match quoted.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
                Some(inner) => inner.replace(r"'\''", "'"),
                None => quoted,
            };
            prop_assert_eq!(undone, argument);
        }

        #[test]
        fn any_text_and_any_overlap_is_masked_without_a_panic(argv in prop::collection::vec(any::<String>(), 0..5)) {
            let mut patterns = built_in().unwrap();
            patterns.push(Regex::new(".(.)").unwrap());
            patterns.push(Regex::new("..").unwrap());
            mask(&argv, &patterns, false);
        }
    }
}
