//! The values that a key can take, each read from its text: durations, hashtags, usernames, keys, patterns.
//!
//! Responsible for one text, one value. Not responsible for keys, files, and what values mean together.

use jiff::{SignedDuration, Span, SpanRelativeTo};
use regex_lite::Regex;

use super::reader::ValueError;
use crate::ids::{FindingId, Phid, Space};
use crate::policy::{Action, normalized};
use crate::record::mask::Pattern;

/// A duration above zero, in jiff's friendly format or ISO 8601; a day is 24 hours.
pub(super) fn duration(text: &str) -> Result<SignedDuration, ValueError> {
    let right = "write it as \"12h\", \"90m\", \"1h 30m\" or \"2 days\"";
    let read = text.parse::<Span>().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    match read {
        Ok(duration) if duration > SignedDuration::ZERO => Ok(duration),
        Ok(_) => Err(ValueError::new(format!("`{text}` is no time at all: nothing could ever be in time"), right)),
        Err(_) => Err(ValueError::new(format!("`{text}` is not a duration"), right)),
    }
}

/// The word of an action in the file.
pub(super) fn action_word(action: Action) -> &'static str {
    match action {
        Action::Fix => "fix",
        Action::Rollback => "rollback",
        Action::Config => "config",
        Action::OnWikiEdit => "on-wiki-edit",
    }
}

/// What identifies a finding of the audit, as its report prints it.
pub(super) fn finding(text: &str) -> Result<FindingId, ValueError> {
    text.parse().map_err(|_| {
        ValueError::new(
            format!("`{text}` identifies no finding"),
            "write it as the report of the audit prints it, such as \"rule-failed T1234 3f2a9c01\"",
        )
    })
}

/// `off`, or what `parse` reads.
pub(super) fn or_off<T>(
    parse: impl Fn(&str) -> Result<T, ValueError>,
) -> impl Fn(&str) -> Result<Option<T>, ValueError> {
    move |text| match text {
        "off" => Ok(None),
        text => {
            parse(text).map(Some).map_err(|wrong| ValueError { help: format!("{}, or \"off\"", wrong.help), ..wrong })
        }
    }
}

/// A hashtag, without its `#`, in the form to which the server brings every hashtag before it compares.
pub(super) fn hashtag(text: &str) -> Result<String, ValueError> {
    let wrong = || ValueError::new(format!("`{text}` is not a hashtag"), "write it as \"emergency-deployment\"");
    // What the server would turn into an underscore is rather a mistake here.
    let bare = text.strip_prefix('#').unwrap_or(text);
    let banned = |c: char| c.is_whitespace() || "#%&+=?\\<>{}[]'\"`~!@$^*,:;(|)/".contains(c);
    if bare.contains(banned) {
        return Err(wrong());
    }
    let mut slug = String::new();
    for c in bare.chars().flat_map(char::to_lowercase) {
        if !(c == '_' && slug.ends_with('_')) {
            slug.push(c);
        }
    }
    let slug = slug.trim_matches('_');
    match slug {
        "" => Err(wrong()),
        "." => Ok("dot".to_owned()),
        ".." => Ok("dotdot".to_owned()),
        slug => Ok(slug.to_owned()),
    }
}

/// The username of an account: letters, digits, `.`, `-` and `_`.
pub(super) fn username(text: &str) -> Result<String, ValueError> {
    let right = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if text.is_empty() || text.len() > 64 || !text.chars().all(right) || text.ends_with('.') {
        let help = match text.strip_prefix('@') {
            Some(bare) => format!("write it without the @: \"{bare}\""),
            None => "a username is made of letters, digits, `.`, `-` and `_`".to_owned(),
        };
        return Err(ValueError::new(format!("`{text}` is not a username"), help));
    }
    Ok(text.to_owned())
}

/// The key of a team or a reason, as it is written in trailers and in the names of rules.
pub(super) fn key(text: &str) -> Result<String, ValueError> {
    let right = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() || !text.chars().all(right) || text.starts_with('-') || text.ends_with('-') {
        return Err(ValueError::new(
            format!("`{text}` cannot be a key"),
            "a key is made of small letters, digits and `-`, as in `data-loss`; other words go into `title` and `aliases`",
        ));
    }
    Ok(text.to_owned())
}

/// A word that people write in a trailer for a team or a reason.
pub(super) fn alias(text: &str) -> Result<String, ValueError> {
    if normalized(text).is_empty() || text.contains([',', ':', '–', '—']) {
        return Err(ValueError::new(
            format!("`{text}` could never be matched"),
            "an alias is one or more words without `,`, `:` or a dash, which end the name of a reason or a team",
        ));
    }
    Ok(text.to_owned())
}

/// Text that is not blank.
pub(super) fn filled(text: &str) -> Result<String, ValueError> {
    match text.trim() {
        "" => Err(ValueError::new("is empty", "write some words, or take the line away")),
        text => Ok(text.to_owned()),
    }
}

/// The custom field as `maniphest.search` names it.
pub(super) fn custom_field(text: &str) -> Result<String, ValueError> {
    let right = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    match text.strip_prefix("custom.") {
        Some(rest) if !rest.is_empty() && rest.chars().all(right) => Ok(text.to_owned()),
        _ => Err(ValueError::new(
            format!("`{text}` is not a custom field"),
            "write it as `maniphest.search` names it: \"custom.emergency.reason\"",
        )),
    }
}

/// The PHID of a Space.
pub(super) fn space(text: &str) -> Result<String, ValueError> {
    Phid::<Space>::new(text).map(|phid| phid.as_str().to_owned()).map_err(|_| {
        ValueError::new(
            format!("`{text}` is not the PHID of a Space"),
            "write it as \"PHID-SPCE-...\": `phid.lookup` in the Conduit console answers it for the Space's S1",
        )
    })
}

/// A regular expression that masks something, and never everything.
pub(super) fn pattern(text: &str) -> Result<Pattern, ValueError> {
    match Regex::new(text) {
        Ok(regex) if regex.is_match("") => Err(ValueError::new(
            format!("`{text}` matches the empty text"),
            "write a pattern that needs at least one character",
        )),
        Ok(regex) => Ok(Pattern::new(regex)),
        Err(error) => Err(ValueError::new(
            format!("`{text}` is not a regular expression: {error}"),
            "single quotes spare doubled backslashes: 'ticket=(?<secret>\\d+)'",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_friendly_and_above_zero() {
        for (text, seconds) in
            [("12h", 43_200), ("90m", 5_400), ("1h 30m", 5_400), ("2 days", 172_800), ("1w", 604_800)]
        {
            assert_eq!(duration(text).unwrap().as_secs(), seconds, "{text}");
        }
        for text in ["", "12", "soon", "0s", "-1h", "1 month", "PT0S"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hashtags_are_brought_to_the_form_of_the_server() {
        for (text, slug) in
            [("#SRE", "sre"), ("Emergency-Deployment", "emergency-deployment"), ("_a__b_", "a_b"), ("v1.0", "v1.0")]
        {
            assert_eq!(hashtag(text).unwrap(), slug);
        }
        for text in ["", "#", "_", "two words", "a,b", "##a"] {
            assert!(hashtag(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_pattern_that_matches_nothing_at_all_is_refused() {
        assert!(pattern("x*").is_err());
        assert!(pattern("(").is_err());
        assert!(pattern("x+").is_ok());
    }
}
