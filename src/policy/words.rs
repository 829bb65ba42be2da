//! How people's words for the reasons and teams of a policy are matched: by key, title, alias or hashtag, in any case,
//! space and hyphen alike, the longest first.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

use super::{Policy, Reason, Team};

/// A text as it is compared: lower case, in one normal form of Unicode (NFKD) whichever it was written in, each run of
/// spaces, hyphens and underscores one hyphen, `#` cut off.
pub fn normalized(text: &str) -> String {
    spelled(text, |_, _| {})
}

/// The same. `beginning` is called for each beginning of the text that ends with a letter and its marks, with where it
/// ends and how much of the whole it compares as.
fn spelled(text: &str, mut beginning: impl FnMut(usize, usize)) -> String {
    let body = text.trim_start().trim_start_matches('#');
    let start = text.len() - body.len();
    let mut normal = String::with_capacity(body.len());
    let mut parted = false;
    let mut rest = body;
    while let Some(first) = rest.chars().next() {
        let letter = letter(rest, first);
        if first.is_whitespace() || matches!(first, '-' | '_') {
            parted = true;
        } else {
            if std::mem::take(&mut parted) && !normal.is_empty() {
                normal.push('-');
            }
            match first {
                _ if letter.len() == 1 => normal.push(first.to_ascii_lowercase()),
                _ => normal.extend(folded(letter).nfkd()),
            }
        }
        rest = &rest[letter.len()..];
        beginning(start + body.len() - rest.len(), normal.len());
    }
    normal
}

/// The letter at the beginning of a text with the marks that combine with it, so that no normal form reaches beyond it.
fn letter(text: &str, first: char) -> &str {
    let after = &text[first.len_utf8()..];
    // Most texts are plain.
    if after.as_bytes().first().is_none_or(u8::is_ascii) {
        return &text[..first.len_utf8()];
    }
    let marks = after.find(|c| canonical_combining_class(c) == 0).unwrap_or(after.len());
    &text[..first.len_utf8() + marks]
}

/// A letter in lower case, whatever follows it and in whichever form it was written.
fn folded(letter: &str) -> String {
    let mut folded = String::with_capacity(letter.len());
    for c in letter.nfkd() {
        match c {
            // The one letter whose lower case hangs on what follows it.
            'Σ' | 'ς' => folded.push('σ'),
            _ => folded.extend(c.to_lowercase()),
        }
    }
    folded
}

/// Whether a text compares as this normalised one. As `normalized(text) == normal`, without making a text of its own
/// where the letters show that: verdicts compare many words.
fn compares_as(text: &str, normal: &str) -> bool {
    if !text.is_ascii() {
        return normalized(text) == normal;
    }
    let text = text.trim().trim_start_matches('#');
    let mut rest = normal.as_bytes();
    let mut words = text.split(|c: char| c.is_whitespace() || c == '-' || c == '_').filter(|word| !word.is_empty());
    let mut first = true;
    let all = words.all(|word| {
        let joined = first || rest.split_off_first() == Some(&b'-');
        first = false;
        let fits = rest.get(..word.len()).is_some_and(|part| {
            part.iter().zip(word.bytes()).all(|(normal, byte)| *normal == byte.to_ascii_lowercase())
        });
        rest = rest.get(word.len()..).unwrap_or_default();
        joined && fits
    });
    all && rest.is_empty()
}

/// Whether a normalised text may begin with this word, going by its first letter: most words need no second look.
fn may_begin(normal: &str, word: &str) -> bool {
    let parts = |c: &char| c.is_whitespace() || matches!(c, '-' | '_');
    let first = || word.trim_start().trim_start_matches('#').chars().find(|c| !parts(c));
    !word.is_ascii() || first().map(|c| c.to_ascii_lowercase()) == normal.chars().next()
}

impl Team {
    /// Every word that is this team's alone: not the hashtag, since two teams may share a project.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        [&self.key, &self.title].into_iter().chain(&self.aliases).map(String::as_str)
    }
}

