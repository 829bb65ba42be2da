//! A witness: what the watch heard somebody say on IRC, as it writes it on the task.
//!
//! Responsible for the witness as data, its comment, and reading it back from one. Not responsible for whose comments are believed, nor for what
//! counts (`evidence` and `rules`), nor for who may say what on IRC.
//!
//! A witness looks like this:
//!
//! ````text
//! **Heard on IRC: `sre1` says yes for `sre`**, in `#example` of `irc.example` at 2026-11-28 03:10 UTC.
//!
//! ```lang=json, lines=2
//! {"schema": "phabgate/witness/1",
//! …}
//! ```
//! ````

mod code;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::code::{Code, CodeError};
use crate::ids::{Phid, TaskId, TransactionId, User};
use crate::remarkup::{JsonBlock, code, code_short, inert_json, json_block};
use crate::time::utc;

/// The schema of the block of a witness.
pub const SCHEMA: &str = "phabgate/witness/1";

/// How many columns of what was said are kept.
pub const WORDS: usize = 300;
/// How many columns of a name are shown.
const NAME: usize = 64;

/// What was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WitnessedWord {
    /// Yes.
    Approve,
    /// Never mind.
    Withdraw,
    /// No.
    Reject,
}

/// What somebody said on IRC, as the block of a witness holds it; fields are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// [`SCHEMA`].
    pub schema: String,
    /// The task.
    pub task: TaskId,
    /// What was said.
    pub word: WitnessedWord,
    /// The username of who said it, by the mapping of that moment.
    pub user: String,
    /// Their account.
    pub phid: Phid<User>,
    /// The keys of the teams that it is for; empty for all teams that they are in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<String>,
    /// Why, where they said so: at most [`WORDS`] columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The code that they gave with a yes, which names what they approve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// The newest transaction of the task when it was heard.
    pub seen: TransactionId,
    /// When it was said, by the clock of the network.
    pub said: Timestamp,
    /// When it was heard, by the clock of the server.
    pub heard: Timestamp,
    /// On which network.
    pub network: String,
    /// In which channel.
    pub channel: String,
    /// By which account of the network's services.
    pub account: String,
    /// What the network knows the message by.
    pub message: String,
}

/// The comment of a witness.
///
/// ```
/// use phabgate::ids::{Phid, TransactionId};
/// use phabgate::remarkup::JsonBlock;
/// use phabgate::witness::{SCHEMA, Witness, WitnessedWord, parse, render};
/// let witness = Witness {
///     schema: SCHEMA.to_owned(),
///     task: "T1".parse()?,
///     word: WitnessedWord::Approve,
///     user: "sre1".into(),
///     phid: Phid::new("PHID-USER-abc")?,
///     teams: vec!["sre".into()],
///     why: None,
///     code: Some("K7QX".parse()?),
///     seen: TransactionId(7),
///     said: "2026-11-28T03:00:00Z".parse()?,
///     heard: "2026-11-28T03:00:01Z".parse()?,
///     network: "irc.example".into(),
///     channel: "#example".into(),
///     account: "sre1".into(),
///     message: "abc".into(),
/// };
/// assert_eq!(parse(&render(&witness)), JsonBlock::One(witness));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn render(witness: &Witness) -> String {
    #[expect(clippy::expect_used, reason = "a witness has text for keys")]
    let block = inert_json(witness).expect("every witness can be written as JSON");
    format!("{}\n\n```lang=json, lines=2\n{block}\n```\n", text(witness))
}

/// The witness that a comment holds, or that it names the schema of one.
pub fn parse(comment: &str) -> JsonBlock<Witness> {
    json_block(comment, SCHEMA)
}

/// Whether a comment is a witness or claims to be one.
pub fn claims(comment: &str) -> bool {
    parse(comment) != JsonBlock::Absent
}

/// The part for people. What was said is code: it does nothing in Remarkup, and is nobody's answer.
fn text(witness: &Witness) -> String {
    let name = |text: &str| code_short(text, NAME);
    let teams: Vec<String> = witness.teams.iter().map(|team| name(team)).collect();
    let teams = if teams.is_empty() { "all their teams".to_owned() } else { teams.join(", ") };
    let does = match witness.word {
        WitnessedWord::Approve => "says yes",
        WitnessedWord::Withdraw => "takes back what they said",
        WitnessedWord::Reject => "says no",
    };
    let why = match &witness.why {
        Some(why) => format!(" ({})", code_short(why, WORDS)),
        None => String::new(),
    };
    format!(
        "**Heard on IRC: {} {does} for {teams}**{why}, in {} of {} at {}. Whoever did not say that says so there or here: {} takes it back.",
        name(&witness.user),
        name(&witness.channel),
        name(&witness.network),
        utc(witness.said),
        code(&format!("!withdraw {}", witness.task)),
    )
}
