//! What a notice says to people.
//!
//! Responsible for its words, made of what is known and of no text of others that could do anything in Remarkup: nobody is mentioned,
//! and what is to be written never stands alone on a line, since a reply by mail would write it. Not responsible for the block below
//! them ([`super::block`]).

use super::Notice;
use crate::remarkup::{code, code_short};
use crate::time::utc_minute;

/// How many columns of a message are shown.
const MESSAGE: usize = 240;
/// How many columns of a name are shown.
const NAME: usize = 64;
/// How many people are named; of more only the number is said.
const NAMED: usize = 6;
/// How many rules, and lost approvals, are said.
const LISTED: usize = 5;

/// A team whose approval is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingTeam {
    /// Its key.
    pub key: String,
    /// Its title.
    pub title: String,
    /// How many approvals are missing.
    pub missing: usize,
    /// Who could give one.
    pub could: Vec<String>,
}

/// An approval that does not count any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostApproval {
    /// Whose.
    pub user: String,
    /// The key of the team.
    pub team: String,
    /// Why it does not count any more.
    pub why: String,
}

/// What a notice says, by its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Words {
    /// What is missing.
    Missing {
        /// Whose approvals.
        teams: Vec<MissingTeam>,
        /// What else stands in the way, each with what to do.
        others: Vec<(String, Option<String>)>,
    },
    /// An answer that does not count.
    Unread {
        /// Whose.
        user: String,
        /// Why it does not count.
        why: String,
        /// What to write in its place.
        write: String,
    },
    /// Approvals that do not count any more.
    Lost {
        /// Which.
        approvals: Vec<LostApproval>,
    },
    /// Everything is there.
    Ready {
        /// The key of each team and who approved for it.
        by: Vec<(String, String)>,
    },
}

impl Words {
    /// The part of the comment for people.
    pub(super) fn text(&self, notice: &Notice) -> String {
        match self {
            Self::Missing { teams, others } => missing(teams, others),
            Self::Unread { user, why, write } => format!(
                "**An answer does not count.** {}: {}. To answer, write {}, alone on a line and without the marks around it.",
                name(user),
                code_short(why, MESSAGE),
                code(write),
            ),
            Self::Lost { approvals } => lost(approvals),
            Self::Ready { by } => {
                let by: Vec<String> =
                    by.iter().map(|(team, user)| format!("{} ({})", name(user), name(team))).collect();
                let by = if by.is_empty() { String::new() } else { format!(" by {}", by.join(", ")) };
                format!("**Approved**{by}: this emergency deploy may start, as of {}.", utc_minute(notice.at))
            }
        }
    }
}

fn name(text: &str) -> String {
    code_short(text, NAME)
}

/// How somebody approves for a team, within a sentence.
fn approve(key: &str) -> String {
    code(&format!("Emergency-Approve: {key}"))
}

fn missing(teams: &[MissingTeam], others: &[(String, Option<String>)]) -> String {
    let team = |team: &MissingTeam| {
        let many = if team.missing > 1 { format!("{} of ", team.missing) } else { String::new() };
        let who = match team.could.len() {
            0 => "a member".to_owned(),
            some if some <= NAMED => team.could.iter().map(|user| name(user)).collect::<Vec<_>>().join(", "),
            some => format!("any of its {some} members"),
        };
        format!("{many}{} ({who})", name(&team.title))
    };
    let mut text = match teams {
        [] => "**Not allowed yet.**".to_owned(),
        teams => format!(
            "**Not allowed yet**: this emergency deploy needs {}. Whoever of them agrees comments {}, alone on a line and without the \
             marks around it.",
            teams.iter().map(team).collect::<Vec<_>>().join(" and "),
            teams.iter().map(|team| approve(&team.key)).collect::<Vec<_>>().join(" or "),
        ),
    };
    for (message, hint) in others.iter().take(LISTED) {
        text.push_str(&format!("\nIn the way: {}", code_short(message, MESSAGE)));
        if let Some(hint) = hint {
            text.push_str(&format!("; {}", code_short(hint, MESSAGE)));
        }
        text.push('.');
    }
    text + &more(others.len())
}

fn lost(approvals: &[LostApproval]) -> String {
    let mut text = "**An approval does not count any more.**".to_owned();
    for LostApproval { user, team, why } in approvals.iter().take(LISTED) {
        text.push_str(&format!("\nThat of {} for {}: {}.", name(user), name(team), code_short(why, MESSAGE)));
    }
    text.push_str(&more(approvals.len()));
    let mut keys: Vec<&str> = approvals.iter().map(|lost| lost.team.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    let again: Vec<String> = keys.into_iter().take(LISTED).map(approve).collect();
    text + &format!(
        "\nWhoever still agrees, having read what changed, comments {}, alone on a line and without the marks around it.",
        again.join(" or ")
    )
}

/// How many more there are than are listed.
fn more(count: usize) -> String {
    if count > LISTED { format!("\nAnd {} more.", count - LISTED) } else { String::new() }
}