impl Reason {
    /// Every word for this category.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        [&self.key, &self.title].into_iter().chain(&self.aliases).map(String::as_str)
    }
}

/// A reason as somebody wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenReason {
    /// The key of the category; `None` where the policy knows none of that name.
    pub category: Option<String>,
    /// What follows it; the whole text where the category is unknown.
    pub explanation: String,
}

impl Policy {
    /// The team that a word names: by key, title or alias, else by the hashtag of its project where no other team has
    /// the same.
    pub fn team_named(&self, word: &str) -> Option<&Team> {
        let word = normalized(word);
        if word.is_empty() {
            return None;
        }
        if let Some(team) = self.teams.iter().find(|team| team.words().any(|known| compares_as(known, &word))) {
            return Some(team);
        }
        let mut of_project = self.teams.iter().filter(|team| compares_as(&team.project, &word));
        let first = of_project.next();
        first.filter(|_| of_project.next().is_none())
    }

    /// The team of this key.
    pub fn team(&self, key: &str) -> Option<&Team> {
        self.teams.iter().find(|team| team.key == key)
    }

    /// The category of this key.
    pub fn reason(&self, key: &str) -> Option<&Reason> {
        self.reasons.iter().find(|reason| reason.key == key)
    }

    /// Reads a category and, after `-`, `–`, `—` or `:`, an explanation. Of several words that fit, the longest wins.
    pub fn read_reason(&self, text: &str) -> WrittenReason {
        let text = text.trim();
        let mut ends = Vec::new();
        let limit = text.char_indices().nth(CATEGORY_LIMIT).map_or(text.len(), |(at, _)| at);
        let normal = spelled(&text[..limit], |end, length| ends.push((end, length)));
        let words = self.reasons.iter().flat_map(|reason| reason.words().map(move |word| (reason, word)));
        let words = words.filter(|(_, word)| may_begin(&normal, word)).map(|(reason, word)| (reason, normalized(word)));
        let words = words.filter(|(_, word)| !word.is_empty() && normal.starts_with(word.as_str()));
        let fits =
            words.filter_map(|(reason, word)| Some((reason, word.len(), explanation_after(text, word.len(), &ends)?)));
        match fits.max_by_key(|(_, length, _)| *length) {
            Some((reason, _, explanation)) => {
                WrittenReason { category: Some(reason.key.clone()), explanation: explanation.to_owned() }
            }
            None => WrittenReason { category: None, explanation: text.to_owned() },
        }
    }
}

/// No category is longer, in characters; what stands beyond is explanation.
const CATEGORY_LIMIT: usize = 200;

/// What follows a word that compares as so many bytes and that `text` begins with: nothing, or a separator and an
/// explanation. `None` where the word goes on. `ends` are the beginnings of the text, as [`spelled`] returns them.
fn explanation_after<'a>(text: &'a str, word: usize, ends: &[(usize, usize)]) -> Option<&'a str> {
    // Longest first, so that trailing spaces belong to the word and not to what follows.
    let fits = ends.iter().rev().filter(|(_, length)| *length == word);
    fits.map(|(end, _)| *end).find_map(|end| after_separator(&text[..end], &text[end..]))
}

