//! The gate in front of an emergency deploy.

pub mod cli;
pub mod config;
pub mod ids;
pub mod policy;
pub mod record;
