//! Sending the call into the channel, for the commands that print it.
//!
//! Responsible for whether it is sent and by which way, for the one attempt, and for what is said of how that ended. Nobody is paged by it:
//! that is `page`. Not responsible for the words ([`super::call`]), nor for a line being handed over once at most ([`crate::irc`]).

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::call::Call;
use super::exit::{Exit, Failure};
use super::session::Session;
use super::ui::Ui;
use super::watched::whether_it_asks;
use crate::config::WhoAsks;
use crate::ids::TaskId;
use crate::irc::HostPort;
use crate::irc::tcpircbot::{Handed, Patience, hand};
use crate::layout::hanging;
use crate::rules::Decision;

/// Whether the message is sent.
#[derive(Debug, clap::Args)]
pub(super) struct SendArgs {
    /// Say the message in the channel, through the tcpircbot of the configuration
    #[arg(long, overrides_with = "no_send")]
    send: bool,
    /// Only print the message, also where `announce.send` is set
    #[arg(long, overrides_with = "send")]
    no_send: bool,
}

/// By which way the message goes into the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending<'a> {
    /// By none: it is only printed.
    NotWanted,
    /// By none: root's rights are used for somebody who may read and nothing else.
    NotTheirs,
    /// By this one.
    Wanted(Way<'a>),
}

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way<'a> {
    /// The watch that answers there asks by itself.
    ByWatch(&'a str),
    /// The watch asks whose bot is configured here, where it answers there; else it goes through what takes lines.
    ByOwnWatch(&'a str, Option<&'a HostPort>),
    /// What takes lines there.
    Through(&'a HostPort),
}

/// How much of the message somebody still has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeftToSay {
    /// All of it: nobody said it.
    All,
    /// It, where it is not in the channel.
    Perhaps,
    /// Nothing, or nothing before the channel was looked at.
    Nothing,
}

/// What became of the message, for programs too; fields are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Sent {
    outcome: Outcome,
    /// Through what it was sent, or was to be.
    through: Option<String>,
    /// The line; `None` where it was not to be sent.
    line: Option<String>,
    /// Why it was not sent, or why that is not clear.
    why: Option<String>,
    /// What is left to say.
    #[serde(skip)]
    pub(super) left: LeftToSay,
    /// How the command ends for it.
    #[serde(skip)]
    pub(super) exit: Exit,
}

/// What is known of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    /// It was taken.
    Sent,
    /// It surely was not.
    NotSent,
    /// It may have been.
    Unclear,
}

impl<'a> Sending<'a> {
    /// The way, found before anything is done.
    ///
    /// # Errors
    /// Where it is to be sent, and nothing is configured that would take it, or the caller may not send anything.
    pub(super) fn of(args: &SendArgs, session: &'a Session) -> Result<Self, Failure> {
        let settings = &session.settings;
        if !args.send && (args.no_send || !settings.announce.send) {
            return Ok(Self::NotWanted);
        }
        // What is said there is said for the site. Who may only read is shown the message all the same.
        match args.send {
            true => session.caller_may_deploy(None)?,
            false if !session.is_deployer() => return Ok(Self::NotTheirs),
            false => {}
        }
        let own = match &settings.announce.asks {
            Some(WhoAsks::Named(watch)) => return Ok(Self::Wanted(Way::ByWatch(watch))),
            Some(WhoAsks::Own(watch)) => Some(watch),
            None => None,
        };
        match (&settings.irc.tcpircbot, own) {
            (None, Some(own)) => Ok(Self::Wanted(Way::ByOwnWatch(own, None))),
            (None, None) => Err(Failure::usage(
                "nothing is configured through which the message could be sent",
                "set `tcpircbot` in the table [irc] of the configuration; where a watch is on IRC, `watch.url`: it asks by itself",
            )),
            (Some(host), _) if session.is_sandbox() && !host.is_this_machine() => Err(Failure::usage(
                "the sandbox asks nobody: its lines go to a tcpircbot of this machine alone",
                "leave `--config` out, or name a tcpircbot on loopback",
            )),
            (Some(host), Some(own)) => Ok(Self::Wanted(Way::ByOwnWatch(own, Some(host)))),
            (Some(host), None) => Ok(Self::Wanted(Way::Through(host))),
        }
    }

