//! Why a use case cannot go on, as all callers understand it.
//!
//! Responsible for the kinds of refusals and for which error is of which kind. Not responsible for exit codes or HTTP statuses,
//! which each caller makes of the kind.

use crate::conduit::{ClientError, ConduitError};
use crate::evidence::GatherError;
use crate::journal::JournalError;

/// Why a use case cannot go on: what to say, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What it means for whoever called.
    pub kind: RefusalKind,
    /// What went wrong, with what.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// What a refusal means for whoever called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// What was asked for makes no sense, or may not be asked for.
    Usage,
    /// It is not allowed.
    Denied,
    /// No usable answer came, or something stays undone.
    Incomplete,
    /// The credentials are missing, refused or unsafe.
    Credentials,
}

impl Refusal {
    /// What was asked for makes no sense.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind: RefusalKind::Usage, message: message.into(), hint: Some(hint.into()) }
    }
}

impl From<ConduitError> for Refusal {
    fn from(error: ConduitError) -> Self {
        let kind = if error.is_credentials() { RefusalKind::Credentials } else { RefusalKind::Incomplete };
        Self { kind, message: error.to_string(), hint: Some(error.hint().to_owned()) }
    }
}

impl From<ClientError> for Refusal {
    fn from(error: ClientError) -> Self {
        // A proxy or certificate authorities that are named and cannot be used.
        Self { kind: RefusalKind::Usage, message: error.to_string(), hint: None }
    }
}

impl From<GatherError> for Refusal {
    fn from(error: GatherError) -> Self {
        match error {
            GatherError::Conduit(error) => error.into(),
            other => {
                let (message, hint) = (other.to_string(), Some(other.hint().to_owned()));
                Self { kind: RefusalKind::Incomplete, message, hint }
            }
        }
    }
}

impl From<JournalError> for Refusal {
    fn from(error: JournalError) -> Self {
        let kind = match error {
            JournalError::NoSuchDeploy { .. } => RefusalKind::Usage,
            _ => RefusalKind::Incomplete,
        };
        Self { kind, message: error.to_string(), hint: None }
    }
}
