//! The token by which `check --server` asks a watch: where it is looked for, and whether it is kept safely.
//!
//! Responsible for the two sources and the checks of each. Not responsible for the token of the server whose tasks are read
//! ([`super::credentials`]). A token is in no message.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use url::Url;

use super::credentials::{LIMIT, strict, trimmed};
use super::environment::{Environment, VariableError};
use crate::safe_path::{self, PathError, ReadError};

/// The longest token.
const LONGEST: usize = 512;

/// Why there is no token though one is named. Every kind ends with exit code 4.
#[derive(Debug, thiserror::Error)]
pub enum ServerTokenError {
    /// A variable cannot be used.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// The file, or a directory above it, is not what only its owner can change; or it cannot be opened.
    #[error("cannot use the watch's token: {}", why.of(path))]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// Why.
        why: PathError,
    },
    /// The text of the file cannot be had.
    #[error("cannot read the watch's token from {path}: {why}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: ReadError,
    },
    /// What is there is no token.
    #[error("what {0} names is no token of a watch: a token is one word of visible characters")]
    Shape(&'static str),
    /// The token belongs to another watch than the one that is asked.
    #[error("the watch's token is for {configured}, and is not sent to {url}")]
    OtherWatch {
        /// The URL of the configuration.
        configured: String,
        /// The URL that a flag names.
        url: String,
    },
}

impl ServerTokenError {
    /// What to do next, in one line for people.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Variable(_) => None,
            Self::Unsafe { .. } | Self::Unreadable { .. } | Self::Shape(_) => Some(
                "put what `phabgate token new` printed, alone, into a file of mode 600 that PHABGATE_SERVER_TOKEN_FILE names",
            ),
            Self::OtherWatch { .. } => {
                Some("give the token of that watch in PHABGATE_SERVER_TOKEN, or leave --server out")
            }
        }
    }
}

const VARIABLE: &str = "PHABGATE_SERVER_TOKEN";
const FILE: &str = "PHABGATE_SERVER_TOKEN_FILE";

/// Finds the token for a watch: the environment, or the file that it names; `None` where neither is set, since a watch on this machine
/// needs none. A token of a file goes to the watch of the configuration alone, where there is one.
///
/// # Errors
/// Where the first source that is there has none that can be used.
pub fn find_server_token(
    environment: &Environment,
    configured: Option<&Url>,
    url: &Url,
) -> Result<Option<SecretString>, ServerTokenError> {
    let is_beside = environment.text(VARIABLE)?.is_some() && !environment.is_of_file(VARIABLE);
    let Some(found) = search(environment)? else { return Ok(None) };
    match configured {
        Some(configured) if !is_beside && configured.origin() != url.origin() => {
            Err(ServerTokenError::OtherWatch { configured: configured.to_string(), url: url.to_string() })
        }
        _ => Ok(Some(found)),
    }
}

fn search(environment: &Environment) -> Result<Option<SecretString>, ServerTokenError> {
    if let Some(text) = environment.text(VARIABLE)? {
        if environment.is_of_file(VARIABLE) && environment.file_is_open() {
            let path = environment.file();
            let why = PathError::Open { path: path.clone(), mode: environment.file_mode(), directory: false };
            return Err(ServerTokenError::Unsafe { path, why });
        }
        return shaped(text, VARIABLE).map(Some);
    }
    let Some(path) = environment.variable(FILE)? else { return Ok(None) };
    shaped(trimmed(&read(Path::new(path), environment)?), FILE).map(Some)
}

fn read(path: &Path, environment: &Environment) -> Result<String, ServerTokenError> {
    let refused = |why| ServerTokenError::Unsafe { path: path.to_owned(), why };
    let file = safe_path::open(path, environment.trust()).map_err(refused)?;
    let mode = file.mode();
    if !strict(mode, file.owner()) {
        return Err(refused(PathError::Open { path: file.path().to_owned(), mode, directory: false }));
    }
    file.text(LIMIT).map_err(|why| ServerTokenError::Unreadable { path: path.to_owned(), why })
}

fn shaped(text: &str, source: &'static str) -> Result<SecretString, ServerTokenError> {
    match !text.is_empty() && text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(SecretString::from(text)),
        false => Err(ServerTokenError::Shape(source)),
    }
}
