//! Trying out what the bot is set up with: one connection as it would make it, under another nick, which says nothing to anybody but
//! NickServ and asks how the channels are set from outside of them.
//!
//! Responsible for the connection ending by itself, and for disturbing neither the bot that runs nor a channel. Not responsible for what
//! of it is right.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::mailbox::Info;
use super::run::Bot;
use super::settings::{BotSettings, Timings};
use super::state::{BotState, ConnectionState};
use crate::irc::channel_view::{ChannelView, Shown};

/// Its nick: short enough for every network.
const NICK: &str = "pg-doctor";
/// For a connection to be made, and as long again for it to be registered.
const REGISTER: Duration = Duration::from_secs(20);
/// For the network to say how the channels are set.
const VIEW: Duration = Duration::from_secs(5);
/// Longer than any probe takes: a connection that failed is not tried again.
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// What a network shows.
#[derive(Debug)]
pub struct Probe {
    /// The bot as it was once it was registered.
    pub state: BotState,
    /// What the network shows of its channels to who is not in them.
    pub channels: Vec<ChannelView>,
    /// What the services know of each account that was asked about, in that order. Once they are silent nothing more is asked.
    pub accounts: Vec<Info>,
}

/// Why there is nothing that a network shows.
#[derive(Debug)]
pub struct Unreached {
    /// Why, in words for people; text of others may be in them.
    pub why: String,
    /// What to do about it, where that is known.
    pub advice: Option<&'static str>,
}

/// Connects once, logs in, has NickServ asked about these accounts, one in two seconds, and leaves.
///
/// # Errors
/// Where the network was not reached.
pub async fn probe(settings: BotSettings, accounts: &[&str]) -> Result<Probe, Unreached> {
    let timings = Timings { register: REGISTER, reconnect: NEVER, reconnect_most: NEVER, ..settings.timings };
    let looked_at = settings.channels.clone();
    let apart = BotSettings { nick: NICK.to_owned(), channels: Vec::new(), looked_at, timings, ..settings };
    let (bot, handle, heard) = Bot::new(apart);
    // Whoever writes to it is not heard.
    drop(heard);
    let (stop, stopped) = watch::channel(false);
    let ask = async {
        let came =
            |state: &BotState| !matches!(state.connection, ConnectionState::Never | ConnectionState::Registering);
        let state = handle.wait_for(came).await;
        let state = match state {
            Some(BotState { connection: ConnectionState::Lost { why, advice }, .. }) => {
                return Err(Unreached { why, advice });
            }
            Some(state) => state,
            None => return Err(Unreached { why: "the connection ended".to_owned(), advice: None }),
        };
        let mut known = Vec::new();
        for account in accounts {
            let silent = known.last() == Some(&Info::Silent);
            known.push(if silent { Info::Silent } else { handle.info(account).await });
        }
        let answered = |state: &BotState| state.views.iter().all(|view| view.shown != Shown::Nothing);
        // What is not answered in time is not known.
        let _ = timeout(VIEW, handle.wait_for(answered)).await;
        Ok(Probe { state, channels: handle.state().views, accounts: known })
    };
    let asking = async {
        let found = ask.await;
        // It says goodbye, and its run ends.
        let _ = stop.send(true);
        found
    };
    let ((), found) = tokio::join!(bot.run(stopped), asking);
    found
}
