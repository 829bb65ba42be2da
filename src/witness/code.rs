//! The code of what would be approved: four characters of its digest, which whoever approves on IRC repeats.
//!
//! Responsible for the characters. Not responsible for what is digested, nor for whether a code is the one of now.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Letters and digits that nobody takes for one another. There are no vowels, so that no code is a word and hardly one the name of a
/// team, and no T, so that none is the monogram of a task.
const ALPHABET: &[u8; 22] = b"CDFGHJKLMNPQRVWXY34679";

/// How many of them a code has.
const LENGTH: usize = 4;

/// Four characters, the same in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Code([u8; LENGTH]);

/// A text that is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a code has four characters of CDFGHJKLMNPQRVWXY34679")]
pub struct CodeError;

impl Code {
    /// The code of a digest, such as SHA-256. One in 234,256 others has the same.
    ///
    /// ```
    /// use phabgate::witness::Code;
    /// let code = Code::of(&[0x5a; 32]);
    /// assert_eq!(code.to_string().to_lowercase().parse(), Ok(code));
    /// ```
    pub fn of(digest: &[u8; 32]) -> Self {
        let mut number = digest.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        let base = ALPHABET.len() as u64;
        Self(std::array::from_fn(|_| {
            let at = usize::try_from(number % base).unwrap_or_default();
            number /= base;
            ALPHABET[at]
        }))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{}", char::from(*byte)))
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.to_string()
    }
}

impl TryFrom<String> for Code {
    type Error = CodeError;

    fn try_from(text: String) -> Result<Self, CodeError> {
        text.parse()
    }
}

impl FromStr for Code {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        let bytes: [u8; LENGTH] = text.to_ascii_uppercase().as_bytes().try_into().map_err(|_| CodeError)?;
        match bytes.iter().all(|byte| ALPHABET.contains(byte)) {
            true => Ok(Self(bytes)),
            false => Err(CodeError),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_could_be_mistaken_is_no_code() {
        for text in ["", "CDF", "CDFGH", "CD0F", "CDIF", "T347", "CDÉ", "C DF", "main"] {
            assert_eq!(text.parse::<Code>(), Err(CodeError), "{text}");
        }
        assert_eq!("k7qm".parse::<Code>().unwrap(), "K7QM".parse().unwrap());
    }

    proptest! {
        #[test]
        fn every_digest_has_a_code_that_is_read_back(digest in any::<[u8; 32]>()) {
            let code = Code::of(&digest);
            prop_assert_eq!(code.to_string().parse(), Ok(code));
            prop_assert_eq!(code.to_string().to_lowercase().parse(), Ok(code));
        }
    }
}
