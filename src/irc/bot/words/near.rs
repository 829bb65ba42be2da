//! Near misses: what looks like a command and is none.
//!
//! Responsible for what was most likely meant by a word that is none of the bot's, and for naming what is wrong with it. A word that may mean no
//! points to the command for a no, and none that may points to a yes or to an acknowledgement. Not responsible for commands themselves, nor for what is answered.

use std::fmt;

use super::{Verb, first_word, number, task};
use crate::ids::TaskId;

/// What looks like a command and is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// What was most likely meant.
    pub verb: Verb,
    /// About which task, where one is named.
    pub task: Option<TaskId>,
    /// What stands behind the task: text of others. In a yes it may begin with a team.
    pub rest: String,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// What is wrong with a near miss, in words that repeat nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// The word is none.
    Misspelt,
    /// The word is another one for the same.
    OtherWord,
    /// No `!` stands right before the word.
    NoMark,
    /// A blank stands between them.
    Blank,
    /// None stands between the word and the task.
    NoBlank,
    /// No task follows.
    NoTask,
    /// The number of a task follows, without what makes it one.
    BareNumber,
    /// Other words follow before the task.
    TaskLater,
    /// No team follows.
    NoTeam,
    /// No code follows the team.
    NoCode,
    /// The last word, where the code belongs, is none.
    BadCode,
    /// More follows than belongs there, which could be a condition.
    More,
    /// Characters are in it that are not seen, or colours.
    Hidden,
    /// It was said in private, and not in the channel.
    Private,
    /// It was said to a part of the channel.
    PartOfChannel,
}

impl Flaw {
    /// Whether the line may be talk, or for another bot: of what it names it is a near miss where that is an emergency alone.
    pub fn may_be_talk(self) -> bool {
        matches!(self, Self::Misspelt | Self::OtherWord | Self::NoMark | Self::NoBlank)
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Misspelt => "the word is misspelt",
            Self::OtherWord => "that word counts for nothing",
            Self::NoMark => "no ! stands before the word",
            Self::Blank => "a blank stands behind the !",
            Self::NoBlank => "no blank stands before the task",
            Self::NoTask => "it names no task",
            Self::BareNumber => "no T stands before the number of the task",
            Self::TaskLater => "the task does not stand right behind the word",
            Self::NoTeam => "it names no team",
            Self::NoCode => "no code of what is approved stands behind the team",
            Self::BadCode => "its last word, where the code of what is approved belongs, is no code",
            Self::More => "something stands behind the code",
            Self::Hidden => "it holds colours or characters that are not seen",
            Self::Private => "it counts in the channel alone",
            Self::PartOfChannel => "it was not said to the whole channel",
        })
    }
}

/// Words for a no that are one too where no mark stands before them.
const NOES: [&str; 20] = [
    "-1",
    "-2",
    "\u{2212}1",
    "\u{2212}2",
    "no",
    "nope",
    "nay",
    "nak",
    "nack",
    "veto",
    "deny",
    "stop",
    "abort",
    "block",
    "cancel",
    "refuse",
    "decline",
    "disapprove",
    "disagree",
    "halt",
];

/// Words that are behind a mark; without one they are talk.
const MARKED_NOES: [&str; 12] =
    ["nah", "not", "never", "wait", "whoa", "hold", "forbid", "disallow", "object", "oppose", "against", "denied"];

/// How words end in another form of theirs: `vetoed`, `blocks`.
const ENDINGS: [&str; 11] = ["s", "d", "ed", "ing", "ped", "ping", "led", "ling", "er", "ion", "al"];

/// Words for taking back what one said.
const WITHDRAWALS: [&str; 7] = ["unapprove", "unreject", "revoke", "retract", "rescind", "undo", "takeback"];

/// What turns a word for a yes into one for a no: `noapprove`, `non-ack`.
const NEGATIONS: [&str; 7] = ["dont", "don't", "not", "non", "dis", "no", "n"];

/// What may stand between a word and the task: `NO to T1`.
const BETWEEN: [&str; 5] = ["to", "on", "for", "of", "about"];

