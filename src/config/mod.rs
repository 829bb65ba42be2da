//! The configuration: flags, environment and file on one side, validated settings with their origins on the other.
//!
//! Responsible for the search for the file and its two stages (`file` reads it, `validate` makes it a policy), the URL of the
//! server and the route to it, the token, the directory of the journal, the caller, and for what of all that a caller under
//! sudo may choose: nothing. All of the process comes in through [`Environment`]. Not responsible for what the policy means
//! (see [`crate::policy`]) and what the server says.

mod arcrc;
mod builtin;
mod caller;
mod credentials;
mod diagnostic;
mod environment;
mod file;
mod load;
mod origin;
mod reader;
mod route;
mod server;
mod settings;
mod state;
mod system_environment;
mod time_zone;
mod validate;
mod values;
mod words;

pub use arcrc::ArcrcError;
pub(crate) use arcrc::token as arcrc_token;
pub use builtin::TEMPLATE;
pub use caller::{Caller, CallerError, Getent, Ids, Login, Sudo, UserDatabase, map_deployer};
pub(crate) use caller::{behind_sudo, system_program};
pub use credentials::{CredentialsError, Token, TokenShape, TokenSource, find_token};
pub use diagnostic::{Diagnostic, FilePosition, SettingsReport};
pub use environment::{Environment, VariableError};
pub(crate) use load::of_text;
pub use load::{ConfigError, Flags, load};
pub use origin::{Origin, Origins};
pub use server::{UrlError, parse_url};
pub use settings::{
    Accepted, Contact, Http, Log, LogSetting, NoServer, ProxySetting, RecordSettings, SettingEntry, Settings,
};
pub use state::{StateError, ensure_state_dir};
pub use system_environment::EnvironmentFileError;
pub use time_zone::time_zone;
