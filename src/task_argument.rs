//! The task as people type and paste it: `T1234`, `t1234`, `#T1234` or a URL of it on the configured server, with what clings to
//! something pasted.
//!
//! Responsible for which task a text names, and for naming what was perhaps meant where it names none. Not responsible for
//! the monogram that the gate writes and reads back, which is [`TaskId`]'s own.

use url::Url;

use crate::ids::TaskId;
use crate::text::shorten;

/// Why an argument names no task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskArgumentError {
    /// The text has none of the accepted shapes.
    #[error("{text:?} is not a task: write it as T1234, #T1234 or its URL")]
    Malformed {
        /// The text as it was given, cut where it is long.
        text: String,
        /// The tasks that can be read in it.
        read: Vec<TaskId>,
    },
    /// A URL whose scheme, host or port is not the configured one.
    #[error("{url:?} is not on {server}, the configured server")]
    OtherServer {
        /// The URL as given, without username and password.
        url: String,
        /// Where tasks are looked up.
        server: String,
    },
}

impl TaskArgumentError {
    /// What to type instead, in one line for people.
    pub fn hint(&self) -> String {
        match self {
            Self::Malformed { read, .. } => match read.as_slice() {
                [] => "name one task, such as T1234".to_owned(),
                [task] => format!("did you mean {task}?"),
                tasks => {
                    let tasks: Vec<String> = tasks.iter().map(ToString::to_string).collect();
                    format!("name one task: {}", tasks.join(" or "))
                }
            },
            Self::OtherServer { .. } => {
                "check the address; another server is asked with --url, PHABGATE_URL or the configuration".to_owned()
            }
        }
    }
}

/// Opening marks that cling to what is pasted out of prose, mail, IRC or Remarkup.
const BEFORE: &[char] =
    &['<', '(', '[', '{', '>', '"', '\'', '`', '*', '“', '„', '”', '‘', '‚', '’', '«', '‹', '»', '›'];
/// Closing marks and punctuation that do.
const AFTER: &[char] = &[
    '>', ')', ']', '}', '"', '\'', '`', '*', '“', '”', '‘', '’', '«', '‹', '»', '›', '.', ',', ';', ':', '!', '?', '…',
];

