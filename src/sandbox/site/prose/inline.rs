//! What stands inside of a line of Remarkup, as HTML: code, emphasis, links, people, projects and tasks.
//!
//! Responsible for one line. Not responsible for the blocks ([`super`]).

use maud::{Markup, html};

use super::super::super::access;
use super::super::super::world::World;

/// The longest line in bytes that is taken apart; a longer one is shown as it is written.
const LONGEST: usize = 8 << 10;
/// How deep emphasis in emphasis is taken apart.
const DEEPEST: usize = 4;

/// The line as HTML.
pub(super) fn inline(line: &str, world: &World) -> Markup {
    match line.len() > LONGEST {
        true => html! { (line) },
        false => spans(line, world, 0),
    }
}

/// What emphasises, and how.
#[derive(Clone, Copy)]
enum Emphasis {
    Bold,
    Italic,
    Struck,
    Underlined,
    Marked,
    Code,
}

const MARKS: [(&str, Emphasis); 7] = [
    ("`", Emphasis::Code),
    ("##", Emphasis::Code),
    ("**", Emphasis::Bold),
    ("//", Emphasis::Italic),
    ("~~", Emphasis::Struck),
    ("__", Emphasis::Underlined),
    ("!!", Emphasis::Marked),
];

fn spans(text: &str, world: &World, depth: usize) -> Markup {
    let mut made: Vec<Markup> = Vec::new();
    let (mut plain, mut at) = (0, 0);
    // a mark that nothing closes is not looked for again
    let mut open_ended = [false; MARKS.len()];
    let mut before = None;
    while let Some(letter) = text[at..].chars().next() {
        let rest = &text[at..];
        let found = emphasised(rest, world, depth, &mut open_ended)
            .or_else(|| link(rest))
            .or_else(|| address(rest, before))
            .or_else(|| reference(rest, before, world));
        match found {
            Some((markup, taken)) => {
                let shown = &text[plain..at];
                made.push(html! { (shown) (markup) });
                before = rest[..taken].chars().next_back();
                at += taken;
                plain = at;
            }
            None => {
                before = Some(letter);
                at += letter.len_utf8();
            }
        }
    }
    let shown = &text[plain..];
    html! { @for span in &made { (span) } (shown) }
}

/// What was made, and how many bytes it takes.
type Span = (Markup, usize);

fn emphasised(rest: &str, world: &World, depth: usize, open_ended: &mut [bool; MARKS.len()]) -> Option<Span> {
    let (which, (mark, how)) = MARKS.iter().enumerate().find(|(_, (mark, _))| rest.starts_with(mark))?;
    if depth >= DEEPEST || open_ended[which] {
        return None;
    }
    let inside = &rest[mark.len()..];
    let Some(end) = inside.find(mark) else {
        open_ended[which] = true;
        return None;
    };
    let (inner, taken) = (&inside[..end], mark.len() * 2 + end);
    if inner.trim().is_empty() || inner.starts_with(' ') && !matches!(how, Emphasis::Code) {
        return None;
    }
    let deeper = || spans(inner, world, depth + 1);
    let made = match how {
        Emphasis::Code => html! { code { (inner) } },
        Emphasis::Bold => html! { strong { (deeper()) } },
        Emphasis::Italic => html! { em { (deeper()) } },
        Emphasis::Struck => html! { del { (deeper()) } },
        Emphasis::Underlined => html! { u { (deeper()) } },
        Emphasis::Marked => html! { mark { (deeper()) } },
    };
    Some((made, taken))
}

fn is_of_the_web(address: &str) -> bool {
    address.starts_with("https://") || address.starts_with("http://")
}

fn to(address: &str, shown: &str) -> Markup {
    html! { a href=(address) rel="noreferrer nofollow noopener" { (shown) } }
}

/// `[[ https://… | a name ]]`; what leads elsewhere than into the web is shown and leads nowhere.
fn link(rest: &str) -> Option<Span> {
    let inside = rest.strip_prefix("[[")?;
    let end = inside.find("]]")?;
    let (address, name) = inside[..end].split_once('|').unwrap_or((&inside[..end], &inside[..end]));
    let (address, name) = (address.trim(), name.trim());
    let made = match is_of_the_web(address) {
        true => to(address, name),
        false => html! { (name) },
    };
    Some((made, end + 4))
}

