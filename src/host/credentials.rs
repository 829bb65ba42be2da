//! The token: where it is looked for, whether it is kept safely, and what it looks like.
//!
//! Responsible for the four sources in their order and the checks of each. Not responsible for whose token it is (the
//! server knows) and how it is sent. A token is in no message and no `Debug` output.

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::arcrc;
use super::environment::{Environment, VariableError};
use crate::safe_path::{self, PathError, ReadError};
use crate::secrets;

/// The largest file that is read for a token; `~/.arcrc` may hold more than tokens.
pub(super) const LIMIT: u64 = 64 * 1024;

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
        if let Some(shape) = TokenShape::of_surroundings(text) {
            return Err(shape);
        }
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
    /// There is nothing.
    #[error("it is empty")]
    Empty,
    /// It starts with U+FEFF, as some editors write.
    #[error("it starts with a byte order mark (U+FEFF), which an editor put there")]
    ByteOrderMark,
    /// It is more than one line.
    #[error("it has {0} lines, and a token is one")]
    Lines(usize),
    /// It stands in quotation marks.
    #[error("it stands in quotation marks")]
    Quoted,
    /// It has blanks at its start or end.
    #[error("blanks stand before or behind it")]
    Blanks,
    /// It is a line as of a shell or an environment file.
    #[error("it is an assignment (NAME=VALUE)")]
    Assignment,
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

impl TokenShape {
    /// What stands around a token, or in its place, that is easily put there by accident.
    fn of_surroundings(text: &str) -> Option<Self> {
        if text.trim().is_empty() {
            return Some(Self::Empty);
        }
        if text.starts_with('\u{feff}') {
            return Some(Self::ByteOrderMark);
        }
        let lines = text.split('\n').count();
        if lines > 1 {
            return Some(Self::Lines(lines));
        }
        let quotes = ['"', '\'', '`', '“', '”', '‘', '’'];
        if text.starts_with(quotes) || text.ends_with(quotes) {
            return Some(Self::Quoted);
        }
        if text.trim() != text {
            return Some(Self::Blanks);
        }
        text.contains('=').then_some(Self::Assignment)
    }

    /// Whether the token may be right, and what is around it is wrong.
    fn is_of_surroundings(self) -> bool {
        !matches!(self, Self::Prefix | Self::Length(_) | Self::Characters)
    }
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
    /// The file, or a directory above it, is not what only its owner can change; or it cannot be opened.
    #[error("cannot use the token: {}", why.of(path))]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// Why.
        why: PathError,
    },
    /// The text of the file cannot be had.
    #[error("cannot read the token from {path}: {why}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: ReadError,
    },
    /// The token belongs to another server than the one that is asked.
    #[error("the token of {source_name} is for {configured}, and is not sent to {url}")]
    OtherServer {
        /// Where the token was found.
        source_name: TokenSource,
        /// The URL of the configuration.
        configured: String,
        /// The URL that a flag or a variable names.
        url: String,
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
            Self::Unsafe { why, .. } if why.is_denied() => Some(
                "run the gate as the file's owner; where root keeps a bot's token, call it through sudo".to_owned(),
            ),
            Self::Unsafe { why: PathError::Io { .. }, .. } | Self::Unreadable { .. } => {
                Some("name a file that holds the token and nothing else in PHABGATE_TOKEN_FILE".to_owned())
            }
            Self::Unsafe { .. } => None,
            Self::OtherServer { .. } => {
                Some("give the token of that server in PHABGATE_TOKEN, or leave its URL out".to_owned())
            }
            Self::Shape { shape, .. } if shape.is_of_surroundings() => {
                Some("write the token alone there, in one line, without anything around it".to_owned())
            }
            Self::Shape { .. } => Some(MAKE.to_owned()),
        }
    }
}

