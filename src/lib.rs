//! The gate in front of an emergency deploy.

pub mod crash;
pub mod ids;
pub mod journal;
pub mod policy;
pub mod record;
