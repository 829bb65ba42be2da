//! Whether an Alertmanager would fold pages together, by the configuration that it shows.
//!
//! Responsible for reading `group_by` out of the text, which is YAML as an Alertmanager writes it. Not responsible for asking for it, nor
//! for which route an alert takes: that hangs on matchers, which its own `amtool config routes test` evaluates.

use super::alertmanager::LABELS;

/// How an Alertmanager groups what it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grouping {
    /// Every route keeps each page apart.
    Apart,
    /// So many routes do, of so many that say how they group.
    Some {
        /// Those that keep each page apart.
        apart: usize,
        /// All that say how they group.
        of: usize,
    },
    /// None does: pages of several tasks or teams would be one.
    Folded,
}

/// How the routes of a configuration group.
pub fn grouping(configuration: &str) -> Grouping {
    let groups = groups(configuration);
    let apart = groups.iter().filter(|group| keeps_apart(group)).count();
    match (apart, groups.len()) {
        (0, _) => Grouping::Folded,
        (apart, of) if apart == of => Grouping::Apart,
        (apart, of) => Grouping::Some { apart, of },
    }
}

fn keeps_apart(labels: &[String]) -> bool {
    let has = |label: &str| labels.iter().any(|known| known == label);
    // The name is the same for all, and severity follows from the stage.
    let needed = LABELS.iter().filter(|label| !matches!(**label, "alertname" | "severity"));
    has("...") || needed.into_iter().all(|label| has(label))
}

/// The lists after each `group_by:`, in either form of YAML.
fn groups(configuration: &str) -> Vec<Vec<String>> {
    let bare = |item: &str| item.trim().trim_matches(['\'', '"']).to_owned();
    let mut groups = Vec::new();
    let mut lines = configuration.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((before, rest)) = line.split_once("group_by:") else { continue };
        // Not within a comment or a text.
        if !before.chars().all(|c| matches!(c, ' ' | '-')) {
            continue;
        }
        let rest = rest.trim();
        if let Some(list) = rest.strip_prefix('[').and_then(|list| list.strip_suffix(']')) {
            groups.push(list.split(',').map(bare).filter(|item| !item.is_empty()).collect());
            continue;
        }
        let mut items = Vec::new();
        while let Some(item) = lines.peek().and_then(|line| line.trim_start().strip_prefix("- ")) {
            // A list in a list is that of the routes.
            if item.contains(": ") {
                break;
            }
            items.push(bare(item));
            lines.next();
        }
        groups.push(items);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_kept_apart_by_all_labels_or_by_those_of_their_key() {
        let root =
            |group: &str| format!("route:\n  receiver: hook\n{group}  group_wait: 0s\nreceivers:\n- name: hook\n");
        assert_eq!(grouping(&root("  group_by:\n  - '...'\n")), Grouping::Apart);
        assert_eq!(grouping(&root("  group_by: ['...']\n")), Grouping::Apart);
        assert_eq!(grouping(&root("  group_by: [site, task, episode, team, round, stage, drill]\n")), Grouping::Apart);
        assert_eq!(grouping(&root("  group_by: [task, team, stage]\n")), Grouping::Folded);
        assert_eq!(grouping(&root("  group_by:\n  - alertname\n")), Grouping::Folded);
        assert_eq!(grouping(&root("")), Grouping::Folded, "without it all is one group");
        let nested = "route:\n  group_by:\n  - cluster\n  routes:\n  - receiver: pages\n    group_by:\n    - '...'\n    matchers:\n    - alertname=\"EmergencyDeployApproval\"\n";
        assert_eq!(grouping(nested), Grouping::Some { apart: 1, of: 2 });
        assert_eq!(grouping("# group_by: ['...']\n"), Grouping::Folded);
    }
}
