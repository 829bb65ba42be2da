//! The watch of a command line or of the configuration, for a command that waits or is carried out with those who look on.
//!
//! Responsible for which it is and with what token it is asked, and for what says that a task changed. Not responsible for what a watch
//! says ([`crate::watch_client`]).

use std::time::Duration;

use url::Url;

use super::Globals;
use super::exit::Failure;
use super::session::{Session, environment};
use crate::conduit::{parse_url, wants_tls};
use crate::config::Settings;
use crate::gate::changes::{Change, ChangeSource, NoSource};
use crate::host;
use crate::ids::TaskId;
use crate::watch_client::{Answer, TaskChanges, Watch};

/// How long a watch may take to say that it is there.
const ANSWER: Duration = Duration::from_secs(3);

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

/// What the watch at an address answers to whether it asks people in a channel now, and has asked for a task; it is asked without a token.
///
/// # Errors
/// Where it does not answer, in words.
pub(super) async fn whether_it_asks(watch: &str, task: Option<TaskId>, session: &Session) -> Result<Answer, String> {
    let Settings { http, route, .. } = &session.settings;
    let url = Url::parse(watch).map_err(|error| error.to_string())?;
    let watch = Watch::new(&url, None, http.connect.min(ANSWER), ANSWER, route).map_err(|error| error.to_string())?;
    let path = task.map_or_else(|| "healthz".to_owned(), |task| format!("healthz?task={task}"));
    let answer = watch.get(&path).await?;
    match (answer.status, wants_tls(answer.status, &answer.body)) {
        (_, Some(why)) => Err(why.to_owned()),
        (status @ 500.., None) => Err(format!("the status {status}")),
        _ => Ok(answer),
    }
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
