//! Why there is no configuration, and how a terminal shows that.
//!
//! Responsible for every error of the configuration and its words. Not responsible for where it is noticed.

use std::path::PathBuf;

use super::diagnostic::SettingsReport;
use super::origin::Origin;
use crate::conduit::UrlError;
use crate::host::{EnvironmentFileError, VariableError};
use crate::safe_path::PathError;

/// Why there is no configuration. Every kind ends with exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A variable cannot be used.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// A flag is empty.
    #[error("{0} is empty: give it a value or leave it out")]
    EmptyFlag(&'static str),
    /// A file that was named is not there.
    #[error("there is no configuration file {path}, which {named} names", path = crate::text::inert(&path.to_string_lossy()))]
    Missing {
        /// The file.
        path: PathBuf,
        /// What named it.
        named: Origin,
    },
    /// The file cannot be read.
    #[error("cannot read the configuration file {path}: {why}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Others can change the file, and with it the policy and where the token goes.
    #[error("cannot use the configuration: {}", why.of(path))]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// What is unsafe, the file itself or a directory above it.
        why: PathError,
    },
    /// Root's environment file cannot be used.
    #[error(transparent)]
    EnvironmentFile(#[from] EnvironmentFileError),
    /// Root's files are wrong, and the one who calls through sudo may not see what stands there.
    #[error("{path} is wrong{at}: whoever administers this machine sees what with `phabgate config check`", path = path.display())]
    Withheld {
        /// The file.
        path: PathBuf,
        /// In which line, in words that follow a name.
        at: String,
    },
    /// The file is wrong.
    #[error("{0}")]
    Invalid(Box<SettingsReport>),
    /// The URL of a flag or a variable is wrong.
    #[error("{origin}: {error}")]
    Url {
        /// Where the URL came from.
        origin: Origin,
        /// What is wrong.
        error: UrlError,
    },
    /// A proxy that cannot be used. Its value may hold a password and is not shown.
    #[error("{variable} names no proxy that can be used: write it as http://proxy.example.org:3128")]
    Proxy {
        /// The variable.
        variable: &'static str,
    },
    /// Others can change whose certificates are believed.
    #[error("cannot believe the certificate authorities that SSL_CERT_FILE or SSL_CERT_DIR names: {why}")]
    Authorities {
        /// What is unsafe.
        why: PathError,
    },
    /// There is no place for the journal.
    #[error(
        "no directory for the journal: /var/lib/phabgate is not writable and there is no home directory; set PHABGATE_STATE"
    )]
    NoState,
    /// The built-in configuration does not hold together: a defect of this build.
    #[error("the built-in configuration is broken, please report it: {0}")]
    BuiltIn(String),
}

impl ConfigError {
    /// The error for a terminal, from its `error:` on: a report with its snippets in colour where `colour`, and no
    /// wider than `width`.
    pub fn render(&self, colour: bool, width: Option<usize>) -> String {
        match self {
            Self::Invalid(report) => report.render(colour, width),
            other => format!("error: {other}"),
        }
    }
}
