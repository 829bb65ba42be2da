//! The table `[serve]`: as the file has it, and as it is validated and listed.
//!
//! Responsible for what is particular to it. Not responsible for what its settings mean ([`super::serve`]), nor for how files are read.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use jiff::SignedDuration;
use serde_json::json;
use url::Url;

use super::diagnostic::Diagnostic;
use super::error::ConfigError;
use super::file::{choice, directory, map};
use super::reader::{List, Located, Section, ValueError};
use super::serve::{self, ProxySocket, ServeSettings, ServeToken, TokenScope};
use super::settings::{List as Entries, friendly};
use super::validate::{PolicyMerge, values};
use super::values as value;
use crate::notice::NoticeKind;

/// The table `[serve]`.
#[derive(Debug, Default)]
pub(super) struct FileServe {
    pub(super) url: Option<Located<Url>>,
    pub(super) listen: Option<Located<SocketAddr>>,
    pub(super) socket: Option<Located<PathBuf>>,
    pub(super) socket_mode: Option<Located<u32>>,
    pub(super) notices: Option<List<NoticeKind>>,
    pub(super) notice_window: Option<Located<SignedDuration>>,
    pub(super) webhook_keys: Option<Located<PathBuf>>,
    pub(super) trusted_proxies: Option<List<IpAddr>>,
    pub(super) identity_header: Option<Located<String>>,
    pub(super) identity_secret: Option<Located<PathBuf>>,
    pub(super) viewers: Option<List<String>>,
    pub(super) tokens: Option<Located<Vec<FileToken>>>,
}

/// One table below `[serve.tokens]`.
#[derive(Debug)]
pub(super) struct FileToken {
    pub(super) name: Located<String>,
    pub(super) sha256: Option<Located<[u8; 32]>>,
    pub(super) scopes: Option<List<TokenScope>>,
    pub(super) deployers: Option<List<String>>,
    pub(super) people: Option<List<String>>,
}

/// Reads it.
pub(super) fn read(table: &mut Section<'_, '_>) -> FileServe {
    FileServe {
        url: table.parsed("url", serve::url),
        listen: table.parsed("listen", serve::listen),
        socket: table.parsed("socket", directory),
        socket_mode: table.parsed("socket_mode", serve::socket_mode),
        notices: table.list("notices", notice),
        notice_window: table.parsed("notice_window", value::duration),
        webhook_keys: table.parsed("webhook_keys", directory),
        trusted_proxies: table.list("trusted_proxies", serve::address),
        identity_header: table.parsed("identity_header", serve::header),
        identity_secret: table.parsed("identity_secret", directory),
        viewers: table.list("viewers", value::username),
        tokens: table.sections("tokens").map(|tables| map(tables, token)),
    }
}

fn token(name: Located<String>, mut table: Section<'_, '_>) -> FileToken {
    let token = FileToken {
        name,
        sha256: table.parsed("sha256", serve::sha256),
        scopes: table.list("scopes", scope),
        deployers: table.list("deployers", value::username),
        people: table.list("people", value::username),
    };
    table.finish();
    token
}

fn notice(text: &str) -> Result<NoticeKind, ValueError> {
    choice(text, &NoticeKind::ALL.map(|kind| (kind.word(), kind)))
}

fn scope(text: &str) -> Result<TokenScope, ValueError> {
    choice(text, &TokenScope::ALL.map(|scope| (scope.word(), scope)))
}

