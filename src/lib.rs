//! The gate in front of an emergency deploy.

pub mod conduit;
pub mod evidence;
pub mod ids;
pub mod policy;
pub mod record;
pub mod text;
pub mod time;
