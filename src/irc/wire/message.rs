//! One message: tags, source, command, parameters.
//!
//! Responsible for reading a line of bytes as one, and for writing those that are sent. Bytes that are no UTF-8 become U+FFFD, which
//! stands in no name that anything is compared with. Not responsible for what a command means.

use std::fmt;

use super::tags::Tags;
use super::{REST_LIMIT, TAGS_LIMIT};

/// The most parameters of a message: RFC 1459, section 2.3. What follows is the last one.
const PARAMETERS: usize = 15;

/// A message as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its tags.
    pub tags: Tags,
    /// Who sent it; `None` where the server at the other end did.
    pub source: Option<Source>,
    /// The command in capital letters, or the three digits of a reply.
    pub command: String,
    /// The parameters, the trailing one without its colon.
    pub params: Vec<String>,
}

/// Who sent a message: a user as `nick!user@host`, or a server by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The nick, or the name of a server.
    pub name: String,
    /// The user, where one is named.
    pub user: Option<String>,
    /// The host, where one is named.
    pub host: Option<String>,
}

/// A line that is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Its tags are too long.
    #[error("its tags are longer than {TAGS_LIMIT} bytes")]
    TagsTooLong,
    /// What follows them is too long.
    #[error("it is longer than {REST_LIMIT} bytes")]
    TooLong,
    /// It holds NUL, CR or LF.
    #[error("it holds NUL, CR or LF")]
    Control,
    /// It has tags or a source and no command.
    #[error("it has no command")]
    NoCommand,
    /// What stands in the place of the command is none.
    #[error("its command is neither a word nor three digits")]
    Command,
}

impl Message {
    /// Reads a line without its end.
    ///
    /// # Errors
    /// Where it is no message.
    pub fn parse(line: &[u8]) -> Result<Self, Malformed> {
        if line.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
            return Err(Malformed::Control);
        }
        let (tags, rest) = match line.strip_prefix(b"@") {
            Some(tagged) => {
                let end = tagged.iter().position(|byte| *byte == b' ').ok_or(Malformed::NoCommand)?;
                // With the `@` and the blank.
                if end + 2 > TAGS_LIMIT {
                    return Err(Malformed::TagsTooLong);
                }
                (Tags::parse(&String::from_utf8_lossy(&tagged[..end])), &tagged[end..])
            }
            None => (Tags::default(), line),
        };
        let rest = rest.trim_ascii_start();
        if rest.len() + 2 > REST_LIMIT {
            return Err(Malformed::TooLong);
        }
        let text = String::from_utf8_lossy(rest);
        let (source, text) = match text.strip_prefix(':') {
            Some(sourced) => {
                let (source, rest) = sourced.split_once(' ').ok_or(Malformed::NoCommand)?;
                (Some(Source::parse(source)), rest.trim_start_matches(' '))
            }
            None => (None, &*text),
        };
        let (command, rest) = text.split_once(' ').unwrap_or((text, ""));
        let is_word = !command.is_empty() && command.bytes().all(|byte| byte.is_ascii_alphabetic());
        let is_reply = command.len() == 3 && command.bytes().all(|byte| byte.is_ascii_digit());
        match command {
            "" => Err(Malformed::NoCommand),
            _ if is_word || is_reply => {
                Ok(Self { tags, source, command: command.to_ascii_uppercase(), params: parameters(rest) })
            }
            _ => Err(Malformed::Command),
        }
    }

    /// The parameter at this place, from zero; empty where there is none.
    pub fn param(&self, at: usize) -> &str {
        self.params.get(at).map_or("", String::as_str)
    }

    /// The last parameter, which holds the text of most messages; empty where there is none.
    pub fn last(&self) -> &str {
        self.params.last().map_or("", String::as_str)
    }

    /// The nick that sent it, or the name of the server; empty where none is named.
    pub fn sender(&self) -> &str {
        self.source.as_ref().map_or("", |source| source.name.as_str())
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.tags.is_empty() {
            write!(f, "@{} ", self.tags.written())?;
        }
        if let Some(source) = &self.source {
            write!(f, ":{source} ")?;
        }
        f.write_str(&self.command)?;
        let Some((last, middle)) = self.params.split_last() else { return Ok(()) };
        for parameter in middle {
            write!(f, " {parameter}")?;
        }
        write!(f, " :{last}")
    }
}

fn parameters(mut rest: &str) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches(' ');
        if rest.is_empty() {
            return found;
        }
        if let Some(trailing) = rest.strip_prefix(':') {
            found.push(trailing.to_owned());
            return found;
        }
        if found.len() + 1 == PARAMETERS {
            found.push(rest.to_owned());
            return found;
        }
        let (parameter, after) = rest.split_once(' ').unwrap_or((rest, ""));
        found.push(parameter.to_owned());
        rest = after;
    }
}

impl Source {
    fn parse(text: &str) -> Self {
        let (before, host) = match text.split_once('@') {
            Some((before, host)) => (before, Some(host.to_owned())),
            None => (text, None),
        };
        let (name, user) = match before.split_once('!') {
            Some((name, user)) => (name, Some(user.to_owned())),
            None => (before, None),
        };
        Self { name: name.to_owned(), user, host }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(user) = &self.user {
            write!(f, "!{user}")?;
        }
        match &self.host {
            Some(host) => write!(f, "@{host}"),
            None => Ok(()),
        }
    }
}

