//! The settings of the service.
//!
//! Responsible for them as data, with their defaults. Not responsible for how they are read ([`super::file`]).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use jiff::SignedDuration;
use url::Url;

use crate::notice::NoticeKind;

/// The port on which the service answers where nothing else is said.
pub const PORT: u16 = 8471;

/// The settings of `phabgate serve`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeSettings {
    /// Where people and programs reach it, through whatever stands before it; `None`: at the address on which it listens.
    pub url: Option<Url>,
    /// On which address it listens.
    pub listen: SocketAddr,
    /// Which notices it says on tasks.
    pub notices: Vec<NoticeKind>,
    /// How much later than it was due a notice is still said.
    pub notice_window: SignedDuration,
    /// The keys of the server's webhooks, several while one is replaced.
    pub webhook_keys: Vec<WebhookKey>,
}

/// The key of a webhook. It is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookKey(String);

impl WebhookKey {
    /// A key as it was written.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The key itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookKey")
    }
}

impl Default for ServeSettings {
    fn default() -> Self {
        Self {
            url: None,
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT),
            notices: NoticeKind::ALL.to_vec(),
            notice_window: SignedDuration::from_mins(30),
            webhook_keys: Vec::new(),
        }
    }
}
