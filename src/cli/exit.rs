//! How a command ends: its exit code, and the error that is said before.
//!
//! Responsible for the codes of the contract, and which error gets which. Not responsible for the codes of `run`, which
//! are those of env(1) (see [`crate::deploy`]).

use crate::conduit::{ClientError, ConduitError};
use crate::config::{ConfigError, NoServer};
use crate::evidence::GatherError;
use crate::gate::{Assessment, Refusal, RefusalKind};
use crate::host::{CallerError, CredentialsError, EnvironmentFileError, SecretFileError, ServerTokenError, StateError};
use crate::journal::JournalError;
use crate::paging::PagersError;
use crate::rules::Decision;
use crate::safe_path::PathError;

/// The exit code of every command but `run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Allowed; done.
    Done,
    /// Denied.
    Denied,
    /// The command line or the configuration is wrong.
    Usage,
    /// Undecided, or something stays undone.
    Incomplete,
    /// The credentials are missing, refused or unsafe.
    Credentials,
    /// Pending.
    Pending,
    /// Interrupted while it waited.
    Interrupted,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Denied => 1,
            Self::Usage => 2,
            Self::Incomplete => 3,
            Self::Credentials => 4,
            Self::Pending => 8,
            Self::Interrupted => 130,
        }
    }
}

impl From<&Decision> for Exit {
    fn from(decision: &Decision) -> Self {
        match decision {
            Decision::Allowed(_) => Self::Done,
            Decision::Pending => Self::Pending,
            Decision::Denied => Self::Denied,
            Decision::Undecided => Self::Incomplete,
        }
    }
}

/// A command that cannot go on: what to say, and how to end.
#[derive(Debug)]
pub struct Failure {
    /// How to end.
    pub exit: Exit,
    /// What went wrong, with what.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl Failure {
    /// The command line is wrong.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into(), hint: Some(hint.into()) }
    }

    /// The machine gives no random bytes.
    pub fn no_random_bytes(hint: Option<&str>) -> Self {
        let message = "this machine gives no random bytes".to_owned();
        Self { exit: Exit::Incomplete, message, hint: hint.map(str::to_owned) }
    }

    fn plain(exit: Exit, error: &impl std::fmt::Display) -> Self {
        Self { exit, message: error.to_string(), hint: None }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        // A report says `error:` itself, as it has several.
        let rendered = error.render(false, None);
        let message = rendered.strip_prefix("error: ").map_or(rendered.clone(), str::to_owned);
        Self { exit: Exit::Usage, message, hint: None }
    }
}

impl From<EnvironmentFileError> for Failure {
    fn from(error: EnvironmentFileError) -> Self {
        Self::plain(Exit::Usage, &error)
    }
}

impl From<CredentialsError> for Failure {
    fn from(error: CredentialsError) -> Self {
        Self { hint: error.hint(), ..Self::plain(Exit::Credentials, &error) }
    }
}

impl From<ServerTokenError> for Failure {
    fn from(error: ServerTokenError) -> Self {
        Self { hint: error.hint().map(str::to_owned), ..Self::plain(Exit::Credentials, &error) }
    }
}

impl From<SecretFileError> for Failure {
    fn from(error: SecretFileError) -> Self {
        Self { hint: Some(error.hint().to_owned()), ..Self::plain(Exit::Credentials, &error) }
    }
}

impl From<PagersError> for Failure {
    fn from(error: PagersError) -> Self {
        Self::plain(Exit::Usage, &error)
    }
}

impl From<NoServer> for Failure {
    fn from(error: NoServer) -> Self {
        Self {
            exit: Exit::Usage,
            message: error.to_string(),
            hint: Some("to try phabgate without a server, add --sandbox".into()),
        }
    }
}

impl From<CallerError> for Failure {
    fn from(error: CallerError) -> Self {
        Self::plain(Exit::Usage, &error)
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        let hint = matches!(error.why, PathError::Io { .. }).then(|| {
            "name a directory that you can write to in PHABGATE_STATE; without its journal the gate does not deploy"
                .into()
        });
        Self { hint, ..Self::plain(Exit::Incomplete, &error) }
    }
}

impl From<RefusalKind> for Exit {
    fn from(kind: RefusalKind) -> Self {
        match kind {
            RefusalKind::Usage => Self::Usage,
            RefusalKind::Denied => Self::Denied,
            RefusalKind::Incomplete => Self::Incomplete,
            RefusalKind::Credentials => Self::Credentials,
        }
    }
}

impl From<&Assessment> for Exit {
    /// How a command ends that only reads.
    fn from(assessment: &Assessment) -> Self {
        match assessment.error() {
            Some(_) => assessment.refusal().kind.into(),
            None => Self::from(&assessment.verdict.decision),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let Refusal { kind, message, hint } = refusal;
        Self { exit: kind.into(), message, hint }
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Refusal::from(error).into()
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Refusal::from(error).into()
    }
}

impl From<ConduitError> for Failure {
    fn from(error: ConduitError) -> Self {
        Refusal::from(error).into()
    }
}

impl From<GatherError> for Failure {
    fn from(error: GatherError) -> Self {
        Refusal::from(error).into()
    }
}
