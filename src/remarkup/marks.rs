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

/// The marks of a paragraph.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// What readers may not see as it is written: each kind of mark by the bytes that it takes, in order.
    hiding: [Vec<Range<usize>>; 5],
    /// What readers surely see struck out, in order.
    pub(super) struck: Vec<Range<usize>>,
}

impl Marks {
    /// The mark that opens before a byte and closes after it, where there is one.
    pub(super) fn around(&self, at: usize) -> Option<Mark> {
        let reaches = |ranges: &Vec<Range<usize>>| {
            // Those of one kind do not overlap: the last that begins before it reaches furthest.
            let before = ranges.partition_point(|range| range.start < at);
            before.checked_sub(1).and_then(|last| ranges.get(last)).is_some_and(|range| range.end > at)
        };
        let [code, braces, links, struck, otherwise] = &self.hiding;
        match () {
            () if [struck, otherwise].into_iter().any(reaches) => Some(Mark::Struck),
            () if [code, braces, links].into_iter().any(reaches) => Some(Mark::Other),
            () => None,
        }
    }
}

/// The marks of a paragraph. Links and the like are found generously, and what stands in one opens and closes nothing: where one
/// holds tildes it is not sure what is struck out, so that no yes in it may count and no no in it weighs less.
pub(super) fn marks(paragraph: &str) -> Marks {
    // What stands in code opens and closes nothing: the rest is found in what is left.
    let code = code(paragraph.as_bytes());
    let left = without(paragraph.as_bytes(), &code);
    let (braces, links, addresses) = (braces(&left), links(&left), addresses(&left));
    let hidden = || braces.iter().chain(&links).chain(&addresses);
    let all = struck(&left);
    let is_sure = !hidden().any(|range| left[range.clone()].windows(2).any(|pair| pair == b"~~"));
    let otherwise = if is_sure { Vec::new() } else { struck(&without(&left, &hidden().cloned().collect::<Vec<_>>())) };
    let sure = if is_sure { all.clone() } else { Vec::new() };
    Marks { hiding: [code, braces, links, all, otherwise], struck: sure }
}

fn without(text: &[u8], ranges: &[Range<usize>]) -> Vec<u8> {
    let mut left = text.to_vec();
    for range in ranges {
        left[range.clone()].fill(b'x');
    }
    left
}

/// Whether all that a line of a list strikes out it strikes out by itself, whatever stands on the lines beside it.
pub(super) fn is_plain(line: &str) -> bool {
    let pairs = line.matches("~~").count();
    pairs == 0 && !line.contains("##")
        || pairs == 2 && !["##", "`", "[", "]", "{", "}", "://", "~~~"].iter().any(|mark| line.contains(mark))
}

/// Finds one mark after the other in a text, from places that only ever come later, in one pass.
struct Finder<'t> {
    text: &'t [u8],
    mark: &'static [u8],
    /// Where it was found last, from where on it was looked for.
    last: Option<(usize, Option<usize>)>,
}

impl<'t> Finder<'t> {
    fn new(text: &'t [u8], mark: &'static [u8]) -> Self {
        Self { text, mark, last: None }
    }

    fn from(&mut self, from: usize) -> Option<usize> {
        match self.last {
            Some((since, found)) if since <= from && found.is_none_or(|at| at >= from) => found,
            _ => {
                let found = find(self.text, self.mark, from);
                self.last = Some((from, found));
                found
            }
        }
    }
}

fn find(text: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    rest.windows(needle.len()).position(|window| window == needle).map(|at| from + at)
}

