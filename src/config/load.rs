//! From flags, environment and file to settings: which file is read, and which of two values wins.
//!
//! Responsible for the search for the file, and precedence. Not responsible for the
//! token (see [`crate::host`]) and for who may change the file (see [`crate::safe_path`]).

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::diagnostic::SettingsReport;
use super::error::ConfigError;
use super::origin::{ConfigSource, Origin};
use super::settings::Settings;
use super::validate::{Overrides, validate};
use super::{builtin, file, route};
use crate::conduit::parse_url;
use crate::host::{self, Environment};
use crate::safe_path::{self, ReadError};

/// The largest configuration that is read; a policy of a hundred teams is a tenth of it.
const LIMIT: u64 = 256 * 1024;

/// The configuration of the machine, written without its leading `/`.
const FILE: &str = "etc/phabgate/config.toml";

/// Below which directory the sockets of the machine's log are looked for.
const LOG_ROOT: &str = "PHABGATE_LOG_ROOT";

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--url`.
    pub url: Option<String>,
}

/// Reads the configuration.
///
/// # Errors
/// Where anything of it is wrong. Nothing is passed over.
pub fn load(flags: &Flags, environment: &Environment) -> Result<Settings, ConfigError> {
    let given = find(flags, environment)?;
    let built_in = built_in()?;
    let invalid = |path: &Path, text: &str, problems| {
        let report = SettingsReport::new(path, text, problems);
        match environment.runs_under_sudo() {
            true => ConfigError::Withheld { path: path.to_owned(), at: report.lines() },
            false => ConfigError::Invalid(Box::new(report)),
        }
    };
    let read = match &given {
        Some((path, text)) => Some(file::read(text, false).map_err(|problems| invalid(path, text, problems))?),
        None => None,
    };
    let source = given.as_ref().map(|(path, text)| ConfigSource { path, text });
    let over =
        Overrides { url: url(flags, environment)?, state: environment.absolute("PHABGATE_STATE")?.map(Path::to_owned) };
    let configured = read.as_ref().and_then(|file| file.url.as_ref()).map(|found| found.value.clone());
    let home = || {
        let (path, named) = host::default_directory(environment).ok_or(ConfigError::NoState)?;
        Ok((path, named.map_or(Origin::BuiltIn, |name| Origin::Environment { name })))
    };
    let mut settings = validate(read, built_in, source, over, Timestamp::now(), home).map_err(|error| match error {
        ConfigError::Invalid(report) if environment.runs_under_sudo() => {
            let path = given.as_ref().map_or_else(PathBuf::new, |(path, _)| path.clone());
            ConfigError::Withheld { path, at: report.lines() }
        }
        error => error,
    })?;
    settings.configured_url = configured_url(environment)?.or(configured);
    settings.route = route::read(environment, settings.http.proxy)?;
    // For tests. Under sudo no variable of the caller is there to be read.
    let root = environment.absolute(LOG_ROOT)?.map(Path::to_owned);
    settings.log.root = root.unwrap_or_else(|| environment.system(""));
    Ok(settings)
}

/// The settings that a file of this text gives, with no flag and no variable set, whatever day it is.
pub(crate) fn of_text(text: &str) -> Result<Settings, ConfigError> {
    of_text_at(text, Timestamp::MAX)
}

/// The same at a time.
pub(super) fn of_text_at(text: &str, now: Timestamp) -> Result<Settings, ConfigError> {
    let path = Path::new("config.toml");
    let invalid = |problems| ConfigError::Invalid(Box::new(SettingsReport::new(path, text, problems)));
    let read = file::read(text, false).map_err(invalid)?;
    let home = || Ok((PathBuf::from("/var/lib/phabgate"), Origin::BuiltIn));
    let source = Some(ConfigSource { path, text });
    validate(Some(read), built_in()?, source, Overrides { url: None, state: None }, now, home)
}

fn built_in() -> Result<file::File, ConfigError> {
    file::read(builtin::text(), true).map_err(|problems| {
        let report = SettingsReport::new(Path::new("built-in"), builtin::text(), problems);
        ConfigError::BuiltIn(report.to_string())
    })
}

/// The URL that root's environment file gives, which stands for the configured one.
fn configured_url(environment: &Environment) -> Result<Option<url::Url>, ConfigError> {
    Ok(match environment.is_of_file("PHABGATE_URL") {
        true => url(&Flags::default(), environment)?.map(|(url, _)| url),
        false => None,
    })
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
        Err(_) if environment.runs_under_sudo() => {
            Err(ConfigError::Withheld { path: environment.file(), at: " (PHABGATE_URL)".to_owned() })
        }
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
    // Under sudo there is neither: what is the caller's own is not the policy.
    let user = environment.xdg("XDG_CONFIG_HOME", ".config").map(|directory| directory.join("phabgate/config.toml"));
    for path in user.into_iter().chain([environment.system(FILE)]) {
        if let Some(text) = read(&path, environment)? {
            return Ok(Some((path, text)));
        }
    }
    Ok(None)
}

/// The text of a file; `None` where there is none.
fn read(path: &Path, environment: &Environment) -> Result<Option<String>, ConfigError> {
    // Where nothing is, it does not matter who could put something there: that would be judged then.
    match path.metadata() {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        _ => {}
    }
    let opened = match safe_path::open(path, environment.trust()) {
        Err(error) if error.is_missing() => return Ok(None),
        opened => opened.map_err(|why| ConfigError::Unsafe { path: path.to_owned(), why })?,
    };
    let unreadable = |why: ReadError| ConfigError::Unreadable { path: path.to_owned(), why: why.to_string() };
    opened.text(LIMIT).map(Some).map_err(unreadable)
}
