//! The receivers of an Alertmanager's configuration.
//!
//! Responsible for how many integrations each has: what is called `webhook_configs`, `email_configs` and the like. Not responsible for whom an
//! integration reaches, which only its own service knows.

use std::collections::BTreeMap;

use super::yaml::Node;

/// How the name of each list of integrations ends.
const INTEGRATIONS: &str = "_configs";

/// The receivers by their names, with how many integrations each has.
#[derive(Debug, Default)]
pub(super) struct Receivers(BTreeMap<String, usize>);

impl Receivers {
    /// Those of a configuration. One that is not understood is none of them, so that nothing is known of it.
    pub(super) fn read(configuration: &Node) -> Self {
        let Some(Node::List(receivers)) = configuration.get("receivers") else { return Self::default() };
        let receiver = |node: &Node| {
            let Some(Node::Scalar(name)) = node.get("name") else { return None };
            Some((name.clone(), integrations(node)?))
        };
        Self(receivers.iter().filter_map(receiver).collect())
    }

    /// How many integrations a receiver has; `None` where there is no such receiver.
    pub(super) fn integrations_of(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }
}

/// `None` where a list of them is none.
fn integrations(receiver: &Node) -> Option<usize> {
    let Node::Map(entries) = receiver else { return None };
    let lists = entries.iter().filter(|(name, _)| name.ends_with(INTEGRATIONS));
    let counted = lists.map(|(_, node)| match node {
        Node::List(list) => Some(list.len()),
        Node::Null => Some(0),
        Node::Scalar(_) | Node::Map(_) => None,
    });
    counted.sum()
}
