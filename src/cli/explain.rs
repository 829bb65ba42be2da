//! `explain`: what a rule means, why it is there, how to mend what it found.
//!
//! Responsible for finding the page and laying it out. Not responsible for the pages, which stand beside their rules.

use serde::Serialize;
use strsim::levenshtein;

use super::exit::{Exit, Failure};
use super::ui::Ui;
use crate::audit::findings;
use crate::layout::{HINT, NAME, hanging, styled};
use crate::rules;

/// The schema of `explain --format json`.
const SCHEMA: &str = "phabgate/explain/1";

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The rule, as a verdict names it; all of them where it is left out
    #[arg(value_name = "RULE", add = super::candidates::rules())]
    rule: Option<String>,
}

/// What can be explained.
#[derive(Debug, Clone, Copy, Serialize)]
struct Topic {
    name: &'static str,
    summary: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<&'static str>,
}

#[derive(Serialize)]
struct ExplainPage {
    schema: &'static str,
    #[serde(flatten)]
    topic: Topic,
}

#[derive(Serialize)]
struct ExplainList {
    schema: &'static str,
    rules: Vec<Topic>,
    findings: Vec<Topic>,
    words: Vec<Topic>,
}

/// What `check` and `history` print beside an approval: how it is known.
const WORDS: [Topic; 3] = [
    Topic {
        name: "verified",
        summary: "An approval that its author wrote on the task",
        page: Some(
            "The server shows who wrote the comment. It is the strongest kind, and the one that is always read.\n\n\
             Its author gives it with a comment, alone on a line:\n\n    Emergency-Approve: sre",
        ),
    },
    Topic {
        name: "witnessed",
        summary: "An approval that was said on IRC, and that a witness wrote on the task",
        page: Some(
            "The bot of the watch heard `!approve` from an account that the network's services know and the configuration lists, and \
             wrote on the task who said what. It counts only where the policy accepts witnessed approvals (policy.accept), the witness is \
             one of policy.witnesses, and nothing that would void an approval came after what its author had seen.\n\n\
             Where it does not count, the line beside it says why. Its author can always write the approval on the task themselves.",
        ),
    },
    Topic {
        name: "attested",
        summary: "An approval that the deployer names, with --approved-by",
        page: Some(
            "Nobody but the deployer says that it was given. It counts only where the policy accepts attested approvals (policy.accept), \
             and not where the person wrote something else on the task themselves.\n\n\
             Where it does not count, the person writes the approval on the task.",
        ),
    },
];

/// The rules by which a task is judged, in the order in which they are shown.
fn rules() -> Vec<Topic> {
    let (name, summary, page) = rules::EVIDENCE;
    let evidence = Topic { name, summary, page: Some(page) };
    let rules = rules::ALL.iter().map(|rule| Topic { name: rule.name, summary: rule.summary, page: Some(rule.page) });
    rules.chain([evidence]).collect()
}

/// What the audit finds.
fn findings() -> Vec<Topic> {
    let topic = |finding: &findings::FindingRule| Topic {
        name: finding.name,
        summary: finding.summary,
        page: Some(finding.page),
    };
    findings::ALL.iter().map(topic).collect()
}

/// Everything that has a page. A finding that is a rule as well, as `team-open` is, has the page of the rule.
fn topics() -> Vec<Topic> {
    let rules = rules();
    let findings = findings();
    let only = findings.into_iter().filter(|finding| rules.iter().all(|rule| rule.name != finding.name));
    let only: Vec<Topic> = only.collect();
    rules.into_iter().chain(only).chain(WORDS).collect()
}

/// Runs `explain`.
///
/// # Errors
/// Where there is no such rule.
pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let topics = topics();
    let Some(asked) = &args.rule else {
        match ui.is_json() {
            true => {
                let bare = |topics: Vec<Topic>| topics.into_iter().map(|topic| Topic { page: None, ..topic }).collect();
                ui.json(&ExplainList {
                    schema: SCHEMA,
                    rules: bare(rules()),
                    findings: bare(findings()),
                    words: bare(WORDS.to_vec()),
                });
            }
            false => {
                let width = ui.width();
                let title = styled(NAME, "What `phabgate audit` finds");
                let words = styled(NAME, "What stands beside an approval");
                let lists = [list(&rules(), width), list(&findings(), width), list(&WORDS, width)];
                ui.data(&format!("{}\n{title}\n\n{}\n{words}\n\n{}", lists[0], lists[1], lists[2]));
            }
        }
        return Ok(Exit::Done);
    };
    let topic = find(&topics, asked).ok_or_else(|| unknown(&topics, asked))?;
    match ui.is_json() {
        true => ui.json(&ExplainPage { schema: SCHEMA, topic }),
        false => ui.data(&text(&topic, ui.width())),
    }
    Ok(Exit::Done)
}

/// The topic that a name means: in any case, and `team:sre` as a verdict writes it.
fn find(topics: &[Topic], asked: &str) -> Option<Topic> {
    let asked = plain(asked);
    topics.iter().find(|topic| topic.name == asked).copied()
}