/// The explanation after a separator. A hyphen joins words as well, so it separates only with a space beside it.
fn after_separator<'a>(before: &str, rest: &'a str) -> Option<&'a str> {
    // The normalised word swallows spaces and hyphens at its end: look at what really stands there.
    let body = before.trim_end_matches(|c: char| c.is_whitespace() || c == '-' || c == '_');
    let swallowed = &before[body.len()..];
    if rest.trim().is_empty() {
        return Some("");
    }
    let trimmed = rest.trim_start();
    if let Some(explanation) = trimmed.strip_prefix(['–', '—', ':']) {
        return Some(explanation.trim());
    }
    let spaced = swallowed.contains('-')
        && (swallowed.starts_with(char::is_whitespace) || swallowed.ends_with(char::is_whitespace));
    spaced.then(|| trimmed.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::built_in;

    fn read(text: &str) -> (Option<String>, String) {
        let WrittenReason { category, explanation } = built_in().read_reason(text);
        (category, explanation)
    }

    fn known(category: &str, explanation: &str) -> (Option<String>, String) {
        (Some(category.to_owned()), explanation.to_owned())
    }

    #[test]
    fn no_word_is_passed_over_that_a_text_begins_with() {
        let words = ["Data loss", "#data_loss", "  - DATA", "é", "e\u{301}t\u{e9}", "\u{b}x", "#", "", "Σ"];
        let texts = ["data-loss: it", "DATA loss", "\u{c9}t\u{e9}", "X", "σ - a", "", "-"];
        for (text, word) in texts.iter().flat_map(|text| words.map(|word| (text, word))) {
            let begins = normalized(text).starts_with(&normalized(word)) && !normalized(word).is_empty();
            assert!(!begins || may_begin(&normalized(text), word), "{text:?} {word:?}");
        }
        assert!(!may_begin("data-loss", "security"));
    }

    #[test]
    fn reads_a_category_and_an_explanation() {
        assert_eq!(read("security - private pages are public"), known("security", "private pages are public"));
        assert_eq!(read("data loss - saves drop the text"), known("data-loss", "saves drop the text"));
        assert_eq!(read("data corruption: thumbnails"), known("data-loss", "thumbnails"));
        assert_eq!(read("Data-Loss – x"), known("data-loss", "x"));
        assert_eq!(read("AVAILABILITY — x"), known("availability", "x"));
        assert_eq!(read("abuse"), known("abuse", ""));
        assert_eq!(read("abuse -"), known("abuse", ""));
        assert_eq!(read("  outage :  5xx - all of it "), known("availability", "5xx - all of it"));
        assert_eq!(read("loss of functionality - x"), known("functionality", "x"));
        assert_eq!(read("security issue - x"), known("security", "x"));
        assert_eq!(read("Avoid data loss or corruption - x"), known("data-loss", "x"));
    }

    #[test]
    fn what_only_begins_like_a_category_is_none() {
        for text in ["", "marketing - launch is today", "security-theatre", "security pages", "abused: x", "data"] {
            assert_eq!(read(text).0, None, "{text}");
        }
        assert_eq!(read("marketing - launch").1, "marketing - launch");
    }

    #[test]
    fn teams_are_named_by_key_title_alias_or_hashtag() {
        let policy = built_in();
        for word in ["releng", "RelEng", "Release Engineering", "release-engineering", "#release-engineering-team"] {
            assert_eq!(policy.team_named(word).map(|team| team.key.as_str()), Some("releng"), "{word}");
        }
        assert_eq!(policy.team_named("srebots"), None);
        assert_eq!(policy.team_named(""), None);
    }

    #[test]
    fn a_teams_own_words_win_over_the_hashtag_of_another() {
        let mut policy = built_in();
        policy.teams[0].project = "sre".into();
        assert_eq!(policy.team_named("sre").map(|team| team.key.as_str()), Some("sre"));
        policy.teams[0].project = "ops".into();
        policy.teams[1].project = "ops".into();
        assert_eq!(policy.team_named("#ops"), None, "two teams share it: which one is meant is not known");
    }

    #[test]
    fn a_word_that_is_no_word_matches_nothing() {
        let mut policy = built_in();
        policy.teams[0].title = "-".into();
        policy.reasons[0].title = "--".into();
        assert_eq!(policy.team_named(" "), None);
        assert_eq!(policy.read_reason("- pages are public").category, None);
    }

    #[test]
    fn words_ignore_case_hyphens_and_spaces() {
        assert_eq!(normalized(" #Data-Loss"), normalized("data  _loss"));
        assert_eq!(normalized("- _"), "");
    }

    #[test]
    fn words_match_in_any_normal_form() {
        let mut policy = built_in();
        let forms = |text: &str| -> [String; 4] {
            [text.nfc().collect(), text.nfd().collect(), text.nfkc().collect(), text.nfkd().collect()]
        };
        for title in ["Équipe sûreté", "Ｓｅｃ", "보안 팀", "İş gücü", "ợ ữ", "Ω ﬁ"] {
            for known in forms(title) {
                policy.teams[0].title.clone_from(&known);
                policy.reasons[0].title.clone_from(&known);
                for written in forms(title).iter().chain(&forms(&title.to_lowercase())) {
                    assert_eq!(
                        policy.team_named(written).map(|team| &*team.key),
                        Some("releng"),
                        "{known:?} {written:?}"
                    );
                    let reason = policy.read_reason(&format!("{written} - x"));
                    assert_eq!(reason.category.as_deref(), Some("security"), "{known:?} {written:?}");
                    assert_eq!(reason.explanation, "x");
                }
            }
        }
        // A letter with a mark is another letter.
        policy.teams[0].title = "e".into();
        assert_eq!(policy.team_named("é").map(|team| &*team.key), None);
    }

    #[test]
    fn what_is_longer_than_any_category_is_explanation() {
        let mut policy = built_in();
        for (length, fits) in [(CATEGORY_LIMIT, true), (CATEGORY_LIMIT + 1, false)] {
            policy.reasons[0].title = "é".repeat(length);
            let written = policy.read_reason(&format!("{}: x", policy.reasons[0].title));
            assert_eq!(written.category.is_some(), fits, "{length}");
        }
    }

    /// [`Policy::read_reason`] as it is defined: of all beginnings that compare as a word, the longest, of the longest word.
    fn defined(policy: &Policy, text: &str) -> WrittenReason {
        let text = text.trim();
        let ends = || text.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
        let words = policy.reasons.iter().flat_map(|reason| reason.words().map(move |word| (reason, normalized(word))));
        let fits = words.filter(|(_, word)| !word.is_empty()).filter_map(|(reason, word)| {
            let mut ends = ends().filter(|end| normalized(&text[..*end]) == word);
            let explanation = ends.find_map(|end| after_separator(&text[..end], &text[end..]))?;
            Some((reason, word.len(), explanation))
        });
        match fits.max_by_key(|(_, length, _)| *length) {
            Some((reason, _, explanation)) => {
                WrittenReason { category: Some(reason.key.clone()), explanation: explanation.to_owned() }
            }
            None => WrittenReason { category: None, explanation: text.to_owned() },
        }
    }

    proptest::proptest! {
        #[test]
        fn a_reason_is_read_as_it_is_defined(
            text in "[# ]{0,2}(data|Security|abuse|é)?[ _:–-]{0,3}(LOSS|issue|corruption)?[ _:–-]{0,3}[a-z :-]{0,6}",
        ) {
            let mut policy = built_in();
            policy.reasons[0].aliases.extend(["É".to_owned(), "data".to_owned()]);
            proptest::prop_assert_eq!(policy.read_reason(&text), defined(&policy, &text));
        }

        #[test]
        fn a_beginning_compares_as_a_beginning_of_the_whole(text in "[aB# _éΣςİ\u{301}\u{323}ﬁ보-]{0,8}") {
            let mut ends = Vec::new();
            let normal = spelled(&text, |end, length| ends.push((end, length)));
            for (end, length) in ends {
                proptest::prop_assert_eq!(normalized(&text[..end]), &normal[..length]);
            }
        }

        #[test]
        fn words_compare_as_their_normal_forms_do(
            text in "[aB# _-é\u{301}]{0,6}",
            other in "[aB# _-é\u{301}]{0,6}",
        ) {
            let normal = normalized(&other);
            proptest::prop_assert_eq!(compares_as(&text, &normal), normalized(&text) == normal);
            proptest::prop_assert!(compares_as(&other, &normal));
        }
    }
}
