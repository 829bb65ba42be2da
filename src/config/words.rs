//! Words that would mean two things: no two teams, and no two reasons, may answer to the same one.

use std::collections::BTreeMap;

use super::diagnostic::{Diagnostic, FilePosition};
use super::file::{FileReason, FileTeam};
use super::reader::{Located, Problems};
use crate::policy::normalized;

/// A word, where it stands, and whose it is.
struct WordEntry<'a> {
    text: &'a Located<String>,
    owner: &'a str,
    /// Whether it is the hashtag of the team's project.
    hashtag: bool,
    /// The project of the team that it names. Two teams may share one (the same people, asked for two things), and a
    /// shared hashtag is no collision.
    project: Option<&'a str>,
}

/// Adds a diagnostic for each word that two teams or two reasons share.
pub(super) fn collisions(teams: &[FileTeam], reasons: &[FileReason], problems: &Problems) {
    let mut words = Vec::new();
    for team in teams {
        let owner = team.key.value.as_str();
        let aliases = team.aliases.iter().flat_map(|aliases| &aliases.value);
        let texts = [Some(&team.key), team.title.as_ref()].into_iter().flatten().chain(aliases);
        let project = team.project.as_ref().map(|project| project.value.as_str());
        words.extend(texts.map(|text| WordEntry { text, owner, hashtag: false, project }));
        words.extend(team.project.iter().map(|text| WordEntry { text, owner, hashtag: true, project }));
    }
    among("teams", words, problems);
    let mut words = Vec::new();
    for reason in reasons {
        let owner = reason.key.value.as_str();
        let aliases = reason.aliases.iter().flat_map(|aliases| &aliases.value);
        let texts = [Some(&reason.key), reason.title.as_ref()].into_iter().flatten().chain(aliases);
        words.extend(texts.map(|text| WordEntry { text, owner, hashtag: false, project: None }));
    }
    among("reasons", words, problems);
}

fn among(kind: &str, words: Vec<WordEntry<'_>>, problems: &Problems) {
    let mut seen: BTreeMap<String, Vec<WordEntry<'_>>> = BTreeMap::new();
    for new in words {
        let same = seen.entry(normalized(&new.text.value)).or_default();
        let one_project = |old: &WordEntry<'_>| (old.hashtag || new.hashtag) && old.project == new.project;
        if let Some(old) = same.iter().find(|old| old.owner != new.owner && !one_project(old)) {
            let message = format!("the {kind} `{}` and `{}` share the word `{}`", old.owner, new.owner, new.text.value);
            let help = "give each its own: case, spaces and hyphens make no difference".to_owned();
            let place: &FilePosition = &new.text.place;
            problems.add(Diagnostic::new(place, message).help(help).context(&old.text.place, "the same word"));
        }
        same.push(new);
    }
}
