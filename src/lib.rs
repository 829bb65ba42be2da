//! The gate in front of an emergency deploy: it reads the Phabricator or Phorge task that the deploy refers to, decides by a
//! policy whether the deploy may happen, runs it, and records on the task who approved it, what ran and how it ended.
//!
//! The crate is the command `phabgate` and the library below it. What the command does is in the README; this page says
//! where things are. Data takes one way:
//!
//! ```text
//!   argv, environment, file        cli, host
//!            │
//!        settings                  config: every value checked, with its origin
//!            │
//!        evidence                  evidence, over conduit: the task, its whole history, people and teams,
//!            │                     read until it is known to be whole
//!         verdict                  rules: a pure function of evidence, policy and time
//!            │
//!         (child)                  deploy: the command, run as the one who called
//!            │
//!          record                  record: a comment for people that parses back
//!            │
//!         journal                  journal: on the disk before the step that it is about
//!            │
//!          publish                 publish: on the task exactly once
//! ```
//!
//! [`gate`] holds the use cases that go this way: assess, wait, run, record, deliver.
//!
//! Three types keep the way. A [`rules::Clearance`] comes out of nothing but an evaluation that allows the deploy, and
//! without one none is run. A [`deploy::plan::Ready`] is a command that was found and can be run. A
//! [`journal::Ownership`] is the right to write the events of one deploy.
//!
//! Beside the way: [`audit`] judges deploys afterwards, from a mirror of what was read, and [`report`] prints what it
//! found; [`history`] prints what happened on a task, in order; [`answer`] and [`request`] plan what an approver or a
//! requester writes, [`announce`] words the message for IRC, [`train`] knows who conducts the train, and [`doctor`] checks
//! the setup. [`host`] is the machine: caller, token, state directory. [`policy`] is the policy as data and its matching of
//! words. [`irc`] says lines on IRC and hears what is asked there. [`sandbox`] is the server that stands in for Phorge, [`system_log`] writes to the log of the machine, and [`crash`]
//! marks the places where tests kill the gate. Below all of them: [`remarkup`] splits texts into
//! blocks, [`text`] makes what others wrote fit to be shown, [`secrets`] knows what looks like one, [`safe_path`] and
//! [`named_file`] open files that nobody else may have put there, [`task_argument`] reads the task that a command line
//! names, and [`ids`] and [`time`] hold what is shared.
//!
//! Deciding and wording are pure functions over data, with the time passed in; asking, writing and printing are a thin
//! shell around them. `ARCHITECTURE.md` says how the modules depend on each other, and `docs/GLOSSARY.md` what the words
//! mean. Every module says at its head what it is responsible for and what not.

pub mod announce;
pub mod answer;
pub mod attribution;
pub mod audit;
pub mod cli;
pub mod conduit;
pub mod config;
pub mod crash;
pub mod deploy;
pub mod doctor;
pub mod evidence;
#[doc(hidden)]
pub mod fuzzing;
pub mod gate;
pub mod history;
pub mod host;
pub mod ids;
pub mod irc;
pub mod journal;
pub mod layout;
pub mod local_deploy;
pub mod named_file;
pub mod notice;
pub mod paging;
pub mod policy;
pub mod publish;
pub mod random;
pub mod record;
pub mod remarkup;
pub mod report;
pub mod request;
pub mod rules;
pub mod safe_path;
pub mod sandbox;
pub mod secrets;
#[cfg(feature = "serve")]
pub mod serve;
pub mod system_log;
pub mod task_argument;
pub mod text;
pub mod time;
pub mod train;
pub mod view;
pub mod watch_client;
pub mod witness;