    /// Sends the message of a call once, where it is wanted and somebody can do what it asks for; `None` where nobody wanted it.
    pub(super) async fn send(
        self,
        call: &Call<'_>,
        task: TaskId,
        decision: &Decision,
        needs_deployer: bool,
        session: &Session,
        ui: &mut Ui,
    ) -> Option<Sent> {
        let way = match self {
            Self::NotWanted => return None,
            Self::NotTheirs => {
                return Some(Sent::not("who is no deployer on this machine sends nothing".into(), Exit::Done));
            }
            Self::Wanted(way) => way,
        };
        if let Some((why, exit)) = withheld(decision, needs_deployer) {
            return Some(Sent::not(why.to_owned(), exit));
        }
        let host = match way {
            // The sandbox asks nobody, a watch neither.
            Way::ByWatch(watch) | Way::ByOwnWatch(watch, None) if session.is_sandbox() => {
                return Some(Sent::not(format!("the watch at {watch} asks, though not in the sandbox"), Exit::Done));
            }
            Way::ByOwnWatch(_, Some(host)) if session.is_sandbox() => host,
            Way::ByWatch(watch) | Way::ByOwnWatch(watch, _) if needs_deployer => {
                match &session.settings.irc.tcpircbot {
                    Some(host) => host,
                    None => return Some(not_by_watch(watch, "it asks for approvals, and for nobody who deploys")),
                }
            }
            Way::ByWatch(watch) => {
                return Some(match says(watch, task, session, ui).await {
                    Ok(Says::HasAsked) => has_asked(watch),
                    // Behind a sign-in nobody says whether it asks.
                    Ok(Says::Nothing) => Sent {
                        left: LeftToSay::Perhaps,
                        ..Sent::not(
                            format!(
                                "the watch at {watch} is to ask, which cannot be seen from here; look into the channel"
                            ),
                            Exit::Done,
                        )
                    },
                    Ok(Says::HasNotAsked) => has_not_asked(watch),
                    Ok(Says::InNoChannel) => not_by_watch(watch, IN_NO_CHANNEL),
                    Err(why) => not_by_watch(watch, &why),
                });
            }
            Way::ByOwnWatch(watch, through) => match (says(watch, task, session, ui).await, through) {
                (Ok(Says::HasAsked), _) => return Some(has_asked(watch)),
                // It may still ask, and nothing is said twice.
                (Ok(Says::HasNotAsked), _) => return Some(has_not_asked(watch)),
                (_, Some(host)) => host,
                (Ok(Says::InNoChannel), None) => return Some(not_by_watch(watch, IN_NO_CHANNEL)),
                (said, None) => {
                    let why = said.err().unwrap_or_else(|| "what answers there is none".to_owned());
                    return Some(not_by_watch(watch, &format!("{why}; where it runs elsewhere, set `watch.url`")));
                }
            },
            Way::Through(host) => host,
        };
        ui.status(Some(&format!("saying it through {host}")));
        let handed = hand(host, call.line(), &Patience::default()).await;
        ui.status(None);
        Some(Sent::handed(handed, host, call.line().as_str()))
    }
}

/// What a watch says of its bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// It has asked for the task in its channel.
    HasAsked,
    /// It is in its channel, and has not asked for the task.
    HasNotAsked,
    /// Its bot is in no channel, or may not speak there.
    InNoChannel,
    /// What answers there does not say it.
    Nothing,
}

/// What is said of a watch whose bot is in no channel, or may not speak there.
const IN_NO_CHANNEL: &str =
    "its bot is in no channel now, or may not speak there: its log says why, and so does `phabgate doctor` beside it";

/// How long it may take until a watch has asked for what was tagged just now.
const ASKED_WITHIN: Duration = Duration::from_secs(10);
/// How often it is asked meanwhile.
const PAUSE: Duration = Duration::from_millis(500);

/// What answers there says of a task; an error where nothing does.
async fn says(watch: &str, task: TaskId, session: &Session, ui: &mut Ui) -> Result<Says, String> {
    let until = Instant::now() + ASKED_WITHIN;
    loop {
        let answer = whether_it_asks(watch, Some(task), session).await;
        let answer = answer.map_err(|why| format!("it does not answer: {why}"));
        let says = answer.map(|answer| match (answer.asks, answer.asked) {
            (Some(false), _) => Says::InNoChannel,
            (None, _) | (Some(true), None) => Says::Nothing,
            (Some(true), Some(true)) => Says::HasAsked,
            (Some(true), Some(false)) => Says::HasNotAsked,
        });
        if says != Ok(Says::HasNotAsked) || Instant::now() >= until {
            ui.status(None);
            return says;
        }
        ui.status(Some(&format!("waiting until the watch at {watch} has asked")));
        tokio::time::sleep(PAUSE).await;
    }
}

fn has_asked(watch: &str) -> Sent {
    let why = format!("the watch at {watch} has asked in its channel");
    Sent { left: LeftToSay::Nothing, ..Sent::not(why, Exit::Done) }
}

