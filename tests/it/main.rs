//! The integration tests: one binary, a module a subject.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "clippy's exception for tests does not know their helpers")]

mod announce;
mod answers;
mod arrows;
mod audit;
mod audit_mirror;
mod audit_remembers;
mod browser;
mod child;
mod config_file;
mod config_mistakes;
mod config_token;
mod conformance;
mod day;
mod dependencies;
mod deploys;
mod doctor;
mod exactly_once;
mod fuzz_corpus;
mod fuzzed;
mod given_up;
mod habits;
mod harness;
mod help;
mod html;
#[cfg(feature = "serve")]
mod irc_bot;
#[cfg(feature = "serve")]
mod irc_doctor;
#[cfg(feature = "serve")]
mod irc_impostors;
#[cfg(feature = "serve")]
mod irc_many;
#[cfg(feature = "serve")]
mod irc_network;
#[cfg(feature = "serve")]
mod irc_watch;
#[cfg(feature = "serve")]
mod irc_witness;
mod journal;
mod kept;
mod killed;
mod list;
mod live;
mod live_server;
#[cfg(feature = "serve")]
mod live_watch;
mod lying;
mod machine_log;
mod manual;
mod meanwhile;
mod network;
mod newcomer;
mod output;
mod packaging;
#[cfg(feature = "serve")]
mod pagers;
#[cfg(feature = "serve")]
mod paging;
#[cfg(feature = "serve")]
mod paging_drills;
#[cfg(feature = "serve")]
mod paging_kept;
#[cfg(feature = "serve")]
mod paging_many;
#[cfg(feature = "serve")]
mod paging_routes;
mod readers;
mod records;
mod refusals;
mod report;
mod request;
mod sandbox;
mod sandbox_edits;
mod scenarios;
mod screens;
mod send;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "serve")]
mod serve_page;
mod server;
#[cfg(feature = "serve")]
mod share;
mod site;
mod sources;
mod started;
mod sudo;
mod tampering;
mod tcpircbot;
mod throttled;
mod token;
mod two_runs;
mod typed;
mod watch_client;
#[cfg(feature = "serve")]
mod watching;
#[cfg(feature = "serve")]
mod witnessed;
mod words;
