//! Opening a file whose safety matters: opened once, then judged by what was opened and not by its name.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A folder, a pipe, a device.
    #[error("it is {0}, not a regular file")]
    NotRegular(&'static str),
    /// More than is sensible.
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    /// Not text.
    #[error("it is not UTF-8")]
    NotText,
}

/// An open regular file, and what the system says about it.
#[derive(Debug)]
pub(super) struct Opened {
    file: File,
    metadata: Metadata,
}

/// Opens a regular file; symlinks are followed. Never waits, as opening a pipe would.
pub(super) fn open(path: &Path) -> Result<Opened, OpenError> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let descriptor = rustix::fs::open(path, flags, Mode::empty()).map_err(io::Error::from)?;
    let file = File::from(descriptor);
    let metadata = file.metadata()?;
    let kind = metadata.file_type();
    if !kind.is_file() {
        return Err(OpenError::NotRegular(if kind.is_dir() { "a folder" } else { "a pipe or a device" }));
    }
    Ok(Opened { file, metadata })
}

impl Opened {
    pub(super) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// All of its text, up to `limit` bytes.
    pub(super) fn text(self, limit: u64) -> Result<String, OpenError> {
        let mut bytes = Vec::new();
        self.file.take(limit + 1).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) {
            String::from_utf8(bytes).map_err(|_| OpenError::NotText)
        } else {
            Err(OpenError::TooLarge(limit))
        }
    }
}
