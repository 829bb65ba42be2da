//! Who is asked for the approval of a team: its members who could give it, those on call first.
//!
//! Responsible for that as a pure function, and for reading names from what a program or a file says. Who is on call narrows whom to ask
//! and to page, never who may approve; where it is not known the whole team is asked, and that is said. Not responsible for running the
//! program ([`super::on_call_source`]).

use crate::rules::TeamCount;
use crate::text::{inert, is_hidden, shorten};

/// The most names that are read.
const MOST: usize = 100;
/// The longest name.
const LONGEST: usize = 64;

/// Who is on call for a team, as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnCall {
    /// Nothing is configured that would say so.
    NotSet,
    /// These usernames.
    Names(Vec<String>),
    /// It could not be read, and why.
    Unreadable(String),
}

/// Who is asked for a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhoToAsk {
    /// The usernames of those on call who could approve.
    pub on_call: Vec<String>,
    /// Those of the others who could.
    pub others: Vec<String>,
    /// Why the whole team is asked though it is set who is on call.
    pub note: Option<String>,
}

impl WhoToAsk {
    /// Those who are asked: those on call, else the whole team.
    pub fn asked(&self) -> &[String] {
        if self.on_call.is_empty() { &self.others } else { &self.on_call }
    }
}

/// Who is asked of those who could approve for a team: enabled members that are not behind the deploy and fill no slot yet.
pub fn who_to_ask(team: &TeamCount, on_call: &OnCall) -> WhoToAsk {
    let everybody = |note: Option<String>| WhoToAsk { on_call: Vec::new(), others: team.could.clone(), note };
    let names = match on_call {
        OnCall::NotSet => return everybody(None),
        OnCall::Unreadable(why) => {
            return everybody(Some(format!("who is on call cannot be read ({why}), so the whole team is asked")));
        }
        OnCall::Names(names) if names.is_empty() => {
            return everybody(Some("nobody is on call, so the whole team is asked".to_owned()));
        }
        OnCall::Names(names) => names,
    };
    let is_on_call = |name: &&String| names.iter().any(|on_call| on_call.eq_ignore_ascii_case(name));
    let (on_call, others): (Vec<&String>, Vec<&String>) = team.could.iter().partition(is_on_call);
    if on_call.is_empty() {
        let names: Vec<String> = names.iter().map(|name| inert(name)).collect();
        let note = format!("none of those on call could approve ({}), so the whole team is asked", names.join(", "));
        return everybody(Some(note));
    }
    let owned = |names: Vec<&String>| names.into_iter().cloned().collect();
    WhoToAsk { on_call: owned(on_call), others: owned(others), note: None }
}

/// The usernames in a text, one a line, each once, in its order. Blank lines and what follows a `#` are passed over, and an `@` before a
/// name.
///
/// # Errors
/// Where a line is no username, or there are too many: what is read only in part would leave somebody out.
pub fn names(text: &str) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::new();
    // What some editors write before a text is none of it.
    for line in text.strip_prefix('\u{feff}').unwrap_or(text).lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let name = line.strip_prefix('@').unwrap_or(line);
        if name.is_empty() {
            continue;
        }
        let right = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if name.len() > LONGEST || !name.chars().all(right) {
            return Err(match name.chars().find(|c| is_hidden(*c)) {
                Some(hidden) => format!("a name holds the invisible character U+{:04X}", u32::from(hidden)),
                None => format!("`{}` is not a username", shorten(&inert(name), LONGEST)),
            });
        }
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name.to_owned());
        }
        if names.len() > MOST {
            return Err(format!("there are more than {MOST} names"));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn team(could: &[&str]) -> TeamCount {
        let could = could.iter().map(|name| (*name).to_owned()).collect();
        TeamCount { team: "sre".into(), title: "SRE".into(), need: 1, by: vec![], could }
    }

    fn on_call(names: &[&str]) -> OnCall {
        OnCall::Names(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn those_on_call_are_asked_first_and_where_that_is_not_known_everybody_is() {
        let who = who_to_ask(&team(&["sre1", "sre2", "sre3"]), &on_call(&["SRE2", "elsewhere"]));
        assert_eq!(
            (who.asked(), who.others.as_slice()),
            (&["sre2".to_owned()][..], &["sre1".into(), "sre3".into()][..])
        );
        assert_eq!(who.note, None);
        for (known, said) in [
            (OnCall::Unreadable("it took longer than 10 s".into()), Some("cannot be read (it took longer than 10 s)")),
            (on_call(&[]), Some("nobody is on call")),
            (on_call(&["deployer1"]), Some("none of those on call could approve (deployer1)")),
            (OnCall::NotSet, None),
        ] {
            let who = who_to_ask(&team(&["sre1", "sre2"]), &known);
            assert_eq!(who.asked(), ["sre1", "sre2"], "{known:?}");
            match (who.note, said) {
                (Some(note), Some(said)) => assert!(note.contains(said), "{note}"),
                (note, said) => assert_eq!(note.as_deref(), said),
            }
        }
    }

    #[test]
    fn names_stand_one_a_line() {
        assert_eq!(names("# primary\n@sre1\n\nsre2  # until noon\nSRE1\n"), Ok(vec!["sre1".into(), "sre2".into()]));
        assert_eq!(names(""), Ok(vec![]));
        assert!(names("<html>").unwrap_err().contains("is not a username"));
        assert!(names("sre1 sre2").is_err() && names(&"a".repeat(65)).is_err());
        let many: String = (0..=MOST).map(|n| format!("sre{n}\n")).collect();
        assert!(names(&many).is_err());
    }

    proptest! {
        #[test]
        fn nobody_is_asked_who_could_not_approve(
            could in prop::collection::btree_set("[a-d]", 0..4),
            called in prop::collection::vec("[a-f]", 0..4),
        ) {
            let could: Vec<String> = could.into_iter().collect();
            let team = TeamCount { could: could.clone(), ..team(&[]) };
            let who = who_to_ask(&team, &OnCall::Names(called));
            prop_assert!(who.asked().iter().all(|name| could.contains(name)));
            prop_assert_eq!(who.asked().is_empty(), could.is_empty());
            let mut all: Vec<String> = who.on_call.iter().chain(&who.others).cloned().collect();
            all.sort();
            prop_assert_eq!(all, could);
        }
    }
}
