//! The webhook of the server: a wake-up, never evidence.
//!
//! Responsible for its signature, and for noting durably that a task is to be looked at. What a call says happened is not looked at, so
//! that one that is sent again costs one reading at most. Not responsible for looking.

use std::sync::atomic::Ordering;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use serde::Deserialize;
use sha2::Sha256;

use super::Shared;
use super::listen::Peer;
use super::problem::Problem;
use crate::ids::{Phid, Task};
use crate::serve::store::Store;

/// The header of the signature, of Phabricator and Phorge alike.
const SIGNATURE: &str = "x-phabricator-webhook-signature";

#[derive(Deserialize)]
struct Call {
    object: Object,
    action: Option<Action>,
}

#[derive(Deserialize)]
struct Action {
    /// When it happened, in seconds since 1970.
    epoch: Option<i64>,
}

#[derive(Deserialize)]
struct Object {
    #[serde(rename = "type")]
    kind: String,
    phid: String,
}

/// `POST /hooks/phorge`.
pub(super) async fn phorge<S: Store>(
    State(app): State<Shared<S>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let keys = &app.watch.site.secrets.webhook_keys;
    let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !keys.iter().any(|key| is_signed(key.expose_secret(), &body, signature)) {
        app.watch.metrics.bad_hooks.increment();
        if !app.limits.admits_unsigned(peer.address()) {
            return Err(Problem::too_many());
        }
        let detail = "the signature is of none of the keys in `serve.webhook_keys`";
        return Err(Problem::new(StatusCode::FORBIDDEN, "not signed", detail));
    }
    app.watch.metrics.hooks.increment();
    let call: Call = serde_json::from_slice(&body)
        .map_err(|_| Problem::bad_request("the body is not what a webhook of Phabricator or Phorge sends"))?;
    if let Some(epoch) = call.action.and_then(|action| action.epoch) {
        let lag = u64::try_from(app.watch.board.now().as_second().saturating_sub(epoch)).unwrap_or_default();
        app.watch.metrics.hook_lag.store(lag, Ordering::Relaxed);
    }
    if call.object.kind != "TASK" {
        return Ok(StatusCode::OK);
    }
    let task: Phid<Task> =
        Phid::new(call.object.phid).map_err(|_| Problem::bad_request("the object of the call is no task"))?;
    match app.watch.wake(&[task]) {
        Ok(()) => Ok(StatusCode::OK),
        Err(error) => {
            tracing::error!("{error}");
            // All open emergencies are listed anew in its place.
            app.watch.sweep_now();
            Err(Problem::unavailable("what is to be looked at cannot be noted"))
        }
    }
}

/// Whether a body bears the signature of a key: hex HMAC-SHA256, compared in constant time.
fn is_signed(key: &str, body: &[u8], signature: &str) -> bool {
    let Some(signature) = from_hex(signature) else { return false };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return false };
    mac.update(body);
    mac.verify_slice(&signature).is_ok()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|n| u8::try_from(n).ok())).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_key_over_the_very_bytes() {
        // RFC 4231, test case 2.
        let (key, body) = ("Jefe", b"what do ya want for nothing?");
        let signature = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert!(is_signed(key, body, signature) && is_signed(key, body, &signature.to_uppercase()));
        assert!(!is_signed("jefe", body, signature));
        assert!(!is_signed(key, b"what do ya want for nothing", signature));
        for wrong in ["", "5b", "5bd", "zz", &signature[..62], "é"] {
            assert!(!is_signed(key, body, wrong), "{wrong:?}");
        }
    }
}
