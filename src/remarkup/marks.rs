//! Marks inside a paragraph that reach over several lines, as far as they hide what stands in them.
//!
//! Responsible for finding what is struck out (`~~…~~`), shown in monospace (`##…##`) or not shown as written (`{icon …}` and
//! its like, `[[ … ]]`, `[…](…)`). What is struck out is found as Phorge's own rule finds it, since a no that is struck out
//! weighs less; the others are found generously, since a yes in something that may be one must not count. Not responsible
//! for blocks.

use std::ops::Range;

/// What a text stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mark {
    /// Readers see it struck out.
    Struck,
    /// Readers see it in monospace, as part of a link, or not at all.
    Other,
}

/// Whether a text can hold a mark at all; most hold none.
pub(super) fn may_hold(text: &str) -> bool {
    ["~~", "##", "{", "["].iter().any(|mark| text.contains(mark))
}

/// The marks of a paragraph, by the bytes that they take.
pub(super) fn marks(paragraph: &str) -> Vec<(Mark, Range<usize>)> {
    // What stands in code opens and closes nothing: the rest is found in what is left.
    let code = code(paragraph.as_bytes());
    let left = without(paragraph.as_bytes(), &code);
    let hidden: Vec<Range<usize>> = braces(&left).into_iter().chain(links(&left)).collect();
    // Nor does what stands in a link or the like. Those are found generously: what is not struck out on either reading is not.
    let alone = struck(&without(&without(&left, &hidden), &addresses(&left)));
    let struck = struck(&left).into_iter().flat_map(|range| overlaps(&range, &alone));
    let struck: Vec<_> = struck.map(|range| (Mark::Struck, range)).collect();
    code.into_iter().chain(hidden).map(|range| (Mark::Other, range)).chain(struck).collect()
}

fn without(text: &[u8], ranges: &[Range<usize>]) -> Vec<u8> {
    let mut left = text.to_vec();
    for range in ranges {
        left[range.clone()].fill(b'x');
    }
    left
}

fn overlaps(range: &Range<usize>, others: &[Range<usize>]) -> Vec<Range<usize>> {
    let both = others.iter().map(|other| range.start.max(other.start)..range.end.min(other.end));
    both.filter(|range| range.start < range.end).collect()
}

/// A line with the names of its links as they are shown; `None` where it holds no link.
pub fn links_as_shown(line: &str) -> Option<String> {
    let mut shown = String::new();
    let mut from = 0;
    for range in links(line.as_bytes()) {
        shown.push_str(line.get(from..range.start)?);
        let link = line.get(range.clone())?;
        let name = match link.strip_prefix("[[").and_then(|link| link.strip_suffix("]]")) {
            Some(inner) => inner.split_once('|').map_or(inner, |(_, name)| name).trim(),
            None => link[1..].split_once(']').map_or("", |(name, _)| name),
        };
        shown.push_str(name);
        from = range.end;
    }
    (from > 0).then(|| shown + line.get(from..).unwrap_or_default())
}

fn find(text: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    rest.windows(needle.len()).position(|window| window == needle).map(|at| from + at)
}

/// Code in the order in which the server finds it: `##…##`, or backticks on one line that follow no letter.
fn code(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let end = match text[at] {
            b'#' if text.get(at + 1) == Some(&b'#') => find(text, b"##", at + 3).map(|end| end + 2),
            b'`' if at == 0 || !(text[at - 1].is_ascii_alphanumeric() || text[at - 1] == b'_') => {
                let line = find(text, b"\n", at).unwrap_or(text.len());
                find(&text[..line], b"`", at + 2).map(|end| end + 1)
            }
            _ => None,
        };
        found.extend(end.map(|end| at..end));
        at = end.unwrap_or(at + 1);
    }
    found
}

/// `{word … }`: icons, embedded files, keys, macros and the like.
fn braces(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = find(text, b"{", from) {
        from = start + 1;
        if text.get(start + 1).is_some_and(u8::is_ascii_alphabetic)
            && let Some(end) = find(text, b"}", start)
        {
            found.push(start..end + 1);
            from = end + 1;
        }
    }
    found
}

