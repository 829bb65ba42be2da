//! Remarkup as people read it: blocks made into HTML, roughly as the server does.
//!
//! Responsible for the blocks of a text: paragraphs, headings, lists, quotes, tables, code, literal text and notes. What stands
//! inside of a line is in [`inline`]. Not responsible for what a text does besides being read ([`crate::sandbox::remarkup`]).
//!
//! Nothing that people wrote gets into the page unescaped: all of it goes through the templates, and an address becomes a link
//! only where it is of the web.

mod inline;

use maud::{Markup, html};

use super::super::world::World;
use inline::inline;

/// How deep quotes and lists are taken apart; deeper ones are shown as they are written.
const DEEPEST: usize = 6;

/// The text as HTML.
pub(super) fn render(text: &str, world: &World) -> Markup {
    let text = text.replace("\r\n", "\n");
    blocks(&text.lines().collect::<Vec<_>>(), world, 0)
}

/// A block, and how many lines it takes.
type Block = (Markup, usize);

fn blocks(lines: &[&str], world: &World, depth: usize) -> Markup {
    let mut made = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        if lines[at].trim().is_empty() {
            at += 1;
            continue;
        }
        let (markup, taken) = block(&lines[at..], world, depth);
        made.push(markup);
        at += taken.max(1);
    }
    html! { @for block in made { (block) } }
}

/// The block that begins at the first of these lines, which is not blank.
fn block(lines: &[&str], world: &World, depth: usize) -> Block {
    let line = lines[0];
    let trimmed = line.trim_start();
    if trimmed.starts_with("```") {
        return fenced(lines);
    }
    if let Some(rest) = trimmed.strip_prefix("%%%") {
        return literal(lines, rest);
    }
    if depth < DEEPEST && line.starts_with('>') {
        let taken = lines.iter().take_while(|line| line.starts_with('>')).count();
        let inner: Vec<&str> = lines[..taken].iter().map(|line| unquoted(line)).collect();
        return (html! { blockquote { (blocks(&inner, world, depth + 1)) } }, taken);
    }
    if let Some((level, title)) = heading(line) {
        let title = inline(title, world);
        let made = match level {
            1 => html! { h3 { (title) } },
            2 => html! { h4 { (title) } },
            _ => html! { h5 { (title) } },
        };
        return (made, 1);
    }
    if item(line).is_some() {
        let taken = lines.iter().take_while(|line| is_of_list(line)).count().max(1);
        return (list(&lines[..taken], world, depth), taken);
    }
    if trimmed.starts_with('|') {
        let taken = lines.iter().take_while(|line| line.trim_start().starts_with('|')).count();
        return (table(&lines[..taken], world), taken);
    }
    if line.starts_with("  ") || line.starts_with('\t') {
        let taken = lines.iter().take_while(|line| line.starts_with("  ") || line.starts_with('\t')).count();
        let code: Vec<&str> = lines[..taken].iter().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
        return (html! { pre { (code.join("\n")) } }, taken);
    }
    if line.len() >= 3 && line.trim_end().bytes().all(|byte| byte == b'-') {
        return (html! { hr; }, 1);
    }
    paragraph(lines, world)
}

fn unquoted(line: &str) -> &str {
    let rest = line.strip_prefix('>').unwrap_or(line);
    rest.strip_prefix(' ').unwrap_or(rest)
}

/// Whether a line begins another block than a paragraph.
fn begins(line: &str) -> bool {
    let trimmed = line.trim_start();
    trimmed.starts_with("```")
        || trimmed.starts_with("%%%")
        || line.starts_with('>')
        || heading(line).is_some()
        || item(line).is_some()
        || trimmed.starts_with('|')
}

/// The level and the text of a heading.
fn heading(line: &str) -> Option<(usize, &str)> {
    let level = line.bytes().take_while(|byte| *byte == b'=').count();
    let title = line[level..].trim_end().trim_end_matches('=').trim();
    ((1..=5).contains(&level) && !title.is_empty()).then_some((level, title))
}

/// A block in backticks, with the options of its first line: of them, how many lines are shown matters.
fn fenced(lines: &[&str]) -> Block {
    let first = lines[0].trim_start().trim_start_matches('`');
    if let Some(code) = first.trim_end().strip_suffix("```").filter(|code| !code.is_empty()) {
        return (html! { pre { (code) } }, 1);
    }
    let inside = lines[1..].iter().take_while(|line| line.trim() != "```").count();
    let options: Vec<(&str, &str)> = first.split(',').filter_map(|option| option.trim().split_once('=')).collect();
    let mut code = lines[1..=inside].join("\n");
    if options.is_empty() && !first.trim().is_empty() {
        code = format!("{first}\n{code}");
    }
    let of = |name: &str| options.iter().find(|(key, _)| *key == name).map(|(_, value)| value.trim());
    let shown = of("lines").and_then(|lines| lines.parse::<u16>().ok()).filter(|lines| *lines > 0);
    let made = html! {
        @if let Some(name) = of("name") { p.faint { (name) } }
        @match shown {
            Some(shown) => { pre.lines style={ "--lines:" (shown) } tabindex="0" { (code) } }
            None => { pre { (code) } }
        }
    };
    (made, (inside + 2).min(lines.len()))
}

