//! How Remarkup is split into blocks: what is quoted, code, indented or literal, and what is somebody's own line.

use proptest::prelude::*;

use super::*;

fn own(text: &str) -> Vec<&str> {
    own_lines(text).filter(|line| !line.is_empty()).collect()
}

#[test]
fn quotes_and_indented_lines_are_not_own() {
    assert_eq!(own("a\n> b\n>> c\n d\n\te\n  f\ng"), ["a", "g"]);
    assert_eq!(own(">>! In T1, x wrote:\n> b\nc"), ["c"]);
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
    assert_eq!(own("cowsay{{{b\nb}}} \nc"), ["c"]);
}

#[test]
fn a_fence_that_nobody_closes_runs_to_the_end() {
    assert_eq!(own("a\n```\nb\n> c\nd"), ["a"]);
    assert_eq!(own("a\n````\nb"), ["a"]);
    assert_eq!(own("a\n%%%\nb"), ["a"]);
    assert_eq!(own("a\nfiglet {{{\nb"), ["a"]);
}

#[test]
fn a_fence_inside_a_quote_or_an_indented_block_opens_nothing() {
    assert_eq!(own("> ```\nb"), ["b"]);
    assert_eq!(own("  ```\nb"), ["b"]);
    assert_eq!(own("  code\n  %%%\nb"), ["b"]);
    assert_eq!(own("   \n  %%%\nb"), ["b"]);
}

#[test]
fn a_fence_in_a_list_a_note_or_a_table_opens_nothing() {
    assert_eq!(own("- a\n ```\nb"), ["- a", "b"]);
    assert_eq!(own("1. a\n\n ```\nb"), ["1. a", "b"]);
    assert_eq!(own("[x] a\n  %%%\nb"), ["[x] a", "b"]);
    assert_eq!(own("NOTE: a\n```\nb"), ["NOTE: a", "```", "b"]);
    assert_eq!(own("(WARNING) a\n%%%\nb"), ["(WARNING) a", "%%%", "b"]);
    assert_eq!(own("<table>\n```\n</table>\nb"), ["b"]);
}

#[test]
fn a_fence_after_a_list_a_note_or_a_table_opens_one() {
    assert_eq!(own("- a\n```\nb"), ["- a"]);
    assert_eq!(own("- ```\nb\n```\nc"), ["- ```", "b"]);
    assert_eq!(own("NOTE: a\n\n```\nb"), ["NOTE: a"]);
    assert_eq!(own("NOTE: a\n0\n```\nb"), ["NOTE: a", "0"], "the parser takes 0 for blank");
    assert_eq!(own("<table></table>\n```\n</table>\na\n```\nb"), ["a"]);
    // One `#` alone is a header, and so is what is underlined.
    assert_eq!(own("# a\n ```\nb"), ["# a"]);
    assert_eq!(own("a\n--\n ```\nb"), ["a", "--"]);
}

#[test]
fn a_literal_opens_however_far_it_is_indented() {
    assert_eq!(own("  %%%\nb\n%%%\nc"), ["c"]);
    assert_eq!(own("---\n  %%%\nb\n%%%\nc"), ["---", "c"]);
}

#[test]
fn literals_that_touch_are_one() {
    assert_eq!(own("%%%a%%%\n%%%b%%%\nc"), ["c"]);
    assert_eq!(own("%%%a\nb%%%\n%%%\nc\n%%%\nd"), ["d"]);
    assert_eq!(own("%%%%\nb"), ["b"], "four marks begin and end a block");
    assert_eq!(own("%%%%%%\nb"), ["b"]);
}

#[test]
fn only_interpreters_that_the_server_knows_open_one() {
    assert_eq!(own("json {{{\nb"), ["json {{{", "b"]);
    assert_eq!(own(" figlet {{{\nb"), ["b"]);
}

#[test]
fn spaces_beyond_ascii_are_text() {
    assert_eq!(own("\u{a0}```\nb"), ["\u{a0}```", "b"]);
    assert_eq!(own("a\n```\nb\n```\u{2003}\nc"), ["a"]);
}

#[test]
fn line_ends_may_be_crlf() {
    assert_eq!(own("a\r\n```\r\nb\r\n```\r\nc\r\n"), ["a", "c"]);
    assert_eq!(own("%%%\r\nb\r\n%%%\r\nc\r\n"), ["c"]);
}