fn plain(asked: &str) -> String {
    let asked = asked.trim().to_lowercase();
    let name = asked.split_once(':').map_or(asked.as_str(), |(name, _)| name);
    name.replace(['_', ' '], "-")
}

fn unknown(topics: &[Topic], asked: &str) -> Failure {
    let wanted = plain(asked);
    let near: Vec<&str> = topics.iter().map(|topic| topic.name).filter(|name| is_near(name, &wanted)).collect();
    let all: Vec<&str> = topics.iter().map(|topic| topic.name).collect();
    let all = all.join(", ");
    let hint = match near.as_slice() {
        [] => format!("the rules are {all}"),
        near => format!("did you mean {}? `phabgate explain` lists all", near.join(" or ")),
    };
    Failure::usage(format!("there is no rule {:?}", crate::text::shorten(asked, 60)), hint)
}

/// Whether one name could be a slip for the other.
fn is_near(name: &str, wanted: &str) -> bool {
    let slip = |known: &str| levenshtein(known, wanted) <= (known.len() / 2).min(2);
    let parts = |text: &str| {
        let mut parts: Vec<String> = text.split(['-', '_', ' ']).map(str::to_owned).collect();
        parts.sort_unstable();
        parts
    };
    if parts(name) == parts(wanted) {
        return true;
    }
    wanted.len() >= 3 && (name.contains(wanted) || wanted.contains(name) || slip(name) || name.split('-').any(slip))
}

fn list(topics: &[Topic], width: usize) -> String {
    let names = topics.iter().map(|topic| topic.name.len()).max().unwrap_or_default();
    let mut page = String::new();
    for topic in topics {
        let pad = " ".repeat(names - topic.name.len());
        page.push_str(&hanging(&format!("{}{pad}  ", styled(NAME, topic.name)), names + 2, topic.summary, width));
    }
    page
}

/// A page in at most `width` columns. Indented lines are examples: they stay as they are.
fn text(topic: &Topic, width: usize) -> String {
    let mut page = hanging(&format!("{}  ", styled(NAME, topic.name)), topic.name.len() + 2, topic.summary, width);
    for paragraph in topic.page.unwrap_or_default().split("\n\n") {
        page.push('\n');
        for line in paragraph.lines() {
            match line.starts_with("    ") {
                true => page.push_str(&format!("    {}\n", styled(HINT, line.trim_start()))),
                false => page.push_str(&hanging("", 0, line, width)),
            }
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_page_that_says_why_and_how() {
        let topics = topics();
        let names: std::collections::BTreeSet<&str> = topics.iter().map(|topic| topic.name).collect();
        assert_eq!(names.len(), topics.len(), "a name is two topics");
        assert!(rules::ALL.iter().all(|rule| names.contains(rule.name)));
        assert!(findings::ALL.iter().all(|finding| names.contains(finding.name)));
        for topic in topics {
            assert!(!topic.summary.ends_with('.') && topic.summary.len() <= 72, "{}: {}", topic.name, topic.summary);
            let page = topic.page.unwrap();
            assert!(page.contains("\n\n"), "{}: what it means and how to mend it are paragraphs", topic.name);
            assert!(page.ends_with('.') || page.lines().last().unwrap().starts_with("    "), "{}", topic.name);
        }
    }

    #[test]
    fn names_are_taken_as_a_verdict_writes_them() {
        let topics = topics();
        let found = |asked| find(&topics, asked).map(|topic| topic.name);
        assert_eq!(found("team:sre"), Some("team"));
        assert_eq!(found("Task_Open"), Some("task-open"));
        assert_eq!(found("evidence"), Some("evidence"));
        assert_eq!(found("nonsense"), None);
        assert_eq!(found("witnessed"), Some("witnessed"));
    }

    #[test]
    fn a_slip_names_what_was_meant() {
        let hint = |asked| unknown(&topics(), asked).hint.unwrap();
        assert!(hint("rejceted").starts_with("did you mean rejected?"), "{}", hint("rejceted"));
        assert!(hint("opne").starts_with("did you mean task-open or team-open?"), "{}", hint("opne"));
        assert!(hint("open").starts_with("did you mean task-open or team-open?"), "{}", hint("open"));
        assert!(hint("xyzzy").starts_with("the rules are task-visible, "), "{}", hint("xyzzy"));
    }

    #[test]
    fn examples_of_a_page_are_not_wrapped() {
        let page = Some("Words that are wrapped.\n\n    Emergency-Approve: a line that is longer than the width");
        let topic = Topic { name: "x", summary: "y", page };
        let shown = anstream::adapter::strip_str(&text(&topic, 20)).to_string();
        assert!(shown.contains("\n    Emergency-Approve: a line that is longer than the width\n"), "{shown}");
        assert!(shown.contains("Words that are\nwrapped.\n"), "{shown}");
    }
}
