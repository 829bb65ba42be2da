//! `man`: the manual pages, made from the command line's own definition.
//!
//! Responsible for the pages and their names. Not responsible for what they say (the arguments and `help` do).

use std::io;
use std::path::{Path, PathBuf};

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::exit::{Exit, Failure};
use super::help;
use super::help_around::around;
use super::ui::Ui;
use super::version;
use crate::named_file;
use crate::safe_path::PathError;

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The command, such as `check` or `config show`; phabgate itself where it is left out
    #[arg(value_name = "COMMAND", num_args = 0..)]
    command: Vec<String>,
    /// Write the pages of all commands into this directory
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub(super) output: Option<PathBuf>,
}

/// A page: the file that it is for, and its text.
struct ManPage {
    /// `phabgate-config-show`.
    name: String,
    roff: Vec<u8>,
}

/// Runs `man`.
///
/// # Errors
/// Where there is no such command, or a page cannot be written.
pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let pages = pages().map_err(|error| Failure::usage(format!("cannot make the pages: {error}"), "report it"))?;
    if let Some(directory) = &args.output {
        return write(&pages, directory, ui);
    }
    let mut name = String::from("phabgate");
    args.command.iter().flat_map(|word| word.split(' ')).for_each(|word| name.push_str(&format!("-{word}")));
    match pages.iter().find(|page| page.name == name) {
        Some(page) => {
            ui.data(&String::from_utf8_lossy(&page.roff));
            Ok(Exit::Done)
        }
        None => {
            let known = pages.iter().filter_map(|page| page.name.strip_prefix("phabgate-"));
            let known: Vec<String> = known.map(|name| name.replace('-', " ")).collect();
            Err(Failure::usage(
                format!("there is no command {:?}", args.command.join(" ")),
                format!("name one of {}", known.join(", ")),
            ))
        }
    }
}

fn write(pages: &[ManPage], directory: &Path, ui: &mut Ui) -> Result<Exit, Failure> {
    let failed = |error: PathError| {
        Failure::usage(format!("cannot write the pages: {error}"), "name a directory of your own with --output")
    };
    let directory = named_file::make_directory(directory).map_err(failed)?;
    for page in pages {
        named_file::write(&directory.join(format!("{}.1", page.name)), &page.roff, 0o644).map_err(failed)?;
    }
    ui.note(&format!("wrote {} pages to {}", pages.len(), directory.display()));
    Ok(Exit::Done)
}

/// The pages of all commands.
fn pages() -> io::Result<Vec<ManPage>> {
    let mut definition = super::definition().disable_help_subcommand(true);
    definition.build();
    let mut pages = Vec::new();
    add(&definition, "", &mut pages)?;
    Ok(pages)
}

fn add(command: &clap::Command, path: &str, pages: &mut Vec<ManPage>) -> io::Result<()> {
    pages.push(ManPage { name: page_name(path), roff: page(command, path)? });
    for below in command.get_subcommands() {
        add(below, format!("{path} {}", below.get_name()).trim_start(), pages)?;
    }
    Ok(())
}

/// The name of the page of a command.
fn page_name(path: &str) -> String {
    format!("phabgate {path}").trim_end().replace(' ', "-")
}

fn page(command: &clap::Command, path: &str) -> io::Result<Vec<u8>> {
    let title = page_name(path).to_uppercase();
    let source = format!("phabgate {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).title(title).date(version::DATE).source(source).manual("phabgate");
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut out)?;
    }
    below_the_options(command, path).to_writer(&mut out)?;
    Ok(tidy(&String::from_utf8_lossy(&out)).into_bytes())
}

/// What a page says beside the arguments.
fn below_the_options(command: &clap::Command, path: &str) -> Roff {
    let mut roff = Roff::new();
    let around = around(path);
    let entry = help::of(path);
    list(&mut roff, "EXIT STATUS", entry.map_or(&[], |entry| entry.endings));
    list(&mut roff, "ENVIRONMENT", around.environment);
    list(&mut roff, "FILES", around.files);
    let under_sudo = super::help_sudo::under_sudo(path);
    if !under_sudo.is_empty() {
        roff.control("SH", ["UNDER SUDO"]);
        roff.text([roman(under_sudo.join(" "))]);
    }
    list(&mut roff, "EXAMPLES", entry.map_or(&[], |entry| entry.examples));
    let above = path.rsplit_once(' ').map(|(above, _)| above).or((!path.is_empty()).then_some(""));
    let above = above.map(|above| (page_name(above), 1));
    let commands = command.get_subcommands().filter(|_| path.is_empty());
    let commands = commands.map(|below| (format!("phabgate-{}", below.get_name()), 1));
    let others = around.see_also.iter().map(|(name, section)| ((*name).to_owned(), *section));
    let pages: Vec<_> = above.into_iter().chain(commands).chain(others).collect();
    roff.control("SH", ["SEE ALSO"]);
    for (at, (name, section)) in pages.iter().enumerate() {
        let comma = if at + 1 < pages.len() { "," } else { "" };
        roff.text([bold(name), roman(format!("({section}){comma}"))]);
    }
    // Only the page of phabgate itself has a version.
    if command.get_version().is_some() {
        roff.control("SH", ["VERSION"]);
        roff.text([roman(version::LONG)]);
    }
    roff
}

/// A section that is a list, where there is anything in it. What has no name of its own is a paragraph below the others.
fn list(roff: &mut Roff, title: &str, rows: &[(&str, &str)]) {
    if rows.is_empty() {
        return;
    }
    roff.control("SH", [title]);
    for (name, what) in rows {
        match *name {
            "" => roff.control("PP", []),
            name => roff.control("TP", []).text([bold(name)]),
        };
        roff.text([roman(*what)]);
    }
}

/// The longest line of a page's source, in bytes.
const LONGEST: usize = 80;

/// A page as `mandoc -T lint` wants it: the preamble of each section once, no blanks at ends of lines, no long lines.
fn tidy(page: &str) -> String {
    let mut tidy = String::new();
    let mut preamble = Vec::new();
    // The tag of a list entry is one line.
    let mut is_tag = false;
    for line in page.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        if line.starts_with(".ie ") || line.starts_with(".el ") {
            if preamble.contains(&line) {
                continue;
            }
            preamble.push(line);
        }
        if line == ".br" && tidy.ends_with("\n.br\n") {
            continue;
        }
        let is_text = !line.starts_with(['.', '\'']);
        match is_text && !is_tag {
            true => wrap(line, &mut tidy),
            false => tidy.push_str(&format!("{line}\n")),
        }
        is_tag = line == ".TP";
    }
    tidy
}

/// Adds a text in lines; none of them begins with what roff would take for a request.
fn wrap(text: &str, into: &mut String) {
    let mut length = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if length > 0 && length + 1 + word.len() > LONGEST - 2 {
            into.push('\n');
            length = 0;
        } else if length > 0 {
            into.push(' ');
            length += 1;
        }
        if length == 0 && word.starts_with(['.', '\'']) {
            into.push_str("\\&");
        }
        into.push_str(word);
        length += word.len();
    }
    into.push('\n');
}
