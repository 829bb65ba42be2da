//! Which lines of a text are its author's own words, and which Remarkup shows as quote, code or literal text.
//!
//! In the room: a text split into the blocks of Remarkup, as far as that decides it. The order in which the kinds of
//! block are tried and where each ends are those of Phorge's own parser, so that both read the same: a line that is
//! shown as code must not approve, and a line that is shown as text must not be lost, since it may be a no. Spaces are
//! those of that parser too, which knows ASCII alone. Not in the room: what the lines say, and Remarkup inside a line.

/// The lines that start at column 0 and stand in no quote, fence, literal block or interpreter block; line ends are
/// cut off, a carriage return among them.
pub(super) fn own_lines(text: &str) -> impl Iterator<Item = &str> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut own: Vec<&str> = Vec::new();
    let mut rest = lines.as_slice();
    while !rest.is_empty() {
        let block = next(rest);
        let (lines, after) = rest.split_at(block.lines.clamp(1, rest.len()));
        if block.own {
            own.extend(lines.iter().filter(|line| !line.starts_with([' ', '\t', '>'])));
        }
        rest = after;
    }
    own.into_iter().map(|line| {
        let line = line.strip_suffix('\n').unwrap_or(line);
        line.strip_suffix('\r').unwrap_or(line)
    })
}

/// The block at the start of some lines: how many it takes, and whether they are shown as its author's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Block {
    lines: usize,
    own: bool,
}

/// How many of some lines a kind of block takes from the first on; 0 where they begin none of that kind.
type Kind = fn(&[&str]) -> usize;

/// Finds the block that the first of some lines begins; a line that begins none is one of its own.
fn next(lines: &[&str]) -> Block {
    const KINDS: [(Kind, bool); 11] = [
        (horizontal_rule, true),
        (list, true),
        (reply, false),
        (literal, false),
        (code, false),
        (header, true),
        (interpreter, false),
        (note, true),
        (quote, false),
        (simple_table, true),
        (table, true),
    ];
    let found = KINDS.into_iter().find_map(|(kind, own)| match kind(lines) {
        0 => None,
        lines => Some(Block { lines, own }),
    });
    found.unwrap_or(Block { lines: 1, own: true })
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

fn space(c: char) -> bool {
    u8::try_from(c).is_ok_and(is_space)
}

/// How many spaces a line starts with.
fn indent(line: &str) -> usize {
    line.bytes().take_while(|byte| is_space(*byte)).count()
}

/// Nothing to see; a form feed counts as something, a NUL as nothing.
fn is_blank(line: &str) -> bool {
    line.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | b'\r' | 0))
}

fn blanks(lines: &[&str]) -> usize {
    lines.iter().take_while(|line| is_blank(line)).count()
}

fn ends(line: &str, mark: &str) -> bool {
    line.trim_end_matches(space).ends_with(mark)
}

/// Lines up to the first that `ends` holds for, it included; all of them where it holds for none.
fn through(lines: &[&str], ends: impl Fn(&str) -> bool) -> usize {
    lines.iter().position(|line| ends(line)).map_or(lines.len(), |last| last + 1)
}

/// `---`, `* * *`, `___`, and the blank lines after it.
fn horizontal_rule(lines: &[&str]) -> usize {
    let line = lines[0].trim_end_matches(['\n', '\r']).trim_start_matches(space).as_bytes();
    let fits = match line.first() {
        Some(b'_') => line.len() >= 3 && line.iter().all(|byte| *byte == b'_'),
        Some(mark @ (b'*' | b'-')) => {
            // At most one space stands between the first three marks.
            let after = |rest: &'static [usize]| rest.iter().copied();
            let three = after(&[0, 1]).any(|one| {
                after(&[0, 1]).any(|two| line.get(1 + one) == Some(mark) && line.get(2 + one + two) == Some(mark))
            });
            three && line.iter().all(|byte| byte == mark || is_space(*byte))
        }
        _ => false,
    };
    if fits { 1 + blanks(&lines[1..]) } else { 0 }
}

/// Items, and what is indented below them, fences among it.
fn list(lines: &[&str]) -> usize {
    if !is_item(lines[0], true) {
        return 0;
    }
    let mut count = 1;
    let mut one_item = true;
    let indented = |line: &str| line.starts_with(' ') && !is_blank(line);
    while let Some(line) = lines.get(count) {
        if is_item(line, false) {
            one_item = false;
        } else {
            let blank = is_blank(line);
            let goes_on = (blank || line.starts_with(' '))
                && (indented(line) || lines.get(count + 1).is_some_and(|next| indented(next)));
            if !goes_on {
                count += usize::from(blank);
                break;
            }
        }
        count += 1;
    }
    // A single `#` with something after it is a header.
    if one_item && lines[0].starts_with('#') && count < lines.len() { 0 } else { count }
}

