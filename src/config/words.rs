//! Words that would mean two things: no two teams, and no two reasons, may answer to the same one.

use std::collections::BTreeMap;

use super::diagnostic::{Diagnostic, Place};
use super::file::{FileReason, FileTeam};
use super::reader::{Found, Problems};
use super::values::word;

/// A word, where it stands, and whose it is.
struct Word<'a> {
    text: &'a Found<String>,
    owner: &'a str,
    /// A hashtag may serve two teams: the same people, asked for two things.
    hashtag: bool,
}

/// Adds a diagnostic for each word that two teams or two reasons share.
pub(super) fn collisions(teams: &[FileTeam], reasons: &[FileReason], problems: &Problems) {
    let mut words = Vec::new();
    for team in teams {
        let owner = team.key.value.as_str();
        let aliases = team.aliases.iter().flat_map(|aliases| &aliases.value);
        let texts = [Some(&team.key), team.title.as_ref()].into_iter().flatten().chain(aliases);
        words.extend(texts.map(|text| Word { text, owner, hashtag: false }));
        words.extend(team.project.iter().map(|text| Word { text, owner, hashtag: true }));
    }
    among("teams", words, problems);
    let mut words = Vec::new();
    for reason in reasons {
        let owner = reason.key.value.as_str();
        let aliases = reason.aliases.iter().flat_map(|aliases| &aliases.value);
        let texts = [Some(&reason.key), reason.title.as_ref()].into_iter().flatten().chain(aliases);
        words.extend(texts.map(|text| Word { text, owner, hashtag: false }));
    }
    among("reasons", words, problems);
}

fn among(kind: &str, words: Vec<Word<'_>>, problems: &Problems) {
    let mut seen: BTreeMap<String, Vec<Word<'_>>> = BTreeMap::new();
    for new in words {
        let same = seen.entry(word(&new.text.value)).or_default();
        if let Some(old) = same.iter().find(|old| old.owner != new.owner && !(old.hashtag && new.hashtag)) {
            let message = format!("the {kind} `{}` and `{}` share the word `{}`", old.owner, new.owner, new.text.value);
            let help = "give each its own: case, spaces and hyphens make no difference".to_owned();
            let place: &Place = &new.text.place;
            problems.add(Diagnostic::new(place, message).help(help).context(&old.text.place, "the same word"));
        }
        same.push(new);
    }
}
