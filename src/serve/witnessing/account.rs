//! The account that witnesses are written with.
//!
//! Responsible for nothing being written with another than the policy names: a comment of any other is no witness, and one that nobody
//! believes must not look like one. Not responsible for where the token comes from.

use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::OnceCell;

use crate::conduit::{Account, Client, ConduitError};
use crate::policy::Policy;

/// How long the server may take to say whose it is.
const ASKING: Duration = Duration::from_secs(6);

/// The account, by its token.
#[derive(Debug)]
pub struct WitnessAccount {
    client: Client,
    known: OnceCell<Account>,
}

/// Why nothing can be written with it.
#[derive(Debug, thiserror::Error)]
pub enum WitnessAccountError {
    /// Whose it is cannot be asked.
    #[error("whose token witnesses are written with cannot be asked: {0}")]
    Conduit(#[from] ConduitError),
    /// It is another's.
    #[error(
        "irc.witness_token_file: the token is of {user}, who is not one of policy.witnesses: no comment of theirs counts"
    )]
    NoWitness {
        /// Whose.
        user: String,
    },
}

impl WitnessAccount {
    /// The account of this token.
    pub fn new(client: &Client, token: SecretString) -> Self {
        Self { client: client.with_token(token), known: OnceCell::new() }
    }

    /// Whose it is, once that is known to be a witness.
    ///
    /// # Errors
    /// Where the server does not say whose it is, or it is no witness.
    pub async fn known(&self, policy: &Policy) -> Result<&Account, WitnessAccountError> {
        let ask = || async {
            let account = self.client.within(ASKING).whoami().await?.result;
            match account.is_named_in(&policy.witnesses) {
                true => Ok(account),
                false => Err(WitnessAccountError::NoWitness { user: crate::text::inert(&account.username) }),
            }
        };
        self.known.get_or_try_init(ask).await
    }

    /// The way to the server as it.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }
}
