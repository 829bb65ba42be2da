//! What people write to the bot: commands, and what looks like one and is none.
//!
//! Responsible for reading a text as a [`Request`]. Not responsible for who wrote it, nor for what is answered. A no is read as widely
//! as it can be, a yes by the letter: a line that anything is wrong with approves nothing, and its author hears why ([`near`]).

mod near;

pub use self::near::{Flaw, NearMiss};
use crate::ids::TaskId;
use crate::irc::wire::CaseMapping;
use crate::text::is_hidden;
use crate::witness::Code;

/// What the bot is asked, in the words of its commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// `!status T1`.
    Status,
    /// `!who T1`.
    Who,
    /// `!ack T1`.
    Ack,
    /// `!help`.
    Help,
    /// `!approve T1 TEAM CODE`.
    Approve,
    /// `!withdraw T1 [why]`.
    Withdraw,
    /// `!reject T1 [why]`.
    Reject,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Status, Self::Who, Self::Ack, Self::Help, Self::Approve, Self::Withdraw, Self::Reject];

    /// Its word, without the `!`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Who => "who",
            Self::Ack => "ack",
            Self::Help => "help",
            Self::Approve => "approve",
            Self::Withdraw => "withdraw",
            Self::Reject => "reject",
        }
    }

    /// How it is written about this task, for this team.
    pub fn written(self, task: &str, team: &str) -> String {
        match self {
            Self::Help => "!help".to_owned(),
            Self::Status | Self::Who | Self::Ack | Self::Withdraw => format!("!{} {task}", self.word()),
            Self::Approve => format!("!approve {task} {team} CODE"),
            Self::Reject => format!("!reject {task} - WHY"),
        }
    }

    /// Whether it speaks against a deploy: of these none is passed over for others.
    pub fn is_against(self) -> bool {
        matches!(self, Self::Reject | Self::Withdraw)
    }

    /// Whether it is answered in private too: these say nothing by which anybody is bound.
    fn is_private(self) -> bool {
        matches!(self, Self::Status | Self::Who | Self::Help)
    }

    /// Whether people write it as a plain word and mean it: of the others that is talk.
    fn is_an_answer(self) -> bool {
        matches!(self, Self::Approve | Self::Withdraw | Self::Reject | Self::Ack)
    }
}

/// What a line asks of the bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A command.
    Command(Command),
    /// What looks like one and is none.
    NearMiss(NearMiss),
}

impl Request {
    /// What is asked, or was meant.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Command(command) => command.verb(),
            Self::NearMiss(miss) => miss.verb,
        }
    }

    /// About which task, where one is named.
    pub fn task(&self) -> Option<TaskId> {
        match self {
            Self::Command(command) => command.task(),
            Self::NearMiss(miss) => miss.task,
        }
    }
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// What a task lacks.
    Status(TaskId),
    /// Who can give it.
    Who(TaskId),
    /// Somebody looks at it.
    Ack(TaskId),
    /// What can be written.
    Help,
    /// A yes.
    Approve {
        /// To the deploy of which task.
        task: TaskId,
        /// For which team, in the words that were written.
        team: String,
        /// The code of what is approved.
        code: Code,
    },
    /// One's own word taken back.
    Withdraw {
        /// About which task.
        task: TaskId,
        /// Why, where that is said: text of others.
        why: Option<String>,
    },
    /// A no.
    Reject {
        /// To the deploy of which task.
        task: TaskId,
        /// Why, where that is said: text of others.
        why: Option<String>,
    },
}

impl Command {
    /// What is asked.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Status(_) => Verb::Status,
            Self::Who(_) => Verb::Who,
            Self::Ack(_) => Verb::Ack,
            Self::Help => Verb::Help,
            Self::Approve { .. } => Verb::Approve,
            Self::Withdraw { .. } => Verb::Withdraw,
            Self::Reject { .. } => Verb::Reject,
        }
    }

    /// About which task; `None` of `!help`.
    pub fn task(&self) -> Option<TaskId> {
        match self {
            Self::Help => None,
            Self::Status(task) | Self::Who(task) | Self::Ack(task) => Some(*task),
            Self::Approve { task, .. } | Self::Withdraw { task, .. } | Self::Reject { task, .. } => Some(*task),
        }
    }
}

