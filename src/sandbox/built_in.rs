//! The worlds that are built in: one for newcomers, and the one that was recorded of a real server.
//!
//! Responsible for their names and which is made. Not responsible for what is in the newcomers' one ([`super::demo`]), nor for
//! where a world is kept ([`super::store`]).

use std::fmt;
use std::str::FromStr;

use super::demo::{self, DemoError};
use super::world::{World, WorldError};

/// A world that is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BuiltIn {
    /// Made for newcomers: some past deploys and an open emergency in each state, of the day on which it is made, with a guide.
    #[default]
    Demo,
    /// The scenarios that were recorded of a real server: what the tests measure the gate against.
    Recorded,
}

impl BuiltIn {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Demo, Self::Recorded];

    /// The name on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Recorded => "recorded",
        }
    }

    /// The world, as it is made at this time in seconds since 1970.
    ///
    /// # Errors
    /// Where what was built in is damaged, which a test rules out.
    pub fn world(self, now: i64) -> Result<World, BuiltInError> {
        match self {
            Self::Demo => Ok(demo::world(now)?),
            Self::Recorded => Ok(World::built_in()?),
        }
    }
}

impl fmt::Display for BuiltIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a built-in world cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BuiltInError {
    /// The recorded world is damaged.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The story of the newcomers' world is damaged.
    #[error(transparent)]
    Demo(#[from] DemoError),
}

/// Why a text names no built-in world.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the sandbox has no world {0:?}: there are demo and recorded")]
pub struct BuiltInNameError(String);

impl FromStr for BuiltIn {
    type Err = BuiltInNameError;

    fn from_str(text: &str) -> Result<Self, BuiltInNameError> {
        Self::ALL.into_iter().find(|which| which.name() == text).ok_or_else(|| BuiltInNameError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_and_no_other_does() {
        for which in BuiltIn::ALL {
            assert_eq!(which.to_string().parse(), Ok(which));
        }
        assert_eq!("other".parse::<BuiltIn>(), Err(BuiltInNameError("other".to_owned())));
    }
}
