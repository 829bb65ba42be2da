//! `token new`: a token by which a program asks the service.
//!
//! Responsible for making it, and for the table of the configuration that knows it by its SHA-256. Neither is kept: the token is
//! printed once. Asks no server. Not responsible for what a token may do ([`crate::serve::http`]).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::exit::{Exit, Failure};
use super::ui::Ui;
use crate::config::{ServeToken, TokenScope, WrongToken};
use crate::layout::{NAME, hanging, styled};
use crate::random;

/// The schema of `token new --format json`.
const SCHEMA: &str = "phabgate/token/1";

/// How many random bytes a token is made of.
const BYTES: usize = 32;

/// Arguments of `token`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, clap::Subcommand)]
enum TokenCommand {
    /// Make a token, and print the table of the configuration that knows it
    New(New),
}

/// Arguments of `token new`.
#[derive(Debug, clap::Args)]
struct New {
    /// What it is called; records of deploys bear the name
    #[arg(value_name = "NAME")]
    name: String,
    /// What it is good for: read, or deploy
    #[arg(long, value_enum, default_value_t = TokenScope::Read, value_name = "SCOPE")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    scope: TokenScope,
    /// An account that a pipeline with it may deploy for (repeatable)
    #[arg(long, value_name = "USER")]
    deployer: Vec<String>,
    /// An account that can make that pipeline run (repeatable)
    #[arg(long, value_name = "USER")]
    person: Vec<String>,
}

/// The scopes as the command line knows them.
impl ValueEnum for TokenScope {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Read => "Verdicts, the list and metrics",
            Self::Deploy => "Deploys of a pipeline too",
        };
        Some(PossibleValue::new(self.word()).help(help))
    }
}

/// A token and the table, for programs; fields are only ever added.
#[derive(Serialize)]
struct Json<'a> {
    schema: &'static str,
    name: &'a str,
    token: &'a str,
    sha256: String,
    config: &'a str,
}

impl From<WrongToken> for Failure {
    fn from(wrong: WrongToken) -> Self {
        Self::usage(wrong.what, wrong.help)
    }
}

/// Runs `token`.
///
/// # Errors
/// Where no such token can stand in the configuration, or the machine gives no random bytes.
pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let TokenCommand::New(new) = &args.command;
    if new.scope == TokenScope::Read && !(new.deployer.is_empty() && new.person.is_empty()) {
        return Err(Failure::usage(
            "--deployer and --person are for a token that deploys",
            "add --scope deploy, or leave them out",
        ));
    }
    let token = random()?;
    let known = ServeToken {
        name: new.name.clone(),
        sha256: Sha256::digest(&token).into(),
        scopes: vec![new.scope],
        deployers: new.deployer.clone(),
        people: new.person.clone(),
    };
    let config = known.table()?;
    match ui.is_json() {
        true => ui.json(&Json {
            schema: SCHEMA,
            name: &new.name,
            token: &token,
            sha256: known.sha256_hex(),
            config: &config,
        }),
        false => ui.data(&text(&new.name, &token, &config, ui.width())),
    }
    Ok(Exit::Done)
}

/// By which a token is known for one where it should not stand, and never taken for an option.
const PREFIX: &str = "phabgate_";

/// A token nobody can guess.
fn random() -> Result<String, Failure> {
    let bytes: [u8; BYTES] = random::bytes().ok_or_else(|| Failure::no_random_bytes(None))?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

fn text(name: &str, token: &str, config: &str, width: usize) -> String {
    let line = |words: &str| hanging("", 0, words, width);
    format!(
        "{}\n  {}\n\n{}\n{config}",
        line(&format!(
            "The token {name}. It is kept nowhere and shown this once: put it now where its program keeps secrets."
        )),
        styled(NAME, token),
        line("For the configuration of the service, which knows it by its SHA-256 alone; then start the service anew:"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let made: std::collections::BTreeSet<String> = (0..64).map(|_| random().unwrap()).collect();
        assert_eq!(made.len(), 64);
        for token in made {
            let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX).unwrap()).unwrap();
            assert_eq!(bytes.len(), BYTES, "{token}");
        }
    }
}
