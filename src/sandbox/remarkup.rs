//! What a text in Remarkup does besides being read: whom it mentions and which tasks it links.
//!
//! Responsible for finding live mentions as the real server was seen to, and leaving out what is inert. Not responsible
//! for what follows from a mention, and rendering. Tables, notes and the rarer rules are plain text here.

use std::collections::BTreeSet;

/// What a text mentions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Mentions {
    /// Usernames, in lower case.
    pub(crate) people: BTreeSet<String>,
    /// Numbers of tasks.
    pub(crate) tasks: BTreeSet<u64>,
}

/// Finds what a text mentions; `base` is the address whose links are tasks.
pub(crate) fn mentions(text: &str, base: &str) -> Mentions {
    let mut found = Mentions::default();
    let text = text.replace("\r\n", "\n");
    for line in live_lines(&text.lines().collect::<Vec<_>>()) {
        let line = without_links(&without_code(&line), base, &mut found.tasks);
        find_people(&line, &mut found.people);
        find_tasks(&line, &mut found.tasks);
    }
    found
}

/// The lines that are not code: not fenced, not literal, not indented, quotes unwrapped.
fn live_lines(lines: &[&str]) -> Vec<String> {
    let mut live = Vec::new();
    let mut in_list = false;
    let mut index = 0;
    while let Some(line) = lines.get(index) {
        index += 1;
        let trimmed = line.trim_start_matches(' ');
        if let Some(rest) = trimmed.strip_prefix("```") {
            // a block ends with a line that ends with a fence, or with the text
            let closed_here = rest.trim_end().ends_with("```");
            while !closed_here && lines.get(index).is_some_and(|line| line.trim() != "```") {
                index += 1;
            }
            index += usize::from(!closed_here);
            in_list = false;
        } else if let Some(rest) = trimmed.strip_prefix("%%%") {
            if !rest.trim_end().ends_with("%%%") {
                while lines.get(index).is_some_and(|line| !line.trim_end().ends_with("%%%")) {
                    index += 1;
                }
                index += 1;
            }
            in_list = false;
        } else if line.starts_with('>') {
            let rest = &lines[index..];
            let more = rest.iter().take_while(|line| line.starts_with('>')).count();
            let quoted: Vec<&str> = lines[index - 1..index + more].iter().map(|line| unquoted(line)).collect();
            live.extend(live_lines(&quoted));
            index += more;
            in_list = false;
        } else if is_list_item(trimmed) {
            in_list = true;
            live.push((*line).to_owned());
        } else if line.starts_with("  ") && !in_list {
            // an indented line is code
        } else {
            in_list = in_list && (line.trim().is_empty() || line.starts_with(' '));
            live.push((*line).to_owned());
        }
    }
    live
}

fn unquoted(line: &str) -> &str {
    let rest = line.strip_prefix('>').unwrap_or(line);
    rest.strip_prefix(' ').unwrap_or(rest)
}

fn is_list_item(line: &str) -> bool {
    let marker = line.trim_start_matches(['-', '*', '#']);
    if marker.len() < line.len() {
        return marker.starts_with(' ');
    }
    let number = line.trim_start_matches(|letter: char| letter.is_ascii_digit());
    number.len() < line.len() && (number.starts_with(". ") || number.starts_with(") "))
}

/// Blanks what is inside backticks: one, up to the next that no word follows.
fn without_code(line: &str) -> String {
    let letters: Vec<char> = line.chars().collect();
    let mut kept = String::new();
    let mut index = 0;
    let word = |at: usize| letters.get(at).is_some_and(|letter| is_word(*letter));
    while index < letters.len() {
        let opens = letters[index] == '`' && (index == 0 || !word(index - 1));
        let close = opens.then(|| (index + 2..letters.len()).find(|&at| letters[at] == '`' && !word(at + 1)));
        match close.flatten() {
            Some(close) => {
                kept.push(' ');
                index = close + 1;
            }
            None => {
                kept.push(letters[index]);
                index += 1;
            }
        }
    }
    kept
}

