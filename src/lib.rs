//! The gate in front of an emergency deploy.

pub mod deploy;
pub mod ids;
pub mod policy;
pub mod record;
pub mod text;