/// Text that means nothing, between `%%%`.
fn literal(lines: &[&str], first: &str) -> Block {
    if let Some(text) = first.trim_end().strip_suffix("%%%") {
        return (html! { p { (text) } }, 1);
    }
    let inside = lines[1..].iter().take_while(|line| !line.trim_end().ends_with("%%%")).count();
    let mut texts = vec![first];
    texts.extend(&lines[1..=inside]);
    if let Some(last) = lines.get(inside + 1) {
        texts.push(last.trim_end().trim_end_matches('%'));
    }
    texts.retain(|text| !text.is_empty());
    (html! { p { (broken(&texts, |text| html! { (text) })) } }, (inside + 2).min(lines.len()))
}

/// Lines with a break between them.
fn broken(lines: &[&str], show: impl Fn(&str) -> Markup) -> Markup {
    html! { @for (at, line) in lines.iter().enumerate() { @if at > 0 { br; } (show(line)) } }
}

/// How far an item of a list stands in, whether it is numbered, and its text.
fn item(line: &str) -> Option<(usize, bool, &str)> {
    let text = line.trim_start_matches(' ');
    let indent = line.len() - text.len();
    let marks = text.bytes().take_while(|byte| matches!(byte, b'-' | b'*' | b'#')).count();
    if marks > 0 {
        let rest = text[marks..].strip_prefix(' ')?;
        return (marks <= DEEPEST).then_some((indent + 2 * (marks - 1), text.starts_with('#'), rest));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = text[digits..].strip_prefix(". ").or_else(|| text[digits..].strip_prefix(") "))?;
    (digits > 0).then_some((indent, true, rest))
}

fn is_of_list(line: &str) -> bool {
    item(line).is_some() || (line.starts_with("  ") && !line.trim().is_empty())
}

/// A list with the lists in it.
fn list(lines: &[&str], world: &World, depth: usize) -> Markup {
    let Some((base, numbered, _)) = lines.first().and_then(|line| item(line)) else {
        return html! { @for line in lines { p { (inline(line.trim(), world)) } } };
    };
    let mut items: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in lines {
        match (item(line), items.last_mut()) {
            (Some((indent, _, text)), None) => {
                let _ = indent;
                items.push((text, Vec::new()));
            }
            (Some((indent, _, text)), Some(_)) if indent <= base || depth >= DEEPEST => items.push((text, Vec::new())),
            (_, Some((_, below))) => below.push(line),
            (None, None) => {}
        }
    }
    let made = html! {
        @for (text, below) in &items {
            li {
                (inline(text, world))
                @if !below.is_empty() { (nested(below, world, depth + 1)) }
            }
        }
    };
    if numbered {
        html! { ol { (made) } }
    } else {
        html! { ul { (made) } }
    }
}

/// What stands below an item: further lines of it, and a list of its own.
fn nested(lines: &[&str], world: &World, depth: usize) -> Markup {
    let own = lines.iter().take_while(|line| item(line).is_none()).count();
    html! {
        @for line in &lines[..own] { br; (inline(line.trim(), world)) }
        @if own < lines.len() { (list(&lines[own..], world, depth)) }
    }
}

/// A table of lines that begin with a bar; a row of hyphens makes the row above it a head.
fn table(lines: &[&str], world: &World) -> Markup {
    let cells = |line: &str| -> Vec<String> {
        let inside = line.trim().trim_start_matches('|');
        inside.strip_suffix('|').unwrap_or(inside).split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let is_rule = |row: &[String]| row.iter().all(|cell| !cell.is_empty() && cell.bytes().all(|byte| byte == b'-'));
    let rows: Vec<Vec<String>> = lines.iter().map(|line| cells(line)).collect();
    let head = |at: usize| rows.get(at + 1).is_some_and(|row| is_rule(row));
    html! {
        table {
            @for (at, row) in rows.iter().enumerate() {
                @if !is_rule(row) {
                    tr { @for cell in row { @if head(at) { th { (inline(cell, world)) } } @else { td { (inline(cell, world)) } } } }
                }
            }
        }
    }
}

/// What a paragraph that is a note begins with, and the class of its box.
const NOTES: [(&str, &str); 3] = [("NOTE", "note"), ("WARNING", "warning"), ("IMPORTANT", "important")];

/// The class of a note's box, whether its word is shown, and its text.
fn note(line: &str) -> Option<(&'static str, Option<&'static str>, &str)> {
    NOTES.iter().find_map(|(word, class)| {
        let said = line.strip_prefix(word).and_then(|rest| rest.strip_prefix(':')).map(|rest| (Some(*word), rest));
        let quiet = || line.strip_prefix('(')?.strip_prefix(word)?.strip_prefix(')').map(|rest| (None, rest));
        let (word, rest) = said.or_else(quiet)?;
        Some((*class, word, rest.trim_start()))
    })
}

fn paragraph(lines: &[&str], world: &World) -> Block {
    let more = lines[1..].iter().take_while(|line| !line.trim().is_empty() && !begins(line)).count();
    let taken = more + 1;
    if let Some((class, word, first)) = note(lines[0]) {
        let mut texts = vec![first];
        texts.extend(&lines[1..taken]);
        let made = html! {
            div class={ "box " (class) } {
                @if let Some(word) = word { b { (word) ": " } }
                (broken(&texts, |text| inline(text, world)))
            }
        };
        return (made, taken);
    }
    (html! { p { (broken(&lines[..taken], |text| inline(text, world))) } }, taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut world = World::built_in().unwrap();
        world.users.truncate(3);
        render(text, &world).into_string()
    }

    #[test]
    fn blocks_are_shown_as_the_server_shows_them() {
        for (text, expected) in [
            ("one\ntwo\n\nthree", "<p>one<br>two</p><p>three</p>"),
            ("= A =\n== B", "<h3>A</h3><h4>B</h4>"),
            ("- a\n- b\n  - c\nend", "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul><p>end</p>"),
            ("# a\n# b", "<ol><li>a</li><li>b</li></ol>"),
            ("- a\n  more", "<ul><li>a<br>more</li></ul>"),
            ("> a\n> > b\nc", "<blockquote><p>a</p><blockquote><p>b</p></blockquote></blockquote><p>c</p>"),
            ("```\na\n  b\n```\nc", "<pre>a\n  b</pre><p>c</p>"),
            ("```lang=json, lines=6\n{}\n```", "<pre class=\"lines\" style=\"--lines:6\" tabindex=\"0\">{}</pre>"),
            ("```a```", "<pre>a</pre>"),
            ("```open", "<pre>open\n</pre>"),
            ("  $ ls", "<pre>$ ls</pre>"),
            ("%%%\n**a**\n%%%", "<p>**a**</p>"),
            (
                "| a | b |\n|---|---|\n| 1 | 2 |",
                "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>",
            ),
            ("NOTE: x", "<div class=\"box note\"><b>NOTE: </b>x</div>"),
            ("(IMPORTANT) **x**\ny", "<div class=\"box important\"><strong>x</strong><br>y</div>"),
            ("---", "<hr>"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn every_text_is_shown_and_none_is_markup() {
        for text in [
            "<script>alert(1)</script>",
            "```\n</pre><script>\n```",
            "```name=<img src=x>, lines=6;x:url(http://a)\ny\n```",
            "| <b> |",
            "- <i>",
            "= <u> =",
            "> <iframe>",
            "  <svg>",
            "%%%<object>%%%",
            "NOTE: <form>",
            "[[ javascript:alert(1) | x ]] [[ https://a/\"onclick=\" | <b> ]]",
            "@deployer1<b> #sre<i>",
            "**<b>** //<i>// `<s>` ##<u>## ~~<del>~~ __<u>__ !!<mark>!!",
        ] {
            let page = shown(text);
            let tags = page.split('<').skip(1).map(|tag| tag.split(['>', ' ']).next().unwrap_or_default());
            for tag in tags {
                let ours = [
                    "p",
                    "pre",
                    "table",
                    "tr",
                    "td",
                    "ul",
                    "li",
                    "h3",
                    "blockquote",
                    "div",
                    "b",
                    "a",
                    "strong",
                    "em",
                    "code",
                    "del",
                    "u",
                    "mark",
                    "span",
                    "br",
                ];
                assert!(ours.contains(&tag.trim_start_matches('/')), "{text:?}: {page}");
            }
            let own = page.matches("<b>").count();
            assert_eq!(own, usize::from(text.starts_with("NOTE")), "{page}");
            assert!(!page.contains("href=\"javascript") && !page.contains("\"onclick"), "{page}");
            assert!(!page.contains("style=\"--lines:6;"), "{page}");
        }
    }

    #[test]
    fn what_is_deep_or_long_is_shown_in_time() {
        for text in [
            ">".repeat(20_000),
            "- a\n".repeat(20_000),
            "**".repeat(20_000),
            "[[".repeat(20_000),
            "`a".repeat(20_000),
            (0..500).map(|depth| format!("{}- a\n", " ".repeat(depth))).collect::<String>(),
            "//a **b ~~c __d !!e ##f ".repeat(5_000),
        ] {
            assert!(!shown(&text).is_empty());
        }
    }
}
