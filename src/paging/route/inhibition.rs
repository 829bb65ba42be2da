//! The inhibitions of an Alertmanager: which alerts are mute while others fire.
//!
//! Responsible for those that may mute a page, by the labels of the page alone: whether what they wait for ever fires is not known here. Not
//! responsible for silences, which come and go.

use super::RouteError;
use super::matcher::LabelSet;
use super::tree::{MatcherKeys, Matchers, pairs, texts};
use super::yaml::Node;

/// The matchers of what is mute.
const TARGET: MatcherKeys = MatcherKeys { lines: "target_matchers", equal: "target_match", regex: "target_match_re" };

/// Those of a configuration.
#[derive(Debug, Default)]
pub(super) struct Inhibitions(Vec<Inhibition>);

#[derive(Debug)]
struct Inhibition {
    /// While which alerts fire, in the words of the configuration.
    source: String,
    target: Matchers,
}

impl Inhibitions {
    /// Reads those of a configuration.
    ///
    /// # Errors
    /// Where something in one is of another kind than an Alertmanager writes.
    pub(super) fn read(configuration: &Node) -> Result<Self, RouteError> {
        let rules = match configuration.get("inhibit_rules") {
            None => return Ok(Self::default()),
            Some(Node::List(rules)) => rules,
            Some(_) => return Err(RouteError::Form("inhibit_rules")),
        };
        let rule = |node: &Node| match node {
            Node::Map(_) => Ok(Inhibition { source: source(node)?, target: Matchers::read(node, &TARGET)? }),
            _ => Err(RouteError::Form("inhibit_rules")),
        };
        Ok(Self(rules.iter().map(rule).collect::<Result<_, _>>()?))
    }

    /// While which alerts a page with these labels may be mute. What of a matcher is not understood may hold.
    pub(super) fn of(&self, labels: &LabelSet) -> Vec<String> {
        let may_mute = |rule: &&Inhibition| rule.target.hold(labels).unwrap_or(true);
        self.0.iter().filter(may_mute).map(|rule| rule.source.clone()).collect()
    }
}

/// The matchers of what has to fire, as they are written.
fn source(node: &Node) -> Result<String, RouteError> {
    let mut words = texts(node, "source_matchers")?;
    words.extend(pairs(node, "source_match")?.into_iter().map(|(name, value)| format!("{name}=\"{value}\"")));
    words.extend(pairs(node, "source_match_re")?.into_iter().map(|(name, value)| format!("{name}=~\"{value}\"")));
    Ok(words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::{labels, yaml};
    use super::*;
    use crate::paging::Stage;

    fn muting(rules: &str, stage: Stage) -> Vec<String> {
        let configuration = yaml::read(&format!("inhibit_rules: {rules}")).unwrap();
        Inhibitions::read(&configuration).unwrap().of(&labels("phab.example", "sre", stage, false))
    }

    #[test]
    fn an_inhibition_mutes_the_pages_that_its_target_matches_in_either_form() {
        let page = "[{source_matchers: ['severity=\"critical\"'], target_matchers: ['severity=\"page\"'], equal: [alertname]}]";
        assert_eq!(muting(page, Stage::Page), ["severity=\"critical\""]);
        assert_eq!(muting(page, Stage::Escalation), [""; 0]);
        let older = "[{source_match: {alertname: Down}, target_match_re: {team: 's.*'}}]";
        assert_eq!(muting(older, Stage::Page), ["alertname=\"Down\""]);
        assert_eq!(muting("[{source_match: {a: b}, target_match: {team: releng}}]", Stage::Page), [""; 0]);
    }

    #[test]
    fn one_without_a_target_or_that_is_not_understood_may_mute_everything() {
        assert_eq!(muting("[{source_match_re: {a: b}}]", Stage::Page), ["a=~\"b\""]);
        assert_eq!(muting("[{source_match: {a: b}, target_match_re: {team: '('}}]", Stage::Page), ["a=\"b\""]);
        let read = |text: &str| Inhibitions::read(&yaml::read(text).unwrap()).is_err();
        assert!(read("inhibit_rules: {a: b}") && read("inhibit_rules: [a]"));
    }
}
