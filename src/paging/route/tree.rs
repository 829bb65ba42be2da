//! The routes of an Alertmanager as a tree, and which of them an alert takes.
//!
//! Responsible for both as its `config.Route` and `dispatch.Route` have them: children in their order, the first that matches and those after it
//! where it has `continue`, the route itself where none does; what a route does not set it has from the one above. Not responsible for which
//! alerts there are.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::interval::{Intervals, Mute};
use super::matcher::{LabelSet, Matcher, MatcherError, matchers};
use super::receivers::Receivers;
use super::yaml::Node;
use super::{Destination, RouteError};
use crate::paging::alertmanager::LABELS;

/// How long a route waits for others to send along, where nothing says so.
const WAIT: SignedDuration = SignedDuration::from_secs(30);
/// The name in `group_by` that stands for all labels.
const ALL: &str = "...";

/// A route, with those below it.
#[derive(Debug)]
pub(super) struct Route {
    receiver: Option<String>,
    group_by: Option<Vec<String>>,
    /// A route that is not taken may say what it likes.
    wait: Option<Result<SignedDuration, RouteError>>,
    matchers: Matchers,
    continues: bool,
    mute: Vec<Mute>,
    routes: Vec<Self>,
}

/// What a route has from those above it.
#[derive(Debug, Clone)]
struct Inherited {
    receiver: String,
    group_by: Vec<String>,
    wait: Result<SignedDuration, RouteError>,
    /// The labels of which all alerts that come here have one value.
    pinned: BTreeSet<String>,
    /// How many there are above.
    depth: usize,
}

impl Route {
    /// Reads a route.
    ///
    /// # Errors
    /// Where something in it is of another kind than an Alertmanager writes.
    pub(super) fn read(node: &Node, intervals: &Intervals) -> Result<Self, RouteError> {
        let Node::Map(_) = node else { return Err(RouteError::Form("route")) };
        let routes = match node.get("routes") {
            None => Vec::new(),
            Some(Node::List(routes)) => {
                routes.iter().map(|route| Self::read(route, intervals)).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(RouteError::Form("routes")),
        };
        let group_by = texts(node, "group_by")?;
        Ok(Self {
            receiver: text(node, "receiver")?.map(str::to_owned),
            // An empty list sets nothing.
            group_by: Some(group_by).filter(|labels| !labels.is_empty()),
            wait: text(node, "group_wait")?.map(|text| duration(text).ok_or(RouteError::Form("group_wait"))),
            matchers: Matchers::read(node, &OF_ROUTE)?,
            continues: matches!(text(node, "continue")?, Some("true")),
            mute: intervals.of_route(node),
            routes,
        })
    }

    /// Where an alert with these labels goes, from the topmost route.
    ///
    /// # Errors
    /// Where that hangs on something that is not understood.
    pub(super) fn destinations(
        &self,
        labels: &LabelSet,
        receivers: &Receivers,
    ) -> Result<Vec<Destination>, RouteError> {
        let above = Inherited {
            receiver: String::new(),
            group_by: Vec::new(),
            wait: Ok(WAIT),
            pinned: BTreeSet::new(),
            depth: 0,
        };
        let mut found = Vec::new();
        self.descend(&above, labels, &mut found)?;
        for destination in &mut found {
            destination.integrations = receivers.integrations_of(&destination.receiver);
        }
        Ok(found)
    }

    /// Adds where an alert goes from here; whether it came here at all.
    fn descend(&self, above: &Inherited, labels: &LabelSet, found: &mut Vec<Destination>) -> Result<bool, RouteError> {
        if !self.matchers.hold(labels)? {
            return Ok(false);
        }
        let here = self.inheriting(above);
        let before = found.len();
        for route in &self.routes {
            if route.descend(&here, labels, found)? && !route.continues {
                break;
            }
        }
        if found.len() == before {
            found.push(self.destination(here)?);
        }
        Ok(true)
    }

    fn inheriting(&self, above: &Inherited) -> Inherited {
        let pinned = self.matchers.0.iter().flatten().filter_map(Matcher::pins).map(str::to_owned);
        Inherited {
            receiver: self.receiver.clone().unwrap_or_else(|| above.receiver.clone()),
            group_by: self.group_by.clone().unwrap_or_else(|| above.group_by.clone()),
            wait: self.wait.clone().unwrap_or_else(|| above.wait.clone()),
            pinned: above.pinned.iter().cloned().chain(pinned).collect(),
            depth: above.depth + 1,
        }
    }

    fn destination(&self, here: Inherited) -> Result<Destination, RouteError> {
        let lacking = lacking(&here);
        let (is_topmost, mute) = (here.depth == 1, self.mute.clone());
        Ok(Destination { lacking, wait: here.wait?, receiver: here.receiver, integrations: None, is_topmost, mute })
    }
}

/// The labels by which pages are not kept apart, though they may differ.
fn lacking(here: &Inherited) -> Vec<&'static str> {
    let groups = |label: &str| here.group_by.iter().any(|known| known == label);
    if groups(ALL) {
        return Vec::new();
    }
    let has = |label: &str| groups(label) || here.pinned.contains(label);
    let is_lacking = |label: &&str| match *label {
        // The name is the same for all, and severity follows from the stage.
        "alertname" | "severity" => false,
        "stage" => !has("stage") && !has("severity"),
        label => !has(label),
    };
    LABELS.into_iter().filter(is_lacking).collect()
}

