//! The bot as it runs: it connects, reads, writes, and connects again.
//!
//! Responsible for the sockets and the clock, and for both ends of the bot: the handle by which it is asked, and the queue of what it
//! heard. Not responsible for what is decided about a message (`conversation`).

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::connection::{self, UNANSWERED};
use super::conversation::Conversation;
use super::heard_queue::{HeardQueue, Receiver};
use super::mailbox::{Info, Mailbox, MakeLine, Outcome, Target};
use super::rank::{Finality, Rank};
use super::settings::{Authorities, BotSettings};
use super::state::{BotState, ConnectionState};
use crate::irc::line::Line;
use crate::irc::outage::{Failed, Outage};
use crate::irc::wire::{Frames, Message};

/// How often it is looked what is due, where nothing comes.
const TICK: Duration = Duration::from_millis(100);
/// A connection that lasted so long was a good one: the next attempt is made at once.
const LASTING: Duration = Duration::from_secs(60);
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// The bot. It does nothing until it is [run](Self::run).
#[derive(Debug)]
pub struct Bot {
    settings: Arc<BotSettings>,
    mailbox: Arc<Mailbox>,
    heard: Arc<HeardQueue>,
    state: watch::Sender<BotState>,
}

/// How the bot is asked to do something. Cheap to clone; all clones ask the same bot.
#[derive(Debug, Clone)]
pub struct BotHandle {
    settings: Arc<BotSettings>,
    mailbox: Arc<Mailbox>,
    state: watch::Receiver<BotState>,
}

/// Why a connection is over.
enum Over {
    /// The bot was asked to stop.
    Stopped,
    /// It broke, or was never made.
    Lost { why: String, advice: Option<&'static str>, lasted: bool },
}

/// Why a connection broke that was made.
struct Broken {
    why: String,
    advice: Option<&'static str>,
    /// Who answers speaks no IRC: however long it lasted, it was no good connection.
    is_bad: bool,
}

impl Broken {
    fn of(why: String) -> Self {
        Self { why, advice: None, is_bad: false }
    }
}

/// What to do where a port wants TLS.
const WITH_TLS: &str = "if the port in `irc.server` speaks TLS, take `irc.tls = false` out, or name the one without TLS, which often is 6667";

/// Whether what comes first of all is what a port with TLS answers to who speaks none: an alert (RFC 8446, section 5.1).
fn is_tls(first: &[u8]) -> bool {
    matches!(first, [0x15, 0x03, ..])
}

impl Bot {
    /// A bot, the handle by which it is asked, and where what it hears comes out.
    pub fn new(settings: BotSettings) -> (Self, BotHandle, Receiver) {
        let (settings, mailbox, heard) = (Arc::new(settings), Arc::<Mailbox>::default(), Arc::<HeardQueue>::default());
        mailbox.hindered_by("the bot was not connected");
        let first = BotState { nick: settings.nick.clone(), ..BotState::default() };
        let (state, seen) = watch::channel(first);
        let handle = BotHandle { settings: Arc::clone(&settings), mailbox: Arc::clone(&mailbox), state: seen };
        let receiver = Receiver::new(Arc::clone(&heard));
        (Self { settings, mailbox, heard, state }, handle, receiver)
    }

    /// Keeps a connection until `stop` is true, or nobody is there any more who could say so. What waits to be said then is not.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let timings = self.settings.timings;
        let mut outage = Outage::new(timings.reconnect, timings.reconnect_most);
        while !*stop.borrow() {
            let (why, advice, lasted) = match self.connect(&mut outage, stop.clone()).await {
                Over::Stopped => break,
                Over::Lost { why, advice, lasted } => (why, advice, lasted),
            };
            if lasted {
                outage.rested();
            }
            let Failed { wait, report } = outage.failed(Instant::now().into_std(), &why);
            if let Some(report) = report {
                tracing::warn!("IRC: {}; {report}", crate::text::inert(&why));
            }
            self.mailbox.hindered_by(&format!("the bot was not connected: {}", crate::text::inert(&why)));
            self.state.send_modify(|state| {
                let (connections, dropped, nick) = (state.connections, state.dropped, state.nick.clone());
                *state = BotState {
                    connection: ConnectionState::Lost { why, advice },
                    nick,
                    connections,
                    dropped,
                    ..BotState::default()
                };
            });
            tokio::select! {
                () = sleep(wait) => {}
                () = stopped(stop.clone()) => break,
            }
        }
        // What waits is answered as the bot is dropped, which it is too where this future is.
    }