/// What is said of a watch that did not ask, for all the time it had.
fn has_not_asked(watch: &str) -> Sent {
    not_by_watch(watch, &format!("it has not asked for {} s: its log may say why", ASKED_WITHIN.as_secs()))
}

/// What is said where a watch was to ask, and why it does not.
fn not_by_watch(watch: &str, why: &str) -> Sent {
    Sent::not(format!("the watch at {watch} is to ask, and {why}"), Exit::Incomplete)
}

/// Why nothing is sent though somebody wants it, and how the command ends then: what nobody can mend by an answer is asked for in vain,
/// and asked for again later.
fn withheld(decision: &Decision, needs_deployer: bool) -> Option<(&'static str, Exit)> {
    match decision {
        Decision::Denied => Some(("an approval would not be enough for the task as it is", Exit::Denied)),
        // Who deploys is all that can still be missing.
        Decision::Allowed(_) if !needs_deployer => Some(("nothing is needed", Exit::Done)),
        // Help is asked for also where the server does not answer.
        Decision::Allowed(_) | Decision::Pending | Decision::Undecided => None,
    }
}

impl Sent {
    fn not(why: String, exit: Exit) -> Self {
        Self { outcome: Outcome::NotSent, through: None, line: None, why: Some(why), left: LeftToSay::All, exit }
    }

    fn handed(handed: Handed, host: &HostPort, line: &str) -> Self {
        let (outcome, why, exit) = match handed {
            Handed::Taken => (Outcome::Sent, None, Exit::Done),
            Handed::NotTaken { why } => (Outcome::NotSent, Some(why), Exit::Incomplete),
            Handed::NothingToSay => (Outcome::NotSent, Some("there is nothing to say".to_owned()), Exit::Incomplete),
            Handed::Unclear { why } => (Outcome::Unclear, Some(why), Exit::Incomplete),
        };
        let left = if outcome == Outcome::NotSent { LeftToSay::All } else { LeftToSay::Nothing };
        Self { outcome, through: Some(host.to_string()), line: Some(line.to_owned()), why, left, exit }
    }

    /// What became of it, for people. The line is one however narrow the terminal is, as the message is.
    pub(super) fn text(&self, width: usize) -> String {
        let why = self.why.as_deref().unwrap_or_default();
        let through = self.through.as_deref().unwrap_or_default();
        let lines = |label: &str, words: &str| hanging(label, label.len(), words, width);
        let line = self.line.as_ref().map_or(String::new(), |line| format!("  {line}\n"));
        match (self.outcome, self.exit) {
            (Outcome::NotSent, _) if self.left == LeftToSay::Nothing => lines("Nothing to paste: ", &format!("{why}.")),
            (Outcome::Sent, _) => lines("Sent ", &format!("through {through}:")) + &line,
            (Outcome::NotSent, Exit::Incomplete) => lines("NOT sent: ", &format!("{why}. Say it yourself.")),
            (Outcome::NotSent, _) => lines("Not sent: ", &format!("{why}.")),
            (Outcome::Unclear, _) => {
                let words = format!("{why}. It is not sent again; look into the channel whether this is there:");
                lines("Perhaps NOT sent: ", &words) + &line
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_can_mend_by_an_answer_is_not_asked_for() {
        assert_eq!(withheld(&Decision::Denied, true).unwrap().1, Exit::Denied);
        for asked in [Decision::Pending, Decision::Undecided] {
            assert_eq!(withheld(&asked, false), None);
        }
    }

    #[test]
    fn what_became_of_a_line_is_said_in_words_and_for_programs() {
        let host = "tcpircbot.example:9200".parse().unwrap();
        let of = |handed| Sent::handed(handed, &host, "help! T1");
        let why = || "no connection".to_owned();
        for (sent, exit, text, word) in [
            (of(Handed::Taken), Exit::Done, "Sent through tcpircbot.example:9200:\n  help! T1\n", "sent"),
            (
                of(Handed::NotTaken { why: why() }),
                Exit::Incomplete,
                "NOT sent: no connection. Say it yourself.\n",
                "not-sent",
            ),
            (
                of(Handed::Unclear { why: why() }),
                Exit::Incomplete,
                "Perhaps NOT sent: no connection. It is not sent again; look into the channel whether this is there:\n  help! T1\n",
                "unclear",
            ),
            (
                has_asked("https://watch.example/"),
                Exit::Done,
                "Nothing to paste: the watch at https://watch.example/ has asked in its channel.\n",
                "not-sent",
            ),
        ] {
            assert_eq!((sent.exit, sent.text(500).as_str()), (exit, text));
            assert_eq!(serde_json::to_value(&sent).unwrap()["outcome"], word);
        }
    }
}
