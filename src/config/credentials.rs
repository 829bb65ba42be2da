//! The token: where it is looked for, whether it is kept safely, and what it looks like.
//!
//! In the room: the four sources in their order and the checks of each. Not in the room: whose token it is (the
//! server knows) and how it is sent. A token is in no message and no `Debug` output.

use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::arcrc;
use super::environment::{Environment, VariableError};
use super::private::{self, OpenError};
use crate::secrets;

/// The largest file that is read for a token; `~/.arcrc` may hold more than tokens.
const LIMIT: u64 = 64 * 1024;

/// A Conduit token. Shown nowhere.
#[derive(Clone)]
pub struct Token(SecretString);

impl Token {
    /// The token itself, to be sent and for nothing else.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Checks the shape of a token: 32 characters that start with `api-` or `cli-`.
    ///
    /// # Errors
    /// Where it has another.
    pub fn parse(text: &str) -> Result<Self, TokenShape> {
        let length = text.chars().count();
        let Some(rest) = secrets::CONDUIT_PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)) else {
            return Err(TokenShape::Prefix);
        };
        if length != secrets::CONDUIT_PREFIXES[0].len() + secrets::CONDUIT_DIGITS {
            return Err(TokenShape::Length(length));
        }
        if !rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(TokenShape::Characters);
        }
        Ok(Self(SecretString::from(text)))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([redacted])")
    }
}

/// Why a text cannot be a token. The text is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenShape {
    /// It starts with something else.
    #[error("it does not start with `api-` or `cli-`")]
    Prefix,
    /// It is too long or too short.
    #[error("it has {0} characters, and a token has 32")]
    Length(usize),
    /// It holds something else than letters and digits.
    #[error("it holds characters that no token has")]
    Characters,
}

/// Where the token was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// `PHABGATE_TOKEN`.
    Variable,
    /// The file that `PHABGATE_TOKEN_FILE` names.
    File(PathBuf),
    /// systemd's credential.
    Credential(PathBuf),
    /// An entry of `~/.arcrc`.
    Arcrc {
        /// The file.
        path: PathBuf,
        /// The host as it is written there.
        host: String,
    },
}

impl fmt::Display for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable => f.write_str("$PHABGATE_TOKEN"),
            Self::File(path) => write!(f, "{} ($PHABGATE_TOKEN_FILE)", path.display()),
            Self::Credential(path) => write!(f, "{} (a credential of systemd)", path.display()),
            Self::Arcrc { path, host } => write!(f, "{} (the host {host})", path.display()),
        }
    }
}

/// Why there is no token. Every kind ends with exit code 4.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A variable cannot be used.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// No source has one.
    #[error("there is no token for {url}")]
    Missing {
        /// The server.
        url: Url,
    },
    /// The file cannot be read.
    #[error("cannot read the token from {path}: {why}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: OpenError,
    },
    /// Others can read it.
    #[error("{path} can be read by others (its mode is {mode:03o})", path = path.display())]
    Unsafe {
        /// The file that was opened.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// What is there is no token.
    #[error("what {source_name} holds is not a Conduit token: {shape}")]
    Shape {
        /// Where it was found.
        source_name: TokenSource,
        /// What is wrong.
        shape: TokenShape,
    },
    /// `~/.arcrc` cannot be understood.
    #[error("{path}: {why}", path = path.display())]
    Arcrc {
        /// The file.
        path: PathBuf,
        /// Why.
        why: arcrc::ArcrcError,
    },
}