/// A message that cannot be sent as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// It holds NUL, CR or LF, with which it would be several.
    #[error("it holds NUL, CR or LF")]
    Control,
    /// A parameter before the last one is empty, holds a blank, or begins with a colon.
    #[error("one of its parameters would be read as another")]
    Parameter,
    /// It would be cut off.
    #[error("it is longer than {REST_LIMIT} bytes")]
    TooLong,
}

/// The bytes of a message that is sent, with CR LF: a command, parameters, and a trailing one, which may hold blanks.
///
/// # Errors
/// Where it would be read as another message than it is.
pub fn outgoing(command: &str, middle: &[&str], trailing: Option<&str>) -> Result<String, Unsendable> {
    if middle.iter().any(|parameter| parameter.is_empty() || parameter.starts_with(':') || parameter.contains(' ')) {
        return Err(Unsendable::Parameter);
    }
    let mut text = command.to_owned();
    for parameter in middle {
        text.push(' ');
        text.push_str(parameter);
    }
    if let Some(trailing) = trailing {
        text.push_str(" :");
        text.push_str(trailing);
    }
    if text.contains(['\0', '\r', '\n']) {
        return Err(Unsendable::Control);
    }
    text.push_str("\r\n");
    match text.len() > REST_LIMIT {
        true => Err(Unsendable::TooLong),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(line: &str) -> Message {
        Message::parse(line.as_bytes()).unwrap()
    }

    #[test]
    fn a_message_has_tags_a_source_a_command_and_parameters() {
        let message =
            parse("@time=2026-11-28T07:00:00.000Z;account=sre1  :sre1!u@host.example  privmsg  #a  :!ack T1 : now");
        assert_eq!((message.command.as_str(), message.param(0), message.last()), ("PRIVMSG", "#a", "!ack T1 : now"));
        assert_eq!((message.sender(), message.tags.get("account")), ("sre1", Some("sre1")));
        assert_eq!(message.source.unwrap().host.as_deref(), Some("host.example"));
        let reply = parse(":irc.example 001 phabgate :Welcome");
        assert_eq!((reply.command.as_str(), reply.params.len()), ("001", 2));
        assert_eq!(parse("PING").params, [""; 0]);
        assert_eq!(parse("PING :").params, [""]);
        assert_eq!(parse("PING a  ").params, ["a"]);
        let many = parse(&format!("X {}", "a ".repeat(20)));
        assert_eq!((many.params.len(), many.last()), (15, "a a a a a a "));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let refused = |line: &[u8]| Message::parse(line).unwrap_err();
        assert_eq!(refused(b""), Malformed::NoCommand);
        assert_eq!(refused(b"@a=b"), Malformed::NoCommand);
        assert_eq!(refused(b":source"), Malformed::NoCommand);
        assert_eq!(refused(b":source "), Malformed::NoCommand);
        assert_eq!(refused(b"PRIV-MSG #a"), Malformed::Command);
        assert_eq!(refused(b"12 a"), Malformed::Command);
        assert_eq!(refused(b"PRIVMSG #a :x\0y"), Malformed::Control);
        assert_eq!(refused(format!("@{} PING", "a".repeat(8190)).as_bytes()), Malformed::TagsTooLong);
        assert_eq!(refused(format!("PING {}", "a".repeat(506)).as_bytes()), Malformed::TooLong);
        assert!(Message::parse(format!("@{} PING {}", "a".repeat(8189), "a".repeat(505)).as_bytes()).is_ok());
        assert_eq!(Message::parse(b"PRIVMSG \xff :\xfe").unwrap().params, ["\u{fffd}", "\u{fffd}"]);
    }

    #[test]
    fn what_is_sent_is_one_message() {
        assert_eq!(outgoing("PRIVMSG", &["#a"], Some("b c")).unwrap(), "PRIVMSG #a :b c\r\n");
        assert_eq!(outgoing("JOIN", &["#a b"], None), Err(Unsendable::Parameter));
        assert_eq!(outgoing("JOIN", &[""], None), Err(Unsendable::Parameter));
        assert_eq!(outgoing("PRIVMSG", &["#a"], Some("b\nQUIT")), Err(Unsendable::Control));
        assert_eq!(outgoing("PRIVMSG", &["#a"], Some(&"b".repeat(510))), Err(Unsendable::TooLong));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..700)) {
            if let Ok(message) = Message::parse(&bytes) {
                prop_assert!(!message.command.is_empty() && message.params.len() <= PARAMETERS);
            }
        }

        #[test]
        fn what_is_written_is_read_back(line in "(@[a-z+;=\\\\: ]{0,12} )?(:[a-z!@.]{1,8} )?([A-Za-z]{1,8}|[0-9]{3})( [a-z#:é]{0,6}){0,16}( :[ -~]{0,20})?") {
            if let Ok(message) = Message::parse(line.as_bytes()) {
                let again = Message::parse(message.to_string().as_bytes());
                prop_assert_eq!(again, Ok(message));
            }
        }
    }
}
