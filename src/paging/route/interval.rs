//! When a route of an Alertmanager says nothing: the intervals that it names, and what they stand for.
//!
//! Responsible for the names and for words that a person can read. Not responsible for whether it is such a time now.

use std::collections::BTreeMap;
use std::fmt;

use super::yaml::Node;
use crate::text::shorten;

/// How much of the name of an interval is shown, and of what it stands for.
const SHOWN: usize = 80;

/// An interval by which a route is mute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mute {
    /// In which way.
    pub kind: MuteKind,
    /// The name of the interval, as the configuration writes it.
    pub name: String,
    /// The times that it stands for, in words; `None` where the configuration does not show them.
    pub when: Option<String>,
}

/// In which way a route is mute by an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MuteKind {
    /// It is mute while the interval lasts.
    During,
    /// It is mute while the interval does not last.
    Outside,
}

impl MuteKind {
    const ALL: [Self; 2] = [Self::During, Self::Outside];

    /// The key of a route that names such intervals.
    pub fn key(self) -> &'static str {
        match self {
            Self::During => "mute_time_intervals",
            Self::Outside => "active_time_intervals",
        }
    }
}

impl fmt::Display for Mute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.kind {
            MuteKind::During => "in",
            MuteKind::Outside => "but in",
        };
        write!(f, "mute {way} `{}`", shorten(&self.name, SHOWN))?;
        self.when.as_ref().map_or(Ok(()), |when| write!(f, " ({})", shorten(when, SHOWN)))
    }
}

/// What the intervals of a configuration stand for, by their names.
#[derive(Debug, Default)]
pub(super) struct Intervals(BTreeMap<String, String>);

impl Intervals {
    /// Those of a configuration: `time_intervals`, and `mute_time_intervals` as it was called before.
    pub(super) fn read(configuration: &Node) -> Self {
        let lists = ["time_intervals", "mute_time_intervals"].into_iter().filter_map(|key| list(configuration, key));
        let named = lists.flatten().filter_map(|node| {
            let Some(Node::Scalar(name)) = node.get("name") else { return None };
            let spans: Vec<String> = list(node, "time_intervals")?.iter().map(span).collect();
            Some((name.clone(), spans.join("; or ")))
        });
        Self(named.collect())
    }

    /// Those that a route names.
    pub(super) fn of_route(&self, route: &Node) -> Vec<Mute> {
        let of = |kind: MuteKind| {
            let names = match route.get(kind.key()) {
                None => Vec::new(),
                Some(node) => scalars(node),
            };
            names.into_iter().map(move |name| (kind, name))
        };
        let named = MuteKind::ALL.into_iter().flat_map(of);
        named.map(|(kind, name)| Mute { kind, when: self.0.get(&name).cloned(), name }).collect()
    }
}

fn list<'n>(node: &'n Node, key: &str) -> Option<&'n [Node]> {
    match node.get(key) {
        Some(Node::List(nodes)) => Some(nodes),
        _ => None,
    }
}

/// The texts of a node, however it is written.
fn scalars(node: &Node) -> Vec<String> {
    match node {
        Node::Scalar(text) => vec![text.clone()],
        Node::List(nodes) => nodes.iter().flat_map(scalars).collect(),
        Node::Null | Node::Map(_) => Vec::new(),
    }
}

/// One span of time in words: all that it names has to hold.
fn span(node: &Node) -> String {
    let Node::Map(entries) = node else { return "at times".to_owned() };
    let time = |node: &Node| {
        let at = |key| node.get(key).map(scalars).unwrap_or_default().concat();
        format!("{} to {}", at("start_time"), at("end_time"))
    };
    let part = |(key, node): &(String, Node)| match (key.as_str(), node) {
        (_, Node::Null) => None,
        ("times", Node::List(times)) => Some(times.iter().map(time).collect::<Vec<_>>().join(" and ")),
        ("weekdays", node) => Some(scalars(node).join(" and ").replace(':', " to ")),
        ("location", node) => Some(scalars(node).concat()),
        (key, node) => Some(format!("{} {}", key.replace('_', " "), scalars(node).join(" and ").replace(':', " to "))),
    };
    let parts: Vec<String> = entries.iter().filter_map(part).collect();
    if parts.is_empty() { "at all times".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paging::route::yaml::read;

    /// How a route that names `nights` is mute.
    fn mute(spans: &str) -> String {
        let configuration = read(&format!("time_intervals: [{{name: nights, time_intervals: {spans}}}]")).unwrap();
        let route = read("mute_time_intervals: [nights]").unwrap();
        Intervals::read(&configuration).of_route(&route).remove(0).to_string()
    }

    #[test]
    fn an_interval_is_said_as_people_read_it() {
        let nights = "[{times: [{start_time: '22:00', end_time: '24:00'}, {start_time: '00:00', end_time: '06:00'}], location: Europe/Berlin}]";
        assert_eq!(mute(nights), "mute in `nights` (22:00 to 24:00 and 00:00 to 06:00, Europe/Berlin)");
        let weekends = "[{weekdays: ['saturday:sunday']}, {days_of_month: ['1:3', '-1'], months: [december]}]";
        assert_eq!(
            mute(weekends),
            "mute in `nights` (saturday to sunday; or days of month 1 to 3 and -1, months december)"
        );
        assert_eq!(mute("[{}]"), "mute in `nights` (at all times)");
        assert_eq!(mute("soon"), "mute in `nights`", "what it stands for is not known");
    }

    #[test]
    fn a_route_is_mute_during_an_interval_or_outside_of_it_however_the_interval_is_listed() {
        let old = read("mute_time_intervals: [{name: days, time_intervals: [{years: ['2026']}]}]").unwrap();
        let route = read("{mute_time_intervals: other, active_time_intervals: [days]}").unwrap();
        let said: Vec<String> = Intervals::read(&old).of_route(&route).iter().map(ToString::to_string).collect();
        assert_eq!(said, ["mute in `other`", "mute but in `days` (years 2026)"]);
        assert!(Intervals::default().of_route(&read("{mute_time_intervals: []}").unwrap()).is_empty());
    }
}
