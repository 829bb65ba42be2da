//! Which lines of a text are its author's own words, and which Remarkup shows as quote, code or literal text.
//!
//! In the room: the block structure of Remarkup, as far as it decides that. The rules are those of Phorge's own
//! parser, tried on a real one. Not in the room: what the lines say, and Remarkup inside a line.

/// The lines that start at column 0 and stand in no quote, fence, literal block or interpreter block; line ends are
/// cut off, a carriage return among them.
pub(super) fn own_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut block: Option<&'static str> = None;
    text.split('\n').filter_map(move |line| {
        let line = line.strip_suffix('\r').unwrap_or(line);
        match block {
            Some(end) => {
                if line.trim_end().ends_with(end) {
                    block = None;
                }
                None
            }
            None => {
                block = opens(line);
                let own = block.is_none() && !line.starts_with([' ', '\t', '>']) && !is_one_line_block(line);
                own.then_some(line)
            }
        }
    })
}

/// What ends the block that this line opens and does not end itself.
fn opens(line: &str) -> Option<&'static str> {
    if is_indented(line) || is_one_line_block(line) {
        return None;
    }
    let start = line.trim_start();
    if start.starts_with("```") {
        Some("```")
    } else if start.starts_with("%%%") {
        Some("%%%")
    } else if opens_interpreter(line) {
        Some("}}}")
    } else {
        None
    }
}

/// Two spaces make a code block of their own, whatever follows them.
fn is_indented(line: &str) -> bool {
    line.len() - line.trim_start().len() >= 2 && !line.trim().is_empty()
}

fn is_one_line_block(line: &str) -> bool {
    let line = line.trim();
    let closed = |mark: &str| line.len() >= 2 * mark.len() && line.starts_with(mark) && line.ends_with(mark);
    closed("```") || closed("%%%") || (opens_interpreter(line) && line.ends_with("}}}"))
}

/// `name {{{` or `name (options) {{{` at the start of a line.
fn opens_interpreter(line: &str) -> bool {
    let Some((before, _)) = line.split_once("{{{") else { return false };
    let before = before.trim_end();
    let name = match before.split_once('(') {
        Some((name, options)) if options.ends_with(')') => name.trim_end(),
        Some(_) => return false,
        None => before,
    };
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(text: &str) -> Vec<&str> {
        own_lines(text).filter(|line| !line.is_empty()).collect()
    }

    #[test]
    fn quotes_and_indented_lines_are_not_own() {
        assert_eq!(own("a\n> b\n>> c\n d\n\te\n  f\ng"), ["a", "g"]);
    }

    #[test]
    fn fences_and_literals_are_not_own() {
        assert_eq!(own("a\n```\nb\n```\nc"), ["a", "c"]);
        assert_eq!(own("a\n```lang=text\nb```\nc"), ["a", "c"]);
        assert_eq!(own("```x```\nc"), ["c"]);
        assert_eq!(own("a\n%%%\nb\n%%%\nc"), ["a", "c"]);
        assert_eq!(own("%%%b%%%\nc"), ["c"]);
        assert_eq!(own(" ```\nb\n```\nc"), ["c"]);
        assert_eq!(own("figlet (font=x) {{{\nb\n}}}\nc"), ["c"]);
    }

    #[test]
    fn a_fence_that_nobody_closes_runs_to_the_end() {
        assert_eq!(own("a\n```\nb\n> c\nd"), ["a"]);
        assert_eq!(own("a\n%%%\nb"), ["a"]);
    }

    #[test]
    fn a_fence_inside_a_quote_or_an_indented_block_opens_nothing() {
        assert_eq!(own("> ```\nb"), ["b"]);
        assert_eq!(own("  ```\nb"), ["b"]);
    }

    #[test]
    fn line_ends_may_be_crlf() {
        assert_eq!(own("a\r\n```\r\nb\r\n```\r\nc\r\n"), ["a", "c"]);
    }
}