/// Reads the task that an argument names, on the server at `base`: its monogram with or without `#` and in any case, or its
/// URL, with or without scheme; with the anchor of one of its comments, and with what clings to it. Where two tasks can be
/// read none is.
///
/// ```
/// use phabgate::task_argument::parse;
/// let base = url::Url::parse("https://phab.example/")?;
/// assert_eq!(parse("<https://phab.example/T12#34>,", &base).map(|task| task.to_string()).as_deref(), Ok("T12"));
/// assert_eq!(parse("T12-T13", &base).unwrap_err().hint(), "name one task: T12 or T13");
/// # Ok::<(), url::ParseError>(())
/// ```
///
/// # Errors
/// Where the text names no task, more than one, or one of another server.
pub fn parse(text: &str, base: &Url) -> Result<TaskId, TaskArgumentError> {
    let malformed = |read| TaskArgumentError::Malformed { text: shorten(text, SHOWN), read };
    let core = text.trim().trim_start_matches(BEFORE).trim_end_matches(AFTER).trim();
    let Some(url) = as_url(core, base) else {
        let rest = core.strip_prefix('#').unwrap_or(core);
        let (monogram, anchor) = rest.split_once('#').unwrap_or((rest, ""));
        return monogram_of(monogram).filter(|_| is_anchor(anchor)).ok_or_else(|| malformed(nearly(core)));
    };
    // What a browser makes of `..` and its like, and of a backslash, is not what people read.
    let mut segments = url.split(['?', '#']).next().unwrap_or_default().split('/').skip(3);
    let is_dots =
        |segment: &str| segment.contains('\\') || segment.replace("%2e", ".").replace("%2E", ".").starts_with("..");
    if segments.any(is_dots) {
        return Err(malformed(monograms(&url)));
    }
    let url = Url::parse(&url).map_err(|_| malformed(Vec::new()))?;
    if url.origin() != base.origin() || !url.username().is_empty() || url.password().is_some() {
        let shown = format!("{}{}", url.origin().ascii_serialization(), url.path());
        let server = base.origin().ascii_serialization();
        return Err(TaskArgumentError::OtherServer { url: shorten(&shown, SHOWN), server });
    }
    let root = base.path().trim_end_matches('/');
    let path = url.path().strip_prefix(root).and_then(|rest| rest.strip_prefix('/'));
    let task = path.and_then(|path| monogram_of(path.strip_suffix('/').unwrap_or(path)));
    let whole = [Some(url.path()), url.query(), url.fragment()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let read = monograms(&whole);
    task.filter(|_| read.len() == 1).ok_or_else(|| malformed(read))
}

/// The one task whose monogram stands in a text, of which it is not known whether it is a task.
pub fn mentioned(text: &str) -> Option<TaskId> {
    match monograms(text).as_slice() {
        [task] => Some(*task),
        _ => None,
    }
}

/// How many columns of an argument are shown.
const SHOWN: usize = 80;

/// The text as a URL, where it is one: with a scheme, or what stands behind it. `None` where it is no URL.
fn as_url(core: &str, base: &Url) -> Option<String> {
    if core.contains("://") {
        return Some(core.to_owned());
    }
    let (host, _) = core.split_once('/')?;
    let is_host = host.contains(['.', ':']) || base.host_str().is_some_and(|known| host.eq_ignore_ascii_case(known));
    is_host.then(|| format!("{}://{core}", base.scheme()))
}

/// The task of a monogram that is all of the text.
fn monogram_of(text: &str) -> Option<TaskId> {
    let digits = text.strip_prefix(['T', 't'])?;
    format!("T{digits}").parse().ok()
}

/// Whether what stands behind the `#` of a monogram is nothing, or the number of a transaction.
fn is_anchor(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The tasks that a text that is none names nearly: the monograms in it, else its number.
fn nearly(text: &str) -> Vec<TaskId> {
    let read = monograms(text);
    if !read.is_empty() {
        return read;
    }
    let digits = text.trim_start_matches(['#', 't', 'T', '0']);
    let only_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    only_digits.then(|| digits.parse().ok().and_then(TaskId::new)).flatten().into_iter().collect()
}

/// The tasks whose monograms stand in a text as words of their own, each once.
fn monograms(text: &str) -> Vec<TaskId> {
    let mut read = Vec::new();
    for word in text.split(|character: char| !character.is_alphanumeric()) {
        if let Some(task) = monogram_of(word)
            && !read.contains(&task)
        {
            read.push(task);
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn base() -> Url {
        Url::parse("https://phab.example/").unwrap()
    }

    fn read(text: &str) -> Option<u64> {
        parse(text, &base()).map(TaskId::number).ok()
    }

    fn hint(text: &str) -> String {
        parse(text, &base()).unwrap_err().hint()
    }

    #[test]
    fn a_task_is_read_in_every_shape_in_which_it_is_pasted() {
        for text in [
            "T12",
            "#T12",
            "t12",
            "#t12",
            " T12 ",
            "T12.",
            "T12,",
            "T12:",
            "(T12)",
            "(T12).",
            "[T12]",
            "{T12}",
            "[[T12]]",
            "<T12>",
            ">T12",
            "> T12",
            "\"T12\"",
            "„T12“",
            "`T12`",
            "**T12**",
            "T12#5678",
            "T12#",
            "T12?",
            "T12…",
        ] {
            assert_eq!(read(text), Some(12), "{text}");
        }
        for url in
            ["https://phab.example/T12", "https://PHAB.example:443/T12", "phab.example/T12", "phab.example:443/T12"]
        {
            for text in [
                url.to_owned(),
                format!("<{url}>"),
                format!("{url},"),
                format!("({url})."),
                format!("{url}/"),
                format!("{url}#34"),
                format!("{url}?a=b"),
                format!("{url}#34>,"),
            ] {
                assert_eq!(read(&text), Some(12), "{text}");
            }
        }
        assert_eq!(read("https://phab.example/t12"), Some(12));
    }

    #[test]
    fn a_server_below_a_path_has_its_tasks_there() {
        let base = Url::parse("http://localhost:8480/phab/").unwrap();
        for text in ["http://localhost:8480/phab/T1", "localhost:8480/phab/T1", "T1"] {
            assert_eq!(parse(text, &base).map(TaskId::number), Ok(1), "{text}");
        }
        assert_eq!(parse("localhost:8480/T1", &base).unwrap_err().hint(), "did you mean T1?");
        assert!(matches!(parse("localhost/phab/T1", &base), Err(TaskArgumentError::OtherServer { .. })));
    }

    #[test]
    fn what_was_nearly_a_task_is_named() {
        for text in [
            "12",
            "#12",
            "T012",
            "##T12",
            "T12 the site is down",
            "T12-",
            "https://phab.example/x/T12",
            "https://phab.example/x/../T12",
            "https://phab.example/#T12",
            "/T12",
            "T12#x",
        ] {
            assert_eq!(read(text), None, "{text}");
            assert_eq!(hint(text), "did you mean T12?", "{text}");
        }
        for text in [
            "",
            "T",
            "T0",
            "0",
            "-",
            "D12",
            "XT12",
            "T12x",
            "T-1",
            "T١",
            "T99999999999999999999",
            "#",
            "https://phab.example/D12",
            "[T12](https://phab.example/T12)",
            "https://phab.example/",
            "https://",
        ] {
            assert_eq!(read(text), None, "{text}");
            assert_eq!(hint(text), "name one task, such as T1234", "{text}");
        }
    }

    #[test]
    fn of_two_tasks_none_is_read() {
        for text in [
            "T1,T2",
            "T1 T2",
            "T1#T2",
            "T1/T2",
            "https://phab.example/T1#T2",
            "https://phab.example/T1?to=T2",
            "https://phab.example/T1/../T2",
            "phab.example/T1/%2E./T2",
            "https://phab.example/T1\\..\\T2",
        ] {
            assert_eq!(read(text), None, "{text}");
            assert_eq!(hint(text), "name one task: T1 or T2", "{text}");
        }
    }

    #[test]
    fn a_task_of_another_server_is_none() {
        for text in [
            "https://other.example/T12",
            "other.example/T12",
            "http://phab.example/T12",
            "https://phab.example:8443/T12",
            "https://phab.example@evil.example/T12",
            "<https://other.example/T12>",
            "https://me:secret@phab.example/T12",
        ] {
            let error = parse(text, &base()).unwrap_err();
            assert!(matches!(error, TaskArgumentError::OtherServer { .. }), "{text}: {error}");
            assert!(!error.hint().contains("T12") && !error.to_string().contains("secret"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_stands_in_the_text(text in "[ <(\\[#tT>]{0,3}[0-9]{0,4}[#/,.T0-9> )\\]]{0,6}") {
            if let Ok(task) = parse(&text, &base()) {
                prop_assert!(text.to_uppercase().contains(&task.to_string()));
                prop_assert_eq!(monograms(&text), vec![task]);
            }
        }
    }
}
