//! Horizontal rules and lists, which the same marks begin.
//!
//! Responsible for how many lines each takes. Not responsible for the order in which blocks are tried ([`super::blocks`]).

use super::spaces::{blanks, is_blank, is_space, space};

/// `---`, `* * *`, `___`, and the blank lines after it.
pub(super) fn horizontal_rule(lines: &[&str]) -> usize {
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
pub(super) fn list(lines: &[&str]) -> usize {
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
        // What stands between may be a bracket itself.
        [b'[', within, b']', ..] if !within.is_ascii_digit() => 3,
        [b'[', b']', ..] => 2,
        _ => return false,
    };
    line.get(width).copied().is_some_and(is_space)
}
