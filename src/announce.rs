//! The message that asks for an emergency deploy on IRC.
//!
//! Responsible for its words. Not responsible for who conducts the train, which the server knows, nor for whose approvals are
//! missing, which the verdict knows.

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
        let called: Vec<String> = self.called.iter().map(|name| inert(name)).collect();
        let called = if called.is_empty() { String::new() } else { format!("{}: ", called.join(", ")) };
        let drill = if self.drill { "(this is a drill) " } else { "" };
        let reason = self.category.map(|category| format!(" for {}", inert(category))).unwrap_or_default();
        let lines: Vec<String> =
            self.teams.iter().map(|team| format!("\"Emergency-Approve: {}\"", inert(team))).collect();
        let write = match lines.is_empty() {
            true => String::new(),
            false => format!(" -- to approve, write there alone on a line {} (as a comment)", lines.join(" or ")),
        };
        let change = self.change.map(|change| format!(" -- change: {}", inert(change))).unwrap_or_default();
        let deployer = match self.deployer {
            WhoDeploys::Unsaid => String::new(),
            WhoDeploys::Named(name) => format!(" -- I have someone to deploy: {}", inert(name)),
            WhoDeploys::Needed => " -- I need someone to deploy".to_owned(),
        };
        let context = self.context;
        format!(
            "{called}{drill}help! I'd like to do an emergency deploy{reason} -- context is {context}{change}{deployer}{write}"
        )
    }
}