/// Code in the order in which the server finds it: `##…##`, or backticks on one line that follow no letter.
fn code(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut hashes, mut backticks, mut lines) =
        (Finder::new(text, b"##"), Finder::new(text, b"`"), Finder::new(text, b"\n"));
    let mut at = 0;
    while at < text.len() {
        let end = match text[at] {
            b'#' if text.get(at + 1) == Some(&b'#') => hashes.from(at + 3).map(|end| end + 2),
            b'`' if at == 0 || !(text[at - 1].is_ascii_alphanumeric() || text[at - 1] == b'_') => {
                let line = lines.from(at).unwrap_or(text.len());
                backticks.from(at + 2).filter(|end| *end < line).map(|end| end + 1)
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
    let (mut open, mut close) = (Finder::new(text, b"{"), Finder::new(text, b"}"));
    let mut from = 0;
    while let Some(start) = open.from(from) {
        from = start + 1;
        if text.get(start + 1).is_some_and(u8::is_ascii_alphabetic)
            && let Some(end) = close.from(start)
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
    let (mut open, mut wiki) = (Finder::new(text, b"["), Finder::new(text, b"]]"));
    let (mut name, mut target) = (Finder::new(text, b"]"), Finder::new(text, b")"));
    let mut from = 0;
    while let Some(start) = open.from(from) {
        from = start + 1;
        let end = if text.get(start + 1) == Some(&b'[') {
            wiki.from(start).map(|at| at + 2)
        } else {
            let begins = name.from(start).filter(|at| text.get(at + 1) == Some(&b'('));
            begins.and_then(|at| target.from(at)).map(|at| at + 1)
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
        let end = text[at..].iter().position(|byte| super::spaces::is_space(*byte)).map_or(text.len(), |end| at + end);
        found.push(at - before..end);
        from = end;
    }
    found
}

/// Whether bare URLs stand in what is shown of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addresses {
    /// They stay.
    Kept,
    /// They are left out.
    LeftOut,
}

/// A line as readers see it: without icons and other marks that show no words, and with the names of its links and of what else shows
/// words; `None` where it holds nothing of these.
///
/// ```
/// use phabgate::remarkup::{Addresses, as_shown};
/// assert_eq!(as_shown("{icon ban} [[ /x | no ]]", Addresses::Kept).as_deref(), Some(" no"));
/// ```
pub fn as_shown(line: &str, bare: Addresses) -> Option<String> {
    let text = line.as_bytes();
    let mut marks: Vec<(Range<usize>, String)> = Vec::new();
    marks.extend(links(text).into_iter().filter_map(|range| Some((range.clone(), link_name(line.get(range)?)?))));
    marks.extend(braces(text).into_iter().filter_map(|range| Some((range.clone(), brace_words(line.get(range)?)?))));
    marks.extend(short_names(text).into_iter().map(|range| (range, String::new())));
    if bare == Addresses::LeftOut {
        marks.extend(addresses(text).into_iter().map(|range| (range, String::new())));
    }
    marks.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
    let mut shown = String::new();
    let mut from = 0;
    for (range, words) in marks {
        // What stands in another one is shown as that is.
        if range.start >= from {
            shown.push_str(line.get(from..range.start)?);
            shown.push_str(&words);
            from = range.end;
        }
    }
    (from > 0).then(|| shown + line.get(from..).unwrap_or_default())
}

/// What a link is shown as; `None` where it is shown as written, since what it leads to is no address.
fn link_name(link: &str) -> Option<String> {
    if let Some(inner) = link.strip_prefix("[[").and_then(|link| link.strip_suffix("]]")) {
        return Some(inner.split_once('|').map_or(inner, |(_, name)| name).trim().to_owned());
    }
    let (name, target) = link.strip_prefix('[')?.strip_suffix(')')?.split_once("](")?;
    let leads = target.contains("://") || target.trim_start().starts_with(['/', '#']);
    leads.then(|| name.to_owned())
}

/// The words that `{word …}` shows: those of a key or of a way through menus, none of an icon or a file; `None` where it is shown as
/// written, since the server knows no such word.
fn brace_words(brace: &str) -> Option<String> {
    let inner = brace.strip_prefix('{')?.strip_suffix('}')?;
    let (name, rest) = inner.split_once([' ', '\t', ',']).unwrap_or((inner, ""));
    let is_file =
        name.strip_prefix('F').is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()));
    match name {
        "key" => Some(rest.to_owned()),
        "nav" => {
            let name = |step: &str| step.rsplit("name=").next().unwrap_or_default().trim().to_owned();
            Some(rest.split('>').map(name).collect::<Vec<_>>().join(" : "))
        }
        "icon" | "anchor" | "image" | "meme" => Some(String::new()),
        _ => is_file.then(String::new),
    }
}

/// `:short_name:`, which is shown as an emoji.
fn short_names(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = find(text, b":", from) {
        let name = text[start + 1..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"_+-".contains(*byte));
        let end = start + 1 + name.count();
        let is_one = end > start + 1 && text.get(end) == Some(&b':');
        let stands_alone = start == 0 || !text[start - 1].is_ascii_alphanumeric();
        if is_one && stands_alone {
            found.push(start..end + 1);
            from = end + 1;
        } else {
            from = end;
        }
    }
    found
}

/// `~~…~~`, which begins with neither a space nor a tilde, as `(?<!~)~~([^\s~].*?~*)~~` of Phorge finds it.
fn struck(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = find(text, b"~~", from) {
        from = start + 1;
        let opens = text.get(start + 2).is_some_and(|next| *next != b'~' && !super::spaces::is_space(*next));
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

    fn struck(paragraph: &str) -> Vec<&str> {
        marks(paragraph).struck.into_iter().map(|range| &paragraph[range]).collect()
    }

    fn hidden(paragraph: &str) -> Vec<&str> {
        let [code, braces, links, ..] = marks(paragraph).hiding;
        code.into_iter().chain(braces).chain(links).map(|range| &paragraph[range]).collect()
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
            ("~~a [[ b ~~ ]] c~~", vec![]),
            ("`x` {a ~~} https://x.org/a~~b ~~c~~", vec![]),
            ("{icon ~~a} b~~", vec![]),
        ] {
            assert_eq!(struck(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_may_be_struck_out_reaches_as_far_as_any_reader_may_see_it() {
        for text in [
            "~~a https://x.org/~~\nb\nc~~",
            "~~a [[ /x~~ | y ]]\nb\nc~~",
            "~~a [y~~](/x)\nb\nc~~",
            "~~a {icon ban~~}\nb\nc~~",
            "~~a\nb\nc~~",
        ] {
            let line = text.find("\nb").unwrap() + 1;
            assert_eq!(marks(text).around(line), Some(Mark::Struck), "{text:?}");
        }
    }

    #[test]
    fn links_are_shown_by_their_names() {
        for (line, shown) in [
            ("a [[ /x | b ]] c", Some("a b c")),
            ("a [[ /x ]]", Some("a /x")),
            ("[b](/x)", Some("b")),
            ("E-[[ /x | b ]]: c [d](/e)", Some("E-b: c d")),
            ("[ ] [[ a", None),
            ("[b](a: c)", None),
            ("{icon ban} a :x: b :+1:", Some(" a  b ")),
            ("{nav a > b}, {key c}", Some("a : b, c")),
            ("{nav name=a b > icon=x, name=c}", Some("a b : c")),
            ("{Emergency-Reject: sre} {{a}} {foo b}", None),
            ("{nav icon=ban, name=a b}", Some("a b")),
            ("a, see https://x/a-b", Some("a, see ")),
            ("at 10:30:15: a::b", None),
        ] {
            assert_eq!(as_shown(line, Addresses::LeftOut).as_deref(), shown, "{line}");
        }
    }

    #[test]
    fn what_may_not_be_shown_as_written_is_found() {
        for text in ["##\na\n##", "{icon a\nb}", "{F1, name=\na\n}", "[[ a |\nb ]]", "[a\nb](/x)"] {
            assert_eq!(hidden(text), [text]);
        }
        for text in ["# a #", "{ a }", "{\"a\": 1}", "[a] b", "##", "[[ a", "{icon a"] {
            assert!(hidden(text).is_empty(), "{text:?}");
        }
    }
}
