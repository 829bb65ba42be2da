//! `man`: the manual pages, made from the command line's own definition.
//!
//! Responsible for the pages and their names. Not responsible for what they say (the arguments and `help` do).

use std::io;
use std::path::{Path, PathBuf};

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::exit::{Exit, Failure};
use super::help;
use super::ui::Ui;
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
    pages.push(ManPage { name: format!("phabgate {path}").trim_end().replace(' ', "-"), roff: page(command, path)? });
    for below in command.get_subcommands() {
        add(below, format!("{path} {}", below.get_name()).trim_start(), pages)?;
    }
    Ok(())
}

fn page(command: &clap::Command, path: &str) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone()).manual("phabgate").date("");
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut out)?;
    }
    if let Some(entry) = help::of(path) {
        let mut roff = Roff::new();
        roff.control("SH", ["EXAMPLES"]);
        for (typed, does) in entry.examples {
            roff.control("TP", []);
            roff.text([bold(*typed)]);
            roff.text([roman(*does)]);
        }
        roff.control("SH", ["EXIT STATUS"]);
        for (code, when) in entry.endings {
            roff.control("TP", []);
            roff.text([bold(*code)]);
            roff.text([roman(*when)]);
        }
        if path.is_empty() {
            roff.control("SH", ["ENVIRONMENT"]);
            for (names, what) in help::ENVIRONMENT {
                roff.control("TP", []);
                roff.text([bold(*names)]);
                roff.text([roman(*what)]);
            }
        }
        let under_sudo = super::help_sudo::under_sudo(path);
        if !under_sudo.is_empty() {
            roff.control("SH", ["UNDER SUDO"]);
            roff.text([roman(under_sudo.join(" "))]);
        }
        roff.to_writer(&mut out)?;
    }
    // Only the page of phabgate itself has a version; asked of another, clap_mangen panics.
    if command.get_version().is_some() {
        man.render_version_section(&mut out)?;
    }
    Ok(out)
}
