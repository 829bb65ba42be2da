//! The environment that the gate runs in: variables, the home directory, who runs the process.
//!
//! Responsible for all that is taken from the process, once, as data, and for which of it may be believed: under sudo
//! nothing of the caller's, as root the file of [`super::system_environment`] beneath its own. Nothing else of
//! `host` and `config` asks the process, so that tests need none of their own.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::sudo::Ids;
use super::system_environment::{self, EnvironmentFileError};
use crate::safe_path::Trust;

/// A variable that is set and cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// It is the empty text. To pass over it would silently use another source.
    #[error("{0} is set and empty: give it a value or unset it")]
    Empty(&'static str),
    /// It is not UTF-8.
    #[error("{0} is not UTF-8")]
    NotText(&'static str),
    /// It must be an absolute path.
    #[error("{0} is not an absolute path")]
    Relative(&'static str),
}

/// What the settings and the token need to know of the process.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The process's own; empty under sudo.
    variables: BTreeMap<OsString, OsString>,
    /// Those of root's file; empty where the process is not root.
    of_file: BTreeMap<String, String>,
    /// The permission bits of that file.
    file_mode: u32,
    home: Option<PathBuf>,
    root: PathBuf,
    ids: Ids,
}

impl Environment {
    /// The environment of this process, with root's file where the process is root.
    ///
    /// # Errors
    /// Where that file cannot be used.
    pub fn of_process() -> Result<Self, EnvironmentFileError> {
        let home = etcetera::home_dir().ok();
        Self::new(std::env::vars_os(), home, PathBuf::from("/"), Ids::of_process()).with_file()
    }

    /// An environment made by hand, in which system directories such as `/etc` lie below `root`. Under sudo the variables
    /// and the home directory are dropped: they are the caller's.
    pub fn new<K: Into<OsString>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (K, V)>,
        home: Option<PathBuf>,
        root: PathBuf,
        ids: Ids,
    ) -> Self {
        let own = !ids.runs_under_sudo();
        let variables =
            variables.into_iter().filter(|_| own).map(|(name, value)| (name.into(), value.into())).collect();
        let home = home.filter(|_| own);
        Self { variables, of_file: BTreeMap::new(), file_mode: 0o600, home, root, ids }
    }

    /// The same with the variables of root's file beneath its own, where the process is root.
    ///
    /// # Errors
    /// Where the file is there and cannot be used.
    pub fn with_file(mut self) -> Result<Self, EnvironmentFileError> {
        if self.ids.euid == 0 {
            let path = self.system(system_environment::PATH);
            let words = !self.runs_under_sudo();
            if let Some(contents) = system_environment::read(&path, self.trust(), words)? {
                (self.of_file, self.file_mode) = (contents.variables, contents.mode);
            }
        }
        Ok(self)
    }

    /// The value of a variable; `None` where it is unset. The process's own comes first.
    ///
    /// # Errors
    /// Where it is empty.
    pub fn variable(&self, name: &'static str) -> Result<Option<&OsStr>, VariableError> {
        let of_file = self.of_file.get(name).map(OsStr::new);
        match self.variables.get(OsStr::new(name)).map(OsString::as_os_str).or(of_file) {
            Some(value) if value.is_empty() => Err(VariableError::Empty(name)),
            value => Ok(value),
        }
    }

    /// The value of a variable, where it is set and not empty, as programs read those that many of them share.
    pub(crate) fn filled(&self, name: &str) -> Option<&OsStr> {
        let of_file = self.of_file.get(name).map(OsStr::new);
        let value = self.variables.get(OsStr::new(name)).map(OsString::as_os_str).or(of_file);
        value.filter(|value| !value.is_empty())
    }

    /// Whether the value of a variable is one of root's file.
    pub fn is_of_file(&self, name: &str) -> bool {
        !self.variables.contains_key(OsStr::new(name)) && self.of_file.contains_key(name)
    }

    /// Whether others than root can read root's file.
    pub(super) fn file_is_open(&self) -> bool {
        self.file_mode & 0o077 != 0
    }

    /// The permission bits of root's file.
    pub(super) fn file_mode(&self) -> u32 {
        self.file_mode
    }

    /// Root's file.
    pub(crate) fn file(&self) -> PathBuf {
        self.system(system_environment::PATH)
    }

    /// The value of a variable as text; `None` where it is unset.
    ///
    /// # Errors
    /// Where it is empty or not UTF-8.
    pub fn text(&self, name: &'static str) -> Result<Option<&str>, VariableError> {
        let value = self.variable(name)?;
        value.map(|value| value.to_str().ok_or(VariableError::NotText(name))).transpose()
    }

    /// The value of a variable as an absolute path; `None` where it is unset.
    ///
    /// # Errors
    /// Where it is empty or relative.
    pub fn absolute(&self, name: &'static str) -> Result<Option<&Path>, VariableError> {
        match self.variable(name)?.map(Path::new) {
            Some(path) if path.is_relative() => Err(VariableError::Relative(name)),
            path => Ok(path),
        }
    }

    /// A directory of the XDG specification, which says that empty and relative values are to be ignored, with its
    /// default below the home directory.
    pub(crate) fn xdg(&self, name: &str, default: &str) -> Option<PathBuf> {
        let set = self.variables.get(OsStr::new(name)).map(PathBuf::from).filter(|path| path.is_absolute());
        set.or_else(|| self.home().map(|home| home.join(default)))
    }

    /// The directory for what can be read again: `$XDG_CACHE_HOME`, or `.cache` in the home directory; under sudo
    /// `/var/cache`.
    pub fn cache(&self) -> Option<PathBuf> {
        if self.runs_under_sudo() {
            return Some(self.system("var/cache"));
        }
        self.xdg("XDG_CACHE_HOME", ".cache")
    }

    /// The home directory, where it is known and absolute; unknown under sudo.
    pub fn home(&self) -> Option<&Path> {
        self.home.as_deref().filter(|home| home.is_absolute())
    }

    /// A path of the system, written without its leading `/`.
    pub(crate) fn system(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Who runs the process.
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Whose files are believed.
    pub fn trust(&self) -> Trust {
        Trust::of(self.ids.euid)
    }

    /// Whether root's rights are used for somebody else; see [`Ids::runs_under_sudo`].
    pub fn runs_under_sudo(&self) -> bool {
        self.ids.runs_under_sudo()
    }
}
