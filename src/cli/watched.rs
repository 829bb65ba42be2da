//! The watch of a command line or of the configuration, for a command that waits or is carried out with those who look on.
//!
//! Responsible for which it is and with what token it is asked, and for what says that a task changed. Not responsible for what a watch
//! says ([`crate::watch_client`]).

use std::time::Duration;

use super::Globals;
use super::exit::Failure;
use super::session::{Session, environment};
use crate::conduit::parse_url;
use crate::config::Settings;
use crate::gate::changes::{Change, ChangeSource, NoSource};
use crate::host;
use crate::ids::TaskId;
use crate::watch_client::{TaskChanges, Watch};

/// The watch of the command line (`--server`) or the configuration; `None` where neither names one.
///
/// # Errors
/// Where no token can be sent there, or its own cannot be used.
pub(super) fn find(given: Option<&str>, globals: &Globals, session: &Session) -> Result<Option<Watch>, Failure> {
    let configured = session.settings.watch.as_ref();
    let given = given.map(parse_url).transpose().map_err(|wrong| {
        Failure::usage(format!("--server: {wrong}"), "write it as --server https://watch.example.org/")
    })?;
    let Some(url) = given.as_ref().or(configured) else { return Ok(None) };
    let token = host::find_server_token(&environment(globals)?, configured, url)?;
    let Settings { http, route, .. } = &session.settings;
    Ok(Some(Watch::new(url, token, http.connect, http.call, route)?))
}

/// What says that a task changed.
#[derive(Debug)]
pub(super) enum Changes {
    /// Nothing does.
    Read(NoSource),
    /// A watch.
    Watched(Box<TaskChanges>),
}

impl Changes {
    /// Those of a task, by a watch where there is one.
    pub(super) fn of(watch: Option<Watch>, task: TaskId, session: &Session) -> Self {
        match watch {
            None => Self::Read(NoSource),
            Some(watch) => {
                let policy = session.settings.policy.digest().to_string();
                Self::Watched(Box::new(watch.changes_of(task, session.base(), policy)))
            }
        }
    }
}

impl ChangeSource for Changes {
    async fn changed(&mut self, patience: Duration) -> Change {
        match self {
            Self::Read(source) => source.changed(patience).await,
            Self::Watched(source) => source.changed(patience).await,
        }
    }
}
