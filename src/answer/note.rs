//! What an approver says beside their answer.
//!
//! Responsible for whether it reads as a condition, by its words alone. Not responsible for how it is written on the task.

/// The words by which a condition is recognised.
const CONDITIONS: [&str; 5] = ["if", "unless", "once", "provided", "only"];

/// Whether a note reads as a condition, which an approval cannot have: it counts at once.
///
/// ```
/// use phabgate::answer::reads_as_condition;
/// assert!(reads_as_condition("If the graphs stay flat"));
/// assert!(!reads_as_condition("a lift, unlessened"));
/// ```
pub fn reads_as_condition(note: &str) -> bool {
    let mut words = note.split(|character: char| !character.is_alphanumeric());
    words.any(|word| CONDITIONS.iter().any(|condition| word.eq_ignore_ascii_case(condition)))
}
