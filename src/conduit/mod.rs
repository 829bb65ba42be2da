//! Conduit, the API of Phabricator and Phorge, as far as the gate needs it.
//!
//! Responsible for one file a resource with typed requests and replies, and beneath them one transport with its errors,
//! its retries and its paging. Not responsible for what the replies mean for a deploy.

mod connection;
mod duplicate;
mod error;
mod feed;
mod head;
mod legacy;
mod loopback;
mod pace;
mod paging;
mod project;
mod proxy_door;
mod refusals;
mod retry;
mod route;
mod server_url;
mod task;
mod transaction;
mod transport;
mod unreached;
mod user;

pub use connection::{ClientError, connection};
pub use error::{ConduitError, Failure, WriteEffect};
pub use feed::{FeedEntry, FeedPart};
pub use legacy::{LegacyChange, ReportedChanges};
pub use loopback::{host_is_loopback, is_loopback};
pub use paging::{Pages, SealedRows};
pub use project::{Project, Projects, Subproject};
pub use refusals::Refusals;
pub use route::{Authorities, Proxy, Route};
pub(crate) use server_url::parse_url_of_api;
pub use server_url::{UrlError, parse_url};
pub use task::{Edited, Status, Task, restricts};
pub use transaction::{Change, CommentVersion, Transaction};
pub use transport::{Client, Reply, Timeouts};
pub use unreached::{BadCertificate, Obstacle, Unreached};
pub use unreached::{root_cause, wants_tls};
pub use user::{Account, AccountRole, Whoami};

use serde_json::{Map, Value};

/// Turns `json!({…})` into the parameters of a call.
fn params(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// A time of Conduit: whole seconds since 1970.
mod epoch {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let seconds = i64::deserialize(deserializer)?;
        Timestamp::from_second(seconds).map_err(serde::de::Error::custom)
    }

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(time.as_second())
    }
}
