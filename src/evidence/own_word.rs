//! What a person wrote on a task themselves, which outweighs what the deployer says of them.
//!
//! Responsible for which words are such: whoever attests an approval speaks for somebody else, and must not speak over them. So
//! everything that the person wrote there counts, but what can only be a yes: no program reads a no in every language.
//! Not responsible for what is said of it, nor for whether the person may approve at all.

use super::answers::AnswerKind;
use super::near_miss::NearKind;
use super::said;
use super::task_state::TaskState;
use super::timeline::{AsOf, Moment};
use super::trailers::Teams;
use super::{Answer, Evidence};
use crate::ids::{Phid, User};
use crate::policy::Policy;

/// Something that a person wrote on a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnWord {
    /// What it is.
    pub what: OwnWordKind,
    /// When it was written, or removed.
    pub moment: Moment,
}

/// What somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnWordKind {
    /// An answer by the letter, on the task.
    Answer(AnswerKind),
    /// An answer on IRC that a witness wrote down there.
    Heard(AnswerKind),
    /// This line, which reads as an answer.
    NearMiss(NearKind, String),
    /// A comment that is gone, and may have said anything.
    Removed,
    /// These words.
    Words(String),
}

/// The newest thing that a person wrote on a task and that outweighs what is said of them as a member of a team: an answer for
/// that team, an answer for any team that is not a yes or not understood, a line that reads as an answer, a comment that was
/// removed, and since the task first carried the tag any other words that are not a yes and nothing else.
pub(crate) fn own_word(
    evidence: &Evidence,
    policy: &Policy,
    as_of: Option<AsOf>,
    task_state: &TaskState,
    person: &Phid<User>,
    team: &str,
) -> Option<OwnWord> {
    let speaks = |answer: &&Answer| {
        let not_a_yes = answer.kind != AnswerKind::Approve;
        let of_team = match &answer.teams {
            Teams::Named(teams) => teams.iter().any(|named| named == team),
            Teams::NotUnderstood(_) => true,
        };
        answer.author == *person && (not_a_yes || (of_team && !answer.foreign))
    };
    let answers = task_state.answers.iter().filter(speaks);
    let what = |answer: &Answer| match answer.is_witnessed() {
        true => OwnWordKind::Heard(answer.kind),
        false => OwnWordKind::Answer(answer.kind),
    };
    let answers = answers.map(|answer| OwnWord { what: what(answer), moment: answer.moment });
    let near = task_state.near_misses.iter().filter(|near| near.author == *person);
    let near =
        near.map(|near| OwnWord { what: OwnWordKind::NearMiss(near.kind, near.line.clone()), moment: near.moment });
    let gone = task_state.removals.iter().filter(|gone| gone.author == person.as_str());
    let gone = gone.map(|gone| OwnWord { what: OwnWordKind::Removed, moment: gone.removed });
    let said = said::said_by(evidence, policy, as_of, person).into_iter().filter(|said| !is_a_yes(&said.text));
    let said = said.map(|said| OwnWord { what: OwnWordKind::Words(said.text), moment: said.moment });
    answers.chain(near).chain(gone).chain(said).max_by_key(|word| word.moment.position)
}

/// Whether a comment can only be a yes, or says that its author is there, and says nothing else.
fn is_a_yes(text: &str) -> bool {
    const WHOLE: &[&str] = &[
        "",
        "1",
        "yes",
        "yep",
        "yeah",
        "ok",
        "okay",
        "k",
        "ack",
        "lgtm",
        "sgtm",
        "approve",
        "approved",
        "i approve",
        "i approve this",
        "go",
        "go ahead",
        "go for it",
        "please go ahead",
        "do it",
        "ship it",
        "sure",
        "agreed",
        "fine",
        "fine by me",
        "fine with me",
        "fine for me",
        "ok by me",
        "ok with me",
        "ok for me",
        "looks good",
        "looks good to me",
        "looks fine",
        "looks ok",
        "looks right",
        "sounds good",
        "thanks",
        "thank you",
        "thx",
        "looking",
        "looking at it",
        "looking into it",
        "on it",
        "i am on it",
        "im on it",
    ];
    const JOY: [char; 6] = ['👍', '✅', '👌', '🎉', '🚀', '✔'];
    // What is no letter may be a no as well: -1, 👎.
    let harmless =
        |c: char| c.is_alphanumeric() || c.is_whitespace() || matches!(c, '.' | ',' | '!' | '\'' | '’' | '+');
    let skipped = |c: char| JOY.contains(&c) || crate::text::is_hidden(c) || ('\u{1f3fb}'..='\u{1f3ff}').contains(&c);
    if !text.chars().all(|c| harmless(c) || skipped(c)) {
        return false;
    }
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, '.' | ',' | '!' | '+') || skipped(c));
    let words: Vec<String> =
        words.filter(|word| !word.is_empty()).map(|word| word.to_lowercase().replace(['\'', '’'], "")).collect();
    WHOLE.contains(&words.join(" ").as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_only_be_a_yes_is_one_and_nothing_else_is() {
        for text in ["+1", "👍", "👍🏽 LGTM!", "Yes.", "Looks good to me", "I'm on it", "thanks!", "✔️"] {
            assert!(is_a_yes(text), "{text}");
        }
        for text in [
            "-1",
            "👎",
            "🛑",
            "no",
            "No!",
            "Nein",
            "いいえ",
            "yes, after the failover",
            "ok?",
            "not ok",
            "Reject: sre",
            "> no",
        ] {
            assert!(!is_a_yes(text), "{text}");
        }
    }
}
