//! The message that asks for an emergency deploy on IRC.
//!
//! Responsible for its words, for people who paste it and as the line that is said for them. Not responsible for who conducts the
//! train, which the server knows, for whose approvals are missing, which the verdict knows, nor for what of the task readers of the
//! channel may see.

use crate::ids::TaskId;
use crate::irc::{Draft, Line, TCPIRCBOT_LIMIT};
use crate::text::inert;

/// What the message says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Announcement<'a> {
    /// Who is called, by nick or by the title of a team.
    pub called: Vec<&'a str>,
    /// The category of the reason; `None` where there is none or the task is restricted.
    pub category: Option<&'a str>,
    /// The address of the task; of a restricted one its number.
    pub context: &'a str,
    /// The keys of the teams whose approvals are missing; none of a restricted task, since they can name its reason.
    pub teams: Vec<&'a str>,
    /// What is about to be deployed, where that is stated; `None` of a restricted task.
    pub change: Option<&'a str>,
    /// Who deploys, where that is known.
    pub deployer: WhoDeploys<'a>,
    /// It is a drill.
    pub drill: bool,
}

/// Who carries the deploy out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhoDeploys<'a> {
    /// Whoever asks, or nobody said.
    #[default]
    Unsaid,
    /// Somebody who is named.
    Named(&'a str),
    /// Somebody is looked for.
    Needed,
}

/// A piece of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    /// Words of our own, and the address of the task.
    Own(&'a str),
    /// A name, or text of others.
    Quoted(&'a str),
}

/// What may be left out of a line that would be too long, the first that is first: the task says it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Without {
    Nothing,
    WhatToWrite,
    Change,
}