/// A bare address.
fn address(rest: &str, before: Option<char>) -> Option<Span> {
    if before.is_some_and(char::is_alphanumeric) || !is_of_the_web(rest) {
        return None;
    }
    let end = rest.find(|letter: char| letter.is_whitespace() || "<>\"`".contains(letter)).unwrap_or(rest.len());
    let address = rest[..end].trim_end_matches(['.', ',', ';', ':', '!', '?', ')']);
    Some((to(address, address), address.len()))
}

/// `T1`, `{T1}`, `@name` and `#project`, where there is such a one that everybody may see.
fn reference(rest: &str, before: Option<char>, world: &World) -> Option<Span> {
    if before.is_some_and(|before| before.is_alphanumeric() || "_-@#/".contains(before)) {
        return None;
    }
    let name = |rest: &str, of: fn(char) -> bool| rest.find(|letter| !of(letter)).unwrap_or(rest.len());
    if let Some(braced) = rest.strip_prefix('{') {
        let end = braced.find('}')?;
        let task = task(&braced[..end], world)?;
        return Some((html! { a href={ "/T" (task.0) } { "T" (task.0) ": " (task.1) } }, end + 2));
    }
    if let Some(of) = rest.strip_prefix('T') {
        let end = 1 + name(of, |letter| letter.is_ascii_digit());
        if rest[end..].chars().next().is_some_and(|after| after.is_alphanumeric() || after == '_') {
            return None;
        }
        let task = task(&rest[..end], world)?;
        return Some((html! { a href={ "/T" (task.0) } { "T" (task.0) } }, end));
    }
    if let Some(of) = rest.strip_prefix('@') {
        let end = name(of, |letter| letter.is_ascii_alphanumeric() || "._-".contains(letter));
        let shown = of[..end].trim_end_matches('.');
        let user = world.user_named(shown).filter(|_| !shown.is_empty())?;
        return Some((html! { span.person { "@" (user.username) } }, 1 + shown.len()));
    }
    let of = rest.strip_prefix('#')?;
    let end = name(of, |letter| letter.is_ascii_alphanumeric() || "._-".contains(letter));
    let shown = of[..end].trim_end_matches(['.', '-']);
    let project = world.project_tagged(shown).filter(|_| !shown.is_empty())?;
    if !matches!(project.view.as_str(), "public" | "users") {
        return None;
    }
    Some((html! { span.hashtag { (project.name) } }, 1 + shown.len()))
}

/// The number and the title of a task that everybody may see.
fn task<'w>(monogram: &str, world: &'w World) -> Option<(u64, &'w str)> {
    let number = monogram.strip_prefix('T')?;
    let id = number.parse::<u64>().ok().filter(|id| id.to_string() == number)?;
    let task = world.task_numbered(id).filter(|task| access::is_open(world, task))?;
    Some((task.id, task.title.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_line_is_shown_as_the_server_shows_it() {
        let mut world = World::built_in().unwrap();
        world.tasks.truncate(1);
        let title = world.tasks[0].title.clone();
        let web = "rel=\"noreferrer nofollow noopener\"";
        for (text, expected) in [
            ("a **b //c//** d", "a <strong>b <em>c</em></strong> d".to_owned()),
            ("`**a**` ##b##", "<code>**a**</code> <code>b</code>".to_owned()),
            ("~~a~~ __b__ !!c!!", "<del>a</del> <u>b</u> <mark>c</mark>".to_owned()),
            ("**open", "**open".to_owned()),
            ("T1, T2 {T1} xT1 T1x", format!("<a href=\"/T1\">T1</a>, T2 <a href=\"/T1\">T1: {title}</a> xT1 T1x")),
            (
                "@deployer1. @nobody a@deployer1",
                "<span class=\"person\">@deployer1</span>. @nobody a@deployer1".to_owned(),
            ),
            ("#sre #none", "<span class=\"hashtag\">SRE</span> #none".to_owned()),
            (
                "see https://a.example/x?y=1.",
                format!("see <a href=\"https://a.example/x?y=1\" {web}>https://a.example/x?y=1</a>."),
            ),
            ("[[https://a.example/|a & b]]", format!("<a href=\"https://a.example/\" {web}>a &amp; b</a>")),
            ("[[javascript:x|y]] [[ T1 ]]", "y T1".to_owned()),
        ] {
            assert_eq!(inline(text, &world).into_string(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_restricted_task_is_not_linked_and_its_title_not_shown() {
        let world = World::built_in().unwrap();
        assert_eq!(inline("T27 {T27}", &world).into_string(), "T27 {T27}");
    }
}
