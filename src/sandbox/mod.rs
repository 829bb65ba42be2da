//! The sandbox: a Conduit server over a small world of tasks, people and projects, and a look-alike of Phorge.
//!
//! It answers the recorded requests as the real server did, field for field, or as an older version does ([`Like`]), and
//! takes writes. It is a newcomer's first minute, and the server of the test suite, each with a world of its own
//! ([`BuiltIn`]); for the latter it can break every call in all ways that are known ([`FaultKind`]). To a browser it shows
//! each task as a page.
//!
//! ```text
//!   socket ─ wire ─ server ─ request ─ methods ─ index ─ world ─ built_in ─ demo
//!              └─ fault ─┘ ├─ reply         └─ store (memory, or a file that processes share)
//!                          └─ site
//! ```
//!
//! Responsible for [`serve`] and what it takes and gives. Not responsible for the commands that start it, and the
//! client.
//!
//! Where the real server does what the sandbox does not (boards, files, edits of projects, saved queries), the sandbox
//! refuses with an error and never ignores a constraint.

mod access;
mod built_in;
mod demo;
mod fault;
mod fresh;
mod index;
mod like;
mod methods;
mod page;
mod remarkup;
mod reply;
mod request;
mod served;
mod server;
mod site;
mod store;
mod tamper;
mod wire;
mod world;

pub use self::built_in::{BuiltIn, BuiltInError, BuiltInNameError};
pub use self::demo::DemoError;
pub use self::fault::{Fault, FaultError, FaultKind, When};
pub use self::like::{Like, LikeError};
pub use self::served::Served;
pub use self::server::{Options, Running, SandboxError, serve};
pub use self::store::{Clock, Source, StoreError, reset};
pub use self::tamper::TamperError;
pub use self::world::{
    CustomField, Edge, FieldKind, Guide, HiddenEdge, Priority, Project, Scenario, Space, Status, Task, Transaction,
    User, World, WorldCommentVersion, WorldError,
};
