//! How much of a verdict is shown.
//!
//! Responsible for the choice, which `-v` makes. Not responsible for what is shown ([`super::verdict_screen`]).

/// How much of the rules is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Detail {
    /// Those that hold are counted.
    #[default]
    Folded,
    /// Every one.
    Whole,
}
