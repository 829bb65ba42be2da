//! The settings of the service.
//!
//! Responsible for them as data, with their defaults, and for how each is read from its text. Not responsible for keys and files, nor
//! for the secrets in the files that are named here, which whoever starts the service reads.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use jiff::SignedDuration;
use url::Url;

use super::reader::ValueError;
use super::values;
use crate::conduit::is_loopback;
use crate::notice::NoticeKind;
use crate::text::{hex, inert};

/// The port on which the service answers where nothing else is said.
pub const PORT: u16 = 8471;

/// The settings of `phabgate serve`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeSettings {
    /// Where people and programs reach it, through whatever stands before it; `None`: at the address on which it listens.
    pub url: Option<Url>,
    /// On which address it listens.
    pub listen: SocketAddr,
    /// The socket on which trusted proxies reach it.
    pub socket: Option<ProxySocket>,
    /// Which notices it says on tasks.
    pub notices: Vec<NoticeKind>,
    /// How much later than it was due a notice is still said.
    pub notice_window: SignedDuration,
    /// The file with the keys of the server's webhooks, one a line, several while one is replaced.
    pub webhook_keys: Option<PathBuf>,
    /// The proxies that stand before it: their word on who asks is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// The header in which a trusted proxy names the account that looks at the page.
    pub identity_header: Option<String>,
    /// The file with the secret that the proxy sends in the header `Phabgate-Proxy-Secret`.
    pub identity_secret: Option<PathBuf>,
    /// Accounts that may look at the page beside members of the teams and deployers.
    pub viewers: Vec<String>,
    /// Who may ask from elsewhere, by name.
    pub tokens: Vec<ServeToken>,
}

/// A socket of this machine, on which whoever may open it is a trusted proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxySocket {
    /// Where it is.
    pub path: PathBuf,
    /// Who may open it, as a mode of a file.
    pub mode: u32,
}

impl ProxySocket {
    /// The mode where none is written: the service and its group.
    pub(super) const MODE: u32 = 0o660;
}

/// A token of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeToken {
    /// Its name, which records of deploys bear.
    pub name: String,
    /// The SHA-256 of the token, which itself is kept nowhere.
    pub sha256: [u8; 32],
    /// What it is good for.
    pub scopes: Vec<TokenScope>,
    /// The accounts that it may name as deployers.
    pub deployers: Vec<String>,
    /// The accounts that can make the pipeline run which has it.
    pub people: Vec<String>,
}

/// Why a token cannot stand in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct WrongToken {
    /// What is wrong.
    pub what: String,
    /// How to write it.
    pub help: String,
}

impl ServeToken {
    /// The accounts that stand behind every deploy with it, and approve none.
    pub fn behind(&self) -> impl Iterator<Item = String> {
        self.deployers.iter().chain(&self.people).cloned()
    }

    /// The SHA-256 of the token, as the file writes it.
    pub fn sha256_hex(&self) -> String {
        hex(&self.sha256)
    }

    /// The table of the file that knows this token.
    ///
    /// # Errors
    /// Where the file would be refused with it.
    pub fn table(&self) -> Result<String, WrongToken> {
        let named = |what: &str, wrong: ValueError| WrongToken {
            what: format!("{what}: {}", inert(&wrong.message)),
            help: inert(&wrong.help),
        };
        values::key(&self.name).map_err(|_| WrongToken {
            what: format!("the name of the token: `{}` cannot be a key", inert(&self.name)),
            help: "a name is made of small letters, digits and `-`, as in `ci-main`".to_owned(),
        })?;
        for account in self.behind() {
            values::username(&account).map_err(|wrong| named("an account of the token", wrong))?;
        }
        if self.scopes.contains(&TokenScope::Deploy) && self.deployers.is_empty() {
            return Err(WrongToken {
                what: "a token that deploys names the accounts that it deploys for".to_owned(),
                help: "add --deployer USER for each".to_owned(),
            });
        }
        // Nothing of these holds a quotation mark.
        let list = |words: &[String]| words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
        let scopes: Vec<String> = self.scopes.iter().map(|scope| scope.word().to_owned()).collect();
        let mut table =
            format!("[serve.tokens.{}]\nsha256 = \"{}\"\nscopes = [{}]\n", self.name, self.sha256_hex(), list(&scopes));
        for (key, accounts) in [("deployers", &self.deployers), ("people", &self.people)] {
            if !accounts.is_empty() {
                table.push_str(&format!("{key} = [{}]\n", list(accounts)));
            }
        }
        Ok(table)
    }
}

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenScope {
    /// Reading verdicts, the list and metrics.
    Read,
    /// Starting and ending deploys too.
    Deploy,
}

impl TokenScope {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Read, Self::Deploy];

    /// Its word in the file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Deploy => "deploy",
        }
    }
}