/// Finds the token for a server: the environment, the file that it names, systemd's credential,
/// `~/.arcrc`. The first source that is there decides: one that cannot be used is an error and not passed over.
///
/// A token goes to the server that it belongs to alone: that of `~/.arcrc` by its host, that of a file to the URL
/// of the configuration, `configured`. Where a flag or a variable names another server, the token stands beside it in `PHABGATE_TOKEN`.
///
/// # Errors
/// Where no source has a token, or the first has none that can be used, or belongs to another server.
pub fn find_token(
    environment: &Environment,
    configured: Option<&Url>,
    url: &Url,
) -> Result<(Token, TokenSource), CredentialsError> {
    let found = search(environment, url)?;
    let beside = found.1 == TokenSource::Variable && !environment.is_of_file("PHABGATE_TOKEN");
    let by_host = matches!(found.1, TokenSource::Arcrc { .. });
    match configured {
        Some(configured) if !beside && !by_host && configured.origin() != url.origin() => {
            Err(CredentialsError::OtherServer {
                source_name: found.1,
                configured: configured.to_string(),
                url: url.to_string(),
            })
        }
        _ => Ok(found),
    }
}

fn search(environment: &Environment, url: &Url) -> Result<(Token, TokenSource), CredentialsError> {
    if let Some(text) = environment.text("PHABGATE_TOKEN")? {
        if environment.is_of_file("PHABGATE_TOKEN") && environment.file_is_open() {
            let path = environment.file();
            let why = PathError::Open { path: path.clone(), mode: environment.file_mode(), directory: false };
            return Err(CredentialsError::Unsafe { path, why });
        }
        return shaped(text, TokenSource::Variable);
    }
    if let Some(path) = environment.variable("PHABGATE_TOKEN_FILE")? {
        let path = PathBuf::from(path);
        let text = read(&path, environment, strict)?;
        return shaped(trimmed(&text), TokenSource::File(path));
    }
    if let Some(directory) = environment.absolute("CREDENTIALS_DIRECTORY")? {
        let path = directory.join("phabgate-token");
        if let Some(text) = optional(&path, environment, of_systemd)? {
            return shaped(trimmed(&text), TokenSource::Credential(path));
        }
    }
    let Some(path) = environment.home().map(|home| home.join(".arcrc")) else {
        return Err(CredentialsError::Missing { url: url.clone() });
    };
    let Some(text) = optional(&path, environment, strict)? else {
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
pub(super) fn trimmed(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// Whether a file of this mode and owner can be read by nobody else.
type TokenCheck = fn(mode: u32, owner: u32) -> bool;

pub(super) fn strict(mode: u32, _owner: u32) -> bool {
    mode & 0o077 == 0
}

/// systemd gives its credentials to root, 0440, and the service's user an ACL, whose mask shows as the group's bits.
fn of_systemd(mode: u32, owner: u32) -> bool {
    strict(mode, owner) || (owner == 0 && mode == 0o440)
}

fn read(path: &Path, environment: &Environment, safe: TokenCheck) -> Result<String, CredentialsError> {
    let refused = |why| CredentialsError::Unsafe { path: path.to_owned(), why };
    let file = safe_path::open(path, environment.trust()).map_err(refused)?;
    let mode = file.mode();
    if !safe(mode, file.owner()) {
        // The advice must reach the file behind a link, although chmod(1) would follow it as well.
        return Err(refused(PathError::Open { path: file.path().to_owned(), mode, directory: false }));
    }
    file.text(LIMIT).map_err(|why| CredentialsError::Unreadable { path: path.to_owned(), why })
}

/// A file that is not there is no error where the source is optional, whoever could put one there.
fn optional(path: &Path, environment: &Environment, safe: TokenCheck) -> Result<Option<String>, CredentialsError> {
    if path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return Ok(None);
    }
    match read(path, environment, safe) {
        Err(CredentialsError::Unsafe { why, .. }) if why.is_missing() => Ok(None),
        other => other.map(Some),
    }
}