/// To whom a line was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// A whole channel.
    Channel,
    /// Those of a channel who have a mode.
    PartOfChannel,
    /// The bot alone.
    Private,
}

/// Reads a line; `None` where it asks nothing. The bot may be called by its nick first: `phabgate: !status T1`.
pub(super) fn read(text: &str, audience: Audience, nick: &str, mapping: CaseMapping) -> Option<Request> {
    let (plain, had_hidden) = plain(text);
    let plain = uncalled(plain.trim(), nick, mapping);
    let request = match plain.strip_prefix('!') {
        Some(marked) => marked_request(marked),
        None => near::unmarked(plain).map(Request::NearMiss),
    }?;
    let (verb, task) = (request.verb(), request.task());
    let team = match &request {
        Request::Command(Command::Approve { team, .. }) => team.clone(),
        _ => String::new(),
    };
    let missed = |flaw| Some(Request::NearMiss(NearMiss { verb, task, rest: team, flaw }));
    match (&request, audience) {
        (Request::NearMiss(_), _) => Some(request),
        (_, Audience::PartOfChannel) => missed(Flaw::PartOfChannel),
        (_, Audience::Private) if !verb.is_private() => missed(Flaw::Private),
        _ if had_hidden && verb == Verb::Approve => missed(Flaw::Hidden),
        _ => Some(request),
    }
}

/// The text without colours and what is not seen, and whether any of it was there.
fn plain(text: &str) -> (String, bool) {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    let mut had_hidden = false;
    while let Some(c) = characters.next() {
        match c {
            // A colour: up to two digits, and up to two more behind a comma. What looks like one behind them stays.
            '\u{3}' => {
                had_hidden = true;
                for part in 0..2 {
                    if part == 1 && characters.next_if_eq(&',').is_none() {
                        break;
                    }
                    for _ in 0..2 {
                        let _ = characters.next_if(char::is_ascii_digit);
                    }
                }
            }
            '\t' => out.push(' '),
            c if is_hidden(c) => had_hidden = true,
            c => out.push(c),
        }
    }
    (out, had_hidden)
}

/// The text without the bot's nick before it.
fn uncalled<'t>(text: &'t str, nick: &str, mapping: CaseMapping) -> &'t str {
    let Some((called, rest)) = text.split_once([':', ',']) else { return text };
    if mapping.same(called.trim_start_matches('@'), nick) { rest.trim_start() } else { text }
}

fn marked_request(marked: &str) -> Option<Request> {
    let rest = marked.trim_start_matches(|c: char| c.is_whitespace() || c == '!');
    let has_blank = rest.len() < marked.len();
    let (word, arguments) = first_word(rest);
    let word = word.trim_end_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let miss =
        |verb, flaw, task, rest: &str| Request::NearMiss(NearMiss { verb, task, rest: rest.trim().to_owned(), flaw });
    if let Some(verb) = exact(&word) {
        let (task, rest) = near::about(arguments).map_or((None, ""), |(task, rest)| (Some(task), rest));
        return Some(if has_blank { miss(verb, Flaw::Blank, task, rest) } else { command(verb, arguments) });
    }
    if let Some((word, task)) = near::run_together(&word) {
        let verb = exact(word).or_else(|| near::meant(word).map(|(verb, _)| verb))?;
        return Some(miss(verb, Flaw::NoBlank, Some(task), arguments));
    }
    // A word that is near and names no task belongs to another bot.
    let (task, rest) = near::about(arguments)?;
    let (verb, flaw) = near::meant(&word)?;
    Some(miss(verb, flaw, Some(task), rest))
}

fn exact(word: &str) -> Option<Verb> {
    Verb::ALL.into_iter().find(|verb| verb.word() == word)
}