impl Default for ServeSettings {
    fn default() -> Self {
        Self {
            url: None,
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT),
            socket: None,
            notices: NoticeKind::ALL.to_vec(),
            notice_window: SignedDuration::from_mins(30),
            webhook_keys: None,
            trusted_proxies: Vec::new(),
            identity_header: None,
            identity_secret: None,
            viewers: Vec::new(),
            tokens: Vec::new(),
        }
    }
}

/// The URL by which the service is known: its host is the only one that is answered, so that it has neither path nor query.
pub(super) fn url(text: &str) -> Result<Url, ValueError> {
    let help = "write it as \"https://watch.example.org/\"";
    let url: Url = text.parse().map_err(|_| ValueError::new(format!("`{text}` is not a URL"), help))?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !(matches!(url.scheme(), "http" | "https") && url.has_host() && is_bare) {
        return Err(ValueError::new(format!("`{text}` is not the URL of a host alone"), help));
    }
    match url.scheme() == "http" && !is_loopback(&url) {
        true => Err(ValueError::new(format!("`{text}` would send tokens for everybody to read"), help)),
        false => Ok(url),
    }
}

/// An address and a port to listen on.
pub(super) fn listen(text: &str) -> Result<SocketAddr, ValueError> {
    text.parse().map_err(|_| {
        ValueError::new(format!("`{text}` is not an address with a port"), format!("write it as \"127.0.0.1:{PORT}\""))
    })
}

/// The mode of the socket. Whoever may open it is believed, so that not everybody may.
pub(super) fn socket_mode(text: &str) -> Result<u32, ValueError> {
    let help = "write it as \"0660\": its owner and its group may open it";
    let mode =
        Some(text).filter(|text| (3..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()));
    let mode = mode.and_then(|text| u32::from_str_radix(text, 8).ok()).filter(|mode| *mode <= 0o777);
    let mode = mode.ok_or_else(|| ValueError::new(format!("`{text}` is not the mode of a file"), help))?;
    match (mode & 0o600, mode & 0o002) {
        (0o600, 0) => Ok(mode),
        (0o600, _) => Err(ValueError::new(format!("`{text}` would let everybody here be a trusted proxy"), help)),
        _ => Err(ValueError::new(format!("`{text}` would shut the service itself out"), help)),
    }
}

/// The address of a proxy.
pub(super) fn address(text: &str) -> Result<IpAddr, ValueError> {
    text.parse().map_err(|_| ValueError::new(format!("`{text}` is not an address"), "write it as \"127.0.0.1\""))
}

/// The name of a header.
pub(super) fn header(text: &str) -> Result<String, ValueError> {
    let is_name = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let name = text.to_ascii_lowercase();
    if ["authorization", "host", "cookie"].contains(&name.as_str()) {
        return Err(ValueError::new(format!("`{text}` is a header of its own"), "write it as \"X-Remote-User\""));
    }
    match is_name {
        true => Ok(name),
        false => Err(ValueError::new(format!("`{text}` is not the name of a header"), "write it as \"X-Remote-User\"")),
    }
}

/// The SHA-256 of a token, in hexadecimal.
pub(super) fn sha256(text: &str) -> Result<[u8; 32], ValueError> {
    let wrong = || ValueError::new("is no SHA-256", "take the line that `phabgate token new NAME` prints");
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return Err(wrong());
    }
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong())?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_a_token_is_read_as_it_was_written() {
        let token = ServeToken {
            name: "ci-2".into(),
            sha256: [0xa7; 32],
            scopes: vec![TokenScope::Deploy],
            deployers: vec!["deployer1".into()],
            people: vec!["alice".into(), "bob.b".into()],
        };
        let read = super::super::of_text(&token.table().unwrap()).unwrap();
        assert_eq!(read.serve.tokens, std::slice::from_ref(&token));
        let wrong = |change: fn(&mut ServeToken)| {
            let mut token = token.clone();
            change(&mut token);
            token.table().unwrap_err().what
        };
        assert!(wrong(|token| token.name = "a.b".into()).starts_with("the name of the token: "));
        assert!(wrong(|token| token.people.push("a\"b".into())).starts_with("an account of the token: "));
        assert!(wrong(|token| token.deployers.clear()).contains("names the accounts"));
    }

    #[test]
    fn what_is_no_host_no_digest_and_no_address_is_refused() {
        assert!(url("https://watch.example.org").is_ok() && url("http://127.0.0.1:8471/").is_ok());
        for text in ["watch.example", "ftp://watch.example", "https://watch.example/x", "https://a@b/", "https://b/?x"]
        {
            assert!(url(text).is_err(), "{text}");
        }
        assert_eq!(sha256(&"0f".repeat(32)).unwrap(), [15; 32]);
        for text in ["", "0f", &"0g".repeat(32), &"é".repeat(32)] {
            assert!(sha256(text).is_err(), "{text}");
        }
        assert!(listen("127.0.0.1").is_err() && listen("[::1]:80").is_ok());
        assert!(header("X-User\r").is_err() && header("X-User").unwrap() == "x-user");
    }
}