#[test]
fn each_line_says_what_it_is_shown_as() {
    use LineKind::{Fence, Heading, Indented, Interpreter, List, Literal, Note, Paragraph, Quote, Rule, Table};
    let shown = |text| lines(text).iter().map(|line| line.kind).collect::<Vec<_>>();
    assert_eq!(shown("a\n\n> b\n>>! c"), [Paragraph, Paragraph, Quote, Quote]);
    assert_eq!(shown("- a\n  b\n= c\n---"), [List, List, Heading, Rule]);
    assert_eq!(shown("a\n---\n```\nb\n```"), [Heading, Heading, Fence, Fence, Fence]);
    assert_eq!(shown("%%%\na\n%%%\n  b"), [Literal, Literal, Literal, Indented]);
    assert_eq!(shown("NOTE: a\nb\n\n|a|\n"), [Note, Note, Paragraph, Table]);
    assert_eq!(shown("cowsay {{{\na\n}}}\n<table>\n</table>"), [Interpreter, Interpreter, Interpreter, Table, Table]);
}

#[test]
fn what_readers_may_not_see_as_a_line_is_no_trailer_and_no_line_is_lost() {
    use LineKind::{Fence, Interpreter, Literal, Paragraph, Table, Unclosed};
    let shown = |text| lines(text).iter().map(|line| line.kind).collect::<Vec<_>>();
    let own = |text| own_lines(text).collect::<Vec<_>>();
    for table in ["<table><tr><td title=\"\nx\n\">a</td></tr></table>", "<TABLE><colgroup>\nx\n</colgroup>\n</TABLE>"] {
        assert!(shown(table).iter().all(|kind| *kind == Table), "{table}");
        assert!(own(table).is_empty(), "{table}");
        assert!(lines(table).iter().any(|line| line.text == "x" && line.kind.is_words()));
    }
    assert_eq!(shown("a\n```\nb"), [Paragraph, Unclosed, Unclosed]);
    assert_eq!(shown("a\n%%%\nb\n"), [Paragraph, Unclosed, Unclosed]);
    assert_eq!(shown("%%%a%%%\n%%%\nb"), [Unclosed, Unclosed, Unclosed]);
    assert_eq!(shown("cowsay {{{\nb"), [Unclosed, Unclosed]);
    assert_eq!(shown("cowsay {{{ b }}}\n```c```\n%%%d%%%\n%%%%\n"), [Interpreter, Fence, Literal, Literal]);
    assert!(own("```\nEmergency-Approve: sre").is_empty());
}

#[test]
fn a_paragraph_ends_at_a_blank_line_or_another_block() {
    let blocks = |text| lines(text).iter().map(|line| line.block).collect::<Vec<_>>();
    assert_eq!(blocks("a\nb\n \nc"), [0, 0, 1, 2]);
    assert_eq!(blocks("a\n> b\nc\nd"), [0, 1, 2, 2]);
}

#[test]
fn what_only_the_gate_would_see_begin_hides_and_shows_nothing() {
    use LineKind::{Indented, List, Note, Table, Unclosed};
    let hidden = "<table><colgroup>\nx\nEmergency-Approve: sre\n</colgroup></table>";
    let last = |text: &str| lines(text).iter().rev().nth(1).map(|line| line.kind);
    let of = |first: &str, mark: &str| last(&format!("{first}\n{}", hidden.replace("x\n", &format!("{mark}\n"))));
    // A bracket in the box of an item, a second blank line after literal text, a form feed beside the zero that ends a note.
    assert_eq!(of("[]] Looking.\n ```", "```"), Some(Table));
    assert_eq!(lines("[]] No.\n  Emergency-Reject: sre")[1].kind, List);
    assert_eq!(of("%%%a%%%\n\n   \n  %%%", "%%%"), Some(Table));
    assert_eq!(lines("%%%a%%%\n\n   \n  %%%")[3].kind, Indented);
    assert_eq!(lines("NOTE: a\n0\u{c}\nb")[2].kind, Note);
    assert_eq!(of("NOTE: a\n0\u{c}\n```\n", "```"), Some(Table));
    // Some servers draw it, others do not: nobody knows where it ends.
    assert_eq!(of("dot {{{", "}}}"), Some(Unclosed));
    assert!(fences("dot {{{\n}}}\n```\n{}\n```").is_empty());
}

