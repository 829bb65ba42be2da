//! How it is known that whoever says how a deploy goes on is who announced it.
//!
//! Responsible for the secret of one deploy, which never leaves its gate but to the watch, and for its commitment, which stands in
//! `started`: who knows the secret wrote that record. Not responsible for what is said, and to whom ([`crate::gate::share`]).

use std::fmt;
use std::hint::black_box;

use crate::random;
use crate::text::hex;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};

/// How many bytes a secret has, and its commitment.
const BYTES: usize = 32;

/// The secret of one deploy. It is in no message, no record and no journal.
pub struct ShareSecret(SecretBox<[u8; BYTES]>);

impl fmt::Debug for ShareSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShareSecret")
    }
}

impl ShareSecret {
    /// One that nobody can guess; `None` where the machine gives no random bytes.
    pub fn fresh() -> Option<Self> {
        Some(Self(SecretBox::new(Box::new(random::bytes()?))))
    }

    /// The one that these hexadecimal digits are.
    pub fn parse(digits: &str) -> Option<Self> {
        Some(Self(SecretBox::new(Box::new(bytes(digits)?))))
    }

    /// It in hexadecimal digits.
    pub fn digits(&self) -> SecretString {
        hex(self.0.expose_secret()).into()
    }

    /// What of it stands in `started`.
    pub fn commitment(&self) -> Commitment {
        Commitment(Sha256::digest(self.0.expose_secret()).into())
    }
}

/// The SHA-256 of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commitment([u8; BYTES]);

impl Commitment {
    /// The one that a record states; `None` where what stands there is none.
    pub fn parse(digits: &str) -> Option<Self> {
        bytes(digits).map(Self)
    }

    /// Whether it is that of this secret. Takes as long whatever the secret is.
    pub fn is_of(&self, secret: &ShareSecret) -> bool {
        let Self(other) = secret.commitment();
        self.0.iter().zip(other).fold(0, |differs, (ours, theirs)| black_box(differs | (ours ^ theirs))) == 0
    }
}

impl fmt::Display for Commitment {
    /// In hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// The bytes that so many lower-case hexadecimal digits are.
fn bytes(digits: &str) -> Option<[u8; BYTES]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let pairs: Option<Vec<u8>> =
        digits.as_bytes().chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect();
    pairs?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commitment_is_that_of_its_own_secret_alone() {
        let (secret, other) = (ShareSecret::fresh().unwrap(), ShareSecret::fresh().unwrap());
        let written = secret.commitment().to_string();
        let read = Commitment::parse(&written).unwrap();
        assert!(read.is_of(&secret) && !read.is_of(&other));
        let sent = ShareSecret::parse(secret.digits().expose_secret()).unwrap();
        assert!(read.is_of(&sent));
        // What stands on the task opens nothing.
        assert!(!read.is_of(&ShareSecret::parse(&written).unwrap()));
    }

    #[test]
    fn it_is_the_sha_256_of_the_bytes() {
        let secret = ShareSecret::parse(&"00".repeat(32)).unwrap();
        let expected = "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";
        assert_eq!(secret.commitment().to_string(), expected);
    }

    #[test]
    fn what_is_no_64_digits_is_none() {
        let short = "0".repeat(63);
        for wrong in
            ["", "0", &short, &"0".repeat(65), &"0".repeat(66), &"g".repeat(64), &"A".repeat(64), &"é".repeat(32)]
        {
            assert!(Commitment::parse(wrong).is_none() && ShareSecret::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_not_printed() {
        let secret = ShareSecret::fresh().unwrap();
        let (shown, digits) = (format!("{secret:?} {:?}", secret.digits()), secret.digits());
        assert!(!shown.contains(digits.expose_secret()), "{shown}");
    }
}
