//! From flags, environment and file to settings: which file is read, and which of two values wins.
//!
//! In the room: the search for the file, precedence, and every error of the configuration. Not in the room: the
//! token (see `credentials`).

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::diagnostic::Report;
use super::environment::{Environment, VariableError};
use super::origin::{Origin, Source};
use super::private::{self, OpenError};
use super::server::{UrlError, parse_url};
use super::settings::Settings;
use super::validate::{Over, validate};
use super::{builtin, file, state};

/// The largest configuration that is read; a policy of a hundred teams is a tenth of it.
const LIMIT: u64 = 256 * 1024;

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--url`.
    pub url: Option<String>,
}

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
    #[error("there is no configuration file {path}, which {named} names", path = path.display())]
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
    /// Others can change the file, and with it what a deploy needs.
    #[error("{path}: {why}, and with it the policy: type `{fix}`", path = path.display())]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// What is unsafe.
        why: String,
        /// What to type.
        fix: String,
    },
    /// The file is wrong.
    #[error("{0}")]
    Invalid(Box<Report>),
    /// The URL of a flag or a variable is wrong.
    #[error("{origin}: {error}")]
    Url {
        /// Where the URL came from.
        origin: Origin,
        /// What is wrong.
        error: UrlError,
    },
    /// Under sudo, the caller names a server to which root's token would go.
    #[error(
        "{origin} names another server than the configuration: under sudo the token would go where the caller says; \
         set `url` in /etc/phabgate/config.toml"
    )]
    LentUrl {
        /// What named it.
        origin: Origin,
    },
    /// There is no place for the journal.
    #[error(
        "no folder for the journal: /var/lib/phabgate is not writable and there is no home folder; set PHABGATE_STATE"
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

/// Reads the configuration.
///
/// # Errors
/// Where anything of it is wrong. Nothing is passed over.
pub fn load(flags: &Flags, environment: &Environment) -> Result<Settings, ConfigError> {
    let given = find(flags, environment)?;
    let built_in = file::read(builtin::text(), true).map_err(|problems| {
        let report = Report::new(Path::new("built-in"), builtin::text(), problems);
        ConfigError::BuiltIn(report.to_string())
    })?;
    let invalid = |path: &Path, text: &str, problems| ConfigError::Invalid(Box::new(Report::new(path, text, problems)));
    let read = match &given {
        Some((path, text)) => Some(file::read(text, false).map_err(|problems| invalid(path, text, problems))?),
        None => None,
    };
    let source = given.as_ref().map(|(path, text)| Source { path, text });
    let over =
        Over { url: url(flags, environment)?, state: environment.absolute("PHABGATE_STATE")?.map(Path::to_owned) };
    if let (true, Some((url, origin))) = (environment.is_lent(), &over.url) {
        let configured = read.as_ref().and_then(|file| file.url.as_ref()).map(|found| &found.value);
        if configured != Some(url) {
            return Err(ConfigError::LentUrl { origin: origin.clone() });
        }
    }
    let home = || state::default_folder(environment).ok_or(ConfigError::NoState);
    validate(read, built_in, source, over, home)
}

/// The URL of the command line, else of the environment.
fn url(flags: &Flags, environment: &Environment) -> Result<Option<(url::Url, Origin)>, ConfigError> {
    let (text, origin) = match &flags.url {
        Some(text) if text.is_empty() => return Err(ConfigError::EmptyFlag("--url")),
        Some(text) => (text.as_str(), Origin::Flag { name: "--url" }),
        None => match environment.text("PHABGATE_URL")? {
            Some(text) => (text, Origin::Environment { name: "PHABGATE_URL" }),
            None => return Ok(None),
        },
    };
    match parse_url(text) {
        Ok(url) => Ok(Some((url, origin))),
        Err(error) => Err(ConfigError::Url { origin, error }),
    }
}

/// The first file that exists, with its text. One that is named must exist.
fn find(flags: &Flags, environment: &Environment) -> Result<Option<(PathBuf, String)>, ConfigError> {
    let named = match &flags.config {
        Some(path) if path.as_os_str() == OsStr::new("") => return Err(ConfigError::EmptyFlag("--config")),
        Some(path) => Some((path.clone(), Origin::Flag { name: "--config" })),
        None => environment
            .variable("PHABGATE_CONFIG")?
            .map(|path| (PathBuf::from(path), Origin::Environment { name: "PHABGATE_CONFIG" })),
    };
    if let Some((path, named)) = named {
        return match read(&path, environment)? {
            Some(text) => Ok(Some((path, text))),
            None => Err(ConfigError::Missing { path, named }),
        };
    }
    let user = environment.xdg("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("phabgate/config.toml"));
    // With root's rights lent to a user, that user's own file is not the policy.
    let user = user.filter(|_| !environment.is_lent());
    for path in user.into_iter().chain([environment.system("etc/phabgate/config.toml")]) {
        if let Some(text) = read(&path, environment)? {
            return Ok(Some((path, text)));
        }
    }
    Ok(None)
}

/// The text of a file; `None` where there is none.
fn read(path: &Path, environment: &Environment) -> Result<Option<String>, ConfigError> {
    let unreadable = |why: String| ConfigError::Unreadable { path: path.to_owned(), why };
    let opened = match private::open(path) {
        Err(OpenError::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // A path through something that is no folder names no file either.
        Err(OpenError::Io(error)) if error.kind() == io::ErrorKind::NotADirectory => return Ok(None),
        Err(error) => return Err(unreadable(error.to_string())),
        Ok(opened) => opened,
    };
    let unsafe_for = |why: String, fix: String| ConfigError::Unsafe { path: path.to_owned(), why, fix };
    let shown = path.display();
    let mode = opened.metadata().mode();
    if mode & 0o002 != 0 {
        return Err(unsafe_for("everyone can write it".to_owned(), format!("chmod o-w {shown}")));
    }
    if environment.is_lent() {
        let owner = opened.metadata().uid();
        if owner != environment.ids().euid {
            let why = format!("under sudo it must belong to root, and the user {owner} can write it");
            return Err(unsafe_for(why, format!("chown root {shown}")));
        }
        if mode & 0o020 != 0 {
            return Err(unsafe_for(
                "under sudo only root may change it, and its group can write it".to_owned(),
                format!("chmod g-w {shown}"),
            ));
        }
    }
    opened.text(LIMIT).map(Some).map_err(|error| unreadable(error.to_string()))
}