impl PolicyMerge<'_> {
    /// Its settings.
    pub(super) fn serve(&mut self, file: FileServe, base: FileServe) -> Result<ServeSettings, ConfigError> {
        let trusted_proxies = self.either(file.trusted_proxies, base.trusted_proxies).map(values).unwrap_or_default();
        let socket = self.socket(file.socket, file.socket_mode);
        let is_any_trusted = socket.is_some() || !trusted_proxies.is_empty();
        let identity_header = self.identity(file.identity_header, file.identity_secret.as_ref(), is_any_trusted);
        let settings = ServeSettings {
            trusted_proxies,
            identity_header,
            socket,
            url: self.either(file.url, None).map(|found| found.value),
            listen: self.one(file.listen, base.listen, "serve.listen")?.value,
            notices: values(self.one(file.notices, base.notices, "serve.notices")?),
            notice_window: self.one(file.notice_window, base.notice_window, "serve.notice_window")?.value,
            webhook_keys: self.either(file.webhook_keys, None).map(|found| found.value),
            identity_secret: self.either(file.identity_secret, None).map(|found| found.value),
            viewers: self.either(file.viewers, base.viewers).map(values).unwrap_or_default(),
            tokens: self.either(file.tokens, None).map(|found| self.tokens(found.value)).unwrap_or_default(),
        };
        Ok(settings)
    }

    /// The socket of trusted proxies.
    fn socket(&mut self, path: Option<Located<PathBuf>>, mode: Option<Located<u32>>) -> Option<ProxySocket> {
        let (path, mode) = (self.either(path, None), self.either(mode, None));
        match (path, mode) {
            (Some(path), mode) => {
                Some(ProxySocket { path: path.value, mode: mode.map_or(ProxySocket::MODE, |mode| mode.value) })
            }
            (None, Some(mode)) => {
                let diagnostic = Diagnostic::new(&mode.place, "is the mode of no socket");
                self.problems.add(diagnostic.help("set `socket` too, to the path of the socket"));
                None
            }
            (None, None) => None,
        }
    }

    /// The header that names who looks. Without a secret beside it, anybody who reaches the service could be anybody.
    fn identity(
        &mut self,
        header: Option<Located<String>>,
        secret: Option<&Located<PathBuf>>,
        is_any_trusted: bool,
    ) -> Option<String> {
        let header = self.either(header, None)?;
        if !is_any_trusted {
            let diagnostic = Diagnostic::new(&header.place, "is believed of no proxy, so that nobody could look");
            self.problems.add(
                diagnostic.help("name the address of the proxy in `trusted_proxies`, or let it come by a `socket`"),
            );
        }
        if secret.is_none() {
            let message = "anybody who reaches the service could name any account in this header";
            let diagnostic = Diagnostic::new(&header.place, message);
            self.problems
                .add(diagnostic.help("set `identity_secret` too, to a file with a secret that the proxy sends"));
        }
        Some(header.value)
    }

    fn tokens(&mut self, found: Vec<FileToken>) -> Vec<ServeToken> {
        let mut seen: Vec<[u8; 32]> = Vec::new();
        let rows = found.into_iter().map(|token| {
            let FileToken { name, sha256, scopes, deployers, people } = token;
            let lacks = |what: &str, help: &str| Diagnostic::new(&name.place, format!("has no `{what}`")).help(help);
            let digest = self.either(sha256, None);
            if let Some(digest) = &digest {
                if seen.contains(&digest.value) {
                    let diagnostic = Diagnostic::new(&digest.place, "is the token of another name too");
                    self.problems.add(diagnostic.help("make one for each: `phabgate token new NAME`"));
                }
                seen.push(digest.value);
            } else {
                self.problems.add(lacks("sha256", "take the line that `phabgate token new NAME` prints"));
            }
            let scopes = self.either(scopes, None).map(values).unwrap_or_default();
            if scopes.is_empty() {
                self.problems.add(lacks("scopes", "write `scopes = [\"read\"]`, or \"deploy\" for a pipeline"));
            }
            let deployers = self.either(deployers, None).map(values).unwrap_or_default();
            if scopes.contains(&TokenScope::Deploy) && deployers.is_empty() {
                let help = "name the accounts that the pipeline may deploy for: a token never names any";
                self.problems.add(lacks("deployers", help));
            }
            let people = self.either(people, None).map(values).unwrap_or_default();
            ServeToken {
                sha256: digest.map_or([0; 32], |digest| digest.value),
                scopes,
                deployers,
                people,
                name: name.value,
            }
        });
        rows.collect()
    }
}

/// What is listed of it.
pub(super) fn entries(serve: &ServeSettings, list: &mut Entries<'_>) {
    let words = |kinds: &[NoticeKind]| kinds.iter().map(|kind| kind.word()).collect::<Vec<_>>();
    list.add("serve.url", json!(serve.url));
    list.add("serve.listen", json!(serve.listen));
    list.add("serve.socket", json!(serve.socket.as_ref().map(|socket| &socket.path)));
    list.add("serve.socket_mode", json!(serve.socket.as_ref().map(|socket| format!("{:04o}", socket.mode))));
    list.add("serve.notices", json!(words(&serve.notices)));
    list.add("serve.notice_window", friendly(serve.notice_window));
    list.add("serve.webhook_keys", json!(serve.webhook_keys));
    list.add("serve.trusted_proxies", json!(serve.trusted_proxies));
    list.add("serve.identity_header", json!(serve.identity_header));
    list.add("serve.identity_secret", json!(serve.identity_secret));
    list.add("serve.viewers", json!(serve.viewers));
    for token in &serve.tokens {
        let key = |name: &str| format!("serve.tokens.{}.{name}", token.name);
        // Of a token its digest is no secret: nobody finds the token by it.
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.word()).collect();
        list.add(&key("sha256"), json!(token.sha256_hex()));
        list.add(&key("scopes"), json!(scopes));
        list.add(&key("deployers"), json!(token.deployers));
        list.add(&key("people"), json!(token.people));
    }
}
