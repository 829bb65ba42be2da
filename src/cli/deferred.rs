//! The arguments of a command that are defined only once it is typed.
//!
//! Responsible for that: a start that parses one command defines not those of all others. Not for a command that has commands of its own,
//! whose help is put together from theirs.

use std::ops::Deref;

use clap::builder::Resettable;
use clap::error::Result;
use clap::{ArgMatches, Args, Command, FromArgMatches, Id};

/// Arguments `T`, defined where a command is built.
#[derive(Debug)]
pub(super) struct Deferred<T>(T);

/// Defines the arguments of a command, which keeps what it says of itself.
fn define<T: Args>(command: Command) -> Command {
    let (about, long_about) = (command.get_about().cloned(), command.get_long_about().cloned());
    T::augment_args(command).about(Resettable::from(about)).long_about(Resettable::from(long_about))
}

impl<T: Args> Args for Deferred<T> {
    fn augment_args(command: Command) -> Command {
        command.defer(define::<T>)
    }

    fn augment_args_for_update(command: Command) -> Command {
        T::augment_args_for_update(command)
    }

    fn group_id() -> Option<Id> {
        T::group_id()
    }
}

impl<T: FromArgMatches> FromArgMatches for Deferred<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self> {
        T::from_arg_matches(matches).map(Self)
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self> {
        T::from_arg_matches_mut(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<()> {
        self.0.update_from_arg_matches(matches)
    }
}

impl<T> Deref for Deferred<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
