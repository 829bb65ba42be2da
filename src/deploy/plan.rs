//! What will be run: program, arguments, environment.
//!
//! Responsible for [`Plan`], which is pure, and its preflight, which looks at the machine so that a command that cannot
//! run is reported before anything is posted. Not responsible for running it ([`super::child`]).
//!
//! Privileges are dropped by setpriv(1) of util-linux, since dropping them here would need code that is not safe Rust. Its
//! `--reset-env` is not used: it would throw away all that the caller or sudo's `env_keep` passes on, `LANG`
//! and `SSH_AUTH_SOCK` included. What must change is set here instead. Nor is `--no-new-privs`: a deploy may itself call sudo.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::identity::Identity;
use super::{CANNOT_RUN, GATE_FAILED, NOT_FOUND};
use crate::host::system_program;

/// Where commands are looked for when `PATH` is not set, as execvp(3) does.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// A command with its environment and whom it is to run as.
#[derive(Clone, PartialEq, Eq)]
pub struct Plan {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    /// The arguments of setpriv before the command; `None` where the command runs as the gate itself.
    drop_to: Option<Vec<OsString>>,
}

/// A plan that the machine can carry out, as far as can be known before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    plan: Plan,
    setpriv: Option<PathBuf>,
    /// Where the program was found.
    path: PathBuf,
}

/// Why a command cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Nothing was given to run.
    #[error("no command was given: write it after --")]
    Empty,
    /// There is no such program.
    #[error("cannot find the command {0:?}: check its name and PATH")]
    NotFound(OsString),
    /// It is there and is no program.
    #[error("cannot run {path:?}: it is {what}")]
    CannotRun {
        /// What was found.
        path: PathBuf,
        /// What it is instead.
        what: &'static str,
    },
    /// setpriv(1) is not installed.
    #[error("cannot find setpriv, which runs the command as {0:?}: install util-linux")]
    NoSetpriv(OsString),
    /// setpriv(1) cannot do what it is needed for.
    #[error("setpriv cannot run a command as {user:?}: {why}")]
    SetprivFails {
        /// Whom the command was to run as.
        user: OsString,
        /// What it said.
        why: String,
    },
}

impl PlanError {
    /// The status that `run` ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Empty | Self::NoSetpriv(_) | Self::SetprivFails { .. } => GATE_FAILED,
            Self::NotFound(_) => NOT_FOUND,
            Self::CannotRun { .. } => CANNOT_RUN,
        }
    }
}

impl Plan {
    /// What will be run for this command line, from this environment, as this identity.
    ///
    /// The environment is passed on but for what only the gate may see: everything of the gate's whose name holds `TOKEN`,
    /// and `CREDENTIALS_DIRECTORY`. Where the command runs as the caller of a gate that is root, `HOME`,
    /// `USER`, `LOGNAME` and `SHELL` are the caller's, and `SUDO_*` and `MAIL`, which speak of root, are left out.
    ///
    /// # Errors
    /// Where no command was given.
    pub fn new(
        argv: impl IntoIterator<Item = OsString>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
        identity: &Identity,
    ) -> Result<Self, PlanError> {
        let mut args = argv.into_iter();
        let program = args.next().filter(|program| !program.is_empty()).ok_or(PlanError::Empty)?;
        let mut env: Vec<_> = env.into_iter().filter(|(name, _)| !is_secret(name)).collect();
        let drop_to = match identity {
            Identity::Own => None,
            Identity::Caller(caller) => {
                let name = OsString::from(&caller.name);
                let own = [("HOME", &caller.home), ("USER", &name), ("LOGNAME", &name), ("SHELL", &caller.shell)];
                env.retain(|(name, _)| {
                    let of_root = name.as_bytes().starts_with(b"SUDO_") || name == "MAIL";
                    !of_root && own.iter().all(|(own, _)| name != own)
                });
                env.extend(own.map(|(name, value)| (name.into(), value.clone())));
                let user = user_options(caller.uid, caller.gid);
                Some(user.into_iter().map(OsString::from).collect())
            }
        };
        Ok(Self { program, args: args.collect(), env, drop_to })
    }

