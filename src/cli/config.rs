//! `config show` and `config check`: the effective configuration, and where each value came from.
//!
//! Responsible for the two commands, and what they print, as pure functions. Neither asks a server. Not responsible for
//! reading the configuration (see [`crate::config`]).

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::Globals;
use super::exit::{Exit, Failure};
use super::session;
use super::ui::Ui;
use crate::conduit::Authorities;
use crate::config::{Origin, Settings};
use crate::host::{self, Environment, TokenSource};
use crate::layout::hanging;
use crate::policy::PolicyDigest;

/// The schema of `config show --format json`.
pub const SHOW_SCHEMA: &str = "phabgate/config/1";
/// The schema of `config check --format json`.
pub const CHECK_SCHEMA: &str = "phabgate/config-check/1";

/// The narrowest column in which a value is still readable.
const NARROWEST: usize = 24;

/// Arguments of `config`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ConfigCommand {
    /// Show the effective configuration, and where each value came from
    Show,
    /// Check the configuration, and name what is wrong with it
    Check,
}

/// Runs `config`.
///
/// # Errors
/// Where the configuration is wrong.
pub(super) fn run(args: &Args, globals: &Globals, ui: &mut Ui) -> Result<Exit, Failure> {
    let environment = session::environment(globals)?;
    let settings = session::settings(globals, &environment)?;
    match args.command {
        ConfigCommand::Show => {
            let token = token_source(globals, &environment, &settings);
            let token = token.as_ref().map_err(String::as_str);
            match ui.is_json() {
                true => ui.json(&show_json(&settings, token)),
                false => ui.data(&show_text(&settings, token, ui.width())),
            }
        }
        ConfigCommand::Check => match ui.is_json() {
            true => ui.json(&check_json(&settings)),
            false => ui.data(&check_text(&settings)),
        },
    }
    Ok(Exit::Done)
}

/// Where the token comes from, or why there is none: no reason to show less of the configuration.
fn token_source(globals: &Globals, environment: &Environment, settings: &Settings) -> Result<TokenSource, String> {
    if globals.sandbox {
        return Err("the sandbox has its own".to_owned());
    }
    let url = settings.server().map_err(|error| error.to_string())?;
    let (_, source) =
        host::find_token(environment, settings.configured_url.as_ref(), url).map_err(|error| error.to_string())?;
    Ok(source)
}

/// What `config show` says, as JSON.
#[derive(Debug, Serialize)]
pub struct ShownConfig {
    schema: &'static str,
    file: Option<PathBuf>,
    policy: PolicyDigest,
    /// Where the token comes from; never the token.
    token: Option<String>,
    /// Why there is none.
    no_token: Option<String>,
    /// The proxy of requests over HTTPS, without its password, and the variable that names it.
    proxy: Option<String>,
    /// Whose certificates are believed.
    authorities: String,
    values: Vec<ShownValue>,
}

/// One setting of [`ShownConfig`].
#[derive(Debug, Serialize)]
struct ShownValue {
    key: String,
    value: Value,
    origin: Origin,
}

/// `config show --format json`. `token` is where the token comes from, or why there is none.
pub fn show_json(settings: &Settings, token: Result<&TokenSource, &str>) -> ShownConfig {
    let entries = settings.entries().into_iter();
    ShownConfig {
        schema: SHOW_SCHEMA,
        file: settings.file.clone(),
        policy: settings.policy.digest(),
        token: token.ok().map(ToString::to_string),
        no_token: token.err().map(str::to_owned),
        proxy: settings.route.proxy.as_ref().map(ToString::to_string),
        authorities: settings.route.authorities.to_string(),
        values: entries.map(|entry| ShownValue { key: entry.key, value: entry.value, origin: entry.origin }).collect(),
    }
}