/// The matchers of something; of one that is not understood, why.
#[derive(Debug)]
pub(super) struct Matchers(Vec<Result<Matcher, MatcherError>>);

/// Under which names they stand: in the form of now, and in the two of before.
pub(super) struct MatcherKeys {
    pub(super) lines: &'static str,
    pub(super) equal: &'static str,
    pub(super) regex: &'static str,
}

const OF_ROUTE: MatcherKeys = MatcherKeys { lines: "matchers", equal: "match", regex: "match_re" };

impl Matchers {
    /// Reads them.
    ///
    /// # Errors
    /// Where they are of another kind than an Alertmanager writes.
    pub(super) fn read(node: &Node, keys: &MatcherKeys) -> Result<Self, RouteError> {
        let mut found = Vec::new();
        for line in texts(node, keys.lines)? {
            match matchers(&line) {
                Ok(matchers) => found.extend(matchers.into_iter().map(Ok)),
                Err(why) => found.push(Err(why)),
            }
        }
        found.extend(pairs(node, keys.equal)?.into_iter().map(|(name, value)| Ok(Matcher::equal(name, value))));
        found.extend(pairs(node, keys.regex)?.into_iter().map(|(name, value)| Matcher::regex(name, value)));
        Ok(Self(found))
    }

    /// Whether all of them hold. One that does not decides, whatever the others mean.
    ///
    /// # Errors
    /// Where that hangs on one that is not understood.
    pub(super) fn hold(&self, labels: &LabelSet) -> Result<bool, RouteError> {
        if self.0.iter().flatten().any(|matcher| !matcher.holds(labels)) {
            return Ok(false);
        }
        match self.0.iter().find_map(|matcher| matcher.as_ref().err()) {
            Some(why) => Err(RouteError::Matcher(why.clone())),
            None => Ok(true),
        }
    }
}

fn text<'n>(node: &'n Node, name: &'static str) -> Result<Option<&'n str>, RouteError> {
    match node.get(name) {
        None => Ok(None),
        Some(Node::Scalar(text)) => Ok(Some(text)),
        Some(_) => Err(RouteError::Form(name)),
    }
}

/// A list of texts; one alone stands for a list of it.
pub(super) fn texts(node: &Node, name: &'static str) -> Result<Vec<String>, RouteError> {
    let scalar = |node: &Node| match node {
        Node::Scalar(text) => Ok(text.clone()),
        _ => Err(RouteError::Form(name)),
    };
    match node.get(name) {
        None => Ok(Vec::new()),
        Some(Node::List(nodes)) => nodes.iter().map(scalar).collect(),
        Some(node) => Ok(vec![scalar(node)?]),
    }
}

/// Texts by their names. An empty one is what Alertmanager makes of nothing.
pub(super) fn pairs<'n>(node: &'n Node, name: &'static str) -> Result<Vec<(&'n str, &'n str)>, RouteError> {
    let pair = |(key, value): &'n (String, Node)| match value {
        Node::Scalar(text) => Ok((key.as_str(), text.as_str())),
        Node::Null => Ok((key.as_str(), "")),
        _ => Err(RouteError::Form(name)),
    };
    match node.get(name) {
        None => Ok(Vec::new()),
        Some(Node::Map(entries)) => entries.iter().map(pair).collect(),
        Some(_) => Err(RouteError::Form(name)),
    }
}

/// A duration as Prometheus writes it, `1m30s`; `None` where it is none.
fn duration(text: &str) -> Option<SignedDuration> {
    if text == "0" {
        return Some(SignedDuration::ZERO);
    }
    let mut rest = text;
    let mut millis: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: i64 = rest[..digits].parse().ok()?;
        let after = &rest[digits..];
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let unit = match &after[..end] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            "y" => 365 * 86_400_000,
            _ => return None,
        };
        millis = millis.checked_add(count.checked_mul(unit)?)?;
        rest = &after[end..];
    }
    (!text.is_empty()).then(|| SignedDuration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_prometheus() {
        let millis = |text: &str| duration(text).map(|duration| duration.as_millis());
        for (text, wanted) in [
            ("0s", 0),
            ("0", 0),
            ("30s", 30_000),
            ("1m30s", 90_000),
            ("500ms", 500),
            ("1h", 3_600_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(millis(text), Some(wanted), "{text}");
        }
        for text in ["", "30", "s", "-1s", "1x", "1.5s", "99999999999y", "99999999999999999999s"] {
            assert_eq!(millis(text), None, "{text}");
        }
    }
}