    /// Looks whether the command can be run, as far as that can be known without running it.
    ///
    /// Where it will run as somebody else, setpriv is tried on a shell that does nothing, so that its own failures never
    /// look like those of the command.
    ///
    /// # Errors
    /// Where it cannot.
    pub fn preflight(self) -> Result<Ready, PlanError> {
        let path = self.find()?;
        let Some(options) = &self.drop_to else { return Ok(Ready { plan: self, setpriv: None, path }) };
        let user = || self.variable("USER").unwrap_or_default().to_owned();
        let setpriv = system_program("setpriv").ok_or_else(|| PlanError::NoSetpriv(user()))?;
        let tried =
            Command::new(&setpriv).args(options).args(["/bin/sh", "-c", ":"]).env_clear().stdin(Stdio::null()).output();
        let why = match tried {
            Ok(output) if output.status.success() => None,
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                Some(if said.is_empty() { format!("it ended with {}", output.status) } else { said })
            }
            Err(error) => Some(error.to_string()),
        };
        match why {
            Some(why) => Err(PlanError::SetprivFails { user: user(), why }),
            None => Ok(Ready { plan: self, setpriv: Some(setpriv), path }),
        }
    }

    /// The program as it was given.
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    /// The value of a variable of the command's environment.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.env.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_os_str())
    }

    /// Finds the program as execvp(3) would.
    fn find(&self) -> Result<PathBuf, PlanError> {
        let program = Path::new(&self.program);
        if self.program.as_bytes().contains(&b'/') {
            return self.look_at(program).map(|()| program.to_owned());
        }
        let path = self.variable("PATH").unwrap_or(OsStr::new(DEFAULT_PATH));
        // What execvp does too: go on after a file that cannot be run, and remember it.
        let mut worst = Err(PlanError::NotFound(self.program.clone()));
        for directory in std::env::split_paths(path) {
            let path = directory.join(program);
            match self.look_at(&path) {
                Ok(()) => return Ok(path),
                Err(error @ PlanError::CannotRun { .. }) => worst = Err(error),
                Err(_) => {}
            }
        }
        worst
    }

    fn look_at(&self, path: &Path) -> Result<(), PlanError> {
        let cannot = |what| Err(PlanError::CannotRun { path: path.to_owned(), what });
        let metadata = match path.metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return if self.drop_to.is_some() { Ok(()) } else { cannot("in a directory that may not be read") };
            }
            Err(_) => return Err(PlanError::NotFound(self.program.clone())),
        };
        if metadata.is_dir() {
            return cannot("a directory");
        }
        // For somebody else only the bits can be looked at; whether they are theirs is seen when it runs.
        let executable = match self.drop_to {
            Some(_) => metadata.permissions().mode() & 0o111 != 0,
            None => rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok(),
        };
        if executable { Ok(()) } else { cannot("not executable") }
    }
}

impl std::fmt::Debug for Plan {
    /// Shows the names of variables, not what they hold, and how many arguments there are: both can hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.env.iter().map(|(name, _)| name).collect();
        f.debug_struct("Plan")
            .field("program", &self.program)
            .field("args", &self.args.len())
            .field("env", &names)
            .field("drop_to", &self.drop_to)
            .finish()
    }
}

impl Ready {
    /// The program as it was given.
    pub fn program(&self) -> &OsStr {
        self.plan.program()
    }

    /// What starts it as a script of sh(1), where the kernel does not know its format and it is a text. setpriv(1) does so
    /// itself, as all that calls execvp(3).
    pub(super) fn as_script(&self, error: &std::io::Error) -> Option<Command> {
        let unknown = error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error());
        if !unknown || self.setpriv.is_some() || !is_text(&self.path) {
            return None;
        }
        let plan = &self.plan;
        let mut command = Command::new("/bin/sh");
        command.arg(&self.path).args(&plan.args);
        command.env_clear().envs(plan.env.iter().map(|(name, value)| (name, value)));
        Some(command)
    }

    /// What starts it, sharing the terminal and all that stands open for it.
    pub(super) fn command(&self) -> Command {
        let plan = &self.plan;
        let mut command = match (&self.setpriv, &plan.drop_to) {
            (Some(setpriv), Some(options)) => {
                let mut command = Command::new(setpriv);
                command.args(options).arg(&plan.program);
                command
            }
            _ => Command::new(&plan.program),
        };
        command.args(&plan.args).env_clear().envs(plan.env.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Whether the first line of a file is one of a text, as bash(1) looks at it: a damaged program must not be read as commands.
fn is_text(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(512).read_to_end(&mut head));
    let line = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    read.is_ok() && !head.starts_with(b"\x7fELF") && !line.contains(&0)
}

/// Whether a variable is for the gate alone.
fn is_secret(name: &OsStr) -> bool {
    let of_gate = name.as_bytes().strip_prefix(b"PHABGATE_");
    of_gate.is_some_and(|rest| rest.windows(5).any(|part| part == b"TOKEN")) || name == "CREDENTIALS_DIRECTORY"
}

/// The options of setpriv: all ids, all groups of the user, and no capability that an exec could bring back.
pub(crate) fn user_options(uid: u32, gid: u32) -> [String; 5] {
    [
        format!("--reuid={uid}"),
        format!("--regid={gid}"),
        "--init-groups".to_owned(),
        "--inh-caps=-all".to_owned(),
        "--".to_owned(),
    ]
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
