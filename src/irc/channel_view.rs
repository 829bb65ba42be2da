//! What a network shows of a channel to somebody who is not in it, as data.
//!
//! Responsible for the types alone, which who reads them needs in a build without the bot too. Not responsible for asking, nor for what of an
//! answer means what (`bot::channel_view`).

/// What the network shows of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelView {
    /// Its name, as the configuration writes it.
    pub name: String,
    /// What was answered.
    pub shown: Shown,
}

/// What was answered about a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Nothing yet.
    Nothing,
    /// That there is none: nobody is in it, or it is secret.
    NoChannel,
    /// How it is set.
    Modes {
        /// The letters of its modes.
        letters: String,
        /// What keeps people out, or may.
        barriers: Vec<Barrier>,
    },
}

/// What keeps people out of a channel, or may keep them from speaking there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Barrier {
    /// It lets in nobody who is not invited, or excepted from it (+i).
    InviteOnly,
    /// It lets in nobody who does not know its key (+k).
    Key,
    /// It lets in nobody who is logged in with no services account.
    AccountsOnly,
    /// Only those may speak in it who have a voice, or more (+m).
    Moderated,
    /// It lets in a limited number of people (+l). Whether they are that many is not seen from outside.
    Limit,
    /// Who may not join is sent to another channel, by the mode of this letter.
    Forward(char),
}