    /// One connection from its beginning to its end.
    async fn connect(&self, outage: &mut Outage, stop: watch::Receiver<bool>) -> Over {
        let failed = |why: String, advice| Over::Lost { why, advice: Some(advice), lasted: false };
        let opened = timeout(self.settings.timings.register, connection::open(&self.settings));
        let stream = tokio::select! {
            opened = opened => match opened {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => return failed(error.to_string(), error.advice()),
                Err(_) => return failed(format!("{} does not answer", self.settings.server), UNANSWERED),
            },
            () = stopped(stop.clone()) => return Over::Stopped,
        };
        let begun = Instant::now();
        let mut conversation = Conversation::new(
            Arc::clone(&self.settings),
            Arc::clone(&self.mailbox),
            Arc::clone(&self.heard),
            begun.into_std(),
        );
        let over = self.converse(stream, &mut conversation, outage, stop).await;
        let lasted = begun.elapsed() >= LASTING;
        match over {
            None => {
                conversation.lost("the bot ended");
                Over::Stopped
            }
            Some(Broken { why, advice, is_bad }) => {
                conversation.lost(&why);
                Over::Lost { why, advice, lasted: lasted && !is_bad }
            }
        }
    }

    /// Reads and writes until the connection is over, for which the reason is returned; none where the bot was asked to stop.
    async fn converse(
        &self,
        stream: Box<dyn connection::Stream>,
        conversation: &mut Conversation,
        outage: &mut Outage,
        stop: watch::Receiver<bool>,
    ) -> Option<Broken> {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut frames = Frames::default();
        let mut bytes = vec![0; 8192];
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut registered = false;
        let mut is_first = true;
        let stopped = stopped(stop);
        tokio::pin!(stopped);
        loop {
            conversation.tick(Instant::now().into_std());
            let output = conversation.take_output();
            if !output.is_empty() {
                let write = async {
                    writer.write_all(output.as_bytes()).await?;
                    writer.flush().await
                };
                match timeout(self.settings.timings.dead_after, write).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        return Some(Broken::of(format!("the connection broke: {}", connection::in_words(&error))));
                    }
                    Err(_) => return Some(Broken::of("the server takes nothing any more".to_owned())),
                }
            }
            if self.publish(conversation, &mut registered)
                && let Some(down) = outage.over(Instant::now().into_std())
            {
                tracing::info!("IRC: on {} again after {} s", self.settings.server, down.as_secs());
            }
            if let Some(why) = conversation.ended() {
                return Some(Broken::of(why.to_owned()));
            }
            tokio::select! {
                () = &mut stopped => {
                    let farewell = async {
                        let _ = writer.write_all(b"QUIT :the watch is ending\r\n").await;
                        let _ = writer.flush().await;
                        let _ = writer.shutdown().await;
                    };
                    let _ = timeout(FAREWELL, farewell).await;
                    return None;
                }
                read = reader.read(&mut bytes) => {
                    let is_first = std::mem::take(&mut is_first) && self.settings.authorities == Authorities::Plain;
                    match read {
                        Ok(count) if is_first && is_tls(&bytes[..count]) => {
                            let why = format!("what answers at {} speaks TLS", self.settings.server);
                            return Some(Broken { advice: Some(WITH_TLS), ..Broken::of(why) });
                        }
                        // Not every server with TLS says so to who speaks none.
                        Ok(0) | Err(_) if is_first => {
                            let why = "the server closed the connection before it said anything".to_owned();
                            return Some(Broken { advice: Some(WITH_TLS), ..Broken::of(why) });
                        }
                        Ok(0) => return Some(Broken::of("the server closed the connection".to_owned())),
                        Ok(count) => {
                            self.take(&bytes[..count], &mut frames, conversation);
                            if frames.is_endless() {
                                let why = "the server sends a line that does not end: what answers is no server of IRC".to_owned();
                                return Some(Broken { is_bad: true, ..Broken::of(why) });
                            }
                        }
                        Err(error) => return Some(Broken::of(format!("the connection broke: {}", connection::in_words(&error)))),
                    }
                },
                () = self.mailbox.came.notified() => {}
                _ = tick.tick() => {}
            }
        }
    }

    fn take(&self, bytes: &[u8], frames: &mut Frames, conversation: &mut Conversation) {
        frames.add(bytes);
        while let Some(line) = frames.next_line() {
            let message = line.map_err(|overlong| overlong.to_string());
            match message.and_then(|line| Message::parse(&line).map_err(|malformed| malformed.to_string())) {
                Ok(message) => conversation.receive(&message, Instant::now().into_std()),
                Err(why) => {
                    self.heard.malformed();
                    tracing::debug!("IRC: what came is no message: {why}");
                }
            }
        }
    }

    /// Shows how the bot is now; returns whether it came on the network since it was last shown.
    fn publish(&self, conversation: &Conversation, registered: &mut bool) -> bool {
        self.mailbox.hindered_by(&conversation.hindrance());
        let is_new = conversation.is_registered() && !std::mem::replace(registered, conversation.is_registered());
        let new = conversation.state(Instant::now().into_std());
        self.state.send_if_modified(|state| {
            let connections = state.connections + u64::from(is_new);
            let new = BotState { connections, dropped: self.heard.dropped(), ..new };
            let has_changed = *state != new;
            *state = new;
            has_changed
        });
        is_new
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        self.mailbox.close();
        self.heard.close();
        self.state.send_modify(|state| {
            *state = BotState { connection: ConnectionState::Ended, nick: state.nick.clone(), ..BotState::default() };
        });
    }
}

