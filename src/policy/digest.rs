//! The digest of a policy: what a record names, so that an audit sees whether another policy judged the deploy.

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Policy;

/// `sha256:` and the hash of the policy in its canonical form: JSON with sorted keys and without blanks.
///
/// It does not depend on how the configuration was written, where it was read from, or what of it was built in. The
/// order of teams and reasons is part of the policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PolicyDigest(String);

impl PolicyDigest {
    /// The digest as it stands in a record.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PolicyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Policy {
    /// The digest that names this policy.
    pub fn digest(&self) -> PolicyDigest {
        // A policy is made of texts, numbers and lists, which always serialise. Should that ever change, the error
        // takes the place of the policy: a digest that no sound policy has.
        let canonical = match serde_json::to_value(self) {
            Ok(value) => sorted(value).to_string(),
            Err(error) => format!("{error}: {self:?}"),
        };
        let hash = Sha256::digest(canonical.as_bytes());
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        PolicyDigest(format!("sha256:{hex}"))
    }
}

/// The value with the keys of every object sorted, whichever map serde_json was built with.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(String, Value)> = map.into_iter().collect();
            entries.sort_by(|left, right| left.0.cmp(&right.0));
            Value::Object(entries.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn policy() -> Policy {
        Policy {
            tag: "emergency".to_owned(),
            field: None,
            train: None,
            required: vec!["sre".to_owned()],
            teams: Vec::new(),
            reasons: Vec::new(),
            actions: Vec::new(),
            accept_verified: true,
            accept_attested: false,
            max_age: SignedDuration::from_hours(12),
            self_approval: false,
            require_open: true,
            recorders: Vec::new(),
            open_spaces: Vec::new(),
            follow_up: None,
        }
    }

    #[test]
    fn the_digest_is_the_hash_of_sorted_json() {
        let json = r#"{"accept_attested":false,"accept_verified":true,"actions":[],"field":null,"follow_up":null,"max_age":43200,"open_spaces":[],"reasons":[],"recorders":[],"require_open":true,"required":["sre"],"self_approval":false,"tag":"emergency","teams":[],"train":null}"#;
        let hash: String = Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(policy().digest().as_str(), format!("sha256:{hash}"));
    }

    #[test]
    fn any_difference_shows() {
        let mut other = policy();
        other.self_approval = true;
        assert_ne!(other.digest(), policy().digest());
    }
}
