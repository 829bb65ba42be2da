//! The splitter of Remarkup: its lines are the text, what it says of them lies within it, and it reads no quotation and no
//! fence as somebody's own words.

use phabgate::remarkup::{Body, LineKind, fences, lines, own_lines};

pub(super) fn check(input: &[u8]) {
    let Some(text) = super::text(input) else { return };
    let without_end = |line: &'_ str| -> usize {
        let line = line.strip_suffix('\n').unwrap_or(line);
        line.strip_suffix('\r').unwrap_or(line).len()
    };
    let found = lines(text);
    let split: Vec<&str> = text.split_inclusive('\n').map(|line| &line[..without_end(line)]).collect();
    assert_eq!(found.iter().map(|line| line.text).collect::<Vec<_>>(), split, "the lines are the text");
    let mut block = 0;
    for line in &found {
        assert!(line.block == block || line.block == block + 1, "blocks are counted in order");
        block = line.block;
        for range in &line.struck {
            assert!(range.start < range.end && line.text.get(range.clone()).is_some(), "{range:?} of {line:?}");
        }
        assert!(line.struck.is_sorted_by(|one, other| one.end <= other.start), "{line:?}");
        let has_mark = line.within.is_some() || !line.struck.is_empty();
        assert!(!has_mark || line.kind.is_words(), "a mark in what is not shown as words: {line:?}");
    }
    let own: Vec<&str> = own_lines(text).collect();
    assert!(own.iter().all(|line| !line.starts_with([' ', '\t', '>'])));
    let is_own = |line: &&phabgate::remarkup::Line<'_>| line.is_own();
    assert_eq!(own, found.iter().filter(is_own).map(|line| line.text).collect::<Vec<_>>());

    let fenced = |text: &str| lines(text).iter().any(|line| line.kind == LineKind::Fence);
    let of_text = fences(text);
    let closed = of_text.iter().any(|fence| fence.body.is_some());
    assert_eq!(fenced(text), closed, "one reader says what a fence is");
    for fence in &of_text {
        assert!(text.contains(fence.info) && text.contains(fence.first), "{fence:?}");
        for line in fence.body.iter().map(Body::text).collect::<String>().lines() {
            assert!(text.contains(line), "{line:?} of a fence is no part of the text");
        }
    }

    let quoted = super::each_line("> ", text);
    assert_eq!(own_lines(&quoted).next(), None, "what is quoted is nobody's own");
    assert!(!fenced(&quoted), "what is quoted is no fence");
    assert_eq!(own_lines(&super::each_line("  ", text)).next(), None, "what is indented is nobody's own");
    if !text.contains("```") {
        assert_eq!(own_lines(&format!("```\n{text}\n```")).next(), None, "code is nobody's own");
    }
    if !text.contains("%%%") {
        assert_eq!(own_lines(&format!("%%%\n{text}\n%%%")).next(), None, "literal text is nobody's own");
    }
    // What follows an empty line after plain words is read as it is without them.
    let kinds = |text: &str| lines(text).iter().map(|line| (line.text.to_owned(), line.kind)).collect::<Vec<_>>();
    assert_eq!(kinds(&format!("Plain words.\n\n{text}"))[2..], kinds(text), "a paragraph before changes nothing");
}