impl CredentialsError {
    /// What to do next, in one line for people.
    pub fn hint(&self) -> Option<String> {
        const MAKE: &str = "make one on the server, under Settings, Conduit API Tokens";
        match self {
            Self::Variable(_) | Self::Arcrc { .. } => None,
            Self::Missing { url } => Some(format!(
                "{MAKE}, and put it into a file of mode 600 that PHABGATE_TOKEN_FILE names; or type `arc install-certificate {url}`"
            )),
            Self::Unreadable { why: OpenError::Io(error), .. } if error.kind() == io::ErrorKind::PermissionDenied => {
                Some(
                    "run the gate as the file's owner; where root keeps a bot's token, call it through sudo".to_owned(),
                )
            }
            Self::Unreadable { .. } => {
                Some("name a file that holds the token and nothing else in PHABGATE_TOKEN_FILE".to_owned())
            }
            Self::Unsafe { path, .. } => Some(format!("type `chmod 600 {}`", path.display())),
            Self::Shape { .. } => Some(MAKE.to_owned()),
        }
    }
}

/// Looks for the token of the server at `url`: the environment, the file that it names, systemd's credential,
/// `~/.arcrc`. The first source that is there decides: one that cannot be used is an error and not passed over.
///
/// # Errors
/// Where no source has a token, or the first has none that can be used.
pub fn find_token(environment: &Environment, url: &Url) -> Result<(Token, TokenSource), CredentialsError> {
    if let Some(text) = environment.text("PHABGATE_TOKEN")? {
        return shaped(text, TokenSource::Variable);
    }
    if let Some(path) = environment.variable("PHABGATE_TOKEN_FILE")? {
        let path = PathBuf::from(path);
        let text = read(&path, strict)?;
        return shaped(trimmed(&text), TokenSource::File(path));
    }
    if let Some(folder) = environment.absolute("CREDENTIALS_DIRECTORY")? {
        let path = folder.join("phabgate-token");
        if let Some(text) = optional(read(&path, of_systemd))? {
            return shaped(trimmed(&text), TokenSource::Credential(path));
        }
    }
    let Some(path) = environment.home().map(|home| home.join(".arcrc")) else {
        return Err(CredentialsError::Missing { url: url.clone() });
    };
    let Some(text) = optional(read(&path, strict))? else {
        return Err(CredentialsError::Missing { url: url.clone() });
    };
    match arcrc::token(&text, url) {
        Ok(Some((host, token))) => shaped(&token, TokenSource::Arcrc { path, host }),
        Ok(None) => Err(CredentialsError::Missing { url: url.clone() }),
        Err(why) => Err(CredentialsError::Arcrc { path, why }),
    }
}

fn shaped(text: &str, source: TokenSource) -> Result<(Token, TokenSource), CredentialsError> {
    match Token::parse(text) {
        Ok(token) => Ok((token, source)),
        Err(shape) => Err(CredentialsError::Shape { source_name: source, shape }),
    }
}

/// A file holds the token and the newline that an editor or echo(1) puts after it.
fn trimmed(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// Whether a file of this mode and owner can be read by nobody else.
type Judge = fn(mode: u32, owner: u32) -> bool;

fn strict(mode: u32, _owner: u32) -> bool {
    mode & 0o077 == 0
}

/// systemd gives its credentials to root, 0440, and the service's user an ACL, whose mask shows as the group's bits.
fn of_systemd(mode: u32, owner: u32) -> bool {
    strict(mode, owner) || (owner == 0 && mode == 0o440)
}

fn read(path: &Path, safe: Judge) -> Result<String, CredentialsError> {
    let unreadable = |why| CredentialsError::Unreadable { path: path.to_owned(), why };
    let opened = private::open(path).map_err(unreadable)?;
    let mode = opened.metadata().mode() & 0o7777;
    if !safe(mode, opened.metadata().uid()) {
        // The advice must reach the file behind a link, although chmod(1) would follow it as well.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        return Err(CredentialsError::Unsafe { path, mode });
    }
    opened.text(LIMIT).map_err(unreadable)
}

/// A file that is not there is no error where the source is optional.
fn optional(read: Result<String, CredentialsError>) -> Result<Option<String>, CredentialsError> {
    match read {
        Err(CredentialsError::Unreadable { why: OpenError::Io(error), .. })
            if error.kind() == io::ErrorKind::NotFound =>
        {
            Ok(None)
        }
        other => other.map(Some),
    }
}
