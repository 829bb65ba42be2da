//! The message that asks for an emergency deploy on IRC.
//!
//! Responsible for its words. Not responsible for who conducts the train, which the server knows.

use crate::ids::TaskId;
use crate::text::inert;

/// What the message says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Announcement<'a> {
    /// Who conducts the train, where that is known.
    pub conductor: Option<&'a str>,
    /// The category of the reason; `None` where there is none or the task is restricted.
    pub category: Option<&'a str>,
    /// It is a drill.
    pub drill: bool,
}

impl Announcement<'_> {
    /// The message, one line without anything that a chat would act on.
    ///
    /// ```
    /// use phabgate::announce::Announcement;
    /// let announcement = Announcement { conductor: Some("thcipriani"), category: Some("abuse"), drill: false };
    /// assert_eq!(
    ///     announcement.message("T1234".parse()?),
    ///     "thcipriani: help! I'd like to do an emergency deploy for abuse -- context is T1234"
    /// );
    /// # Ok::<(), phabgate::ids::TaskIdError>(())
    /// ```
    pub fn message(&self, task: TaskId) -> String {
        let conductor = self.conductor.map(|name| format!("{}: ", inert(name))).unwrap_or_default();
        let drill = if self.drill { "(this is a drill) " } else { "" };
        let reason = self.category.map(|category| format!(" for {}", inert(category))).unwrap_or_default();
        format!("{conductor}{drill}help! I'd like to do an emergency deploy{reason} -- context is {task}")
    }
}
