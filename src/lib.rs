//! The gate in front of an emergency deploy.

pub mod announce;
pub mod answer;
pub mod cli;
pub mod conduit;
pub mod config;
pub mod crash;
pub mod deploy;
pub mod doctor;
pub mod evidence;
pub mod history;
pub mod ids;
pub mod journal;
pub mod policy;
pub mod record;
pub mod sandbox;
pub mod text;
pub mod time;