impl BotHandle {
    /// Has one line said, once, and returns what became of it. One that nobody began to say `within` this time is not said; one that
    /// was begun is waited for a little longer, for its echo. The line is cut to what fits into a message.
    ///
    /// Dropping the future takes back a line that was not begun.
    pub async fn say(&self, target: Target, line: Line, within: Duration) -> Outcome {
        self.say_made(target, || Some(line), within).await
    }

    /// The same of a line that `make` makes when its turn has come, so that what was true when it was asked for and is not any more is
    /// not said: `None` says nothing ([`NotSaid::Outdated`](super::NotSaid::Outdated)). The bot waits for it, so that it must be quick.
    pub async fn say_made(
        &self,
        target: Target,
        make: impl FnOnce() -> Option<Line> + Send + 'static,
        within: Duration,
    ) -> Outcome {
        self.mailbox.say(target, MakeLine::new(make), (Rank::News, Finality::Other), within).await
    }

    /// Has an answer said when it is its turn by its rank. Of more than a few to one person, or to one host, some are not said
    /// ([`NotSaid::TooMany`](super::NotSaid::TooMany)), and what is final about a word is not among them for what is not. It is made when
    /// its turn has come, as by [`BotHandle::say_made`].
    pub async fn answer(
        &self,
        target: Target,
        rank: Rank,
        finality: Finality,
        make: impl FnOnce() -> Option<Line> + Send + 'static,
        within: Duration,
    ) -> Outcome {
        self.mailbox.say(target, MakeLine::new(make), (rank, finality), within).await
    }

    /// What the services know of an account.
    pub async fn info(&self, account: &str) -> Info {
        self.mailbox.info(account, self.settings.timings.info).await
    }

    /// How the bot is now.
    pub fn state(&self) -> BotState {
        self.state.borrow().clone()
    }

    /// Waits until this holds of the bot, and returns how it is then; `None` where it ended before.
    pub async fn wait_for(&self, holds: impl FnMut(&BotState) -> bool) -> Option<BotState> {
        self.state.clone().wait_for(holds).await.ok().map(|state| state.clone())
    }
}

/// Waits until the bot is to stop, or nobody is there who could say so.
async fn stopped(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
