//! What members of the teams wrote on a task beside their answers.
//!
//! Responsible for it as data, without the texts of a restricted task. Not responsible for finding it ([`crate::evidence`]) or for
//! showing it.

use jiff::Timestamp;
use serde::Serialize;

use crate::evidence::{Evidence, said};
use crate::ids::TransactionId;
use crate::policy::Policy;
use crate::text::shorten;

/// Something that a member said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Heard {
    /// Their username.
    pub user: String,
    /// When.
    pub time: Timestamp,
    /// The comment.
    pub transaction: TransactionId,
    /// What they said; `None` where the task is restricted.
    pub text: Option<String>,
}

impl Heard {
    /// It in one line.
    pub fn line(&self) -> String {
        match self.text.as_deref().map(in_one_line) {
            Some(text) => format!("{} said '{}'", self.user, shorten(&text, 200)),
            None => format!("{} said something (hidden: the task is restricted)", self.user),
        }
    }
}

/// Words in one line. Where they have a break it stays visible: what begins a line is read as an answer, and what stands in the
/// midst of one is not.
pub fn in_one_line(text: &str) -> String {
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" / ")
}

/// What members said on a task, newest first; without the texts of a restricted task.
pub fn heard(evidence: &Evidence, policy: &Policy, show: bool) -> Vec<Heard> {
    let heard = said(evidence, policy).into_iter().map(|said| Heard {
        user: evidence.name_of(&said.author),
        time: said.moment.time,
        transaction: said.moment.transaction,
        text: show.then_some(said.text),
    });
    heard.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_break_stays_visible() {
        assert_eq!(in_one_line(" go  ahead.\n\n Emergency-Approve:\tsre \n"), "go ahead. / Emergency-Approve: sre");
        assert_eq!(in_one_line("one line"), "one line");
    }
}