/// What is most likely meant by a word behind a mark, and what is wrong with it; `None` of a word for another bot.
pub(super) fn meant(word: &str) -> Option<(Verb, Flaw)> {
    let is_form_of = |known: &&str| {
        let end = word.strip_prefix(known.trim_end_matches('e')).map(|end| end.trim_start_matches('e'));
        word == *known || (known.len() > 3 && end.is_some_and(|end| end.is_empty() || ENDINGS.contains(&end)))
    };
    if NOES.iter().chain(&MARKED_NOES).any(is_form_of) || is_negated_yes(word) {
        return Some((Verb::Reject, Flaw::OtherWord));
    }
    if WITHDRAWALS.iter().any(is_form_of) {
        return Some((Verb::Withdraw, Flaw::OtherWord));
    }
    nearest(word).map(|verb| (verb, Flaw::Misspelt))
}

fn is_negated_yes(word: &str) -> bool {
    let is_yes = |rest: &str| {
        let rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
        rest.starts_with("approv") || rest.starts_with("ack") || rest == "ok"
    };
    NEGATIONS.iter().any(|negation| word.strip_prefix(negation).is_some_and(is_yes))
}

/// The verb that a misspelt word is nearest to.
fn nearest(word: &str) -> Option<Verb> {
    let near = |verb: Verb| {
        let distance = strsim::osa_distance(word, verb.word());
        let is_near = match verb {
            // Every other word of its length is near to it, and who is pointed to it by mistake holds a page.
            Verb::Ack => is_ack(word),
            _ if verb.word().len() > 4 => distance <= 2,
            _ => distance <= 1,
        };
        (is_near || (verb.is_an_answer() && word.starts_with(verb.word()))).then_some((distance, verb))
    };
    Verb::ALL.into_iter().filter_map(near).min_by_key(|(distance, _)| *distance).map(|(_, verb)| verb)
}

/// Whether a word has the letters of `ack` and no others, and begins as it does: `akc`, `acck`.
fn is_ack(word: &str) -> bool {
    word.starts_with('a') && word.contains('c') && word.contains('k') && word.chars().all(|c| "ack".contains(c))
}

/// A word and the task that runs together with it: `rejectt1`, `reject:t1`.
pub(super) fn run_together(word: &str) -> Option<(&str, TaskId)> {
    let at = word.rfind(['t', 'T', '#'])?;
    let (before, named) = word.split_at(at);
    let before = before.trim_end_matches(|c: char| !c.is_alphanumeric());
    let task = task(named).or_else(|| number(named))?;
    (!before.is_empty()).then_some((before, task))
}

/// The task that a word is about, and what stands behind it.
pub(super) fn about(text: &str) -> Option<(TaskId, &str)> {
    let (first, rest) = first_word(text);
    let is_between = BETWEEN.iter().any(|word| first.eq_ignore_ascii_case(word));
    let (first, rest) = if is_between { first_word(rest) } else { (first, rest) };
    let is_number = first.starts_with('#');
    let task = task(first).or_else(|| number(first).filter(|_| is_number))?;
    Some((task, rest))
}

/// An answer in plain words, or behind another mark: `reject T1`, `.approve T1 sre`, `NO to T1`, `-1 T1`.
pub(super) fn unmarked(text: &str) -> Option<NearMiss> {
    let near =
        |verb, flaw, (task, rest): (TaskId, &str)| NearMiss { verb, task: Some(task), rest: rest.trim().into(), flaw };
    let (first, arguments) = first_word(text);
    if first.starts_with(['-', '\u{2212}']) && NOES.contains(&first) {
        return about(arguments).map(|about| near(Verb::Reject, Flaw::OtherWord, about));
    }
    let (first, arguments) = first_word(text.trim_start_matches(|c: char| !c.is_alphanumeric()));
    let lowered = first.to_lowercase();
    let word = lowered.trim_end_matches(|c: char| !c.is_alphanumeric());
    let answer = |word: &str| Verb::ALL.into_iter().find(|verb| verb.is_an_answer() && verb.word() == word);
    if let Some(verb) = answer(word) {
        return about(arguments).map(|about| near(verb, Flaw::NoMark, about));
    }
    if let Some((verb, task)) = run_together(word).and_then(|(word, task)| Some((answer(word)?, task))) {
        return Some(near(verb, Flaw::NoMark, (task, arguments)));
    }
    // `no, T1 is fine` answers something else.
    let is_said_of_it = lowered[word.len()..].chars().all(|c| matches!(c, ':' | '!' | '*' | '_'));
    let is_no = is_said_of_it && NOES.contains(&word);
    is_no.then(|| about(arguments)).flatten().map(|about| near(Verb::Reject, Flaw::OtherWord, about))
}