/// `- `, `* `, `# `, `1. `, `2) `, `[ ] `; the first number of a list does not start with 0.
fn is_item(line: &str, first: bool) -> bool {
    let line = line.trim_start_matches(space).as_bytes();
    let run = |of: fn(&u8) -> bool| line.iter().take_while(|byte| of(byte)).count();
    let marks = run(|byte| matches!(byte, b'-' | b'*' | b'#'));
    let digits = run(u8::is_ascii_digit);
    let width = match line {
        _ if marks > 0 => marks,
        _ if digits > 0 => match line.get(digits) {
            Some(b'.' | b')') if !(first && line[0] == b'0') => digits + 1,
            _ => return false,
        },
        [b'[', b']', ..] => 2,
        [b'[', within, b']', ..] if !within.is_ascii_digit() => 3,
        _ => return false,
    };
    line.get(width).copied().is_some_and(is_space)
}

/// `>>! In T1, somebody wrote:` and the quote after it.
fn reply(lines: &[&str]) -> usize {
    if lines[0].starts_with(">>!") { quote(lines) } else { 0 }
}

fn quote(lines: &[&str]) -> usize {
    lines.iter().take_while(|line| line.starts_with('>')).count()
}

/// `%%%` to `%%%`, and all such blocks that follow it at once.
fn literal(lines: &[&str]) -> usize {
    const MARK: &str = "%%%";
    let starts = |line: &str| line.trim_start_matches(space).starts_with(MARK);
    let mut count = 0;
    while let Some(line) = lines.get(count).filter(|line| starts(line)) {
        // A mark alone begins a block and does not end it; `%%%%` does both.
        let alone = line.trim_matches(space) == MARK;
        if alone || !ends(line, MARK) {
            count += 1;
            count += through(&lines[count..], |line| ends(line, MARK));
        } else {
            count += 1;
        }
    }
    if count == 0 { 0 } else { count + blanks(&lines[count..]) }
}

/// Lines indented by two spaces, or a fence.
fn code(lines: &[&str]) -> usize {
    const MARK: &str = "```";
    let line = lines[0];
    let body = line.strip_suffix('\n').unwrap_or(line);
    if indent(body) >= 2 && body.len() >= 3 {
        return 1 + lines[1..].iter().take_while(|line| is_blank(line) || indent(line) >= 2).count();
    }
    let trimmed = line.trim_matches(space);
    if !trimmed.starts_with(MARK) {
        return 0;
    }
    let closed = trimmed.len() >= 2 * MARK.len() && trimmed.ends_with(MARK);
    if closed { 1 } else { 1 + through(&lines[1..], |line| ends(line, MARK)) }
}

/// `= Title`, `## Title`, or a line that is underlined, and the blank lines after it.
fn header(lines: &[&str]) -> usize {
    let line = lines[0];
    let underlined = || {
        let under = lines.get(1).map_or("", |under| under.trim_end_matches(space));
        line.len() > 1 && under.len() >= 2 && under.bytes().all(|byte| matches!(byte, b'-' | b'='))
    };
    let count = match () {
        () if ["=", "##", "# "].iter().any(|mark| line.starts_with(mark)) => 1,
        () if underlined() => 2,
        () => return 0,
    };
    count + blanks(&lines[count..])
}

/// `name {{{` or `name (options) {{{` to `}}}`, for the names that the tracker knows, now or in older versions.
fn interpreter(lines: &[&str]) -> usize {
    const NAMES: [&str; 4] = ["cowsay", "figlet", "dot", "phutil_test_block_interpreter"];
    let opens = |name: &&str| {
        let Some(rest) = lines[0].strip_prefix(*name) else { return false };
        let rest = rest.trim_start_matches(space);
        let options = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        let rest = match options {
            Some((options, rest)) if !options.is_empty() => rest.trim_start_matches(space),
            _ => rest,
        };
        rest.starts_with("{{{")
    };
    if NAMES.iter().any(opens) { through(lines, |line| ends(line, "}}}")) } else { 0 }
}

/// `NOTE: text` or `(NOTE) text`, to the next blank line; a fence in it is none.
fn note(lines: &[&str]) -> usize {
    const WORDS: [&str; 3] = ["NOTE", "IMPORTANT", "WARNING"];
    let line = lines[0];
    let shown = |word: &&str| line.strip_prefix(*word).is_some_and(|rest| rest.starts_with(':'));
    let hidden = |word: &&str| {
        line.strip_prefix('(').and_then(|rest| rest.strip_prefix(*word)).is_some_and(|rest| rest.starts_with(')'))
    };
    if !WORDS.iter().any(|word| shown(word) || hidden(word)) {
        return 0;
    }
    // The parser takes a line that is `0` for a blank one.
    let goes_on = |line: &&&str| !is_blank(line) && line.trim_matches(|c: char| space(c) || c == '\0') != "0";
    1 + lines[1..].iter().take_while(goes_on).count()
}

fn simple_table(lines: &[&str]) -> usize {
    lines.iter().take_while(|line| line.trim_start_matches(space).starts_with('|')).count()
}

/// `<table>` to `</table>`; a fence in it is none.
fn table(lines: &[&str]) -> usize {
    let starts = lines[0].trim_start_matches(space).to_ascii_lowercase().starts_with("<table>");
    if starts { 1 + through(&lines[1..], |line| ends(&line.to_ascii_lowercase(), "</table>")) } else { 0 }
}

#[cfg(test)]
#[path = "markup_tests.rs"]
mod tests;
