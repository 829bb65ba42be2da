//! The environment that the configuration is read in: variables, the home folder, who runs the process.
//!
//! In the room: all that is taken from the process, once, as data. Nothing else in `config` asks the process, so that
//! tests need none of their own.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

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

/// Who runs the process, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids {
    /// The real user.
    pub uid: u32,
    /// The effective user.
    pub euid: u32,
    /// The real group.
    pub gid: u32,
}

/// What the configuration needs to know of the process.
#[derive(Debug, Clone)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    home: Option<PathBuf>,
    root: PathBuf,
    ids: Ids,
}

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        let ids = Ids {
            uid: rustix::process::getuid().as_raw(),
            euid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
        };
        let home = etcetera::home_dir().ok();
        Self { variables: std::env::vars_os().collect(), home, root: PathBuf::from("/"), ids }
    }

    /// An environment made by hand, in which system folders such as `/etc` lie below `root`.
    pub fn new<K: Into<OsString>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (K, V)>,
        home: Option<PathBuf>,
        root: PathBuf,
        ids: Ids,
    ) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables, home, root, ids }
    }

    /// The value of a variable; `None` where it is unset.
    ///
    /// # Errors
    /// Where it is empty.
    pub fn variable(&self, name: &'static str) -> Result<Option<&OsStr>, VariableError> {
        match self.variables.get(OsStr::new(name)) {
            Some(value) if value.is_empty() => Err(VariableError::Empty(name)),
            value => Ok(value.map(OsString::as_os_str)),
        }
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

    /// A folder of the XDG specification, which says that empty and relative values are to be ignored, with its
    /// default below the home folder.
    pub(super) fn xdg(&self, name: &str, default: &str) -> Option<PathBuf> {
        let set = self.variables.get(OsStr::new(name)).map(PathBuf::from).filter(|path| path.is_absolute());
        set.or_else(|| self.home().map(|home| home.join(default)))
    }

    /// The folder for what can be read again: `$XDG_CACHE_HOME`, or `.cache` in the home folder.
    pub fn cache(&self) -> Option<PathBuf> {
        self.xdg("XDG_CACHE_HOME", ".cache")
    }

    /// The home folder, where it is known and absolute.
    pub fn home(&self) -> Option<&Path> {
        self.home.as_deref().filter(|home| home.is_absolute())
    }

    /// A path of the system, written without its leading `/`.
    pub(super) fn system(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Who runs the process.
    pub fn ids(&self) -> Ids {
        self.ids
    }

    /// Whether root's rights were lent to another user, by sudo: what that user chooses must not lead the process
    /// astray.
    pub fn is_lent(&self) -> bool {
        let by = self.variables.get(OsStr::new("SUDO_UID"));
        let by_root = by.is_none_or(|uid| uid == OsStr::new("0"));
        self.ids.euid == 0 && (self.ids.uid != 0 || !by_root)
    }
}