fn command(verb: Verb, arguments: &str) -> Request {
    let (first, rest) = first_word(arguments);
    let rest = rest.trim();
    let miss = |task, flaw| Request::NearMiss(NearMiss { verb, task, rest: rest.to_owned(), flaw });
    if verb == Verb::Help {
        return Request::Command(Command::Help);
    }
    let Some(task) = task(first) else {
        let later = || arguments.split_whitespace().find_map(task);
        return match (number(first), later()) {
            (Some(task), _) => miss(Some(task), Flaw::BareNumber),
            (None, Some(task)) => {
                let (rest, flaw) = (arguments.trim().to_owned(), Flaw::TaskLater);
                Request::NearMiss(NearMiss { verb, task: Some(task), rest, flaw })
            }
            (None, None) => miss(None, Flaw::NoTask),
        };
    };
    let why = || Some(reason(rest)).filter(|why| !why.is_empty()).map(str::to_owned);
    Request::Command(match verb {
        Verb::Status => Command::Status(task),
        Verb::Who => Command::Who(task),
        Verb::Ack => Command::Ack(task),
        Verb::Help => Command::Help,
        Verb::Withdraw => Command::Withdraw { task, why: why() },
        Verb::Reject => Command::Reject { task, why: why() },
        Verb::Approve => match approval(rest) {
            Ok((team, code)) => Command::Approve { task, team, code },
            Err(flaw) => return miss(Some(task), flaw),
        },
    })
}

/// A reason without the dash that people put before it.
fn reason(text: &str) -> &str {
    let (first, rest) = first_word(text);
    let is_dash = first.chars().all(|c| matches!(c, '-' | '\u{2013}' | '\u{2014}' | ':'));
    if is_dash { rest.trim_start() } else { text }
}

/// The team and the code of a yes, and nothing else: what stands behind the code could be a condition.
fn approval(text: &str) -> Result<(String, Code), Flaw> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let Some((last, team)) = words.split_last() else { return Err(Flaw::NoTeam) };
    match (last.parse(), team) {
        (Ok(_), []) => Err(Flaw::NoTeam),
        (Ok(code), team) => Ok((team.join(" "), code)),
        (Err(_), [_, more @ ..]) if more.iter().any(|word| word.parse::<Code>().is_ok()) => Err(Flaw::More),
        (Err(_), []) => Err(Flaw::NoCode),
        (Err(_), _) => Err(Flaw::BadCode),
    }
}

fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_once(char::is_whitespace).unwrap_or((text, ""))
}

/// A task as people write it: `T1`, `t1`, `#T1`, `T1:`, `(T1)`, or its address.
fn task(word: &str) -> Option<TaskId> {
    let word = word.rsplit_once('/').map_or(word, |(_, last)| last);
    let word = word.split_once('#').filter(|(before, _)| !before.is_empty()).map_or(word, |(before, _)| before);
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let digits = word.strip_prefix(['T', 't'])?;
    format!("T{digits}").parse().ok()
}

