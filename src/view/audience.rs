//! Who may read what of a task that has no account of theirs with the service.
//!
//! Responsible for that, by the policy that the task itself has. Not responsible for who an account belongs to, nor for what is said to them
//! where ([`crate::serve`], [`crate::announce`]).

use serde::Serialize;

use crate::evidence::Evidence;
use crate::policy::Policy;

/// Who may see a task on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    /// Everybody: its texts are shown.
    Public,
    /// Everybody with an account: its number, its teams and names are shown.
    Users,
    /// Fewer: its number alone is.
    Restricted,
}

impl Audience {
    /// Of a task that was read. Only what the task itself says is public, in a Space that everybody may see, is.
    pub fn of(evidence: &Evidence, policy: &Policy) -> Self {
        if evidence.is_restricted(&policy.open_spaces) {
            Self::Restricted
        } else if evidence.task.view == "public" {
            Self::Public
        } else {
            Self::Users
        }
    }
}
