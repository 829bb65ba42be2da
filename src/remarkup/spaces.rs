//! Spaces, blank lines and the ends of lines, as Phorge's own parser knows them: in ASCII alone.
//!
//! Responsible for that and nothing else. What the blocks make of it is of [`super::blocks`].

/// Whether a byte is a space to the parser.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// Whether a character is a space to the parser.
pub(super) fn space(c: char) -> bool {
    u8::try_from(c).is_ok_and(is_space)
}

/// How many spaces a line starts with.
pub(super) fn indent(line: &str) -> usize {
    line.bytes().take_while(|byte| is_space(*byte)).count()
}

/// Nothing to see; a form feed counts as something, a NUL as nothing.
pub(super) fn is_blank(line: &str) -> bool {
    line.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | b'\r' | 0))
}

/// How many lines from the first on are blank.
pub(super) fn blanks(lines: &[&str]) -> usize {
    lines.iter().take_while(|line| is_blank(line)).count()
}

/// A line without its end, a carriage return included.
pub(super) fn without_end(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}