/// `config show` as text: key, value and origin in columns, no line wider than `width` where the words allow it.
pub fn show_text(settings: &Settings, token: Result<&TokenSource, &str>, width: usize) -> String {
    let mut rows: Vec<[String; 3]> = settings
        .entries()
        .into_iter()
        .map(|entry| [entry.key, toml_value(&entry.value), entry.origin.to_string()])
        .collect();
    let (source, origin) = match token {
        Ok(source) => ("(not shown)", source.to_string()),
        Err(_) => ("(none found)", String::new()),
    };
    rows.push(["token".to_owned(), source.to_owned(), origin]);
    if let Some(proxy) = &settings.route.proxy {
        rows.push(["proxy".to_owned(), proxy.host(), format!("${}", proxy.variable)]);
    }
    if let Authorities::Named { file, directories } = &settings.route.authorities {
        let named = file.iter().map(|file| (file, "$SSL_CERT_FILE"));
        let named = named.chain(directories.iter().map(|directory| (directory, "$SSL_CERT_DIR")));
        rows.extend(
            named.map(|(path, origin)| ["authorities".to_owned(), path.display().to_string(), origin.to_owned()]),
        );
    }
    let no_token = token.err().map(|why| format!("\n{}", hanging("no token: ", 10, why, width)));

    let file = settings.file.as_ref().map_or_else(|| "none".to_owned(), |path| path.display().to_string());
    let head = [["file", file.as_str()], ["policy", settings.policy.digest().as_str()]]
        .map(|[name, value]| format!("{name:<8}{value}\n"))
        .concat();
    format!("{head}\n{}{}", columns(&rows, width), no_token.unwrap_or_default())
}

/// What `config check` says, as JSON.
#[derive(Debug, Serialize)]
pub struct Checked {
    schema: &'static str,
    ok: bool,
    file: Option<PathBuf>,
    policy: PolicyDigest,
    /// `None` where none is set, and no command can ask one.
    server: Option<String>,
}

/// `config check --format json`; a configuration that is wrong never gets this far.
pub fn check_json(settings: &Settings) -> Checked {
    Checked {
        schema: CHECK_SCHEMA,
        ok: true,
        file: settings.file.clone(),
        policy: settings.policy.digest(),
        server: settings.url.as_ref().map(ToString::to_string),
    }
}

/// `config check` as text.
pub fn check_text(settings: &Settings) -> String {
    let what = match &settings.file {
        Some(path) => path.display().to_string(),
        None => "no file, all is built in".to_owned(),
    };
    let server = match &settings.url {
        Some(url) => format!("server {url}"),
        None => "no server is set: set `url`, or no command can ask one".to_owned(),
    };
    format!("ok: {what}\npolicy {}\n{server}\n", settings.policy.digest())
}

/// A value as the file writes it: JSON and TOML agree on texts, numbers and lists of them, not on tables.
pub fn toml_value(of: &Value) -> String {
    match of {
        Value::Null => "(not set)".to_owned(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(toml_value).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(table) => {
            let pairs: Vec<String> = table.iter().map(|(key, it)| format!("{key} = {}", toml_value(it))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

fn columns(rows: &[[String; 3]], width: usize) -> String {
    let widest = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or_default();
    let (keys, origins) = (widest(0), widest(2));
    let values = width.saturating_sub(keys + origins + 4);
    let mut text = String::new();
    for [key, value, origin] in rows {
        if values < NARROWEST {
            // Too narrow for columns: as the file writes it, the origin as a comment behind it or below.
            let setting = format!("{key} = {value}");
            let whole = format!("{setting}  # {origin}");
            if whole.width() <= width {
                text.push_str(&format!("{whole}\n"));
                continue;
            }
            let options = |first| {
                let options =
                    textwrap::Options::new(width.max(NARROWEST)).initial_indent(first).subsequent_indent("    ");
                options.word_separator(textwrap::WordSeparator::AsciiSpace)
            };
            text.push_str(&format!("{}\n", textwrap::fill(&setting, options(""))));
            text.push_str(&format!("{}\n", textwrap::fill(&format!("# {origin}"), options("    "))));
            continue;
        }
        let column = widest(1).min(values);
        let options = textwrap::Options::new(values).word_separator(textwrap::WordSeparator::AsciiSpace);
        for (line, part) in textwrap::wrap(value, options).iter().enumerate() {
            let (key, origin) = if line == 0 { (key.as_str(), origin.as_str()) } else { ("", "") };
            let gap = " ".repeat(column.saturating_sub(part.width()));
            let row = format!("{key:<keys$}  {part}{gap}  {origin}");
            text.push_str(row.trim_end());
            text.push('\n');
        }
    }
    text
}
