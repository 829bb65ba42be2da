//! The machine that the gate runs on: who called, with which token, in which environment and which directory.
//!
//! Responsible for all that is asked of the process and of the files of the machine, and for what of it may be believed under
//! sudo: nothing of the caller's. Not responsible for the settings, which are read in this environment (`config`), nor for
//! the child (`deploy`).

mod arcrc;
mod caller;
mod credentials;
mod environment;
mod secret_file;
mod server_token;
mod state;
mod sudo;
mod system_environment;
mod time_zone;

pub use arcrc::ArcrcError;
pub(crate) use arcrc::token as arcrc_token;
pub use caller::{Caller, CallerError, Getent, Login, UserDatabase};
pub(crate) use caller::{behind_sudo, system_program};
pub use credentials::{CredentialsError, Token, TokenShape, TokenSource, find_token};
pub use environment::{Environment, VariableError};
pub use secret_file::{SecretFileError, SecretFileFault, secret_lines, secret_text};
pub use server_token::{ServerTokenError, find_server_token};
pub(crate) use state::default_directory;
pub use state::{StateError, ensure_state_dir};
pub use sudo::{Ids, Sudo};
pub use system_environment::EnvironmentFileError;
pub use time_zone::time_zone;
