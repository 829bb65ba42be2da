//! `near-misses`: no line that was meant as an answer went without effect.

use super::verdict::Effect;
use super::{Rule, list};
use crate::evidence::NearKind;

pub(super) const RULE: Rule = Rule {
    name: "near-misses",
    summary: "No line that was meant as an answer is none",
    page: "A member of a team wrote a line that a reader takes for an answer and that is none by the letter. What reads as a \
           withdrawal voids the earlier approvals of its author. What reads as a yes counts only where it is all that the \
           comment says and nothing but a leading blank, characters that are not seen, bold around the line, another dash or \
           colon, or one \".\", \"!\", 👍 or ✅ at its end was missed. All others are shown with what to write. A no that is \
           struck out, stands in the midst of a sentence or a question, or beside an approval is shown too, and stops nothing.\n\n\
           Below the head of a mail that a comment repeats nothing is a yes, since others wrote what stands there: below \
           \"From:\" and \"Sent:\" one under the other, a line that says who wrote and when, \"-----Original Message-----\" and \
           their like, in the languages of mail programs.\n\n\
           Ask who wrote it what they meant, and have them write it anew as the hint says.",
    judge: |rule, context| {
        let idle = context.near_misses.iter().filter(|near| matches!(near.effect, Effect::Voids | Effect::Listed));
        let (mut said, mut hints) = (Vec::new(), Vec::new());
        for near in idle.filter(|near| near.write.is_some()) {
            let reads = match near.kind {
                NearKind::No => "a no",
                NearKind::Withdraw => "a withdrawal",
                NearKind::Yes => "a yes",
            };
            let does = match near.effect {
                Effect::Voids => "so their earlier approvals do not count",
                _ => "and counts for none",
            };
            said.push(format!(
                "{} wrote {}, which reads as {reads}, {does}: {}",
                near.user,
                context.quote(&near.line),
                near.why
            ));
            let write = near.write.as_deref().unwrap_or_default();
            let hint = format!("if {} means it, they write, alone on a line, {write}", near.user);
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
        said.dedup();
        match said.is_empty() {
            true => rule.pass("every answer was read as it was meant"),
            false => rule.warn(list(&said, "and"), hints.join("; ")),
        }
    },
};
