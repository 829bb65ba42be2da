//! The configuration: flags, environment and file on one side, validated settings with their origins on the other.
//!
//! In the room: the search for the file and its two stages (`file` reads it, `validate` makes it a policy), the URL
//! of the server, the token, the folder of the journal, the calling user. All of the process comes in through
//! [`Environment`]. Not in the room: what the policy means (see [`crate::policy`]) and what the server says.

mod arcrc;
mod builtin;
mod caller;
mod credentials;
mod diagnostic;
mod environment;
mod file;
mod load;
mod origin;
mod private;
mod reader;
mod server;
mod settings;
mod state;
mod validate;
mod values;
mod words;

pub use arcrc::ArcrcError;
pub use builtin::TEMPLATE;
pub use caller::{Account, CallerError, CallingUser, Getent, UserDatabase, map_deployer};
pub use credentials::{CredentialsError, Token, TokenShape, TokenSource, find_token};
pub use diagnostic::{Diagnostic, Place, Report};
pub use environment::{Environment, Ids, VariableError};
pub use load::{ConfigError, Flags, load};
pub use origin::{Origin, Origins};
pub use private::OpenError;
pub use server::{UrlError, is_loopback, parse_url};
pub use settings::{Contact, Entry, Http, NoServer, Proxy, RecordSettings, Settings};
pub use state::{StateError, ensure_state_dir};