/// `[[ … ]]` and `[…](…)`.
fn links(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = find(text, b"[", from) {
        from = start + 1;
        let end = if text.get(start + 1) == Some(&b'[') {
            find(text, b"]]", start).map(|at| at + 2)
        } else {
            let name = find(text, b"]", start);
            let target = name.filter(|at| text.get(at + 1) == Some(&b'('));
            target.and_then(|at| find(text, b")", at)).map(|at| at + 1)
        };
        if let Some(end) = end {
            found.push(start..end);
            from = end;
        }
    }
    found
}

/// What may be a bare URL: what stands before and behind `://` up to blanks.
fn addresses(text: &[u8]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut from = 0;
    while let Some(at) = find(text, b"://", from) {
        let before = text[from..at].iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let end = text[at..].iter().position(|byte| super::blocks::is_space(*byte)).map_or(text.len(), |end| at + end);
        found.push(at - before..end);
        from = end;
    }
    found
}

/// `~~…~~`, which begins with neither a space nor a tilde, as `(?<!~)~~([^\s~].*?~*)~~` of Phorge finds it.
fn struck(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = find(text, b"~~", from) {
        from = start + 1;
        let opens = text.get(start + 2).is_some_and(|next| *next != b'~' && !super::blocks::is_space(*next));
        if !opens || (start > 0 && text[start - 1] == b'~') {
            continue;
        }
        if let Some(mut end) = find(text, b"~~", start + 3) {
            while text.get(end + 2) == Some(&b'~') {
                end += 1;
            }
            found.push(start..end + 2);
            from = end + 2;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(of: Mark, paragraph: &str) -> Vec<&str> {
        marks(paragraph).into_iter().filter(|(mark, _)| *mark == of).map(|(_, range)| &paragraph[range]).collect()
    }

    #[test]
    fn what_is_struck_out_is_found_as_the_server_finds_it() {
        for (text, expected) in [
            ("~~a\nb~~", vec!["~~a\nb~~"]),
            ("~~a~~ b ~~c~~", vec!["~~a~~", "~~c~~"]),
            ("~~ a~~", vec![]),
            ("~~\na\n~~", vec![]),
            ("~~~a~~~", vec![]),
            ("~~a~~~", vec!["~~a~~~"]),
            ("`~~` a ~~b~~", vec!["~~b~~"]),
            ("##~~a## b~~", vec![]),
            ("~~a", vec![]),
            ("[[ /x | ~~a~~ ]]", vec![]),
            ("[~~a~~](/x)", vec![]),
            ("https://x/~~me/a - b https://x/~~me", vec![]),
            ("~~https://x/a - b~~ c", vec!["~~https://x/a - b~~"]),
            ("~~[[ /x | a ]]~~", vec!["~~[[ /x | a ]]~~"]),
            ("~~a [[ b ~~ ]] c~~", vec!["~~a [[ b ~~"]),
            ("{icon ~~a} b~~", vec![]),
        ] {
            assert_eq!(texts(Mark::Struck, text), expected, "{text:?}");
        }
    }

    #[test]
    fn links_are_shown_by_their_names() {
        for (line, shown) in [
            ("a [[ /x | b ]] c", Some("a b c")),
            ("a [[ /x ]]", Some("a /x")),
            ("[b](/x)", Some("b")),
            ("E-[[ /x | b ]]: c [d](e)", Some("E-b: c d")),
            ("[ ] [[ a", None),
        ] {
            assert_eq!(links_as_shown(line).as_deref(), shown, "{line}");
        }
    }

    #[test]
    fn what_may_not_be_shown_as_written_is_found() {
        for text in ["##\na\n##", "{icon a\nb}", "{F1, name=\na\n}", "[[ a |\nb ]]", "[a\nb](/x)"] {
            assert_eq!(texts(Mark::Other, text), [text]);
        }
        for text in ["# a #", "{ a }", "{\"a\": 1}", "[a] b", "##", "[[ a", "{icon a"] {
            assert!(texts(Mark::Other, text).is_empty(), "{text:?}");
        }
    }
}
