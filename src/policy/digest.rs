//! The digest of a policy: what a record names, so that an audit sees whether another policy judged the deploy.

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Policy;
use crate::text::hex;

/// `sha256:` and the hash of the policy in its canonical form: JSON with sorted keys and without blanks, and without the
/// keys that are at their default.
///
/// It does not depend on how the configuration was written, where it was read from, or what of it was built in. The
/// order of teams and reasons is part of the policy. A key that a later version adds changes no digest where it is at its
/// default.
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
            Ok(value) => sorted(trimmed(value)).to_string(),
            Err(error) => format!("{error}: {self:?}"),
        };
        let hash = Sha256::digest(canonical.as_bytes());
        PolicyDigest(format!("sha256:{}", hex(&hash)))
    }
}

/// What a key means where it is not written: the default of the digest, which stays what it is for good, whatever is
/// built in. A key that is not here is always in the digest.
const DEFAULTS: &[(&str, Default)] = &[
    ("field", Default::Null),
    ("train", Default::Null),
    ("actions", Default::Empty),
    ("accept_verified", Default::Bool(true)),
    ("accept_witnessed", Default::Bool(false)),
    ("accept_attested", Default::Bool(false)),
    ("max_age", Default::Number(12 * 60 * 60)),
    ("self_approval", Default::Bool(false)),
    ("require_open", Default::Bool(true)),
    ("open_spaces", Default::Empty),
    ("follow_up", Default::Null),
    ("witnesses", Default::Empty),
    ("records", Default::Word("deployers")),
];
/// The same of each team.
const OF_TEAMS: &[(&str, Default)] =
    &[("aliases", Default::Empty), ("need", Default::Number(1)), ("role", Default::Word("approve"))];
/// The same of each reason.
const OF_REASONS: &[(&str, Default)] = &[("aliases", Default::Empty), ("teams", Default::Empty)];

/// A default.
enum Default {
    Null,
    Empty,
    Bool(bool),
    Number(i64),
    Word(&'static str),
}

impl Default {
    fn is(&self, value: &Value) -> bool {
        match self {
            Self::Null => value.is_null(),
            Self::Empty => value.as_array().is_some_and(Vec::is_empty),
            Self::Bool(default) => value.as_bool() == Some(*default),
            Self::Number(default) => value.as_i64() == Some(*default),
            Self::Word(default) => value.as_str() == Some(default),
        }
    }
}

/// The policy without the keys that are at their default.
fn trimmed(mut policy: Value) -> Value {
    drop_defaults(&mut policy, DEFAULTS);
    for (rows, defaults) in [("teams", OF_TEAMS), ("reasons", OF_REASONS)] {
        let rows = policy.get_mut(rows).and_then(Value::as_array_mut);
        for row in rows.into_iter().flatten() {
            drop_defaults(row, defaults);
        }
    }
    policy
}

fn drop_defaults(value: &mut Value, defaults: &[(&str, Default)]) {
    let Some(object) = value.as_object_mut() else { return };
    object.retain(|key, value| !defaults.iter().any(|(known, default)| known == key && default.is(value)));
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
    use crate::policy::BelievedRecords;
    use crate::policy::testing::built_in;

    fn policy() -> Policy {
        Policy {
            tag: "emergency".to_owned(),
            field: None,
            train: None,
            required: vec!["sre".to_owned()],
            teams: Vec::new(),
            reasons: Vec::new(),
            recorders: Vec::new(),
            ..built_in()
        }
    }

    #[test]
    fn the_digest_is_the_hash_of_sorted_json() {
        let json = r#"{"reasons":[],"recorders":[],"required":["sre"],"tag":"emergency","teams":[]}"#;
        assert_eq!(policy().digest().as_str(), format!("sha256:{}", hex(&Sha256::digest(json))));
    }

    #[test]
    fn any_difference_shows() {
        let changes: [fn(&mut Policy); 14] = [
            |policy| policy.tag = "other".to_owned(),
            |policy| policy.field = Some("custom.reason".to_owned()),
            |policy| policy.train = Some("train".to_owned()),
            |policy| policy.required.clear(),
            |policy| policy.accept_verified = false,
            |policy| policy.accept_witnessed = true,
            |policy| policy.witnesses = vec!["heard".into()],
            |policy| policy.accept_attested = true,
            |policy| policy.max_age = SignedDuration::from_hours(11),
            |policy| policy.self_approval = true,
            |policy| policy.require_open = false,
            |policy| policy.open_spaces.push("PHID-SPCE-1".to_owned()),
            |policy| policy.follow_up = Some(SignedDuration::from_hours(12)),
            |policy| policy.records = BelievedRecords::Recorders,
        ];
        let mut seen = vec![policy().digest()];
        for change in changes {
            let mut other = policy();
            change(&mut other);
            assert!(!seen.contains(&other.digest()), "{other:?}");
            seen.push(other.digest());
        }
    }

    #[test]
    fn what_is_at_its_default_is_not_in_the_digest() {
        let policy = built_in();
        let before = serde_json::to_value(&policy).unwrap();
        let mut with_more = before.clone();
        for key in ["field", "train", "follow_up"] {
            with_more[key] = Value::Null;
        }
        let text = sorted(trimmed(with_more)).to_string();
        for key in ["\"records\"", "null", "\"role\"", "\"need\"", "max_age", "require_open", "open_spaces", "accept"] {
            assert!(!text.contains(key), "{key}: {text}");
        }
        // What is not at its default stays, of each team and reason too.
        let mut other = before.clone();
        other["teams"][0]["need"] = 2.into();
        other["teams"][1]["role"] = "inform".into();
        other["reasons"][1]["teams"] = serde_json::json!(["sre"]);
        let text = sorted(trimmed(other)).to_string();
        assert!(text.contains("\"need\":2") && text.contains("\"role\":\"inform\""), "{text}");
    }
}
