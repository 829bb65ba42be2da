//! What is answered to a line that is no command and looks like one: what is wrong with it, and what to write in this very case.
//!
//! Responsible for the words, and for the team that is most likely meant. The code of what would be approved is never in them: whoever approves has
//! to look. Not responsible for what is a near miss ([`crate::irc::bot`]), nor for which of them are answered.

use super::sentence::is_restricted;
use crate::irc::bot::{NearMiss, Verb};
use crate::irc::{Draft, Line};
use crate::policy::Policy;
use crate::serve::board::WatchedTask;

/// How many words the name of a team has at most.
const TEAM_WORDS: usize = 8;

/// What is said of it. `watched` is the emergency that it names; without one its number is not repeated. `user` is the account on the server of the
/// tasks of who said it, where that is known.
pub(super) fn near_miss(
    nick: &str,
    miss: &NearMiss,
    watched: Option<&WatchedTask>,
    user: Option<&str>,
    policy: &Policy,
) -> Line {
    let draft = watched.map_or_else(Draft::about_none, |watched| Draft::about(watched.task));
    let task = watched.map_or_else(|| "T…".to_owned(), |watched| watched.task.to_string());
    let team = watched.filter(|watched| !is_restricted(watched)).and_then(|watched| team(miss, watched, user, policy));
    let written = miss.verb.written(&task, team.as_deref().unwrap_or("TEAM"));
    let draft = draft.quoted(nick).words(&format!(": NOT understood ({}). It is written {written}", miss.flaw));
    let code = if miss.verb == Verb::Approve { format!("; !status {task} says the code") } else { String::new() };
    draft.words(&code).finish()
}

/// The key of the team that a yes is most likely for: the one that it names, else the only one that it can be for.
fn team(miss: &NearMiss, watched: &WatchedTask, user: Option<&str>, policy: &Policy) -> Option<String> {
    let words: Vec<&str> = miss.rest.split_whitespace().collect();
    let named = (1..=words.len().min(TEAM_WORDS)).rev().find_map(|count| policy.team_named(&words[..count].join(" ")));
    if let Some(team) = named {
        return Some(team.key.clone());
    }
    let could = |team: &&crate::rules::TeamCount| {
        user.is_none_or(|user| team.could.iter().any(|name| name.eq_ignore_ascii_case(user)))
    };
    let mut missing = watched.verdict.missing_teams().filter(could);
    let first = missing.next()?;
    missing.next().is_none().then(|| first.team.clone())
}

/// What is answered to what was meant as a word about a deploy, where none of its kind is taken here.
pub(super) fn nothing_here(nick: &str, verb: Verb) -> Line {
    let (what, key) = match verb {
        Verb::Reject => ("recorded", "Emergency-Reject"),
        Verb::Withdraw => ("recorded", "Emergency-Withdraw"),
        _ => ("an approval", "Emergency-Approve"),
    };
    let words = format!(": nothing that is said here is {what}. Write on the task, alone on a line, \"{key}: TEAM\"");
    Draft::about_none().quoted(nick).words(&words).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::History;
    use crate::irc::bot::Flaw;
    use crate::serve::testing::watched;

    fn said(history: &History, miss: &NearMiss, user: Option<&str>) -> String {
        near_miss("sre1", miss, Some(&watched(history)), user, &history.policy).as_str().to_owned()
    }

    fn miss(verb: Verb, rest: &str, flaw: Flaw) -> NearMiss {
        NearMiss { verb, task: "T1".parse().ok(), rest: rest.to_owned(), flaw }
    }

    #[test]
    fn what_to_write_names_the_task_and_the_team_and_where_the_code_is_and_never_the_code() {
        let mut history = History::emergency();
        history.policy.accept_witnessed = true;
        let yes = |rest: &str| miss(Verb::Approve, rest, Flaw::NoMark);
        let written = |team: &str| {
            format!(
                "sre1: NOT understood (no ! stands before the word). It is written !approve T1 {team} CODE; !status T1 says the code"
            )
        };
        let code = watched(&history).subject.code.unwrap();
        for (rest, user, team) in [
            ("sre", None, "sre"),
            (&*format!("release engineering {code}"), Some("sre1"), "releng"),
            ("please", Some("sre1"), "sre"),
            ("", Some("both"), "TEAM"),
            ("T99 \u{3}04", None, "TEAM"),
        ] {
            assert_eq!(said(&history, &yes(rest), user), written(team), "{rest} of {user:?}");
        }
        history.comment("releng1", 10, "Emergency-Approve: releng");
        assert_eq!(said(&history, &yes(""), None), written("sre"), "no other is missing");
        history.task.view = "PHID-PLCY-1".into();
        assert_eq!(said(&history, &yes("sre"), None), written("TEAM"));
    }

    #[test]
    fn a_word_that_means_no_is_answered_with_the_no_of_that_task() {
        let no = miss(Verb::Reject, "to be sure", Flaw::OtherWord);
        let line = said(&History::emergency(), &no, None);
        assert_eq!(line, "sre1: NOT understood (that word counts for nothing). It is written !reject T1 - WHY");
        let together = miss(Verb::Reject, "", Flaw::NoBlank);
        let line = said(&History::emergency(), &together, None);
        assert_eq!(line, "sre1: NOT understood (no blank stands before the task). It is written !reject T1 - WHY");
        // Of what is no emergency no number is repeated.
        let unknown =
            near_miss("\u{3}x", &miss(Verb::Approve, "sre", Flaw::NoCode), None, None, &History::emergency().policy);
        let written = "(no code of what is approved stands behind the team). It is written !approve T… TEAM CODE; !status T… says the code";
        assert!(unknown.as_str().ends_with(written), "{unknown:?}");
        assert!(!unknown.as_str().contains('\u{3}'));
        let line = nothing_here("sre1", Verb::Reject);
        let written = "Write on the task, alone on a line, \"Emergency-Reject: TEAM\"";
        assert!(line.as_str().ends_with(written), "{line:?}");
    }
}