impl Announcement<'_> {
    /// The message, one line without anything that a chat would act on. What is to be written is quoted, so that the line
    /// answers nothing where it is pasted into a task.
    ///
    /// ```
    /// use phabgate::announce::Announcement;
    /// let announcement = Announcement {
    ///     called: vec!["thcipriani"],
    ///     category: Some("abuse"),
    ///     context: "https://phab.example/T1234",
    ///     teams: vec!["releng"],
    ///     ..Announcement::default()
    /// };
    /// assert_eq!(
    ///     announcement.message(),
    ///     "thcipriani: help! I'd like to do an emergency deploy for abuse -- context is https://phab.example/T1234 -- \
    ///      to approve, write there alone on a line \"Emergency-Approve: releng\" (as a comment)"
    /// );
    /// ```
    pub fn message(&self) -> String {
        let piece = |piece| match piece {
            Piece::Own(words) => words.to_owned(),
            Piece::Quoted(text) => inert(text),
        };
        self.pieces(Without::Nothing).into_iter().map(piece).collect()
    }

    /// The message as the line that is said about a task for somebody, who is named before it where they are known. It names no other
    /// task, and where it would be too long it leaves out what the task says too.
    ///
    /// ```
    /// use phabgate::announce::Announcement;
    /// let announcement = Announcement { called: vec!["thcipriani"], context: "T1234", ..Announcement::default() };
    /// let line = announcement.line("T1234".parse()?, Some("alice"));
    /// assert_eq!(line.as_str(), "<alice> thcipriani: help! I'd like to do an emergency deploy -- context is T1234");
    /// # Ok::<(), phabgate::ids::TaskIdError>(())
    /// ```
    pub fn line(&self, task: TaskId, asker: Option<&str>) -> Line {
        let said = |without| {
            let begun = Draft::about(task);
            let begun = match asker {
                Some(name) => begun.words("<").quoted(name).words("> "),
                None => begun,
            };
            self.pieces(without).into_iter().fold(begun, |draft, piece| match piece {
                Piece::Own(words) => draft.words(words),
                Piece::Quoted(text) => draft.quoted(text),
            })
        };
        let shorter = [Without::Nothing, Without::WhatToWrite].map(said);
        let fitting = shorter.into_iter().find(|draft| draft.fits(TCPIRCBOT_LIMIT));
        fitting.unwrap_or_else(|| said(Without::Change)).finish()
    }

    fn pieces(&self, without: Without) -> Vec<Piece<'_>> {
        use Piece::{Own, Quoted};
        let mut pieces = Vec::new();
        for (at, name) in self.called.iter().enumerate() {
            pieces.extend([Own(if at > 0 { ", " } else { "" }), Quoted(name)]);
        }
        if !self.called.is_empty() {
            pieces.push(Own(": "));
        }
        pieces.push(Own(if self.drill { "(this is a drill) " } else { "" }));
        pieces.push(Own("help! I'd like to do an emergency deploy"));
        if let Some(category) = self.category {
            pieces.extend([Own(" for "), Quoted(category)]);
        }
        pieces.extend([Own(" -- context is "), Own(self.context)]);
        if let Some(change) = self.change.filter(|_| without < Without::Change) {
            pieces.extend([Own(" -- change: "), Quoted(change)]);
        }
        match self.deployer {
            WhoDeploys::Unsaid => {}
            WhoDeploys::Named(name) => pieces.extend([Own(" -- I have someone to deploy: "), Quoted(name)]),
            WhoDeploys::Needed => pieces.push(Own(" -- I need someone to deploy")),
        }
        if !self.teams.is_empty() && without < Without::WhatToWrite {
            pieces.push(Own(" -- to approve, write there alone on a line "));
            for (at, team) in self.teams.iter().enumerate() {
                let begun = if at > 0 { " or \"Emergency-Approve: " } else { "\"Emergency-Approve: " };
                pieces.extend([Own(begun), Quoted(team), Own("\"")]);
            }
            pieces.push(Own(" (as a comment)"));
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> TaskId {
        "T1234".parse().unwrap()
    }

    fn whole<'a>(change: &'a str) -> Announcement<'a> {
        Announcement {
            called: vec!["conductor", "sre1"],
            category: Some("abuse"),
            context: "https://phab.example/T1234",
            teams: vec!["releng", "sre"],
            change: Some(change),
            deployer: WhoDeploys::Named("bob"),
            drill: true,
        }
    }

    #[test]
    fn what_is_said_is_what_is_printed() {
        let announcement = whole("https://gerrit.example/c/17");
        let message = announcement.message();
        assert_eq!(announcement.line(task(), None).as_str(), message);
        assert_eq!(announcement.line(task(), Some("alice")).as_str(), format!("<alice> {message}"));
        assert!(
            message.contains(" -- change: https://gerrit.example/c/17 -- I have someone to deploy: bob -- to approve")
        );
        let needed = Announcement { deployer: WhoDeploys::Needed, ..whole("I1") };
        assert!(needed.message().contains(" -- change: I1 -- I need someone to deploy -- "), "{}", needed.message());
    }

    #[test]
    fn text_of_others_is_inert_in_both() {
        let hostile = whole("I1\r\nQUIT\u{202e} T99");
        let line = hostile.line(task(), Some("a\u{3}b"));
        assert!(
            line.as_str().starts_with("<a\\u{3}b> ") && line.as_str().contains("I1 / QUIT\\u{202e} T 99 -- "),
            "{line:?}"
        );
        assert!(!hostile.message().contains(['\r', '\n', '\u{202e}']));
        let called = Announcement { called: vec!["!log"], context: "T1234", ..Announcement::default() };
        assert!(called.line(task(), None).as_str().starts_with("> !log: help!"));
    }

    #[test]
    fn a_line_that_is_too_long_leaves_out_what_the_task_says() {
        let long = "c".repeat(180);
        let announcement = whole(&long);
        let line = announcement.line(task(), Some("alice"));
        assert!(line.as_str().ends_with(&format!(" -- change: {long} -- I have someone to deploy: bob")), "{line:?}");
        let names: Vec<String> = (0..9).map(|n| format!("somebody-with-a-name-{n}")).collect();
        let crowd = Announcement { called: names.iter().map(String::as_str).collect(), ..announcement };
        let line = crowd.line(task(), Some("alice"));
        assert!(
            line.as_str().ends_with(" -- context is https://phab.example/T1234 -- I have someone to deploy: bob"),
            "{line:?}"
        );
    }
}
