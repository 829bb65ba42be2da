//! SASL: PLAIN (RFC 4616) and EXTERNAL (RFC 4422, appendix A) over `AUTHENTICATE`.
//!
//! Responsible for the mechanism and the pieces of the answer. Not responsible for when it is asked for.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretString};

use super::capabilities::Capabilities;
use super::settings::Login;

/// How much of an answer goes into one message.
const CHUNK: usize = 400;

/// How the bot proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mechanism {
    /// By its certificate.
    External,
    /// By its password.
    Plain,
}

impl Mechanism {
    /// The best that both sides know; `None` where there is none.
    pub(super) fn choose(login: &Login, offered: &Capabilities) -> Option<Self> {
        [Self::External, Self::Plain].into_iter().find(|mechanism| mechanism.is_known(login, offered))
    }

    /// What is tried where this one is refused; `None` where that was the last.
    pub(super) fn next(self, login: &Login, offered: &Capabilities) -> Option<Self> {
        match self {
            Self::External => Some(Self::Plain).filter(|mechanism| mechanism.is_known(login, offered)),
            Self::Plain => None,
        }
    }

    /// Whether both sides know it.
    fn is_known(self, login: &Login, offered: &Capabilities) -> bool {
        let proof = match self {
            Self::External => login.certificate.is_some(),
            Self::Plain => login.password.is_some(),
        };
        login.account.is_some() && proof && offered.offers_mechanism(self.name())
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::External => "EXTERNAL",
            Self::Plain => "PLAIN",
        }
    }

    /// What proves the account by it, in words.
    pub(super) fn proof(self) -> &'static str {
        match self {
            Self::External => "certificate",
            Self::Plain => "password",
        }
    }

    /// The answer, each piece the parameter of an `AUTHENTICATE` of its own.
    pub(super) fn answer(self, login: &Login) -> Vec<SecretString> {
        let account = login.account.as_deref().unwrap_or_default();
        let answer = match self {
            Self::External => account.to_owned(),
            Self::Plain => {
                let password = login.password.as_ref().map_or("", |password| password.expose_secret());
                format!("{account}\0{account}\0{password}")
            }
        };
        chunks(&BASE64_STANDARD.encode(answer))
    }
}

/// The pieces of an answer: a last one that is full is followed by `+`, and so is an empty answer.
fn chunks(encoded: &str) -> Vec<SecretString> {
    // Base64 is ASCII: every place is one between characters.
    let mut pieces: Vec<SecretString> = (0..encoded.len())
        .step_by(CHUNK)
        .map(|at| SecretString::from(&encoded[at..encoded.len().min(at + CHUNK)]))
        .collect();
    if encoded.len().is_multiple_of(CHUNK) {
        pieces.push(SecretString::from("+"));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(password: &str) -> Login {
        Login { account: Some("phabgate".into()), password: Some(password.to_owned().into()), certificate: None }
    }

    fn pieces(mechanism: Mechanism, login: &Login) -> Vec<String> {
        mechanism.answer(login).iter().map(|piece| piece.expose_secret().to_owned()).collect()
    }

    #[test]
    fn an_answer_is_sent_in_pieces_of_400_bytes() {
        assert_eq!(pieces(Mechanism::Plain, &login("x")), ["cGhhYmdhdGUAcGhhYmdhdGUAeA=="]);
        for (length, expected) in [(282, vec![400, 1]), (283, vec![400, 4]), (581, vec![400, 400, 1])] {
            let sent = pieces(Mechanism::Plain, &login(&"x".repeat(length)));
            assert_eq!(sent.iter().map(String::len).collect::<Vec<_>>(), expected, "{length}");
            let whole: String = sent.iter().filter(|piece| *piece != "+").map(String::as_str).collect();
            assert!(BASE64_STANDARD.decode(whole).unwrap().ends_with(b"x"));
        }
        assert_eq!(pieces(Mechanism::External, &login("x")), ["cGhhYmdhdGU="]);
        assert_eq!(chunks("").len(), 1);
    }

    #[test]
    fn a_certificate_comes_before_a_password() {
        let offered = |list: &str| {
            let mut offered = Capabilities::default();
            offered.take(&["LS".to_owned(), list.to_owned()]);
            offered
        };
        let both = Login { certificate: Some("pem".to_owned().into()), ..login("x") };
        assert_eq!(Mechanism::choose(&both, &offered("sasl=PLAIN,EXTERNAL")), Some(Mechanism::External));
        assert_eq!(Mechanism::choose(&both, &offered("sasl=PLAIN")), Some(Mechanism::Plain));
        assert_eq!(Mechanism::choose(&both, &offered("sasl")), Some(Mechanism::External));
        assert_eq!(Mechanism::choose(&login("x"), &offered("sasl=EXTERNAL")), None);
        assert_eq!(Mechanism::choose(&both, &offered("message-tags")), None);
        assert_eq!(Mechanism::choose(&Login::default(), &offered("sasl")), None);
    }

    #[test]
    fn after_a_certificate_a_password_is_tried_where_there_is_one() {
        let mut offered = Capabilities::default();
        offered.take(&["LS".to_owned(), "sasl=PLAIN,EXTERNAL".to_owned()]);
        let certificate = || Some("pem".to_owned().into());
        let both = Login { certificate: certificate(), ..login("x") };
        assert_eq!(Mechanism::External.next(&both, &offered), Some(Mechanism::Plain));
        assert_eq!(Mechanism::Plain.next(&both, &offered), None);
        let alone = Login { certificate: certificate(), password: None, ..login("x") };
        assert_eq!(Mechanism::External.next(&alone, &offered), None);
        offered.take(&["NEW".to_owned(), "sasl=EXTERNAL".to_owned()]);
        assert_eq!(Mechanism::External.next(&both, &offered), None, "the network does not know it");
    }
}
