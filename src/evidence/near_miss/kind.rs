//! What a near miss reads as, and what keeps it from being that.
//!
//! Responsible for the two as names. Not responsible for distinguishing them ([`super`]).

/// What a line reads as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NearKind {
    /// A no.
    No,
    /// Taking back what was said.
    Withdraw,
    /// A yes.
    Yes,
}

/// Why a line is no answer, or has less weight than one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Miss {
    /// It is not written as a trailer is.
    #[error("it is not written as the gate reads it")]
    Form,
    /// It stands in a sentence.
    #[error("it stands in a sentence")]
    Sentence,
    /// Readers see it struck out.
    #[error("it is struck out")]
    Struck,
    /// An approval stands on the same line.
    #[error("an approval stands on the same line")]
    BesideApproval,
    /// It stands in a mark that reaches over several lines, or in a block of which readers may not see it as a line.
    #[error("it stands inside a link, an icon, monospaced text, a table or a block that nothing closes")]
    InMark,
    /// It stands in the mail that a comment repeats.
    #[error("it stands below the head of a mail that the comment repeats")]
    BelowMail,
    /// It stands below what may be the head of a mail, and may be something else.
    #[error("it stands below a line that reads as the head of a mail, and a mail repeats what others wrote")]
    BelowLikelyMail,
    /// Of several such lines in one comment the last alone counts.
    #[error("only the last such line of a comment counts")]
    NotLast,
    /// Answers count in comments.
    #[error("it stands in the description, and answers count in comments")]
    InDescription,
    /// Somebody said it earlier, and a mail repeats it.
    #[error("the same line stands in an earlier comment")]
    Repeated,
}