#[test]
fn a_fence_shows_what_is_in_it() {
    let read =
        |text| fences(text).into_iter().map(|f| (f.info, f.flush, f.body.map(|body| body.text()))).collect::<Vec<_>>();
    let body = |text: &str| Some(text.to_owned());
    assert_eq!(read("```x\r\na\r\nb ``` \nc"), [("x", true, body("a\nb "))]);
    assert_eq!(read("a\n ```\nb\n```\n```c```"), [("", false, body("b\n")), ("c```", true, body(""))]);
    assert_eq!(read("```\na"), [("", true, None)]);
    assert_eq!(read("NOTE: a\n```\nb\n```"), []);
}

#[test]
fn a_line_in_a_mark_that_opens_before_it_is_not_own() {
    for text in
        ["~~a\nb\nc~~", "a ##\nb\nc ##", "{icon a\nb\n}", "[[ /a |\nb\n]]", "[a\nb\nc](/d)", "NOTE: ##\nb\nc ##"]
    {
        assert!(!own(text).contains(&"b"), "{text:?}");
    }
    // A mark ends with its paragraph, and one that nothing closes is none.
    for text in ["~~a\n\nb\n\nc~~", "a ##\nb", "~~a~~\nb\n~~c~~", "~~\nb\n~~", "`##`\nb\n`##`", "- ##\n\nb\n##"] {
        assert!(own(text).contains(&"b"), "{text:?}");
    }
    let struck = |text| lines(text).iter().flat_map(|line| line.struck.clone()).collect::<Vec<_>>();
    assert_eq!(struck("a ~~b~~\n~~c\nd~~"), [2..7, 0..3, 0..3]);
}

proptest! {
    #[test]
    fn the_lines_are_the_text(text in "[-a>`%# |\\[\\]{}<\n\r\t0.*=_:é]{0,200}") {
        let split: Vec<&str> = text.split_inclusive('\n').map(without_end).collect();
        prop_assert_eq!(lines(&text).iter().map(|line| line.text).collect::<Vec<_>>(), split);
    }

    #[test]
    fn own_lines_are_lines_of_the_text_in_order(text in "[-a>`%# |\\[\\]{}<\n\r\t0.*=_:é]{0,200}") {
        let mut rest = text.split('\n');
        for line in own_lines(&text) {
            prop_assert!(rest.any(|other| other.strip_suffix('\r').unwrap_or(other) == line));
            prop_assert!(!line.starts_with([' ', '\t', '>']));
        }
    }

    #[test]
    fn what_is_wrapped_is_not_own(text in "[^`%}]{0,200}", mark in 0usize..5) {
        let wrapped = match mark {
            0 => format!("```\n{text}\n```"),
            1 => format!("%%%\n{text}\n%%%"),
            2 => format!("figlet {{{{{{\n{text}\n}}}}}}"),
            3 => text.split('\n').map(|line| format!("> {line}\n")).collect(),
            _ => text.split('\n').map(|line| format!("  {line}\n")).collect(),
        };
        prop_assert_eq!(own(&wrapped), Vec::<&str>::new());
    }
}

/// The letter of the rule of Phorge that reads a line shown as this; several where nothing closes the block.
fn letters(kind: LineKind) -> &'static str {
    match kind {
        LineKind::Paragraph => "p",
        LineKind::Rule => "r",
        LineKind::List => "i",
        LineKind::Heading => "h",
        LineKind::Note => "n",
        LineKind::Table => "t",
        LineKind::Quote => "q",
        LineKind::Fence | LineKind::Indented => "c",
        LineKind::Literal => "l",
        LineKind::Interpreter => "x",
        LineKind::Unclosed => "clx",
    }
}

/// `fixtures/remarkup/blocks.jsonl`: random texts, and which of Phorge's own rules of blocks took each of their lines.
#[test]
fn every_line_is_of_the_block_that_the_rules_of_phorge_make_of_it() {
    let mut texts = 0;
    for line in include_str!("../../fixtures/remarkup/blocks.jsonl").lines() {
        let (text, expected): (String, String) = serde_json::from_str(line).unwrap();
        let found = lines(&text);
        let same = found.iter().zip(expected.chars()).all(|(line, rule)| letters(line.kind).contains(rule));
        assert!(same && found.len() == expected.len(), "{text:?}: {expected}, and {found:?}");
        texts += 1;
    }
    assert!(texts >= 3_000, "{texts} texts");
}