/// Blanks addresses and `[[links]]`. The bare address of a task is a mention of it.
fn without_links(line: &str, base: &str, tasks: &mut BTreeSet<u64>) -> String {
    let mut kept = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        if rest.starts_with("[[")
            && let Some(end) = rest.find("]]")
        {
            kept.push(' ');
            rest = &rest[end + 2..];
        } else if rest.starts_with("http://") || rest.starts_with("https://") {
            let end = rest.find(|letter: char| letter.is_whitespace() || "<>\"".contains(letter)).unwrap_or(rest.len());
            let bare = !kept.ends_with(['<', '(']);
            let monogram = rest[..end].strip_prefix(base).filter(|_| bare);
            let monogram = monogram.and_then(|path| path.strip_prefix('T')).map(|path| path.split('#').next());
            tasks.extend(
                monogram.flatten().and_then(|digits| digits.trim_end_matches(['.', ',', ')']).parse::<u64>().ok()),
            );
            kept.push(' ');
            rest = &rest[end..];
        } else {
            let mut letters = rest.chars();
            kept.extend(letters.next());
            rest = letters.as_str();
        }
    }
    kept
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn find_people(line: &str, people: &mut BTreeSet<String>) {
    let mut before = None;
    for (at, letter) in line.char_indices() {
        // a name may follow any byte that is not of an ASCII word: the server looks at bytes
        let free =
            before.is_none_or(|before: char| !(before.is_ascii_alphanumeric() || before == '_' || before == '@'));
        if letter == '@' && free {
            let rest = &line[at + 1..];
            let end = rest
                .find(|letter: char| !(letter.is_ascii_alphanumeric() || "._-".contains(letter)))
                .unwrap_or(rest.len());
            let name = rest[..end].trim_end_matches('.');
            if !name.is_empty() {
                people.insert(name.to_lowercase());
            }
        }
        before = Some(letter);
    }
}

fn find_tasks(line: &str, tasks: &mut BTreeSet<u64>) {
    let mut before = None;
    for (at, letter) in line.char_indices() {
        let free = before.is_none_or(|before: char| !is_word(before) && !"@-".contains(before));
        // One hash makes it a hashtag; two open monospaced text, in which it is live.
        let free = free && (before != Some('#') || line[..at].ends_with("##"));
        if letter == 'T' && free {
            let rest = &line[at + 1..];
            let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
            let ends = !rest[end..].chars().next().is_some_and(is_word);
            if ends && !rest.starts_with('0') {
                tasks.extend(rest[..end].parse::<u64>().ok());
            }
        }
        before = Some(letter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "http://phorge.localhost:8480/";

    fn live(text: &str) -> (bool, bool) {
        let found = mentions(text, BASE);
        (found.tasks.contains(&7), found.people.contains("sre2"))
    }

    /// Each as a real server answered it.
    #[test]
    fn what_is_live_is_found() {
        for text in [
            "T7 @sre2",
            "{T7} (@sre2)",
            "T7. @sre2.",
            "T7, @sre2:",
            "T7-1 @SRE2",
            "##T7## ##@sre2##",
            "**T7** !!@sre2!!",
            "> T7 @sre2",
            "- T7 @sre2",
            "- a\n  T7 @sre2",
            "- a\n\n  T7 @sre2",
            "1. a\n  T7 @sre2",
            "  - T7 @sre2",
            "a\n  - T7 @sre2",
            "= T7 = {{@sre2}}",
            "| T7 | -@sre2",
            "/T7 /@sre2",
            "x %%%T7%%% y @sre2",
            " T7 @sre2",
            "a ``` T7 @sre2 ```",
            "a `x` T7 @sre2 `y`",
            "a `x T7 @sre2",
            "`x\nT7 @sre2`",
            "  a\nT7 @sre2",
            "```\nx\n```\nT7 @sre2",
            "\u{2068}T7\u{2069} \u{2068}@sre2",
            "T7#5 \u{e9}@sre2",
            "*T7 @sre2@both",
            "http://phorge.localhost:8480/T7 \t@sre2",
            "http://phorge.localhost:8480/T7#12 @sre2\u{e9}",
        ] {
            assert_eq!(live(text), (true, true), "{text:?}");
        }
    }

    #[test]
    fn what_is_inert_is_left_out() {
        for text in [
            "xT7 x@sre2",
            "T7x @sre2-x",
            "#T7 @@sre2",
            "-T7 _@sre2",
            "`T7` `@sre2`",
            "  T7 @sre2",
            "   T7\n   @sre2",
            "```T7 @sre2```",
            "```\nT7 @sre2\n```",
            "```T7 @sre2",
            "a\n```\nT7 @sre2",
            "a\n\n  T7 @sre2",
            "%%%T7 @sre2%%%",
            "%%%\nT7 @sre2",
            "> ```\n> T7 @sre2\n> ```",
            ">   T7 @sre2",
            "> `T7 @sre2`",
            "``T7 @sre2``",
            "##`T7 @sre2`##",
            "```\nx\n``` T7 @sre2",
            "$ T\n  T7 @sre2",
            "T\u{200b}7 @\u{200b}sre2",
            "t7 @{sre2}",
            "_T7 @sre2_",
            "[[ http://phorge.localhost:8480/T7 | x ]] http://x/@sre2",
            "<http://phorge.localhost:8480/T7>",
            "[[T7|y]]",
            "http://x/T7",
            "[x](http://phorge.localhost:8480/T7)",
            "\u{e9}T7\u{e9}",
            "T07",
        ] {
            assert_eq!(live(text), (false, false), "{text:?}");
        }
    }
}
