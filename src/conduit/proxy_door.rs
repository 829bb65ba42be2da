//! The door of a proxy: through one that is given a password the first call goes alone.
//!
//! Responsible for the order of the first calls, and that a password which the proxy does not know is sent no second time. Not
//! responsible for which proxy that is ([`super::route`]).

use tokio::sync::Mutex;

use super::error::Failure;
use super::unreached::{Obstacle, Unreached};

/// A proxy that is given a password: the first call goes alone, and where the proxy knows no such password no other goes at
/// all. Many tries with a wrong password close an account.
#[derive(Debug, Default)]
pub(super) struct ProxyDoor(Mutex<Door>);

#[derive(Debug, Default)]
enum Door {
    #[default]
    Untried,
    Open,
    Shut(Unreached),
}

impl ProxyDoor {
    /// Makes a call through the proxy, when its turn has come.
    ///
    /// # Errors
    /// Those of the call, and where the proxy refused the password of an earlier one.
    pub(super) async fn pass<T>(&self, call: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let mut door = self.0.lock().await;
        match &*door {
            Door::Shut(unreached) => return Err(Failure::NoConnection(unreached.clone())),
            Door::Open => drop(door),
            Door::Untried => {
                let done = call.await;
                match &done {
                    Err(Failure::NoConnection(unreached)) if unreached.obstacle == Obstacle::ProxyCredentials => {
                        *door = Door::Shut(unreached.clone());
                    }
                    // It was not the proxy that answered.
                    Err(Failure::NoConnection(_)) => {}
                    _ => *door = Door::Open,
                }
                return done;
            }
        }
        call.await
    }
}
