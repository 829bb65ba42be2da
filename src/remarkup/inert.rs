//! Text made inert in Remarkup, the language of comments on Phabricator and Phorge.
//!
//! Responsible for the one wrapper in which the gate shows text that people or servers supplied, [`code`], and a shorter
//! form of it. Not responsible for what a comment says.
//!
//! A server's Remarkup turns `@name`, `T1`, `#tag`, `{F1}` and bare URLs into mentions, links and attachments wherever they
//! stand, and mentioning somebody can grant them access to a restricted task. Inside backticks nothing is live, as long as
//! the text cannot end them. So the text goes between backticks, and what could end them or is read before them is written
//! out as `\u{…}`, in the notation of [`crate::text`]: the backtick itself; every line break and control character (the
//! server uses U+0001 for its own marks); and the dollar of `${{{`, which the server evaluates before it looks at backticks.
//!
//! What a span does not survive is a table: a `|` in a cell ends the cell before backticks are looked at. The gate writes no
//! tables. Every line begins with words of the gate, so text cannot begin a list, a heading, a quote, a fence or a macro.

use crate::text::{Piece, pieces, shorten_pieces};

/// The text as a monospaced span in which nothing is live, on one line.
///
/// The span must follow a space, a bracket or the like: the server reads a backtick that directly follows a letter as text.
///
/// ```
/// use phabgate::remarkup::code;
/// assert_eq!(code("@outsider T1"), "`@outsider T1`");
/// assert_eq!(code("` @outsider"), "`\\u{60} @outsider`");
/// assert_eq!(code(""), "(empty)");
/// ```
pub fn code(text: &str) -> String {
    code_short(text, usize::MAX)
}

/// As [`code`], with at most `limit` columns between the backticks, at least one, and `…` where something was cut off.
pub fn code_short(text: &str, limit: usize) -> String {
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    let inner = shorten_pieces(inside(text), limit.max(1));
    format!("`{inner}`")
}

fn inside(text: &str) -> impl Iterator<Item = Piece> {
    pieces(text, |character, rest| character == '`' || rest.starts_with("${{{"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_ends_the_span() {
        for (text, shown) in [
            ("a`b", "`a\\u{60}b`"),
            ("```\n@x", "`\\u{60}\\u{60}\\u{60}\\u{a}@x`"),
            ("\r\n\u{1}1Z", "`\\u{d}\\u{a}\\u{1}1Z`"),
            ("${{{strings.platform.server.name}}}", "`\\u{24}{{{strings.platform.server.name}}}`"),
            ("$HOME ${x} {{{", "`$HOME ${x} {{{`"),
            ("%%%T1%%% | ##@x##", "`%%%T1%%% | ##@x##`"),
            (" ", "` `"),
        ] {
            assert_eq!(code(text), shown);
        }
        assert_eq!(code_short("@outsider", 4), "`@ou…`");
        assert_eq!(code_short("@outsider", 0), "`…`");
    }

    proptest! {
        #[test]
        fn a_span_is_one_line_with_two_backticks(text in "(\\PC|\\pC|`|\\$|\\{|\\n){1,60}", limit in 1usize..80) {
            for span in [code(&text), code_short(&text, limit)] {
                prop_assert!(span.len() > 2 && span.starts_with('`') && span.ends_with('`'));
                let inner = &span[1..span.len() - 1];
                let live = inner.contains('`') || inner.contains("${{{");
                prop_assert!(!live, "{span}");
                prop_assert!(!inner.chars().any(crate::text::is_hidden));
            }
        }
    }
}
