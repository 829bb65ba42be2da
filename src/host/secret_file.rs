//! Files with secrets that the configuration names: one a line.
//!
//! Responsible for a secret being believed only where nobody else can read or change it, and for its being long enough. Not responsible for
//! what it is used for, nor for the token of the server ([`super::credentials`]). A secret is in no message.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::safe_path::{self, PathError, ReadError, Trust};

/// The most bytes of a file with secrets: a certificate with its chain and its key is the largest.
const LARGEST: u64 = 64 * 1024;
/// The fewest characters of a secret.
const SHORTEST: usize = 16;

/// Why the secrets of a file cannot be used. Every kind ends with exit code 4.
#[derive(Debug, thiserror::Error)]
#[error("cannot use `{key}`: {why}")]
pub struct SecretFileError {
    /// The setting that names the file.
    pub key: String,
    /// What is wrong.
    pub why: SecretFileFault,
}

/// What is wrong with a file of secrets.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileFault {
    /// It, or a directory above it, is not what only its owner can change; or it cannot be opened.
    #[error("{0}")]
    Unsafe(#[from] PathError),
    /// Its text cannot be had.
    #[error("{0}")]
    Unreadable(#[from] ReadError),
    /// Others can read it.
    #[error("{} can be read by others", .0.display())]
    Open(PathBuf),
    /// Nothing is in it.
    #[error("{} is empty", .0.display())]
    Empty(PathBuf),
    /// One of its lines is short.
    #[error("{} has a line of {length} characters, which can be guessed", path.display())]
    Short {
        /// The file.
        path: PathBuf,
        /// How many characters.
        length: usize,
    },
}

impl SecretFileError {
    /// What to do next, in one line for people.
    pub fn hint(&self) -> &'static str {
        match self.why {
            SecretFileFault::Unsafe(_) | SecretFileFault::Unreadable(_) => {
                "make it with `install -m 600 /dev/null FILE`, as the user of the service, and write what is secret into it"
            }
            SecretFileFault::Open(_) => "make it readable by the service alone: chmod 600",
            SecretFileFault::Empty(_) => "write what is secret into it, one a line",
            SecretFileFault::Short { .. } => "have something random in it: `openssl rand -hex 16`",
        }
    }
}

/// The secrets in a file, one a line, at least one. `key` is the setting that names it.
///
/// # Errors
/// Where it cannot be read, or others than this user and root can read or change it.
pub fn secret_lines(key: &str, path: &Path) -> Result<Vec<SecretString>, SecretFileError> {
    read(path).map_err(|why| SecretFileError { key: key.to_owned(), why })
}

/// What is in a file, whole but for blanks around it: a password that somebody else chose, or a certificate with its key. `key` is the
/// setting that names it.
///
/// # Errors
/// Where it cannot be read, is empty, or others than this user and root can read or change it.
pub fn secret_text(key: &str, path: &Path) -> Result<SecretString, SecretFileError> {
    let read = || {
        let text = text_of(path)?;
        let text = text.expose_secret().trim();
        (!text.is_empty()).then(|| SecretString::from(text)).ok_or_else(|| SecretFileFault::Empty(path.to_owned()))
    };
    read().map_err(|why| SecretFileError { key: key.to_owned(), why })
}

fn text_of(path: &Path) -> Result<SecretString, SecretFileFault> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|directory| !directory.is_empty());
    let file = safe_path::open(path, Trust::of_process())?;
    // systemd gives its credentials to root, 0440, and the service's user an ACL, whose mask shows as the group's bits.
    let is_credential = credentials.as_ref().is_some_and(|directory| path.starts_with(directory))
        && file.owner() == 0
        && file.mode() == 0o440;
    if file.mode() & 0o077 != 0 && !is_credential {
        return Err(SecretFileFault::Open(path.to_owned()));
    }
    Ok(file.text(LARGEST)?.into())
}

fn read(path: &Path) -> Result<Vec<SecretString>, SecretFileFault> {
    let text = text_of(path)?;
    let lines: Vec<SecretString> =
        text.expose_secret().lines().map(str::trim).filter(|line| !line.is_empty()).map(SecretString::from).collect();
    match lines.iter().map(|line| line.expose_secret().len()).min() {
        None => Err(SecretFileFault::Empty(path.to_owned())),
        Some(length) if length < SHORTEST => Err(SecretFileFault::Short { path: path.to_owned(), length }),
        Some(_) => Ok(lines),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_long_and_nobody_elses() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let lines = |text: &str, mode: u32| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            secret_lines("paging.webhook.secret", &path).map(|lines| lines.len())
        };
        assert_eq!(lines("abcdefghijklmnop\n\n  0123456789abcdef \n", 0o600).unwrap(), 2);
        for (text, mode, why) in [
            ("abcdefghijklmnop\n", 0o640, "can be read by others"),
            ("\n", 0o600, "is empty"),
            ("abc\n", 0o600, "a line of 3 characters"),
            ("abcdefghijklmnop\n", 0o602, "cannot use"),
        ] {
            let error = lines(text, mode).unwrap_err();
            assert!(error.to_string().contains(why) && error.to_string().contains("paging.webhook.secret"), "{error}");
            assert!(!error.hint().is_empty());
        }
        assert!(secret_lines("paging.webhook.secret", Path::new("/nowhere/at/all")).is_err());
        // A password is what it is, and a certificate has many lines.
        assert!(lines(" a b\nc \n", 0o600).is_err());
        assert_eq!(secret_text("irc.password_file", &path).unwrap().expose_secret(), "a b\nc");
        assert!(lines("abcdefghijklmnop\n", 0o644).is_err() && secret_text("irc.password_file", &path).is_err());
    }
}
