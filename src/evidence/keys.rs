//! The keys of trailers: the names that stand before the colon.
//!
//! Responsible for the list of them. Not responsible for finding trailers in a text ([`super::trailers`]).

/// What the names of all keys begin with.
pub(super) const FAMILY: &str = "Emergency-";

/// What a trailer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// `Emergency-Reason`: why it cannot wait.
    Reason,
    /// `Emergency-Deployer`: who will deploy.
    Deployer,
    /// `Emergency-Action`: what will be done.
    Action,
    /// `Emergency-Change`: what will be deployed.
    Change,
    /// `Emergency-Drill`: a fire drill.
    Drill,
    /// `Emergency-Approve`: yes, for these teams.
    Approve,
    /// `Emergency-Withdraw`: never mind what I said.
    Withdraw,
    /// `Emergency-Reject`: no.
    Reject,
    /// `Emergency-Followup`: where the aftermath is worked on.
    Followup,
}

impl Key {
    /// All keys.
    pub const ALL: [Self; 9] = [
        Self::Reason,
        Self::Deployer,
        Self::Action,
        Self::Change,
        Self::Drill,
        Self::Approve,
        Self::Withdraw,
        Self::Reject,
        Self::Followup,
    ];

    /// The key as it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reason => "Emergency-Reason",
            Self::Deployer => "Emergency-Deployer",
            Self::Action => "Emergency-Action",
            Self::Change => "Emergency-Change",
            Self::Drill => "Emergency-Drill",
            Self::Approve => "Emergency-Approve",
            Self::Withdraw => "Emergency-Withdraw",
            Self::Reject => "Emergency-Reject",
            Self::Followup => "Emergency-Followup",
        }
    }
}

/// Whether a word is the name of a key, in any case.
pub(super) fn is_key(word: &str) -> bool {
    Key::ALL.iter().any(|key| key.name().eq_ignore_ascii_case(word))
}
