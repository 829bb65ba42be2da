//! `trailers`: no line looks like one of the gate's and is none.

use super::{Rule, list};

pub(super) const RULE: Rule = Rule {
    name: "trailers",
    summary: "No line looks like a trailer of the gate and is none",
    page: "Somebody wrote a line such as `Emergency-Aprove: sre`, which the gate does not know. It may have been meant as a \
           no, so it is shown; this rule only warns.\n\n\
           Ask who wrote it what they meant, and have them write it anew.",
    judge: |rule, context| {
        if context.story.unknown.is_empty() {
            return rule.pass("every trailer is known");
        }
        let said = context
            .story
            .unknown
            .iter()
            .map(|(key, author)| format!("{} by {}", context.quote(key), context.name_of(author)));
        rule.warn(
            format!("not understood: {}", list(&said.collect::<Vec<_>>(), "and")),
            "ask who wrote it what they meant",
        )
    },
};