/// The task of a bare number, which may be that of something else: `#1`, `1`.
fn number(word: &str) -> Option<TaskId> {
    let digits = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    let digits = digits.strip_prefix('#').unwrap_or(digits);
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| format!("T{digits}").parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heard(text: &str) -> Option<Request> {
        read(text, Audience::Channel, "phabgate", CaseMapping::Ascii)
    }

    fn t1() -> TaskId {
        "T1".parse().unwrap()
    }

    fn flaw(text: &str) -> (Verb, Option<TaskId>, Flaw) {
        match heard(text) {
            Some(Request::NearMiss(NearMiss { verb, task, flaw, .. })) => (verb, task, flaw),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn commands_are_read() {
        let code: Code = "K7QM".parse().unwrap();
        let approve = |team: &str| Command::Approve { task: t1(), team: team.into(), code };
        for (text, command) in [
            ("!status T1", Command::Status(t1())),
            ("!who T1", Command::Who(t1())),
            ("!ack T1", Command::Ack(t1())),
            ("!help", Command::Help),
            ("!HELP me", Command::Help),
            ("!approve T1 sre K7QM", approve("sre")),
            ("  !Approve t1  Release Engineering k7qm ", approve("Release Engineering")),
            ("phabgate: !approve T1 sre K7QM", approve("sre")),
            ("@PhabGate, !approve T1 sre K7QM", approve("sre")),
            ("!withdraw T1", Command::Withdraw { task: t1(), why: None }),
            ("!reject T1 no, wait: T2", Command::Reject { task: t1(), why: Some("no, wait: T2".into()) }),
            ("!reject T1: no", Command::Reject { task: t1(), why: Some("no".into()) }),
            ("!reject T1 -1 from me", Command::Reject { task: t1(), why: Some("-1 from me".into()) }),
            ("!reject T1 - no", Command::Reject { task: t1(), why: Some("no".into()) }),
            ("!reject #T1", Command::Reject { task: t1(), why: None }),
            ("!REJECT https://phab.example/T1#22", Command::Reject { task: t1(), why: None }),
            ("\u{2}!reject\u{2} \u{3}04,01T1\u{3} no", Command::Reject { task: t1(), why: Some("no".into()) }),
        ] {
            assert_eq!(heard(text), Some(Request::Command(command)), "{text}");
        }
    }

    #[test]
    fn what_looks_like_a_command_and_is_none_is_a_near_miss() {
        let task = Some(t1());
        for (text, expected) in [
            ("!aprove T1", (Verb::Approve, task, Flaw::Misspelt)),
            ("!approved T1 sre K7QM", (Verb::Approve, task, Flaw::Misspelt)),
            ("!rejcet T1", (Verb::Reject, task, Flaw::Misspelt)),
            ("!rejected T1", (Verb::Reject, task, Flaw::Misspelt)),
            ("!stauts T1", (Verb::Status, task, Flaw::Misspelt)),
            ("! approve", (Verb::Approve, None, Flaw::Blank)),
            ("! reject T1", (Verb::Reject, task, Flaw::Blank)),
            ("!!reject T1", (Verb::Reject, task, Flaw::Blank)),
            ("!approve", (Verb::Approve, None, Flaw::NoTask)),
            ("!approve sre K7QM", (Verb::Approve, None, Flaw::NoTask)),
            ("!approve T1", (Verb::Approve, task, Flaw::NoTeam)),
            ("!approve T1 K7QM", (Verb::Approve, task, Flaw::NoTeam)),
            ("!approve T1 sre", (Verb::Approve, task, Flaw::NoCode)),
            ("!approve T1 sre K7QO", (Verb::Approve, task, Flaw::BadCode)),
            ("!approve T1 sre K7QM once the failover is done", (Verb::Approve, task, Flaw::More)),
            ("!approve T1 sre K7\u{200b}QM", (Verb::Approve, task, Flaw::Hidden)),
            ("\u{3}4!approve T1 sre K7QM", (Verb::Approve, task, Flaw::Hidden)),
            ("reject T1 please", (Verb::Reject, task, Flaw::NoMark)),
            (".approve T1 sre K7QM", (Verb::Approve, task, Flaw::NoMark)),
            ("/approve T1 sre K7QM", (Verb::Approve, task, Flaw::NoMark)),
            ("phabgate: withdraw T1", (Verb::Withdraw, task, Flaw::NoMark)),
            ("!status", (Verb::Status, None, Flaw::NoTask)),
            ("!rejectT1 stop", (Verb::Reject, task, Flaw::NoBlank)),
            ("!reject:T1", (Verb::Reject, task, Flaw::NoBlank)),
            ("!reject#1", (Verb::Reject, task, Flaw::NoBlank)),
            ("!rejectedt1", (Verb::Reject, task, Flaw::NoBlank)),
            ("!approveT1 sre K7QM", (Verb::Approve, task, Flaw::NoBlank)),
            ("rejectT1", (Verb::Reject, task, Flaw::NoMark)),
            ("!reject #1", (Verb::Reject, task, Flaw::BareNumber)),
            ("!reject 1: the graphs", (Verb::Reject, task, Flaw::BareNumber)),
            ("!reject the deploy of T1", (Verb::Reject, task, Flaw::TaskLater)),
            ("!akc T1", (Verb::Ack, task, Flaw::Misspelt)),
            ("!acck T1", (Verb::Ack, task, Flaw::Misspelt)),
            ("!acknowledged T1", (Verb::Ack, task, Flaw::Misspelt)),
        ] {
            assert_eq!(flaw(text), expected, "{text}");
        }
    }

    #[test]
    fn a_word_that_means_no_points_to_the_no_and_to_nothing_else() {
        for word in [
            "!nack",
            "!nak",
            "!NACK",
            "!no",
            "!nope",
            "!veto",
            "!vetoed",
            "!deny",
            "!denied",
            "!stop",
            "!stopped",
            "!abort",
            "!block",
            "!blocked",
            "!disapprove",
            "!disapproved",
            "!refuse",
            "!refusing",
            "!cancel",
            "!cancelled",
            "!-1",
            "!hold",
            "!noapprove",
            "!napprove",
            "!not-approved",
            "!non-ack",
            "! no",
            "!no!",
            "nack",
            "no",
            "NO",
            "NO!",
            "veto",
            "stop",
            "-1",
            "-2",
            "\u{2212}1",
            "phabgate: no",
        ] {
            for text in [format!("{word} T1"), format!("{word} to T1 please"), format!("{word} #T1: why")] {
                let (verb, task, flaw) = flaw(&text);
                assert_eq!((verb, task), (Verb::Reject, Some(t1())), "{text}");
                assert!(flaw.may_be_talk(), "{text}: {flaw:?}");
            }
        }
        for word in ["!unapprove", "!unapproved", "!revoke", "!retracted"] {
            assert_eq!(flaw(&format!("{word} T1")), (Verb::Withdraw, Some(t1()), Flaw::OtherWord));
        }
        // Words that are only near to an acknowledgement are none.
        for text in ["!hack T1", "!pack T1", "!back T1", "!unack T1", "!ak T1", "!acc T1", "!ask T1", "!a T1"] {
            assert_eq!(heard(text), None, "{text}");
        }
    }

    #[test]
    fn what_stands_behind_the_task_is_kept() {
        let rest = |text: &str| match heard(text) {
            Some(Request::NearMiss(miss)) => miss.rest,
            other => panic!("{text}: {other:?}"),
        };
        for text in ["approve T1 sre K7QM", "!aprove T1 sre K7QM", "! approve T1 sre K7QM", "!approveT1 sre K7QM"] {
            assert_eq!(rest(text), "sre K7QM", "{text}");
        }
        assert_eq!((rest("!approve T1 sre"), rest("\u{3}4!approve T1 sre K7QM")), ("sre".into(), "sre".into()));
    }

    #[test]
    fn talk_and_commands_of_other_bots_ask_nothing() {
        for text in [
            "no, T1 is fine",
            "no. T1 is fine",
            "not T1",
            "wait T1 is fine",
            "blocked T1",
            "nothing T1",
            "-1 on that, see T1",
            "-3 T1",
            "stop it, T1",
            "!stop",
            "!no",
            "!issue T1",
            "!nolog T1",
            "!node T1",
            "!log stop T1",
            "!logT1",
            "!incident #1",
            "",
            "!",
            "!log T1 done",
            "!hlep",
            "!how are you",
            "T1 looks good",
            "I approve T1",
            "approve it",
            "status T1",
            "who T1",
            "<sre1> !approve T1 sre K7QM",
            "sre1: !approve T1 sre K7QM",
            "!bash T1",
            "lgtm",
            "!T1",
            "!statistics",
        ] {
            assert_eq!(heard(text), None, "{text}");
        }
    }

    #[test]
    fn in_private_and_to_a_part_of_a_channel_nothing_binds() {
        let to = |audience, text| match read(text, audience, "phabgate", CaseMapping::Ascii).unwrap() {
            Request::Command(command) => Ok(command.verb()),
            Request::NearMiss(miss) => Err(miss.flaw),
        };
        for text in ["!status T1", "!who T1", "!help"] {
            assert!(to(Audience::Private, text).is_ok(), "{text}");
            assert_eq!(to(Audience::PartOfChannel, text), Err(Flaw::PartOfChannel));
        }
        for text in ["!ack T1", "!approve T1 sre K7QM", "!withdraw T1", "!reject T1"] {
            assert_eq!(to(Audience::Private, text), Err(Flaw::Private), "{text}");
            assert_eq!(to(Audience::PartOfChannel, text), Err(Flaw::PartOfChannel));
        }
    }

    proptest! {
        #[test]
        fn only_the_exact_line_approves(text in "(\\PC|\\pC){0,6}[!./ ]{0,2}(approve|aprove) ?(T1|1)? ?(sre)? ?(K7QM|K7Q)?(\\PC|\\pC){0,4}") {
            if let Some(Request::Command(Command::Approve { task, code, .. })) = heard(&text) {
                prop_assert!(text.contains("!approve T") && !text.chars().any(|c| is_hidden(c) && c != '\t'), "{text:?}");
                prop_assert!(text.contains(&task.to_string()) && text.to_uppercase().contains(&code.to_string()));
                prop_assert!(text.trim_end().to_uppercase().ends_with(&code.to_string()));
            }
        }
    }
}
