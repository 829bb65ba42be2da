//! The configuration: flags, environment and file on one side, validated settings with their origins on the other.
//!
//! Responsible for the search for the file and its two stages (`file` reads it, `validate` makes it a policy), the URL of the
//! server and the route to it, and for what of all that a caller under sudo may choose: nothing. All of the process comes in
//! through [`crate::host::Environment`]. Not responsible for the machine itself, whose token, caller and directories are of
//! [`crate::host`], for what the policy means (see [`crate::policy`]) and what the server says.

mod announce;
mod builtin;
mod diagnostic;
mod error;
mod file;
mod irc;
mod irc_table;
mod load;
mod origin;
mod paging;
mod paging_table;
mod preset;
mod reader;
mod route;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "serve")]
mod serve_table;
mod settings;
mod validate;
mod values;
mod words;

pub use announce::{AnnounceSettings, WhoAsks};
pub use builtin::TEMPLATE;
pub use diagnostic::{Diagnostic, FilePosition, SettingsReport};
pub use error::ConfigError;
pub use irc::IrcSettings;
#[cfg(feature = "serve")]
pub use irc::{IrcAccount, IrcBotError, IrcBotSettings};
pub(crate) use load::of_text;
pub use load::{Flags, load};
pub use origin::{Origin, Origins};
pub use paging::{OnCallSource, PagingSettings, WebhookSettings};
pub use preset::Preset;
#[cfg(feature = "serve")]
pub use serve::{PORT, ProxySocket, ServeSettings, ServeToken, TokenScope, WrongToken};
pub use settings::{
    Accepted, Contact, Http, LogSetting, LogSettings, NoServer, ProxySetting, RecordSettings, SettingEntry, Settings,
    map_deployer,
};
